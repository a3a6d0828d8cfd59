//! The rows of a partition: file after file, row group after row group.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{BatchCoalescer, concat};
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::metrics::{BaselineMetrics, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{BoxStream, StreamExt, TryStreamExt, iter, once, try_unfold};
use parquet::arrow::arrow_reader::RowSelection;

use super::live::live_rows;
use super::load::{BATCH_ROWS, Open, Wanted};
use super::narrow::{read, with_rows};
use super::prune::may_match;
use super::select::{Conditions, plain, scattered};
use super::texts::Texts;
use spanql_store::{Segment, SegmentFile, Segments};

/// Bytes of a row group that are decoded at once, at most: beyond that the file is read as it streams.
const GROUP_BYTES: usize = 48 << 20;

/// Of fewer than one row in so many, columns that nobody asked for before are read for these rows alone.
const FEW: usize = 16;

/// Of no more than one row in so many, rows that may have the texts that are asked for are read alone.
const LIKELY: usize = 4;

/// A row group that is read.
struct Group {
    number: usize,
    rows: usize,
    /// Those of its rows that count; `None` for all.
    live: Option<BooleanBuffer>,
    /// Those that count and can pass, where they are few.
    few: Option<BooleanArray>,
}

impl Group {
    /// One of a file of which these rows count, and only the likely ones can pass; `None` if none can.
    fn new(open: &Open, number: usize, live: Option<&BooleanBuffer>, likely: Option<&BooleanBuffer>) -> Option<Self> {
        let count = |group: usize| open.metadata.row_group(group).num_rows().unsigned_abs() as usize;
        let (first, rows) = ((0..number).map(count).sum::<usize>(), count(number));
        let live = live.map(|live| live.slice(first, rows));
        let Some(likely) = likely.map(|likely| likely.slice(first, rows)) else {
            return Some(Self { number, rows, live, few: None });
        };
        let likely = live.as_ref().map_or_else(|| likely.clone(), |live| live & &likely);
        let few = likely.count_set_bits();
        let is_few = few * LIKELY <= rows;
        let few = (few > 0).then(|| is_few.then(|| BooleanArray::new(likely, None)))?;
        Some(Self { number, rows, live, few })
    }

    /// Of its rows, one in so many is read.
    fn share(&self) -> usize {
        self.few.as_ref().map_or(1, |few| self.rows / few.true_count().max(1)).max(1)
    }
}

/// A scan that kept columns serve.
#[derive(Clone)]
pub(super) struct Scan {
    config: FileScanConfig,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    segments: Segments,
    which: SegmentFile,
    /// The table's.
    table: SchemaRef,
    /// Columns of the conditions.
    asked: Vec<Wanted>,
    conditions: Conditions,
    /// What the conditions say of texts.
    texts: Option<Arc<Texts>>,
    /// Columns of what is shown: where they are among `asked`, or else among `others`, which are behind these.
    shown: SchemaRef,
    places: Vec<usize>,
    others: Vec<Wanted>,
    /// What is shown, over the columns `shown`.
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    output: SchemaRef,
}

impl Scan {
    pub(super) fn new(
        config: FileScanConfig,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
        segments: Segments,
        which: SegmentFile,
    ) -> Result<Self> {
        let table = Arc::clone(config.file_source().table_schema().table_schema());
        let mut places = Vec::new();
        for column in predicate.map(collect_columns).unwrap_or_default() {
            places.push(table.index_of(column.name())?);
        }
        places.sort_unstable();
        places.dedup();
        let schema: SchemaRef = Arc::new(table.project(&places)?);
        let conditions = Conditions::new(predicate, &schema)?;
        let wanted = |schema: &SchemaRef| -> Vec<Wanted> {
            let fields = schema.fields().iter();
            fields
                .map(|field| Wanted { name: field.name().as_str().into(), data_type: field.data_type().clone() })
                .collect()
        };
        let asked = wanted(&schema);
        let shown: Vec<usize> = match config.file_source().projection() {
            Some(projection) => projection.column_indices(),
            None => (0..table.fields().len()).collect(),
        };
        let shown: SchemaRef = Arc::new(table.project(&shown)?);
        let expressions = match config.file_source().projection() {
            Some(projection) => {
                projection.expr_iter().map(|expr| reassign_expr_columns(expr, &shown)).collect::<Result<_>>()?
            }
            None => {
                let columns = shown.fields().iter().enumerate();
                let column = |(place, name): (usize, &str)| {
                    Arc::new(datafusion::physical_expr::expressions::Column::new(name, place)) as Arc<dyn PhysicalExpr>
                };
                columns.map(|(place, field)| column((place, field.name()))).collect()
            }
        };
        let (mut places, mut others) = (Vec::new(), Vec::new());
        for wanted in wanted(&shown) {
            match asked.iter().position(|asked| asked.name == wanted.name) {
                Some(place) => places.push(place),
                None => {
                    places.push(asked.len() + others.len());
                    others.push(wanted);
                }
            }
        }
        let texts = predicate.filter(|_| which == SegmentFile::Spans).and_then(Texts::of).map(Arc::new);
        let (predicate, output) = (predicate.cloned(), config.projected_schema()?);
        Ok(Self {
            config,
            predicate,
            segments,
            which,
            table,
            asked,
            conditions,
            texts,
            shown,
            places,
            others,
            expressions,
            output,
        })
    }

    /// The rows of a partition.
    pub(super) fn open(self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let files = self.config.file_groups.get(partition).map(|group| group.files().to_vec()).unwrap_or_default();
        let baseline = BaselineMetrics::new(self.config.file_source().metrics(), partition);
        let (output, narrows) = (Arc::clone(&self.output), self.predicate.is_some());
        let scan = Arc::new(self);
        let batches = iter(files).then(move |file| {
            let (scan, context) = (Arc::clone(&scan), Arc::clone(&context));
            async move { scan.file(file, context).await }
        });
        let batches = batches.try_flatten().boxed();
        let batches = if narrows { coalesced(batches, &output) } else { batches };
        let batches = batches.map(move |batch| batch.map(|batch| batch.record_output(&baseline)));
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(output, batches))))
    }

    async fn file(
        self: Arc<Self>,
        file: PartitionedFile,
        context: Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let segment = file.extension::<Segment>().cloned();
        let segment = segment.ok_or_else(|| internal_datafusion_err!("a file is planned without its segment"))?;
        let open = Open::new(&self.segments, &segment, self.which).await?;
        let likely = match &self.texts {
            Some(texts) => texts.likely(&self.segments, &segment, &open.metadata).await?,
            None => None,
        };
        let live = live_rows(&self.segments, &segment, self.which).await?;
        let mut groups: Vec<Group> = Vec::new();
        for number in may_match(&open.metadata, &self.table, self.predicate.as_ref()) {
            groups.extend(Group::new(&open, number, live.as_ref(), likely.as_ref()));
        }
        let columns: Vec<Wanted> = self.asked.iter().chain(&self.others).cloned().collect();
        let bytes = groups.iter().map(|group| open.missing_bytes(group.number, &columns) / group.share());
        let (largest, total) = (bytes.clone().max().unwrap_or_default(), bytes.sum::<usize>());
        let memory = MemoryConsumer::new("columns of spans").register(context.memory_pool());
        if largest > GROUP_BYTES || total > self.segments.columns().budget() / 4 || memory.try_grow(largest).is_err() {
            let file = match &likely {
                Some(likely) => with_rows(file, live.as_ref(), likely),
                None => Some(file),
            };
            return Ok(read(&self.config, file.into_iter().collect(), context)?.boxed());
        }
        let open = Arc::new(open);
        let batches = iter(groups).then(move |group| {
            let (scan, open, context) = (Arc::clone(&self), Arc::clone(&open), Arc::clone(&context));
            // Held for as long as the file is read.
            let _held = &memory;
            async move {
                match &group.few {
                    Some(few) => scan.few(&open, group.number, few).await,
                    None => scan.group(&open, group, &context).await,
                }
            }
        });
        Ok(batches.try_flatten().boxed())
    }

    /// The rows of one row group, of which only these can pass.
    async fn few(
        self: Arc<Self>,
        open: &Open,
        group: usize,
        likely: &BooleanArray,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let asked = open.some(group, &self.asked, likely).await?;
        let count = likely.true_count();
        let passed = self.conditions.pass(&asked, count, None, &mut self.conditions.known())?;
        let passed = passed.unwrap_or_else(|| BooleanBuffer::new_set(count));
        let left = passed.count_set_bits();
        if left == 0 {
            return Ok(futures::stream::empty().boxed());
        }
        let among_all = BooleanArray::new(scattered(likely.values(), &passed), None);
        let others = open.some(group, &self.others, &among_all).await?;
        let passed = BooleanArray::new(passed, None);
        let mut columns = Vec::new();
        for (column, wanted) in asked.iter().zip(&self.asked) {
            columns.push(plain(column, Some(&passed), &wanted.data_type)?);
        }
        columns.extend(others);
        let batch = self.shown(&columns, None, left);
        Ok(once(async { batch }).boxed())
    }

    /// The rows of one row group.
    async fn group(
        self: Arc<Self>,
        open: &Open,
        group: Group,
        context: &TaskContext,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let Group { number: group, rows, live, .. } = group;
        let pool = context.memory_pool();
        let room = match pool.memory_limit() {
            MemoryLimit::Finite(limit) => limit.saturating_sub(pool.reserved()),
            _ => usize::MAX,
        };
        let asked = open.columns(group, &self.asked, room).await?;
        let (mut passed, mut known, mut left) = (Vec::new(), self.conditions.known(), 0);
        for (number, start) in (0..rows).step_by(BATCH_ROWS).enumerate() {
            let length = BATCH_ROWS.min(rows - start);
            let columns: Vec<ArrayRef> = asked.iter().map(|column| Arc::clone(&column.batches[number])).collect();
            let live = live.as_ref().map(|live| live.slice(start, length));
            let pass = self.conditions.pass(&columns, length, live, &mut known)?;
            left += pass.as_ref().map_or(length, BooleanBuffer::count_set_bits);
            passed.push((length, pass));
        }
        if left == 0 {
            return Ok(futures::stream::empty().boxed());
        }
        if left < rows / FEW && left <= BATCH_ROWS && !self.others.is_empty() && open.is_first_time(group, &self.others)
        {
            let masks: Vec<BooleanArray> = passed.iter().map(|(length, pass)| mask(*length, pass.as_ref())).collect();
            let others = open.rows(group, &self.others, RowSelection::from_filters(&masks)).await?;
            let mut columns = Vec::new();
            for (place, wanted) in self.asked.iter().enumerate() {
                let kept = asked[place].batches.iter().zip(&masks);
                let kept = kept
                    .map(|(column, mask)| plain(column, Some(mask), &wanted.data_type))
                    .collect::<Result<Vec<_>>>()?;
                columns.push(concat(&kept.iter().map(AsRef::as_ref).collect::<Vec<_>>())?);
            }
            columns.extend(others);
            let batch = self.shown(&columns, None, left);
            return Ok(once(async { batch }).boxed());
        }
        let others = open.columns(group, &self.others, room).await?;
        let batches = passed.into_iter().enumerate().filter_map(move |(number, (length, pass))| {
            let pass = pass.map(|pass| BooleanArray::new(pass, None));
            let left = pass.as_ref().map_or(length, BooleanArray::true_count);
            if left == 0 {
                return None;
            }
            let columns = asked.iter().chain(&others).map(|column| Arc::clone(&column.batches[number]));
            Some(self.shown(&columns.collect::<Vec<_>>(), pass.as_ref(), left))
        });
        Ok(iter(batches).boxed())
    }

    /// What is shown of the rows that are left, of the columns of conditions and the others.
    fn shown(&self, columns: &[ArrayRef], left: Option<&BooleanArray>, rows: usize) -> Result<RecordBatch> {
        let mut own = Vec::with_capacity(self.places.len());
        for (place, field) in self.places.iter().zip(self.shown.fields()) {
            own.push(plain(&columns[*place], left, field.data_type())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.shown), own, &options)?;
        let shown = self.expressions.iter().map(|expr| expr.evaluate(&batch)?.into_array(rows));
        let shown = shown.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), shown, &options)?)
    }
}

fn mask(length: usize, passed: Option<&BooleanBuffer>) -> BooleanArray {
    BooleanArray::new(passed.cloned().unwrap_or_else(|| BooleanBuffer::new_set(length)), None)
}

/// The same rows in batches that are worth their handling.
fn coalesced(
    batches: BoxStream<'static, Result<RecordBatch>>,
    schema: &SchemaRef,
) -> BoxStream<'static, Result<RecordBatch>> {
    let coalescer =
        BatchCoalescer::new(Arc::clone(schema), BATCH_ROWS).with_biggest_coalesce_batch_size(Some(BATCH_ROWS / 2));
    let state = (batches, coalescer, false);
    try_unfold(state, |(mut batches, mut coalescer, mut ended)| async move {
        loop {
            if let Some(batch) = coalescer.next_completed_batch() {
                return Ok(Some((batch, (batches, coalescer, ended))));
            }
            if ended {
                return Ok(None);
            }
            match batches.try_next().await? {
                Some(batch) => coalescer.push_batch(batch)?,
                None => {
                    coalescer.finish_buffered_batch()?;
                    ended = true;
                }
            }
        }
    })
    .boxed()
}
