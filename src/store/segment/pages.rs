//! How the Parquet files of segments are written: encodings, compression, statistics and bloom filters.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::sizes::{GROUP_ROWS, PAGE_ROWS};
use spanql_model::columns;

/// A new segment of fewer rows is joined to others soon.
const QUICK_ROWS: usize = 512;

/// How the pages of a segment are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Small: by zstd.
    Small,
    /// Soon written: by LZ4. Each column of a segment needs a compressor of its own, and one of zstd costs more than to
    /// compress the few values of a small commit, which are joined to others soon.
    Quick,
}

impl Pages {
    /// Those of a new segment of so many rows.
    pub(crate) fn of(rows: usize) -> Self {
        if rows < QUICK_ROWS { Self::Quick } else { Self::Small }
    }
}

/// How a Parquet file of a segment is written, of which the column of trace ids has this name.
pub(super) fn properties(trace_id: &str, pages: Pages) -> WriterProperties {
    let compression = match pages {
        Pages::Small => Compression::ZSTD(ZstdLevel::default()),
        Pages::Quick => Compression::LZ4_RAW,
    };
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_created_by(format!("spanql {}", env!("CARGO_PKG_VERSION")))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(64))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None);
    for name in [trace_id, columns::SPAN_ID, columns::SESSION_ID] {
        builder = builder
            .set_column_bloom_filter_enabled(ColumnPath::from(vec![name.to_owned()]), true)
            .set_column_bloom_filter_fpp(ColumnPath::from(vec![name.to_owned()]), 0.01)
            .set_column_bloom_filter_max_ndv(ColumnPath::from(vec![name.to_owned()]), GROUP_ROWS as u64);
    }
    // Values that hardly repeat: a dictionary would be built only to be thrown away.
    let unique = [
        columns::SPAN_ID,
        columns::PARENT_ID,
        columns::START_TIME,
        columns::END_TIME,
        columns::LATENCY_MS,
        columns::EVENTS,
        columns::INPUT,
        columns::OUTPUT,
        "attributes.llm.input_messages",
        "attributes.llm.output_messages",
        "attributes.retrieval.documents",
        "tree.left",
        "tree.right",
        "tree.self_ms",
    ];
    for name in unique {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(vec![name.to_owned()]), false);
    }
    // Times follow each other closely, and of fractions only the last bytes are noise: zstd alone sees neither.
    let encodings = [
        (columns::START_TIME, Encoding::DELTA_BINARY_PACKED),
        (columns::END_TIME, Encoding::DELTA_BINARY_PACKED),
        (columns::LATENCY_MS, Encoding::BYTE_STREAM_SPLIT),
        ("tree.self_ms", Encoding::BYTE_STREAM_SPLIT),
    ];
    for (name, encoding) in encodings {
        builder = builder.set_column_encoding(ColumnPath::from(vec![name.to_owned()]), encoding);
    }
    builder.build()
}
