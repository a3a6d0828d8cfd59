//! What commands that call remotes share, and the listings `projects` and `spaces`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::args::{Remote, RemoteListing, RemoteOptions};
use super::context::Context;
use spanql_sources::arize::{self, Arize};
use spanql_sources::config::{ArizeSettings, Environment, PROFILE_VARIABLE};
use spanql_sources::{ExportRequest, Project, SourceError, SpanSource, SpanStream};

/// Arize by the settings of the user.
pub(super) fn arize(options: &RemoteOptions) -> anyhow::Result<Arize> {
    let environment = Environment::of_process();
    let profile = options.profile.as_deref().or(environment.get(PROFILE_VARIABLE));
    let settings = ArizeSettings::find(&environment, profile)?;
    Ok(Arize::new(&settings, options.space.as_deref(), options.timeout)?)
}

/// Arize as tables of SQL; what is missing to reach it is said when a statement names one.
pub(super) fn live(options: &RemoteOptions) -> Arc<dyn SpanSource> {
    said_when_named(arize(options).map(Arize::or_rest))
}

/// The same, over Flight alone: for all that a project has.
pub(super) fn live_in_bulk(options: &RemoteOptions) -> Arc<dyn SpanSource> {
    said_when_named(arize(options))
}

fn said_when_named(arize: anyhow::Result<Arize>) -> Arc<dyn SpanSource> {
    match arize {
        Ok(arize) => Arc::new(arize),
        Err(error) => Arc::new(Unset { name: arize::NAME, reason: format!("{error:#}") }),
    }
}

/// A remote that cannot be called, because its settings are missing or wrong.
#[derive(Debug)]
struct Unset {
    name: &'static str,
    reason: String,
}

impl Unset {
    fn error<T>(&self) -> Result<T, SourceError> {
        Err(SourceError::Setting(self.reason.clone()))
    }
}

#[async_trait]
impl SpanSource for Unset {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        self.error()
    }

    async fn schema(&self, _: &str) -> Result<SchemaRef, SourceError> {
        self.error()
    }

    async fn count(&self, _: &ExportRequest) -> Result<Option<u64>, SourceError> {
        self.error()
    }

    async fn open(&self, _: &ExportRequest) -> Result<SpanStream, SourceError> {
        self.error()
    }

    fn describe(&self, _: &ExportRequest) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// `spanql projects`.
pub(super) async fn projects(context: &Context, arguments: RemoteListing) -> anyhow::Result<()> {
    let Remote::Arize = arguments.source.unwrap_or(Remote::Arize);
    let projects = arize(&arguments.remote)?.list_projects().await?;
    if projects.is_empty() {
        context.note("there are no projects that the key can see");
    }
    let columns = [
        ("source", projects.iter().map(|_| Some(arize::NAME.to_owned())).collect()),
        ("name", projects.iter().map(|project| Some(project.name.clone())).collect()),
        ("id", projects.iter().map(|project| Some(project.id.clone())).collect()),
        ("space", projects.iter().map(|project| project.space.clone()).collect()),
        ("created_at", projects.iter().map(|project| project.created.clone()).collect()),
    ];
    write(context, &arguments, columns)
}

/// `spanql spaces`.
pub(super) async fn spaces(context: &Context, arguments: RemoteListing) -> anyhow::Result<()> {
    let Remote::Arize = arguments.source.unwrap_or(Remote::Arize);
    let spaces = arize(&arguments.remote)?.list_spaces().await?;
    if spaces.is_empty() {
        context.note("there are no spaces that the key can see");
    }
    let columns = [
        ("source", spaces.iter().map(|_| Some(arize::NAME.to_owned())).collect()),
        ("name", spaces.iter().map(|space| Some(space.name.clone())).collect()),
        ("id", spaces.iter().map(|space| Some(space.id.clone())).collect()),
        ("created_at", spaces.iter().map(|space| space.created.clone()).collect()),
    ];
    write(context, &arguments, columns)
}

fn write<const N: usize>(
    context: &Context,
    arguments: &RemoteListing,
    columns: [(&str, Vec<Option<String>>); N],
) -> anyhow::Result<()> {
    let columns = columns.map(|(name, values)| (name, Arc::new(StringArray::from(values)) as ArrayRef, true));
    context.write(arguments.output.as_deref(), &RecordBatch::try_from_iter_with_nullable(columns)?)
}
