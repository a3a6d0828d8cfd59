//! Spans and traces as they are, for what built-in queries say of them to be computed a second time, without SQL.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::support::ask_rows;

pub(crate) type Row = BTreeMap<String, String>;

/// A span: its values by column.
pub(crate) struct Span(pub(crate) Row);

impl Span {
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }

    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        self.get(column).map(|text| text.parse().unwrap())
    }

    pub(crate) fn time(&self, column: &str) -> Option<i64> {
        self.get(column).map(|text| text.parse().unwrap())
    }

    pub(crate) fn id(&self) -> &str {
        self.get("context.span_id").unwrap()
    }

    pub(crate) fn parent(&self) -> Option<&str> {
        self.get("parent_id")
    }

    pub(crate) fn kind(&self) -> &str {
        self.get("attributes.openinference.span.kind").unwrap_or_default()
    }

    pub(crate) fn failed(&self) -> bool {
        self.get("status_code") == Some("ERROR")
    }

    pub(crate) fn start(&self) -> i64 {
        self.time("start_time").unwrap()
    }
}

/// The spans of a trace.
pub(crate) struct Trace {
    pub(crate) id: String,
    pub(crate) spans: Vec<Span>,
}

impl Trace {
    pub(crate) fn span(&self, id: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.id() == id)
    }

    /// What is met on the way up by the ids as they are, until something is met again.
    fn way_up(&self, span: &Span) -> Vec<&Span> {
        let mut seen = HashSet::from([span.id().to_owned()]);
        let mut way = Vec::new();
        let mut next = span.parent().and_then(|id| self.span(id));
        while let Some(span) = next.filter(|span| seen.insert(span.id().to_owned())) {
            way.push(span);
            next = span.parent().and_then(|id| self.span(id));
        }
        way
    }

    pub(crate) fn is_orphan(&self, span: &Span) -> bool {
        span.parent().is_some_and(|id| self.span(id).is_none())
    }

    /// Whether going up from it comes back to it.
    pub(crate) fn is_in_cycle(&self, span: &Span) -> bool {
        let last = self.way_up(span).last().copied().unwrap_or(span);
        last.parent() == Some(span.id())
    }

    /// Whether it is where a cycle is cut: its earliest member has nothing above it.
    fn is_cut(&self, span: &Span) -> bool {
        let place = |span: &Span| (span.start(), span.id().to_owned());
        self.is_in_cycle(span) && self.way_up(span).into_iter().all(|other| place(span) <= place(other))
    }

    /// Spans above one in the tree, the nearest first.
    pub(crate) fn above(&self, span: &Span) -> Vec<&Span> {
        let mut above = Vec::new();
        if !self.is_cut(span) {
            for next in self.way_up(span) {
                above.push(next);
                if self.is_cut(next) {
                    break;
                }
            }
        }
        above
    }

    pub(crate) fn root(&self) -> &Span {
        let earliest = |spans: Vec<&'_ Span>| spans.into_iter().map(|span| (span.start(), span.id().to_owned())).min();
        let roots = self.spans.iter().filter(|span| span.parent().is_none()).collect();
        let tops = self.spans.iter().filter(|span| self.is_orphan(span)).collect();
        let (_, id) = earliest(roots).or_else(|| earliest(tops)).unwrap();
        self.span(&id).unwrap()
    }

    pub(crate) fn start(&self) -> i64 {
        self.spans.iter().map(Span::start).min().unwrap()
    }

    pub(crate) fn latency_ms(&self) -> f64 {
        let end = self.spans.iter().filter_map(|span| span.time("end_time")).max().unwrap();
        (end - self.start()) as f64 / 1e6
    }

    /// The sum of a column over the spans that have nothing of it below them.
    pub(crate) fn total(&self, column: &str) -> f64 {
        let mut covered = HashSet::new();
        for span in self.spans.iter().filter(|span| span.number(column).is_some_and(|value| value > 0.0)) {
            covered.extend(self.above(span).into_iter().map(|span| span.id().to_owned()));
        }
        let counted = self.spans.iter().filter(|span| !covered.contains(span.id()));
        counted.filter_map(|span| span.number(column)).sum()
    }

    pub(crate) fn sessions(&self) -> BTreeSet<&str> {
        self.spans.iter().filter_map(|span| span.get("attributes.session.id")).collect()
    }
}

pub(crate) async fn traces(engine: &spanql::engine::Engine) -> Vec<Trace> {
    let mut by_id: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for row in ask_rows(engine, "SELECT * FROM spans").await.unwrap() {
        by_id.entry(row["context.trace_id"].clone()).or_default().push(Span(row));
    }
    by_id.into_iter().map(|(id, spans)| Trace { id, spans }).collect()
}

/// The spans of a kind by some text.
pub(crate) fn grouped<'a>(
    traces: &'a [Trace],
    kind: &str,
    by: impl Fn(&'a Span) -> String,
) -> BTreeMap<String, Vec<&'a Span>> {
    let mut groups: BTreeMap<String, Vec<&Span>> = BTreeMap::new();
    for span in traces.iter().flat_map(|trace| &trace.spans).filter(|span| kind.is_empty() || span.kind() == kind) {
        groups.entry(by(span)).or_default().push(span);
    }
    groups
}

pub(crate) const DAY: i64 = 86_400_000_000_000;

pub(crate) fn tool(span: &Span) -> String {
    span.get("attributes.tool.name").or(span.get("name")).unwrap().to_owned()
}

pub(crate) fn sum(spans: &[&Span], column: &str) -> f64 {
    spans.iter().filter_map(|span| span.number(column)).sum()
}

pub(crate) fn errors(spans: &[&Span]) -> f64 {
    spans.iter().filter(|span| span.failed()).count() as f64
}

pub(crate) fn percent(part: f64, whole: usize) -> f64 {
    100.0 * part / whole as f64
}

/// The value below which a share of the values lies, between the two nearest ones.
pub(crate) fn percentile(spans: &[&Span], share: f64) -> f64 {
    let mut values: Vec<f64> = spans.iter().filter_map(|span| span.number("latency_ms")).collect();
    values.sort_by(f64::total_cmp);
    let at = share * (values.len() - 1) as f64;
    let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// A number of a result is one that was computed, as far as it is rounded.
#[track_caller]
pub(crate) fn near(row: &Row, column: &str, wanted: f64, step: f64) {
    let found: f64 = row.get(column).unwrap_or_else(|| panic!("no {column} in {row:?}")).parse().unwrap();
    assert!((found - wanted).abs() <= step * 0.500_001, "{column} is {found}, not {wanted}: {row:?}");
}

pub(crate) fn column<'a>(rows: &'a [Row], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str()).collect()
}
