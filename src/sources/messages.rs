//! What is checked of an Arrow message before it is decoded: decoders trust what it says of itself.

use arrow::ipc::root_as_message;

/// Rows that a batch may have whatever its size.
const MAX_EMPTY_ROWS: i64 = 1 << 20;
/// No buffer of a batch that fits 32-bit offsets unpacks to more.
const MAX_UNPACKED: i64 = 1 << 32;

/// Whether the buffers of a batch lie inside its body, and do not pretend to unpack to more than they could hold.
///
/// Messages that are no batches pass.
///
/// # Errors
/// What is wrong, for a person.
pub(super) fn check_buffers(header: &[u8], body: &[u8]) -> Result<(), String> {
    let message = root_as_message(header).map_err(|error| format!("a broken message: {error}"))?;
    let batch = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data());
    let Some(batch) = batch else { return Ok(()) };
    // Columns without buffers, such as those of nulls, take no bytes however many rows they claim to have; but each span
    // has ids.
    let most = i64::try_from(body.len()).unwrap_or(i64::MAX).max(MAX_EMPTY_ROWS);
    let nodes = batch.nodes().into_iter().flatten().map(|node| node.length());
    if nodes.chain([batch.length()]).any(|rows| !(0..=most).contains(&rows)) {
        return Err("more rows than its bytes can hold".to_owned());
    }
    for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() != 0) {
        let place = usize::try_from(buffer.offset()).ok().zip(usize::try_from(buffer.length()).ok());
        let bytes = place.and_then(|(at, length)| body.get(at..at.checked_add(length)?));
        let bytes = bytes.ok_or_else(|| "a buffer that ends behind its message".to_owned())?;
        // Compressed buffers begin with their size when unpacked, which the decoder allocates unseen.
        let size = batch.compression().is_some().then(|| bytes.first_chunk::<8>());
        if size.is_some_and(|size| size.is_none_or(|size| i64::from_le_bytes(*size) > MAX_UNPACKED)) {
            return Err("a broken compressed buffer".to_owned());
        }
    }
    Ok(())
}

/// The bytes that the buffers of a batch, of which [`check_buffers`] has nothing to say, unpack to.
pub(super) fn unpacked_bytes(header: &[u8], body: &[u8]) -> u64 {
    let Ok(message) = root_as_message(header) else { return 0 };
    let batch = message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data());
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return 0 };
    let sizes = batch.buffers().into_iter().flatten().filter_map(|buffer| {
        let bytes = body.get(usize::try_from(buffer.offset()).ok()?..)?;
        // A buffer that is not packed after all says so with a size of -1, and is not copied.
        u64::try_from(i64::from_le_bytes(*bytes.first_chunk::<8>()?)).ok()
    });
    sizes.fold(0, u64::saturating_add)
}
