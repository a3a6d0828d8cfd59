//! Texts as JSON strings.

/// Bytes that end a run of plain text in [`push_string`].
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        stops[byte] = true;
        byte += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops[0x7f] = true;
    // First bytes of characters some of which change how a terminal shows the text around them.
    stops[0xc2] = true;
    stops[0xd8] = true;
    stops[0xe2] = true;
    stops
};

/// Appends a text as a JSON string.
///
/// Besides what JSON demands, C1 controls, DEL and bidirectional controls are escaped: the value is the same, and
/// JSON shown on a terminal cannot act on it.
pub(super) fn push_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut copied = 0;
    let mut at = 0;
    while let Some(run) = bytes[at..].iter().position(|byte| STOPS[usize::from(*byte)]) {
        at += run;
        let (code, length) = match bytes[at] {
            first @ (0xc2 | 0xd8) => (u32::from(first & 0x1f) << 6 | u32::from(bytes[at + 1] & 0x3f), 2),
            0xe2 => (0x2000 | u32::from(bytes[at + 1] & 0x3f) << 6 | u32::from(bytes[at + 2] & 0x3f), 3),
            byte => (u32::from(byte), 1),
        };
        if must_escape(code) {
            out.extend_from_slice(&bytes[copied..at]);
            push_escape(code, out);
            copied = at + length;
        }
        at += length;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Writes JSON text again with what `push_string` escapes beyond JSON's demands escaped, too.
///
/// Those characters stand nowhere in JSON but in strings.
pub fn escape_controls(json: &str, out: &mut Vec<u8>) {
    let mut copied = 0;
    for (at, character) in json.char_indices().filter(|(_, character)| !character.is_ascii() || *character == '\x7f') {
        let code = u32::from(character);
        if must_escape(code) {
            out.extend_from_slice(&json.as_bytes()[copied..at]);
            push_escape(code, out);
            copied = at + character.len_utf8();
        }
    }
    out.extend_from_slice(&json.as_bytes()[copied..]);
}

fn must_escape(code: u32) -> bool {
    matches!(code, 0..0x20 | 0x22 | 0x5c | 0x7f..=0x9f | 0x61c | 0x200e..=0x200f | 0x2028..=0x202e | 0x2066..=0x2069)
}

fn push_escape(code: u32, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short = match code {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x22 => b'"',
        0x5c => b'\\',
        _ => {
            out.extend_from_slice(b"\\u");
            out.extend([12, 8, 4, 0].map(|shift| DIGITS[(code >> shift & 15) as usize]));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let mut out = Vec::new();
        push_string(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings() {
        assert_eq!(json(""), r#""""#);
        assert_eq!(json("a\"b\\c/\n\t\u{1}"), r#""a\"b\\c/\n\t\u0001""#);
        assert_eq!(json("é “x” Ø日本 😀"), "\"é “x” Ø日本 😀\"");
        assert_eq!(json("\u{202e}x\u{9b}\u{7f}\u{2028}\u{200d}"), "\"\\u202ex\\u009b\\u007f\\u2028\u{200d}\"");
    }

    #[test]
    fn every_character_reads_back() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            assert_eq!(serde_json::from_str::<String>(&json(&text)).unwrap(), text);
        }
    }
}
