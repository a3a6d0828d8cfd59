//! GitHub-flavoured Markdown tables.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono_tz::Tz;

use super::buffer::Buffer;
use super::encode::{Encoder, Style, is_number};
use super::sanitize::{is_hidden, push_escape};
use super::{Error, Fence};

/// Writes a table in which cells are plain text, whatever they contain.
///
/// A null is an emphasised NULL, which no text can look like.
pub(super) struct MarkdownWriter<W> {
    out: Buffer<W>,
    zone: Tz,
    fence: Option<Fence>,
    cell: Vec<u8>,
    escaped: String,
}

impl<W: Write> MarkdownWriter<W> {
    pub(super) fn new(out: W, schema: &Schema, zone: Tz, fence: Option<Fence>) -> Self {
        let mut out = Buffer::new(out);
        let mut text = String::new();
        if let Some(fence) = &fence {
            // A table needs a blank line before it, or it would continue the paragraph above.
            text = format!("{}\n\n", fence.opening());
        }
        for field in schema.fields() {
            text.push_str("| ");
            escape_markdown(field.name(), &mut text);
            text.push(' ');
        }
        text.push_str("|\n");
        for field in schema.fields() {
            text.push_str(if is_number(field.data_type()) { "| ---: " } else { "| --- " });
        }
        text.push_str("|\n");
        out.bytes.extend_from_slice(text.as_bytes());
        Self { out, zone, fence, cell: Vec::new(), escaped: String::new() }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let style = Style::Human(self.zone);
        let encoders =
            batch.columns().iter().map(|c| Encoder::new(c.as_ref(), style)).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            for encoder in &encoders {
                self.out.bytes.extend_from_slice(b"| ");
                if encoder.is_null(row) {
                    self.out.bytes.extend_from_slice(b"*NULL*");
                } else {
                    self.cell.clear();
                    encoder.value(row, &mut self.cell);
                    self.escaped.clear();
                    escape_markdown(&String::from_utf8_lossy(&self.cell), &mut self.escaped);
                    self.out.bytes.extend_from_slice(self.escaped.as_bytes());
                }
                self.out.bytes.push(b' ');
            }
            self.out.bytes.extend_from_slice(b"|\n");
            self.out.row_done()?;
        }
        Ok(self.out.pass_on()?)
    }

    pub(super) fn finish(mut self) -> Result<(), Error> {
        if let Some(fence) = &self.fence {
            // Without the blank line the closing line would be one more row.
            self.out.bytes.extend_from_slice(format!("\n{}\n", fence.closing()).as_bytes());
        }
        Ok(self.out.finish()?)
    }
}

/// Appends text so that it renders as itself inside a table cell: no markup, no HTML, no cell or row of its own.
///
/// Line breaks become `<br>`, hidden characters visible. An underscore inside a word is no markup and stays. What
/// GitHub makes a link of by itself is kept from it: `https://`, `www.`, and a name behind an `@`.
pub fn escape_markdown(text: &str, out: &mut String) {
    let mut chars = text.char_indices().peekable();
    let mut previous = ' ';
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '\r' if next == Some('\n') => {}
            '\n' | '\r' => out.push_str("<br>"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '_' if previous.is_alphanumeric() && next.is_some_and(char::is_alphanumeric) => out.push(c),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' => out.extend(['\\', c]),
            ':' if text[at..].starts_with("://") && ends_with_any(&text[..at], &["http", "https", "ftp"]) => {
                out.push_str("\\:");
            }
            '.' if ends_with_any(&text[..at], &["www"]) => out.push_str("\\."),
            // Mail addresses and names are looked for when escapes are gone.
            '@' if next.is_some_and(|next| !next.is_whitespace()) => out.push_str("@<!-- -->"),
            c if is_hidden(c) => push_escape(c, out),
            c => out.push(c),
        }
        previous = c;
    }
}

/// Whether a text ends with one of these, whatever its case.
fn ends_with_any(text: &str, endings: &[&str]) -> bool {
    let last = |count| text.as_bytes().get(text.len().checked_sub(count)?..);
    endings.iter().any(|ending| last(ending.len()).is_some_and(|last| last.eq_ignore_ascii_case(ending.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_text() {
        let shown = |text: &str| {
            let mut out = String::new();
            escape_markdown(text, &mut out);
            out
        };
        assert_eq!(shown("a|b\\|c"), r"a\|b\\\|c");
        assert_eq!(shown("one\r\ntwo\nthree\rfour"), "one<br>two<br>three<br>four");
        assert_eq!(shown("<script>alert('x')</script> &amp;"), "&lt;script&gt;alert('x')&lt;/script&gt; &amp;amp;");
        assert_eq!(shown("![x](http://evil/?q)"), r"!\[x\](http\://evil/?q)");
        assert_eq!(shown("HTTPS://a.example/x ftp://a s3://b c: //d"), r"HTTPS\://a.example/x ftp\://a s3://b c: //d");
        assert_eq!(shown("(www.a.example Www.b ww.c w"), r"(www\.a.example Www\.b ww.c w");
        assert_eq!(shown("mailto:a@b.example @c a@-b @ d@"), "mailto:a@<!-- -->b.example @<!-- -->c a@<!-- -->-b @ d@");
        assert_eq!(shown("é:// 田中.a"), "é:// 田中.a");
        assert_eq!(shown("token_count _em_ *b* ~s~ `c`"), r"token_count \_em\_ \*b\* \~s\~ \`c\`");
        assert_eq!(shown("\u{1b}[0m\t\u{202e}"), r"\u{1b}\[0m\t\u{202e}");
    }
}
