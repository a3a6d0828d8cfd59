//! Asking for annotations by the ids of what is annotated.

use std::collections::HashMap;

use reqwest::StatusCode;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::annotations::{Annotation, Level, Outcome, members};
use super::api::{Api, Query};
use crate::http::{Cause, HttpError};
use crate::retry::{MAX_ATTEMPTS_BATCH, retrying};

/// What is annotated that one request asks for at most.
const MAX_IDS: usize = 1000;
/// Annotations of a page.
const PAGE: &str = "1000";
/// Pages that are read before something must be wrong.
const MAX_PAGES: usize = 10_000;

#[derive(Debug, Deserialize)]
struct AnnotationsPage {
    data: Vec<Annotation>,
    next_cursor: Option<String>,
}

/// How long URLs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urls {
    /// So that a page of spans is one request. The server takes them; what stands before it may refuse them.
    Long,
    /// As long as everything takes them.
    Short,
}

impl Urls {
    /// Bytes of the ids in one.
    fn most(self) -> usize {
        match self {
            Self::Long => 48_000,
            Self::Short => 6_000,
        }
    }
}

/// Asks for the annotations of what has these ids; gives, by id, the members that they add to a row, each with a comma
/// before it.
///
/// Long URLs become short ones where those are answered and long ones are not.
pub(super) async fn annotations_of(
    level: Level,
    api: &Api,
    project: &str,
    ids: &[String],
    urls: &mut Urls,
) -> Result<HashMap<String, String>, HttpError> {
    let path = format!("{project}/{}", level.path());
    let short = groups(level, ids, Urls::Short);
    let long = groups(level, ids, *urls);
    let annotations = if long.len() < short.len() {
        match of_groups(level, api, &path, &long, Urls::Long).await {
            Ok(annotations) => annotations,
            // Whatever refuses a URL for its length has an answer of its own for that.
            Err(_) => {
                let annotations = of_groups(level, api, &path, &short, Urls::Short).await?;
                *urls = Urls::Short;
                annotations
            }
        }
    } else {
        of_groups(level, api, &path, &short, Urls::Short).await?
    };
    let mut found: HashMap<String, Vec<Annotation>> = HashMap::new();
    for annotation in annotations {
        found.entry(annotation.of.clone()).or_default().push(annotation);
    }
    Ok(found.into_iter().map(|(id, annotations)| (id, members(level, annotations))).collect())
}

/// The parts of an annotation that the server has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Held {
    pub(super) label: Option<String>,
    pub(super) score: Option<f64>,
    pub(super) explanation: Option<String>,
}

/// Asks for the annotations of what has these ids that carry an identifier; gives them by id and name.
pub(super) async fn held(
    level: Level,
    api: &Api,
    project: &str,
    ids: &[String],
    identifier: &str,
) -> Result<HashMap<(String, String), Held>, HttpError> {
    let path = format!("{project}/{}", level.path());
    let mut held = HashMap::new();
    let groups = groups(level, ids, Urls::Short);
    let annotations = of_groups(level, api, &path, &groups, Urls::Short).await?;
    for annotation in annotations.into_iter().filter(|annotation| annotation.identifier == identifier) {
        let Outcome { label, score, explanation } = annotation.result.unwrap_or_default();
        let score = score.and_then(|score| score.get().parse().ok());
        held.insert((annotation.of, annotation.name), Held { label, score, explanation });
    }
    Ok(held)
}

/// Ids in groups that fit into one request each.
fn groups(level: Level, ids: &[String], urls: Urls) -> Vec<&[String]> {
    let around = level.parameter().len() + "&=".len();
    let length = |id: &String| around + byte_serialize(id.as_bytes()).map(str::len).sum::<usize>();
    let (mut groups, mut start, mut bytes) = (vec![], 0, 0);
    for (at, id) in ids.iter().enumerate() {
        if at > start && (at - start >= MAX_IDS || bytes + length(id) > urls.most()) {
            groups.extend(ids.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += length(id);
    }
    groups.extend(ids.get(start..).filter(|rest| !rest.is_empty()));
    groups
}

async fn of_groups(
    level: Level,
    api: &Api,
    path: &str,
    groups: &[&[String]],
    urls: Urls,
) -> Result<Vec<Annotation>, HttpError> {
    let mut annotations = vec![];
    for group in groups {
        annotations.extend(of_group(level, api, path, group, urls).await?);
    }
    Ok(annotations)
}

/// The annotations of one group. A long URL is asked for once, and what it is answered with counts if it is a page.
async fn of_group(
    level: Level,
    api: &Api,
    path: &str,
    ids: &[String],
    urls: Urls,
) -> Result<Vec<Annotation>, HttpError> {
    let attempts = if urls == Urls::Long { 1 } else { MAX_ATTEMPTS_BATCH };
    let mut annotations = vec![];
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let mut query: Query = vec![("limit", PAGE.to_owned())];
        query.extend(ids.iter().map(|id| (level.parameter(), id.clone())));
        query.extend(cursor.iter().map(|cursor| ("cursor", cursor.clone())));
        let page = || api.json::<AnnotationsPage>(path, &query);
        let page = match retrying(attempts, page, HttpError::error).await {
            Ok(page) => page,
            // None of them is there any more.
            Err(failed) if urls == Urls::Short && failed.cause == Cause::Status(StatusCode::NOT_FOUND) => {
                return Ok(annotations);
            }
            Err(failed) => return Err(failed),
        };
        annotations.extend(page.data);
        match page.next_cursor {
            None => return Ok(annotations),
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            Some(_) => return Err(api.wrong(path, "a page leads to itself".to_owned())),
        }
    }
    Err(api.wrong(path, format!("after {MAX_PAGES} pages there is still no end")))
}

#[cfg(test)]
mod tests {
    use super::{Level, Urls, groups};

    #[test]
    fn spans_are_asked_for_in_groups() {
        let ids: Vec<String> = (0..2_500).map(|at| format!("{at:016x}")).collect();
        let sizes = |urls| groups(Level::Span, &ids, urls).iter().map(|group| group.len()).collect::<Vec<_>>();
        let short = sizes(Urls::Short);
        assert_eq!(short.iter().sum::<usize>(), 2_500);
        assert!(short.iter().all(|size| (1..=240).contains(size)), "{short:?}");
        assert_eq!(sizes(Urls::Long), [1_000, 1_000, 500]);
        assert!(groups(Level::Span, &[], Urls::Short).is_empty());
        assert_eq!(groups(Level::Trace, &["x".repeat(10_000), "y".to_owned()], Urls::Short).len(), 2);
        let few: Vec<String> = (0..3).map(|at| at.to_string()).collect();
        assert_eq!(groups(Level::Session, &few, Urls::Short), [&few[..]]);
    }
}
