//! Files that are read as they are, without the rows that their index rules out.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSource;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{TryStreamExt, once};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::async_reader::AsyncFileReader;

use super::live::live_rows;
use super::texts::Texts;
use spanql_store::{Segment, SegmentFile, Segments};

/// The rows of a partition of a scan of spans that may have these texts; it drops none for any other reason.
pub(super) fn open(
    config: &FileScanConfig,
    texts: Texts,
    segments: Segments,
    partition: usize,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let files = config.file_groups.get(partition).map(|group| group.files().to_vec()).unwrap_or_default();
    let (config, output) = (config.clone(), config.projected_schema()?);
    let narrowed = async move {
        let mut narrowed = Vec::with_capacity(files.len());
        for file in files {
            let segment = file.extension::<Segment>().cloned();
            let segment = segment.ok_or_else(|| internal_datafusion_err!("a file is planned without its segment"))?;
            let metadata = segments.reader(&segment, SegmentFile::Spans).get_metadata(None).await?;
            let file = match texts.likely(&segments, &segment, &metadata).await? {
                Some(likely) => {
                    let live = live_rows(&segments, &segment, SegmentFile::Spans).await?;
                    with_rows(file, live.as_ref(), &likely)
                }
                None => Some(file),
            };
            narrowed.extend(file);
        }
        read(&config, narrowed, context)
    };
    Ok(Box::pin(RecordBatchStreamAdapter::new(output, once(narrowed).try_flatten())))
}

/// The rows of these files, one after the other.
pub(super) fn read(
    config: &FileScanConfig,
    files: Vec<PartitionedFile>,
    context: Arc<TaskContext>,
) -> Result<SendableRecordBatchStream> {
    let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(vec![FileGroup::new(files)]).build();
    config.open(0, context)
}

/// A file of which only rows that count and are likely are read; `None` if there are none.
pub(super) fn with_rows(
    file: PartitionedFile,
    live: Option<&BooleanBuffer>,
    likely: &BooleanBuffer,
) -> Option<PartitionedFile> {
    let rows = live.map_or_else(|| likely.clone(), |live| live & likely);
    if rows.count_set_bits() == 0 {
        return None;
    }
    let rows = RowSelection::from_filters(&[BooleanArray::new(rows, None)]);
    Some(file.with_extension(ParquetRowSelection::new(rows)))
}
