//! DataFusion's session underneath an engine: options, memory, rules and functions.

use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use spanql_filter::compare::MixedComparisonPlanner;
use spanql_store::Segments;

use super::catalog::{CATALOG, SCHEMA};
use super::config::EngineConfig;
use super::functions::estimate::Sought;
use super::functions::{self, Known, bounded::Limit, interval::IntervalProducts};
use super::optimizer::{analyzer_rules, optimizer_rules, physical_rules};

/// Makes the session; `segments` are those whose kept columns count against its memory, too.
pub(super) fn session_state(
    config: &EngineConfig,
    sought: Sought,
    segments: Option<Segments>,
) -> Result<SessionState, DataFusionError> {
    let limit = Limit::of_memory(config.memory_limit);
    let mut session =
        SessionConfig::new().with_information_schema(true).with_default_catalog_and_schema(CATALOG, SCHEMA);
    if let Some(partitions) = config.target_partitions {
        session = session.with_target_partitions(partitions);
    }
    if let Some(rows) = config.batch_rows {
        session = session.with_batch_size(rows);
    }
    let options = session.options_mut();
    // Names are made exact before planning; folding them again would lose their case.
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    options.execution.time_zone = Some("UTC".to_owned());
    // A scan is cut only where a trace starts, which a provider knows and this optimisation does not.
    options.optimizer.repartition_file_scans = false;
    // A bound on one aggregate's column would also take away rows that another aggregate needs.
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    let mut state = SessionStateBuilder::new()
        .with_config(session)
        .with_runtime_env(config.resources(segments)?)
        .with_default_features()
        .with_analyzer_rules(analyzer_rules(limit, config.data_end))
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let known = Known { prices: config.prices.clone(), redaction: config.redaction.clone() };
    functions::register(&mut state, limit, known, sought)?;
    state.register_expr_planner(Arc::new(IntervalProducts))?;
    state.register_expr_planner(Arc::new(MixedComparisonPlanner { data_end: config.data_end }))?;
    Ok(state)
}
