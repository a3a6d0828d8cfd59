//! DoPut: rows of evaluations, annotations and metadata, and what the server says became of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{Field, Schema};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::wire::{Fields, Number};
use crate::error::SourceError;
use crate::writes::{Judgement, Kind, Patch, WriteError, WriteRequest, Written, batch_rows, judgement_batch};
use spanql_model::columns::{NOTES, SPAN_ID};

const EVALUATIONS: &str = "writeSpanEvaluationRequest";
const ANNOTATIONS: &str = "writeSpanAnnotationRequest";
const METADATA: &str = "writeSpanAttributesMetadataRequest";
/// Rows of one call, which is taken or refused as one.
const TOGETHER: usize = 10_000;

/// Calls that write judgements, evaluations and annotations apart.
pub(super) fn judgements(
    space: &str,
    project: &str,
    judgements: &[Judgement],
    of: &[usize],
) -> Result<Vec<WriteRequest>, SourceError> {
    let mut requests = Vec::new();
    for (kind, name) in [(Kind::Evaluation, EVALUATIONS), (Kind::Annotation, ANNOTATIONS)] {
        // What is said of one span is one row.
        let mut by_id: Vec<(&str, Vec<usize>)> = Vec::new();
        let mut places = HashMap::new();
        for at in of.iter().filter(|at| judgements[**at].kind == kind) {
            let id = judgements[*at].id.as_str();
            let place = *places.entry(id).or_insert_with(|| {
                by_id.push((id, vec![]));
                by_id.len() - 1
            });
            by_id[place].1.push(*at);
        }
        for group in by_id.chunks(TOGETHER) {
            let items: Vec<usize> = group.iter().flat_map(|(_, of)| of.iter().copied()).collect();
            let batch = judgement_batch(items.iter().map(|at| &judgements[*at]), SPAN_ID).map_err(unfit)?;
            let noted = items.iter().any(|at| judgements[*at].is_note());
            let request = call(name, space, project, with_listed_notes(&batch)?, items)?;
            // Notes that are sent twice may be there twice.
            requests.push(WriteRequest { repeatable: !noted, ..request });
        }
    }
    Ok(requests)
}

/// Calls that write metadata.
pub(super) fn patches(space: &str, project: &str, patches: &[Patch]) -> Result<Vec<WriteRequest>, SourceError> {
    let mut requests = Vec::new();
    for (number, group) in patches.chunks(TOGETHER).enumerate() {
        let ids = StringArray::from_iter_values(group.iter().map(|patch| &patch.span_id));
        let documents =
            StringArray::from_iter_values(group.iter().map(|patch| Value::from(patch.document.clone()).to_string()));
        let batch = RecordBatch::try_from_iter_with_nullable([
            (SPAN_ID, Arc::new(ids) as Arc<dyn Array>, true),
            ("patch_document", Arc::new(documents) as Arc<dyn Array>, true),
        ]);
        let batch = batch.map_err(|error| SourceError::Setting(error.to_string()))?;
        let items = (number * TOGETHER..number * TOGETHER + group.len()).collect();
        requests.push(call(METADATA, space, project, batch, items)?);
    }
    Ok(requests)
}

fn call(
    name: &str,
    space: &str,
    project: &str,
    batch: RecordBatch,
    items: Vec<usize>,
) -> Result<WriteRequest, SourceError> {
    let batch = with_metadata(batch, project)?;
    let rows = batch_rows(&batch, "").map_err(unfit)?.into_iter().map(|row| Value::from(row.cells));
    let command = json!({ name: { "spaceId": space, "externalModelId": project } });
    let body = json!({ "command": command, "rows": rows.collect::<Vec<_>>() });
    let path = name.to_owned();
    Ok(WriteRequest { method: "DoPut", path, body, batch: Some(batch), items, repeatable: true })
}

fn unfit(error: WriteError) -> SourceError {
    SourceError::Setting(error.to_string())
}

/// The batch with what the server wants to know of it: `public.Schema` of one project's spans.
fn with_metadata(batch: RecordBatch, project: &str) -> Result<RecordBatch, SourceError> {
    let mut constants = vec![0x0a];
    varint(project.len() as u64, &mut constants);
    constants.extend(project.as_bytes());
    // The environment is that of traces (5), the model one that generates text (7).
    constants.extend([0x20, 0x05, 0x28, 0x07]);
    let mut message = vec![0x0a];
    varint(constants.len() as u64, &mut message);
    message.extend(constants);
    // `arize_spans`, which is there and empty.
    message.extend([0x42, 0x00]);
    let metadata = [("arize-schema".to_owned(), BASE64_STANDARD.encode(message))].into();
    let schema = Schema::new_with_metadata(batch.schema_ref().fields().clone(), metadata);
    batch.with_schema(Arc::new(schema)).map_err(|error| SourceError::Setting(error.to_string()))
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The batch with notes as a list of JSON texts, as the server takes them.
fn with_listed_notes(batch: &RecordBatch) -> Result<RecordBatch, SourceError> {
    let Ok(at) = batch.schema_ref().index_of(NOTES) else { return Ok(batch.clone()) };
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in batch.column(at).as_string::<i32>() {
        match text.and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok()) {
            Some(notes) => {
                notes.iter().for_each(|note| lists.values().append_value(note.to_string()));
                lists.append(true);
            }
            None => lists.append(false),
        }
    }
    let lists = lists.finish();
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
    fields[at] = Arc::new(Field::new(NOTES, lists.data_type().clone(), true));
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(lists);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| SourceError::Setting(error.to_string()))
}

/// Reads the server's answer.
pub(super) fn written(answer: &Bytes, request: &WriteRequest) -> Result<Written, SourceError> {
    let broken = |reason: &str| SourceError::Protocol {
        endpoint: request.path.clone(),
        reason: format!("the answer to DoPut is not what the protocol has: {reason}"),
    };
    let fields = Fields::read(answer).map_err(|reason| broken(&reason))?;
    let mut written = Written::default();
    if request.path != METADATA {
        let unknown = "no such span; the others were written".to_owned();
        written.failed = fields.texts(2).map(|id| (id, unknown.clone())).collect();
        return Ok(written);
    }
    for error in fields.bytes(4) {
        let error = Fields::read(error).map_err(|reason| broken(&reason))?;
        let text = |number: Number| error.texts(number).next().unwrap_or_default();
        written.failed.push((text(1), text(2)));
    }
    let named = written.failed.len() as u64;
    let said = fields.number(3).unwrap_or(0);
    if said > named {
        let lost = said - named;
        written.failed.push((String::new(), format!("{lost} spans failed that the server does not name")));
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writes::Grain;

    #[test]
    fn says_what_the_vendors_client_says() {
        let eval = Judgement { score: Some(0.5), ..Judgement::new("a1", Kind::Evaluation, Grain::Span, "Rel") };
        let requests = judgements("U3BhY2U6MTphYmM=", "demo", &[eval], &[0]).unwrap();
        let batch = requests[0].batch.as_ref().unwrap();
        assert_eq!(batch.schema_ref().metadata()["arize-schema"], "CgoKBGRlbW8gBSgHQgA=");
        let command = json!({"writeSpanEvaluationRequest": {"externalModelId": "demo", "spaceId": "U3BhY2U6MTphYmM="}});
        assert_eq!(requests[0].body["command"], command);
        assert_eq!(requests[0].body["rows"], json!([{"context.span_id": "a1", "eval.Rel.score": 0.5}]));
    }

    #[test]
    fn reads_recorded_answers() {
        let bytes = |hex: &str| -> Bytes {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let request = |name: &str| WriteRequest::json("DoPut", name.to_owned(), Value::Null, vec![0]);
        let answer = bytes("0801121030303030303030303030303030306666");
        let done = written(&answer, &request(EVALUATIONS)).unwrap();
        assert_eq!(done.failed.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["00000000000000ff"]);
        let answer =
            bytes("08021001180122250a103030303030303030303030303030303212117365676d656e745f6e6f745f666f756e64");
        let done = written(&answer, &request(METADATA)).unwrap();
        assert_eq!(done.failed, [("0000000000000002".to_owned(), "segment_not_found".to_owned())]);
        assert_eq!(written(&Bytes::new(), &request(METADATA)).unwrap(), Written::default());
        assert!(written(&bytes("0aff"), &request(METADATA)).is_err());
    }
}
