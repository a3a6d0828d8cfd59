//! The SQL schema of a remote: each of its projects is a table.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use super::remote_schemas::RemoteSchemas;
use super::table::RemoteTable;
use crate::EngineError;
use spanql_sources::SpanSource;

/// How long the columns of a project are taken to stay as they are.
const KEPT: Duration = Duration::from_secs(600);

/// The tables of a remote, which exist when they are named.
///
/// No table is listed: that would need the network each time the tables of a session are listed.
#[derive(Debug)]
pub(crate) struct RemoteSchema {
    source: Arc<dyn SpanSource>,
    remote_schemas: RemoteSchemas,
}

impl RemoteSchema {
    pub(crate) fn new(source: Arc<dyn SpanSource>) -> Self {
        Self { remote_schemas: RemoteSchemas::new(Arc::clone(&source), KEPT), source }
    }
}

#[async_trait]
impl SchemaProvider for RemoteSchema {
    fn table_names(&self) -> Vec<String> {
        vec![]
    }

    /// Asks the remote for the project's columns, unless it did so lately.
    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let remote_schema = self.remote_schemas.of(name).await.map_err(|error| EngineError::from(&error))?;
        Ok(Some(Arc::new(RemoteTable::new(Arc::clone(&self.source), name, remote_schema))))
    }

    fn table_exist(&self, _: &str) -> bool {
        true
    }
}
