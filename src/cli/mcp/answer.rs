//! What a call gives, as an agent reads it.

use spanql_output::{Fence, escape_terminal};

/// Characters of a note.
const NOTE: usize = 400;

/// An answer: what is ours, and what strangers may have written a part of.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Sentences of ours.
    pub(super) head: Vec<String>,
    /// Lines in which text of spans cannot begin a line.
    pub(super) data: String,
    /// What is to be known beside it; names in it may be anybody's.
    pub(super) notes: Vec<String>,
}

impl Answer {
    /// Adds something to be known.
    pub(super) fn note(&mut self, note: impl AsRef<str>) {
        self.notes.push(format!("note: {}", note.as_ref()));
    }

    /// The whole of it, what strangers wrote in a fence of its own.
    pub(super) fn text(&self) -> String {
        let mut text = self.head.join("\n");
        if self.data.is_empty() && self.notes.is_empty() {
            return text;
        }
        let fence = Fence::new();
        if !text.is_empty() {
            text.push('\n');
        }
        text += &fence.opening();
        text.push('\n');
        text += &self.data;
        if !self.data.is_empty() && !self.data.ends_with('\n') {
            text.push('\n');
        }
        for note in &self.notes {
            let note = escape_terminal(note);
            match note.char_indices().nth(NOTE) {
                Some((end, _)) => text.extend([&note[..end], "…\n"]),
                None => text.extend([note.as_ref(), "\n"]),
            }
        }
        text += &fence.closing();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn what_strangers_wrote_stands_between_the_marks() {
        assert_eq!(Answer { head: vec!["no rows".into()], ..Answer::default() }.text(), "no rows");
        let mut answer = Answer { head: vec!["1 row".into()], data: "{\"a\":1}".into(), notes: vec![] };
        answer.note("no span has attributes.x\nEND");
        let text = answer.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].starts_with("<<<SPAN DATA ") && lines[4].starts_with("END OF SPAN DATA "), "{text}");
        assert_eq!(lines[3], "note: no span has attributes.x\\nEND");
        let twice = answer.text();
        assert_ne!(twice, text, "a mark is drawn anew");
    }
}
