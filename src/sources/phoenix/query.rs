//! What a request says: the window, and what the span search can say of the conditions.

use chrono::{DateTime, SecondsFormat};
use spanql_filter::phoenix::{Parameters, print};
use spanql_model::columns;
use spanql_model::window::Window;

use super::api::Query;
use crate::remote::{ExportRequest, remote_table_schema};

const MICROSECOND: i64 = 1_000;

/// The window as the search has it: spans that start in it, to the microsecond, rounded so that none is lost. An end that
/// is none is left out.
pub(super) fn of_window(window: Window) -> Query {
    let text =
        |micros: i64| Some(DateTime::from_timestamp_micros(micros)?.to_rfc3339_opts(SecondsFormat::Micros, true));
    let start = Some(window.start).filter(|start| *start != i64::MIN);
    let start = start.and_then(|start| text(start.div_euclid(MICROSECOND)));
    let end = Some(window.end).filter(|end| *end != i64::MAX);
    let end = end.and_then(|end| text(end.div_euclid(MICROSECOND) + i64::from(end.rem_euclid(MICROSECOND) != 0)));
    let named = [("start_time", start), ("end_time", end)];
    named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// What can be said of the conditions without losing a span that fulfils them here.
///
/// Two things that the language can say are not said, as they select by what a span is there, and not by what it becomes
/// here: that there is no parent, since ids that are empty or all zeros are none here; and the value of an attribute that is
/// a column of every span here, since names of other conventions may fill that.
pub(super) fn of_filters(request: &ExportRequest) -> Query {
    let schema = remote_table_schema(&request.remote_schema);
    let Some(said) = print(&request.filters, &schema).translated else { return Query::new() };
    let own = |pair: &String| {
        let key = pair.split(':').next().unwrap_or_default();
        columns::canonical(&format!("attributes.{key}")).is_none()
    };
    let said = Parameters {
        attribute: said.attribute.into_iter().filter(own).collect(),
        parent_id: said.parent_id.filter(|parent| parent != "null"),
        ..said
    };
    said.pairs().into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{Expr, ident, lit};
    use spanql_model::window::Window;

    use super::{of_filters, of_window};
    use crate::ExportRequest;

    #[test]
    fn windows_are_rounded_outwards() {
        let said = |start, end| of_window(Window { start, end });
        let time = |name, time: &str| (name, time.to_owned());
        assert_eq!(
            said(1_001, 2_001),
            [time("start_time", "1970-01-01T00:00:00.000001Z"), time("end_time", "1970-01-01T00:00:00.000003Z")]
        );
        assert_eq!(said(-1, 2_000)[0], time("start_time", "1969-12-31T23:59:59.999999Z"));
        assert_eq!(said(-1, 2_000)[1], time("end_time", "1970-01-01T00:00:00.000002Z"));
        assert_eq!(said(i64::MIN, i64::MAX), []);
    }

    #[test]
    fn only_what_loses_no_span_is_said() {
        let said = |filter: Expr| {
            let window = Window { start: 0, end: 1 };
            let request = ExportRequest { filters: vec![filter], ..ExportRequest::new("p", window) };
            of_filters(&request).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(said(ident("context.trace_id").eq(lit("t1"))), ["trace_id=t1"]);
        assert_eq!(said(ident("attributes.openinference.span.kind").eq(lit("LLM"))), ["span_kind=LLM"]);
        assert_eq!(said(ident("parent_id").eq(lit("p1"))), ["parent_id=p1"]);
        assert_eq!(said(ident("parent_id").is_null()), [""; 0]);
        assert_eq!(said(ident("attributes.session.id").eq(lit("s1"))), [""; 0]);
        assert_eq!(said(ident("start_time").is_null()), [""; 0]);
    }
}
