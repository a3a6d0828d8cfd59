//! Images and sounds inside texts: nobody reads base64, so people see what it is and how large.

use std::borrow::Cow;
use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use regex::{Captures, Regex};

use spanql_model::texts::change_batch;
use spanql_trace::TEXT_CHARS;

/// Characters of base64 from which on it is not shown: less may be a word.
const LONG: usize = 64;
/// Bytes before and behind base64 in which its type is looked for: it stands beside it in the same object.
const NEAR: usize = 200;

/// `data:image/png;base64,…`, also where slashes are escaped.
static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"data:([A-Za-z0-9.+-]{1,40}\\*/[A-Za-z0-9.+-]{1,60})(?:;[A-Za-z0-9=.+-]{1,60}){0,5};base64,([A-Za-z0-9+/=_\\-]*)").ok()
});

/// The member that holds base64 in messages of OpenAI, Anthropic and Gemini; its quotes are escaped in JSON in JSON.
static MEMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(\\*"data\\*"\s*:\s*\\*")([A-Za-z0-9+/_-][A-Za-z0-9+/=_\\-]*[A-Za-z0-9+/=_-])"#).ok()
});

/// The member beside it that says what it is, and one that says the format of a sound.
static TYPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#""(?:media_type|mime_type|mimeType|format)\\*"\s*:\s*\\*"([A-Za-z0-9./+\\-]{1,60})"#).ok()
});

/// A batch as people see it: `[image/png 84 kB]` in the place of what base64 holds. Other texts stay.
///
/// # Errors
/// When an array cannot be made again.
pub fn without_media(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    change_batch(batch, &[], &shown)
}

/// A text as people see it; `None` where that is the text itself.
fn shown(text: &str) -> Option<String> {
    if text.len() < LONG || !text.contains("data") {
        return None;
    }
    // Of a text that was cut, nobody knows how much there was.
    let is_cut = |end: usize| end == text.len() && text.chars().count() == TEXT_CHARS;
    let named = |kind: &str, base64: &str, end: usize| {
        let kind = kind.replace('\\', "");
        match is_cut(end) {
            true => format!("[{kind}]"),
            false => format!("[{kind} {}]", size(bytes(base64))),
        }
    };
    let mut out = Cow::Borrowed(text);
    if let Some(url) = URL.as_ref()
        && text.contains(";base64,")
    {
        let replaced = url.replace_all(text, |found: &Captures<'_>| {
            named(&found[1], &found[2], found.get(0).map_or(0, |all| all.end()))
        });
        out = Cow::Owned(replaced.into_owned());
    }
    if let Some(member) = MEMBER.as_ref() {
        let whole = out.clone();
        let replaced = member.replace_all(&whole, |found: &Captures<'_>| {
            let all = found.get(0).map_or(0..0, |all| all.range());
            match kind(&whole, &all).filter(|_| found[2].len() >= LONG) {
                Some(kind) => format!("{}{}", &found[1], named(&kind, &found[2], all.end)),
                None => found[0].to_owned(),
            }
        });
        out = Cow::Owned(replaced.into_owned());
    }
    (out != text).then(|| out.into_owned())
}

/// What base64 at this place is, as the nearest member beside it says.
fn kind(text: &str, at: &std::ops::Range<usize>) -> Option<String> {
    let from = (at.start.saturating_sub(NEAR)..=at.start).find(|from| text.is_char_boundary(*from))?;
    let to = (at.end..=(at.end + NEAR).min(text.len())).rev().find(|to| text.is_char_boundary(*to))?;
    let types = TYPE.as_ref()?;
    // What stands in another object is about something else.
    let before = text[from..at.start].rsplit(['{', '}']).next()?;
    let behind = text[at.end..to].split(['{', '}']).next()?;
    let found = types.captures_iter(before).last().or_else(|| types.captures(behind))?;
    let kind = found[1].replace('\\', "");
    Some(if kind.contains('/') { kind } else { format!("audio/{kind}") })
}

/// How many bytes base64 stands for.
fn bytes(base64: &str) -> usize {
    base64.bytes().filter(|byte| !matches!(byte, b'=' | b'\\')).count() * 3 / 4
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..999_500 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::shown;

    fn base64(bytes: usize) -> String {
        let whole = "QUJD".repeat(bytes / 3);
        format!("{whole}{}", ["", "QQ==", "QUI="][bytes % 3])
    }

    #[test]
    fn images_and_sounds_are_named() {
        let image = base64(84_000);
        for (text, expected) in [
            (format!("look: data:image/png;base64,{image} there"), "look: [image/png 84 kB] there".to_owned()),
            (
                format!(
                    r#"[{{"type":"image_url","image_url":{{"url":"data:image\/jpeg;base64,{}"}}}}]"#,
                    base64(1_234_567)
                ),
                r#"[{"type":"image_url","image_url":{"url":"[image/jpeg 1.2 MB]"}}]"#.to_owned(),
            ),
            (
                format!(r#"{{"type":"input_audio","input_audio":{{"data":"{}","format":"wav"}}}}"#, base64(500)),
                r#"{"type":"input_audio","input_audio":{"data":"[audio/wav 500 B]","format":"wav"}}"#.to_owned(),
            ),
            (
                format!(r#"{{"source":{{"type":"base64","media_type":"image/webp","data":"{image}"}}}}"#),
                r#"{"source":{"type":"base64","media_type":"image/webp","data":"[image/webp 84 kB]"}}"#.to_owned(),
            ),
            (
                format!(r#"{{"inlineData":{{"mimeType":"image/png","data":"{image}"}}}}"#),
                r#"{"inlineData":{"mimeType":"image/png","data":"[image/png 84 kB]"}}"#.to_owned(),
            ),
            (
                format!(r#"["{{\"inline_data\": {{\"data\": \"{image}\", \"mime_type\": \"audio/mp3\"}}}}"]"#),
                r#"["{\"inline_data\": {\"data\": \"[audio/mp3 84 kB]\", \"mime_type\": \"audio/mp3\"}}"]"#.to_owned(),
            ),
        ] {
            assert_eq!(shown(&text), Some(expected));
        }
        for text in [
            "data".repeat(100),
            format!(r#"{{"data":"{image}"}}"#),
            format!(r#"{{"mime_type":"text/plain","x":{{"data":"{image}"}}}}"#),
            r#"{"data":"abcdef","mime_type":"image/png","padding":"------------------------------------------"}"#
                .to_owned(),
        ] {
            assert_eq!(shown(&text), None, "{text}");
        }
    }

    #[test]
    fn what_was_cut_has_no_size() {
        let text: String = format!("data:image/png;base64,{}", base64(5_000)).chars().take(1_024).collect();
        assert_eq!(shown(&text).as_deref(), Some("[image/png]"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(data:|\"data\":\"|base64,|image/png;|[{}é\\\\A-Za-z0-9\"]{0,80}){0,8}") {
            shown(&text);
        }
    }
}
