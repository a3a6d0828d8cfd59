//! Text folded to a width.

use super::super::clip::clip;

/// Characters to a column that are looked at for one line; those that take no column mostly come alone or in pairs.
const SHORT: usize = 4;

/// The first lines of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folded {
    /// Safe to show, each within the width.
    pub(super) lines: Vec<String>,
    /// Characters of the text that come after them.
    pub(super) rest: usize,
}

/// Folds a text at blanks where there are any, into at most `most` lines of `width` columns (at least one).
///
/// Line breaks of the text are kept, blank lines are not. Reads no further than the last line, but for counting.
pub(super) fn fold(text: &str, width: usize, most: usize) -> Folded {
    let mut lines = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && lines.len() < most {
        let line = rest.split('\n').next().unwrap_or_default().trim_end();
        let mut shown = String::new();
        let taken = take(line, width, &mut shown);
        lines.push(shown);
        rest = rest[taken..].trim_start();
    }
    Folded { lines, rest: rest.chars().count() }
}

/// Folds a whole text as [`fold`] does, but with its blank lines and indents, and hands its lines on one by one.
///
/// Blanks at the end of a line, and blank lines at either end of the text, are left out. Takes time in proportion to the text.
pub(crate) fn fold_all<E>(text: &str, width: usize, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut shown = String::new();
    for line in text.trim_end().trim_start_matches(['\r', '\n']).split('\n') {
        let mut rest = line.trim_end();
        loop {
            shown.clear();
            let taken = take(rest, width, &mut shown);
            each(shown.trim_end())?;
            rest = rest[taken..].trim_start();
            if rest.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// Appends as much of a line as fits, and gives the bytes of it that are done with: at least one character.
fn take(line: &str, width: usize, shown: &mut String) -> usize {
    // The rest of a long line is not read again for each of its parts.
    let is_short = line.char_indices().nth(SHORT * width.max(1)).is_none();
    if is_short && !clip(line, width, shown).cut {
        return line.len();
    }
    let fits = |end: usize, shown: &mut String| {
        shown.clear();
        !clip(&line[..end], width, shown).cut
    };
    let ends: Vec<usize> =
        line.char_indices().skip(1).map(|(end, _)| end).chain([line.len()]).take(SHORT * width.max(1)).collect();
    let fitting = ends.partition_point(|&end| fits(end, shown));
    let Some(&end) = fitting.checked_sub(1).and_then(|at| ends.get(at)) else {
        // Wider than all there is.
        shown.clear();
        shown.push('…');
        return ends.first().copied().unwrap_or(line.len());
    };
    let at_blank = line[..end].rfind(' ').filter(|at| !line[..*at].trim().is_empty());
    let next_is_blank = line[end..].starts_with(' ');
    let end = at_blank.filter(|_| !next_is_blank).unwrap_or(end);
    fits(end, shown);
    shown.truncate(shown.trim_end().len());
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn folded(text: &str, width: usize, most: usize) -> (Vec<String>, usize) {
        let Folded { lines, rest } = fold(text, width, most);
        (lines, rest)
    }

    #[test]
    fn folds_at_blanks() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(folded("the quick brown fox", 10, 9), (lines(&["the quick", "brown fox"]), 0));
        assert_eq!(folded("the quick brown fox", 9, 9), (lines(&["the quick", "brown fox"]), 0));
        assert_eq!(folded("the quick brown fox", 9, 1), (lines(&["the quick"]), 9));
        assert_eq!(folded("abcdefghij", 4, 9), (lines(&["abcd", "efgh", "ij"]), 0));
        assert_eq!(folded(" one\r\n\n\n two  \nthree", 20, 9), (lines(&["one", "two", "three"]), 0));
        assert_eq!(folded("日本語日本語", 5, 2), (lines(&["日本", "語日"]), 2));
        assert_eq!(folded("日本", 1, 9), (lines(&["…", "…"]), 0));
        assert_eq!(folded("", 10, 9), (lines(&[]), 0));
        assert_eq!(folded("\u{1b}[31m\u{202e}", 6, 9), (lines(&["\\u{1b}", "[31m", "…"]), 0));
    }

    #[test]
    fn folds_all() {
        let folded = |text: &str, width| {
            let mut lines = Vec::new();
            fold_all::<()>(text, width, |line| {
                lines.push(line.to_owned());
                Ok(())
            })
            .unwrap();
            lines
        };
        assert_eq!(folded("{\r\n  \"a\": 1\n\n}\n\n", 20), ["{", "  \"a\": 1", "", "}"]);
        assert_eq!(folded("   the quick brown fox", 9), ["   the", "quick", "brown fox"]);
        assert_eq!(folded("  \n", 9), [""]);
        assert_eq!(folded("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        // Marks without end on one letter.
        let marks = format!("e{}", "\u{301}".repeat(200_000));
        assert_eq!(folded(&marks, 80).concat(), marks);
    }

    proptest! {
        #[test]
        fn all_is_kept_and_fits(text in "[ \\n\\ta-c日é\u{301}\u{200d}\u{fe0f}❤👩\u{1b}\u{202e}]{0,60}", width in 2usize..30) {
            let mut lines = Vec::new();
            fold_all::<()>(&text, width, |line| {
                lines.push(line.to_owned());
                Ok(())
            })
            .unwrap();
            for line in &lines {
                prop_assert!(line.as_str().width() <= width, "{line:?}");
                prop_assert!(!line.chars().any(char::is_control));
            }
            // Letters that are in no escape.
            let letters = |text: &str| text.chars().filter(|c| matches!(c, 'a' | 'c' | '日' | 'é')).collect::<String>();
            prop_assert!(letters(&lines.concat()) == letters(&text) || lines.concat().contains('…'));
        }

        #[test]
        fn fits_and_ends(text in "[ \\n\\ta-c日é\u{301}\u{200d}\u{fe0f}❤👩\u{1b}\u{202e}]{0,60}", width in 1usize..30, most in 0usize..9) {
            let Folded { lines, rest } = fold(&text, width, most);
            prop_assert!(lines.len() <= most);
            for line in &lines {
                prop_assert!(line.as_str().width() <= width, "{line:?}");
                prop_assert!(!line.chars().any(char::is_control));
            }
            prop_assert!(rest == 0 || lines.len() == most);
        }
    }
}
