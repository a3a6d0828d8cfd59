//! Record batches that a client sends in one piece.

use std::io::Cursor;

use arrow::array::RecordBatch;
use spanql_model::panics;

use super::ipc::Messages;
use super::limits::Limits;

/// The batches of a stream of Arrow IPC that somebody sent. What is compressed in it unpacks to no more than
/// [`Limits::memory`].
///
/// # Errors
/// When it is no such stream, is broken anywhere, or unpacks to more.
pub fn ipc_batches(bytes: Vec<u8>, limits: Limits) -> Result<Vec<RecordBatch>, String> {
    let read = || {
        let mut messages = Messages::new(Box::new(Cursor::new(bytes)), limits)?;
        let (mut batches, mut unpacked) = (Vec::new(), 0);
        while let Some(batch) = messages.next()? {
            // A dictionary counts as often as it is used, as it will take that much room later.
            unpacked += batch.get_array_memory_size();
            if unpacked > limits.memory.saturating_mul(2) {
                return Err(limits.too_large("a stream", unpacked as u64));
            }
            batches.push(batch);
        }
        Ok(batches)
    };
    match panics::caught(read) {
        Ok(read) => read,
        Err(panic) => {
            Err(panics::message(&*panic).and_then(|said| said.lines().next()).unwrap_or("it is broken").to_owned())
        }
    }
}
