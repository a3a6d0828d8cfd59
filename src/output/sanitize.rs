//! Text by strangers made safe to show on a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Makes every control, bidirectional and invisible character of a text visible.
///
/// `\n`, `\r` and `\t` for line breaks and tabs, `\u{…}` with the hexadecimal code for the rest: C0 and C1 controls (so
/// no escape sequence survives), DEL, soft hyphens, directional marks, embeddings and isolates, zero-width
/// characters, line and paragraph separators, byte order marks, tag characters and supplementary variation selectors.
/// Joined emoji come apart. Everything else stays; a backslash in the text is not doubled.
pub fn escape_terminal(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            push_escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether the text consists of printable ASCII only, the common case that needs no closer look.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

/// Whether a terminal would act on the character, reorder text because of it, or not show it at all.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}')
}

/// Appends the visible form of a hidden character: printable ASCII, one column per byte.
pub(super) fn push_escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing into a string cannot fail.
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "plain ~ text", "naïve 日本語 e\u{301} ❤\u{fe0f}"] {
            assert!(matches!(escape_terminal(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn every_kind_is_made_visible() {
        let cases = [
            ("\u{1b}[31mred\u{1b}]8;;http://x\u{7}", "\\u{1b}[31mred\\u{1b}]8;;http://x\\u{7}"),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\u{0}"),
            ("\u{7f}\u{80}\u{9b}\u{9f}\u{a0}", "\\u{7f}\\u{80}\\u{9b}\\u{9f}\u{a0}"),
            (
                "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}",
                "\\u{200e}\\u{200f}\\u{202a}\\u{202e}\\u{2066}\\u{2069}",
            ),
            ("\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}", "\\u{200b}\\u{200c}\\u{200d}\\u{2060}\\u{feff}"),
            ("\u{2028}\u{2029}\u{61c}", "\\u{2028}\\u{2029}\\u{61c}"),
            ("\u{e0000}\u{e0041}\u{e007f}\u{e0080}", "\\u{e0000}\\u{e0041}\\u{e007f}\u{e0080}"),
        ];
        for (raw, shown) in cases {
            assert_eq!(escape_terminal(raw), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(chars in proptest::collection::vec(any::<char>(), 0..40)) {
            let text: String = chars.into_iter().collect();
            let shown = escape_terminal(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert_eq!(escape_terminal(&shown), shown.as_ref());
        }
    }
}
