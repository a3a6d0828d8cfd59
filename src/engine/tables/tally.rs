//! What is counted of the spans of a project, as they come by.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::datatypes::TimestampNanosecondType;

use super::truncated::Truncated;
use spanql_model::columns;

/// How much earlier than its parent a span may start without a clock being wrong, ns.
const EARLY: i64 = 1_000_000_000;

/// A project, and where the spans came from.
pub(super) type Key = (Option<String>, Option<String>);

/// Counts of the spans of one key.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) spans: u64,
    /// Traces with such a span.
    pub(super) traces: u64,
    /// Those of them without any span whose parent id is null.
    pub(super) rootless: u64,
    pub(super) orphans: u64,
    pub(super) cycles: u64,
    /// Spans without an end.
    pub(super) unfinished: u64,
    /// Spans that end before they start.
    pub(super) reversed: u64,
    /// Spans that start more than a second before their parent does.
    pub(super) early: u64,
    /// Inputs and outputs.
    pub(super) truncated: [Truncated; 2],
    /// All starts, ns since the epoch; a span without one is not among them.
    pub(super) starts: Vec<i64>,
}

/// What is looked at besides what is cheap.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    /// Whether spans start before their parents.
    pub(super) early: bool,
    /// Whether texts are cut.
    pub(super) truncated: bool,
}

/// The longest time between two starts that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    /// The start before it, ns since the epoch.
    pub(super) from: i64,
    /// The start after it.
    pub(super) to: i64,
}

/// Counts spans whose traces lie together.
#[derive(Debug, Default)]
pub(super) struct Tally {
    looks: Looks,
    counts: Vec<(Key, Counts)>,
    places: HashMap<Key, usize>,
    /// Where the row before was counted.
    last: usize,
    /// The trace of the row before.
    trace: Option<Trace>,
}

#[derive(Debug)]
struct Trace {
    project: Option<String>,
    id: Option<String>,
    /// Whether a span without a parent id was seen.
    rooted: bool,
    /// Places of the counts that a span of it went to.
    counted: Vec<usize>,
    /// The starts of its spans by the marks of their ids, where that is looked at.
    starts: HashMap<u64, i64>,
    /// The mark of a span's parent, its own start, and the place of its counts.
    below: Vec<(u64, i64, usize)>,
}

/// The columns of a batch.
struct Cells<'a> {
    project: &'a StringArray,
    source: &'a StringArray,
    trace_id: &'a StringArray,
    parent_id: &'a StringArray,
    start: &'a TimestampNanosecondArray,
    end: &'a TimestampNanosecondArray,
    orphan: &'a BooleanArray,
    cycle: &'a BooleanArray,
    span_id: Option<&'a StringArray>,
    texts: Vec<&'a StringArray>,
}

impl Tally {
    /// A tally that looks at this.
    pub(super) fn new(looks: Looks) -> Self {
        Self { looks, ..Self::default() }
    }

    /// The columns that a batch has.
    pub(super) fn read(looks: Looks) -> Vec<&'static str> {
        let early: &[&str] = if looks.early { &[columns::SPAN_ID] } else { &[] };
        let truncated: &[&str] = if looks.truncated { &[columns::INPUT, columns::OUTPUT] } else { &[] };
        Self::READ.iter().chain(early).chain(truncated).copied().collect()
    }

    /// About how many bytes are held of the trace that is under way.
    pub(super) fn trace_bytes(&self) -> usize {
        let trace = self.trace.as_ref();
        trace.map_or(0, |trace| trace.starts.capacity() * 24 + trace.below.capacity() * 24)
    }

    const READ: [&'static str; 8] = [
        columns::PROJECT,
        columns::SOURCE,
        columns::TRACE_ID,
        columns::PARENT_ID,
        columns::START_TIME,
        columns::END_TIME,
        "tree.orphan",
        "tree.cycle",
    ];

    /// Counts the spans of the next batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) {
        let text = |name: &str| batch[name].as_string::<i32>();
        let time = |name: &str| batch[name].as_primitive::<TimestampNanosecondType>();
        let [project, source, trace_id, parent_id, start, end, orphan, cycle] = Self::READ;
        let cells = Cells {
            project: text(project),
            source: text(source),
            trace_id: text(trace_id),
            parent_id: text(parent_id),
            start: time(start),
            end: time(end),
            orphan: batch[orphan].as_boolean(),
            cycle: batch[cycle].as_boolean(),
            span_id: self.looks.early.then(|| text(columns::SPAN_ID)),
            texts: if self.looks.truncated { vec![text(columns::INPUT), text(columns::OUTPUT)] } else { vec![] },
        };
        for row in 0..batch.num_rows() {
            self.add_row(&cells, row);
        }
    }

    fn add_row(&mut self, cells: &Cells<'_>, row: usize) {
        let (project, trace_id) = (cell(cells.project, row), cell(cells.trace_id, row));
        let same = |trace: &Trace| trace.id.as_deref() == trace_id && trace.project.as_deref() == project;
        if !self.trace.as_ref().is_some_and(same) {
            self.end_trace();
            let owned = |text: Option<&str>| text.map(str::to_owned);
            self.trace = Some(Trace {
                project: owned(project),
                id: owned(trace_id),
                rooted: false,
                counted: Vec::new(),
                starts: HashMap::new(),
                below: Vec::new(),
            });
        }
        let place = self.place(project, cell(cells.source, row));
        if let Some(trace) = &mut self.trace {
            trace.rooted |= cells.parent_id.is_null(row);
            if !trace.counted.contains(&place) {
                trace.counted.push(place);
            }
            if let Some(span_id) = cells.span_id
                && cells.start.is_valid(row)
            {
                let start = cells.start.value(row);
                if let Some(id) = cell(span_id, row) {
                    trace.starts.entry(mark(id)).or_insert(start);
                }
                trace.below.extend(cell(cells.parent_id, row).map(|parent| (mark(parent), start, place)));
            }
        }
        let counts = &mut self.counts[place].1;
        let set = |flags: &BooleanArray| u64::from(flags.is_valid(row) && flags.value(row));
        counts.spans += 1;
        for (truncated, texts) in counts.truncated.iter_mut().zip(&cells.texts) {
            if let Some(text) = cell(texts, row) {
                truncated.add_text(text);
            }
        }
        counts.orphans += set(cells.orphan);
        counts.cycles += set(cells.cycle);
        counts.unfinished += u64::from(cells.end.is_null(row));
        let both = cells.start.is_valid(row) && cells.end.is_valid(row);
        counts.reversed += u64::from(both && cells.end.value(row) < cells.start.value(row));
        if cells.start.is_valid(row) {
            counts.starts.push(cells.start.value(row));
        }
    }

    /// The place of the counts of a key, which is most often that of the row before.
    fn place(&mut self, project: Option<&str>, source: Option<&str>) -> usize {
        if let Some(((of_project, of_source), _)) = self.counts.get(self.last)
            && of_project.as_deref() == project
            && of_source.as_deref() == source
        {
            return self.last;
        }
        let key = (project.map(str::to_owned), source.map(str::to_owned));
        self.last = *self.places.entry(key).or_insert_with_key(|key| {
            self.counts.push((key.clone(), Counts::default()));
            self.counts.len() - 1
        });
        self.last
    }

    fn end_trace(&mut self) {
        let Some(trace) = self.trace.take() else { return };
        for place in trace.counted {
            let counts = &mut self.counts[place].1;
            counts.traces += 1;
            counts.rootless += u64::from(!trace.rooted);
        }
        for (parent, start, place) in trace.below {
            let is_early = trace.starts.get(&parent).is_some_and(|parent| parent.saturating_sub(start) > EARLY);
            self.counts[place].1.early += u64::from(is_early);
        }
    }

    /// What was counted, by key.
    pub(super) fn end(mut self) -> BTreeMap<Key, Counts> {
        self.end_trace();
        self.counts.into_iter().collect()
    }
}

fn mark(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

fn cell(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

impl Counts {
    /// Adds what was counted of other traces.
    pub(super) fn add(&mut self, other: Self) {
        self.spans += other.spans;
        self.traces += other.traces;
        self.rootless += other.rootless;
        self.orphans += other.orphans;
        self.cycles += other.cycles;
        self.unfinished += other.unfinished;
        self.reversed += other.reversed;
        self.early += other.early;
        for (truncated, other) in self.truncated.iter_mut().zip(&other.truncated) {
            truncated.add(other);
        }
        if self.starts.is_empty() {
            self.starts = other.starts;
        } else {
            self.starts.extend(other.starts);
        }
    }

    /// The longest pause, the first of several; none with fewer than two starts. Wants the starts sorted.
    pub(super) fn longest_pause(&self) -> Option<Pause> {
        let pauses = self.starts.array_windows().map(|[from, to]| Pause { from: *from, to: *to });
        pauses.reduce(|longest, next| if next.length() > longest.length() { next } else { longest })
    }
}

impl Pause {
    fn length(self) -> u64 {
        self.to.abs_diff(self.from)
    }
}
