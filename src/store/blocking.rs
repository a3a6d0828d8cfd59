//! Work that waits for a disk or for the processor, off the threads that run many tasks.

use std::sync::OnceLock;

use super::error::{Result, StoreError};

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Internal(error.to_string())),
    }
}

/// How many threads work side by side on one commit. To ask the system takes as long as to read a small file.
pub(crate) fn threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)))
}
