//! `events` and `documents`: columns that are lists, a row for each element.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use datafusion::error::Result;

use super::out::Out;
use super::reads::{List, ListValues, Names, Reads, any_filled, text, texts};
use super::source::{Expand, Made, Possible, Source};
use spanql_model::columns::EVENTS;
use spanql_model::json::Tree;
use spanql_model::time;

fn position(index: usize) -> Option<i64> {
    i64::try_from(index).ok()
}

/// What `events` is made from.
pub(super) fn events(names: &Names) -> Option<Made> {
    let mut reads = Reads::default();
    reads.add_known(EVENTS, names)?;
    let condition = reads.any_filled();
    Some(Made { source: Arc::new(Events), reads, condition, whole_traces: false })
}

#[derive(Debug)]
struct Events;

impl Source for Events {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        Ok(Box::new(EventValues(texts(&values[0])?)))
    }
}

struct EventValues(StringArray);

impl Expand for EventValues {
    fn begin(&mut self, _: Range<usize>) {}

    fn expand(&mut self, span: usize, out: &mut Out) {
        let Some(Tree::List(events)) = text(&self.0, span).and_then(Tree::parse) else { return };
        for (index, event) in events.iter().enumerate() {
            if !matches!(event, Tree::Object(_)) {
                continue;
            }
            let of = |paths: &[&str]| event.any(paths).and_then(Tree::text);
            out.row(span);
            out.int(3, position(index));
            out.text(4, of(&["name", "event.name"]).as_deref());
            if out.wants(5) {
                let at = event.any(&["timestamp", "time", "event.timestamp", "time_unix_nano", "timeUnixNano"]);
                out.time(5, at.and_then(event_time));
            }
            if out.wants(6) {
                out.text(6, of(&["attributes", "event.attributes"]).as_deref());
            }
        }
    }
}

fn event_time(value: &Tree<'_>) -> Option<i64> {
    match value {
        Tree::Scalar(number) => time::from_number(number).ok(),
        Tree::Text(text) => time::parse(text).ok(),
        _ => None,
    }
}

/// The lists of documents, and what they are called.
const DOCUMENTS: [(&str, &str); 3] = [
    ("retrieval", "attributes.retrieval.documents"),
    ("reranker_input", "attributes.reranker.input_documents"),
    ("reranker_output", "attributes.reranker.output_documents"),
];

/// What `documents` is made from.
pub(super) fn documents(names: &Names, possible: &Possible<'_>) -> Result<Option<Made>> {
    let mut reads = Reads::default();
    let possible = possible(&DOCUMENTS.map(|(source, _)| vec![source.to_owned()]))?;
    let sources = DOCUMENTS.iter().zip(possible).filter(|(_, possible)| *possible);
    let lists: Vec<(&'static str, List)> =
        sources.filter_map(|((source, list), _)| Some((*source, List::add(list, names, &mut reads)?))).collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let condition = any_filled(lists.iter().flat_map(|(_, list)| list.columns(&reads)).collect());
    Ok(Some(Made { source: Arc::new(Documents(lists)), reads, condition, whole_traces: false }))
}

#[derive(Debug)]
struct Documents(Vec<(&'static str, List)>);

impl Source for Documents {
    fn open(&self, values: Vec<ArrayRef>) -> Result<Box<dyn Expand>> {
        let open = |(source, list): &(&'static str, List)| Ok((*source, list.open(&values)?));
        Ok(Box::new(DocumentValues(self.0.iter().map(open).collect::<Result<_>>()?)))
    }
}

struct DocumentValues(Vec<(&'static str, ListValues)>);

impl Expand for DocumentValues {
    fn begin(&mut self, _: Range<usize>) {}

    fn expand(&mut self, span: usize, out: &mut Out) {
        for (source, lists) in &self.0 {
            for list in lists.trees(span) {
                let mut any = false;
                for (index, document) in list.items() {
                    let inner =
                        document.as_text().and_then(Tree::parse).filter(|inner| matches!(inner, Tree::Object(_)));
                    any |= push_document(span, source, index, inner.as_ref().unwrap_or(document), out);
                }
                if any {
                    break;
                }
            }
        }
    }
}

/// Appends the row of a document, if there is anything in it: an object, or its text.
fn push_document(span: usize, source: &str, index: usize, document: &Tree<'_>, out: &mut Out) -> bool {
    let id = document.any(&["document.id", "id"]);
    let score = document.any(&["document.score", "score"]);
    let content = document.any(&["document.content", "content", "page_content", "text"]);
    let content = content.or_else(|| document.as_text().map(|_| document));
    let metadata = document.any(&["document.metadata", "metadata"]);
    if [id, score, content, metadata].iter().all(Option::is_none) {
        return false;
    }
    out.row(span);
    out.text(3, Some(source));
    out.int(4, position(index));
    for (column, value) in [(5, id), (7, content), (8, metadata)] {
        if out.wants(column) {
            out.text(column, value.and_then(Tree::text).as_deref());
        }
    }
    out.float(6, score.and_then(Tree::number));
    true
}
