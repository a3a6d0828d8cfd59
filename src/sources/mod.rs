//! Where spans come from.

pub mod demo;
pub mod files;
