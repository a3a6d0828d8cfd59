//! Giving memory back to the system.

/// Gives back what was freed, where the C library keeps it.
///
/// Between two segments millions of small texts and offsets are freed by other threads than those that took them, and what
/// is left lies scattered: without this, an import holds more the longer it is.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: looks for whole pages that are free, under the allocator's own locks; nothing that is in use changes.
        let _ = unsafe { libc::malloc_trim(0) };
    }
}
