//! Where spans are read from: the store, or a project of a remote.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};

use super::args::FromOptions;
use super::context::Context;
use super::failure::Failure;
use super::filters::{FilterOptions, refused};
use super::{ids, incomplete, query, remote};
use spanql_engine::{Engine, Selected};
use spanql_output::escape_terminal;
use spanql_sources::arize::Transport;
use spanql_store::Snapshot;

/// The table of spans of the store.
const SPANS: &str = "spans";

/// An engine, and which of its tables is meant.
pub(super) struct Place {
    pub(super) engine: Engine,
    snapshot: Snapshot,
    live: Option<String>,
    /// Whether the remote says all columns of its spans.
    announces_columns: bool,
}

impl Place {
    /// Opens the store, and makes remotes tables if one is named.
    pub(super) async fn open(context: &Context, from: &FromOptions) -> anyhow::Result<Self> {
        Self::open_over(context, from, Transport::Either).await
    }

    /// The same, where all that a remote has is wanted.
    pub(super) async fn open_in_bulk(context: &Context, from: &FromOptions) -> anyhow::Result<Self> {
        Self::open_over(context, from, Transport::Flight).await
    }

    async fn open_over(context: &Context, from: &FromOptions, transport: Transport) -> anyhow::Result<Self> {
        if from.from.is_some() && context.project.is_some() {
            let why = "--project is about the store, and --from names the project of a remote: leave out one of them";
            return Err(Failure::Usage(why.into()).into());
        }
        let (engine, snapshot) = query::engine(context, false).await?;
        let announces_columns = match &from.from {
            Some(table) => {
                let announcing = remote::register_over(&engine, &from.remote, transport);
                table.split_once('.').is_some_and(|(source, _)| announcing.contains(&source))
            }
            None => {
                context.note_state(&snapshot);
                false
            }
        };
        Ok(Self { engine, snapshot, live: from.from.clone(), announces_columns })
    }

    /// The name of the table.
    pub(super) fn table(&self) -> &str {
        self.live.as_deref().unwrap_or(SPANS)
    }

    /// Whether the spans are those of a remote.
    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Where the data of the store ends.
    pub(super) fn data_end(&self) -> Option<i64> {
        if self.is_live() { None } else { self.engine.data_end() }
    }

    /// Whether it is a store that nothing was ever written to.
    pub(super) fn is_empty(&self) -> bool {
        self.live.is_none() && self.snapshot.manifest.version == 0
    }

    /// What conditions may name; in a store, ids that were shortened are made whole.
    pub(super) async fn columns(
        &self,
        filters: &mut FilterOptions,
    ) -> anyhow::Result<(Arc<Schema>, Arc<BTreeMap<String, DataType>>)> {
        let (schema, rest) = self.engine.span_columns(self.table()).await?;
        if !self.is_live() {
            ids::complete(&self.engine, filters).await?;
            return Ok((schema, rest));
        }
        let remote_schema =
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        Ok((Arc::new(filters.schema_for(&remote_schema, self.announces_columns).map_err(refused)?), rest))
    }

    /// Gives what is meant a name for SQL, and says what there is to know of names.
    pub(super) async fn register(
        &self,
        context: &Context,
        name: &str,
        selected: Selected,
        mut notes: Vec<String>,
    ) -> anyhow::Result<()> {
        for note in self.engine.register_selected(name, self.table(), selected).await? {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        for note in notes {
            context.note(&escape_terminal(&note));
        }
        Ok(())
    }

    /// Says, behind an answer, what it lacks; `missing` is what a remote did not send.
    pub(super) async fn check_complete(
        &self,
        context: &Context,
        missing: Option<String>,
        require: bool,
    ) -> anyhow::Result<()> {
        if self.is_live() {
            return match missing.filter(|_| require) {
                Some(missing) => Err(Failure::Incomplete(missing).into()),
                None => Ok(()),
            };
        }
        incomplete::check(context, &self.snapshot, require).await
    }
}
