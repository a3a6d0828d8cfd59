//! The command of GetFlightInfo: `public.RecordQueryDescriptor` as proto3 JSON, as Arize's own client sends it.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::columns::on_the_wire;
use crate::remote::ExportRequest;
use spanql_filter::arize::narrow;
use spanql_model::window::Window;

const SECOND: i64 = 1_000_000_000;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Command {
    space_id: String,
    /// The project's name.
    model_id: String,
    environment: &'static str,
    start_time: String,
    end_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projected_columns: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<f64>,
}

impl Command {
    pub(super) fn new(space: &str, request: &ExportRequest) -> Self {
        let window = whole_seconds(request.window);
        Self {
            space_id: space.to_owned(),
            model_id: request.project.clone(),
            environment: "TRACING",
            start_time: rfc3339(window.start),
            end_time: rfc3339(window.end),
            filter_expression: narrow(&request.filters_before_filling(), &request.schema()),
            projected_columns: request.columns.as_deref().map(on_the_wire),
            sample_rate: request.sample_rate,
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Only maps with keys that are no text cannot be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The fields that a reader of a plan wants to see, by their names on the wire.
    pub(super) fn described(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("modelId", self.model_id.clone()),
            ("startTime", self.start_time.clone()),
            ("endTime", self.end_time.clone()),
        ];
        if let Some(filter) = &self.filter_expression {
            fields.push(("filterExpression", filter.clone()));
        }
        if let Some(columns) = &self.projected_columns {
            fields.push(("projectedColumns", format!("[{}]", columns.join(", "))));
        }
        if let Some(rate) = self.sample_rate {
            fields.push(("sampleRate", rate.to_string()));
        }
        fields
    }
}

/// The window of whole seconds around a window: the protocol knows nothing finer.
pub(super) fn whole_seconds(window: Window) -> Window {
    let start = window.start.div_euclid(SECOND) * SECOND;
    let end = window.end.div_euclid(SECOND) * SECOND;
    Window { start, end: if end < window.end { end.saturating_add(SECOND) } else { end } }
}

fn rfc3339(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::Command;
    use crate::remote::ExportRequest;
    use spanql_model::window::Window;

    #[test]
    fn says_what_the_vendors_client_says() {
        let window = Window { start: 1_794_052_800_000_000_000, end: 1_794_056_400_000_000_000 };
        let request = ExportRequest {
            columns: Some(vec!["name".to_owned(), "context.span_id".to_owned()]),
            sample_rate: Some(0.5),
            ..ExportRequest::new("demo", window)
        };
        let json: serde_json::Value =
            serde_json::from_str(&Command::new("U3BhY2U6MTphYmM=", &request).to_json()).unwrap();
        let expected = serde_json::json!({
            "spaceId": "U3BhY2U6MTphYmM=", "modelId": "demo", "environment": "TRACING",
            "startTime": "2026-11-07T12:00:00Z", "endTime": "2026-11-07T13:00:00Z",
            "projectedColumns": ["context.trace_id", "context.span_id", "start_time", "name"], "sampleRate": 0.5
        });
        assert_eq!(json, expected);
        let whole = Command::new("S", &ExportRequest::new("demo", window)).to_json();
        assert!(!whole.contains("projectedColumns") && !whole.contains("sampleRate"));
    }

    #[test]
    fn a_window_is_rounded_outwards_to_seconds() {
        let asked = |start, end| {
            let command = Command::new("S", &ExportRequest::new("p", Window { start, end }));
            (command.start_time, command.end_time)
        };
        let texts = |start: &str, end: &str| (start.to_owned(), end.to_owned());
        assert_eq!(asked(1, 999_999_999), texts("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"));
        assert_eq!(asked(1_000_000_000, 2_000_000_000), texts("1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"));
        assert_eq!(asked(-1, 1), texts("1969-12-31T23:59:59Z", "1970-01-01T00:00:01Z"));
    }
}
