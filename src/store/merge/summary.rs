//! Trace summaries of merged spans.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};

use super::super::error::{Result, StoreError};
use super::Merged;
use super::slim::SUMMARISED;
use spanql_model::columns;
use spanql_trace::{ANSWERED_IN, ASKED_IN, Summaries, answered, asked};

impl Merged {
    /// One summary row for each of the given traces.
    pub(crate) fn summaries(&self, traces: &[usize]) -> Result<Summaries> {
        let (summaries, speakers) = self.summaries_without_texts(traces)?;
        let texts = speakers.iter().map(|speakers| {
            let text = |text: Text| speakers.find(text, &mut |span, source| self.text_from(text, span, source));
            Ok([text(Text::Input)?, text(Text::Output)?])
        });
        let rows = with_texts(&summaries.rows, &texts.collect::<Result<Vec<_>>>()?)?;
        Ok(Summaries { rows, ..summaries })
    }

    /// One summary row for each of the given traces without input and output, and the spans that these are of.
    pub(crate) fn summaries_without_texts(&self, traces: &[usize]) -> Result<(Summaries, Vec<Speakers>)> {
        let spans = self.spans_of(traces);
        let wanted = columns::CANONICAL.iter().filter(|column| SUMMARISED.contains(&column.name));
        let mut fields: Vec<Field> = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for column in wanted {
            arrays.push(self.gather(column.name, &column.data_type, &spans)?);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        for (column, array) in columns::TREE.iter().zip(self.tree_of(&spans)?) {
            arrays.push(array);
            fields.push(Field::new(column.name, column.data_type.clone(), true));
        }
        let schema = Arc::new(Schema::new(fields));
        let slim = RecordBatch::try_new(schema, arrays).map_err(StoreError::arrow("summarising traces"))?;
        let mut from = 0;
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(traces.len());
        for &trace in traces {
            ranges.push(from..from + self.traces[trace].spans.len());
            from += self.traces[trace].spans.len();
        }
        let summaries =
            spanql_trace::summarize(&slim, &ranges).map_err(|error| StoreError::Internal(error.to_string()))?;
        let summary = &summaries.rows;
        let root_id = summary.column_by_name("root_span_id").ok_or_else(|| missing("root_span_id"))?;
        let root_id = root_id.as_string::<i32>();
        let span_id = slim.column_by_name(columns::SPAN_ID).ok_or_else(|| missing(columns::SPAN_ID))?;
        let span_id = span_id.as_string::<i32>();
        let is_root = |trace: usize, row: usize| root_id.is_valid(trace) && span_id.value(row) == root_id.value(trace);
        let kind = slim.column_by_name(columns::KIND).ok_or_else(|| missing(columns::KIND))?.as_string::<i32>();
        let is_call = |row: &usize| kind.is_valid(*row) && kind.value(*row) == "LLM";
        let speakers = |(trace, range): (usize, &Range<usize>)| Speakers {
            root: range.clone().find(|&row| is_root(trace, row)).map(|row| spans[row]),
            // The spans of a merged trace are in the order of their starts.
            calls: range.clone().filter(is_call).map(|row| spans[row]).collect(),
        };
        let speakers = ranges.iter().enumerate().map(speakers).collect();
        Ok((summaries, speakers))
    }

    /// The beginning of a text of a trace, as one of its spans has it.
    pub(crate) fn text_from(&self, text: Text, span: usize, source: Source) -> Result<Option<String>> {
        let (value, messages) = match text {
            Text::Input => (columns::INPUT, ASKED_IN),
            Text::Output => (columns::OUTPUT, ANSWERED_IN),
        };
        match source {
            Source::Root => self.text_of(value, span, |text| first_chars(text).to_owned()),
            Source::Call => {
                let own = |name: &str| self.text_of(name, span, str::to_owned);
                let messages = messages.into_iter().map(own).find_map(Result::transpose).transpose()?;
                let value = own(value)?;
                let words = match text {
                    Text::Input => asked(messages.as_deref(), value.as_deref()),
                    Text::Output => answered(messages.as_deref(), value.as_deref()),
                };
                Ok(words.map(|words| first_chars(&words).to_owned()))
            }
        }
    }
}

/// The spans that say what a trace was asked and what it answered.
pub(crate) struct Speakers {
    root: Option<usize>,
    /// Calls of models, earliest first.
    calls: Vec<usize>,
}

/// A text of a trace's summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Input,
    Output,
}

/// Whose words are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Those of the root, as they are.
    Root,
    /// Those in the messages of a call of a model.
    Call,
}

impl Speakers {
    /// A text of the trace: the root's own, else the first that a call of a model has, or the last for an output.
    pub(crate) fn find(
        &self,
        text: Text,
        read: &mut dyn FnMut(usize, Source) -> Result<Option<String>>,
    ) -> Result<Option<String>> {
        if let Some(root) = self.root
            && let Some(own) = read(root, Source::Root)?
        {
            return Ok(Some(own));
        }
        let mut calls = self.calls.iter();
        while let Some(&call) = if text == Text::Input { calls.next() } else { calls.next_back() } {
            if let Some(said) = read(call, Source::Call)? {
                return Ok(Some(said));
            }
        }
        Ok(None)
    }
}

/// Summaries with input and output.
pub(crate) fn with_texts(summary: &RecordBatch, texts: &[[Option<String>; 2]]) -> Result<RecordBatch> {
    let mut arrays = summary.columns().to_vec();
    for (at, name) in ["input", "output"].into_iter().enumerate() {
        let index = summary.schema_ref().index_of(name).map_err(|_| missing(name))?;
        arrays[index] = Arc::new(texts.iter().map(|texts| texts[at].as_deref()).collect::<StringArray>());
    }
    RecordBatch::try_new(summary.schema(), arrays).map_err(StoreError::arrow("summarising traces"))
}

fn missing(name: &str) -> StoreError {
    StoreError::Internal(format!("a trace summary has no column {name}"))
}

/// Characters of input and output that a summary keeps.
const SUMMARY_CHARS: usize = 1024;

fn first_chars(text: &str) -> &str {
    match text.char_indices().nth(SUMMARY_CHARS) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
