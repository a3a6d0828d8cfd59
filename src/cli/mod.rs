//! The command line: typed arguments, then resolved settings, then one call a command.

mod allocator;
mod amounts;
mod args;
mod config;
mod context;
mod cursor;
#[cfg(feature = "serve")]
mod demo;
mod dispatch;
mod exit;
mod export;
mod export_dir;
mod failure;
mod filter;
mod filters;
mod ids;
mod import;
mod incomplete;
mod interrupt;
mod list;
mod listed;
#[cfg(feature = "mcp")]
mod mcp;
#[cfg_attr(not(feature = "repl"), allow(dead_code))]
mod pager;
mod panics;
mod partial;
mod place;
#[cfg(feature = "repl")]
mod prompt;
mod pull;
mod pulling;
mod query;
mod remote;
#[cfg(feature = "repl")]
mod repl;
#[cfg(feature = "report")]
mod report;
mod retain;
mod review;
mod review_keys;
mod run;
mod schema;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod shown;
mod skill;
mod store;
mod target;
mod write;

use std::panic::catch_unwind;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use context::Context;
use failure::Failure;
use interrupt::Interrupts;
use query::STACK;

/// Parses the process's arguments, runs the command and says how it ended.
///
/// Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 a result is not as expected, 4 the answer rests on incomplete data and a complete one was
/// required, 130 interrupted. A pipe closed by its reader ends quietly with 0.
///
/// `stdout_closed`: stdout was closed before the process began. The runtime puts the null device in its place, where results
/// would vanish; commands whose data goes there fail instead.
pub fn main(stdout_closed: bool) -> ExitCode {
    allocator::set_up();
    panics::install();
    if stdout_closed {
        target::stdout_was_closed();
    }
    // The hook has said it.
    catch_unwind(end).unwrap_or(ExitCode::FAILURE)
}

fn end() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::end_of_parsing(&error),
    };
    if matches!(arguments.command, Some(Command::Import(_) | Command::Pull(_))) {
        allocator::reuse();
    }
    let context = Context::new(&arguments);
    panics::settle(context.verbose, context.errors);
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return context.fail(&anyhow::Error::new(error).context("cannot start")),
    };
    let command = match arguments.command {
        Some(command) if arguments.continue_on_error && !is_shell(&command) => {
            let why = "--continue-on-error is for the shell, which reads statements from stdin";
            return context.fail(&Failure::Usage(why.into()).into());
        }
        Some(command) => command,
        None => match without_command(arguments.continue_on_error) {
            Some(command) => command,
            None => return context.fail(&Failure::Usage("no command: see `spanql --help`".into()).into()),
        },
    };
    let pulling = matches!(command, Command::Pull(_));
    let outcome = match command {
        // The shell has its own answer to Ctrl-C.
        #[cfg(feature = "repl")]
        Command::Repl(shell) => runtime.block_on(repl::run(&context, shell)),
        command => runtime.block_on(interruptible(command, &context)),
    };
    match outcome {
        Ok(()) => {
            // Work that was given up, and cannot be stopped at once, is not waited for.
            runtime.shutdown_background();
            ExitCode::SUCCESS
        }
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

/// What is meant where no command is named: the shell.
#[cfg(feature = "repl")]
fn without_command(continue_on_error: bool) -> Option<Command> {
    Some(Command::Repl(args::ReplArguments { continue_on_error, ..Default::default() }))
}

#[cfg(not(feature = "repl"))]
fn without_command(_: bool) -> Option<Command> {
    None
}

#[cfg(feature = "repl")]
fn is_shell(command: &Command) -> bool {
    matches!(command, Command::Repl(_))
}

#[cfg(not(feature = "repl"))]
fn is_shell(_: &Command) -> bool {
    false
}

/// Runs a command until it is done or Ctrl-C is pressed.
async fn interruptible(command: Command, context: &Context) -> anyhow::Result<()> {
    #[cfg(feature = "serve")]
    let serves = matches!(command, Command::Serve(_));
    #[cfg(not(feature = "serve"))]
    let serves = false;
    // A server has its own answer to SIGTERM.
    let mut interrupts = Interrupts::listen(true, !serves)?;
    tokio::select! {
        outcome = dispatch::run(command, context) => outcome,
        () = interrupts.pressed() => Err(Failure::Interrupted.into()),
    }
}
