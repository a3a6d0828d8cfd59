//! Tokens and what they cost.

use super::columns::Col;
use super::trace::{Span, Value};

/// Tokens and USD of one or more model calls.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    pub(super) prompt: i64,
    pub(super) completion: i64,
    pub(super) prompt_cost: f64,
    pub(super) completion_cost: f64,
}

impl Usage {
    /// What a span says it used; zero where it says nothing.
    pub(super) fn of(span: &Span) -> Self {
        let int = |col| if let Some(Value::Int(value)) = span.get(col) { value } else { 0 };
        let float = |col| if let Some(Value::Float(value)) = span.get(col) { value } else { 0.0 };
        Self {
            prompt: int(Col::PromptTokens),
            completion: int(Col::CompletionTokens),
            prompt_cost: float(Col::PromptCost),
            completion_cost: float(Col::CompletionCost),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.prompt += other.prompt;
        self.completion += other.completion;
        self.prompt_cost += other.prompt_cost;
        self.completion_cost += other.completion_cost;
    }

    /// Writes the counts and costs to a span; totals are the sums of their parts.
    pub(super) fn set(self, span: &mut Span) {
        span.set(Col::PromptTokens, Value::Int(self.prompt));
        span.set(Col::CompletionTokens, Value::Int(self.completion));
        span.set(Col::TotalTokens, Value::Int(self.prompt + self.completion));
        span.set(Col::PromptCost, Value::Float(self.prompt_cost));
        span.set(Col::CompletionCost, Value::Float(self.completion_cost));
        span.set(Col::TotalCost, Value::Float(self.prompt_cost + self.completion_cost));
    }
}
