//! The rows that a shell showed last, as far as they name spans, traces or sessions.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};

/// Ids that are kept at most.
const MOST: usize = 100_000;
/// Columns that name something, the most exact first, and the grain of each.
const COLUMNS: [(&[&str], &str); 3] = [
    (&["context.span_id", "span_id"], "span"),
    (&["context.trace_id", "trace_id"], "trace"),
    (&["attributes.session.id", "session_id"], "session"),
];

/// Which ids the last result named.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<Ids>>);

/// Ids of one grain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// What they name: `span`, `trace` or `session`; nothing where no column does.
    pub(super) grain: Option<&'static str>,
    /// Each once, in the order of the rows.
    pub(super) ids: Vec<String>,
    /// Whether there were more than are kept.
    pub(super) more: bool,
}

impl Shown {
    /// A result begins.
    pub(super) fn begin(&self, schema: &Schema) {
        let grain = COLUMNS.iter().find(|(names, _)| names.iter().any(|name| schema.index_of(name).is_ok()));
        *self.lock() = Ids { grain: grain.map(|(_, grain)| *grain), ..Ids::default() };
    }

    /// Some of its rows.
    pub(super) fn see(&self, batch: &RecordBatch) {
        let mut shown = self.lock();
        let Some((names, _)) = COLUMNS.iter().find(|(_, grain)| Some(*grain) == shown.grain) else { return };
        let Some(column) = names.iter().find_map(|name| batch.column_by_name(name)) else { return };
        let Ok(texts) = cast(column, &DataType::Utf8) else { return };
        let mut seen: std::collections::HashSet<String> = shown.ids.iter().cloned().collect();
        for id in texts.as_string::<i32>().iter().flatten() {
            if shown.ids.len() == MOST {
                shown.more = true;
                return;
            }
            if seen.insert(id.to_owned()) {
                shown.ids.push(id.to_owned());
            }
        }
    }

    /// What was seen.
    pub(super) fn ids(&self) -> Ids {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};

    use super::{Ids, Shown};

    #[test]
    fn the_most_exact_ids_are_kept_once() {
        let column = |ids: &[Option<&str>]| Arc::new(StringArray::from(ids.to_vec())) as ArrayRef;
        let batch = RecordBatch::try_from_iter([
            ("trace_id", column(&[Some("t"), Some("t"), Some("t")])),
            ("span_id", column(&[Some("b"), None, Some("a")])),
        ])
        .unwrap();
        let shown = Shown::default();
        shown.begin(batch.schema_ref());
        shown.see(&batch);
        shown.see(&batch);
        let expected = Ids { grain: Some("span"), ids: vec!["b".into(), "a".into()], more: false };
        assert_eq!(shown.ids(), expected);
        let other = batch.project(&[0]).unwrap();
        shown.begin(other.schema_ref());
        shown.see(&other);
        assert_eq!(shown.ids(), Ids { grain: Some("trace"), ids: vec!["t".into()], more: false });
    }
}
