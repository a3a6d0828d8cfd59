//! `spanql mcp`: a coding agent asks over the Model Context Protocol, on stdin and stdout.
//!
//! ```text
//! stdin ── transport ── server: one task a call ── calls: one thread a call, a place, a time limit ── answer ── stdout
//!                                                    │
//!                            rows, views, filter, saved, catalog: what each tool gives, cut to a size
//! ```
//!
//! What strangers wrote stands between the lines of a fence; how many rows there are, and how to ask for less, stands before it.

mod answer;
mod arguments;
mod calls;
mod capped;
mod catalog;
mod filter;
mod opened;
mod rows;
mod saved;
mod server;
mod transport;
mod views;

use std::time::Duration;

use rmcp::service::ServerInitializeError;

use super::args::McpArguments;
use super::context::Context;
use calls::Calls;
use opened::Opened;
use rows::Size;
use server::Tools;
use transport::UntilAnswered;

/// Answers until stdin ends, and whatever was asked before that.
pub(super) async fn run(context: &Context, arguments: McpArguments) -> anyhow::Result<()> {
    let size = Size {
        rows: arguments.max_rows.get(),
        cell: arguments.max_cell.get(),
        bytes: usize::try_from(arguments.max_bytes.as_u64()).unwrap_or(usize::MAX),
    };
    let calls = Calls::new(Opened::new(context.clone()), size, Duration::from_secs(arguments.timeout));
    let tools = Tools::new(calls, context.clone());
    match rmcp::serve_server(tools, UntilAnswered::over_stdio()?).await {
        Ok(running) => {
            running.waiting().await?;
            Ok(())
        }
        // Nobody asked for anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context("the client does not begin as the protocol wants it")),
    }
}
