//! An embedded query engine over exported LLM spans.
//!
//! Spans come in as record batches, from files, a generator or a remote ([`sources::SpanSource`]); a [`store::Store`] merges
//! them and keeps them in plain Parquet files; an [`engine::Engine`] answers SQL about the spans, traces and sessions of one
//! version of the store, and about remotes as they are. [`pull::Puller`] copies from a remote into a store, and
//! [`serve::Server`] is a remote itself.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use futures::TryStreamExt;
//! use spanql::engine::{Params, StoreEngine};
//! use spanql::output::{Format, Options, ResultWriter};
//! use spanql::demo::Generator;
//! use spanql::store::{Progress, Store};
//!
//! // Also a directory, or a URL such as s3://bucket/prefix.
//! let store = Store::open("memory://")?;
//! let mut import = store.begin();
//! for batch in Generator::new(42, 1_000) {
//!     import.push(&batch)?;
//! }
//! store.commit(import, "import", &Progress::default()).await?;
//!
//! let engine = StoreEngine::default().open(store.snapshot().await?).await?;
//! let sql = "SELECT kind, count(*) AS spans FROM spans WHERE tree.depth > 1 GROUP BY kind ORDER BY spans DESC LIMIT 1";
//! let mut out = Vec::new();
//! for statement in engine.prepare(sql, &Params::new()).await? {
//!     let mut writer = ResultWriter::new(&mut out, Format::Csv, statement.schema(), Options::default())?;
//!     let mut batches = statement.execute().await?;
//!     while let Some(batch) = batches.try_next().await? {
//!         writer.write(&batch)?;
//!     }
//!     writer.finish()?;
//! }
//! assert!(String::from_utf8(out)?.starts_with("kind,spans\nLLM,"));
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Crates and modules
//!
//! This is the face of a workspace of crates. Of each, the module with its name has what users of the library need, under
//! the paths that it has there; what is public in a crate only for the crates above it is not here. A crate uses those
//! below it, never those above:
//!
//! ```text
//! cli ─────────────────────────── one file a command: arguments, then one call
//!  │
//!  ├──▶ repl ──────────────────── the shell: statements, commands, completion, the pager
//!  ├──▶ report ────────────────── saved queries: parameters, expectations, the built-in ones
//!  ├──▶ serve ─────────────────── the store as a server for clients of Arize: Flight and HTTP
//!  ├──▶ pull ──────────────────── from a remote into a store, slice by slice
//!  │
//!  ├──▶ spanql-output ─────────── result formats, trees, conversations; what a terminal may see
//!  ├──▶ spanql-engine ─────────── SQL: names, limits, parameters, tables of a store, live tables of a remote
//!  │     ├──▶ spanql-store ────── versions of immutable files, the one way to change them, the pull ledger
//!  │     └──▶ spanql-sources ──── where spans come from: files, remotes; settings, keys that are never shown
//!  ├──▶ spanql-demo ───────────── made-up spans
//!  │
//!  ├──▶ spanql-filter ─────────── the vendors' filter languages: text to conditions, and back; the SQL dialect
//!  ├──▶ spanql-trace ──────────── what a trace is: trees, roll-ups, the critical path
//!  └──▶ spanql-model ──────────── what a span is: columns, names, types, ingest
//! ```
//!
//! Everything that reads input is strict about what it promises and lenient about what it meets: the text of a span is data
//! written by strangers, and no shape of it may end in a panic.

// What only a feature that is left out uses is no mistake.
#![cfg_attr(not(all(feature = "mcp", feature = "serve", feature = "report", feature = "repl")), allow(dead_code))]

#[doc(hidden)]
pub mod cli;
pub mod pull;
#[cfg(feature = "repl")]
#[doc(hidden)]
pub mod repl;
pub mod report;
#[cfg(feature = "serve")]
pub mod serve;

/// Settings: where they come from, and which one counts.
pub mod config {
    #[doc(inline)]
    pub use spanql_sources::config::{
        ArizeSettings, ConfigError, Environment, FlightEndpoint, FoundArize, OpikSettings, PhoenixSettings, Redaction,
        Secret, ShownSetting,
    };
    #[doc(inline)]
    pub use spanql_sources::prices::{PriceError, PriceFile, Priced, Prices, Usage};
}

/// Made-up spans, for demonstrations, tests and measurements.
pub mod demo {
    #[doc(inline)]
    pub use spanql_demo::{DEFAULT_SEED, DEFAULT_SPANS, Facts, Generator};
}

/// SQL over spans: engines, statements, and the tables they read.
pub mod engine {
    #[doc(inline)]
    pub use spanql_engine::{
        Description, Engine, EngineConfig, EngineError, Files, FunctionDescription, FunctionKind, IdKind, Param,
        ParamType, Params, Prepared, Relation, Remark, RowFilter, Selected, StoreEngine, TableDescription,
        TableFunction, parse_param,
    };
}

/// The vendors' filter languages: from text to conditions, and back where that can be said.
pub mod filter {
    #[doc(inline)]
    pub use spanql_filter::{
        Filter, FilterError, Language, Named, Names, TranslateError, Translated, Translation, Unknown, all_of, any_of,
        conjuncts, translate,
    };

    /// The filter language of Arize: SQL conditions over the columns of a span, with CONTAINS.
    pub mod arize {
        #[doc(inline)]
        pub use spanql_filter::arize::{parse, print};
    }

    /// Opik's query language (OQL), and the JSON filter list of its REST API.
    pub mod opik {
        #[doc(inline)]
        pub use spanql_filter::opik::{AnySpan, Clause, Entity, Oql, parse, print};
    }

    /// Patterns: spans by how they stand to others, each given by a filter.
    pub mod pattern {
        #[doc(inline)]
        pub use spanql_filter::pattern::{Pattern, parse};
        #[doc(inline)]
        pub use spanql_trace::structure::{Asked, Chain, Relation, Side};
    }

    /// The simple filters of Phoenix: parameters of its span search.
    pub mod phoenix {
        #[doc(inline)]
        pub use spanql_filter::phoenix::{Parameters, parse, print};
    }

    /// Conditions as SQL text.
    pub mod sql {
        #[doc(inline)]
        pub use spanql_filter::sql::print;
    }
}

/// What a span is: columns, types, times, and how rows of any shape become those of a store.
pub mod model {
    /// Spans on their way in: batches in the canonical columns' names and types, made from whatever a source wrote.
    pub mod ingest {
        #[doc(inline)]
        pub use spanql_model::ingest::{
            Change, ChangeCounts, Converted, IngestBuilder, Key, Origin, RowError, SOURCES, convert_batch,
            convert_batch_strictly, span_schema,
        };
    }

    /// The canonical columns: their names, types and order.
    pub mod columns {
        #[doc(inline)]
        pub use spanql_model::columns::{
            CANONICAL, COMPLETION_TOKENS, COST, Column, Content, END_TIME, EVENT_ATTRIBUTES, EVENTS, INPUT, KIND,
            LATENCY_MS, METADATA, METADATA_PREFIX, MODEL, NAME, NOTES, OUTPUT, PARENT_ID, PROJECT, PROMPT_TOKENS, REST,
            SESSION_ID, SOURCE, SPAN_ID, START_TIME, STATUS_CODE, STATUS_MESSAGE, TOTAL_TOKENS, TRACE_ID, TREE,
            USER_ID, canonical, spans_schema, timestamp_type,
        };
    }

    /// Values of JSON that stay text.
    pub mod json {
        #[doc(inline)]
        pub use spanql_model::json::{JsonError, Value};
    }

    /// Texts without secrets.
    pub mod redact {
        #[doc(inline)]
        pub use spanql_model::redact::{BadPattern, Redactor};
    }

    /// Times of text and numbers, in nanoseconds since the epoch.
    pub mod time {
        #[doc(inline)]
        pub use spanql_model::time::{Clock, NANOS, TimeError, parse};
    }

    /// Types of the columns that are not canonical.
    pub mod types {
        #[doc(inline)]
        pub use spanql_model::types::OpenType;
    }

    /// Stretches of time.
    pub mod window {
        #[doc(inline)]
        pub use spanql_model::window::Window;
    }
}

/// Result formats: record batches go in, text or a file comes out; traces and sessions for people.
pub mod output {
    #[doc(inline)]
    pub use spanql_output::{
        Error, Focus, Format, Options, ResultWriter, SessionJson, SessionView, ViewOptions, WriteSummary, Zone,
        escape_terminal, trace_columns, write_trace, write_trace_json,
    };
}

/// Where spans come from: remotes and export files.
pub mod sources {
    #[doc(inline)]
    pub use spanql_sources::{
        Access, Ending, ExportRequest, Project, REMOTES, Received, Remote, Resolved, SourceError, SpanSource,
        SpanStream, Window,
    };

    /// Arize AX: spans over Arrow Flight or REST, names and ids over REST.
    pub mod arize {
        #[doc(inline)]
        pub use spanql_sources::arize::{Arize, DEFAULT_TIMEOUT, NAME, Space, Transport};
    }

    /// What is said of spans afterwards: read of rows in every shape, and written at remotes.
    pub mod writes {
        #[doc(inline)]
        pub use spanql_sources::writes::{
            Given, Grain, Judgement, Kind, NOTES_NAME, PATCH_COLUMN, Patch, Row, Rules, SpanWriter, WriteError,
            WriteOptions, WriteRequest, Writing, Written, batch_rows, file_rows, judgement_batch, judgements,
            patch_batch, patches, stored,
        };
    }

    /// Opik: spans and traces over its REST API.
    pub mod opik {
        #[doc(inline)]
        pub use spanql_sources::opik::{NAME, Opik};
    }

    /// Arize Phoenix: spans and annotations over its REST API.
    pub mod phoenix {
        #[doc(inline)]
        pub use spanql_sources::phoenix::{NAME, Phoenix};
    }

    /// Export files as ingest batches: JSON of many tools, OTLP, CSV, Parquet and Arrow IPC, compressed or not.
    pub mod files {
        #[doc(inline)]
        pub use spanql_sources::files::{
            BadRow, FileError, FileReader, Format, Input, Limits, ReadOptions, ReadReport, expand,
        };
    }
}

/// The store: versions of immutable files, the one way to change them, and the ledger of pulls.
pub mod store {
    #[doc(inline)]
    pub use spanql_store::{
        Bundle, ColumnFacts, Committed, Compacted, Counts, DeletionVector, Doubt, FileImport, FileRef, FilesVerdict,
        Grain, Import, ImportedFile, ImportedProject, Ledger, Manifest, MissingRange, MissingReason, OfFiles, Outcome,
        Overlaid, Overlay, Patch, PatchRef, Patched, Prepared, Progress, Projection, Pull, PullKey, Result, Retained,
        Segment, SegmentFile, SegmentReader, SegmentStats, Segments, SideRef, Slice, Snapshot, Status, Store,
        StoreError, StoreLocation, TooLarge, Undeleted, UnknownIds, Vacuumed, Version, default_location,
    };
}

/// The program of the page runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct ProgramOfThePage;
