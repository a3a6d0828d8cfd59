//! Arize AX: spans over Arrow Flight or REST, names and ids over REST.
//!
//! ```text
//! source.rs     a request, and which way it goes (transport.rs)
//! command.rs    Flight: what is asked,  connection.rs stream.rs lists.rs  what comes
//! rest_spans.rs REST: pages of spans,   rest_rows.rs                      what they become
//! rest.rs       REST: projects, spaces, names.rs                          which of them is meant
//! write.rs      what is written,        put.rs wire.rs                    over Flight
//! ```

mod columns;
mod command;
mod connection;
mod names;
mod put;
mod rest;
mod rest_rows;
mod rest_spans;
mod roots;
mod source;
mod status;
mod stream;
mod transport;
mod wire;
mod write;

pub use rest::Space;
pub use source::{Arize, DEFAULT_TIMEOUT, NAME};
pub use transport::Transport;
