//! Which of Arize's two ways to spans a request goes: Flight, or REST where that gives the same.

use arrow::datatypes::DataType;
use datafusion_expr::expr::InList;
use datafusion_expr::{BinaryExpr, Expr, Operator};

use super::rest_spans::MAX_PAGE;
use crate::remote::ExportRequest;
use spanql_filter::arize::narrow;
use spanql_model::columns;
use spanql_model::window::Window;

/// How spans are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Over Flight.
    #[default]
    Flight,
    /// Over REST only: by pages, and without evaluations of traces and sessions and notes, which REST does not have.
    Rest,
    /// Over Flight; over REST what is small (a limit, ids), where the answer is the same, and everything when the Flight
    /// server cannot be reached, which a remark on the stream then says.
    Either,
}

/// What REST has no place for, in words.
pub(super) const LACKS: &str = "evaluations of traces and sessions, and notes";
/// What REST certainly finds behind the end of a window, in ns.
const LATE: i64 = 3_600_000_000_000;
/// Ids that a small request names at most.
const MAX_IDS: usize = 100;

/// Whether a request brings few spans: by its limit, or by the ids that they have.
pub(super) fn is_small(request: &ExportRequest) -> bool {
    let few = request.limit.is_some_and(|limit| limit <= MAX_PAGE);
    let schema = request.schema();
    let by_ids = || {
        let each = request.filters_before_filling().into_iter().flat_map(spanql_filter::conjuncts);
        // What cannot be said in words is not asked for.
        each.into_iter()
            .any(|filter| ids_in(&filter).is_some_and(|ids| ids <= MAX_IDS) && narrow(&[filter], &schema).is_some())
    };
    few || by_ids()
}

/// Whether a window goes on to about now, in ns since the epoch.
///
/// REST finds what was received within a few hours around a window, as Arize's SDK says: spans that came later than that
/// would be missing from an older one.
pub(super) fn reaches(window: Window, now: i64) -> bool {
    window.end >= now.saturating_sub(LATE)
}

/// How many ids a condition lets through, where it is about nothing else.
fn ids_in(filter: &Expr) -> Option<usize> {
    let is_id = |expr: &Expr| match expr {
        Expr::Column(column) => [columns::TRACE_ID, columns::SPAN_ID, columns::SESSION_ID].contains(&&*column.name),
        _ => false,
    };
    let is_value = |expr: &Expr| matches!(expr, Expr::Literal(..));
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            (is_id(left) && is_value(right) || is_value(left) && is_id(right)).then_some(1)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => Some(ids_in(left)? + ids_in(right)?),
        Expr::InList(InList { expr, list, negated: false }) => {
            (is_id(expr) && list.iter().all(is_value)).then_some(list.len())
        }
        _ => None,
    }
}

/// The columns that a request is about, by name: those wanted, and those of its conditions; `None` where nobody knows.
fn named(request: &ExportRequest) -> Option<Vec<String>> {
    let mut names = match &request.columns {
        Some(names) => names.clone(),
        None if request.remote_schema.is_empty() => return None,
        None => request.remote_schema.keys().cloned().collect(),
    };
    names.extend(request.filters.iter().flat_map(spanql_filter::columns));
    Some(names)
}

/// Whether REST gives for a request exactly what Flight does.
///
/// It does not where the same is told in another form (events and their times, who annotated when), where a value that
/// is no number is left out of what must be one, and where there is no place for something at all.
pub(super) fn is_equal(request: &ExportRequest) -> bool {
    let same = |name: &String| {
        let data_type = request.remote_schema.get(name);
        if name.starts_with("eval.") {
            return match name.rsplit('.').next() {
                Some("label" | "explanation") => data_type == Some(&DataType::Utf8),
                Some("score") => matches!(data_type, Some(DataType::Int64 | DataType::Float64)),
                _ => false,
            };
        }
        let other_form = [columns::EVENTS, columns::EVENT_ATTRIBUTES, columns::REST].contains(&name.as_str());
        !other_form && (columns::canonical(name).is_some() || name.starts_with("attributes."))
    };
    request.sample_rate.is_none() && named(request).is_some_and(|names| names.iter().all(same))
}

/// The columns that a request names and that REST has no place for.
pub(super) fn missing(request: &ExportRequest) -> Vec<String> {
    let conditions = request.filters.iter().flat_map(spanql_filter::columns);
    let names = request.columns.iter().flatten().cloned().chain(conditions);
    let mut missing: Vec<String> = names.filter(|name| is_missing(name)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

fn is_missing(name: &str) -> bool {
    let annotation = name.starts_with("annotation.");
    ["trace_eval.", "session_eval."].iter().any(|family| name.starts_with(family))
        || name == columns::NOTES
        || annotation && [".explanation", ".annotator_kind"].iter().any(|field| name.ends_with(field))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use datafusion_expr::{col, ident, lit};

    use super::*;

    fn request(filters: Vec<Expr>) -> ExportRequest {
        ExportRequest { filters, ..ExportRequest::new("p", Window { start: 0, end: 1 }) }
    }

    #[test]
    fn windows_of_the_past_are_not_asked_for_over_rest() {
        let now = 10 * LATE;
        for (end, reaches_now) in
            [(i64::MAX, true), (now, true), (now - LATE, true), (now - LATE - 1, false), (0, false)]
        {
            assert_eq!(reaches(Window { start: 0, end }, now), reaches_now, "{end}");
        }
    }

    #[test]
    fn small_is_a_limit_or_ids() {
        let trace = || ident(columns::TRACE_ID);
        let many = |count: usize| (0..count).map(|id| lit(id.to_string())).collect::<Vec<_>>();
        assert!(is_small(&ExportRequest { limit: Some(500), ..request(vec![]) }));
        assert!(!is_small(&ExportRequest { limit: Some(501), ..request(vec![]) }));
        for (filter, small) in [
            (trace().eq(lit("a")), true),
            // Another name may fill it, where nobody says which there are.
            (lit("a").eq(ident(columns::SESSION_ID)), false),
            (ident(columns::SPAN_ID).in_list(many(3), false).and(col("name").eq(lit("x"))), true),
            (trace().in_list(many(101), false), false),
            (trace().eq(lit("a")).or(trace().eq(lit("b"))), true),
            (trace().in_list(many(3), true), false),
            (trace().not_eq(lit("a")), false),
            (trace().eq(lit("a")).or(col("name").eq(lit("x"))), false),
            (col("name").eq(lit("x")), false),
        ] {
            assert_eq!(is_small(&request(vec![filter.clone()])), small, "{filter}");
        }
        let remote_schema = Arc::new(BTreeMap::from([(columns::SESSION_ID.to_owned(), DataType::Utf8)]));
        let session = ExportRequest { remote_schema, ..request(vec![lit("a").eq(ident(columns::SESSION_ID))]) };
        assert!(is_small(&session));
    }

    #[test]
    fn only_what_comes_in_the_same_form_is_equal() {
        let remote_schema: BTreeMap<String, DataType> = [
            ("eval.a.label", DataType::Utf8),
            ("eval.a.score", DataType::Float64),
            ("eval.b.label", DataType::Int64),
            ("eval.b.score", DataType::Utf8),
        ]
        .map(|(name, data_type)| (name.to_owned(), data_type))
        .into();
        let remote_schema = Arc::new(remote_schema);
        let of = |names: &[&str]| ExportRequest {
            columns: Some(names.iter().map(|name| (*name).to_owned()).collect()),
            remote_schema: Arc::clone(&remote_schema),
            ..request(vec![])
        };
        let equal = [
            "context.trace_id",
            "name",
            "latency_ms",
            "attributes.llm.cost.total",
            "attributes.any",
            "attributes.metadata.k",
            "eval.a.label",
            "eval.a.score",
        ];
        assert!(is_equal(&of(&equal)));
        for other in [
            "events",
            "event.attributes",
            "attributes.rest",
            "eval.b.label",
            "eval.b.score",
            "eval.c.label",
            "trace_eval.a.label",
            "session_eval.a.score",
            "annotation.a.label",
            "annotation.notes",
        ] {
            assert!(!is_equal(&of(&["name", other])), "{other}");
        }
        assert!(!is_equal(&request(vec![])), "nobody knows what there is");
        assert!(!is_equal(&ExportRequest { remote_schema: Arc::clone(&remote_schema), ..request(vec![]) }));
        assert!(!is_equal(&ExportRequest { sample_rate: Some(0.5), ..of(&equal) }));
        let filter = ident("trace_eval.a.label").eq(lit("x"));
        assert!(!is_equal(&ExportRequest { filters: vec![filter.clone()], ..of(&equal) }));
        let lacking =
            ExportRequest { filters: vec![filter], ..of(&["name", "annotation.notes", "annotation.a.label"]) };
        assert_eq!(missing(&lacking), ["annotation.notes", "trace_eval.a.label"]);
    }
}
