//! Where a list of spans ended, for the next one to go on.

use std::str::FromStr;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, lit};

use spanql_filter::{all_of, any_of};
use spanql_model::columns::{PROJECT, SPAN_ID, START_TIME, TRACE_ID};

/// The place of a span in the list of all, the newest first: ties by trace, span and project, null last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Nanoseconds since the epoch.
    start: Option<i64>,
    trace: Option<String>,
    span: Option<String>,
    project: Option<String>,
}

impl Cursor {
    /// The place of the last row of a batch, by its columns `start_time`, `trace_id`, `span_id` and `project`.
    pub(super) fn of_last(rows: &RecordBatch) -> Option<Self> {
        let last = rows.num_rows().checked_sub(1)?;
        let text = |name: &str| {
            let column = rows.column_by_name(name)?.as_string_opt::<i32>()?;
            column.is_valid(last).then(|| column.value(last).to_owned())
        };
        let starts = rows.column_by_name("start_time")?.as_primitive_opt::<TimestampNanosecondType>()?;
        Some(Self {
            start: starts.is_valid(last).then(|| starts.value(last)),
            trace: text("trace_id"),
            span: text("span_id"),
            project: text("project"),
        })
    }

    /// The condition that a span with a start does not start later: what a remote can be asked for.
    pub(super) fn not_later(&self) -> Option<Expr> {
        let start = lit(ScalarValue::TimestampNanosecond(Some(self.start?), Some("UTC".into())));
        Some(Expr::Column(Column::new_unqualified(START_TIME)).lt_eq(start))
    }

    /// The condition that a span comes after the place.
    pub(super) fn after(&self) -> Expr {
        let start = self.start.map(|ns| lit(ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into()))));
        let mut after = vec![];
        let mut same = vec![];
        let text = |text: &Option<String>| text.as_deref().map(lit);
        for (name, value, newest_first) in [
            (START_TIME, start, true),
            (TRACE_ID, text(&self.trace), false),
            (SPAN_ID, text(&self.span), false),
            (PROJECT, text(&self.project), false),
        ] {
            let column = || Expr::Column(Column::new_unqualified(name));
            let Some(value) = value else {
                // Nothing comes after null but what is null too.
                same.push(column().is_null());
                continue;
            };
            let further = if newest_first { column().lt(value.clone()) } else { column().gt(value.clone()) };
            after.push(all_of(same.iter().cloned().chain([further.or(column().is_null())]).collect()));
            same.push(column().eq(value));
        }
        if after.is_empty() { lit(false) } else { any_of(after) }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { start, trace, span, project } = self;
        let json = serde_json::to_string(&(start, trace, span, project)).map_err(|_| std::fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(json))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let json = URL_SAFE_NO_PAD.decode(text.trim()).ok();
        let (start, trace, span, project) = json
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| "this is no cursor that a list gave".to_owned())?;
        Ok(Self { start, trace, span, project })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back() {
        let cursor = Cursor {
            start: Some(-1),
            trace: Some("größe \" \u{202e}".into()),
            span: None,
            project: Some(String::new()),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for garbage in ["", "x", "e30", "bm8gY3Vyc29y", "\u{0}"] {
            assert!(garbage.parse::<Cursor>().is_err(), "{garbage}");
        }
    }
}
