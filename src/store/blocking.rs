//! Work that waits for a disk or for the processor, off the threads that run many tasks.

use super::error::{Result, StoreError};

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Internal(error.to_string())),
    }
}
