//! Made-up spans of two applications, for demonstrations, tests and measurements.
//!
//! A seed and a number of spans go in; a [`Generator`] gives batches that a store takes, the same ones for the same
//! seed, and [`Facts`] count what is in them.
//!
//! ```text
//! clock ── when ──┐
//! visit ── who ───┤
//!                 ▼
//! scenarios ─► steps, model_call ─► run (one trace) ─► verdicts ─► breakage ─► rows (batches)
//!                 ▲
//! words, catalog, text ── what is said, with which model and tool, and what goes wrong
//! ```
//!
//! `support-agent` answers customers: guardrails, routing, retrieval, tools, answers, over conversations of several
//! turns. `research-agent` splits tasks among agents that work side by side and below each other, up to depth 12.
//! Both fail, retry and are evaluated. A few traces arrive broken, in each of the ways that real exports show.

mod breakage;
mod catalog;
mod clock;
mod columns;
mod facts;
mod generator;
mod model_call;
mod prompt;
mod random;
mod rows;
mod run;
mod scenarios;
mod steps;
mod text;
mod trace;
mod usage;
mod verdicts;
mod visit;
mod words;

#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use generator::{DEFAULT_SEED, DEFAULT_SPANS, Generator};
