//! Integration tests, one module per subject.

mod cli;
mod readme;
mod shell;
mod sql;
mod surface;
