//! Ids that a person shortened, made whole.

use super::filters::FilterOptions;
use spanql_engine::{Engine, EngineError, IdKind};

/// What `--parent-id` is for spans without a parent.
const NO_PARENT: &str = "null";

/// Puts the ids of the store in the place of the unique beginnings that were typed; an id that is whole stays.
///
/// # Errors
/// When no id begins so, or several do.
pub(super) async fn complete(engine: &Engine, options: &mut FilterOptions) -> Result<(), EngineError> {
    for (kind, ids) in [
        (IdKind::Trace, &mut options.trace_id),
        (IdKind::Span, &mut options.span_id),
        (IdKind::Session, &mut options.session_id),
    ] {
        for id in ids {
            *id = engine.resolve_id_prefix(kind, id).await?;
        }
    }
    if let Some(id) = options.parent_id.as_mut().filter(|id| *id != NO_PARENT) {
        *id = engine.resolve_id_prefix(IdKind::Parent, id).await?;
    }
    Ok(())
}
