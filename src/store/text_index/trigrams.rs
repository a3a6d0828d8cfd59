//! Trigrams of texts, and signatures of sets of them.

/// A signature has two to the power of so many bits, at most and at least.
pub(super) const WIDEST: u32 = 16;
pub(super) const NARROWEST: u32 = 9;

const WORDS: usize = 1 << (WIDEST - 6);

/// The letters beyond ASCII that differ from one of ASCII in nothing but case.
const ODD: [&str; 2] = ["\u{212a}", "\u{17f}"];

/// Three bytes that follow each other, with letters of ASCII in lower case.
pub(super) fn trigram(bytes: [u8; 3]) -> u32 {
    bytes.into_iter().fold(0, |trigram, byte| trigram << 8 | u32::from(byte.to_ascii_lowercase()))
}

/// Which bit of a signature stands for a trigram.
pub(super) fn place(trigram: u32, bits: u32) -> usize {
    (trigram.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize
}

/// The trigrams of texts, of which several may share a bit.
#[derive(Clone)]
pub(super) struct Signature(Box<[u64; WORDS]>);

impl Default for Signature {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

impl Signature {
    /// Adds those of a text.
    pub(super) fn add(&mut self, text: &[u8]) {
        let [first, second, rest @ ..] = text else { return };
        let mut last = trigram([0, *first, *second]);
        for byte in rest {
            last = (last << 8 | u32::from(byte.to_ascii_lowercase())) & 0xff_ffff;
            let place = place(last, WIDEST);
            self.0[(place >> 6) % WORDS] |= 1 << (place & 63);
        }
    }

    /// Its bits that are set, if it had two to the power of `bits` of them.
    pub(super) fn places(&self, bits: u32) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        let all = words.flat_map(|(number, word)| {
            std::iter::successors(Some(*word), |word| Some(word & (word - 1)).filter(|left| *left != 0))
                .map(move |word| number * 64 + word.trailing_zeros() as usize)
        });
        // The upper bits of a hash are those of a narrower signature.
        let mut before = None;
        all.map(move |place| place >> (WIDEST - bits)).filter(move |place| before.replace(*place) != Some(*place))
    }
}

/// Whether a text has letters beyond ASCII that differ from one of ASCII in nothing but case.
pub(super) fn is_odd(text: &[u8]) -> bool {
    !text.is_ascii() && ODD.iter().any(|odd| memchr::memmem::find(text, odd.as_bytes()).is_some())
}

/// Whether a text has letters, digits or blanks of ASCII in the form that JSON may give them: `\u0041`.
pub(super) fn is_escaped(text: &[u8]) -> bool {
    let is_word = |at: usize| {
        let digits = text.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok());
        let c = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b' '))
    };
    memchr::memmem::find_iter(text, br"\u00").any(is_word)
}
