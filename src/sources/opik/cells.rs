//! The members of one ingest row: names, and values that are JSON text.

use std::borrow::Cow;

use spanql_model::json::{Value, write_string};

/// A row in the making. Each name stands in it once, so that no key repeats.
#[derive(Debug, Default)]
pub(super) struct Cells<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Cells<'a> {
    /// Sets what a name has; null says nothing, and changes nothing.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        if value != Value::Null {
            self.set_json(name, value.written());
        }
    }

    /// Sets a text.
    pub(super) fn set_text(&mut self, name: impl Into<Cow<'a, str>>, text: &str) {
        let mut json = String::with_capacity(text.len() + 2);
        write_string(text, &mut json);
        self.set_json(name, json);
    }

    /// Sets a value that is JSON text.
    pub(super) fn set_json(&mut self, name: impl Into<Cow<'a, str>>, json: impl Into<Cow<'a, str>>) {
        let (name, json) = (name.into(), json.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, value)) => *value = json,
            None => self.0.push((name, json)),
        }
    }

    /// Whether a name has a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// Appends the row as one JSON object.
    pub(super) fn write(&self, out: &mut String) {
        for (at, (name, value)) in self.0.iter().enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            write_string(name, out);
            out.push(':');
            out.push_str(value);
        }
        out.push_str(if self.0.is_empty() { "{}" } else { "}" });
    }
}
