//! The tables that are files of the store: `spans` and `traces`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{ParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::union::UnionExec;
use parquet::arrow::async_reader::AsyncFileReader;

use super::adapt::WideningAdapterFactory;
use super::kept::KeptSource;
use super::overlay::{OverlayExec, row_field, segment_field};
use super::prune::may_match;
use crate::scan::scan_by;
use spanql_model::columns;
use spanql_store::{Segment, SegmentFile, Segments, Snapshot};
use spanql_trace::traces_schema;

/// One of the two tables that a store keeps in files.
///
/// Rows of one trace lie together in one file, files are read whole by one partition each, and what a query does not
/// name is not read. Filters prune segments by project and time, then row groups and pages by their statistics and
/// bloom filters.
#[derive(Debug)]
pub(crate) struct SegmentsTable {
    snapshot: Snapshot,
    which: SegmentFile,
    schema: SchemaRef,
    project: Option<String>,
    /// Where only some traces are wanted: those.
    wanted: Option<Vec<Begin>>,
}

/// What the manifest knows a trace by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) project: String,
    /// Its first start, ns; null where no span has one.
    pub(crate) start: Option<i64>,
}

impl Begin {
    /// Whether a segment may hold the trace: it lies in one, whole.
    fn may_be_in(&self, segment: &Segment) -> bool {
        let within = |start: i64| {
            segment.min_start.is_some_and(|first| first <= start) && segment.max_start.is_some_and(|last| start <= last)
        };
        segment.project == self.project && self.start.is_none_or(within)
    }
}

impl SegmentsTable {
    /// The table `spans` of a snapshot, of one project or all.
    pub(crate) fn spans(snapshot: Snapshot, project: Option<String>) -> Self {
        let open: Vec<(String, DataType)> =
            snapshot.manifest.columns.iter().map(|(name, open)| (name.clone(), open.data_type())).collect();
        Self { schema: columns::spans_schema(&open), which: SegmentFile::Spans, snapshot, project, wanted: None }
    }

    /// The table `traces` of a snapshot, of one project or all.
    pub(crate) fn traces(snapshot: Snapshot, project: Option<String>) -> Self {
        Self { schema: traces_schema(), which: SegmentFile::Traces, snapshot, project, wanted: None }
    }

    /// Whether it is `traces`.
    pub(crate) fn is_of_traces(&self) -> bool {
        self.which == SegmentFile::Traces
    }

    /// The table `spans` of the same snapshot and project, and the names in its `attributes.rest`.
    pub(crate) fn spans_beside(&self) -> (Arc<dyn TableProvider>, BTreeMap<String, DataType>) {
        let rest = self.snapshot.manifest.rest.iter().map(|(name, open)| (name.clone(), open.data_type()));
        let rest = rest.collect();
        (Arc::new(Self::spans(self.snapshot.clone(), self.project.clone())), rest)
    }

    /// The same table without the segments that hold none of some traces.
    pub(crate) fn holding(&self, traces: Vec<Begin>) -> Self {
        Self {
            snapshot: self.snapshot.clone(),
            which: self.which,
            schema: Arc::clone(&self.schema),
            project: self.project.clone(),
            wanted: Some(traces),
        }
    }

    fn rows(&self, segment: &Segment) -> u64 {
        match self.which {
            SegmentFile::Spans => segment.rows,
            SegmentFile::Traces => segment.traces,
        }
    }

    fn statistics_of(&self, rows: u64, bytes: u64) -> Statistics {
        Statistics {
            num_rows: Precision::Exact(rows as usize),
            total_byte_size: Precision::Inexact(bytes as usize),
            column_statistics: vec![ColumnStatistics::new_unknown(); self.schema.fields().len()],
        }
    }
}

impl TableProvider for SegmentsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by!(SegmentsTable::plan_scan);
}

impl SegmentsTable {
    async fn plan_scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let of_project = |segment: &&Segment| self.project.as_ref().is_none_or(|project| segment.project == *project);
        let is_wanted = |segment: &&Segment| {
            self.wanted.as_ref().is_none_or(|traces| traces.iter().any(|trace| trace.may_be_in(segment)))
        };
        let segments = self.snapshot.manifest.segments.iter().filter(of_project).filter(is_wanted);
        let segments: Vec<Segment> = segments.cloned().collect();
        // Whole segments are left out, never a part of a trace: patterns of structure rely on it.
        let keep = may_match(state, &segments, self.which, &self.schema, filters)?;
        let segments: Vec<Segment> = segments.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(s, _)| s).collect();
        if segments.is_empty() {
            let schema = match projection {
                Some(projection) => Arc::new(self.schema.project(projection)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let (patched, plain): (Vec<_>, Vec<_>) =
            segments.into_iter().partition(|segment| self.is_patched(segment, projection));
        if patched.is_empty() {
            return self.scan_files(state, plain, projection, limit, false).await;
        }
        let wanted = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&wanted)?);
        let columns = self.schema.fields().len();
        let with_rows = [wanted, vec![columns, columns + 1]].concat();
        let files = self.scan_files(state, patched.clone(), Some(&with_rows), limit, true).await?;
        let overlaid: Arc<dyn ExecutionPlan> =
            Arc::new(OverlayExec::new(self.snapshot.segments.clone(), patched, schema, files));
        if plain.is_empty() {
            return Ok(overlaid);
        }
        let plain = self.scan_files(state, plain, projection, limit, false).await?;
        UnionExec::try_new(vec![plain, overlaid])
    }

    /// Whether patches give a column that is wanted other values than a segment's file has.
    fn is_patched(&self, segment: &Segment, projection: Option<&Vec<usize>>) -> bool {
        let is = |place: usize| segment.is_patched(self.schema.field(place).name());
        let is_any = || match projection {
            Some(projection) => projection.iter().any(|&place| is(place)),
            None => (0..self.schema.fields().len()).any(is),
        };
        self.which == SegmentFile::Spans && !segment.patches.is_empty() && is_any()
    }

    /// Reads files of segments as they are; with the number of the segment and the row behind the columns, if these are
    /// wanted.
    async fn scan_files(
        &self,
        state: &dyn Session,
        segments: Vec<Segment>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        with_rows: bool,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut groups: Vec<(u64, Vec<PartitionedFile>)> =
            vec![(0, Vec::new()); state.config().target_partitions().clamp(1, segments.len())];
        let (mut rows, mut bytes) = (0, 0);
        for (number, segment) in segments.into_iter().enumerate() {
            let size = match self.which {
                SegmentFile::Spans => segment.bytes,
                SegmentFile::Traces => segment.summary_bytes,
            };
            let file = match self.which {
                SegmentFile::Spans => segment.spans_file(),
                SegmentFile::Traces => segment.traces_file(),
            };
            rows += self.rows(&segment);
            bytes += segment.memory_bytes;
            let statistics = self.statistics_of(self.rows(&segment), segment.memory_bytes);
            let live = self.snapshot.segments.live_rows(&segment, self.which).await;
            let live = live.map_err(|error| DataFusionError::External(Box::new(error)))?;
            let file =
                PartitionedFile::new(file, size).with_statistics(Arc::new(statistics)).with_extension(segment.clone());
            let file = match live {
                Some(live) => file.with_extension(ParquetRowSelection::new(live)),
                None => file,
            };
            let file = match with_rows {
                true => file.with_partition_values(vec![ScalarValue::UInt32(Some(number as u32))]),
                false => file,
            };
            // Segments come in order of time: handing them round gives every partition early and late ones.
            let lightest = groups.iter_mut().min_by_key(|(size, _)| *size);
            if let Some((total, files)) = lightest {
                *total += size;
                files.push(file);
            }
        }
        let factory = SegmentReaderFactory { segments: self.snapshot.segments.clone(), which: self.which };
        let mut table = TableSchema::builder(Arc::clone(&self.schema));
        let mut statistics = self.statistics_of(rows, bytes);
        if with_rows {
            table = table.with_table_partition_cols(vec![segment_field()]).with_virtual_columns(vec![row_field()]);
            statistics.column_statistics.extend([ColumnStatistics::new_unknown(), ColumnStatistics::new_unknown()]);
        }
        let source = ParquetSource::new(table.build())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(factory))
            .with_pushdown_filters(true)
            .with_enable_page_index(true)
            .with_bloom_filter_on_read(true);
        let groups = groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect();
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(WideningAdapterFactory)))
            .build();
        let source = KeptSource::new(config, self.snapshot.segments.clone(), self.which, !with_rows);
        Ok(DataSourceExec::from_data_source(source))
    }
}

/// Opens segments through their checksums, whatever storage they are on.
#[derive(Debug)]
struct SegmentReaderFactory {
    segments: Segments,
    which: SegmentFile,
}

impl ParquetFileReaderFactory for SegmentReaderFactory {
    fn create_reader(
        &self,
        _: usize,
        file: PartitionedFile,
        _: Option<usize>,
        _: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let segment = file.extension::<Segment>().ok_or_else(|| {
            DataFusionError::Internal(format!("{} is planned without its segment", file.object_meta.location))
        })?;
        Ok(Box::new(self.segments.reader(segment, self.which)))
    }
}
