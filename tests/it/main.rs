//! Integration tests, one module per subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skips"
)]

mod ci;
mod cli;
mod config;
mod export_live;
mod facade;
mod faulty;
mod files_verdict;
mod filter_fuzz;
mod filter_oql;
mod import_formats;
mod imports;
mod leftovers;
mod live;
mod long;
mod memory_remote;
mod opik;
mod pull_cuts;
mod pull_events;
mod pull_faults;
mod pull_filters;
mod pull_names;
mod pull_options;
mod pull_proxy;
mod pull_resume;
mod pull_rogue;
mod pull_round_trip;
mod pull_secrets;
mod pull_slices;
mod pull_sources;
mod pull_streams;
mod pull_support;
mod pull_tls;
mod pull_types;
mod pulls;
mod quality;
mod queries;
mod queries_of_spans;
mod queries_of_traces;
mod queries_support;
mod readme;
mod repl;
mod reports;
mod rest_faults;
mod rest_spans;
mod rest_standin;
mod saved;
mod selected;
mod serve_exports;
mod serve_filter;
mod serve_flight;
mod serve_http;
mod serve_limits;
mod serve_process;
mod serve_puts;
mod serve_round_trip;
mod serve_support;
mod serve_tls;
mod shell;
mod skill;
mod soak;
mod sql;
mod store_damage;
mod store_damage_binary;
mod store_faults;
mod store_kills;
mod store_ledger;
mod store_processes;
mod store_properties;
mod store_readers;
mod store_shapes;
mod store_sql;
mod store_upgrade;
mod store_vacuums;
mod store_versions;
mod structure;
mod support;
mod surface;
mod terminal;
mod three_remotes;
mod upstream;
mod views_demo;
mod wrappers;
