//! The stream: who comes when, which traces are broken, and how rows become batches.

use std::collections::{BTreeMap, VecDeque};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::breakage::{ALL, Breakage, break_trace, interval};
use super::clock::Clock;
use super::columns::{Col, schema};
use super::facts::Facts;
use super::random::{Random, mix};
use super::rows::Rows;
use super::run::Run;
use super::trace::{Header, Parent, Trace};
use super::verdicts::{annotate, correctness};
use super::visit::{Project, Visit};

/// The number of spans that a demonstration holds unless told otherwise: about a week.
pub const DEFAULT_SPANS: u64 = 20_000;

/// The seed of a demonstration unless told otherwise.
pub const DEFAULT_SEED: u64 = 42;

/// Conversations that are under way at most; beyond it visitors leave after one turn, so that memory stays bounded.
const MAX_OPEN: usize = 4_096;
/// A trace that would overshoot the wanted size is played again this often before single calls fill the rest.
const ATTEMPTS: u64 = 6;
const HOUR: i64 = 3_600_000_000_000;

/// A stream of generated spans: the same for the same seed and size, on every platform.
///
/// Gives batches of up to 8,192 rows or about 8 MB, all with the same schema: the canonical columns that arrive (not
/// those that are computed from others) and open columns, null where a span has no value. Traces come roughly in
/// order of time, spans as they end, so children precede their parents, and a trace may continue in the next batch.
/// The number of distinct spans is the wanted one, made up of whole traces. Memory does not grow with the size.
///
/// ```
/// use spanql_demo::{DEFAULT_SEED, Generator};
///
/// let mut generator = Generator::new(DEFAULT_SEED, 500);
/// let rows: usize = generator.by_ref().map(|batch| batch.num_rows()).sum();
/// assert_eq!(generator.facts().spans, 500);
/// assert_eq!(generator.facts().rows, rows as u64);
/// ```
#[derive(Debug)]
pub struct Generator {
    seed: u64,
    spans: u64,
    clock: Clock,
    random: Random,
    facts: Facts,
    rows: Rows,
    ready: VecDeque<RecordBatch>,
    /// Conversations by the start of their next turn; the number keeps keys apart.
    open: BTreeMap<(i64, u64), Visit>,
    /// Second rows that are still to be sent, with the number of rows before them.
    repeated: VecDeque<(u64, Header, Trace)>,
    next_id: u64,
    next_visit: u64,
    breakages: u64,
}

impl Generator {
    /// A stream of this many distinct spans.
    pub fn new(seed: u64, spans: u64) -> Self {
        Self {
            seed,
            spans,
            clock: Clock::new(spans),
            random: Random::new(seed, u64::MAX),
            facts: Facts::default(),
            rows: Rows::new(),
            ready: VecDeque::new(),
            open: BTreeMap::new(),
            repeated: VecDeque::new(),
            next_id: mix(seed),
            next_visit: 0,
            breakages: 0,
        }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        schema()
    }

    /// What has been given so far; complete once the iterator has ended.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Plays one trace and sends its rows.
    fn advance(&mut self) {
        let now = self.clock.at(self.facts.spans);
        let room = self.spans - self.facts.spans;
        let due = self.open.first_key_value().map(|(&key, _)| key).filter(|&(start, _)| start <= now);
        let (mut visit, start) = match due.and_then(|key| Some((self.open.remove(&key)?, key.0))) {
            Some(turn) => turn,
            None => self.arrival(now),
        };
        let mut played = None;
        for attempt in 0..ATTEMPTS {
            let (trace, failed) = Run::new(self.stream(attempt), &visit).play(start);
            if trace.len() <= room {
                played = Some((trace, failed));
                break;
            }
        }
        let (trace, failed) = match played {
            Some(played) => played,
            None => {
                let seed = self.visit_seed();
                let progress = self.progress();
                visit = Visit::single(seed, &mut self.random, progress);
                Run::new(self.stream(ATTEMPTS), &visit).play(start)
            }
        };
        self.send(trace, &visit, failed);
    }

    /// The random stream of an attempt at the next trace.
    fn stream(&self, attempt: u64) -> Random {
        Random::new(self.seed, self.facts.traces * (ATTEMPTS + 2) + attempt)
    }

    fn progress(&self) -> f64 {
        self.facts.spans as f64 / self.spans as f64
    }

    fn visit_seed(&mut self) -> u64 {
        self.next_visit += 1;
        mix(mix(!self.seed).wrapping_add(self.next_visit))
    }

    /// Somebody comes, now or a little later; a few single traces arrive hours late.
    fn arrival(&mut self, now: i64) -> (Visit, i64) {
        let seed = self.visit_seed();
        // Now and then a task goes as deep as it gets, the third one first.
        let deep = self.next_visit % 32 == 3;
        let progress = self.progress();
        let mut visit = Visit::new(seed, &mut self.random, progress, deep);
        if self.open.len() >= MAX_OPEN {
            visit.turns = 1;
        }
        let jitter = self.random.log_normal(20e9, 1.0) as i64;
        let mut start = now + jitter.min(HOUR / 6);
        if !visit.has_session && self.random.chance(0.03) {
            let late = self.random.between(HOUR as u64 / 2, 9 * HOUR as u64) as i64;
            start = (start - late).max(self.clock.start());
        }
        (visit, start)
    }

    /// Gives the trace its ids, breaks it when one is due, counts it and writes its rows.
    fn send(&mut self, mut trace: Trace, visit: &Visit, failed: bool) {
        let mut random = self.stream(ATTEMPTS + 1);
        let named_by_root = visit.has_session && !visit.everywhere;
        let breakage = self.due_breakage();
        let broken = breakage.is_some_and(|b| break_trace(&mut trace, b, named_by_root, &mut random));
        let end = trace.end();
        let header = Header { project: visit.project.name(), trace_id: self.trace_id() };
        for span in &mut trace.spans {
            span.id = self.next_id();
            if matches!(span.parent, Parent::Missing(_)) {
                span.parent = Parent::Missing(self.next_id());
            }
        }
        self.breakages += u64::from(broken);
        self.facts.sessions += u64::from(visit.has_session && visit.turn == 0);
        self.facts.count(&trace);
        for span in trace.export_order() {
            header.write(&trace, span, &mut self.rows);
            self.ready.extend(self.rows.end_row());
        }
        if broken && breakage == Some(Breakage::Repeated) {
            self.repeat(header, trace, visit.project, &mut random);
        }
        let mut visit = visit.clone();
        if let Some(start) = visit.next_turn(&mut random, end, failed) {
            self.open.insert((start, self.facts.traces), visit);
        }
    }

    /// The next way to break a trace, once enough spans have gone by.
    fn due_breakage(&self) -> Option<Breakage> {
        let due = interval(self.spans).saturating_mul(self.breakages + 1);
        (self.facts.spans >= due).then(|| ALL[(self.breakages % ALL.len() as u64) as usize])
    }

    /// Plans a second row of one of the trace's spans, which knows an evaluation or annotation that the first did not.
    fn repeat(&mut self, header: Header, mut trace: Trace, project: Project, random: &mut Random) {
        let index = random.below(trace.spans.len() as u64) as usize;
        let span = &mut trace.spans[index];
        if span.get(Col::CorrectnessLabel).is_none() && random.chance(0.5) {
            correctness(span, project, random);
        } else if span.get(Col::QualityLabel).is_none() {
            annotate(&mut trace, index, random);
        }
        let parent = trace.parent_id(index).map_or(Parent::Root, Parent::Missing);
        let mut span = trace.spans.swap_remove(index);
        span.parent = parent;
        let due = self.facts.rows + random.between(400, 4_000);
        self.repeated.push_back((due, header, Trace { spans: vec![span], text: trace.text }));
    }

    /// Sends the second rows whose time has come, or all of them.
    fn send_repeated(&mut self, all: bool) {
        while let Some((_, header, trace)) = self.repeated.pop_front_if(|(due, ..)| all || *due <= self.facts.rows) {
            header.write(&trace, 0, &mut self.rows);
            self.facts.rows += 1;
            self.ready.extend(self.rows.end_row());
        }
    }

    /// An id that no other span and no half of a trace id has.
    fn next_id(&mut self) -> u64 {
        self.next_id = self.next_id.wrapping_add(1);
        mix(self.next_id)
    }

    fn trace_id(&mut self) -> u128 {
        (u128::from(self.next_id()) << 64) | u128::from(self.next_id())
    }
}

impl Iterator for Generator {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(batch);
            }
            if self.facts.spans < self.spans {
                self.advance();
                self.send_repeated(false);
            } else if self.repeated.is_empty() {
                return self.rows.take();
            } else {
                self.send_repeated(true);
            }
        }
    }
}
