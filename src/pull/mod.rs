//! Pulling: from a remote into the store, slice by slice, each recorded when it has landed.
//!
//! A window is cut into slices on whole seconds, about as many spans each. Several are fetched side by side, while one
//! after the other is merged: every commit holds the spans of a slice and its line in the ledger, so whatever stops a
//! pull leaves whole slices and a ledger that says which ones.
//!
//! [`resolve()`] finds a project, [`PullOptions`] say what of it is wanted, a [`TimeRange`] says of which times, and a
//! [`Puller`] pulls it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! use std::sync::Arc;
//! use spanql::config::{ArizeSettings, FlightEndpoint, Secret};
//! use spanql::model::window::Window;
//! use spanql::pull::{PullEvent, PullOptions, Puller, resolve};
//! use spanql::serve::{Server, Settings};
//! use spanql::sources::arize::{Arize, DEFAULT_TIMEOUT};
//! use spanql::demo::Generator;
//! use spanql::store::{Progress, Status, Store};
//!
//! // A server on this machine stands for Arize.
//! let served = Arc::new(Store::open("memory://")?);
//! let mut import = served.begin();
//! for batch in Generator::new(1, 200) {
//!     import.push(&batch)?;
//! }
//! let spans = served.commit(import, "import", &Progress::default()).await?.counts.new;
//! let server = Server::bind(served, Settings::default()).await?;
//! let ready = server.ready().clone();
//! tokio::spawn(server.run(std::future::pending()));
//!
//! let settings = ArizeSettings {
//!     key: Secret::new("any"),
//!     flight: Some(FlightEndpoint { host: "127.0.0.1".into(), port: ready.flight_port, tls: false }),
//!     api: Some(ready.http),
//!     space: Some(ready.space_id),
//!     verify: true,
//!     ca_file: None,
//!     by_url: true,
//! };
//! let source = Arize::new(&settings, None, DEFAULT_TIMEOUT)?;
//! let store = Arc::new(Store::open("memory://")?);
//! let mut stored = 0;
//! for project in ready.projects {
//!     let (key, _) = resolve(&source, &project.name, None).await?;
//!     let (store, source) = (Arc::clone(&store), Arc::new(source.clone()));
//!     let puller = Puller { store, source, options: PullOptions::new(key) };
//!     let year = Window { start: 1_767_225_600_000_000_000, end: 1_798_761_600_000_000_000 };
//!     let summary = puller.pull_window(year, |event| {
//!         if let PullEvent::Started { progress, .. } = event {
//!             // Whoever keeps it can look at any time.
//!             assert_eq!(progress.rows(), 0);
//!         }
//!     });
//!     stored += summary.await?.stored;
//! }
//! assert_eq!(stored, spans);
//! assert!(store.ledger().await?.pulls.iter().all(|pull| pull.status() == Status::Complete));
//! # Ok(())
//! # })
//! # }
//! ```

mod error;
mod fetch;
mod options;
mod plan;
mod puller;
mod resolve;
mod retention;
mod slices;
mod summary;
mod window;

pub use error::PullError;
pub use fetch::pull;
pub use options::{PullOptions, SLICE_ROWS, canonical_columns};
pub use plan::{LATE, LATE_BRIEFLY, Planned, plan, plan_new};
pub use puller::{FOLLOW_PAUSE, PullEvent, Puller};
pub use resolve::{CountPrecision, PullCount, count, remote_columns, resolve};
pub use retention::{OldTraces, Removed, beyond_budget, old_traces, remove_old, stored_bytes};
pub use summary::{PullProgress, PullSummary};
pub use window::{DEFAULT_DAYS, TimeRange, now};
