//! What is asked of the search endpoints: their bodies, and the windows in them.

use chrono::DateTime;
use serde::Serialize;

use spanql_filter::opik::Clause;
use spanql_model::window::Window;

const SECOND: i64 = 1_000_000_000;
/// Times that the server certainly has: from 1970 to 2200.
const TOLD: std::ops::Range<i64> = 1..7_258_118_400;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Traces,
    Spans,
}

impl Kind {
    /// Where they are, one by one and by pages.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/private/traces",
            Self::Spans => "/v1/private/spans",
        }
    }

    /// Where they are searched as a stream.
    pub(super) fn search_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/private/traces/search",
            Self::Spans => "/v1/private/spans/search",
        }
    }
}

/// The body of a search.
///
/// Members that say nothing are left out. Rows come newest id first; the cursor asks for those whose ids are smaller.
/// Values are never to be cut.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Search {
    pub(super) project_name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) filters: Vec<Clause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_retrieved_id: Option<String>,
    pub(super) limit: usize,
    pub(super) truncate: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) exclude: Vec<&'static str>,
}

impl Search {
    pub(super) fn new(project: &str, filters: Vec<Clause>, exclude: Vec<&'static str>, limit: usize) -> Self {
        let project_name = project.to_owned();
        Self { project_name, filters, last_retrieved_id: None, limit, truncate: false, exclude }
    }

    pub(super) fn to_json(&self) -> String {
        // Only maps with keys that are no text cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The conditions of a window: on the start time, in whole seconds around it.
///
/// The API's own bounds are on the time in ids, which need not be that of the start.
pub(super) fn within(window: Window) -> Vec<Clause> {
    let bound = |operator: &str, seconds: i64| {
        let instant = DateTime::from_timestamp(seconds, 0).filter(|_| TOLD.contains(&seconds))?;
        Some(Clause {
            field: "start_time".to_owned(),
            key: String::new(),
            kind: "date_time".to_owned(),
            operator: operator.to_owned(),
            value: instant.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    };
    let start = window.start.div_euclid(SECOND);
    let end = window.end.div_euclid(SECOND) + i64::from(window.end.rem_euclid(SECOND) != 0);
    [bound(">=", start), bound("<", end)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_rounded_outwards_to_seconds() {
        let said = |start, end| {
            let said = within(Window { start, end }).into_iter();
            said.map(|clause| format!("{} {} {}", clause.field, clause.operator, clause.value)).collect::<Vec<_>>()
        };
        let day = 1_735_689_600 * SECOND;
        let whole = ["start_time >= 2025-01-01T00:00:00Z", "start_time < 2025-01-01T00:00:01Z"];
        assert_eq!(said(day, day + SECOND), whole);
        assert_eq!(said(day + 1, day + SECOND - 1), whole);
        assert_eq!(said(i64::MIN, i64::MAX), [""; 0]);
        assert_eq!(said(i64::MIN, day), ["start_time < 2025-01-01T00:00:00Z"]);
    }

    #[test]
    fn what_is_not_said_is_left_out() {
        let search = Search::new("demo", vec![], vec![], 1000);
        assert_eq!(search.to_json(), r#"{"project_name":"demo","limit":1000,"truncate":false}"#);
        let search = Search { last_retrieved_id: Some("x".into()), ..Search::new("demo", vec![], vec!["input"], 5) };
        let wanted =
            r#"{"project_name":"demo","last_retrieved_id":"x","limit":5,"truncate":false,"exclude":["input"]}"#;
        assert_eq!(search.to_json(), wanted);
    }
}
