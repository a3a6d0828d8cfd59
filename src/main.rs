//! The `spanql` binary: parses, calls, and maps errors to exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::set_up();
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

/// Makes the C library's allocator give memory back.
///
/// Large buffers, which are most of what spans take, are freed by other threads than those that took them. As it is set up,
/// the allocator keeps what was freed in as many arenas as there are threads: pulls needed four times as much.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator {
    use libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

    /// From this size on, a buffer has pages of its own, which go back when it is freed.
    const MAPPED: c_int = 512 << 10;
    /// So much may stay free at the end of an arena.
    const SPARE: c_int = 1 << 20;

    pub(crate) fn set_up() {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        let arenas = c_int::try_from(cores.max(2)).unwrap_or(c_int::MAX);
        for (setting, value) in [(M_ARENA_MAX, arenas), (M_MMAP_THRESHOLD, MAPPED), (M_TRIM_THRESHOLD, SPARE)] {
            // SAFETY: sets a number inside the allocator; no other thread runs yet. What it refuses stays as it was.
            unsafe { mallopt(setting, value) };
        }
    }
}
