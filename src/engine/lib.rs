//! SQL over spans: a DataFusion session with our dialect, names, tables and functions.
//!
//! A snapshot of a store or a remote, and text go in; streams of record batches come out. A [`StoreEngine`] makes an
//! [`Engine`] over a store; [`Engine::prepare`] turns text and [`Params`] into [`Prepared`] statements. A [`Relation`] is
//! what a table may be made of, and an [`EngineError`] says what is wrong, and where in the text.
//!
//! A statement passes these steps; everything up to the physical plan runs on a thread with a large stack:
//!
//! ```text
//! text ──lex──▶ tokens ──join dotted names, fold ORs, limits──▶ syntax tree ──parameters──▶
//!      ──resolve (scopes, aliases, output names, open names)──▶ syntax tree of exact names
//!      ──DataFusion, with mixed comparison ahead of its coercion──▶ plan
//! ```

mod arguments;
mod balance;
mod catalog;
mod compare;
mod compared;
mod config;
mod copy;
mod derived;
mod describe;
mod error;
mod files;
mod filtered;
mod full_texts;
mod functions;
mod ids;
mod items;
mod limits;
mod long;
mod operands;
mod optimizer;
mod overflow;
mod parameters;
mod params;
mod parse;
mod per_trace;
mod places;
mod planner;
mod prepared;
mod remote;
mod resolve;
mod rows;
mod scan;
mod session;
mod single_input;
mod spill;
mod state;
mod stop;
mod store;
mod structure;
mod subplan;
mod summarize;
mod table_functions;
mod tables;
mod tree_node;
mod view;
mod walk;
mod wording;
mod yielding;
mod zeros;

pub use catalog::{Relation, TableFunction};
pub use config::EngineConfig;
pub use derived::with_open_names;
pub use describe::{Description, FunctionDescription, FunctionKind, TableDescription, column_note};
pub use error::EngineError;
pub use files::Files;
pub use filtered::Selected;
pub use ids::IdKind;
pub use params::{Param, ParamType, Params, parse_param};
pub use prepared::Prepared;
pub use remote::Remark;
pub use rows::RowFilter;
pub use session::Engine;
pub use spanql_filter::compare::compare_mixed_types;
pub use spill::spilling_into;
pub use store::StoreEngine;
pub use tables::{ColumnFact, column_facts, type_name};
