//! The long tables of a store: what lies in the columns of spans, a row for each.
//!
//! ```text
//! columns.rs   the tables and their columns
//! table.rs     the providers: which columns of spans are read, and which rows of them
//! exec.rs      the plan that makes rows of spans into rows of these tables
//! reads.rs     values of a batch of spans: columns of their own, or keys of attributes.rest
//! out.rs       rows that are being made
//! sought.rs    what conditions on texts say of spans
//! source.rs    how rows are made of spans
//! scores.rs    evals, annotations
//! lists.rs     events, documents
//! messages.rs  messages
//! repeats.rs   repeats
//! turns.rs     turns: a view
//! ```

mod columns;
mod exec;
mod lists;
mod messages;
mod out;
mod reads;
mod repeats;
mod scores;
mod sought;
mod source;
mod table;
mod turns;

pub(crate) use columns::Long;
pub(crate) use table::LongTable;
pub(crate) use turns::TURNS_SQL;
