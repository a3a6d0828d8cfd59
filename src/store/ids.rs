//! Ids of what a store makes.

/// A 64-bit random id as 16 hexadecimal digits.
pub(crate) fn new_id() -> String {
    use std::hash::{BuildHasher, Hasher};
    // Keys of RandomState come from the system's randomness, once a thread, and differ from call to call.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u128(std::time::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos()));
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}
