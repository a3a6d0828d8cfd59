//! The command line: typed arguments, then resolved settings, then one call a command.

mod args;
mod context;
mod cursor;
mod demo;
mod exit;
mod export;
mod filter;
mod filters;
mod ids;
mod import;
mod incomplete;
mod list;
mod place;
mod pull;
mod query;
mod remote;
mod report;
mod run;
mod serve;
mod show;
mod store;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command, QueryArguments, SessionsCommand, SpansCommand, TracesCommand};
use context::Context;
use exit::Failure;

/// The stack of a thread that runs queries: conditions are walked down to their last term, and there may be many.
const STACK: usize = 32 << 20;

/// Time to remove temporary files after Ctrl-C.
const GRACE: std::time::Duration = std::time::Duration::from_millis(300);

/// Parses the process's arguments, runs the command and says how it ended.
///
/// Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 a result is not as expected, 4 the answer rests on incomplete data and a complete one was
/// required, 130 interrupted. A pipe closed by its reader ends quietly with 0.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::end_of_parsing(&error),
    };
    let context = Context::new(&arguments);
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return context.fail(&anyhow::Error::new(error).context("cannot start")),
    };
    let pulling = matches!(arguments.command, Some(Command::Pull(_)));
    let outcome = runtime.block_on(async {
        tokio::spawn(leave_when_interrupted());
        tokio::select! {
            outcome = run(arguments.command, &context) => outcome,
            Ok(()) = tokio::signal::ctrl_c() => Err(Failure::Interrupted.into()),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if matches!(error.downcast_ref(), Some(Failure::Interrupted)) => {
            if pulling {
                context.note("interrupted; what has landed stays, and the same command goes on from there");
            }
            // Work on other threads is not waited for: everything it has not committed is temporary.
            std::process::exit(exit::INTERRUPTED)
        }
        Err(error) => {
            let code = context.fail(&error);
            runtime.shutdown_background();
            code
        }
    }
}

/// Leaves soon after Ctrl-C even when the work cannot be stopped, e.g. while the reader of a pipe does not read.
async fn leave_when_interrupted() {
    if tokio::signal::ctrl_c().await.is_ok() {
        tokio::time::sleep(GRACE).await;
        std::process::exit(exit::INTERRUPTED);
    }
}

async fn run(command: Option<Command>, context: &Context) -> anyhow::Result<()> {
    match command {
        Some(Command::Import(arguments)) => import::run(context, arguments).await,
        Some(Command::Pull(arguments)) => pull::run(context, arguments).await,
        Some(Command::Projects(arguments)) => remote::projects(context, arguments).await,
        Some(Command::Spaces(arguments)) => remote::spaces(context, arguments).await,
        Some(Command::Query(arguments)) => query::run(context, arguments).await,
        Some(Command::Run(arguments)) => run::run(context, arguments).await,
        Some(Command::Report(arguments)) => report::run(context, *arguments).await,
        Some(Command::Spans { command: SpansCommand::List(arguments) }) => list::spans(context, arguments).await,
        Some(Command::Spans { command: SpansCommand::Export(arguments) }) => export::spans(context, arguments).await,
        Some(Command::Traces { command: TracesCommand::Export(arguments) }) => export::traces(context, arguments).await,
        Some(Command::Traces { command: TracesCommand::List(arguments) }) => list::traces(context, arguments).await,
        Some(Command::Traces { command: TracesCommand::Show(arguments) }) => show::trace(context, arguments).await,
        Some(Command::Sessions { command: SessionsCommand::List(arguments) }) => {
            list::sessions(context, *arguments).await
        }
        Some(Command::Sessions { command: SessionsCommand::Show(arguments) }) => {
            show::session(context, arguments).await
        }
        Some(Command::Structure(arguments)) => list::structure(context, arguments).await,
        Some(Command::Filter(arguments)) => filter::run(context, &arguments),
        Some(Command::Store { command }) => store::run(context, command).await,
        Some(Command::Demo(arguments)) => demo::run(context, arguments).await,
        Some(Command::Serve(arguments)) => serve::run(context, arguments).await,
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "spanql", &mut std::io::stdout());
            Ok(())
        }
        None if std::io::stdin().is_terminal() => {
            Err(Failure::Usage("nothing to do: name a command (`spanql --help`), or pipe SQL into spanql".into())
                .into())
        }
        None => query::run(context, QueryArguments::stdin()).await,
    }
}
