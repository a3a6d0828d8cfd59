//! Traces by their roots: what is said of a trace is said of its root over REST.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion_expr::{ident, lit};
use futures::TryStreamExt;

use super::source::Arize;
use crate::error::SourceError;
use crate::remote::{ExportRequest, SpanSource};
use spanql_model::columns::{PARENT_ID, SPAN_ID, START_TIME, TRACE_ID};
use spanql_model::window::Window;

/// Traces that one request asks for.
const TOGETHER: usize = 100;
/// How far back annotated spans are looked for where nobody says so, in ns.
const LOOKED_BACK: i64 = 31 * 24 * 3600 * 1_000_000_000;

impl Arize {
    /// The ids of the roots of traces; of several, the one that began first.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] when one has no root in the window.
    pub(super) async fn roots(
        &self,
        project: &str,
        traces: &BTreeSet<&str>,
        window: Option<Window>,
    ) -> Result<HashMap<String, String>, SourceError> {
        let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
        let window = window.unwrap_or(Window { start: now - LOOKED_BACK, end: now });
        let rest = self.clone().over_rest();
        let mut roots: HashMap<String, (i64, String)> = HashMap::new();
        for group in traces.iter().copied().collect::<Vec<_>>().chunks(TOGETHER) {
            let ids = group.iter().map(|id| lit(*id)).collect();
            let request = ExportRequest {
                filters: vec![ident(TRACE_ID).in_list(ids, false), ident(PARENT_ID).is_null()],
                columns: Some([TRACE_ID, SPAN_ID, PARENT_ID, START_TIME].map(str::to_owned).to_vec()),
                ..ExportRequest::new(project, window)
            };
            let mut spans = rest.open(&request).await?;
            while let Some(batch) = spans.try_next().await? {
                for (trace, began, span) in roots_in(&batch) {
                    // The remote may send more than it was asked for.
                    if !traces.contains(trace) {
                        continue;
                    }
                    let root = roots.entry(trace.to_owned()).or_insert_with(|| (began, span.to_owned()));
                    if (began, span) < (root.0, root.1.as_str()) {
                        *root = (began, span.to_owned());
                    }
                }
            }
        }
        let missing: Vec<&str> = traces.iter().copied().filter(|id| !roots.contains_key(*id)).collect();
        if let Some(first) = missing.first() {
            let more = if missing.len() > 1 { format!(" and {} more", missing.len() - 1) } else { String::new() };
            let what = format!(
                "Arize has no root of trace {first}{more} in the window: nothing was sent; --days looks further back"
            );
            return Err(SourceError::NotFound { what, suggestion: None });
        }
        Ok(roots.into_iter().map(|(trace, (_, span))| (trace, span)).collect())
    }
}

/// The traces, starts and ids of the spans of a batch that have no parent.
fn roots_in(batch: &RecordBatch) -> Vec<(&str, i64, &str)> {
    let text = |name: &str| batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
    let (Some(traces), Some(spans)) = (text(TRACE_ID), text(SPAN_ID)) else { return vec![] };
    let parents = text(PARENT_ID);
    let starts = batch.column_by_name(START_TIME).and_then(|times| times.as_primitive_opt::<TimestampNanosecondType>());
    let is_root = |row: &usize| parents.is_none_or(|parents| parents.is_null(*row) || parents.value(*row).is_empty());
    let start = |row: usize| starts.filter(|starts| starts.is_valid(row)).map_or(i64::MAX, |starts| starts.value(row));
    (0..batch.num_rows()).filter(is_root).map(|row| (traces.value(row), start(row), spans.value(row))).collect()
}
