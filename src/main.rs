//! The `spanql` binary: parses, calls, and maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    spanql::cli::main()
}

/// Memory is freed by other threads than those that took it, which leaves most of it with the system's allocator: pulls
/// needed four times as much.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What was freed goes back to the system soon: imports take much, and a store often holds little at the end.
#[cfg(unix)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static ALLOCATOR_SETTINGS: &[u8; 36] = b"dirty_decay_ms:200,muzzy_decay_ms:0\0";
