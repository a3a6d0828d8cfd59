//! What commands that call remotes share, and the listings `projects` and `spaces`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::future::join_all;

use super::args::{RemoteListing, RemoteOptions};
use super::context::Context;
use super::failure::Failure;
use spanql_engine::Engine;
use spanql_output::escape_terminal;
use spanql_sources::arize::{self, Arize, Transport};
use spanql_sources::config::{ArizeSettings, Environment, PROFILE_VARIABLE, VENDORS};
use spanql_sources::{Access, ExportRequest, Project, REMOTES, Remote, SourceError, SpanSource, SpanStream};

/// How remotes are reached by the options and the variables of the user.
pub(super) fn access(options: &RemoteOptions, environment: &Environment) -> Access {
    let profile = options.profile.as_deref().or(environment.get(PROFILE_VARIABLE));
    Access {
        profile: profile.map(str::to_owned),
        space: options.space.clone(),
        timeout: options.timeout,
        ..Access::default()
    }
}

/// Makes all remotes tables of SQL; what is missing to reach one is said when a statement names it.
pub(super) fn register(engine: &Engine, options: &RemoteOptions) {
    register_over(engine, options, Transport::Either);
}

/// The same, with spans of Arize this way; gives the words of those that say all columns of their spans.
pub(super) fn register_over(engine: &Engine, options: &RemoteOptions, transport: Transport) -> Vec<&'static str> {
    let environment = options.environment();
    let transport = if options.is_rest() { Transport::Rest } else { transport };
    let access = Access { transport, ..access(options, &environment) };
    let mut announcing = Vec::new();
    for remote in &REMOTES {
        let source = remote.open(&environment, &access);
        let source = source.unwrap_or_else(|error| Arc::new(Unset { name: remote.name, error }));
        announcing.extend(source.announces_columns().then_some(remote.name));
        engine.register_source(source);
    }
    announcing
}

/// A remote that cannot be called, because its settings are missing or wrong.
#[derive(Debug)]
struct Unset {
    name: &'static str,
    error: SourceError,
}

#[async_trait]
impl SpanSource for Unset {
    fn name(&self) -> &'static str {
        self.name
    }

    fn endpoint(&self) -> &str {
        self.name
    }

    async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        Err(self.error.clone())
    }

    async fn schema(&self, _: &str) -> Result<SchemaRef, SourceError> {
        Err(self.error.clone())
    }

    async fn count(&self, _: &ExportRequest) -> Result<Option<u64>, SourceError> {
        Err(self.error.clone())
    }

    async fn open(&self, _: &ExportRequest) -> Result<SpanStream, SourceError> {
        Err(self.error.clone())
    }

    fn describe(&self, _: &ExportRequest) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The remotes that something is set for: a key, or where they are.
fn set_up(environment: &Environment, access: &Access) -> anyhow::Result<Vec<&'static Remote>> {
    let mut remotes = Vec::new();
    for (remote, vendor) in REMOTES.iter().zip(VENDORS) {
        let found = vendor.find(environment, access.profile.as_deref())?;
        if found.has_key() || found.names_a_host() {
            remotes.push(remote);
        }
    }
    Ok(remotes)
}

/// `spanql projects`.
pub(super) async fn projects(context: &Context, arguments: RemoteListing) -> anyhow::Result<()> {
    let environment = arguments.remote.environment();
    let access = access(&arguments.remote, &environment);
    let remotes = match arguments.source {
        Some(remote) => vec![remote],
        // Which one a URL is of, nothing says: `spanql serve` is like Arize.
        None if arguments.remote.endpoint.is_some() => vec![&REMOTES[0]],
        None => set_up(&environment, &access)?,
    };
    if remotes.is_empty() {
        let names: Vec<&str> = REMOTES.iter().map(|remote| remote.name).collect();
        anyhow::bail!(
            "no remote is set up: `spanql projects SOURCE`, with one of {}, says what it needs, and `spanql config set` sets it",
            names.join(", ")
        );
    }
    let asked = join_all(remotes.iter().map(async |remote| remote.open(&environment, &access)?.projects().await)).await;
    let (mut rows, mut failed) = (Vec::new(), None);
    for (remote, projects) in remotes.iter().zip(asked) {
        match projects {
            Ok(projects) if projects.is_empty() => {
                let of = if remotes.len() > 1 { format!(" in {}", remote.name) } else { String::new() };
                context.note(&format!("there are no projects{of} that the key can see"));
            }
            Ok(projects) => rows.extend(projects.into_iter().map(|project| (remote.name, project))),
            // What others say is shown all the same.
            Err(error) if remotes.len() > 1 => {
                context.warn(&escape_terminal(&format!("{}: {error}", remote.name)));
                failed.get_or_insert((remote.name, error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let columns = [
        ("source", rows.iter().map(|(source, _)| Some((*source).to_owned())).collect()),
        ("name", rows.iter().map(|(_, project)| Some(project.name.clone())).collect()),
        ("id", rows.iter().map(|(_, project)| Some(project.id.clone())).collect()),
        ("space", rows.iter().map(|(_, project)| project.space.clone()).collect()),
        ("created_at", rows.iter().map(|(_, project)| project.created.clone()).collect()),
    ];
    write(context, &arguments, columns)?;
    match failed {
        None => Ok(()),
        Some((name, error)) => Err(anyhow::Error::new(error).context(format!("{name} cannot be listed"))),
    }
}

/// `spanql spaces`.
pub(super) async fn spaces(context: &Context, arguments: RemoteListing) -> anyhow::Result<()> {
    if let Some(other) = arguments.source.filter(|remote| remote.name != arize::NAME) {
        return Err(Failure::Usage(format!("{} has no spaces: they are of {}", other.name, arize::NAME)).into());
    }
    let environment = arguments.remote.environment();
    let Access { profile, space, timeout, .. } = access(&arguments.remote, &environment);
    let settings = ArizeSettings::find(&environment, profile.as_deref())?;
    let spaces = Arize::new(&settings, space.as_deref(), timeout)?.list_spaces().await?;
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
