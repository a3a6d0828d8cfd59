//! Calls that are recorded twice: a span that only wraps its one child of the same kind.
//!
//! Frameworks write a span for the method that a program calls and another one for the method that asks the model:
//! LlamaIndex an `LLM` span `acomplete` around an `LLM` span `complete`. That is one call.

use arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;

use super::call_input::CallInput;
use super::input::{read, text, typed};
use super::tree::Tree;
use super::{TraceError, TreeInput};
use spanql_model::columns::{
    COMPLETION_TOKENS, COST, INPUT, INPUT_MESSAGES, KIND, PROMPT_TOKENS, TOOL_NAME, TOTAL_TOKENS,
};

/// The kind of a call of a tool.
pub(super) const TOOL: &str = "TOOL";
/// The kinds of spans that are calls. Agents and chains are not: that one lies in another is how a program is built.
const CALLS: [&str; 5] = ["LLM", TOOL, "EMBEDDING", "RETRIEVER", "RERANKER"];

/// The columns that `tree.wrapper` is computed from, besides those of the tree.
pub const WRAPPER_COLUMNS: [&str; 8] =
    [KIND, TOOL_NAME, PROMPT_TOKENS, COMPLETION_TOKENS, TOTAL_TOKENS, COST, INPUT, INPUT_MESSAGES];

/// What tells whether a span wraps another one, by row of a [`TreeInput`].
///
/// A span wraps its child when it is of a kind of calls (`LLM`, `TOOL`, `EMBEDDING`, `RETRIEVER`, `RERANKER`), exactly
/// one of its children has that kind, both have an interval, the child's lies within its own, and the child has
///
/// - the same usage, of which every value that both have is equal, or a usage where the span itself has none above zero;
/// - or the same input (`attributes.input.value`, else `attributes.llm.input_messages`), with members or texts around it
///   in one of them.
///
/// Of a `TOOL` only the very same input counts, and not where both name different tools: to hand on what it was given
/// is what many a tool does that calls another one. A span with tokens or a cost above zero where its child has none is
/// no wrapper: whoever leaves wrappers out would lose them.
#[derive(Clone, Copy)]
pub struct Calls<'a> {
    /// Kinds of spans.
    pub kind: &'a StringArray,
    /// Names of tools.
    pub tool_name: &'a StringArray,
    /// Prompt, completion and total tokens.
    pub usage: [&'a Int64Array; 3],
    /// Total cost.
    pub cost: &'a Float64Array,
    /// What the span of a row was given. Few spans are asked for.
    pub input: &'a dyn Fn(usize) -> Result<Option<CallInput>, TraceError>,
}

impl std::fmt::Debug for Calls<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("kind", &self.kind).field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl Calls<'_> {
    /// Whether a node of a tree wraps its child. Takes time for each of its children once.
    pub(super) fn is_wrapper(&self, input: &TreeInput<'_>, tree: &Tree, node: u32) -> Result<bool, TraceError> {
        let row = tree.row(node);
        let Some(kind) = text(self.kind, row).filter(|kind| CALLS.contains(kind)) else { return Ok(false) };
        let mut alike = tree.children(node).iter().map(|&child| tree.row(child));
        let mut alike = alike.by_ref().filter(|&child| text(self.kind, child) == Some(kind));
        let (Some(child), None) = (alike.next(), alike.next()) else { return Ok(false) };
        let (Some((start, end)), Some((from, to))) = (input.interval(row), input.interval(child)) else {
            return Ok(false);
        };
        if from < start || end < to {
            return Ok(false);
        }
        if self.would_be_lost(row, child) {
            return Ok(false);
        }
        if kind == TOOL {
            let names = (text(self.tool_name, row), text(self.tool_name, child));
            let differ = matches!(names, (Some(own), Some(of_child)) if own != of_child);
            return Ok(!differ && self.compare(row, child, CallInput::is)?);
        }
        Ok(self.has_usage_of(row, child) || self.compare(row, child, CallInput::is_with_more)?)
    }

    fn compare(&self, row: usize, child: usize, same: fn(&CallInput, &CallInput) -> bool) -> Result<bool, TraceError> {
        let Some(own) = (self.input)(row)? else { return Ok(false) };
        Ok((self.input)(child)?.is_some_and(|of_child| same(&own, &of_child)))
    }

    /// The usage of a row.
    fn usage_of(&self, row: usize) -> [Option<i64>; 3] {
        self.usage.map(|array| array.is_valid(row).then(|| array.value(row)))
    }

    fn would_be_lost(&self, row: usize, child: usize) -> bool {
        let costs = |row: usize| self.cost.is_valid(row) && self.cost.value(row) > 0.0;
        let uses = |row: usize| is_some_usage(self.usage_of(row));
        (uses(row) && !uses(child)) || (costs(row) && !costs(child))
    }

    fn has_usage_of(&self, row: usize, child: usize) -> bool {
        let (own, of_child) = (self.usage_of(row), self.usage_of(child));
        if !is_some_usage(own) {
            return is_some_usage(of_child);
        }
        let both: Vec<(i64, i64)> = own.into_iter().zip(of_child).filter_map(|(a, b)| Some((a?, b?))).collect();
        both.iter().any(|(own, _)| *own > 0) && both.iter().all(|(own, of_child)| own == of_child)
    }
}

fn is_some_usage(usage: [Option<i64>; 3]) -> bool {
    usage.iter().any(|value| *value > Some(0))
}

/// The columns of [`Calls`], read from a batch.
#[derive(Debug)]
pub(super) struct CallArrays<'a> {
    batch: &'a RecordBatch,
    kind: StringArray,
    tool_name: StringArray,
    usage: [Int64Array; 3],
    cost: Float64Array,
    order: Option<&'a UInt64Array>,
}

impl<'a> CallArrays<'a> {
    /// Reads the columns; a missing one is all null.
    pub(super) fn read(batch: &'a RecordBatch) -> Result<Self, TraceError> {
        Ok(Self {
            batch,
            kind: read(batch, KIND, &DataType::Utf8)?,
            tool_name: read(batch, TOOL_NAME, &DataType::Utf8)?,
            usage: [
                read(batch, PROMPT_TOKENS, &DataType::Int64)?,
                read(batch, COMPLETION_TOKENS, &DataType::Int64)?,
                read(batch, TOTAL_TOKENS, &DataType::Int64)?,
            ],
            cost: read(batch, COST, &DataType::Float64)?,
            order: None,
        })
    }

    /// The same rows in another order.
    pub(super) fn reordered(self, order: &'a UInt64Array) -> Result<Self, TraceError> {
        let [prompt, completion, total] = self.usage;
        let texts = |array: StringArray, name| typed(&take(&array, order, None)?, name, &DataType::Utf8);
        let numbers = |array: Int64Array, name| typed(&take(&array, order, None)?, name, &DataType::Int64);
        Ok(Self {
            batch: self.batch,
            kind: texts(self.kind, KIND)?,
            tool_name: texts(self.tool_name, TOOL_NAME)?,
            usage: [
                numbers(prompt, PROMPT_TOKENS)?,
                numbers(completion, COMPLETION_TOKENS)?,
                numbers(total, TOTAL_TOKENS)?,
            ],
            cost: typed(&take(&self.cost, order, None)?, COST, &DataType::Float64)?,
            order: Some(order),
        })
    }

    /// Gives the columns to a function.
    pub(super) fn with<T>(&self, then: impl FnOnce(&Calls<'_>) -> T) -> T {
        let input = |row: usize| {
            let row = self.order.map_or(row, |order| order.value(row) as usize);
            for name in [INPUT, INPUT_MESSAGES] {
                if let Some(text) = text_at(self.batch, name, row)? {
                    return Ok(CallInput::of(text.value(0)));
                }
            }
            Ok(None)
        };
        let [prompt, completion, total] = &self.usage;
        then(&Calls {
            kind: &self.kind,
            tool_name: &self.tool_name,
            usage: [prompt, completion, total],
            cost: &self.cost,
            input: &input,
        })
    }
}

/// The text of one row of a long column, as the one value of an array; `None` where it is null.
pub(super) fn text_at(batch: &RecordBatch, name: &'static str, row: usize) -> Result<Option<StringArray>, TraceError> {
    let Some(column) = batch.column_by_name(name).filter(|column| column.is_valid(row)) else { return Ok(None) };
    let one: StringArray = typed(&column.slice(row, 1), name, &DataType::Utf8)?;
    Ok(one.is_valid(0).then_some(one))
}

#[cfg(test)]
mod tests;
