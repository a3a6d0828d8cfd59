//! A generated trace before it becomes rows.

use super::columns::Col;
use super::rows::Rows;
use super::text::hex;

/// A stretch of a trace's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    start: u32,
    end: u32,
}

/// One value of a span.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Fixed(&'static str),
    Text(Text),
    Int(i64),
    Float(f64),
    Flag(bool),
}

/// What a span hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    Root,
    /// The span with this index in the trace.
    Span(usize),
    /// A span that is nowhere in the data, by its id.
    Missing(u64),
}

/// One span.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Set when the trace is accepted.
    pub(super) id: u64,
    pub(super) parent: Parent,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) status: &'static str,
    /// Steps from the top, which has 1, as the trace was before anything was broken.
    pub(super) depth: u32,
    /// Whether what it gave was right: the hidden truth that evaluations and annotations estimate.
    pub(super) good: bool,
    /// The span is left out of the data.
    pub(super) lost: bool,
    /// The span lies on a cycle of parents.
    pub(super) on_cycle: bool,
    cells: Vec<(Col, Value)>,
}

impl Span {
    /// The value of a column, if it has one.
    pub(super) fn get(&self, col: Col) -> Option<Value> {
        self.cells.iter().find(|(c, _)| *c == col).map(|(_, value)| *value)
    }

    /// Sets a column that has no value yet.
    pub(super) fn set(&mut self, col: Col, value: Value) {
        debug_assert!(self.get(col).is_none(), "{col:?} is set twice on {}", self.name);
        self.cells.push((col, value));
    }
}

/// The spans of one trace, parents before children, and their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    pub(super) spans: Vec<Span>,
    pub(super) text: String,
}

impl Trace {
    /// Adds a span that so far ends when it starts; gives its index.
    pub(super) fn open(&mut self, parent: Option<usize>, name: &'static str, kind: &'static str, start: i64) -> usize {
        let depth = parent.map_or(1, |p| self.spans[p].depth + 1);
        self.spans.push(Span {
            id: 0,
            parent: parent.map_or(Parent::Root, Parent::Span),
            name,
            kind,
            start,
            end: start,
            status: "OK",
            depth,
            good: true,
            lost: false,
            on_cycle: false,
            cells: Vec::with_capacity(24),
        });
        self.spans.len() - 1
    }

    pub(super) fn set(&mut self, span: usize, col: Col, value: Value) {
        self.spans[span].set(col, value);
    }

    /// The text added since `start`, which is a former length of [`Self::text`].
    pub(super) fn since(&self, start: usize) -> Text {
        Text { start: start as u32, end: self.text.len() as u32 }
    }

    /// Adds text.
    pub(super) fn keep(&mut self, text: &str) -> Value {
        let start = self.text.len();
        self.text.push_str(text);
        Value::Text(self.since(start))
    }

    /// A text value; nothing for other values.
    pub(super) fn text_of(&self, value: Value) -> &str {
        match value {
            Value::Fixed(text) => text,
            Value::Text(Text { start, end }) => &self.text[start as usize..end as usize],
            _ => "",
        }
    }

    /// Number of spans that are in the data.
    pub(super) fn len(&self) -> u64 {
        self.spans.iter().filter(|s| !s.lost).count() as u64
    }

    /// The latest end.
    pub(super) fn end(&self) -> i64 {
        self.spans.iter().map(|s| s.end).max().unwrap_or(0)
    }

    /// The order in which an exporter sends the spans: as they end, children before their parents.
    pub(super) fn export_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.spans.len()).filter(|&i| !self.spans[i].lost).collect();
        order.sort_unstable_by_key(|&i| (self.spans[i].end, std::cmp::Reverse(i)));
        order
    }

    /// The id that a span names as its parent.
    pub(super) fn parent_id(&self, span: usize) -> Option<u64> {
        match self.spans[span].parent {
            Parent::Root => None,
            Parent::Span(parent) => Some(self.spans[parent].id),
            Parent::Missing(id) => Some(id),
        }
    }
}

/// What all rows of a trace share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) project: &'static str,
    pub(super) trace_id: u128,
}

impl Header {
    /// Writes the values of a span into the current row.
    pub(super) fn write(self, trace: &Trace, index: usize, rows: &mut Rows) {
        let span = &trace.spans[index];
        let id = |rows: &mut Rows, col, bytes: &[u8]| {
            // Always hexadecimal digits.
            rows.text(col, std::str::from_utf8(bytes).unwrap_or_default());
        };
        rows.text(Col::Project, self.project);
        rows.text(Col::Source, "demo");
        let mut trace_id = [0; 32];
        trace_id[..16].copy_from_slice(&hex((self.trace_id >> 64) as u64));
        trace_id[16..].copy_from_slice(&hex(self.trace_id as u64));
        id(rows, Col::TraceId, &trace_id);
        id(rows, Col::SpanId, &hex(span.id));
        if let Some(parent) = trace.parent_id(index) {
            id(rows, Col::ParentId, &hex(parent));
        }
        rows.text(Col::Name, span.name);
        rows.text(Col::Kind, span.kind);
        rows.int(Col::Start, span.start);
        rows.int(Col::End, span.end);
        rows.text(Col::Status, span.status);
        for &(col, value) in &span.cells {
            match value {
                Value::Fixed(text) => rows.text(col, text),
                Value::Text(Text { start, end }) => rows.text(col, &trace.text[start as usize..end as usize]),
                Value::Int(value) => rows.int(col, value),
                Value::Float(value) => rows.float(col, value),
                Value::Flag(value) => rows.flag(col, value),
            }
        }
    }
}
