//! Pulling: from a remote into the store, slice by slice, each recorded when it has landed.
//!
//! A window is cut into slices on whole seconds, about as many spans each. Several are fetched side by side, while one
//! after the other is merged: every commit holds the spans of a slice and its line in the ledger, so whatever stops a
//! pull leaves whole slices and a ledger that says which ones.

mod fetch;
mod plan;
mod slices;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::DataType;

use crate::engine::RowFilter;
use crate::sources::{SourceError, SpanSource, Window};
use crate::store::{Pull, PullKey, Store, StoreError, Wanted};

pub use plan::{LATE, LATE_BRIEFLY, Planned, plan, plan_new};

/// Why a pull stopped. What has landed before stays.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The remote could not give a slice.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The store could not take one.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A task ended abnormally.
    #[error("internal: {0}")]
    Internal(String),
}

/// What to pull, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// From which project of the remote into which of the store.
    pub key: PullKey,
    /// What is wanted of each span, and of which traces.
    pub wanted: Wanted,
    /// At most so many spans.
    pub limit: Option<u64>,
    /// Slices that are fetched side by side, at least 1.
    pub jobs: usize,
    /// Spans that a slice should have, about.
    pub slice_rows: u64,
    /// Whether a pull is recorded that brought no spans: that says that nothing is missing.
    pub record_empty: bool,
    /// Only spans that this lets through, see [`Order::only`].
    pub filter: Option<Arc<RowFilter>>,
    /// The columns that the remote announces for the project, with their types here: those that its part of the filter
    /// may name.
    pub announced: Arc<BTreeMap<String, DataType>>,
}

impl Order {
    /// An order of everything.
    pub fn new(key: PullKey) -> Self {
        Self {
            key,
            wanted: Wanted::default(),
            limit: None,
            jobs: 4,
            slice_rows: SLICE_ROWS,
            record_empty: true,
            filter: None,
            announced: Arc::default(),
        }
    }

    /// The same of the spans only that a filter lets through.
    ///
    /// The remote is told of it as far as its language goes, and every span that comes is checked here.
    #[must_use]
    pub fn only(mut self, filter: RowFilter) -> Self {
        self.wanted.filter = Some(filter.text());
        self.filter = Some(Arc::new(filter));
        self
    }
}

/// Spans of a slice: enough that a commit pays, few enough that a broken pull loses little, and about those of a segment,
/// so that a commit builds one at a time.
pub const SLICE_ROWS: u64 = 50_000;

/// How far a pull is, for whoever watches it.
#[derive(Debug, Default)]
pub struct Watch {
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Rows announced for everything that is pulled, plus 1; 0 while nobody knows.
    announced: AtomicU64,
    landed: AtomicU64,
}

impl PullError {
    /// The remote's error, if it was one.
    pub fn source_error(&self) -> Option<&SourceError> {
        match self {
            Self::Source(error) => Some(error),
            _ => None,
        }
    }
}

impl Watch {
    /// Spans that came over the wire.
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Bytes that came over the wire.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Spans announced for the whole pull, once known.
    pub fn announced(&self) -> Option<u64> {
        self.announced.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Slices that landed.
    pub fn landed(&self) -> u64 {
        self.landed.load(Ordering::Relaxed)
    }

    fn came(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes back what came for an attempt that failed.
    fn lost(&self, rows: u64, bytes: u64) {
        self.rows.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What a pull did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Spans announced for what was asked for now; `None` when the remote did not say it of every slice.
    pub announced: Option<u64>,
    /// Spans that came.
    pub received: u64,
    /// Those of them that the filter did not let through, and the remote did all the same.
    pub unmatched: u64,
    /// Those of the rest that the store has now: others were repeated, deleted before, or outside the window.
    pub stored: u64,
    /// Spans that are new to the store.
    pub new: u64,
    /// Spans that the store had with other values.
    pub updated: u64,
    /// Slices of which another number of spans came than was announced.
    pub short: Vec<Window>,
    /// Whether the limit was reached: there may be more.
    pub limited: bool,
    /// Rows that are no spans, and why the first is none.
    pub unfit: Option<(u64, String)>,
    /// The store's version afterwards.
    pub version: u64,
    /// Why small segments could not be joined; the spans are whole all the same.
    pub not_joined: Option<String>,
    /// Why the disk did not confirm a commit: the spans are there, but may be gone after a power failure.
    pub not_synced: Option<String>,
}

/// Pulls the times that a pull still lacks.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use std::sync::Arc;
/// use spanql::config::{ArizeSettings, FlightEndpoint, Secret};
/// use spanql::model::window::Window;
/// use spanql::pull::{Order, Watch, plan, pull};
/// use spanql::serve::{Server, Settings};
/// use spanql::sources::SpanSource;
/// use spanql::sources::arize::{Arize, DEFAULT_TIMEOUT, NAME};
/// use spanql::demo::Generator;
/// use spanql::store::{Progress, PullKey, Status, Store};
///
/// // A server on this machine stands for Arize.
/// let served = Arc::new(Store::open("memory://")?);
/// let mut import = served.begin();
/// for batch in Generator::new(1, 200) {
///     import.push(&batch)?;
/// }
/// let spans = served.commit(import, "import", &Progress::default()).await?.counts.new;
/// let server = Server::bind(served, Settings::default()).await?;
/// let ready = server.ready().clone();
/// tokio::spawn(server.run(std::future::pending()));
///
/// let settings = ArizeSettings {
///     key: Secret::new("any"),
///     flight: FlightEndpoint { host: "127.0.0.1".into(), port: ready.flight_port, tls: false },
///     api: Some(ready.http),
///     space: Some(ready.space_id),
///     verify: true,
///     ca_file: None,
/// };
/// let source = Arize::new(&settings, None, DEFAULT_TIMEOUT)?;
/// let store = Arc::new(Store::open("memory://")?);
/// let mut stored = 0;
/// for project in ready.projects {
///     let found = source.resolve(&project.name).await?;
///     let order = Order::new(PullKey {
///         source: NAME.into(),
///         remote: source.endpoint().into(),
///         space: Some(found.space),
///         project: found.project.clone(),
///         into: found.project,
///     });
///     let year = Window { start: 1_767_225_600_000_000_000, end: 1_798_761_600_000_000_000 };
///     let planned = plan(&store.ledger().await?, &order, year, 0);
///     let remote: Arc<dyn SpanSource> = Arc::new(source.clone());
///     stored += pull(&store, &remote, &order, planned.pull, &Arc::new(Watch::default())).await?.stored;
/// }
/// assert_eq!(stored, spans);
/// assert!(store.ledger().await?.pulls.iter().all(|pull| pull.status() == Status::Complete));
/// # Ok(())
/// # })
/// # }
/// ```
///
/// # Errors
/// The first error that did not pass by trying again. Slices that had been fetched then have landed.
pub async fn pull(
    store: &Arc<Store>,
    source: &Arc<dyn SpanSource>,
    order: &Order,
    pull: Pull,
    watch: &Arc<Watch>,
) -> Result<Outcome, PullError> {
    fetch::Run::new(store, source, order, pull, watch).run().await
}
