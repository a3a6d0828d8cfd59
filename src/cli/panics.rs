//! What is said when the program itself is at fault.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::Write as _;
use std::panic::{PanicHookInfo, set_hook};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::args::ErrorFormat;
use spanql_model::panics;
use spanql_output::escape_terminal;

/// How much is quoted of a panic's message: it may hold the text of a span.
const QUOTED: usize = 300;

static VERBOSE: AtomicBool = AtomicBool::new(false);
static JSON: AtomicBool = AtomicBool::new(false);

/// Lets every panic, on whichever thread, say in one line that the program is at fault and how to report it.
pub(super) fn install() {
    set_hook(Box::new(|panic| {
        if panics::are_expected() {
            return;
        }
        // Nobody may be there to read it.
        let _ = writeln!(std::io::stderr(), "{}", line(panic));
        if VERBOSE.load(Ordering::Relaxed) || std::env::var_os("RUST_BACKTRACE").is_some_and(|set| set != "0") {
            let _ = writeln!(std::io::stderr(), "{}", Backtrace::force_capture());
        }
    }));
}

/// Sets how panics are said once the arguments are known.
pub(super) fn settle(verbose: bool, errors: ErrorFormat) {
    VERBOSE.store(verbose, Ordering::Relaxed);
    JSON.store(errors == ErrorFormat::Json, Ordering::Relaxed);
}

fn line(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = format!(
        "internal error: {} ({place}, spanql {}): this is a fault of spanql and not of your data; please report it, with the \
         command and what -v adds",
        said(panic.payload()),
        env!("CARGO_PKG_VERSION"),
    );
    if JSON.load(Ordering::Relaxed) {
        json!({"code": "internal", "message": message, "position": null, "suggestion": null}).to_string()
    } else {
        format!("error: {message}")
    }
}

/// A panic's message, short and on one line.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = panics::message(payload).unwrap_or("it gave up without a word");
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut short: String = text.chars().take(QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    escape_terminal(&short).into_owned()
}
