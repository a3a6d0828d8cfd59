//! What a client asks for, as handles and tickets hold it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::refusal::Refusal;
use super::values::Value;
use crate::report::{Library, bind};
use spanql_engine::{Engine, EngineError, Params, Prepared};
use spanql_model::time::Clock;
use spanql_sources::config::Environment;

/// What a text begins with that runs a saved query, as in the shell.
const RUN: &str = "\\run";

/// A statement with the values of its parameters. Clients give it back; it may have been made up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) sql: String,
    /// By name.
    #[serde(default)]
    pub(super) values: BTreeMap<String, Value>,
    /// The version of the store; the newest one if not set.
    #[serde(default)]
    pub(super) version: Option<u64>,
}

impl Asked {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let unknown = |_| Refusal::invalid("the handle is none of this server: prepare the statement again");
        serde_json::from_slice(bytes).map_err(unknown)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Refusal> {
        serde_json::to_vec(self).map_err(|error| Refusal::internal(format!("the handle does not encode: {error}")))
    }

    /// Plans it. It reads, and is one statement.
    pub(super) async fn plan(&self, engine: &Engine) -> Result<Prepared, Refusal> {
        let (sql, params) = match self.sql.trim().strip_prefix(RUN).filter(|rest| rest.starts_with(' ')) {
            Some(rest) => saved(rest, engine)?,
            None => {
                let values = self.values.iter().map(|(name, value)| Ok((name.clone(), value.to_param()?)));
                (self.sql.clone(), values.collect::<Result<Params, Refusal>>()?)
            }
        };
        let prepared = engine.prepare(&sql, &params).await.map_err(|error| Refusal::of_statement(&error))?;
        let count = prepared.len();
        match <[Prepared; 1]>::try_from(prepared) {
            Ok([statement]) if statement.is_read_only() => Ok(statement),
            Ok(_) => {
                let error = EngineError::would_write("use SELECT, EXPLAIN, DESCRIBE or SHOW");
                Err(Refusal::of_statement(&error))
            }
            Err(_) => Err(Refusal::invalid(format!("there are {count} statements in the text: give one"))),
        }
    }

    /// The names of the parameters, in the order in which they stand in the text.
    pub(super) async fn parameters(&self, engine: &Engine) -> Result<Vec<String>, Refusal> {
        if self.sql.trim().starts_with(RUN) {
            return Ok(vec![]);
        }
        engine.parameters(&self.sql).await.map_err(|error| Refusal::of_statement(&error))
    }
}

/// The text of a saved query and its parameters: `NAME [-p] name=value …`, in words of a shell.
fn saved(words: &str, engine: &Engine) -> Result<(String, Params), Refusal> {
    let words = shlex::split(words).ok_or_else(|| Refusal::invalid("\\run: a quote is not closed"))?;
    let mut words = words.into_iter().filter(|word| word != "-p");
    let name = words.next().unwrap_or_default();
    if name.is_empty() || name.contains(std::path::is_separator) || name.ends_with(".sql") {
        // It would be looked up as a file.
        return Err(Refusal::invalid("\\run NAME name=value …: saved queries are run by their names here"));
    }
    let given = words.map(|word| match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Refusal::invalid(format!("\\run {name}: write parameters as name=value"))),
    });
    let given = given.collect::<Result<Vec<_>, _>>()?;
    let library = Library::of(Path::new(""), Environment::of_process().config.as_deref());
    let wrong = |error: crate::report::ReportError| Refusal::invalid(error.to_string());
    let saved = library.find(&name).map_err(wrong)?;
    let params = bind(&saved.params, &given, &Clock::now(engine.data_end())).map_err(wrong)?;
    Ok((saved.sql, params))
}
