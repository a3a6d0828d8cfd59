//! How long and how deep a filter may be.

/// The longest filter, in bytes.
pub const MAX_BYTES: usize = 64 << 10;
/// How deep a filter may nest.
pub const MAX_LEVELS: usize = 50;
/// How many terms AND and OR may join in a filter.
pub const MAX_TERMS: usize = 1_000;

/// Runs something that nests as deep as the limits let it, whatever stack the caller has.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(16 << 20, 64 << 20, work)
}
