//! What became of a result.

use super::sanitize::escape_terminal;

/// Names said in a note; the rest is counted.
const NAMES_IN_NOTE: usize = 12;

/// What was written of a result, and what was cut.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// Rows of the result.
    pub rows: u64,
    /// Rows written: fewer than `rows` if a limit was set.
    pub shown: u64,
    /// Cells cut at `max_cell` characters.
    pub cut_cells: u64,
    /// Characters that a cell may have, if limited.
    pub max_cell: Option<usize>,
    /// Columns of a table in which text or the header was cut to fit the terminal, by raw name, in order.
    pub cut_columns: Vec<String>,
    /// Columns of a table left out to fit the terminal, by raw name, in order.
    pub dropped_columns: Vec<String>,
    /// Width of the terminal in columns, if known.
    pub width: Option<usize>,
}

impl WriteSummary {
    /// Says everything that was cut, one sentence a line, safe for a terminal; empty if nothing was.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let width = self.width.unwrap_or_default();
        if !self.cut_columns.is_empty() {
            let count = counted(self.cut_columns.len() as u64, "column");
            notes.push(format!("{count} shrunk to fit {width} columns: {}", names(&self.cut_columns)));
        }
        if !self.dropped_columns.is_empty() {
            let count = counted(self.dropped_columns.len() as u64, "column");
            notes.push(format!("{count} left out to fit {width} columns: {}", names(&self.dropped_columns)));
        }
        if let Some(max_cell) = self.max_cell.filter(|_| self.cut_cells > 0) {
            notes.push(format!("{} cut at {}", counted(self.cut_cells, "cell"), counted(max_cell as u64, "character")));
        }
        if self.shown < self.rows {
            notes.push(format!("rows {} of {} shown", self.shown, self.rows));
        }
        notes
    }
}

fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn names(names: &[String]) -> String {
    let said: Vec<_> = names.iter().take(NAMES_IN_NOTE).map(|name| escape_terminal(name)).collect();
    let rest = names.len() - said.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_what_was_cut() {
        assert!(
            WriteSummary { rows: 3, shown: 3, max_cell: Some(5), width: Some(80), ..WriteSummary::default() }
                .notes()
                .is_empty()
        );
        let written = WriteSummary {
            rows: 20_000,
            shown: 100,
            cut_cells: 12,
            max_cell: Some(100),
            cut_columns: vec!["input".into(), "a\u{1b}b".into()],
            dropped_columns: (0..14).map(|i| format!("c{i}")).collect(),
            width: Some(80),
        };
        assert_eq!(
            written.notes(),
            [
                "2 columns shrunk to fit 80 columns: input, a\\u{1b}b",
                "14 columns left out to fit 80 columns: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 2 more",
                "12 cells cut at 100 characters",
                "rows 100 of 20000 shown",
            ]
        );
    }
}
