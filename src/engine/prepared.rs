//! Statements that are planned and can run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::compared::Compared;
use super::error::EngineError;
use super::functions::estimate::{Sought, take_notes};
use super::remote::{self, Remark};
use super::stop::{self, Stops};
use spanql_filter::READ_AS_NULL;
use spanql_sources::config::{ConfigError, Redaction};

/// A statement ready to run.
pub struct Prepared {
    pub(super) notes: Vec<String>,
    pub(super) schema: SchemaRef,
    pub(super) reads_spans: bool,
    pub(super) state: SessionState,
    pub(super) step: Step,
    pub(super) stops: Stops,
    pub(super) sought: Sought,
    /// What redacts the rows.
    pub(super) redacting: Option<Arc<Redaction>>,
    pub(super) compared: Vec<Compared>,
    pub(super) beyond: Vec<String>,
}

pub(super) enum Step {
    /// The plan, and whether it was started.
    Read(Arc<dyn ExecutionPlan>, AtomicBool),
    /// What is written, and the plan that did it last, once it has one.
    Write(LogicalPlan, Mutex<Option<Arc<dyn ExecutionPlan>>>),
    /// Would write, which this engine does not allow.
    Refused,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("notes", &self.notes).field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn unredacted(error: &ConfigError) -> EngineError {
    EngineError::new("not-redacted", error.to_string())
}

/// Rows with placeholders in the place of what looks like a secret.
fn redacted(rows: SendableRecordBatchStream, redaction: Arc<Redaction>) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let batches = rows.map(move |batch| {
        let redactor = redaction.redactor().map_err(|error| unredacted(&error))?;
        Ok(redactor.batch(&batch?)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

impl Prepared {
    /// What the reader should know beside the result, each a line without a full stop.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The columns of the result.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Whether the statement changes nothing: no DDL, DML, COPY or SET, not even under EXPLAIN.
    pub fn is_read_only(&self) -> bool {
        matches!(self.step, Step::Read(..))
    }

    /// Whether the statement reads spans or traces of a store, so that its answer rests on what was pulled into it.
    ///
    /// Views, WITH queries and subqueries count; what EXPLAIN only plans does not, and neither do live tables.
    pub fn reads_spans(&self) -> bool {
        self.reads_spans
    }

    /// The notes on names that no span has: what is asked of these is asked of nothing.
    pub fn absent(&self) -> impl Iterator<Item = &String> {
        self.notes.iter().filter(|note| note.contains(READ_AS_NULL))
    }

    /// What the reader should know of an answer that may be about nothing: texts that columns are compared with and that no
    /// row has, where a column has few values, and times behind the end of the data. Reads those columns; each a line
    /// without a full stop.
    ///
    /// Of an answer of `few` rows (none, or one that may be a count of nothing) everything counts; of others only texts in
    /// lists, alternatives and aggregates, whose rows are missing among others.
    ///
    /// # Errors
    ///
    /// When a column cannot be read.
    pub async fn unmatched(&self, few: bool) -> Result<Vec<String>, EngineError> {
        let mut notes = if few { self.beyond.clone() } else { vec![] };
        for compared in &self.compared {
            let remarks = compared.remarks(&self.state, few).await;
            notes.extend(remarks.map_err(|error| EngineError::from_datafusion(&error))?);
        }
        Ok(notes)
    }

    /// What the reader should know of columns that hold the beginnings of texts, where conditions look at them and any is
    /// longer. Reads those columns; each a line without a full stop.
    ///
    /// # Errors
    ///
    /// When a column cannot be read.
    pub async fn cut_texts(&self) -> Result<Vec<String>, EngineError> {
        let mut notes = vec![];
        for compared in &self.compared {
            let remark = compared.remark_on_cut(&self.state).await;
            notes.extend(remark.map_err(|error| EngineError::from_datafusion(&error))?);
        }
        if let Some(redaction) = &self.redacting {
            let redactor = redaction.redactor().map_err(|error| unredacted(&error))?;
            notes.iter_mut().for_each(|note| *note = redactor.text(note).into_owned());
        }
        Ok(notes)
    }

    /// Starts the statement. Rows come as they are made; dropping the stream cancels it.
    ///
    /// Errors in the stream are DataFusion's: [`EngineError::from_datafusion`] puts them into words.
    ///
    /// # Errors
    ///
    /// When the statement writes and the engine does not allow that, it cannot be started, or it reads and was started
    /// before.
    pub async fn execute(&self) -> Result<SendableRecordBatchStream, EngineError> {
        let started = match &self.step {
            // Operators of a plan hand their input out once, and some panic when they are asked again.
            Step::Read(_, started) if started.swap(true, Ordering::Relaxed) => {
                return Err(EngineError::new("already-run", "the statement has run already").help("prepare it again"));
            }
            Step::Read(plan, _) => {
                stop::run(Arc::clone(plan), &self.stops, |plan| execute_stream(plan, self.state.task_ctx()))
            }
            Step::Refused => {
                return Err(EngineError::would_write("use SELECT, EXPLAIN, DESCRIBE or SHOW"));
            }
            // What it writes would pass by what redacts.
            Step::Write(..) if self.redacting.is_some() => {
                let error = EngineError::new("not-redacted", "what a statement writes by itself is not redacted");
                return Err(error.help("select the rows, and write them with -o FILE"));
            }
            Step::Write(plan, written) => self.write(plan, written).await,
        };
        let rows = started.map_err(|error| EngineError::from_datafusion(&error))?;
        match &self.redacting {
            Some(redaction) => Ok(redacted(rows, Arc::clone(redaction))),
            None => Ok(rows),
        }
    }

    async fn write(
        &self,
        plan: &LogicalPlan,
        written: &Mutex<Option<Arc<dyn ExecutionPlan>>>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let context = SessionContext::new_with_state(self.state.clone());
        let frame = context.execute_logical_plan(plan.clone()).await?;
        let task = Arc::new(frame.task_ctx());
        let physical = frame.create_physical_plan().await?;
        *written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&physical));
        execute_stream(physical, task)
    }

    /// What is known only after the rows were read: that a remote sent fewer than it announced, columns that a `*`
    /// left out, or models without a price, which are said once. Complete once the stream of [`execute`](Self::execute) has ended.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = match &self.step {
            Step::Read(plan, _) => remote::remarks(plan),
            Step::Write(_, written) => {
                let written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.as_ref().map(remote::remarks).unwrap_or_default()
            }
            Step::Refused => vec![],
        };
        remarks.extend(take_notes(&self.sought).into_iter().map(|text| Remark { text, incomplete: false }));
        remarks
    }
}
