//! The `spanql` binary: parses, calls, and maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    spanql::cli::main()
}
