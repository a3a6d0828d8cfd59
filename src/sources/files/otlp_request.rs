//! Requests of OTLP: what an exporter sends, as ingest batches.
//!
//! The same shapes as in files, but strictly: a request that is not whole is refused, so that its sender learns of it. A span
//! that cannot be stored is counted, and the others are taken, as the protocol has it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use spanql_model::columns::PROJECT;
use spanql_model::ingest::{IngestBuilder, Origin};
use spanql_model::json::{Member, members};

use super::otlp_shape::{Object, RequestShape};
use super::shapes::otlp::document;
use super::shapes::proto_value::pair;
use super::shapes::protobuf::ProtoSpans;
use super::shapes::row::Row;
use super::shapes::spans::{Next, Spans};
use super::shapes::wire::{Fields, NoMessage, Wire};
use crate::phoenix::fold::write_attributes;

/// The attribute of a resource that says which program it is.
const SERVICE: &str = "attributes.resource.service.name";
/// What OpenTelemetry's SDKs call a program that nobody named.
const UNNAMED: &str = "unknown_service";
/// Stands for a project that a request does not name: no project can be called so.
const NO_PROJECT: &str = "\0";

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpEncoding {
    /// `application/x-protobuf`, and all of gRPC.
    Protobuf,
    /// `application/json`.
    Json,
}

/// A request that is not read.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// It is no request of spans, or is cut off.
    #[error("not a request of OTLP: {0}")]
    Malformed(String),
    /// Arrow refused a batch, which would be a fault of this crate.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl From<NoMessage> for OtlpError {
    fn from(_: NoMessage) -> Self {
        Self::Malformed("it is broken, or of another kind".to_owned())
    }
}

/// The spans of a request.
#[derive(Debug, Default)]
pub struct OtlpSpans {
    /// Ingest batches, in the order of the request.
    pub batches: Vec<RecordBatch>,
    /// Spans in them.
    pub spans: u64,
    /// Spans that do not fit, e.g. without an id.
    pub rejected: u64,
    /// Why the first of them does not.
    pub reason: Option<String>,
}

/// Reads requests of OTLP.
#[derive(Debug, Clone)]
pub struct OtlpReader {
    /// The project of spans whose resource names none: by `openinference.project.name`, else by `service.name`.
    pub project: String,
    /// Bytes of the largest value that is taken; of a span, twice as many.
    pub max_value: usize,
}

impl OtlpReader {
    /// Reads one request.
    ///
    /// # Errors
    /// [`OtlpError::Malformed`] for bytes that are not wholly a request; nothing of them is to be stored then.
    pub fn read(&self, bytes: &[u8], encoding: OtlpEncoding) -> Result<OtlpSpans, OtlpError> {
        let origin = Origin { source: "otlp", project: NO_PROJECT.to_owned(), force_project: false };
        let mut reading = Reading {
            builder: IngestBuilder::new(origin).with_max_value(self.max_value),
            row: Row::default(),
            project: &self.project,
            spans: OtlpSpans::default(),
        };
        match encoding {
            OtlpEncoding::Protobuf => reading.protobuf(bytes)?,
            OtlpEncoding::Json => reading.json(bytes)?,
        }
        reading.take_batch()?;
        Ok(reading.spans)
    }
}

struct Reading<'a> {
    builder: IngestBuilder,
    row: Row,
    project: &'a str,
    spans: OtlpSpans,
}

impl Reading<'_> {
    fn protobuf(&mut self, bytes: &[u8]) -> Result<(), OtlpError> {
        for field in Fields::new(bytes) {
            match field? {
                (1, Wire::Bytes(resource)) => {
                    check_resource(resource)?;
                    let mut spans = ProtoSpans::new(resource.to_vec());
                    while self.take(|row| spans.next(row))? {}
                }
                // Fields of later versions are passed over; this one would be spans.
                (1, _) => return Err(NoMessage.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn json(&mut self, bytes: &[u8]) -> Result<(), OtlpError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let malformed = |error: &dyn std::fmt::Display| OtlpError::Malformed(error.to_string());
        let text = simdutf8::compat::from_utf8(bytes).map_err(|error| malformed(&error))?;
        serde_json::from_str::<Object<RequestShape>>(text).map_err(|error| malformed(&error))?;
        let mut spans = Spans::new(text.to_owned(), document, false, Arc::default());
        while self.take(|row| spans.next(row))? {}
        Ok(())
    }

    /// Takes the next span; false when there is none.
    fn take(&mut self, next: impl FnOnce(&mut Row) -> Next) -> Result<bool, OtlpError> {
        match next(&mut self.row) {
            Next::End => return Ok(false),
            Next::Bad(reason) => return Err(OtlpError::Malformed(reason)),
            Next::Row => {}
        }
        let row = self.row.close();
        let folded = folded(row);
        match self.builder.push_json(folded.as_deref().unwrap_or(row)) {
            Ok(()) => self.spans.spans += 1,
            Err(error) => {
                self.spans.rejected += 1;
                self.spans.reason.get_or_insert_with(|| error.to_string());
            }
        }
        if self.builder.is_full() {
            self.take_batch()?;
        }
        Ok(true)
    }

    fn take_batch(&mut self) -> Result<(), OtlpError> {
        if let Some(batch) = self.builder.finish()? {
            self.spans.batches.push(with_projects(batch, self.project)?);
        }
        Ok(())
    }
}

/// Looks at what [`ProtoSpans`] reads leniently.
fn check_resource(bytes: &[u8]) -> Result<(), NoMessage> {
    let attributes = |bytes, number| -> Result<(), NoMessage> {
        for field in Fields::new(bytes) {
            if let (found, Wire::Bytes(attribute)) = field?
                && found == number
            {
                pair(attribute)?;
            }
        }
        Ok(())
    };
    for field in Fields::new(bytes) {
        match field? {
            (1, Wire::Bytes(resource)) => attributes(resource, 1)?,
            (2 | 1_000, Wire::Bytes(spans)) => {
                for field in Fields::new(spans) {
                    match field? {
                        (1, Wire::Bytes(scope)) => attributes(scope, 3)?,
                        (2, Wire::Bytes(_)) => {}
                        (1 | 2, _) => return Err(NoMessage),
                        _ => {}
                    }
                }
            }
            (1 | 2, _) => return Err(NoMessage),
            _ => {}
        }
    }
    Ok(())
}

/// The row with its messages, documents and tools as lists, where instrumentation has taken them apart, since attributes of
/// OpenTelemetry are flat; nothing where it has not.
fn folded(row: &str) -> Option<String> {
    // A first element: most rows have none.
    if !row.contains(".0.") {
        return None;
    }
    let mut attributes = Vec::new();
    let mut out = String::with_capacity(row.len());
    out.push('{');
    for member in members(row)? {
        match member.key.strip_prefix("attributes.") {
            Some(key) => attributes.push(Member { key: key.to_owned().into(), ..member }),
            None => {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(member.text);
            }
        }
    }
    write_attributes(&attributes, &mut out);
    out.push('}');
    Some(out)
}

/// Names the project of rows whose resource names none.
fn with_projects(batch: RecordBatch, default: &str) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let at = schema.index_of(PROJECT)?;
    let services = match batch.column_by_name(SERVICE) {
        Some(column) => Some(cast(column, &DataType::Utf8)?),
        None => None,
    };
    let service = |row: usize| {
        let services = services.as_ref()?.as_string::<i32>();
        let name = services.is_valid(row).then(|| services.value(row).trim())?;
        // Some add the name of the executable.
        let is_unnamed = name == UNNAMED || name.strip_prefix(UNNAMED).is_some_and(|rest| rest.starts_with(':'));
        (!name.is_empty() && !is_unnamed).then_some(name)
    };
    let projects = batch.column(at).as_string::<i32>();
    let projects: StringArray = (0..batch.num_rows())
        .map(|row| match projects.value(row) {
            NO_PROJECT => Some(service(row).unwrap_or(default)),
            named => Some(named),
        })
        .collect();
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(projects) as ArrayRef;
    RecordBatch::try_new(schema, columns)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::{OtlpEncoding, OtlpError, OtlpReader, OtlpSpans};

    const SPAN: &str = r#"{"traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","name":"a"}"#;

    fn reader() -> OtlpReader {
        OtlpReader { project: "mine".to_owned(), max_value: 1 << 20 }
    }

    fn json(text: &str) -> Result<OtlpSpans, OtlpError> {
        reader().read(text.as_bytes(), OtlpEncoding::Json)
    }

    fn request(resource: &str, spans: &str) -> String {
        format!(r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
    }

    fn attributes(pairs: &[(&str, &str)]) -> String {
        let pairs =
            pairs.iter().map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#));
        format!(r#"{{"attributes":[{}]}}"#, pairs.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_resource_names_the_project() {
        let project = |pairs: &[(&str, &str)]| {
            let read = json(&request(&attributes(pairs), SPAN)).unwrap();
            let batch = &read.batches[0];
            batch.column_by_name("project").unwrap().as_string::<i32>().value(0).to_owned()
        };
        assert_eq!(project(&[]), "mine");
        assert_eq!(project(&[("service.name", "unknown_service")]), "mine");
        assert_eq!(project(&[("service.name", "unknown_service:python")]), "mine");
        assert_eq!(project(&[("service.name", "unknown_services")]), "unknown_services");
        assert_eq!(project(&[("service.name", "shop")]), "shop");
        assert_eq!(project(&[("service.name", "shop"), ("openinference.project.name", "bot")]), "bot");
        assert_eq!(project(&[("openinference.project.name", ""), ("service.name", "shop")]), "shop");
    }

    #[test]
    fn lists_that_were_taken_apart_are_lists_again() {
        let key = |name: &str| format!(r#"{{"key":"llm.input_messages.{name}","value":{{"stringValue":"x"}}}}"#);
        let list = [key("1.message.role"), key("0.message.content"), key("0.message.role")].join(",");
        let span = SPAN.replace("\"name\":\"a\"", &format!("\"attributes\":[{list}]"));
        let read = json(&request("{}", &span)).unwrap();
        let messages = read.batches[0].column_by_name("attributes.llm.input_messages").unwrap();
        let expected = r#"[{"message.content":"x","message.role":"x"},{"message.role":"x"}]"#;
        assert_eq!(messages.as_string::<i32>().value(0), expected);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_is_broken_refused() {
        let zero = SPAN.replace("0123456789abcdef0123456789abcdef", &"0".repeat(32));
        let read = json(&request("{}", &format!("{SPAN},{zero}"))).unwrap();
        assert_eq!((read.spans, read.rejected, read.reason.is_some()), (1, 1, true));
        assert_eq!(json("{}").unwrap().spans, 0);
        for broken in [
            "",
            "[]",
            "7",
            "{\"resourceSpans\":7}",
            "{\"resourceSpans\":{}}",
            "{\"resourceSpans\":[7]}",
            "{\"resourceSpans\":[]",
            "{} {}",
            &request("7", SPAN),
            &request("[]", SPAN),
            &request("{}", "[]"),
            &request(r#"{"attributes":{"a":1}}"#, SPAN),
            &request(r#"{"attributes":[{"key":1}]}"#, SPAN),
            &request("{}", "7"),
            &request("{}", r#"{"traceId":7}"#),
            &request("{}", &SPAN.replace("\"name\":\"a\"", "\"attributes\":{}")),
            &request("{}", &SPAN.replace("\"name\":\"a\"", "\"name\":[]")),
        ] {
            assert!(matches!(json(broken), Err(OtlpError::Malformed(_))), "{broken}");
        }
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_no_whole_request() {
        // One span whose ids are bytes, in a scope, in a resource.
        let span = [&b"\x0a\x10"[..], &[1; 16], b"\x12\x08", &[2; 8], b"\x2a\x01a"].concat();
        let within = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat();
        let whole = within(1, &within(2, &within(2, &span)));
        let read = reader().read(&whole, OtlpEncoding::Protobuf).unwrap();
        assert_eq!((read.spans, read.rejected), (1, 0));
        for cut in 1..whole.len() {
            assert!(reader().read(&whole[..cut], OtlpEncoding::Protobuf).is_err(), "{cut}");
        }
        for broken in [&b"\x08\x01"[..], b"\x0a\x02\x10\x01", b"hello", b"\x0a\x04\x0a\x02\x08"] {
            assert!(reader().read(broken, OtlpEncoding::Protobuf).is_err(), "{broken:?}");
        }
    }
}
