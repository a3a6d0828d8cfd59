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
//! This is the face of a workspace of crates: the modules that are crates of their own are re-exported. A crate uses those
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
//!  └──▶ spanql-model ──────────── what a span is: columns, names, types, arrivals
//! ```
//!
//! Everything that reads input is strict about what it promises and lenient about what it meets: the text of a span is data
//! written by strangers, and no shape of it may end in a panic.

// What only a feature that is left out uses is no mistake.
#![cfg_attr(not(all(feature = "serve", feature = "report", feature = "repl")), allow(dead_code))]

pub mod cli;
pub mod pull;
#[cfg(feature = "repl")]
pub mod repl;
pub mod report;
#[cfg(feature = "serve")]
pub mod serve;

pub use spanql_demo as demo;
pub use spanql_engine as engine;
pub use spanql_filter as filter;
pub use spanql_model as model;
pub use spanql_output as output;
pub use spanql_sources as sources;
pub use spanql_sources::config;
pub use spanql_store as store;
pub use spanql_trace as trace;

/// The program of the page runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/library.md")]
struct ProgramOfThePage;
