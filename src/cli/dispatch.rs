//! From each command of the command line to what carries it out.

use clap::CommandFactory;

use super::args::{Arguments, Command, SessionsCommand, SpansCommand, TracesCommand};
use super::context::Context;
#[cfg(feature = "mcp")]
use super::mcp;
#[cfg(feature = "report")]
use super::report;
use super::{
    config, export, filter, import, list, pull, query, remote, review, run, schema, show, skill, store, target, write,
};
#[cfg(feature = "serve")]
use super::{demo, serve};

/// Carries out a command that is none of the shell.
pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<()> {
    if context.redact && !can_redact(&command) {
        let why = "--redact is about what query, run, report, list, show, structure, mcp, export, import and pull give or bring";
        return Err(super::failure::Failure::Usage(why.into()).into());
    }
    match command {
        Command::Import(arguments) => import::run(context, arguments).await,
        Command::Pull(arguments) => pull::run(context, arguments).await,
        Command::Projects(arguments) => remote::projects(context, arguments).await,
        Command::Spaces(arguments) => remote::spaces(context, arguments).await,
        Command::Query(arguments) => query::run(context, arguments).await,
        Command::Run(arguments) => run::run(context, arguments).await,
        #[cfg(feature = "report")]
        Command::Report(arguments) => report::run(context, *arguments).await,
        Command::Spans { command: SpansCommand::List(arguments) } => list::spans(context, arguments).await,
        Command::Spans { command: SpansCommand::Export(arguments) } => export::spans(context, arguments).await,
        Command::Spans { command: SpansCommand::Annotate(arguments) } => write::annotate(context, *arguments).await,
        Command::Spans { command: SpansCommand::Evaluate(arguments) } => write::evaluate(context, *arguments).await,
        Command::Spans { command: SpansCommand::Metadata(arguments) } => write::metadata(context, *arguments).await,
        Command::Spans { command: SpansCommand::Log(arguments) } => write::log(context, arguments).await,
        Command::Spans { command: SpansCommand::Delete(arguments) } => write::delete(context, *arguments).await,
        Command::Spans { command: SpansCommand::Undelete(arguments) } => write::undelete(context, arguments).await,
        Command::Traces { command: TracesCommand::Export(arguments) } => export::traces(context, arguments).await,
        Command::Traces { command: TracesCommand::List(arguments) } => list::traces(context, arguments).await,
        Command::Traces { command: TracesCommand::Review(arguments) } => review::run(context, *arguments).await,
        Command::Traces { command: TracesCommand::Show(arguments) } => show::trace(context, arguments).await,
        Command::Sessions { command: SessionsCommand::List(arguments) } => list::sessions(context, *arguments).await,
        Command::Sessions { command: SessionsCommand::Show(arguments) } => show::session(context, arguments).await,
        Command::Structure(arguments) => list::structure(context, arguments).await,
        Command::Filter(arguments) => filter::run(context, &arguments),
        Command::Schema(arguments) => schema::run(context, arguments).await,
        Command::Config { command } => config::run(context, command).await,
        #[cfg(feature = "mcp")]
        Command::Mcp(arguments) => mcp::run(context, arguments).await,
        Command::Skill => skill::run(),
        Command::Store { command } => store::run(context, command).await,
        #[cfg(feature = "serve")]
        Command::Demo(arguments) => demo::run(context, arguments).await,
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::run(context, arguments).await,
        Command::Completions { shell } => {
            // Into a pipe that its reader closes, the generator would panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "spanql", &mut script);
            Ok(std::io::Write::write_all(&mut target::stdout()?, &script)?)
        }
        // The shell is no command of itself.
        #[cfg(feature = "repl")]
        Command::Repl(_) => Err(super::failure::Failure::Usage("this is the shell already".into()).into()),
    }
}

/// Whether texts that a command gives or brings are redacted where that is asked for: no other may take it for granted.
fn can_redact(command: &Command) -> bool {
    match command {
        Command::Import(_) | Command::Pull(_) | Command::Query(_) | Command::Run(_) | Command::Structure(_) => true,
        #[cfg(feature = "report")]
        Command::Report(_) => true,
        #[cfg(feature = "mcp")]
        Command::Mcp(_) => true,
        Command::Spans { command } => matches!(command, SpansCommand::List(_) | SpansCommand::Export(_)),
        Command::Traces { command } => !matches!(command, TracesCommand::Review(_)),
        Command::Sessions { .. } => true,
        _ => false,
    }
}
