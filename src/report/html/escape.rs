//! Text by strangers, safe inside HTML.

use spanql_output::escape_terminal;

/// Text as it stands inside an element or a quoted attribute: no markup, and nothing in it that is not seen.
pub(super) fn escape(text: &str) -> String {
    let shown = escape_terminal(text);
    let mut out = String::with_capacity(shown.len() + 8);
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
