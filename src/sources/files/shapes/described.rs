//! What an item is that holds no spans, for messages.

use super::parts::Parts;

/// Says what an item is, by its first keys.
pub(in crate::files) fn described(text: &str) -> String {
    const SHOWN: usize = 8;
    const LONG: usize = 40;
    let text = text.trim();
    let begin = |text: &str| text.chars().take(LONG).collect::<String>();
    let Some(parts) = Parts::read(text) else {
        return match text.as_bytes().first() {
            Some(b'[') => "a list".to_owned(),
            Some(b'"') => "a text".to_owned(),
            Some(b'{') => "an object that is no JSON".to_owned(),
            Some(_) => format!("{:?}", begin(text)),
            None => "nothing".to_owned(),
        };
    };
    let keys: Vec<String> =
        parts.members.iter().take(SHOWN).map(|member| format!("{:?}", begin(&member.key))).collect();
    match keys.as_slice() {
        [] => "an empty object".to_owned(),
        [key] => format!("an object with the key {key}"),
        keys => {
            let more = if parts.members.len() > SHOWN { ", …" } else { "" };
            format!("an object with the keys {}{more}", keys.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_span() {
        let many: Vec<String> = (0..20).map(|at| format!("\"k{at}\":1")).collect();
        for (text, want) in [
            (r#"{"hello": "world", "items": [1]}"#, r#"an object with the keys "hello", "items""#),
            (r#"{"a": 1}"#, r#"an object with the key "a""#),
            ("{}", "an empty object"),
            ("[1]", "a list"),
            ("5", "\"5\""),
            ("", "nothing"),
            ("{x", "an object that is no JSON"),
        ] {
            assert_eq!(described(text), want);
        }
        assert!(described(&format!("{{{}}}", many.join(","))).ends_with("\"k7\", …"));
    }
}
