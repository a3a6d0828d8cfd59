//! The `spanql` binary: parses, calls, and maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    spanql::cli::main(stdout::was_closed())
}

/// Whether stdout was closed before the process began. Ahead of `main` the runtime opens the null device in its place.
#[cfg(target_os = "linux")]
mod stdout {
    use std::sync::atomic::{AtomicBool, Ordering};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: asks for the flags of a descriptor, whatever it is, and touches no memory.
        let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
        CLOSED.store(flags == -1, Ordering::Relaxed);
    }

    pub(crate) fn was_closed() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(not(target_os = "linux"))]
mod stdout {
    pub(crate) fn was_closed() -> bool {
        false
    }
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
