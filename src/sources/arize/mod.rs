//! Arize AX: spans over Arrow Flight, names and ids over REST.

mod columns;
mod command;
mod connection;
mod lists;
mod names;
mod rest;
mod source;
mod status;
mod stream;

pub use rest::Space;
pub use source::{Arize, DEFAULT_TIMEOUT, NAME};
