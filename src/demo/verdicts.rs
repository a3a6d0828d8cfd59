//! Evaluations and annotations: noisy estimates of whether a span was good, which may contradict each other.

use super::clock::END_OF_TIME;
use super::columns::Col;
use super::random::Random;
use super::run::Run;
use super::text::{push_digits, push_json};
use super::trace::{Span, Trace, Value};
use super::visit::Project;
use super::words;

const MILLI: i64 = 1_000_000;
const HOUR_MS: i64 = 3_600_000;

impl Run<'_> {
    /// Evaluates about a fifth and annotates about 3 % of roots and model calls.
    pub(super) fn judge_afterwards(&mut self) {
        for i in 0..self.trace.spans.len() {
            if i > 0 && self.trace.spans[i].kind != "LLM" {
                continue;
            }
            if self.random.chance(0.2) {
                self.evaluate(i);
            }
            if i == 0 && self.random.chance(0.12) {
                self.evaluate_trace();
            }
            if self.random.chance(0.03) {
                annotate(&mut self.trace, i, &mut self.random);
            }
        }
    }

    fn evaluate(&mut self, index: usize) {
        let project = self.visit.project;
        correctness(&mut self.trace.spans[index], project, &mut self.random);
        let span = &mut self.trace.spans[index];
        if self.random.chance(0.5) {
            let factual = estimate(span.good, 0.84, &mut self.random);
            span.set(Col::HallucinationLabel, Value::Fixed(if factual { "factual" } else { "hallucinated" }));
            span.set(Col::HallucinationScore, Value::Float(if factual { 0.0 } else { 1.0 }));
            let why = if factual {
                "Every figure in the answer also occurs in the context."
            } else {
                "The answer states a date that is not in the context."
            };
            span.set(Col::HallucinationExplanation, Value::Fixed(why));
        }
        if self.random.chance(0.4) {
            let relevant = estimate(span.good, 0.8, &mut self.random);
            let score = self.random.between(0, 500) as f64 / 1_000.0 + if relevant { 0.5 } else { 0.0 };
            span.set(Col::RelevanceLabel, Value::Fixed(if relevant { "relevant" } else { "unrelated" }));
            span.set(Col::RelevanceScore, Value::Float(score));
            // This judge explains itself only when it complains.
            if !relevant {
                span.set(Col::RelevanceExplanation, Value::Fixed("The answer is about another question."));
            }
        }
    }

    fn evaluate_trace(&mut self) {
        let root = &mut self.trace.spans[0];
        let reached = estimate(root.good, 0.9, &mut self.random);
        root.set(Col::GoalLabel, Value::Fixed(if reached { "reached" } else { "missed" }));
        root.set(Col::GoalScore, Value::Float(if reached { 1.0 } else { 0.0 }));
        let why = if reached { "The user's goal was met in this trace." } else { "The user left without a result." };
        root.set(Col::GoalExplanation, Value::Fixed(why));
    }
}

/// The truth, or its opposite where the judge errs.
fn estimate(good: bool, accuracy: f64, random: &mut Random) -> bool {
    good == random.chance(accuracy)
}

/// Adds the evaluation `Correctness`.
pub(super) fn correctness(span: &mut Span, project: Project, random: &mut Random) {
    let correct = estimate(span.good, 0.9, random);
    span.set(Col::CorrectnessLabel, Value::Fixed(if correct { "correct" } else { "incorrect" }));
    span.set(Col::CorrectnessScore, Value::Float(if correct { 1.0 } else { 0.0 }));
    let why = match (project, correct) {
        (Project::Support, true) => "The answer agrees with the order data and with the policy.",
        (Project::Support, false) => "The answer promises a refund that the policy does not allow.",
        (Project::Research, true) => "All claims are backed by the sources given.",
        (Project::Research, false) => "Two claims have no source, and one number differs from the table.",
    };
    span.set(Col::CorrectnessExplanation, Value::Fixed(why));
}

/// Adds the annotation `Quality`, and sometimes `Tone` and notes.
pub(super) fn annotate(trace: &mut Trace, index: usize, random: &mut Random) {
    let human = random.chance(0.7);
    let (kind, by) = if human { ("HUMAN", random.word(words::ANNOTATORS)) } else { ("LLM", "judge-v2") };
    let end = trace.spans[index].end;
    let after = random.log_normal(5.0 * HOUR_MS as f64, 1.0) as i64;
    let at = (end / MILLI + after).min(END_OF_TIME / MILLI - 1);
    let good = estimate(trace.spans[index].good, 0.85, random);
    let span = &mut trace.spans[index];
    span.set(Col::QualityKind, Value::Fixed(kind));
    span.set(Col::QualityLabel, Value::Fixed(if good { "good" } else { "bad" }));
    span.set(Col::QualityScore, Value::Float(random.between(0, 3) as f64 + if good { 3.0 } else { 0.0 }));
    span.set(Col::QualityBy, Value::Fixed(by));
    span.set(Col::QualityAt, Value::Int(at));
    if human {
        let why = if good {
            "Clear, and correct as far as I can tell."
        } else {
            "Did not answer what was asked – please review."
        };
        span.set(Col::QualityText, Value::Fixed(why));
    }
    if random.chance(0.4) {
        let polite = random.chance(0.8);
        span.set(Col::ToneKind, Value::Fixed("CODE"));
        span.set(Col::ToneLabel, Value::Fixed(if polite { "polite" } else { "curt" }));
        span.set(Col::ToneScore, Value::Float(if polite { 0.9 } else { 0.2 }));
        span.set(Col::ToneText, Value::Fixed("rule-based"));
        span.set(Col::ToneBy, Value::Fixed("tone-rules"));
        span.set(Col::ToneAt, Value::Int(at));
    }
    if human && random.chance(0.4) {
        let start = trace.text.len();
        let text = &mut trace.text;
        text.push_str("[{\"text\":\"");
        push_json(
            text,
            if good {
                "Use as an example in the onboarding."
            } else {
                "Same problem as last week: \"policy\" was ignored."
            },
        );
        text.push_str("\",\"updated_by\":\"");
        text.push_str(by);
        text.push_str("\",\"updated_at\":");
        push_digits(text, at as u64, 1);
        text.push_str("}]");
        let notes = Value::Text(trace.since(start));
        trace.set(index, Col::Notes, notes);
    }
}
