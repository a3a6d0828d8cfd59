//! What a remote says of its projects' columns, asked once in a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::DataType;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use spanql_model::ingest::span_schema;
use spanql_sources::{MAX_ATTEMPTS_INTERACTIVE, SourceError, SpanSource, retrying};

/// The columns that a remote announces for a project, with their types.
pub(super) type SpanSchema = Arc<BTreeMap<String, DataType>>;

type Fetch = BoxFuture<'static, Result<SpanSchema, SourceError>>;

enum Entry {
    Known {
        since: Instant,
        remote_schema: SpanSchema,
    },
    /// Somebody is asking; when nobody waits any more, the question is cancelled.
    Asked(WeakShared<Fetch>),
}

/// The schemas of one source's spans, by project.
pub(super) struct RemoteSchemas {
    source: Arc<dyn SpanSource>,
    kept: Duration,
    projects: Mutex<HashMap<String, Entry>>,
}

impl std::fmt::Debug for RemoteSchemas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSchemas").field("source", &self.source).finish_non_exhaustive()
    }
}

impl RemoteSchemas {
    /// Schemas that are asked for again when they are older than `kept`.
    pub(super) fn new(source: Arc<dyn SpanSource>, kept: Duration) -> Self {
        Self { source, kept, projects: Mutex::default() }
    }

    /// What the remote announces for a project. Who asks while the answer is on its way waits for the same answer;
    /// an error is an answer to those who wait, and forgotten.
    pub(super) async fn of(&self, project: &str) -> Result<SpanSchema, SourceError> {
        let fetch = match self.known_or_asked(project) {
            Ok(remote_schema) => return Ok(remote_schema),
            Err(fetch) => fetch,
        };
        let answer = fetch.clone().await;
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = match projects.get(project) {
            Some(Entry::Asked(asked)) => asked.upgrade().is_none_or(|asked| asked.ptr_eq(&fetch)),
            _ => false,
        };
        match &answer {
            Ok(remote_schema) if ours => {
                let known = Entry::Known { since: Instant::now(), remote_schema: Arc::clone(remote_schema) };
                projects.insert(project.to_owned(), known);
            }
            Err(_) if ours => drop(projects.remove(project)),
            _ => {}
        }
        answer
    }

    fn known_or_asked(&self, project: &str) -> Result<SpanSchema, Shared<Fetch>> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        match projects.get(project) {
            Some(Entry::Known { since, remote_schema }) if since.elapsed() < self.kept => {
                return Ok(Arc::clone(remote_schema));
            }
            Some(Entry::Asked(asked)) => {
                if let Some(fetch) = asked.upgrade() {
                    return Err(fetch);
                }
            }
            _ => {}
        }
        let (source, name) = (Arc::clone(&self.source), project.to_owned());
        let ask = async move {
            retrying(MAX_ATTEMPTS_INTERACTIVE, || source.schema(&name), SourceError::itself)
                .await
                .map(|schema| Arc::new(span_schema(&schema)))
        };
        let fetch = ask.boxed().shared();
        if let Some(asked) = fetch.downgrade() {
            projects.insert(project.to_owned(), Entry::Asked(asked));
        }
        Err(fetch)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::datatypes::{Field, Schema, SchemaRef};
    use async_trait::async_trait;

    use super::*;
    use spanql_sources::{ExportRequest, Project, SpanStream};

    /// Counts the questions and the answers.
    #[derive(Debug, Default)]
    struct Slow {
        asked: AtomicUsize,
        answered: AtomicUsize,
    }

    #[async_trait]
    impl SpanSource for Slow {
        fn name(&self) -> &'static str {
            "arize"
        }

        fn endpoint(&self) -> &str {
            "memory:"
        }

        async fn projects(&self) -> Result<Vec<Project>, SourceError> {
            Ok(vec![])
        }

        async fn schema(&self, _: &str) -> Result<SchemaRef, SourceError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.answered.fetch_add(1, Ordering::SeqCst);
            Ok(Arc::new(Schema::new(vec![Field::new("name", DataType::LargeUtf8, true)])))
        }

        async fn count(&self, _: &ExportRequest) -> Result<Option<u64>, SourceError> {
            Ok(None)
        }

        async fn open(&self, _: &ExportRequest) -> Result<SpanStream, SourceError> {
            Err(SourceError::Setting("not here".to_owned()))
        }

        fn describe(&self, _: &ExportRequest) -> Vec<(&'static str, String)> {
            vec![]
        }
    }

    fn counts(source: &Slow) -> (usize, usize) {
        (source.asked.load(Ordering::SeqCst), source.answered.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn what_is_old_is_asked_again() {
        let source = Arc::new(Slow::default());
        let remote_schemas = RemoteSchemas::new(Arc::clone(&source) as _, Duration::from_millis(200));
        for _ in 0..3 {
            let remote_schema = remote_schemas.of("p").await.unwrap();
            assert_eq!(remote_schema.get("name"), Some(&DataType::Utf8));
        }
        assert_eq!(counts(&source), (1, 1));
        tokio::time::sleep(Duration::from_millis(250)).await;
        remote_schemas.of("p").await.unwrap();
        assert_eq!(counts(&source), (2, 2));
    }

    #[tokio::test]
    async fn a_question_nobody_waits_for_is_dropped() {
        let source = Arc::new(Slow::default());
        let remote_schemas = RemoteSchemas::new(Arc::clone(&source) as _, Duration::from_secs(60));
        let given_up = tokio::time::timeout(Duration::from_millis(1), remote_schemas.of("p")).await;
        assert!(given_up.is_err());
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(counts(&source), (1, 0));
        remote_schemas.of("p").await.unwrap();
        assert_eq!(counts(&source), (2, 1));
    }
}
