//! From the names or ids that people give to what Flight needs: the id of a space and the name of a project.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::rest::{NO_HOST, Rest, Space};
use super::source::Arize;
use super::transport::{LACKS, Transport};
use crate::error::SourceError;
use crate::projects::{listed, project_meant};
use crate::remote::{Project, Resolved};
use spanql_model::nearest::nearest;

/// Whether a text is an id and no name: base64 of text with a colon.
fn is_id(text: &str) -> bool {
    BASE64_STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).is_some_and(|id| id.contains(':'))
}

impl Arize {
    /// The id of the space, looked up once if it was given by name, or not at all.
    pub(super) async fn space(&self) -> Result<&str, SourceError> {
        let find = || async {
            match (&self.named, &self.rest) {
                (Some(space), None) => Ok(space.clone()),
                (Some(space), Some(_)) if is_id(space) => Ok(space.clone()),
                (Some(name), Some(rest)) => Ok(named_space(name, &rest.spaces().await?)?.id.clone()),
                (None, None) => Err(no_space(&[])),
                (None, Some(rest)) => match rest.spaces().await.map_err(without_space)?.as_slice() {
                    [only] => Ok(only.id.clone()),
                    several => Err(no_space(several)),
                },
            }
        };
        self.space.get_or_try_init(find).await.map(String::as_str)
    }

    /// The id of a project, by its name or as it was typed.
    ///
    /// As in Arize's own clients, an id needs no space and is not looked up.
    pub(super) async fn project_id(&self, rest: &Rest, typed: &str) -> Result<String, SourceError> {
        if is_id(typed) {
            return Ok(typed.to_owned());
        }
        Ok(self.project(rest, typed).await?.id)
    }

    /// The name of a project, by its id or as it was typed: Flight takes no ids.
    pub(super) async fn project_name(&self, typed: &str) -> Result<String, SourceError> {
        match &self.rest {
            Some(rest) if is_id(typed) => match self.project(rest, typed).await {
                Ok(project) => Ok(project.name),
                // A name may look like an id, and a server may list less than it has.
                Err(SourceError::NotFound { .. }) => Ok(typed.to_owned()),
                Err(error) => Err(error),
            },
            _ => Ok(typed.to_owned()),
        }
    }

    /// The project that is meant, looked up once.
    async fn project(&self, rest: &Rest, typed: &str) -> Result<Project, SourceError> {
        let known = || self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(project) = known().get(typed) {
            return Ok(project.clone());
        }
        let space = self.space().await?.to_owned();
        let projects = self.projects_of(rest, &space).await?;
        let project = project_meant(&format!("the space {space}"), typed, &projects)?.clone();
        known().insert(typed.to_owned(), project.clone());
        Ok(project)
    }

    pub(super) fn rest(&self) -> Result<&Rest, SourceError> {
        self.rest.as_ref().ok_or_else(|| SourceError::Setting(NO_HOST.to_owned()))
    }

    /// Finds a project by its name or id, in the source's space.
    ///
    /// Without a REST host the name and the space are taken as typed, and a note says so.
    ///
    /// # Errors
    /// [`SourceError::NotFound`] with the nearest name; [`SourceError::Denied`] for a space that is refused, which is
    /// never exchanged for another.
    pub(super) async fn resolved(&self, project: &str) -> Result<Resolved, SourceError> {
        let space = self.space().await?.to_owned();
        let Some(rest) = &self.rest else {
            let note = format!("{NO_HOST} to look names up; the space and the project are used as typed");
            return Ok(Resolved { space: Some(space), project: project.to_owned(), note: Some(note) });
        };
        let projects = self.projects_of(rest, &space).await?;
        let project = project_meant(&format!("the space {space}"), project, &projects)?.name.clone();
        let only =
            (self.named.is_none()).then(|| format!("no space is named: {space} is the only one that the key can see"));
        let lacks = (self.transport == Transport::Rest).then(|| format!("spans over REST come without {LACKS}"));
        let notes: Vec<String> = only.into_iter().chain(lacks).collect();
        Ok(Resolved { space: Some(space), project, note: (!notes.is_empty()).then(|| notes.join("; ")) })
    }

    /// The spaces that the key can see.
    pub async fn list_spaces(&self) -> Result<Vec<Space>, SourceError> {
        self.rest()?.spaces().await
    }

    pub(super) async fn projects_of(&self, rest: &Rest, space: &str) -> Result<Vec<Project>, SourceError> {
        match rest.projects(Some(space)).await {
            Err(refusal @ (SourceError::Denied { .. } | SourceError::NotFound { .. })) => {
                Err(refused_space(rest, space, refusal).await)
            }
            listed => listed,
        }
    }
}

/// Says of a refusal that it may be because no space was named.
fn without_space(error: SourceError) -> SourceError {
    match error {
        SourceError::Denied { endpoint, reason } => {
            let help = "no space is named, and a project's name needs one: give --space or ARIZE_SPACE_ID, or the \
                        project's id";
            SourceError::Denied { endpoint, reason: format!("{reason}; {help}") }
        }
        other => other,
    }
}

fn no_space(known: &[Space]) -> SourceError {
    let help = "name one with --space or ARIZE_SPACE_ID";
    SourceError::Setting(match known {
        [] => format!("no space of Arize is named: {help}"),
        spaces => {
            format!("no space of Arize is named: {help}; there are {}", listed(spaces.iter().map(|s| s.name.as_str())))
        }
    })
}

fn named_space<'a>(name: &str, spaces: &'a [Space]) -> Result<&'a Space, SourceError> {
    let same: Vec<&Space> = spaces.iter().filter(|space| space.name == name).collect();
    match same.as_slice() {
        [one] => Ok(one),
        [] => Err(SourceError::NotFound {
            what: format!(
                "the key sees no space {name}; it sees {}",
                match spaces {
                    [] => "none".to_owned(),
                    spaces => listed(spaces.iter().map(|space| space.name.as_str())),
                }
            ),
            suggestion: nearest(name, spaces.iter().map(|space| space.name.as_str())).map(str::to_owned),
        }),
        several => Err(SourceError::Setting(format!(
            "{} spaces are called {name}: name one by its id, {}",
            several.len(),
            listed(several.iter().map(|space| space.id.as_str()))
        ))),
    }
}

/// A space that is refused may be one of another organisation: says what the key can see without it.
async fn refused_space(rest: &Rest, space: &str, refusal: SourceError) -> SourceError {
    let Ok(projects) = rest.projects(None).await else { return refusal };
    let mut spaces: Vec<&str> = projects.iter().filter_map(|project| project.space.as_deref()).collect();
    spaces.sort_unstable();
    spaces.dedup();
    if spaces.is_empty() {
        return refusal;
    }
    SourceError::Denied {
        endpoint: rest.url().to_owned(),
        reason: format!(
            "the space {space} is refused ({refusal}), but the key sees projects in {}: check --space and ARIZE_SPACE_ID",
            listed(spaces.iter().copied())
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn ids_are_told_from_names() {
        for id in ["TW9kZWw6Nzp4eXo=", "U3BhY2U6MTphYmM=", "YTpi"] {
            assert!(is_id(id), "{id}");
        }
        for name in ["TW9kZWw6Nzp4eXo", "checkout", "demo", "", "a:b", "////"] {
            assert!(!is_id(name), "{name}");
        }
    }
}
