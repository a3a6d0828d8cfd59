//! Projects by their names, and the paths that requests name them by.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::api::{Api, Query};
use crate::error::SourceError;
use crate::http::HttpError;
use crate::projects::project_meant;
use crate::remote::Project;
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

const PATH: &str = "/v1/projects";
/// Projects of a page. The server has no maximum, and what stands before it may.
const PAGE: &str = "500";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct ProjectsPage {
    data: Vec<WireProject>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct WireProject {
    id: String,
    name: String,
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let encoded: String = byte_serialize(text.as_bytes()).collect();
    // In a path, a plus is a plus.
    encoded.replace('+', "%20")
}

/// Whether a text is the id of a project and no name. Ids of other kinds are names to the server.
fn is_id(text: &str) -> bool {
    let decoded = BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|id| id.strip_prefix("Project:").is_some_and(|row| row.parse::<u64>().is_ok()))
}

/// Whether a project of this name can only be addressed by its id: an encoded slash is one to the server, what ends a
/// path or is a step in one may be so to what stands before it, and what looks like an id is taken for one.
pub(super) fn needs_id(name: &str) -> bool {
    name.contains(['/', '?', '#', '%', '\\'])
        || name.contains(char::is_control)
        || matches!(name, "" | "." | "..")
        || is_id(name)
}

impl Api {
    /// All projects, sorted by name.
    pub(super) async fn projects(&self) -> Result<Vec<Project>, SourceError> {
        let mut projects = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query: Query = vec![("limit", PAGE.to_owned())];
            query.extend(cursor.iter().map(|cursor| ("cursor", cursor.clone())));
            let page = || self.json::<ProjectsPage>(PATH, &query);
            let page = retrying(MAX_ATTEMPTS_BATCH, page, HttpError::error).await?;
            let project = |wire: WireProject| Project { id: wire.id, name: wire.name, space: None, created: None };
            projects.extend(page.data.into_iter().map(project));
            match page.next_cursor {
                None => {
                    projects.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
                    return Ok(projects);
                }
                Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
                Some(_) => return Err(self.wrong(PATH, "a page leads to itself".to_owned()).into()),
            }
        }
        Err(self.wrong(PATH, format!("after {MAX_PAGES} pages there is still no end")).into())
    }

    /// The path of a project, by its name or id; the list of projects is asked for only where the name does not do, and
    /// once.
    pub(super) async fn path_of(&self, project: &str) -> Result<String, SourceError> {
        if !needs_id(project) {
            return Ok(format!("{PATH}/{}", segment(project)));
        }
        if let Some(id) = self.known(project) {
            return Ok(format!("{PATH}/{}", segment(&id)));
        }
        let projects = self.projects().await?;
        let id = match project_meant(self.url(), project, &projects) {
            Ok(found) => found.id.clone(),
            // Projects of experiments are not listed.
            Err(_) if is_id(project) => project.to_owned(),
            Err(error) => return Err(error),
        };
        self.know(project, &id);
        Ok(format!("{PATH}/{}", segment(&id)))
    }

    /// The error for a project that the server does not know: with the nearest name.
    pub(super) async fn missing(&self, project: &str, error: SourceError) -> SourceError {
        if !matches!(error, SourceError::NotFound { .. }) {
            return error;
        }
        let Ok(projects) = self.projects().await else { return error };
        project_meant(self.url(), project, &projects).err().unwrap_or(error)
    }
}

#[cfg(test)]
mod tests {
    use super::{needs_id, segment};

    #[test]
    fn names_that_no_path_can_have_need_ids() {
        for name in ["a/b", "what?", "#1", "50%", "", ".", "..", "a\nb", "UHJvamVjdDoz"] {
            assert!(needs_id(name), "{name}");
        }
        // The last two are ids of something else, or nothing.
        for name in ["demo", "my project", "日本", "a.b", "...", "U3Bhbjoz", "UHJvamVjdDo="] {
            assert!(!needs_id(name), "{name}");
        }
        assert_eq!(segment("my project+1"), "my%20project%2B1");
        assert_eq!(segment("日"), "%E6%97%A5");
    }
}
