//! Projects and spaces by pages.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Pagination, answer};
use super::cursor;
use super::problem::Problem;
use super::query::{limit, readable};
use crate::serve::backend::Backend;
use crate::serve::ids::{SPACE_NAME, project_id, space_id};
use crate::serve::refusal::{Refusal, shown};

/// Entries of a page, unless told otherwise, and at most.
const LIMITS: (usize, usize) = (50, 100);
/// The type of every project: what sends spans is an application.
const PROJECT_TYPE: &str = "APPLICATION";

/// What a listing of projects may ask for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ProjectsQuery {
    space_id: Option<String>,
    space_name: Option<String>,
    name: Option<String>,
    project_type: Option<String>,
    #[serde(skip_serializing)]
    limit: Option<String>,
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// What a listing of spaces may ask for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SpacesQuery {
    org_id: Option<String>,
    name: Option<String>,
    #[serde(skip_serializing)]
    limit: Option<String>,
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// Whether a name contains the text asked for, in any case.
fn contains(name: &str, asked: Option<&str>) -> bool {
    asked.is_none_or(|asked| name.to_lowercase().contains(&asked.to_lowercase()))
}

/// `GET /v2/projects`: by name.
pub(super) async fn projects(
    State(backend): State<Arc<Backend>>,
    query: Result<Query<ProjectsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let query = readable(query)?;
    let limit = limit(query.limit.as_deref(), LIMITS)?;
    let of = cursor::fingerprint(&("projects", &query))?;
    let after: Option<String> = cursor::read(of, query.cursor.as_deref())?;
    let space = space_id();
    if let Some(asked) = query.space_id.as_ref().filter(|asked| **asked != space) {
        return Err(Refusal::not_found(format!("there is no space {}: GET /v2/spaces lists them", shown(asked))).into());
    }
    let wanted = contains(SPACE_NAME, query.space_name.as_deref())
        && query.project_type.as_deref().is_none_or(|asked| asked == PROJECT_TYPE);
    let view = backend.newest().await.map_err(Refusal::from)?;
    let mut found = view.projects().into_iter().filter(|name| {
        wanted && contains(name, query.name.as_deref()) && after.as_deref().is_none_or(|after| *name > after)
    });
    let page: Vec<&str> = found.by_ref().take(limit).collect();
    let next = match (found.next(), page.last()) {
        (Some(_), Some(last)) => Some(cursor::write(of, last)?),
        _ => None,
    };
    let projects: Vec<_> = page
        .iter()
        .map(|name| json!({"id": project_id(name), "name": name, "space_id": space, "project_type": PROJECT_TYPE}))
        .collect();
    let body = json!({"projects": projects, "pagination": Pagination::new(next)});
    answer(&body, format!("{} projects", page.len()))
}

/// `GET /v2/spaces`: the one there is.
pub(super) async fn spaces(query: Result<Query<SpacesQuery>, QueryRejection>) -> Result<Response, Problem> {
    let query = readable(query)?;
    limit(query.limit.as_deref(), LIMITS)?;
    let of = cursor::fingerprint(&("spaces", &query))?;
    // One space never has a second page: no cursor of this request exists.
    let after: Option<String> = cursor::read(of, query.cursor.as_deref())?;
    let organization = STANDARD.encode(format!("Organization:1:{SPACE_NAME}"));
    let wanted = after.is_none()
        && contains(SPACE_NAME, query.name.as_deref())
        && query.org_id.as_ref().is_none_or(|asked| *asked == organization);
    let space = json!({
        "id": space_id(), "organization_id": organization, "name": SPACE_NAME,
        "description": "The spans of one spanql store", "is_private": false,
    });
    let spaces = if wanted { vec![space] } else { vec![] };
    let note = format!("{} spaces", spaces.len());
    answer(&json!({"spaces": spaces, "pagination": Pagination::new(None)}), note)
}
