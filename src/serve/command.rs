//! What a Flight client asks for: JSON text of a command, and the ticket that stands for it once it is checked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter;
use super::ids::{SPACE_NAME, space_id};
use super::refusal::{Refusal, shown};
use spanql_model::time;
use spanql_sources::Window;

/// The most rows that a batch may have, which is also how many it has unless fewer are asked for.
pub(super) const MAX_CHUNK: usize = 5_000;
/// The most columns that a request may name.
pub(super) const MAX_COLUMNS: usize = 1_000;
/// The number of `TRACING` among the environments.
const TRACING: u64 = 4;

/// A request that has been checked, except for what depends on the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Export {
    /// The name of the project.
    pub(super) project: String,
    /// First start inside, ns.
    start: i64,
    /// First start after it, ns.
    end: i64,
    /// The columns wanted; all of them if not set.
    pub(super) columns: Option<Vec<String>>,
    /// The most rows of a batch.
    pub(super) chunk: usize,
    /// The share of traces wanted, above 0 and at most 1.
    pub(super) rate: Option<f64>,
    /// The text of the filter.
    #[serde(default)]
    pub(super) filter: Option<String>,
}

/// A request, and the version of the store that its spans were counted in.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) version: u64,
    pub(super) export: Export,
}

/// The command as it is on the wire. Fields that do not change what is sent are not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Command {
    #[serde(alias = "space_id")]
    space_id: Option<String>,
    #[serde(alias = "model_id")]
    model_id: Option<String>,
    environment: Option<Value>,
    #[serde(alias = "start_time")]
    start_time: Option<String>,
    #[serde(alias = "end_time")]
    end_time: Option<String>,
    #[serde(alias = "filter_expression")]
    filter_expression: Option<String>,
    #[serde(alias = "similarity_search_params")]
    similarity_search_params: Option<Value>,
    #[serde(alias = "projected_columns")]
    projected_columns: Option<Vec<String>>,
    #[serde(alias = "stream_chunk_size")]
    stream_chunk_size: Option<Value>,
    #[serde(alias = "sample_rate")]
    sample_rate: Option<Value>,
}

impl Export {
    /// Reads a command.
    ///
    /// # Errors
    /// When it is no JSON object, lacks what is needed, or asks for what is not served.
    pub(super) fn parse(command: &[u8]) -> Result<Self, Refusal> {
        let command: Command = serde_json::from_slice(command)
            .map_err(|error| Refusal::invalid(format!("the command is not the JSON of an export: {error}")))?;
        check_space(command.space_id.as_deref())?;
        let project = match command.model_id {
            Some(name) if !name.trim().is_empty() => name,
            _ => return Err(Refusal::invalid("modelId is missing: it is the name of the project")),
        };
        match &command.environment {
            Some(Value::String(name)) if name == "TRACING" => {}
            Some(Value::Number(number)) if number.as_u64() == Some(TRACING) => {}
            _ => return Err(Refusal::invalid("environment must be TRACING: only spans are served")),
        }
        if command.similarity_search_params.is_some_and(|params| !params.is_null()) {
            return Err(Refusal::invalid("similaritySearchParams: spans cannot be searched by similarity"));
        }
        let export = Self {
            project,
            start: instant("startTime", command.start_time.as_deref())?,
            end: instant("endTime", command.end_time.as_deref())?,
            columns: command.projected_columns.filter(|columns| !columns.is_empty()),
            chunk: chunk(command.stream_chunk_size.as_ref())?,
            rate: command.sample_rate.as_ref().and_then(|rate| rate_of(rate).transpose()).transpose()?,
            filter: filter::text(command.filter_expression),
        };
        export.check()?;
        Ok(export)
    }

    /// The window of starts.
    pub(super) fn window(&self) -> Window {
        Window { start: self.start, end: self.end }
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.start > self.end {
            return Err(Refusal::invalid("endTime lies before startTime"));
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1.0)) {
            return Err(Refusal::invalid("sampleRate must lie above 0 and at most at 1"));
        }
        if let Some(names) = self.columns.as_ref().filter(|names| names.len() > MAX_COLUMNS) {
            let count = names.len();
            return Err(Refusal::invalid(format!("projectedColumns has {count} names: the limit is {MAX_COLUMNS}")));
        }
        Ok(())
    }
}

impl Ticket {
    /// The bytes that a client gives back.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Refusal> {
        serde_json::to_vec(self).map_err(|error| Refusal::internal(format!("the ticket does not encode: {error}")))
    }

    /// Reads a ticket. It may have been made up, so everything in it is checked again.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let unknown = || Refusal::invalid("the ticket is none of this server: take it from GetFlightInfo");
        let mut ticket: Self = serde_json::from_slice(bytes).map_err(|_| unknown())?;
        ticket.export.check()?;
        ticket.export.chunk = ticket.export.chunk.clamp(1, MAX_CHUNK);
        Ok(ticket)
    }
}

/// Refuses every space but the one there is.
pub(super) fn check_space(given: Option<&str>) -> Result<(), Refusal> {
    let ours = space_id();
    match given {
        Some(space) if space == ours => Ok(()),
        Some(space) if !space.trim().is_empty() => Err(Refusal::not_found(format!(
            "there is no space {}: the one space here is {SPACE_NAME:?}, and its id is {ours}",
            shown(space)
        ))),
        _ => Err(Refusal::invalid("spaceId is missing: it is the id of the space")),
    }
}

fn instant(name: &str, text: Option<&str>) -> Result<i64, Refusal> {
    match text {
        Some(text) => time::parse(text).map_err(|error| Refusal::invalid(format!("{name}: {} {error}", shown(text)))),
        None => Err(Refusal::invalid(format!("{name} is missing: write it as 2026-01-31T12:00:00Z"))),
    }
}

/// JSON of the protocol writes 64-bit integers as text.
fn chunk(value: Option<&Value>) -> Result<usize, Refusal> {
    let rows = match value {
        None | Some(Value::Null) => return Ok(MAX_CHUNK),
        Some(Value::String(text)) => text.trim().parse::<i64>().ok(),
        Some(value) => value.as_i64(),
    };
    let rows = rows.ok_or_else(|| Refusal::invalid("streamChunkSize is not a whole number"))?;
    Ok(usize::try_from(rows).unwrap_or(1).clamp(1, MAX_CHUNK))
}

fn rate_of(value: &Value) -> Result<Option<f64>, Refusal> {
    let rate = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    rate.map(Some).ok_or_else(|| Refusal::invalid("sampleRate is not a number"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::refusal::Kind;
    use super::*;

    fn command(change: &[(&str, Value)]) -> Vec<u8> {
        let mut command = json!({
            "spaceId": space_id(), "modelId": "demo", "environment": "TRACING",
            "startTime": "1970-01-01T00:00:01Z", "endTime": "1970-01-01T00:00:02.000000003Z",
        });
        for (name, value) in change {
            command[*name] = value.clone();
        }
        command.to_string().into_bytes()
    }

    #[test]
    fn commands_as_clients_write_them() {
        let plain = Export::parse(&command(&[])).unwrap();
        assert_eq!((plain.start, plain.end), (1_000_000_000, 2_000_000_003));
        assert_eq!((plain.chunk, plain.rate, plain.columns), (MAX_CHUNK, None, None));
        for (value, chunk) in [
            (json!("10"), 10),
            (json!(10), 10),
            (json!("6000"), 5_000),
            (json!(0), 1),
            (json!(-4), 1),
            (json!(null), 5_000),
        ] {
            assert_eq!(Export::parse(&command(&[("streamChunkSize", value)])).unwrap().chunk, chunk);
        }
        let snake = format!(
            r#"{{"space_id":"{}","model_id":"demo","environment":4,"start_time":"1970-01-01T00:00:01Z",
                 "end_time":"1970-01-01T00:00:01Z","projected_columns":["name"],"sample_rate":1.0,"unknown":{{}}}}"#,
            space_id()
        );
        let snake = Export::parse(snake.as_bytes()).unwrap();
        assert_eq!((snake.columns, snake.rate), (Some(vec!["name".to_owned()]), Some(1.0)));
        assert_eq!(Export::parse(&command(&[("projectedColumns", json!([]))])).unwrap().columns, None);
    }

    #[test]
    fn commands_that_are_refused() {
        for (name, value, kind, word) in [
            ("spaceId", json!(""), Kind::Invalid, "spaceId"),
            ("spaceId", json!("U3BhY2U6MTphYmM="), Kind::NotFound, "U3BhY2U6MTphYmM="),
            ("modelId", json!(" "), Kind::Invalid, "modelId"),
            ("environment", json!("PRODUCTION"), Kind::Invalid, "TRACING"),
            ("startTime", json!("soon"), Kind::Invalid, "startTime"),
            ("endTime", json!(null), Kind::Invalid, "endTime"),
            ("endTime", json!("1970-01-01T00:00:00Z"), Kind::Invalid, "before"),
            ("similaritySearchParams", json!({}), Kind::Invalid, "similarity"),
            ("streamChunkSize", json!("ten"), Kind::Invalid, "streamChunkSize"),
            ("sampleRate", json!(0), Kind::Invalid, "sampleRate"),
            ("sampleRate", json!(1.1), Kind::Invalid, "sampleRate"),
            ("sampleRate", json!("NaN"), Kind::Invalid, "sampleRate"),
            ("sampleRate", json!([]), Kind::Invalid, "sampleRate"),
            ("projectedColumns", json!("name"), Kind::Invalid, "JSON"),
        ] {
            let refusal = Export::parse(&command(&[(name, value.clone())])).unwrap_err();
            assert_eq!(refusal.kind, kind, "{name}: {value}");
            assert!(refusal.message.contains(word), "{}", refusal.message);
        }
        assert_eq!(Export::parse(b"\x0a\x04demo").unwrap_err().kind, Kind::Invalid);
    }

    #[test]
    fn tickets_come_back_checked() {
        let export = Export::parse(&command(&[("sampleRate", json!(0.1))])).unwrap();
        let ticket = Ticket { version: 7, export };
        let bytes = ticket.to_bytes().unwrap();
        assert_eq!(Ticket::parse(&bytes).unwrap(), ticket);
        let changed = String::from_utf8(bytes).unwrap().replace("\"chunk\":5000", "\"chunk\":500000");
        assert_eq!(Ticket::parse(changed.as_bytes()).unwrap().export.chunk, MAX_CHUNK);
        assert!(Ticket::parse(changed.replace("0.1", "3.0").as_bytes()).is_err());
        assert!(Ticket::parse(b"x").is_err());
    }
}
