//! A result as an HTML table.

use arrow::error::ArrowError;

use super::escape::escape;
use crate::report::filled::readable;
use crate::report::run::Ran;
use spanql_output::{CellTexts, Zone, is_number};

/// Characters of a cell from which on it may break across lines.
const LONG: usize = 40;

/// A table in a box of its own that scrolls.
pub(super) fn table(ran: &Ran, caption: &str, zone: Zone) -> Result<String, ArrowError> {
    let texts = CellTexts::new(&ran.shown, zone)?;
    let numeric: Vec<bool> = ran.schema.fields().iter().map(|field| is_number(field.data_type())).collect();
    let mut out = open(caption);
    for (field, numeric) in ran.schema.fields().iter().zip(&numeric) {
        out.push_str(if *numeric { "<th scope=\"col\" class=\"n\">" } else { "<th scope=\"col\">" });
        out.push_str(&escape(field.name()));
        out.push_str("</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in 0..ran.shown.num_rows() {
        out.push_str("<tr>");
        for (column, numeric) in numeric.iter().enumerate() {
            match texts.text(column, row) {
                None if *numeric => out.push_str("<td class=\"null n\">null</td>"),
                None => out.push_str("<td class=\"null\">null</td>"),
                Some(text) if *numeric => {
                    out.push_str("<td class=\"n\">");
                    out.push_str(&readable(&text));
                    out.push_str("</td>");
                }
                Some(text) => {
                    let long = text.char_indices().nth(LONG).is_some();
                    out.push_str(if long { "<td class=\"long\">" } else { "<td>" });
                    out.push_str(&escape(&text));
                    out.push_str("</td>");
                }
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    Ok(out)
}

/// A table of ranges and how many values lie in each.
pub(super) fn ranges(ranges: &[(String, u64)], caption: &str, of: &str) -> String {
    let mut out = open(caption);
    out.push_str(&format!(
        "<th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">rows</th></tr></thead>\n",
        escape(of)
    ));
    out.push_str("<tbody>\n");
    for (range, count) in ranges {
        let count = readable(&count.to_string());
        out.push_str(&format!("<tr><td>{}</td><td class=\"n\">{count}</td></tr>\n", escape(range)));
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn open(caption: &str) -> String {
    let caption = escape(caption);
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption>{caption}</caption>\n\
         <thead><tr>"
    )
}
