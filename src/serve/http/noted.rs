//! What the log says of a response beside its status.

/// What the log says of a response beside its status.
#[derive(Debug, Clone)]
pub(super) struct Noted(pub(super) String);
