//! Tables and their columns, for people: what there is to ask about.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::Fence;
use super::clip::shorten;
use super::color::{BOLD, DIM, PLAIN};

/// Columns of the view where no terminal says how many it has.
const PIPE_WIDTH: usize = 120;
/// Terminal columns that a name takes at most, and the part of a narrow terminal.
const NAME_WIDTH: (usize, usize) = (48, 2);
/// The same for a type.
const TYPE_WIDTH: (usize, usize) = (20, 5);

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableListing {
    /// Its name.
    pub name: String,
    /// What a row of it is.
    pub description: String,
    /// Its columns in order.
    pub columns: Vec<ColumnListing>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnListing {
    /// Its name, which may be a stranger's.
    pub name: String,
    /// Its type.
    pub data_type: String,
    /// Share of the rows with a value, from 0 to 1; `None` where that is not known.
    pub filled: Option<f64>,
    /// The beginning of a value, which is a stranger's text.
    pub example: Option<String>,
    /// What it holds.
    pub note: Option<String>,
}

/// How a listing is to look. The default is 120 columns wide, without colour.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListingOptions {
    /// Terminal columns that no line exceeds; `None`: 120.
    pub width: Option<usize>,
    /// Whether terminal colours may be used.
    pub color: bool,
    /// Whether what strangers wrote is enclosed in a [`Fence`].
    pub fence: bool,
}

/// Writes tables, each with a line for every column: type, how many rows have a value, and one of these; or what the
/// column holds, in tables of which that is not known.
///
/// Names and values are safe for a terminal, and cut to its width.
///
/// # Errors
/// When the output cannot be written.
pub fn write_tables(out: &mut dyn Write, tables: &[TableListing], options: ListingOptions) -> io::Result<()> {
    let width = options.width.unwrap_or(PIPE_WIDTH);
    let most = |(most, part): (usize, usize)| most.min((width / part).saturating_sub(4).max(4));
    let (bold, dim, plain) = if options.color { (BOLD, DIM, PLAIN) } else { ("", "", "") };
    for (at, table) in tables.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let mut description = String::new();
        shorten(&table.description, width.saturating_sub(table.name.width() + 2), &mut description);
        writeln!(out, "{bold}{}{plain}  {description}", table.name)?;
        let known = table.columns.iter().any(|column| column.filled.is_some());
        let fence = (options.fence && known).then(Fence::new);
        if let Some(fence) = &fence {
            writeln!(out, "{}", fence.opening())?;
        }
        let names: Vec<(String, usize)> =
            table.columns.iter().map(|column| cut(&column.name, most(NAME_WIDTH))).collect();
        let types: Vec<(String, usize)> =
            table.columns.iter().map(|column| cut(&column.data_type, most(TYPE_WIDTH))).collect();
        let widest = |cells: &[(String, usize)]| cells.iter().map(|(_, width)| *width).max().unwrap_or(0);
        let (name_width, type_width) = (widest(&names), widest(&types));
        for ((column, (name, of_name)), (data_type, of_type)) in table.columns.iter().zip(&names).zip(&types) {
            let filled = match column.filled {
                Some(share) if known => format!("  {:>6}", percent(share)),
                _ => String::new(),
            };
            let pad = |width: usize, to: usize| " ".repeat(to.saturating_sub(width));
            let start = format!(
                "  {name}{}  {dim}{data_type}{}{plain}{filled}",
                pad(*of_name, name_width),
                pad(*of_type, type_width)
            );
            let used = 2 + name_width + 2 + type_width + filled.width();
            let rest = column.example.as_deref().filter(|_| known).or(column.note.as_deref().filter(|_| !known));
            let room = width.saturating_sub(used + 2);
            let mut text = String::new();
            shorten(rest.unwrap_or_default(), room, &mut text);
            // Blanks at the end of a line are of no use to anybody.
            let line = if text.is_empty() { start } else { format!("{start}  {text}") };
            writeln!(out, "{}", line.trim_end())?;
        }
        if let Some(fence) = &fence {
            writeln!(out, "{}", fence.closing())?;
        }
    }
    Ok(())
}

fn cut(text: &str, width: usize) -> (String, usize) {
    let mut out = String::new();
    let width = shorten(text, width, &mut out);
    (out, width)
}

/// A share for people: nothing is not almost nothing, and not all is not all.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "-".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if (10.0..99.95).contains(&percent) => format!("{:.0} %", percent.min(99.0)),
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent if percent < 100.0 => ">99 %".to_owned(),
        _ => "100 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sanitize::is_hidden;

    fn column(name: &str, filled: Option<f64>, example: &str) -> ColumnListing {
        let data_type = "Utf8".to_owned();
        ColumnListing { name: name.into(), data_type, filled, example: Some(example.into()), note: Some("what".into()) }
    }

    fn shown(columns: Vec<ColumnListing>, options: ListingOptions) -> String {
        let table = TableListing { name: "spans".into(), description: "spans, one row each".into(), columns };
        let mut out = Vec::new();
        write_tables(&mut out, &[table], options).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn shares_are_never_rounded_to_all_or_nothing() {
        for (share, text) in [
            (0.0, "-"),
            (0.0001, "<0.1 %"),
            (0.014, "1.4 %"),
            (0.225, "22 %"),
            (0.995, "99 %"),
            (0.9999, ">99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn examples_stand_where_the_fill_is_known_and_notes_elsewhere() {
        let known = [column("a", Some(1.0), "x"), column("tree.depth", Some(0.0), "")];
        assert_eq!(
            shown(known.to_vec(), ListingOptions::default()),
            "spans  spans, one row each\n  a           Utf8   100 %  x\n  tree.depth  Utf8       -\n"
        );
        assert_eq!(
            shown(vec![column("a", None, "x")], ListingOptions::default()),
            "spans  spans, one row each\n  a  Utf8  what\n"
        );
    }

    #[test]
    fn a_fence_is_around_what_strangers_wrote() {
        let text =
            shown(vec![column("a", Some(1.0), "x")], ListingOptions { fence: true, ..ListingOptions::default() });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("<<<SPAN DATA ") && lines[3].ends_with(">>>"), "{text}");
        assert_eq!(lines[2], "  a  Utf8   100 %  x");
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_or_harmful(
            names in proptest::collection::vec(any::<String>(), 0..4),
            example in any::<String>(),
            width in 40usize..200,
        ) {
            let columns = names.iter().map(|name| column(name, Some(0.5), &example)).collect();
            let text = shown(columns, ListingOptions { width: Some(width), ..ListingOptions::default() });
            prop_assert_eq!(text.lines().count(), names.len() + 1);
            for line in text.lines() {
                prop_assert!(line.width() <= width, "{} > {}: {:?}", line.width(), width, line);
                prop_assert!(!line.chars().any(is_hidden), "{:?}", line);
            }
        }
    }
}
