//! Names of functions as DuckDB, PostgreSQL and SQLite spell them.
//!
//! [`ALIASES`] stand for a function of other name and the same arguments. The others become other calls, on the syntax
//! tree: `resolve/spelled.rs`.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;

/// What a function is called, and what others call it.
const ALIASES: [(&str, &[&str]); 13] = [
    ("arrow_typeof", &["typeof", "pg_typeof"]),
    ("ascii", &["ord", "unicode"]),
    ("ends_with", &["suffix"]),
    ("get_field", &["struct_extract"]),
    ("make_array", &["list_value", "list_pack"]),
    ("random", &["rand"]),
    ("regexp_like", &["regexp_matches"]),
    ("starts_with", &["prefix"]),
    ("string_to_array", &["string_split", "str_split"]),
    ("struct", &["row"]),
    ("to_char", &["strftime"]),
    ("to_timestamp", &["strptime"]),
    ("uuid", &["gen_random_uuid"]),
];

/// The same of aggregates.
const AGGREGATE_ALIASES: [(&str, &[&str]); 10] = [
    ("any_value", &["arbitrary"]),
    ("approx_distinct", &["approx_count_distinct"]),
    ("approx_percentile_cont", &["approx_quantile"]),
    ("array_agg", &["list"]),
    ("bool_and", &["every", "logical_and"]),
    ("bool_or", &["logical_or"]),
    ("first_value", &["first"]),
    ("last_value", &["last"]),
    ("percentile_cont", &["percentile"]),
    ("var", &["variance"]),
];

/// Parts of a time that are functions, and what `date_part` calls them.
pub(crate) const DATE_PARTS: [(&str, &str); 13] = [
    ("dayofmonth", "day"),
    ("dayofweek", "dow"),
    ("dayofyear", "doy"),
    ("day", "day"),
    ("epoch", "epoch"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("month", "month"),
    ("quarter", "quarter"),
    ("second", "second"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("year", "year"),
];

/// Functions that make intervals of numbers, and what they count.
pub(crate) const INTERVALS: [(&str, &str); 7] = [
    ("to_days", "1 day"),
    ("to_hours", "1 hour"),
    ("to_minutes", "1 minute"),
    ("to_months", "1 month"),
    ("to_seconds", "1 second"),
    ("to_weeks", "1 week"),
    ("to_years", "1 year"),
];

/// Texts of a time that are functions, and their patterns.
pub(crate) const FORMATS: [(&str, &str); 2] = [("dayname", "%A"), ("monthname", "%B")];

/// Percentiles that are functions, and their ranks.
pub(crate) const PERCENTILES: [(&str, &str); 6] =
    [("p25", "0.25"), ("p50", "0.5"), ("p75", "0.75"), ("p90", "0.9"), ("p95", "0.95"), ("p99", "0.99")];

/// Further names that become other calls.
const RESHAPED: [&str; 30] = [
    "apply",
    "array_apply",
    "date",
    "date_diff",
    "datediff",
    "epoch_ms",
    "if",
    "iif",
    "json_array_length",
    "json_extract",
    "json_extract_path",
    "json_extract_path_text",
    "json_extract_scalar",
    "json_extract_string",
    "json_keys",
    "json_query",
    "json_value",
    "jsonb_array_length",
    "jsonb_extract_path",
    "jsonb_extract_path_text",
    "jsonb_object_keys",
    "last_day",
    "list_apply",
    "mod",
    "regexp_extract",
    "regexp_full_match",
    "sign",
    "struct_pack",
    "time_bucket",
    "transform",
];

/// The same of aggregates.
const RESHAPED_AGGREGATES: [&str; 7] =
    ["count_if", "countif", "group_concat", "listagg", "percentile_disc", "quantile", "quantile_disc"];

/// The scalar functions that no registry knows, since they become other calls.
pub(crate) fn scalar_names() -> impl Iterator<Item = &'static str> {
    let parts = DATE_PARTS.iter().chain(&FORMATS).map(|(name, _)| *name);
    parts.chain(INTERVALS.iter().map(|(name, _)| *name)).chain(RESHAPED)
}

/// The aggregates that no registry knows, since they become other calls.
pub(crate) fn aggregate_names() -> impl Iterator<Item = &'static str> {
    PERCENTILES.iter().map(|(name, _)| *name).chain(RESHAPED_AGGREGATES)
}

/// Registers the other names of functions that are there.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for (name, aliases) in ALIASES {
        let function = registry.udf(name)?.as_ref().clone();
        registry.register_udf(Arc::new(function.with_aliases(aliases.iter().copied())))?;
    }
    for (name, aliases) in AGGREGATE_ALIASES {
        let function = registry.udaf(name)?.as_ref().clone();
        registry.register_udaf(Arc::new(function.with_aliases(aliases.iter().copied())))?;
    }
    Ok(())
}
