//! What a manifest says of segments and of the files beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::block_sums::BlockSums;
use super::dead_rows::DeadRows;
use super::folders::{DELETIONS, PATCHES};

/// Version of the rules by which columns are computed when spans enter the store: raised whenever `tree.*`, what
/// follows from other columns, or a summary comes to hold other values, so that an upgrade computes them again.
///
/// 1: the critical path follows work that outlives its parent; own time is never negative; ids that are none are null.
/// 2: `tree.wrapper`, and calls are counted once; input and output of a trace whose root has none are those of its calls
/// of models.
pub(crate) const COMPUTED: u32 = 2;

/// A small file that a manifest points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Its id: the name without folder and ending.
    pub id: String,
    /// CRC-32 of its bytes.
    pub crc32: u32,
}

impl FileRef {
    /// Its path, in the given folder of the store.
    pub(crate) fn file(&self, folder: &str) -> String {
        format!("{folder}/{}.json", self.id)
    }
}

/// One segment: spans of one project, whole traces only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The id that names its files.
    pub id: String,
    /// The project of all its spans.
    pub project: String,
    /// Spans in it, without those that its deletion vector takes out.
    pub rows: u64,
    /// Traces in it, without those that its deletion vector takes out.
    pub traces: u64,
    /// Size of the segment file in bytes.
    pub bytes: u64,
    /// Size of the trace summary file in bytes, or of that part of a bundle.
    pub summary_bytes: u64,
    /// About how many bytes its rows take in memory, whether they count or not.
    pub memory_bytes: u64,
    /// CRC-32 of its statistics, which hold the checksums of the other two files.
    #[serde(rename = "card_crc32")]
    pub stats_crc32: u32,
    /// Earliest start of a span, ns since the epoch; none that counts starts earlier.
    pub min_start: Option<i64>,
    /// Latest start of a span, ns since the epoch; none that counts starts later.
    pub max_start: Option<i64>,
    /// Latest end of a span, ns since the epoch; none that counts ends later.
    pub max_end: Option<i64>,
    /// Version of the rules that its computed columns follow; 0 where whoever wrote it knew of no other.
    #[serde(default)]
    pub computed: u32,
    /// Sums of its traces that are null because no Int64 holds them; its statistics name them, and perhaps others of
    /// traces that count no more.
    #[serde(default, skip_serializing_if = "is_none")]
    pub too_large: u64,
    /// What of it came from files; nothing where none did, or whoever wrote it did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_files: Option<OfFiles>,
    /// Which of its traces count no more: they were deleted, or newer segments hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletions: Option<DeletionVector>,
    /// Values of some columns of some of its spans that count instead of its own, in order of their commits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchRef>,
    /// Where its parts lie, if all of it is one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
    /// Side files by kind, which a reader that does not know the kind may ignore.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub side: BTreeMap<String, SideRef>,
}

/// What of a segment counts no more, as a manifest says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletionVector {
    /// Spans that count no more.
    pub rows: u64,
    /// Traces that count no more.
    pub traces: u64,
    /// Which ones, where that is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inline: Option<DeadRows>,
    /// The file of the folder `deletions` that says which ones, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<FileRef>,
}

/// A Parquet file of values that count instead of those of segments: some columns of some spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchRef {
    /// Its id: the name without folder and ending.
    pub id: String,
    /// First of its rows that are of the segment: a file may have rows for several.
    pub first: u64,
    /// Its rows that are of the segment, one a span.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The columns that it has values of, beside the ids of traces and spans.
    pub columns: Vec<String>,
    /// Checksums of its blocks.
    pub(crate) sums: BlockSums,
}

impl PatchRef {
    /// Its path inside the store.
    pub fn file(&self) -> String {
        format!("{PATCHES}/{}.parquet", self.id)
    }
}

/// Where the parts of a segment lie that is one file: its spans are the file as it stands, a Parquet file which has the
/// other two between its row groups and its footer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// First byte of the summaries, which are as long as the segment says.
    pub summaries: u64,
    /// First byte of the statistics.
    pub stats: u64,
    /// Bytes of the statistics.
    pub stats_bytes: u64,
    /// Where hashes of the ids of its traces lie, as a side file has them; nothing where whoever wrote it left them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ids: Option<BundledIds>,
    /// Checksums of the blocks of the file.
    pub(crate) sums: BlockSums,
}

/// Where hashes of ids lie in the file of a segment that is one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BundledIds {
    /// First byte.
    pub(crate) first: u64,
    /// How many bytes.
    pub(crate) bytes: u64,
    /// CRC-32 of them.
    pub(crate) crc32: u32,
}

/// A side file of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideRef {
    /// Its path inside the store.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// CRC-32 of its bytes.
    pub crc32: u32,
}

/// Which of a segment's two Parquet files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentFile {
    /// Its spans.
    Spans,
    /// The summaries of its traces.
    Traces,
}

/// What a segment holds of traces whose root came from a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfFiles {
    /// Their spans.
    pub spans: u64,
    /// Those of them whose parent is not there.
    pub orphans: u64,
    /// The traces without any root.
    pub rootless: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Segment {
    /// Whether its computed columns follow older rules than those of this code.
    pub fn is_outdated(&self) -> bool {
        self.computed < COMPUTED
    }

    /// Path of the file of spans.
    pub fn spans_file(&self) -> String {
        format!("segments/{}.parquet", self.id)
    }

    /// Path of the file with the trace summaries.
    pub fn traces_file(&self) -> String {
        match self.bundle {
            Some(_) => self.spans_file(),
            None => format!("traces/{}.parquet", self.id),
        }
    }

    /// Path of the file with the statistics.
    pub fn stats_file(&self) -> String {
        match self.bundle {
            Some(_) => self.spans_file(),
            None => format!("stats/{}.json", self.id),
        }
    }

    /// All files it needs, as paths inside the store, with their sizes where these are known.
    pub(crate) fn files(&self) -> Vec<(String, Option<u64>)> {
        let mut files = vec![(self.spans_file(), Some(self.bytes))];
        if self.bundle.is_none() {
            files.push((self.traces_file(), Some(self.summary_bytes)));
            files.push((self.stats_file(), None));
        }
        let vector = self.deletions.as_ref().and_then(|deletions| deletions.file.as_ref());
        files.extend(vector.map(|reference| (reference.file(DELETIONS), None)));
        files.extend(self.patches.iter().map(|patch| (patch.file(), Some(patch.bytes))));
        files.extend(self.side.values().map(|side| (side.file.clone(), Some(side.bytes))));
        files
    }

    /// Bytes of its files, as far as they are known: all but those of its statistics and of a long deletion vector.
    pub fn bytes_on_disk(&self) -> u64 {
        self.files().into_iter().filter_map(|(_, bytes)| bytes).sum()
    }

    /// Spans in its file, whether they count or not.
    pub fn rows_in_file(&self) -> u64 {
        self.rows + self.deletions.as_ref().map_or(0, |deletions| deletions.rows)
    }

    /// Rows of its summaries, whether they count or not.
    pub fn traces_in_file(&self) -> u64 {
        self.traces + self.deletions.as_ref().map_or(0, |deletions| deletions.traces)
    }
}
