//! Times as text and text as times, by PostgreSQL's patterns (`YYYY-MM-DD HH24:MI`) and chrono's (`%Y-%m-%d %H:%M`).
//!
//! DataFusion knows chrono's alone, and writes every other pattern as it is.

mod pattern;
mod read;
mod truncated;
mod write;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;

/// Puts these functions in the place of DataFusion's of the same names.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    registry.register_udf(write::to_char().into())?;
    for name in read::FUNCTIONS {
        let inner = registry.udf(name)?;
        registry.register_udf(read::with_patterns(inner).into())?;
    }
    let inner = registry.udf(truncated::FUNCTION)?;
    registry.register_udf(truncated::in_utc(inner).into())?;
    Ok(())
}
