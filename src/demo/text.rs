//! Text in bulk: prepared once from the templates, then handed out as slices.

use std::sync::LazyLock;

use super::random::{Random, mix};
use super::words;

/// Bytes of prepared prose per domain.
const PROSE: usize = 384 * 1_024;
/// The longest slice that [`Domain::prose`] gives.
pub(super) const MAX_PROSE: usize = 30_000;
/// Lengths of the system prompts, shortest first.
const SYSTEM_LENGTHS: [usize; 5] = [110, 240, 400, 1_400, 4_200];

/// What one project talks about.
#[derive(Debug)]
pub(super) struct Domain {
    prose: String,
    /// Where each sentence starts.
    starts: Vec<u32>,
    /// System prompts shared by all spans, shortest first.
    pub(super) systems: Vec<String>,
    questions: &'static [&'static str],
    follow_ups: &'static [&'static str],
    faq: &'static [&'static str],
}

/// The domain of customer support.
pub(super) static SUPPORT: LazyLock<Domain> = LazyLock::new(|| Domain {
    questions: words::SUPPORT_QUESTIONS,
    follow_ups: words::SUPPORT_FOLLOW_UPS,
    faq: words::SUPPORT_FAQ,
    ..Domain::new(1, words::SUPPORT_SENTENCES, words::SUPPORT_SYSTEMS)
});

/// The domain of research.
pub(super) static RESEARCH: LazyLock<Domain> = LazyLock::new(|| Domain {
    questions: words::RESEARCH_QUESTIONS,
    follow_ups: words::RESEARCH_FOLLOW_UPS,
    faq: words::RESEARCH_FAQ,
    ..Domain::new(2, words::RESEARCH_SENTENCES, words::RESEARCH_SYSTEMS)
});

impl Domain {
    fn new(stream: u64, sentences: &[&str], heads: &[&str]) -> Self {
        let mut random = Random::new(0, stream);
        let mut prose = String::with_capacity(PROSE + 256);
        let mut starts = Vec::new();
        let mut in_paragraph = 0;
        while prose.len() < PROSE {
            starts.push(prose.len() as u32);
            fill(random.word(sentences), random.next(), &mut prose);
            in_paragraph += 1;
            let ends_paragraph = in_paragraph > 2 && random.chance(0.3);
            prose.push_str(if ends_paragraph { "\n\n" } else { " " });
            in_paragraph = if ends_paragraph { 0 } else { in_paragraph };
        }
        let systems = heads.iter().zip(SYSTEM_LENGTHS).map(|(head, length)| {
            let mut system = (*head).to_owned();
            while system.len() < length {
                system.push_str("\n- ");
                fill(random.word(sentences), random.next(), &mut system);
            }
            system
        });
        let systems = systems.collect();
        Self { prose, starts, systems, questions: &[], follow_ups: &[], faq: &[] }
    }

    /// Whole sentences of about `length` bytes (at most [`MAX_PROSE`]): the same for the same arguments.
    pub(super) fn prose(&self, seed: u64, length: usize) -> &str {
        let length = length.min(MAX_PROSE);
        let last = self.starts.partition_point(|&start| start as usize + MAX_PROSE < self.prose.len() - 512);
        let first = (mix(seed) % last as u64) as usize;
        let start = self.starts[first] as usize;
        let next = first + 1 + self.starts[first + 1..].partition_point(|&s| s as usize <= start + length);
        let end = if next - 1 > first { self.starts[next - 1] } else { self.starts[first + 1] };
        self.prose[start..end as usize].trim_end()
    }

    /// Appends what the user writes at a turn of a conversation.
    pub(super) fn question(&self, turn_seed: u64, turn: u32, out: &mut String) {
        let mut random = Random::new(turn_seed, 3);
        if random.chance(0.05) {
            out.push_str(random.word(self.faq));
            return;
        }
        if random.chance(0.006) {
            out.push_str(random.word(words::HOSTILE));
            out.push(' ');
        }
        let pool = if turn > 0 && random.chance(0.8) { self.follow_ups } else { self.questions };
        fill(random.word(pool), turn_seed, out);
        if random.chance(0.12) {
            // People paste mails and documents.
            out.push_str("\n\n");
            let length = random.log_normal(500.0, 0.9) as usize;
            out.push_str(self.prose(random.next(), length));
        }
    }

    /// What the assistant answers at a turn of a conversation.
    pub(super) fn answer(&self, turn_seed: u64) -> &str {
        let mut random = Random::new(turn_seed, 4);
        let length = random.log_normal(280.0, 0.75).min(6_000.0) as usize;
        self.prose(random.next(), length)
    }
}

/// Appends a template with its `%x` slots filled; one seed gives one slot the same value everywhere.
pub(super) fn fill(template: &str, seed: u64, out: &mut String) {
    let mut rest = template;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let slot = rest.as_bytes().get(at + 1).copied().unwrap_or(b' ');
        if push_slot(slot, seed, out) {
            rest = &rest[at + 2..];
        } else {
            out.push('%');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
}

/// Appends the value of a slot; false when there is no such slot.
fn push_slot(slot: u8, seed: u64, out: &mut String) -> bool {
    let n = mix(seed ^ (u64::from(slot) << 56));
    let word = |list: &[&'static str]| list[(n % list.len() as u64) as usize];
    match slot {
        b'a' => {
            out.push_str(if n & 1 == 0 { "€" } else { "$" });
            push_fixed(out, 5 + (n >> 8) % 900, (n >> 32) % 100, 2);
        }
        b'c' => out.push_str(word(words::CITIES)),
        b'd' => {
            out.push_str("2026-");
            push_digits(out, 9 + (n >> 8) % 2, 2);
            out.push('-');
            push_digits(out, 1 + (n >> 16) % 28, 2);
        }
        b'e' => {
            out.push_str("user");
            push_digits(out, n % 1_000, 3);
            out.push_str("@example.com");
        }
        b'f' => {
            out.push_str(["KL ", "TP ", "LH ", "QF "][(n % 4) as usize]);
            push_digits(out, 100 + (n >> 8) % 900, 3);
        }
        b'h' => push_digits(out, 3 + n % 60, 1),
        b'i' => {
            out.push_str("INV-2026-");
            push_digits(out, n % 100_000, 5);
        }
        b'k' => push_digits(out, 2 + n % 28, 1),
        b'm' => out.push_str(word(words::METHODS)),
        b'n' => out.push_str(word(words::PEOPLE)),
        b'o' => {
            out.push_str("NW-");
            push_digits(out, n % 1_000_000, 6);
        }
        b'p' => out.push_str(word(words::PRODUCTS)),
        b'q' => out.push_str(word(words::DATASETS)),
        b't' => out.push_str(word(words::TOPICS)),
        b'v' => out.push_str(word(words::VENUES)),
        b'y' => push_digits(out, 2_017 + n % 9, 4),
        _ => return false,
    }
    true
}

/// Appends a number with at least `width` digits.
pub(super) fn push_digits(out: &mut String, value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut value = value;
    while value > 0 || digits.len() - at < width.max(1) {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend(digits[at..].iter().map(|&d| char::from(d)));
}

/// Appends `whole.fraction`, the fraction with `places` digits.
pub(super) fn push_fixed(out: &mut String, whole: u64, fraction: u64, places: usize) {
    push_digits(out, whole, 1);
    out.push('.');
    push_digits(out, fraction, places);
}

/// Appends a number in `[0, 1]` with four decimals.
pub(super) fn push_score(out: &mut String, score: f64) {
    let scaled = (score * 10_000.0) as u64;
    push_fixed(out, scaled / 10_000, scaled % 10_000, 4);
}

/// Writes a number as 16 hexadecimal digits.
pub(super) fn hex(value: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|i| DIGITS[((value >> (60 - 4 * i)) & 15) as usize])
}

/// Appends a number as 16 hexadecimal digits.
pub(super) fn push_hex(out: &mut String, value: u64) {
    out.extend(hex(value).iter().map(|&d| char::from(d)));
}

/// Appends text as the inside of a JSON string.
pub(super) fn push_json(out: &mut String, text: &str) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                out.push_str("\\u00");
                out.push_str(["0", "1"][usize::from(byte >> 4)]);
                out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
            }
        }
    }
    out.push_str(&text[plain_from..]);
}

#[cfg(test)]
mod tests {
    use super::{MAX_PROSE, RESEARCH, SUPPORT, fill, push_digits, push_hex, push_json, push_score};
    use crate::words;

    #[test]
    fn json_text_reads_back() {
        for text in words::HOSTILE.iter().chain(words::PEOPLE).chain(&["", "\u{0}\u{1f}\u{7f}", "ends with \""]) {
            let mut json = String::from("\"");
            push_json(&mut json, text);
            json.push('"');
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), **text);
        }
    }

    #[test]
    fn numbers_are_written_as_told() {
        let mut out = String::new();
        push_digits(&mut out, 0, 1);
        push_digits(&mut out, 7, 3);
        push_digits(&mut out, u64::MAX, 1);
        push_score(&mut out, 0.5);
        push_score(&mut out, 1.0);
        push_hex(&mut out, 0xabc);
        assert_eq!(out, "0007184467440737095516150.50001.00000000000000000abc");
    }

    #[test]
    fn slots_agree_within_one_seed() {
        let mut out = String::new();
        fill("%o %o 100 % of %n, %", 5, &mut out);
        let (first, rest) = out.split_once(' ').unwrap();
        assert!(rest.starts_with(first), "{out}");
        assert!(out.contains(" 100 % of ") && out.ends_with(", %"), "{out}");
    }

    #[test]
    fn prose_has_about_the_length_asked_for() {
        for domain in [&*SUPPORT, &*RESEARCH] {
            for seed in 0..2_000 {
                let length = 20 + (seed as usize * 37) % MAX_PROSE;
                let text = domain.prose(seed, length);
                assert!(!text.is_empty() && text.len() <= length.max(200), "{} for {length}", text.len());
                assert!(text.len() + 220 > length, "{} for {length}", text.len());
            }
        }
    }
}
