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
