//! The text of one row in the making.

use spanql_model::json::{Value, write_finite, write_string};

/// One JSON object with flat dotted names.
#[derive(Debug, Default)]
pub(in crate::files) struct Row {
    text: String,
}

impl Row {
    /// Begins a new row with members that are there already, each with a comma after it.
    pub(super) fn begin(&mut self, members: &str) {
        self.text.clear();
        self.text.push('{');
        self.text.push_str(members);
    }

    /// Begins a new row with the members of an object.
    pub(super) fn object(&mut self, object: &str) {
        self.begin("");
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or("").trim();
        self.text.push_str(members);
        if !members.is_empty() {
            self.text.push(',');
        }
    }

    /// Forgets the row.
    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    /// Whether no row has been begun.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The row as it is to be ingested.
    pub(in crate::files) fn close(&mut self) -> &str {
        if self.text.ends_with(',') {
            self.text.pop();
        }
        self.text.push('}');
        &self.text
    }

    /// The members so far, each with a comma after it.
    pub(super) fn into_members(self) -> String {
        self.text
    }

    /// Adds members that are JSON text already, each with a comma after it.
    pub(super) fn members(&mut self, members: &str) {
        self.text.push_str(members);
    }

    /// Adds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.with("", name, |out| write_string(text, out));
    }

    /// Adds a value; null says nothing.
    pub(super) fn value(&mut self, name: &str, value: Value<'_>) {
        self.under("", name, value);
    }

    /// Adds a value under a name behind a prefix; null says nothing.
    pub(super) fn under(&mut self, prefix: &str, name: &str, value: Value<'_>) {
        if value != Value::Null {
            self.with(prefix, name, |out| write_value(value, out));
        }
    }

    /// Adds JSON text.
    pub(super) fn json(&mut self, name: &str, json: &str) {
        self.with("", name, |out| out.push_str(json));
    }

    /// Adds what `write` appends as JSON text; where it appends nothing, no member is added.
    pub(super) fn with(&mut self, prefix: &str, name: &str, write: impl FnOnce(&mut String)) {
        let mark = self.text.len();
        self.text.push('"');
        self.text.push_str(prefix);
        let quote = self.text.len();
        write_string(name, &mut self.text);
        self.text.remove(quote);
        self.text.push(':');
        let before = self.text.len();
        write(&mut self.text);
        if self.text.len() == before {
            self.text.truncate(mark);
        } else {
            self.text.push(',');
        }
    }
}

/// Appends the JSON text of a value.
pub(super) fn write_value(value: Value<'_>, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        Value::Number(text) => out.push_str(text),
        Value::Nested(text) => write_finite(text, false, out),
        Value::Text(body) | Value::Escaped(body) => {
            out.push('"');
            out.push_str(body);
            out.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_one_by_one() {
        let mut row = Row::default();
        assert!(row.is_empty());
        row.begin("\"first\":1,");
        row.text("a\"", "x\n");
        row.value("gone", Value::Null);
        row.under("attributes.", "é\"", Value::Escaped("\\u00e9"));
        row.with("", "nothing", |_| ());
        row.json("list", "[1, 2]");
        let want = r#"{"first":1,"a\"":"x\n","attributes.é\"":"\u00e9","list":[1, 2]}"#;
        assert_eq!(row.close(), want);
        row.begin("");
        assert_eq!(row.close(), "{}");
    }
}
