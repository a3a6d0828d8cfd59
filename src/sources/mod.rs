//! Where spans come from.

pub mod demo;
