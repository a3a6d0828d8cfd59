//! What is looked for.

use super::trigrams::trigram;

/// Trigrams that are looked up, at most: so many say enough.
const MOST: usize = 64;

/// A text that another one must have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPart {
    pub(super) trigrams: Vec<u32>,
    pub(super) any_case: bool,
    pub(super) decoded: bool,
}

impl TextPart {
    /// A part in just these letters, or in letters of any case; `None` of one that is too short to be looked up.
    pub fn new(text: &str, any_case: bool) -> Option<Self> {
        // What differs in case from letters beyond ASCII has other bytes.
        let is_known = |bytes: &&[u8]| !any_case || bytes.is_ascii();
        Self::of(text.as_bytes().windows(3).filter(is_known), any_case, false)
    }

    /// The same of a part of what the strings in a JSON text say, however that is escaped.
    pub fn decoded(text: &str, any_case: bool) -> Option<Self> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b' ');
        Self::of(text.as_bytes().windows(3).filter(|bytes| bytes.iter().all(is_word)), any_case, true)
    }

    fn of<'a>(windows: impl Iterator<Item = &'a [u8]>, any_case: bool, decoded: bool) -> Option<Self> {
        let mut trigrams: Vec<u32> = windows.filter_map(|bytes| Some(trigram(bytes.try_into().ok()?))).collect();
        trigrams.sort_unstable();
        trigrams.dedup();
        trigrams.truncate(MOST);
        (!trigrams.is_empty()).then_some(Self { trigrams, any_case, decoded })
    }
}
