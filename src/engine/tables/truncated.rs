//! Whether texts look cut: by a mark at their end, or because many of them stop at the same round length.

/// Texts of one round length, which no text exceeds, that are no accident any more.
const MANY: u64 = 3;
/// Characters of a text at least: shorter ones are cut nowhere.
const LEAST: usize = 100;
/// Bytes at the end of a text in which a mark may be.
const MARK: usize = 40;
const ELLIPSES: [(&str, usize); 2] = [("...", 3), ("…", 1)];

/// Texts of one column that look cut.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Truncated {
    /// Those that end with a mark, or with an ellipsis at a round length.
    marked: u64,
    /// Characters of the longest text, and how many of the others have as many.
    longest: usize,
    as_long: u64,
}

impl Truncated {
    /// Looks at a text.
    pub(super) fn add_text(&mut self, text: &str) {
        if text.len() < LEAST {
            return;
        }
        let length = text.chars().count();
        if ends_with_mark(text) || ends_at_round_length(text, length) {
            self.marked += 1;
            return;
        }
        self.add_length(length, 1);
    }

    /// Adds what other texts of the column are.
    pub(super) fn add(&mut self, other: &Self) {
        self.marked += other.marked;
        self.add_length(other.longest, other.as_long);
    }

    fn add_length(&mut self, length: usize, texts: u64) {
        if length > self.longest {
            (self.longest, self.as_long) = (length, texts);
        } else if length == self.longest {
            self.as_long += texts;
        }
    }

    /// How many of the texts look cut.
    pub(super) fn count(&self) -> u64 {
        let many = self.as_long >= MANY && is_round(self.longest);
        self.marked + if many { self.as_long } else { 0 }
    }
}

/// `[truncated]`, `… (truncated 512 chars)` and the like.
fn ends_with_mark(text: &str) -> bool {
    let text = text.trim_end();
    let from = (text.len().saturating_sub(MARK)..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.ends_with([']', ')', '>']) && text[from..].to_ascii_lowercase().contains("truncated")
}

fn ends_at_round_length(text: &str, length: usize) -> bool {
    let ellipsis = ELLIPSES.iter().find(|(ellipsis, _)| text.ends_with(ellipsis));
    ellipsis.is_some_and(|(_, more)| is_round(length) || is_round(length - more))
}

/// Whether people cut texts there: at powers of two, and at multiples of 500.
fn is_round(length: usize) -> bool {
    length >= LEAST
        && (length.is_power_of_two() || length.is_multiple_of(500) || length == LEAST || length == 2 * LEAST)
}

#[cfg(test)]
mod tests {
    use super::Truncated;

    fn count(texts: &[String]) -> u64 {
        // In two parts, as partitions are counted.
        let (mut one, mut other) = (Truncated::default(), Truncated::default());
        let (first, second) = texts.split_at(texts.len() / 2);
        first.iter().for_each(|text| one.add_text(text));
        second.iter().for_each(|text| other.add_text(text));
        one.add(&other);
        one.count()
    }

    fn text(length: usize) -> String {
        "é".repeat(length)
    }

    #[test]
    fn marks_are_seen() {
        let with = |end: &str| text(120) + end;
        assert_eq!(count(&["[truncated]", "... (Truncated 12 chars)", "<truncated>\n"].map(with)), 3);
        assert_eq!(count(&["truncated", " was truncated.", " [a list]", "..."].map(with)), 0);
        assert_eq!(count(&["[truncated]".to_owned()]), 0);
    }

    #[test]
    fn an_ellipsis_counts_at_a_round_length() {
        assert_eq!(count(&[text(500) + "...", text(1021) + "...", text(4096) + "…"]), 3);
        assert_eq!(count(&[text(501) + "...", text(1023) + "x", text(97) + "…"]), 0);
    }

    #[test]
    fn many_of_the_longest_are_cut() {
        let some = |lengths: &[usize]| count(&lengths.iter().map(|length| text(*length)).collect::<Vec<_>>());
        assert_eq!(some(&[1024, 1024, 20, 1024, 512, 512, 512]), 3);
        assert_eq!(some(&[1024, 1024, 512]), 0);
        assert_eq!(some(&[1024, 1024, 1024, 1025]), 0);
        assert_eq!(some(&[777, 777, 777, 777]), 0);
    }
}
