//! The spans of a page, whose ids are known, as JSON.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::logical_expr::{Expr, lit};
use futures::TryStreamExt;
use serde_json::value::RawValue;

use crate::serve::backend::{Project, column, time};
use crate::serve::refusal::Refusal;
use spanql_model::columns::{self, METADATA_PREFIX, SPAN_ID, START_TIME, TRACE_ID};
use spanql_model::names::is_open_name;
use spanql_output::{Columns, FIXED, Shape};

/// Bytes of an answer after which it takes in no further spans, however many were asked for.
pub(super) const MAX_ANSWER: usize = 64 << 20;
/// Bytes of spans, as far as that can be estimated, that are fetched together.
const TOGETHER: u64 = 2 << 20;
/// Above this many ids it is cheaper to look at all spans of their traces.
const LISTED_IDS: usize = 500;
/// Families of columns that are part of an answer.
const FAMILIES: [&str; 3] = ["attributes.", "eval.", "annotation."];

/// Which span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) trace: String,
    pub(super) span: String,
    /// Its start, ns.
    pub(super) start: Option<i64>,
}

/// How many spans are best fetched together.
pub(super) fn together(project: &Project) -> usize {
    usize::try_from(TOGETHER / project.row_bytes.max(1)).unwrap_or(usize::MAX).clamp(1, 2_000)
}

/// The keys in a batch of trace id, span id and start.
pub(super) fn keys(batch: &RecordBatch) -> impl Iterator<Item = Key> + '_ {
    let (traces, spans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
    let starts = batch.column(2).as_primitive::<TimestampNanosecondType>();
    traces.iter().zip(spans).zip(starts).map(|((trace, span), start)| Key {
        trace: trace.unwrap_or_default().to_owned(),
        span: span.unwrap_or_default().to_owned(),
        start,
    })
}

/// The columns that make a key.
pub(super) fn key_columns() -> Vec<Expr> {
    [TRACE_ID, SPAN_ID, START_TIME].map(column).to_vec()
}

/// Fetches a few spans, each in the place of its key.
pub(super) async fn fetch(
    project: &Project,
    keys: &[Key],
    read: &Read,
    columns: &Columns,
    cut: Option<usize>,
) -> Result<Vec<Option<Box<RawValue>>>, Refusal> {
    let places: HashMap<(&str, &str), usize> =
        keys.iter().enumerate().map(|(place, key)| ((key.trace.as_str(), key.span.as_str()), place)).collect();
    let mut found: Vec<Option<Box<RawValue>>> = vec![None; keys.len()];
    let spans = project.read(project.spans_table_with(&read.open_names)?)?.filter(any_of(keys))?;
    let names = read.names.iter().map(|name| column(name));
    let mut stream = spans.select(names.collect::<Vec<_>>())?.execute_stream().await?;
    while let Some(batch) = stream.try_next().await? {
        let shape = Shape::new(&batch, columns, cut);
        for row in 0..batch.num_rows() {
            if let Some(place) = places.get(&shape.ids(row)) {
                let encoded = shape.span(row).ok_or_else(|| Refusal::internal("a span does not encode"))?;
                found[*place] = Some(encoded);
            }
        }
    }
    Ok(found)
}

/// Whether a span may be one of some.
fn any_of(keys: &[Key]) -> Expr {
    let list = |values: BTreeSet<&str>| values.into_iter().map(lit).collect::<Vec<_>>();
    let mut condition = column(TRACE_ID).in_list(list(keys.iter().map(|key| key.trace.as_str()).collect()), false);
    if keys.len() <= LISTED_IDS {
        let ids = list(keys.iter().map(|key| key.span.as_str()).collect());
        condition = condition.and(column(SPAN_ID).in_list(ids, false));
    }
    let starts: Option<Vec<i64>> = keys.iter().map(|key| key.start).collect();
    if let Some((first, last)) = starts.and_then(|starts| Some((*starts.iter().min()?, *starts.iter().max()?))) {
        condition = condition.and(column(START_TIME).between(time(first), time(last)));
    }
    condition
}

/// The columns that are read for an answer.
pub(super) struct Read {
    pub(super) names: Vec<String>,
    /// Those among them that may be computed from others.
    open_names: BTreeSet<String>,
}

impl Read {
    pub(super) fn of(project: &Project, columns: &Columns) -> Self {
        let schema = project.schema();
        let in_answer = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family)) && !FIXED.contains(&name);
        let mut names: Vec<String> = FIXED.map(str::to_owned).to_vec();
        let mut open_names = BTreeSet::new();
        match &columns.included {
            Some(included) => {
                let known = |name: &&String| in_answer(name) && (schema.index_of(name).is_ok() || is_open_name(name));
                for name in included.iter().filter(known) {
                    names.push(name.clone());
                    if columns::canonical(name).is_none() {
                        open_names.insert(name.clone());
                    }
                }
            }
            None => {
                let filled = |name: &&str| {
                    in_answer(name) && project.holds(name) && !name.starts_with(METADATA_PREFIX) && columns.want(name)
                };
                names.extend(
                    schema.fields().iter().map(|field| field.name().as_str()).filter(filled).map(str::to_owned),
                );
            }
        }
        Self { names, open_names }
    }
}
