//! The HTTP side.

use std::sync::Arc;

use axum::Router;

use super::backend::Backend;
use super::settings::Token;

/// All routes.
pub(super) fn router(_backend: Arc<Backend>, _token: Option<Token>) -> Router {
    Router::new()
}
