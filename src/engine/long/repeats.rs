//! `repeats`: retries and loops, which are spans of one name with one input under one parent.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{Float64Type, TimestampNanosecondType};
use datafusion::error::Result;

use super::out::Out;
use super::reads::{Names, Reads, column, text, texts};
use super::source::{Expand, Made, Source};
use spanql_model::columns::{
    END_TIME, INPUT, LATENCY_MS, NAME, PARENT_ID, SPAN_ID, START_TIME, STATUS_CODE, timestamp_type,
};
use spanql_trace::TEXT_CHARS;

/// The columns that are read, in this order.
const COLUMNS: [&str; 8] = [PARENT_ID, NAME, INPUT, SPAN_ID, STATUS_CODE, START_TIME, END_TIME, LATENCY_MS];

/// What `repeats` is made from.
pub(super) fn repeats(names: &Names) -> Option<Made> {
    let mut reads = Reads::default();
    for column in COLUMNS {
        reads.add_known(column, names)?;
    }
    let condition = column(reads.column_of(2)).is_not_null();
    Some(Made { source: Arc::new(Repeats), reads, condition, whole_traces: true })
}

#[derive(Debug)]
struct Repeats;

impl Source for Repeats {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        let text = |place: usize| texts(&values[place]);
        let time = |place: usize| -> Result<TimestampNanosecondArray> {
            Ok(cast(&values[place], &timestamp_type())?.as_primitive::<TimestampNanosecondType>().clone())
        };
        Ok(Box::new(RepeatValues {
            parent: text(0)?,
            name: text(1)?,
            input: text(2)?,
            id: text(3)?,
            status: text(4)?,
            start: time(5)?,
            end: time(6)?,
            latency_ms: values[7].as_primitive::<Float64Type>().clone(),
            repeats: HashMap::new(),
        }))
    }
}

struct RepeatValues {
    parent: StringArray,
    name: StringArray,
    input: StringArray,
    id: StringArray,
    status: StringArray,
    start: TimestampNanosecondArray,
    end: TimestampNanosecondArray,
    latency_ms: Float64Array,
    /// What is repeated, by the first of its spans.
    repeats: HashMap<usize, Repeat>,
}

#[derive(Debug, Default)]
struct Repeat {
    first: usize,
    last: usize,
    count: i64,
    errors: i64,
    start: Option<i64>,
    end: Option<i64>,
    latency_ms: Option<f64>,
}

impl Expand for RepeatValues {
    fn begin(&mut self, trace: Range<usize>) {
        let mut found: HashMap<[Option<&str>; 3], Repeat> = HashMap::new();
        for span in trace {
            let input = text(&self.input, span);
            if input.is_none() {
                continue;
            }
            let key = [text(&self.parent, span), text(&self.name, span), input];
            let repeat = found.entry(key).or_insert_with(|| Repeat { first: span, ..Repeat::default() });
            repeat.last = span;
            repeat.count += 1;
            repeat.errors += i64::from(text(&self.status, span) == Some("ERROR"));
            let time = |times: &TimestampNanosecondArray| times.is_valid(span).then(|| times.value(span));
            repeat.start = [repeat.start, time(&self.start)].into_iter().flatten().min();
            repeat.end = [repeat.end, time(&self.end)].into_iter().flatten().max();
            if self.latency_ms.is_valid(span) {
                *repeat.latency_ms.get_or_insert(0.0) += self.latency_ms.value(span);
            }
        }
        let repeated = found.into_values().filter(|repeat| repeat.count > 1);
        self.repeats = repeated.map(|repeat| (repeat.first, repeat)).collect();
    }

    fn expand(&mut self, span: usize, out: &mut Out) {
        let Some(repeat) = self.repeats.get(&span) else { return };
        out.row(span);
        if out.wants(5) {
            out.text(5, text(&self.input, span).map(beginning));
        }
        out.int(6, Some(repeat.count));
        out.int(7, Some(repeat.errors));
        out.text(9, text(&self.id, repeat.last));
        out.time(10, repeat.start);
        out.time(11, repeat.end);
        out.float(12, repeat.latency_ms);
    }
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(TEXT_CHARS).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}
