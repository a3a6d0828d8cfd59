//! The steps of an agent besides model calls: tools, retrieval, guardrails, judges.

use super::catalog::{EMBEDDERS, RESEARCH_TOOLS, SUPPORT_TOOLS, TIMEOUT, Tool};
use super::columns::Col;
use super::model_call::{Ask, Role};
use super::prompt::{Doc, push_documents};
use super::random::mix;
use super::run::{Failure, Run, Step};
use super::text::{push_digits, push_json};
use super::trace::Value;
use super::visit::Project;
use super::words;

/// Numbers in an embedding: the first few of many, as exporters that save room keep them.
const DIMENSIONS: usize = 8;

impl Run<'_> {
    /// One of the project's tools.
    pub(super) fn pick_tool(&mut self) -> &'static Tool {
        match self.visit.project {
            Project::Support => self.random.pick(SUPPORT_TOOLS),
            Project::Research => self.random.pick(RESEARCH_TOOLS),
        }
    }

    /// Calls a tool, again after what passes.
    pub(super) fn call_tool(&mut self, parent: usize, at: i64, tool: &'static Tool) -> Step {
        let mut at = at;
        let mut attempt = 1;
        loop {
            let (end, result) = self.call_tool_once(parent, at, tool, attempt);
            let Err(failure) = result else { return (end, Ok(())) };
            if !failure.problem.passes || attempt == 3 || self.random.chance(0.2) {
                return (end, Err(failure));
            }
            at = end + self.random.millis(250.0 * f64::from(1 << attempt), 0.2);
            attempt += 1;
        }
    }

    fn call_tool_once(&mut self, parent: usize, at: i64, tool: &'static Tool, attempt: i64) -> Step {
        let span = self.trace.open(Some(parent), tool.name, "TOOL", at);
        self.set(span, Col::ToolName, Value::Fixed(tool.name));
        self.set(span, Col::ToolDescription, Value::Fixed(tool.description));
        self.set(span, Col::ToolParameters, Value::Fixed(tool.parameters));
        let arguments = self.filled(tool.arguments);
        self.input(span, arguments, "application/json");
        if attempt > 1 {
            self.set(span, Col::Attempt, Value::Int(attempt));
        }
        // Failures come in clusters: whoever failed once is likelier to fail again.
        let risk = if attempt == 1 { tool.risk } else { tool.risk + 0.2 };
        if self.random.chance(risk) {
            let problem = self.random.pick(tool.problems);
            let end = at + self.giving_up(problem, tool.millis);
            let failure = self.fail(span, end, problem);
            return (end, Err(failure));
        }
        let cached = self.random.chance(0.18);
        self.set(span, Col::Cached, Value::Flag(cached));
        let end = at + if cached { self.random.millis(2.0, 0.4) } else { self.random.millis(tool.millis, 0.55) };
        let result = self.filled(tool.result);
        self.output(span, result, "application/json");
        self.trace.spans[span].end = end;
        (end, Ok(()))
    }

    /// Embeds the question, searches, and mostly reranks; sometimes nothing is found.
    pub(super) fn retrieve(&mut self, parent: usize, at: i64) -> (i64, Result<Vec<Doc>, Failure>) {
        let chain = self.trace.open(Some(parent), "retrieve_context", "CHAIN", at);
        self.input(chain, self.asked, "text/plain");
        let begin = at + self.pause();
        let retriever = self.trace.open(Some(chain), "vector_search", "RETRIEVER", begin);
        self.input(retriever, self.asked, "text/plain");
        let budget = [150.0, 250.0, 400.5][(self.visit.seed % 3) as usize];
        self.set(retriever, Col::LatencyBudget, Value::Float(budget));
        let begin = begin + self.pause();
        let embedded = self.embed(Some(retriever), begin, self.asked);
        if self.random.chance(0.012) {
            let end = embedded + self.giving_up(&TIMEOUT, 0.0);
            let failure = self.fail(retriever, end, &TIMEOUT);
            let end = self.pass_on(chain, end, failure);
            return (end, Err(failure));
        }
        let searched = embedded + self.random.millis(45.0, 0.6);
        let count = if self.random.chance(0.07) { 0 } else { self.random.between(2, 7) };
        let mut docs: Vec<Doc> = (0..count).map(|_| self.document()).collect();
        docs.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.set_documents(retriever, Col::Documents, &docs);
        let mut at = self.close(retriever, searched);
        if docs.len() > 2 && self.random.chance(0.6) {
            at = self.rerank(chain, at, &mut docs);
        }
        (self.close(chain, at), Ok(docs))
    }

    fn document(&mut self) -> Doc {
        // Popular documents are found again and again.
        let number = self.random.below(600).min(self.random.below(600));
        let sources = match self.visit.project {
            Project::Support => words::SUPPORT_SOURCES,
            Project::Research => words::RESEARCH_SOURCES,
        };
        let hash = mix(number);
        Doc {
            number,
            content: self.domain.prose(hash, 140 + (hash % 320) as usize),
            source: sources[(hash % sources.len() as u64) as usize],
            score: 0.4 + 0.55 * self.random.unit(),
        }
    }

    fn set_documents(&mut self, span: usize, col: Col, docs: &[Doc]) {
        let start = self.trace.text.len();
        push_documents(&mut self.trace.text, docs);
        let list = Value::Text(self.trace.since(start));
        self.set(span, col, list);
    }

    fn rerank(&mut self, parent: usize, at: i64, docs: &mut Vec<Doc>) -> i64 {
        let begin = at + self.pause();
        let span = self.trace.open(Some(parent), "rerank", "RERANKER", begin);
        self.input(span, self.asked, "text/plain");
        self.set(span, Col::RerankerQuery, self.asked);
        self.set(span, Col::RerankerModel, Value::Fixed("rerank-v3.5"));
        self.set(span, Col::RerankerTopK, Value::Int(3));
        self.set_documents(span, Col::RerankerInput, docs);
        for doc in docs.iter_mut() {
            doc.score = self.random.unit();
        }
        docs.sort_by(|a, b| b.score.total_cmp(&a.score));
        docs.truncate(3);
        self.set_documents(span, Col::RerankerOutput, docs);
        let end = begin + self.random.millis(130.0, 0.4);
        self.trace.spans[span].end = end;
        end
    }

    /// Embeds a text; gives the end.
    pub(super) fn embed(&mut self, parent: Option<usize>, at: i64, text: Value) -> i64 {
        let (model, price) = EMBEDDERS[(self.visit.seed % 2) as usize];
        let span = self.trace.open(parent, "embed", "EMBEDDING", at);
        self.trace.spans[span].status = "UNSET";
        self.set(span, Col::EmbeddingModel, Value::Fixed(model));
        self.input(span, text, "text/plain");
        self.scratch.clear();
        let json = &mut self.scratch;
        json.push_str("[{\"embedding.text\":\"");
        push_json(json, self.trace.text_of(text));
        json.push_str("\",\"embedding.vector\":[");
        for i in 0..DIMENSIONS {
            let bits = self.random.next();
            json.push_str(if i > 0 { "," } else { "" });
            json.push_str(if bits & 1 == 0 { "0.0" } else { "-0.0" });
            push_digits(json, bits >> 44, 7);
        }
        json.push_str("]}]");
        let embeddings = self.trace.keep(&self.scratch);
        self.set(span, Col::Embeddings, embeddings);
        let tokens = (self.trace.text_of(text).len() / 4) as i64 + 1;
        let cost = tokens as f64 * price / 1e6;
        self.set(span, Col::PromptTokens, Value::Int(tokens));
        self.set(span, Col::TotalTokens, Value::Int(tokens));
        self.set(span, Col::PromptCost, Value::Float(cost));
        self.set(span, Col::TotalCost, Value::Float(cost));
        let end = at + self.random.millis(55.0 + tokens as f64 / 40.0, 0.4);
        self.trace.spans[span].end = end;
        end
    }

    /// Checks a text; gives the end and whether it passed.
    pub(super) fn guard(&mut self, parent: usize, at: i64, name: &'static str, text: Value) -> (i64, bool) {
        let span = self.trace.open(Some(parent), name, "GUARDRAIL", at);
        self.input(span, text, "text/plain");
        let mut end = at + self.random.millis(9.0, 0.5);
        if self.random.chance(0.2) {
            // Without a verdict the check passes, as it does in many real systems.
            end = self.ask(Some(span), end, Ask::plain(Role::Moderate)).0;
        }
        let suspicious = self.trace.text_of(text).contains(['<', '\u{1b}', '=', '\u{202e}', '{']);
        let passed = !self.random.chance(if suspicious { 0.5 } else { 0.008 });
        let verdict = if passed { "{\"passed\":true}" } else { "{\"passed\":false,\"reason\":\"prompt_injection\"}" };
        self.output(span, Value::Fixed(verdict), "application/json");
        (self.close(span, end), passed)
    }

    /// Judges the answer within the trace; gives the end and whether it was accepted.
    pub(super) fn judge(&mut self, parent: usize, at: i64) -> (i64, bool) {
        let span = self.trace.open(Some(parent), "answer_quality", "EVALUATOR", at);
        self.input(span, Value::Fixed(self.answer), "text/plain");
        let begin = at + self.pause();
        let (end, result) = self.ask(Some(span), begin, Ask::plain(Role::Judge));
        match result {
            Ok(()) => {
                let accepted = !self.random.chance(0.2);
                let verdict =
                    if accepted { "{\"label\":\"accept\",\"score\":1}" } else { "{\"label\":\"revise\",\"score\":0}" };
                self.output(span, Value::Fixed(verdict), "application/json");
                (self.close(span, end), accepted)
            }
            Err(failure) => (self.pass_on(span, end, failure), true),
        }
    }
}
