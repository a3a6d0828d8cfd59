//! What several tests share: small traces, and the rules once more to compare with.

pub(crate) mod naive;
pub(crate) mod sample;
