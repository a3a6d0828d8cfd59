//! What a remote says of its projects' columns, asked once in a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::DataType;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::model::arrival::announced_columns;
use crate::sources::{SourceError, SpanSource};

/// The columns that a remote announces for a project, with their types.
pub(super) type Announced = Arc<BTreeMap<String, DataType>>;

type Fetch = BoxFuture<'static, Result<Announced, SourceError>>;

enum Entry {
    Known {
        since: Instant,
        announced: Announced,
    },
    /// Somebody is asking; when nobody waits any more, the question is cancelled.
    Asked(WeakShared<Fetch>),
}

/// The announcements of one source, by project.
pub(super) struct Announcements {
    source: Arc<dyn SpanSource>,
    kept: Duration,
    projects: Mutex<HashMap<String, Entry>>,
}

impl std::fmt::Debug for Announcements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcements").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Announcements {
    /// Announcements that are asked for again when they are older than `kept`.
    pub(super) fn new(source: Arc<dyn SpanSource>, kept: Duration) -> Self {
        Self { source, kept, projects: Mutex::default() }
    }

    /// What the remote announces for a project. Who asks while the answer is on its way waits for the same answer;
    /// an error is an answer to those who wait, and forgotten.
    pub(super) async fn of(&self, project: &str) -> Result<Announced, SourceError> {
        let fetch = match self.known_or_asked(project) {
            Ok(announced) => return Ok(announced),
            Err(fetch) => fetch,
        };
        let answer = fetch.clone().await;
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = match projects.get(project) {
            Some(Entry::Asked(asked)) => asked.upgrade().is_none_or(|asked| asked.ptr_eq(&fetch)),
            _ => false,
        };
        match &answer {
            Ok(announced) if ours => {
                let known = Entry::Known { since: Instant::now(), announced: Arc::clone(announced) };
                projects.insert(project.to_owned(), known);
            }
            Err(_) if ours => drop(projects.remove(project)),
            _ => {}
        }
        answer
    }

    fn known_or_asked(&self, project: &str) -> Result<Announced, Shared<Fetch>> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        match projects.get(project) {
            Some(Entry::Known { since, announced }) if since.elapsed() < self.kept => return Ok(Arc::clone(announced)),
            Some(Entry::Asked(asked)) => {
                if let Some(fetch) = asked.upgrade() {
                    return Err(fetch);
                }
            }
            _ => {}
        }
        let (source, name) = (Arc::clone(&self.source), project.to_owned());
        let ask = async move { source.schema(&name).await.map(|schema| Arc::new(announced_columns(&schema))) };
        let fetch = ask.boxed().shared();
        if let Some(asked) = fetch.downgrade() {
            projects.insert(project.to_owned(), Entry::Asked(asked));
        }
        Err(fetch)
    }
}
