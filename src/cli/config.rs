//! `spanql config`: settings, where they come from, and whether they work.

use std::io::{IsTerminal as _, Read as _};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::amounts::counted;
use super::args::{ConfigCommand, ConfigSet, ConfigShow, ConfigUnset};
use super::context::Context;
use super::failure::Failure;
#[cfg(feature = "repl")]
use super::prompt::typed;
use super::remote;
use spanql_model::nearest::nearest;
use spanql_sources::arize::{self, Arize};
use spanql_sources::config::{
    self, ArizeSettings, Environment, Key, Secret, ShownSetting, VENDORS, config_file, profile_in_use,
};
use spanql_sources::{Access, REMOTES, Remote, SourceError};

/// The key of `spanql serve`.
const TOKEN: &str = "SPANQL_SERVE_TOKEN";
/// The setting that an option names, too.
const SPACE: &str = "space";

pub(super) async fn run(context: &Context, command: ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Show(arguments) => show(context, arguments).await,
        ConfigCommand::Set(arguments) => set(context, arguments),
        ConfigCommand::Unset(arguments) => unset(context, arguments),
    }
}

/// A setting, its value, and where it comes from.
type Row = (String, Option<String>, Option<String>);

async fn show(context: &Context, arguments: ConfigShow) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let option = arguments.remote.profile.as_deref();
    let (profile, chosen) = profile_in_use(&environment, option)?;
    let row = |name: &str, value: Option<String>, from: Option<String>| (name.to_owned(), value, from);
    let mut rows = vec![row("store", Some(context.place().to_owned()), Some(context.place_origin().to_owned()))];
    if let Some(file) = config_file(&environment) {
        if config::is_open(&file) {
            context.warn(&format!("others than you may read {}: chmod 600 it", file.display()));
        }
        let there = if file.exists() { "default" } else { "default; there is none yet" };
        rows.push(row("config_file", Some(file.display().to_string()), Some(there.to_owned())));
    }
    rows.push(row("profile", Some(profile), Some(chosen)));
    let (prices, from) = config::price_file(&environment)?.unzip();
    rows.push(row(config::PRICES, prices.map(|path| path.display().to_string()), from));
    let token = environment.get(TOKEN).map(|token| Secret::new(token).masked());
    let from = token.as_ref().map(|_| format!("environment variable {TOKEN}"));
    rows.push(row("serve.token", token, from));

    let environment = arguments.remote.environment();
    let access = remote::access(&arguments.remote, &environment);
    let mut failed = None;
    for (remote, vendor) in REMOTES.iter().zip(VENDORS) {
        let found = vendor.find(&environment, access.profile.as_deref())?;
        let named =
            |setting: ShownSetting| (format!("{}.{}", remote.name, setting.name), setting.value, setting.origin);
        rows.extend(found.shown().into_iter().map(|setting| {
            let given = access.space.as_ref().filter(|_| setting.name == SPACE);
            named(match given {
                Some(space) => {
                    ShownSetting { value: Some(space.clone()), origin: Some("--space".to_owned()), ..setting }
                }
                None => setting,
            })
        }));
        let places = found.places();
        // The last one is called by a check.
        let called = places.as_ref().ok().and_then(|places| places.last()?.value.clone());
        match places {
            Ok(places) => rows.extend(places.into_iter().map(named)),
            Err(error) => context.warn(&error.to_string()),
        }
        if arguments.check {
            let (said, error) = match found.has_key() || (remote.name != arize::NAME && found.names_a_host()) {
                false => ("not configured".to_owned(), None),
                true => match call(remote, &environment, &access).await {
                    Ok(said) => (said, None),
                    Err(error) => (format!("failed: {error:#}"), Some((remote.name, error))),
                },
            };
            rows.push(row(&format!("{}.call", remote.name), Some(said), called));
            failed = failed.or(error);
        }
    }
    write(context, arguments.output.as_deref(), &rows)?;
    match failed {
        Some((name, error)) => Err(error.context(format!("{name} cannot be called"))),
        None => Ok(()),
    }
}

fn write(context: &Context, output: Option<&str>, rows: &[Row]) -> anyhow::Result<()> {
    let column =
        |text: fn(&Row) -> Option<&str>| -> ArrayRef { Arc::new(rows.iter().map(text).collect::<StringArray>()) };
    let columns = [
        ("setting", column(|row| Some(&row.0)), true),
        ("value", column(|row| row.1.as_deref()), true),
        ("from", column(|row| row.2.as_deref()), true),
    ];
    context.write(output, &RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// Makes one cheap call; says what came of it.
async fn call(remote: &Remote, environment: &Environment, access: &Access) -> anyhow::Result<String> {
    if remote.name == arize::NAME {
        return call_arize(environment, access).await;
    }
    let source = remote.open(environment, access)?;
    let began = Instant::now();
    let projects = source.projects().await?.len();
    Ok(format!("ok: {} in {:.3} s", counted(projects as u64, "project"), began.elapsed().as_secs_f64()))
}

/// The same of Arize, where a space may be named that the key does not see.
async fn call_arize(environment: &Environment, access: &Access) -> anyhow::Result<String> {
    let settings = ArizeSettings::find(environment, access.profile.as_deref())?;
    let remote = Arize::new(&settings, access.space.as_deref(), access.timeout)?;
    let began = Instant::now();
    let spaces = remote.list_spaces().await?;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(named) = access.space.as_ref().or(settings.space.as_ref())
        && !spaces.iter().any(|space| space.id == *named || space.name == *named)
    {
        let near = nearest(named, spaces.iter().map(|space| space.name.as_str()));
        let what = format!("the key sees {}, and none is called {named}", counted(spaces.len() as u64, "space"));
        return Err(SourceError::NotFound { what, suggestion: near.map(str::to_owned) }.into());
    }
    Ok(format!("ok: {} in {seconds:.3} s", counted(spaces.len() as u64, "space")))
}

fn set(context: &Context, arguments: ConfigSet) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let (key, profile) = key(&environment, &arguments.key, arguments.profile.as_deref())?;
    let value = match arguments.value {
        Some(value) if value != "-" => {
            if key.is_secret() && !value.starts_with("${") {
                context.note("a key that was typed here may be in the shell's history: without it, it is asked for");
            }
            value
        }
        _ => ask(&arguments.key, key.is_secret())?,
    };
    let edited = config::set(&environment, &key, &value)?;
    let what = if edited.changed { "is set" } else { "was so already" };
    print_change(context, &edited, &key, &profile, &arguments.key, what);
    // Where another place says something else, this one says it for nobody.
    let counts = key.vendor().and_then(|vendor| vendor.find(&environment, Some(&profile)).ok());
    let shown = counts.and_then(|found| found.shown().into_iter().find(|setting| setting.name == key.name()));
    if let Some(origin) = shown.and_then(|setting| setting.origin)
        && !origin.starts_with(&edited.file.display().to_string())
    {
        context.note(&format!("{origin} counts before it"));
    }
    Ok(())
}

fn unset(context: &Context, arguments: ConfigUnset) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let (key, profile) = key(&environment, &arguments.key, arguments.profile.as_deref())?;
    let edited = config::unset(&environment, &key)?;
    let what = if edited.changed { "is not set any more" } else { "was not set" };
    print_change(context, &edited, &key, &profile, &arguments.key, what);
    Ok(())
}

/// The setting that is meant, and the profile.
fn key(environment: &Environment, typed: &str, profile: Option<&str>) -> anyhow::Result<(Key, String)> {
    let (profile, _) = profile_in_use(environment, profile)?;
    let key = Key::read(typed, &profile).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok((key, profile))
}

fn print_change(context: &Context, edited: &config::Edited, key: &Key, profile: &str, typed: &str, what: &str) {
    let file = edited.file.display();
    if edited.was_open {
        context.note(&format!("others than you could read {file}; now only you can"));
    }
    let of_profile = if key.vendor().is_some() { format!(", profile {profile}") } else { String::new() };
    context.report(&format!("{typed} {what}: {file}{of_profile}"));
}

/// Asks a person for a value, or takes what is piped in.
fn ask(name: &str, hidden: bool) -> anyhow::Result<String> {
    let mut stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let mut text = String::new();
        stdin.read_to_string(&mut text).context("cannot read the value from stdin")?;
        return Ok(text.trim().to_owned());
    }
    typed(name, hidden)
}

/// What a person types; without the shell's editor there is nothing that hides it.
#[cfg(not(feature = "repl"))]
fn typed(name: &str, _: bool) -> anyhow::Result<String> {
    let help = format!("pipe the value in, as in `spanql config set {name} < file`");
    Err(Failure::Usage(help).into())
}
