//! What happens in a trace, from its root down.

use super::columns::Col;
use super::model_call::{Ask, Exchange, Role};
use super::prompt::Doc;
use super::run::{Failure, Run};
use super::trace::{Span, Value};

const SORRY: &str = "Sorry, something went wrong on our side. Please try again in a few minutes.";
const BLOCKED: &str = "I cannot help with that request.";

impl Run<'_> {
    /// A turn of a support conversation.
    pub(super) fn support(&mut self, start: i64) -> bool {
        let root = self.trace.open(None, "chat_turn", "CHAIN", start);
        self.input(root, self.asked, "text/plain");
        let mut at = start + self.pause();
        if self.random.chance(0.75) {
            let (end, passed) = self.guard(root, at, "input_guardrail", self.asked);
            at = end + self.pause();
            if !passed {
                self.output(root, Value::Fixed(BLOCKED), "text/plain");
                self.close(root, at);
                return false;
            }
        }
        if self.random.chance(0.7) {
            let (end, result) = self.ask(Some(root), at, Ask::plain(Role::Route));
            at = end + self.pause();
            if let Err(failure) = result {
                return self.give_up(root, at, failure);
            }
        }
        let mut docs = None;
        if self.random.chance(0.7) {
            let (end, result) = self.retrieve(root, at);
            at = end + self.pause();
            match result {
                Ok(found) => docs = Some(found),
                Err(failure) if self.random.chance(0.5) => return self.give_up(root, at, failure),
                Err(_) => {}
            }
        }
        let rounds = if self.random.chance(0.12) { 0 } else { self.random.between(1, 4) };
        let (end, result) = self.agent(root, at, "support_agent", rounds, docs.as_deref());
        at = end + self.pause();
        if let Err(failure) = result {
            return self.give_up(root, at, failure);
        }
        if self.random.chance(0.25) {
            at = self.guard(root, at, "output_guardrail", Value::Fixed(self.answer)).0;
        }
        if self.random.chance(0.1) {
            at = self.judge(root, at + 40_000).0;
        }
        self.finish(root, at);
        false
    }

    /// A task that a lead agent splits among others.
    pub(super) fn research(&mut self, start: i64, levels: u32) -> bool {
        let root = self.trace.open(None, "research_task", "AGENT", start);
        self.input(root, self.asked, "text/plain");
        let mut at = start + self.pause();
        let (end, result) = self.ask(Some(root), at, Ask::plain(Role::Plan));
        at = end + self.pause();
        if let Err(failure) = result {
            return self.give_up(root, at, failure);
        }
        // The first researcher goes deep, the others work beside it.
        let researchers = self.random.between(1, 4);
        let mut last = at;
        let mut lost = None;
        for i in 0..researchers {
            let begin = at + i as i64 * self.pause();
            let (end, result) = self.researcher(root, begin, if i == 0 { levels } else { 0 });
            last = last.max(end);
            lost = result.err().or(lost);
        }
        at = last + self.pause();
        if let Some(failure) = lost
            && self.random.chance(0.3)
        {
            return self.give_up(root, at, failure);
        }
        let (end, result) = self.ask(Some(root), at, Ask::plain(Role::Answer));
        at = end + self.pause();
        if let Err(failure) = result {
            return self.give_up(root, at, failure);
        }
        if self.random.chance(0.4) {
            let (end, accepted) = self.judge(root, at);
            at = end + self.pause();
            if !accepted {
                let (end, result) = self.ask(Some(root), at, Ask::plain(Role::Answer));
                at = end;
                if let Err(failure) = result {
                    return self.give_up(root, at, failure);
                }
            }
        }
        self.finish(root, at);
        false
    }

    /// One researcher, and below it as many more as there are levels.
    fn researcher(&mut self, parent: usize, at: i64, levels: u32) -> (i64, Result<(), Failure>) {
        let agent = self.trace.open(Some(parent), "researcher", "AGENT", at);
        self.input(agent, self.asked, "text/plain");
        let mut at = at + self.pause();
        let rounds = self.random.between(1, 4);
        let mut exchanges = Vec::new();
        match self.rounds(agent, at, rounds, &mut exchanges) {
            (end, Ok(())) => at = end,
            (end, Err(failure)) => return (self.pass_on(agent, end, failure), Err(failure)),
        }
        // Retrieval takes three levels of its own: not below the eighth.
        if self.trace.spans[agent].depth <= 8 && self.random.chance(0.3) {
            at = self.retrieve(agent, at).0 + self.pause();
        }
        if levels > 0 {
            let chain = self.trace.open(Some(agent), "delegate", "CHAIN", at);
            self.input(chain, self.asked, "text/plain");
            let begin = at + self.pause();
            let (end, result) = self.researcher(chain, begin, levels - 1);
            at = match result {
                Ok(()) => self.close(chain, end),
                Err(failure) => self.pass_on(chain, end, failure),
            };
            at += self.pause();
            if let Err(failure) = result
                && self.random.chance(0.4)
            {
                return (self.pass_on(agent, at, failure), Err(failure));
            }
        }
        let chain = self.trace.open(Some(agent), "read_sources", "CHAIN", at);
        self.input(chain, self.asked, "text/plain");
        let begin = at + self.pause();
        let (end, result) = self.ask(Some(chain), begin, Ask { exchanges: &exchanges, ..Ask::plain(Role::Extract) });
        if let Err(failure) = result {
            let end = self.pass_on(chain, end, failure);
            return (self.pass_on(agent, end, failure), Err(failure));
        }
        // What was asked last is the span that came last.
        if let Some(summary) = self.trace.spans.last().and_then(|span| span.get(Col::Output)) {
            self.output(chain, summary, "text/plain");
            self.output(agent, summary, "text/plain");
        }
        let end = self.close(chain, end);
        (self.close(agent, end), Ok(()))
    }

    /// An agent that plans, calls tools and answers.
    fn agent(
        &mut self,
        parent: usize,
        at: i64,
        name: &'static str,
        rounds: u64,
        docs: Option<&[Doc]>,
    ) -> (i64, Result<(), Failure>) {
        let agent = self.trace.open(Some(parent), name, "AGENT", at);
        self.input(agent, self.asked, "text/plain");
        let begin = at + self.pause();
        let mut exchanges = Vec::new();
        let (at, result) = self.rounds(agent, begin, rounds, &mut exchanges);
        if let Err(failure) = result {
            return (self.pass_on(agent, at, failure), Err(failure));
        }
        let (at, result) = self.ask(Some(agent), at, Ask { docs, exchanges: &exchanges, ..Ask::plain(Role::Answer) });
        match result {
            Ok(()) => {
                self.output(agent, Value::Fixed(self.answer), "text/plain");
                (self.close(agent, at), Ok(()))
            }
            Err(failure) => (self.pass_on(agent, at, failure), Err(failure)),
        }
    }

    /// Rounds of planning and calling a tool; a tool's failure is often told to the model rather than passed on.
    fn rounds(
        &mut self,
        agent: usize,
        at: i64,
        rounds: u64,
        exchanges: &mut Vec<Exchange>,
    ) -> (i64, Result<(), Failure>) {
        let mut at = at;
        for _ in 0..rounds {
            let tool = self.pick_tool();
            let call_id = self.random.next();
            let ask = Ask { exchanges: &*exchanges, calls: Some((tool, call_id)), ..Ask::plain(Role::Plan) };
            let (end, result) = self.ask(Some(agent), at, ask);
            at = end + self.pause();
            if let Err(failure) = result {
                return (at, Err(failure));
            }
            let (end, result) = self.call_tool(agent, at, tool);
            at = end + self.pause();
            if let Err(failure) = result
                && self.random.chance(0.35)
            {
                return (at, Err(failure));
            }
            exchanges.push(Exchange { tool, call_id, error: result.err() });
        }
        (at, Ok(()))
    }

    /// An agent that has tools and does not use them.
    pub(super) fn triage(&mut self, start: i64) -> bool {
        let root = self.trace.open(None, "triage_agent", "AGENT", start);
        self.input(root, self.asked, "text/plain");
        let mut at = start + self.pause();
        for role in [Role::Route, Role::Plan] {
            let (end, result) = self.ask(Some(root), at, Ask::plain(role));
            at = end + self.pause();
            if let Err(failure) = result {
                return self.give_up(root, at, failure);
            }
        }
        self.finish(root, at);
        false
    }

    /// A bare call of a model, which is its own root.
    pub(super) fn completion(&mut self, start: i64) -> bool {
        let (_, result) = self.ask_once(None, start, Ask::plain(Role::Answer), 1);
        result.is_err()
    }

    /// A job that embeds documents, several at a time.
    pub(super) fn indexing(&mut self, start: i64) -> bool {
        let root = self.trace.open(None, "index_documents", "CHAIN", start);
        let count = self.random.log_normal(9.0, 0.7).clamp(2.0, 60.0) as u64;
        let mut lanes = [start + 50_000, start + 170_000, start + 310_000, start + 460_000];
        for i in 0..count as usize {
            let length = self.random.log_normal(900.0, 0.8) as usize;
            let text = self.domain.prose(self.random.next(), length);
            let lane = i % lanes.len();
            lanes[lane] = self.embed(Some(root), lanes[lane], Value::Fixed(text)) + self.pause();
        }
        let end = lanes.iter().copied().max().unwrap_or(start);
        self.set(root, Col::Input, Value::Fixed("nightly re-index of changed documents"));
        self.close(root, end);
        false
    }

    fn finish(&mut self, root: usize, at: i64) {
        let answers = |span: &&Span| span.kind == "LLM" && span.name == "generate_answer";
        self.trace.spans[root].good = self.trace.spans.iter().rev().find(answers).is_none_or(|span| span.good);
        self.output(root, Value::Fixed(self.answer), "text/plain");
        self.close(root, at);
    }

    /// Ends the trace after a failure: most roots show it, the others answer with an excuse.
    fn give_up(&mut self, root: usize, at: i64, failure: Failure) -> bool {
        if self.random.chance(0.6) {
            self.pass_on(root, at, failure);
        } else {
            self.trace.spans[root].good = false;
            self.output(root, Value::Fixed(SORRY), "text/plain");
            self.close(root, at);
        }
        true
    }
}
