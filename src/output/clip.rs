//! Text by strangers cut to a number of terminal columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitize::{is_hidden, is_plain, push_escape};

/// What became of a text that was clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clip {
    /// Terminal columns of what is left.
    pub(super) width: usize,
    /// Whether there was more.
    pub(super) cut: bool,
}

/// Appends as much of a text as fits `limit` terminal columns, on one line and with hidden characters visible.
///
/// Line breaks become `↵`. Stops reading where the limit is reached, so a long text costs no more than a short one.
pub(super) fn clip(text: &str, limit: usize, out: &mut String) -> Clip {
    if text.len() <= limit && is_plain(text) {
        out.push_str(text);
        return Clip { width: text.len(), cut: false };
    }
    let start = out.len();
    let mut used = 0;
    let mut cut = false;
    let mut escape = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        escape.clear();
        match c {
            '\n' => escape.push('↵'),
            c if is_hidden(c) => push_escape(c, &mut escape),
            c => escape.push(c),
        }
        let width = if escape.len() == c.len_utf8() { c.width().unwrap_or(0) } else { escape.width() };
        if used + width > limit {
            cut = true;
            break;
        }
        used += width;
        out.push_str(&escape);
    }
    // Some sequences are wider or narrower than their characters one by one.
    let mut width = out[start..].width();
    if width > limit {
        cut = true;
        // Each try reads all of the text, and a text may have any number of characters that take no column.
        let ends: Vec<usize> = out[start..].char_indices().map(|(end, _)| start + end).collect();
        let fitting = ends.partition_point(|&end| out[start..end].width() <= limit);
        out.truncate(ends[fitting.saturating_sub(1)]);
        width = out[start..].width();
    }
    Clip { width, cut }
}

/// Appends a text as [`clip`] does, with `…` as the last of its columns if there was more; gives the columns used.
pub(super) fn shorten(text: &str, limit: usize, out: &mut String) -> usize {
    let start = out.len();
    let whole = clip(text, limit, out);
    if !whole.cut {
        return whole.width;
    }
    out.truncate(start);
    let Some(limit) = limit.checked_sub(1) else { return 0 };
    let part = clip(text, limit, out);
    out.push('…');
    part.width + 1
}

/// Appends a text as [`clip`] does, with `…` in its middle if there was more, so that both ends are seen; gives the columns
/// used.
pub(super) fn shorten_middle(text: &str, limit: usize, out: &mut String) -> usize {
    let start = out.len();
    let whole = clip(text, limit, out);
    if !whole.cut {
        return whole.width;
    }
    out.truncate(start);
    let Some(room) = limit.checked_sub(1) else { return 0 };
    let mut used = clip(text, room.div_ceil(2), out).width;
    out.push('…');
    // From behind, as many characters as fit; none that belongs to one before it may come first.
    let mut from = text.len();
    let mut tail = String::new();
    let mut shown = (text.len(), 0);
    for (at, c) in text.char_indices().rev() {
        tail.clear();
        if clip(&text[at..], room - used, &mut tail).cut || text.len() - from > limit * 8 {
            break;
        }
        from = at;
        if c.width().unwrap_or(1) > 0 {
            shown = (at, tail.width());
        }
    }
    used += clip(&text[shown.0..], shown.1, out).width;
    used + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortens_to_columns() {
        let shown = |text: &str, limit| {
            let mut out = String::new();
            let width = shorten(text, limit, &mut out);
            assert_eq!(width, out.width());
            out
        };
        assert_eq!(shown("plain", 5), "plain");
        assert_eq!(shown("plain", 4), "pla…");
        assert_eq!(shown("日本語", 5), "日本…");
        assert_eq!(shown("日本語", 4), "日…");
        assert_eq!(shown("a\r\nb\u{1b}[0m", 30), "a↵b\\u{1b}[0m");
        assert_eq!(shown("a\u{1b}[0m", 5), "a…");
        assert_eq!(shown("ab", 1), "…");
        assert_eq!(shown("ab", 0), "");
    }

    #[test]
    fn both_ends_stay() {
        let shown = |text: &str, limit| {
            let mut out = String::new();
            let width = shorten_middle(text, limit, &mut out);
            assert_eq!(width, out.width());
            assert!(width <= limit, "{out}");
            out
        };
        assert_eq!(shown("short", 5), "short");
        assert_eq!(shown("POST /v1/chat/completions", 12), "POST /…tions");
        assert_eq!(shown("abcdef", 5), "ab…ef");
        assert_eq!(shown("abcdef", 4), "ab…f");
        assert_eq!(shown("日本語日本語", 7), "日…本語");
        assert_eq!(shown("a\u{1b}b\nlong cafe\u{301}", 8), "a…g cafe\u{301}");
        assert_eq!((shown("ab", 1), shown("ab", 0)), ("…".to_owned(), String::new()));
    }

    proptest::proptest! {
        #[test]
        fn never_wider(text in "[a-zé漢\u{301}\u{200d}\u{1f468}\n\u{1b}]{0,60}", limit in 0usize..40) {
            let mut out = String::new();
            let width = shorten_middle(&text, limit, &mut out);
            proptest::prop_assert!(out.width() <= limit && width <= limit, "{:?}", out);
        }
    }
}
