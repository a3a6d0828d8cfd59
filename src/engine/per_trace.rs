//! Rows of spans as batches of whole traces: what lies together is passed on, anything else is gathered first.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{concat, concat_batches, interleave_record_batch, partition};
use arrow::error::ArrowError;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, once, try_unfold};

use spanql_model::columns::{PROJECT, TRACE_ID};
use spanql_trace::{TraceError, group_by_trace};

/// Rows, and the ranges of them that are the traces; together these hold every row once, in order.
pub(crate) type Traces = (RecordBatch, Vec<Range<usize>>);

/// Passes on rows of which each trace lies together, as batches of whole traces.
///
/// A trace is all rows of one project (where there is such a column) and one trace id; a null is a value like any
/// other. The order of the rows stays, and a batch holds as many traces as came to an end together. The rows of the
/// trace that is not yet at its end are held back, and count against the memory limit. Fails when there is no trace id.
pub(crate) fn whole_traces(
    mut input: SendableRecordBatchStream,
    memory: MemoryReservation,
) -> BoxStream<'static, Result<Traces>> {
    let mut held = Held { pieces: vec![], memory };
    let mut ready: VecDeque<Traces> = VecDeque::new();
    let mut ended = false;
    futures::stream::poll_fn(move |context| {
        loop {
            if let Some(traces) = ready.pop_front() {
                return std::task::Poll::Ready(Some(Ok(traces)));
            }
            if ended {
                return std::task::Poll::Ready(None);
            }
            let more = match std::task::ready!(input.poll_next_unpin(context)) {
                Some(Ok(batch)) => held.add(&batch),
                Some(Err(error)) => Err(error),
                None => {
                    ended = true;
                    held.finish().map(|last| last.into_iter().collect())
                }
            };
            match more {
                Ok(more) => ready.extend::<Vec<Traces>>(more),
                Err(error) => {
                    ended = true;
                    return std::task::Poll::Ready(Some(Err(error)));
                }
            }
        }
    })
    .boxed()
}

/// The rows of the trace that is not yet at its end.
struct Held {
    /// In order, none of them empty; joined once, at the end of the trace.
    pieces: Vec<RecordBatch>,
    memory: MemoryReservation,
}

impl Held {
    /// Takes the next rows; gives the traces that came to an end with them.
    fn add(&mut self, batch: &RecordBatch) -> Result<Vec<Traces>> {
        if batch.num_rows() == 0 {
            return Ok(vec![]);
        }
        let mut runs = partition(&keys(batch)?)?.ranges();
        let last = runs.pop().unwrap_or(0..batch.num_rows());
        let mut ended = vec![];
        let goes_on = match self.pieces.last() {
            Some(piece) => same_trace(piece, batch)?,
            None => false,
        };
        if !goes_on {
            ended.extend(self.finish()?);
        } else if !runs.is_empty() {
            let first = runs.remove(0);
            self.hold(batch.slice(first.start, first.len()))?;
            ended.extend(self.finish()?);
        }
        // What begins and ends in this batch is not copied.
        if let Some(first) = runs.first().map(|run| run.start) {
            let rows = batch.slice(first, last.start - first);
            ended.push((rows, runs.iter().map(|run| run.start - first..run.end - first).collect()));
        }
        self.hold(batch.slice(last.start, last.len()))?;
        Ok(ended)
    }

    fn hold(&mut self, piece: RecordBatch) -> Result<()> {
        self.memory.try_grow(get_record_batch_memory_size(&piece))?;
        self.pieces.push(piece);
        Ok(())
    }

    /// The trace that is held, which is at its end.
    fn finish(&mut self) -> Result<Option<Traces>> {
        let pieces = std::mem::take(&mut self.pieces);
        self.memory.free();
        let rows = match pieces.as_slice() {
            [] => return Ok(None),
            [one] => one.clone(),
            [first, ..] => concat_batches(&first.schema(), &pieces).map_err(too_long)?,
        };
        let all = 0..rows.num_rows();
        Ok(Some((rows, vec![all])))
    }
}

/// Whether the last row of one batch and the first of another belong to the same trace.
fn same_trace(before: &RecordBatch, next: &RecordBatch) -> Result<bool> {
    let before = keys(&before.slice(before.num_rows() - 1, 1))?;
    let next = keys(&next.slice(0, 1))?;
    let both: Vec<ArrayRef> =
        before.iter().zip(&next).map(|(a, b)| concat(&[a.as_ref(), b.as_ref()])).collect::<Result<_, _>>()?;
    Ok(partition(&both)?.len() == 1)
}

/// The columns that say which trace a row belongs to.
fn keys(batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let Some(trace_id) = batch.column_by_name(TRACE_ID) else {
        return Err(failed(TraceError::MissingColumn(TRACE_ID)));
    };
    Ok(batch.column_by_name(PROJECT).into_iter().chain([trace_id]).cloned().collect())
}

/// Gathers rows in any order to batches of whole traces, of about so many rows each.
///
/// A trace is what it is for [`whole_traces`]. Traces come in the order of their first rows, and the rows of each keep
/// their order. All rows are held in memory, and count against its limit. Fails when there is no trace id.
pub(crate) fn gathered_traces(
    input: SendableRecordBatchStream,
    memory: MemoryReservation,
    rows: usize,
) -> BoxStream<'static, Result<Traces>> {
    once(gather(input, memory, rows)).try_flatten().boxed()
}

async fn gather(
    mut input: SendableRecordBatchStream,
    memory: MemoryReservation,
    rows: usize,
) -> Result<BoxStream<'static, Result<Traces>>> {
    let mut batches: Vec<RecordBatch> = vec![];
    while let Some(batch) = input.try_next().await? {
        memory.try_grow(get_record_batch_memory_size(&batch))?;
        batches.push(batch);
    }
    if batches.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let places =
        batches.iter().enumerate().flat_map(|(index, batch)| (0..batch.num_rows()).map(move |row| (index, row)));
    let mut places: Vec<(usize, usize)> = places.collect();
    memory.try_grow(3 * size_of_val(places.as_slice()))?;
    let ids = batches.iter().map(ids).collect::<Result<Vec<_>>>()?;
    let groups = group_by_trace(&concat_batches(&ids[0].schema(), &ids)?).map_err(failed)?;
    drop(ids);
    if let Some(order) = groups.order {
        places = order.values().iter().map(|&row| places[row as usize]).collect();
    }
    let gathered = Gathered { batches, places, ranges: groups.ranges.into(), rows, _memory: memory };
    let traces = try_unfold(gathered, |mut gathered| async move {
        let next = gathered.next()?;
        Ok(next.map(|traces| (traces, gathered)))
    });
    Ok(traces.boxed())
}

/// The rows of a batch, with no more than says which trace each belongs to.
fn ids(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    let named = [PROJECT, TRACE_ID].into_iter().filter_map(|name| schema.index_of(name).ok());
    Ok(batch.project(&named.collect::<Vec<_>>())?)
}

/// All rows, and where the traces are.
struct Gathered {
    batches: Vec<RecordBatch>,
    /// Batch and row, trace by trace.
    places: Vec<(usize, usize)>,
    /// The traces not yet given, in `places`.
    ranges: VecDeque<Range<usize>>,
    /// How many rows are enough for a batch.
    rows: usize,
    _memory: MemoryReservation,
}

impl Gathered {
    fn next(&mut self) -> Result<Option<Traces>> {
        let Some(first) = self.ranges.front().map(|range| range.start) else { return Ok(None) };
        let (mut ranges, mut end) = (vec![], first);
        while end - first < self.rows.max(1)
            && let Some(range) = self.ranges.pop_front()
        {
            end = range.end;
            ranges.push(range.start - first..range.end - first);
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        Ok(Some((interleave_record_batch(&batches, &self.places[first..end]).map_err(too_long)?, ranges)))
    }
}

/// A column of a batch holds no more than 2 GiB of text.
fn too_long(error: ArrowError) -> DataFusionError {
    match error {
        ArrowError::OffsetOverflowError(_) => DataFusionError::Execution(
            "a trace has more than 2 GiB of text in a column that is read whole: name fewer columns".to_owned(),
        ),
        error => error.into(),
    }
}

fn failed(error: TraceError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray, UInt64Array};
    use arrow::compute::take_record_batch;
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use proptest::prelude::*;

    use super::*;

    type Id = (Option<String>, Option<String>);

    fn rows(ids: &[Id]) -> RecordBatch {
        let projects: StringArray = ids.iter().map(|id| id.0.as_deref()).collect();
        let traces: StringArray = ids.iter().map(|id| id.1.as_deref()).collect();
        let numbers: Int64Array = (0..ids.len() as i64).collect();
        let columns: [(&str, ArrayRef, bool); 3] = [
            (TRACE_ID, Arc::new(traces), true),
            ("number", Arc::new(numbers), true),
            (PROJECT, Arc::new(projects), true),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    /// The rows in pieces of these lengths, over and over.
    fn cut(rows: &RecordBatch, lengths: &[usize]) -> SendableRecordBatchStream {
        let (mut pieces, mut at) = (vec![], 0);
        for &length in lengths.iter().cycle() {
            if at == rows.num_rows() {
                break;
            }
            let length = length.min(rows.num_rows() - at);
            let places: UInt64Array = (at as u64..(at + length) as u64).collect();
            pieces.push(Ok(take_record_batch(rows, &places).unwrap()));
            at += length;
        }
        Box::pin(RecordBatchStreamAdapter::new(rows.schema(), futures::stream::iter(pieces)))
    }

    fn memory(limit: usize) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(limit));
        MemoryConsumer::new("traces").register(&pool)
    }

    fn collect(traces: BoxStream<'static, Result<Traces>>) -> Result<Vec<Traces>> {
        futures::executor::block_on(traces.try_collect())
    }

    /// The rows by their numbers, trace by trace; fails when the ranges do not hold every row once, in order.
    fn numbers(traces: &[Traces]) -> Vec<Vec<usize>> {
        let mut all = vec![];
        for (rows, ranges) in traces {
            let numbers = rows.column(1).as_primitive::<Int64Type>();
            let mut next = 0;
            for range in ranges {
                assert_eq!(range.start, next);
                assert!(!range.is_empty());
                next = range.end;
                all.push(range.clone().map(|row| numbers.value(row) as usize).collect());
            }
            assert_eq!(next, rows.num_rows());
        }
        all
    }

    /// The rows of each trace, by first appearance.
    fn expected(ids: &[Id]) -> Vec<Vec<usize>> {
        let mut traces: Vec<(&Id, Vec<usize>)> = vec![];
        for (row, id) in ids.iter().enumerate() {
            match traces.iter_mut().find(|(other, _)| *other == id) {
                Some((_, rows)) => rows.push(row),
                None => traces.push((id, vec![row])),
            }
        }
        traces.into_iter().map(|(_, rows)| rows).collect()
    }

    fn id() -> impl Strategy<Value = Id> {
        let text =
            || prop::option::weighted(0.8, prop::sample::select(vec!["", "a", "b", "c"]).prop_map(str::to_owned));
        (text(), text())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn cuts_do_not_matter(ids in prop::collection::vec(id(), 0..60), lengths in prop::collection::vec(0..9_usize, 1..8)) {
            let lengths: Vec<usize> = lengths.into_iter().chain([1]).collect();
            let scattered = collect(gathered_traces(cut(&rows(&ids), &lengths), memory(1 << 20), 7)).unwrap();
            prop_assert_eq!(numbers(&scattered), expected(&ids));
            prop_assert!(scattered.iter().rev().skip(1).all(|(rows, _)| rows.num_rows() >= 7));

            let together: Vec<Id> = expected(&ids).into_iter().flatten().map(|row| ids[row].clone()).collect();
            let passed = collect(whole_traces(cut(&rows(&together), &lengths), memory(1 << 20))).unwrap();
            prop_assert_eq!(numbers(&passed), expected(&together));
        }
    }

    #[test]
    fn a_batch_holds_many_traces() {
        let ids: Vec<Id> = (0..1_000).map(|row| (None, Some(format!("{}", row / 10)))).collect();
        let passed = collect(whole_traces(cut(&rows(&ids), &[255]), memory(1 << 20))).unwrap();
        assert_eq!(passed.iter().map(|(_, ranges)| ranges.len()).collect::<Vec<_>>(), [25, 1, 24, 1, 25, 1, 22, 1]);
        assert_eq!(numbers(&passed), expected(&ids));
    }

    #[test]
    fn memory_is_limited() {
        let scattered: Vec<Id> = (0..1_000).map(|row| (None, Some(format!("{}", row % 10)))).collect();
        let error = collect(gathered_traces(cut(&rows(&scattered), &[10]), memory(10_000), 100)).unwrap_err();
        assert!(matches!(error, DataFusionError::ResourcesExhausted(_)), "{error}");
        let long: Vec<Id> = vec![(None, None); 1_000];
        let error = collect(whole_traces(cut(&rows(&long), &[10]), memory(10_000))).unwrap_err();
        assert!(matches!(error, DataFusionError::ResourcesExhausted(_)), "{error}");
        assert!(collect(whole_traces(cut(&rows(&scattered), &[10]), memory(10_000))).is_ok());
    }

    #[test]
    fn spans_have_trace_ids() {
        let rows = rows(&[(None, None)]).project(&[1, 2]).unwrap();
        for traces in
            [whole_traces(cut(&rows, &[1]), memory(1 << 20)), gathered_traces(cut(&rows, &[1]), memory(1 << 20), 10)]
        {
            assert!(collect(traces).unwrap_err().to_string().contains("context.trace_id is missing"));
        }
    }
}
