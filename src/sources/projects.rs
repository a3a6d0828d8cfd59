//! Projects as people name them.

use super::error::SourceError;
use spanql_model::nearest::nearest;

/// A project of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The remote's id.
    pub id: String,
    /// The name people gave it.
    pub name: String,
    /// The id of the space it is in, where the remote has spaces.
    pub space: Option<String>,
    /// When it was made, as the remote says it.
    pub created: Option<String>,
}

/// How many names a message lists.
const LISTED: usize = 8;

/// The first of some names, in words.
pub(crate) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut shown: Vec<&str> = names.take(LISTED).collect();
    if count > LISTED {
        shown.push("…");
    }
    shown.join(", ")
}

/// The project among those of a place that is meant: by its name, else by its id.
///
/// # Errors
/// [`SourceError::NotFound`] with the nearest name.
pub(crate) fn project_meant<'a>(place: &str, typed: &str, projects: &'a [Project]) -> Result<&'a Project, SourceError> {
    // A name may look like an id; the exact name wins.
    let found = projects.iter().find(|project| project.name == typed);
    let found = found.or_else(|| projects.iter().find(|project| project.id == typed));
    found.ok_or_else(|| SourceError::NotFound {
        what: format!(
            "{place} has no project {typed}; it has {}",
            match projects {
                [] => "none".to_owned(),
                projects => listed(projects.iter().map(|project| project.name.as_str())),
            }
        ),
        suggestion: nearest(typed, projects.iter().map(|project| project.name.as_str())).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::{Project, project_meant};

    #[test]
    fn a_name_goes_before_an_id_and_near_names_are_suggested() {
        let project = |id: &str, name: &str| Project { id: id.into(), name: name.into(), space: None, created: None };
        let projects = [project("1", "checkout"), project("2", "1"), project("3", "search")];
        let found = |typed| project_meant("https://a", typed, &projects).map(|project| project.id.as_str());
        assert_eq!((found("search").unwrap(), found("1").unwrap(), found("3").unwrap()), ("3", "2", "3"));
        let said = found("chekout").unwrap_err().to_string();
        assert_eq!(said, "https://a has no project chekout; it has checkout, 1, search; did you mean checkout?");
        assert!(project_meant("https://a", "x", &[]).unwrap_err().to_string().ends_with("it has none"));
    }
}
