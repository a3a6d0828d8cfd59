//! Integration tests, one module per subject.

mod sql;
mod store_sql;
