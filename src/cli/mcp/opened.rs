//! The newest version of the store, opened once for all calls that read it.

use tokio::sync::Mutex;

use super::super::context::Context;
use super::super::query;
use spanql_engine::Engine;
use spanql_store::Snapshot;

/// The engine over the version that was the newest when a call last asked.
pub(super) struct Opened {
    context: Context,
    newest: Mutex<Option<(Engine, Snapshot)>>,
}

impl Opened {
    pub(super) fn new(context: Context) -> Self {
        Self { context, newest: Mutex::default() }
    }

    /// The settings that calls share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// The engine over the newest version. Its memory is that of all calls together.
    ///
    /// # Errors
    /// When the store cannot be read, or does not hold the one project that is meant.
    pub(super) async fn newest(&self) -> anyhow::Result<(Engine, Snapshot)> {
        let mut newest = self.newest.lock().await;
        let (store, snapshot) = self.context.snapshot().await?;
        if let Some((engine, known)) = &*newest
            && known.manifest == snapshot.manifest
        {
            return Ok((engine.clone(), known.clone()));
        }
        let engine = query::engine_over(&self.context, &store, &snapshot, false).await?;
        *newest = Some((engine.clone(), snapshot.clone()));
        Ok((engine, snapshot))
    }
}
