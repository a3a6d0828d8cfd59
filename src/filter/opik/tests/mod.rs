//! What OQL accepts, what it means for rows, and what is said of conditions.

mod almost;
mod ask;
mod bounds;
mod lower;
mod print;
mod properties;
mod read;
mod server;
mod support;
