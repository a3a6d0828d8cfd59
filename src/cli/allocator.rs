//! Makes the C library's allocator give memory back.
//!
//! Large buffers, which are most of what spans take, are freed by other threads than those that took them. As it is set up,
//! the allocator keeps what was freed in as many arenas as there are threads: pulls needed four times as much.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use libc::{M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

/// From this size on, a buffer has pages of its own, which go back when it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED: c_int = 512 << 10;
/// So much may stay free at the end of an arena.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SPARE: c_int = 1 << 20;
/// The same where buffers of some megabytes come one after the other: to take new pages for each takes as much time as to
/// fill them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const REUSED: c_int = 32 << 20;

/// Before anything else is done.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn set_up() {
    let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
    let arenas = c_int::try_from(cores.max(2)).unwrap_or(c_int::MAX);
    set(&[(M_ARENA_MAX, arenas), (M_MMAP_THRESHOLD, MAPPED), (M_TRIM_THRESHOLD, SPARE)]);
}

/// For imports and pulls, before there is a second thread: large buffers are used again, by all threads. With an arena for
/// each, they would hold half as much memory again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn reuse() {
    set(&[(M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, REUSED), (M_TRIM_THRESHOLD, REUSED)]);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn set(settings: &[(c_int, c_int)]) {
    for &(setting, value) in settings {
        // SAFETY: sets a number inside the allocator, which takes its lock to do so. What it refuses stays as it was.
        unsafe { mallopt(setting, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn set_up() {}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn reuse() {}
