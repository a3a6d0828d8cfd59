//! Pulling: from a remote into the store, slice by slice, each recorded when it has landed.
//!
//! A window is cut into slices on whole seconds, about as many spans each. Several are fetched side by side, while one
//! after the other is merged: every commit holds the spans of a slice and its line in the ledger, so whatever stops a
//! pull leaves whole slices and a ledger that says which ones.

mod error;
mod fetch;
mod order;
mod outcome;
mod plan;
mod slices;

use std::sync::Arc;

use crate::sources::SpanSource;
use crate::store::{Pull, Store};

pub use error::PullError;
pub use order::{Order, SLICE_ROWS};
pub use outcome::{Outcome, Watch};
pub use plan::{LATE, LATE_BRIEFLY, Planned, plan, plan_new};

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
