//! Rows as Opik's user interface and its exporter save them: without the trace of a span, and with empty text for what is
//! not there.

use std::borrow::Cow;
use std::sync::Arc;

use spanql_model::json::{Tree, Value, members};

use super::parts::Parts;
use super::spans::{Around, Out};
use crate::opik::rows::{write_span_row, write_trace_row};

/// The type of a trace among spans.
const TRACE: &str = "trace";
/// Members that the interface saves of each span and trace.
const SAVED: [&str; 4] = ["type", "duration", "total_estimated_cost", "thread_id"];
/// Beginnings of columns that its tables show.
const SHOWN: [&str; 2] = ["feedback_scores.", "usage."];
/// Levels of keys that a dotted name is taken apart into: what is behind them is one key, dots and all.
const DEEPEST: usize = 32;
/// Why a span is none.
const NO_TRACE: &str = "a span of Opik without its trace: the user interface saves the trace's id only with the trace; \
                        save the whole trace, or pull the project";

/// The members of one span or trace.
#[derive(Debug)]
pub(in crate::files) struct Exported(Tree<'static>);

impl Default for Exported {
    fn default() -> Self {
        Self(Tree::Object(vec![]))
    }
}

impl Exported {
    /// Sets what a path has: one member, or a key of `input`, `output`, `metadata`, `usage` or `error_info`.
    pub(in crate::files) fn set(&mut self, path: String, value: Tree<'static>) {
        let Tree::Object(known) = &mut self.0 else { return };
        let member = path.split('.').next().filter(|member| *member != "feedback_scores" && *member != path);
        match member.map(str::to_owned) {
            None => known.push((Cow::Owned(path), value)),
            Some(member) => {
                let key = path.get(member.len() + 1..).unwrap_or_default().to_owned();
                let at = known.iter().position(|(name, _)| *name == member).unwrap_or_else(|| {
                    known.push((Cow::Owned(member), Tree::Object(vec![])));
                    known.len() - 1
                });
                // Keys of counts have dots in them.
                if let Some((name, Tree::Object(inside))) = known.get_mut(at) {
                    match name.as_ref() {
                        "usage" => inside.push((Cow::Owned(key), value)),
                        _ => set_at(inside, &key, value, DEEPEST),
                    }
                }
            }
        }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_text().filter(|text| !text.is_empty())
    }

    fn json(&self) -> String {
        let mut out = String::new();
        self.0.write(&mut out);
        out
    }
}

fn set_at(members: &mut Vec<(Cow<'static, str>, Tree<'static>)>, path: &str, value: Tree<'static>, room: usize) {
    let parts = path.split_once('.').filter(|_| room > 0);
    let (key, rest) = parts.map_or((path, None), |(key, rest)| (key, Some(rest)));
    let Some(rest) = rest else { return members.push((Cow::Owned(key.to_owned()), value)) };
    let at = members.iter().position(|(known, _)| known == key).unwrap_or_else(|| {
        members.push((Cow::Owned(key.to_owned()), Tree::Object(vec![])));
        members.len() - 1
    });
    match members.get_mut(at) {
        Some((_, Tree::Object(inside))) => set_at(inside, rest, value, room - 1),
        _ => members.push((Cow::Owned(path.to_owned()), value)),
    }
}

/// Makes rows of what was saved, and knows the trace that came before.
#[derive(Debug, Default)]
pub(in crate::files) struct Rows {
    trace: Option<String>,
    thread: Option<String>,
}

impl Rows {
    /// The row of a span or a trace that stands alone.
    ///
    /// # Errors
    /// When it is a span, and neither it nor a trace before it says to which trace it belongs.
    pub(in crate::files) fn one(&mut self, row: Exported) -> Result<String, String> {
        let is_trace = row.text("trace_id").is_none() && row.text("type").is_none_or(|kind| kind == TRACE);
        let mut out = String::new();
        if is_trace {
            self.trace = row.text("id").map(str::to_owned);
            self.thread = row.text("thread_id").map(str::to_owned);
            write_trace_row(&row.without_type().json(), &mut out);
            return Ok(out);
        }
        if row.text("trace_id").is_some() {
            write_span_row(&row.json(), None, true, &mut out);
            return Ok(out);
        }
        let Some(trace) = self.trace.clone() else { return Err(NO_TRACE.to_owned()) };
        let mut row = row;
        row.set("trace_id".to_owned(), Tree::Text(Cow::Owned(trace)));
        // Whose child it is was not saved; that it is the trace's would be a guess that hides what another file knows.
        write_span_row(&row.json(), self.thread.as_deref(), false, &mut out);
        Ok(out)
    }

    /// The rows of a span and its trace; the trace has one only before its first span.
    pub(in crate::files) fn pair(&mut self, trace: Exported, mut span: Exported) -> Vec<String> {
        let mut rows = vec![];
        let id = trace.text("id").map(str::to_owned);
        if id.is_some() && id != self.trace {
            let mut row = String::new();
            write_trace_row(&trace.json(), &mut row);
            rows.push(row);
        }
        if span.text("id").is_some() {
            if let Some(id) = id.clone().filter(|_| span.text("trace_id").is_none()) {
                span.set("trace_id".to_owned(), Tree::Text(Cow::Owned(id)));
            }
            let mut row = String::new();
            write_span_row(&span.json(), trace.text("thread_id"), true, &mut row);
            rows.push(row);
        }
        self.trace = id;
        rows
    }
}

impl Exported {
    fn without_type(mut self) -> Self {
        if let Tree::Object(members) = &mut self.0 {
            members.retain(|(name, _)| name != "type");
        }
        self
    }
}

/// Whether an object is one that the interface saved.
pub(super) fn is_exported(parts: &Parts<'_>) -> bool {
    let ids = ["span_id", "context", "context.span_id"];
    let shown = || parts.members.iter().any(|member| SHOWN.iter().any(|begin| member.key.starts_with(begin)));
    parts.has("id")
        && parts.has("start_time")
        && !parts.has_any(&ids)
        && ((!parts.has("trace_id") && SAVED.iter().all(|member| parts.has(member))) || shown())
}

/// Writes the row of what was saved; the trace before it is what [`Around`] names.
pub(super) fn exported(text: &str, around: &Arc<Around>, out: &mut Out<'_>) {
    let mut rows =
        Rows { trace: around.named(TRACE).map(str::to_owned), thread: around.named("thread").map(str::to_owned) };
    match read(text).map(|row| rows.one(row)) {
        Some(Ok(row)) => out.row.object(&row),
        Some(Err(reason)) => out.bad = Some(reason),
        None => {}
    }
}

/// What a trace that was saved says of the spans behind it.
pub(super) fn trace_before(text: &str) -> Option<Vec<(String, String)>> {
    if !Parts::read(text).is_some_and(|parts| is_exported(&parts)) {
        return None;
    }
    let row = read(text)?;
    if row.text("type").is_some_and(|kind| kind != TRACE) {
        return None;
    }
    let named = [(TRACE, row.text("id")), ("thread", row.text("thread_id"))];
    Some(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect())
}

/// The members that say something.
fn read(text: &str) -> Option<Exported> {
    let mut row = Exported::default();
    for member in members(text)? {
        if matches!(member.value, Value::Null | Value::Text("")) {
            continue;
        }
        if let Some(value) = Tree::parse(&member.value.written()).map(Tree::into_owned) {
            row.set(member.key.into_owned(), value);
        }
    }
    Some(row)
}
