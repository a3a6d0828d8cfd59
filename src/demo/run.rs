//! A trace while it is being played: time, failures, and the finishing touches that every trace gets.

use super::catalog::{Delay, Problem};
use super::clock::push_time;
use super::columns::Col;
use super::random::Random;
use super::text::{Domain, fill, push_digits, push_hex, push_json};
use super::trace::{Parent, Trace, Value};
use super::usage::Usage;
use super::visit::{Project, Scenario, Visit};
use super::words;

/// A step that failed, as those above it see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) problem: &'static Problem,
    message: Value,
    stack: Value,
}

/// When a step ended, and whether it failed.
pub(super) type Step = (i64, Result<(), Failure>);

/// One trace being played.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) random: Random,
    pub(super) visit: &'a Visit,
    pub(super) domain: &'static Domain,
    pub(super) trace: Trace,
    /// What the user says at this turn.
    pub(super) question: String,
    /// The same, kept in the trace's text.
    pub(super) asked: Value,
    /// What the assistant will answer.
    pub(super) answer: &'static str,
    /// Fills the slots of this turn's templates.
    pub(super) turn_seed: u64,
    /// Room for text under construction.
    pub(super) scratch: String,
}

impl<'a> Run<'a> {
    pub(super) fn new(random: Random, visit: &'a Visit) -> Self {
        let domain = visit.project.domain();
        let turn_seed = visit.turn_seed(visit.turn);
        let mut question = String::new();
        domain.question(turn_seed, visit.turn, &mut question);
        let mut trace = Trace::default();
        let asked = trace.keep(&question);
        let answer = domain.answer(turn_seed);
        Self { random, visit, domain, trace, question, asked, answer, turn_seed, scratch: String::new() }
    }

    /// Plays the whole trace from `start`; gives it, and whether the visitor was left without an answer.
    pub(super) fn play(mut self, start: i64) -> (Trace, bool) {
        let failed = match self.visit.scenario {
            Scenario::Support => self.support(start),
            Scenario::Research(levels) => self.research(start, levels),
            Scenario::Triage => self.triage(start),
            Scenario::Completion => self.completion(start),
            Scenario::Indexing => self.indexing(start),
        };
        if self.visit.repeats_usage {
            self.repeat_usage();
        }
        self.judge_afterwards();
        self.label();
        (self.trace, failed)
    }

    /// A short pause between two steps.
    pub(super) fn pause(&mut self) -> i64 {
        self.random.between(18_000, 900_000) as i64
    }

    pub(super) fn set(&mut self, span: usize, col: Col, value: Value) {
        self.trace.set(span, col, value);
    }

    /// Appends a filled template to the text.
    pub(super) fn filled(&mut self, template: &str) -> Value {
        let start = self.trace.text.len();
        fill(template, self.turn_seed, &mut self.trace.text);
        Value::Text(self.trace.since(start))
    }

    /// Sets input or output text together with its type.
    pub(super) fn input(&mut self, span: usize, value: Value, mime: &'static str) {
        self.set(span, Col::Input, value);
        self.set(span, Col::InputMime, Value::Fixed(mime));
    }

    pub(super) fn output(&mut self, span: usize, value: Value, mime: &'static str) {
        self.set(span, Col::Output, value);
        self.set(span, Col::OutputMime, Value::Fixed(mime));
    }

    /// Ends a span a moment after its last step.
    pub(super) fn close(&mut self, span: usize, at: i64) -> i64 {
        let end = at + self.pause();
        self.trace.spans[span].end = end;
        end
    }

    /// How long a step that usually takes so many milliseconds runs before it fails in this way.
    pub(super) fn giving_up(&mut self, problem: &Problem, usual: f64) -> i64 {
        match problem.delay {
            Delay::Share(share) => self.random.millis(usual * share, 0.4),
            Delay::Fixed(millis) => self.random.millis(millis, 0.003),
        }
    }

    /// Ends a span with a failure of its own.
    pub(super) fn fail(&mut self, span: usize, end: i64, problem: &'static Problem) -> Failure {
        let message = self.filled(problem.message);
        let start = self.trace.text.len();
        let text = &mut self.trace.text;
        text.push_str("Traceback (most recent call last):\n  File \"app/agent.py\", line ");
        push_digits(text, self.random.between(40, 400), 1);
        text.push_str(", in step\n    result = await self._run(action)\n  File \"");
        text.push_str(problem.place.0);
        text.push_str("\", line ");
        push_digits(text, self.random.between(12, 900), 1);
        text.push_str(", in ");
        text.push_str(problem.place.1);
        text.push('\n');
        text.push_str(problem.kind);
        text.push_str(": ");
        fill(problem.message, self.turn_seed, text);
        let stack = Value::Text(self.trace.since(start));
        let failure = Failure { problem, message, stack };
        self.fail_with(span, end, failure, false);
        failure
    }

    /// Ends a span with a failure that came from below.
    pub(super) fn pass_on(&mut self, span: usize, at: i64, failure: Failure) -> i64 {
        let end = at + self.pause();
        self.fail_with(span, end, failure, true);
        end
    }

    fn fail_with(&mut self, span: usize, end: i64, failure: Failure, escaped: bool) {
        let (kind, message, stack) = (failure.problem.kind, failure.message, failure.stack);
        self.trace.spans[span].status = "ERROR";
        self.trace.spans[span].good = false;
        self.trace.spans[span].end = end;
        self.set(span, Col::StatusMessage, message);
        self.set(span, Col::ExceptionType, Value::Fixed(kind));
        self.set(span, Col::ExceptionMessage, message);
        self.set(span, Col::ExceptionStack, stack);
        self.set(span, Col::ExceptionEscaped, Value::Flag(escaped));
        self.scratch.clear();
        let json = &mut self.scratch;
        json.push_str("[{\"name\":\"exception\",\"timestamp\":\"");
        push_time(json, end - 1_000 - self.random.below(9_000) as i64);
        json.push_str("\",\"attributes\":{\"exception.type\":\"");
        json.push_str(kind);
        for (name, value) in [("message", message), ("stacktrace", stack)] {
            json.push_str("\",\"exception.");
            json.push_str(name);
            json.push_str("\":\"");
            push_json(json, self.trace.text_of(value));
        }
        json.push_str("\",\"exception.escaped\":\"");
        json.push_str(if escaped { "True\"}}]" } else { "False\"}}]" });
        let events = self.trace.keep(&self.scratch);
        self.set(span, Col::Events, events);
    }

    /// Gives agents and roots the sum of the model calls below them.
    fn repeat_usage(&mut self) {
        let mut sums = vec![Usage::default(); self.trace.spans.len()];
        for i in (0..sums.len()).rev() {
            let span = &self.trace.spans[i];
            let parent = span.parent;
            if span.kind == "LLM" {
                sums[i] = Usage::of(span);
            } else if sums[i].prompt > 0 && (span.kind == "AGENT" || i == 0) {
                sums[i].set(&mut self.trace.spans[i]);
            }
            if let Parent::Span(parent) = parent {
                let below = sums[i];
                sums[parent].add(below);
            }
        }
    }

    /// Adds session, user, metadata and region.
    fn label(&mut self) {
        let visit = self.visit;
        let (mut session, mut user) = (None, None);
        if visit.has_session {
            let start = self.trace.text.len();
            self.trace.text.push_str("sess-");
            push_hex(&mut self.trace.text, visit.seed);
            session = Some(Value::Text(self.trace.since(start)));
        }
        if visit.scenario != Scenario::Indexing {
            let start = self.trace.text.len();
            self.trace.text.push_str("user-");
            push_digits(&mut self.trace.text, visit.user, 4);
            user = Some(Value::Text(self.trace.since(start)));
        }
        let metadata = self.metadata();
        let region = Value::Fixed(words::REGIONS[(visit.user % 3) as usize]);
        let on_calls = visit.seed & 3 == 0;
        for i in 0..self.trace.spans.len() {
            let span = &mut self.trace.spans[i];
            // One of the two applications sends an empty message where the other sends none.
            if visit.project == Project::Research && span.status != "ERROR" {
                span.set(Col::StatusMessage, Value::Fixed(""));
            }
            if i == 0 || visit.everywhere {
                session.into_iter().for_each(|session| span.set(Col::SessionId, session));
                user.into_iter().for_each(|user| span.set(Col::UserId, user));
            }
            if i == 0 || (on_calls && span.kind == "LLM") {
                span.set(Col::Metadata, metadata);
                span.set(Col::Region, region);
            }
        }
    }

    fn metadata(&mut self) -> Value {
        let visit = self.visit;
        let pick = |list: &[&'static str], bits: u64| list[(bits % list.len() as u64) as usize];
        let start = self.trace.text.len();
        let text = &mut self.trace.text;
        let strings = [
            ("{\"tenant\":\"", pick(words::TENANTS, visit.user)),
            ("\",\"tier\":\"", pick(words::TIERS, visit.user / 7)),
            ("\",\"release\":\"", pick(words::RELEASES, visit.version as u64 + (visit.seed >> 63))),
            ("\",\"experiment\":\"", pick(words::EXPERIMENTS, visit.seed >> 32)),
        ];
        for (key, value) in strings {
            text.push_str(key);
            text.push_str(value);
        }
        text.push_str("\",\"seats\":");
        push_digits(text, 1 + visit.user % 40, 1);
        text.push_str(",\"sampling\":0.");
        push_digits(text, 1 + visit.user % 9, 1);
        text.push_str(if visit.user.is_multiple_of(5) { ",\"beta\":true}" } else { ",\"beta\":false}" });
        Value::Text(self.trace.since(start))
    }
}
