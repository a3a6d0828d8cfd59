//! Where spans come from.

pub mod files;
