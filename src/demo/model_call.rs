//! A call of a chat model: its prompt, its answer, what it costs and how it fails.

use super::catalog::{LARGE, LLM_PROBLEMS, Model, SMALL, Tool};
use super::clock::push_time;
use super::columns::Col;
use super::prompt::{Doc, Prompt, tools_json};
use super::run::{Failure, Run, Step};
use super::text::{fill, push_fixed, push_json, push_score};
use super::trace::Value;
use super::usage::Usage;
use super::visit::Project;
use super::words;

/// What a model is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Route,
    Plan,
    Answer,
    Extract,
    Judge,
    Moderate,
}

impl Role {
    fn span_name(self) -> &'static str {
        match self {
            Self::Route => "classify_intent",
            Self::Plan => "plan_next_step",
            Self::Answer => "generate_answer",
            Self::Extract => "summarise_sources",
            Self::Judge => "judge_answer",
            Self::Moderate => "moderate_input",
        }
    }

    fn is_small(self) -> bool {
        matches!(self, Self::Route | Self::Judge | Self::Moderate)
    }

    fn invocation(self) -> &'static str {
        match self {
            Self::Route | Self::Moderate => {
                r#"{"temperature":0,"max_tokens":64,"response_format":{"type":"json_object"}}"#
            }
            Self::Plan => r#"{"temperature":0.2,"max_tokens":512,"tool_choice":"auto","parallel_tool_calls":false}"#,
            Self::Answer => r#"{"temperature":0.7,"top_p":0.95,"max_tokens":2048,"stream":true}"#,
            Self::Extract => r#"{"temperature":0.1,"max_tokens":1024,"stream":true}"#,
            Self::Judge => r#"{"temperature":0,"max_tokens":128,"seed":7}"#,
        }
    }
}

/// A tool call of this turn that the model gets to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange {
    pub(super) tool: &'static Tool,
    pub(super) call_id: u64,
    pub(super) error: Option<Failure>,
}

/// One request to a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'d> {
    pub(super) role: Role,
    /// Documents to answer from; `None` when nothing was searched.
    pub(super) docs: Option<&'d [Doc]>,
    pub(super) exchanges: &'d [Exchange],
    /// The tool that the model decides to call next, and the id of that call.
    pub(super) calls: Option<(&'static Tool, u64)>,
}

impl Ask<'_> {
    pub(super) fn plain(role: Role) -> Self {
        Ask { role, docs: None, exchanges: &[], calls: None }
    }
}

impl Run<'_> {
    /// Calls a model, again after what passes.
    pub(super) fn ask(&mut self, parent: Option<usize>, at: i64, ask: Ask<'_>) -> Step {
        let mut at = at;
        let mut attempt = 1;
        loop {
            let (end, result) = self.ask_once(parent, at, ask, attempt);
            let Err(failure) = result else { return (end, Ok(())) };
            if !failure.problem.passes || attempt == 3 || self.random.chance(0.15) {
                return (end, Err(failure));
            }
            at = end + self.random.millis(600.0 * f64::from(1 << attempt), 0.2);
            attempt += 1;
        }
    }

    /// Calls a model once.
    pub(super) fn ask_once(&mut self, parent: Option<usize>, at: i64, ask: Ask<'_>, attempt: i64) -> Step {
        let role = ask.role;
        let model: &'static Model = if role.is_small() { &SMALL[self.visit.small] } else { &LARGE[self.visit.large] };
        let span = self.trace.open(parent, role.span_name(), "LLM", at);
        self.set(span, Col::Model, Value::Fixed(model.name));
        self.set(span, Col::Provider, Value::Fixed(model.provider));
        self.set(span, Col::Invocation, Value::Fixed(role.invocation()));
        if attempt > 1 {
            self.set(span, Col::Attempt, Value::Int(attempt));
        }
        if role == Role::Plan {
            self.set(span, Col::Tools, Value::Fixed(tools_json(self.visit.project)));
        }
        if matches!(role, Role::Answer | Role::Extract) {
            self.set_template(span);
        }
        let prompt = self.write_prompt(span, ask);
        let prompt_tokens = (prompt as f64 / self.random.between(38, 46) as f64 * 10.0) as i64 + 8;

        let failing = if attempt == 1 { 0.014 } else { 0.18 };
        if self.random.chance(failing) {
            let problem = self.random.pick(LLM_PROBLEMS);
            let end = at + self.giving_up(problem, model.first_token_ms);
            let failure = self.fail(span, end, problem);
            return (end, Err(failure));
        }
        self.trace.spans[span].good = self.is_good(model, ask);
        let written = self.write_output(span, ask);
        let wordiness = [1.0, 1.7, 1.1][self.visit.version];
        let completion_tokens = ((written as f64 / 4.2) * wordiness) as i64 + 3;
        let usage = Usage {
            prompt: prompt_tokens,
            completion: completion_tokens,
            prompt_cost: prompt_tokens as f64 * model.prompt_price / 1e6,
            completion_cost: completion_tokens as f64 * model.completion_price / 1e6,
        };
        usage.set(&mut self.trace.spans[span]);

        let first = self.random.millis(model.first_token_ms * (1.0 + prompt_tokens as f64 / 9_000.0), 0.35);
        let rest = self.random.millis(completion_tokens as f64 / model.tokens_per_second * 1e3, 0.18);
        if matches!(role, Role::Answer | Role::Extract) {
            self.first_token_event(span, at, first);
        }
        let end = at + first + rest;
        self.trace.spans[span].end = end;
        (end, Ok(()))
    }

    /// Whether the answer is right: models and prompt versions differ, and missing documents hurt.
    fn is_good(&mut self, model: &Model, ask: Ask<'_>) -> bool {
        let mut skill = model.skill;
        if matches!(ask.role, Role::Answer | Role::Extract) {
            skill += [-0.14, -0.04, 0.06][self.visit.version];
        }
        if ask.docs.is_some_and(<[Doc]>::is_empty) {
            skill -= 0.35;
        }
        if ask.exchanges.iter().any(|exchange| exchange.error.is_some()) {
            skill -= 0.3;
        }
        self.random.chance(skill)
    }

    fn first_token_event(&mut self, span: usize, at: i64, first: i64) {
        let start = self.trace.text.len();
        let text = &mut self.trace.text;
        text.push_str("[{\"name\":\"first_token\",\"timestamp\":\"");
        push_time(text, at + first);
        text.push_str("\",\"attributes\":{\"ttft_ms\":");
        push_fixed(text, first as u64 / 1_000_000, first as u64 / 1_000 % 1_000, 3);
        text.push_str("}}]");
        let events = Value::Text(self.trace.since(start));
        self.set(span, Col::Events, events);
    }

    fn set_template(&mut self, span: usize) {
        let templates = match self.visit.project {
            Project::Support => words::SUPPORT_TEMPLATES,
            Project::Research => words::RESEARCH_TEMPLATES,
        };
        let version = self.visit.version;
        self.set(span, Col::Template, Value::Fixed(templates[version]));
        self.set(span, Col::TemplateVersion, Value::Fixed(["1", "2", "3"][version]));
        let start = self.trace.text.len();
        let text = &mut self.trace.text;
        text.push_str("{\"question\":\"");
        push_json(text, &self.question);
        text.push_str("\",\"tier\":\"");
        text.push_str(words::TIERS[(self.visit.user / 7 % 3) as usize]);
        text.push_str("\"}");
        let variables = Value::Text(self.trace.since(start));
        self.set(span, Col::TemplateVariables, variables);
    }

    /// Writes input and input messages; gives the length of the prompt.
    fn write_prompt(&mut self, span: usize, ask: Ask<'_>) -> usize {
        let visit = self.visit;
        let start = self.trace.text.len();
        self.scratch.clear();
        let system = match ask.role {
            Role::Route | Role::Moderate | Role::Judge => 0,
            Role::Extract => 1,
            Role::Plan => 2,
            // Business customers get the long handbook.
            Role::Answer => [1, 3, 3, 4][(visit.user & 3) as usize],
        };
        let extract = (ask.role == Role::Extract).then(|| {
            let length = self.random.log_normal(1_000.0, 1.3);
            (self.random.next(), length as usize)
        });
        let mut prompt = Prompt { plain: &mut self.trace.text, json: &mut self.scratch };
        prompt.message("system", &[&self.domain.systems[system]]);
        if matches!(ask.role, Role::Plan | Role::Answer) {
            let mut earlier = String::new();
            // Planning looks at the last exchange only; the answer is written with the whole conversation in view.
            let first = if ask.role == Role::Plan { visit.turn.saturating_sub(1) } else { 0 };
            for turn in first..visit.turn {
                let seed = visit.turn_seed(turn);
                earlier.clear();
                self.domain.question(seed, turn, &mut earlier);
                prompt.message("user", &[&earlier]);
                prompt.message("assistant", &[self.domain.answer(seed)]);
            }
        }
        match (ask.role, extract, ask.docs) {
            (_, Some((seed, length)), _) => {
                let source = self.domain.prose(seed, length);
                prompt.message("user", &["Question: ", &self.question, "\n\nSource:\n", source]);
            }
            (Role::Judge, ..) => {
                prompt.message("user", &["Question: ", &self.question, "\n\nAnswer: ", self.answer]);
            }
            (_, _, Some(docs)) if !docs.is_empty() => {
                let mut parts: Vec<&str> = Vec::with_capacity(2 * docs.len() + 2);
                parts.extend(docs.iter().flat_map(|doc| [doc.content, "\n---\n"]));
                parts.extend(["Question: ", &self.question]);
                prompt.message("user", &parts);
            }
            _ => prompt.message("user", &[&self.question]),
        }
        let mut filled = String::new();
        for exchange in ask.exchanges {
            filled.clear();
            fill(exchange.tool.arguments, self.turn_seed, &mut filled);
            prompt.call("assistant", exchange.tool.name, exchange.call_id, &filled);
            match exchange.error {
                Some(failure) => {
                    filled.clear();
                    fill(failure.problem.message, self.turn_seed, &mut filled);
                    prompt.result(exchange.call_id, &["error: ", &filled]);
                }
                None => {
                    filled.clear();
                    fill(exchange.tool.result, self.turn_seed, &mut filled);
                    prompt.result(exchange.call_id, &[&filled]);
                }
            }
        }
        self.scratch.push(']');
        let length = self.trace.text.len() - start;
        let plain = Value::Text(self.trace.since(start));
        let messages = self.trace.keep(&self.scratch);
        self.input(span, plain, "text/plain");
        self.set(span, Col::InputMessages, messages);
        length
    }

    /// Writes output and output messages; gives the length of what the model wrote.
    fn write_output(&mut self, span: usize, ask: Ask<'_>) -> usize {
        let good = self.trace.spans[span].good;
        let start = self.trace.text.len();
        if let Some((tool, call_id)) = ask.calls {
            let arguments = self.filled(tool.arguments);
            self.scratch.clear();
            let mut prompt = Prompt { plain: &mut String::new(), json: &mut self.scratch };
            prompt.call("assistant", tool.name, call_id, self.trace.text_of(arguments));
            self.scratch.push(']');
            let messages = self.trace.keep(&self.scratch);
            self.output(span, arguments, "application/json");
            self.set(span, Col::OutputMessages, messages);
            return self.trace.text_of(arguments).len() + 40;
        }
        let output = match ask.role {
            Role::Answer => Value::Fixed(self.answer),
            Role::Plan => Value::Fixed("Nothing is missing: answer the question."),
            Role::Extract => {
                let length = self.random.log_normal(420.0, 0.6).min(4_000.0) as usize;
                Value::Fixed(self.domain.prose(self.random.next(), length))
            }
            Role::Route | Role::Judge | Role::Moderate => {
                self.write_verdict(ask.role, good);
                Value::Text(self.trace.since(start))
            }
        };
        let is_text = matches!(ask.role, Role::Answer | Role::Plan | Role::Extract);
        self.output(span, output, if is_text { "text/plain" } else { "application/json" });
        self.scratch.clear();
        let json = &mut self.scratch;
        json.push_str("[{\"message.role\":\"assistant\",\"message.content\":\"");
        push_json(json, self.trace.text_of(output));
        json.push_str("\"}]");
        let messages = self.trace.keep(&self.scratch);
        self.set(span, Col::OutputMessages, messages);
        self.trace.text_of(output).len()
    }

    fn write_verdict(&mut self, role: Role, good: bool) {
        let sure = 0.55 + 0.44 * self.random.unit();
        let text = &mut self.trace.text;
        match role {
            Role::Route => {
                let intents = match self.visit.project {
                    Project::Support => words::SUPPORT_INTENTS,
                    Project::Research => words::RESEARCH_INTENTS,
                };
                text.push_str("{\"intent\":\"");
                text.push_str(self.random.word(intents));
                text.push_str("\",\"confidence\":");
            }
            Role::Moderate => text.push_str("{\"flagged\":false,\"confidence\":"),
            _ => {
                text.push_str("{\"label\":\"");
                text.push_str(if good { "correct" } else { "incorrect" });
                text.push_str("\",\"score\":");
            }
        }
        push_score(text, if good { sure } else { sure - 0.5 });
        text.push('}');
    }
}
