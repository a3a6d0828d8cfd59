//! Cells as ids, texts and numbers.

use serde_json::Value;

use super::error::WriteError;
use super::rows::Row;

impl Row {
    pub(super) fn wrong(&self, reason: impl Into<String>) -> WriteError {
        WriteError::Row { place: self.place.clone(), reason: reason.into() }
    }

    /// A cell that says something.
    pub(super) fn cell(&self, name: &str) -> Option<&Value> {
        self.cells.get(name).filter(|value| !value.is_null())
    }

    /// The id in the first of these columns that the row has.
    pub(super) fn id(&self, columns: &[&str]) -> Result<String, WriteError> {
        let found = columns.iter().find_map(|name| self.cell(name).map(|value| (*name, value)));
        let Some((name, value)) = found else {
            return Err(self.wrong(format!("no id: a column {} names what is meant", columns.join(", or "))));
        };
        self.as_id(name, value)
    }

    pub(super) fn as_id(&self, name: &str, value: &Value) -> Result<String, WriteError> {
        match value {
            Value::String(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
            Value::String(_) => Err(self.wrong(format!("{name} is empty, where an id belongs"))),
            // Of digits alone, and JSON without quotes: it is the text all the same.
            Value::Number(number) if number.is_u64() && !self.typed => Ok(number.to_string()),
            Value::Number(_) => Err(self.wrong(format!(
                "{name} is a number, where text belongs: an id that was read as a number has lost its leading zeros"
            ))),
            _ => Err(self.wrong(format!("{name} is no text, where an id belongs"))),
        }
    }

    pub(super) fn as_text(&self, name: &str, value: &Value) -> Result<Option<String>, WriteError> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            Value::Number(number) => Ok(Some(number.to_string())),
            Value::Bool(truth) => Ok(Some(if *truth { "True" } else { "False" }.to_owned())),
            Value::Array(_) | Value::Object(_) => {
                Err(self.wrong(format!("{name} is a list or an object, where text belongs")))
            }
        }
    }

    pub(super) fn as_score(&self, name: &str, value: &Value) -> Result<Option<f64>, WriteError> {
        let number = match value {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_f64(),
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            // Cells of a CSV file are all text.
            Value::String(text) if matches!(text.trim(), "" | "NaN" | "nan") => return Ok(None),
            Value::String(text) => text.trim().parse().ok(),
            Value::Array(_) | Value::Object(_) => None,
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(format!("{name} is {}, where a number belongs", short(value)))),
        }
    }

    pub(super) fn as_millis(&self, name: &str, value: &Value) -> Result<Option<i64>, WriteError> {
        let ms = match value {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_i64().or(number.as_f64().map(|ms| ms as i64)),
            Value::String(text) => match text.trim().parse() {
                Ok(ms) => Some(ms),
                Err(_) => spanql_model::time::parse(text).ok().map(|ns| ns.div_euclid(1_000_000)),
            },
            _ => None,
        };
        ms.map(Some)
            .ok_or_else(|| self.wrong(format!("{name} is {}, where a time in milliseconds belongs", short(value))))
    }
}

/// The beginning of a value, for messages.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
