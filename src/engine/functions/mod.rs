//! The functions that spanql adds to DataFusion's.

mod best;
pub(crate) mod bounded;
pub(crate) mod checked;
mod counted;
mod domains;
pub(crate) mod estimate;
pub(crate) mod interval;
pub(crate) mod json;
pub(crate) mod json_list;
mod len;
pub(crate) mod like;
pub(crate) mod may_have;
mod percentile;
pub(crate) mod redact;
mod similar;
pub(crate) mod spelled;
mod sum;
mod times;
pub(crate) mod zero;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use spanql_sources::config::Redaction;
use spanql_sources::prices::PriceFile;

/// What functions know by settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// What models cost.
    pub(crate) prices: Option<Arc<PriceFile>>,
    /// What redacts.
    pub(crate) redaction: Option<Arc<Redaction>>,
}

/// Adds the functions of this module and those over JSON text; an own one takes the place of a function of the same
/// name.
pub(crate) fn register(
    registry: &mut dyn FunctionRegistry,
    limit: bounded::Limit,
    known: Known,
    sought: estimate::Sought,
) -> Result<()> {
    datafusion_functions_json::register_all(registry)?;
    for function in [spanql_filter::contains_udf().as_ref().clone()]
        .into_iter()
        .chain(json::all())
        .chain(spanql_filter::numbers::all())
    {
        registry.register_udf(function.into())?;
    }
    bounded::register(registry, limit)?;
    domains::register(registry)?;
    registry.register_udaf(sum::udaf().into())?;
    registry.register_udaf(percentile::udaf().into())?;
    registry.register_udf(interval::udf())?;
    times::register(registry)?;
    registry.register_udf(estimate::udf(known.prices, sought).into())?;
    for function in redact::udfs(known.redaction) {
        registry.register_udf(function.into())?;
    }
    registry.register_udf(len::udf().into())?;
    registry.register_udf(similar::udf().into())?;
    registry.register_udf(json_list::udf().into())?;
    registry.register_function_rewrite(Arc::new(similar::SimilarToRewrite))?;
    registry.register_function_rewrite(Arc::new(like::LikeRewrite))?;
    for function in spanql_filter::opik::udfs() {
        registry.register_udf(function)?;
    }
    for function in best::udafs().into_iter().chain(counted::udafs()) {
        registry.register_udaf(function.into())?;
    }
    spelled::register(registry)
}

/// Whether a function is one that statements become made of, which nobody types.
pub(crate) fn is_internal(name: &str) -> bool {
    const INTERNAL: [&str; 12] = [
        "as_list",
        "as_number",
        "interval_times",
        "json_from_scalar",
        "json_list_item",
        "json_list_numbers",
        "json_list_texts",
        "json_member",
        "json_path",
        "json_union_to_text",
        "scalar_to_json",
        "similar_to",
    ];
    INTERNAL.contains(&name) || name.starts_with("text_") || name.starts_with("opik_")
}
