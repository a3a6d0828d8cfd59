//! Ids that stand for none: instrumentation writes zeros, or nothing, where it has no id to give.

use super::columns::METADATA_PREFIX;

/// Whether an id is all zeros: hexadecimal of any length, with or without `0x`, or a UUID.
pub fn is_zero(id: &str) -> bool {
    let digits = id.strip_prefix("0x").or_else(|| id.strip_prefix("0X")).unwrap_or(id);
    let dashes = [8, 13, 18, 23];
    let is_uuid = digits.len() == 36 && dashes.iter().all(|&at| digits.as_bytes()[at] == b'-');
    let mut bytes = digits.bytes().enumerate();
    !digits.is_empty() && bytes.all(|(at, byte)| byte == b'0' || (is_uuid && dashes.contains(&at)))
}

/// Whether an attribute names the session, the user or the conversation of a span: an empty text there names none.
pub fn is_of_whom(column: &str) -> bool {
    let Some(name) = column.strip_prefix("attributes.") else { return false };
    let ends = ["session.id", "user.id", "conversation.id", "session_id", "user_id", "conversation_id"];
    let is_one = |end: &&str| name.strip_suffix(*end).is_some_and(|start| start.is_empty() || start.ends_with('.'));
    !column.starts_with(METADATA_PREFIX) && ends.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::{is_of_whom, is_zero};

    #[test]
    fn zeros_in_every_spelling() {
        let uuid = "00000000-0000-0000-0000-000000000000";
        for id in ["0", "0000000000000000", "00000000000000000000000000000000", "0x0", "0X00000000", uuid] {
            assert!(is_zero(id), "{id}");
        }
        let other_uuid = "00000000-0000-0000-0000-000000000001";
        for id in ["", "0x", "00f0", "00 00", "0-0", "0000000000000001", "o000", "0x0x0", other_uuid, "-", &uuid[1..]] {
            assert!(!is_zero(id), "{id}");
        }
    }

    #[test]
    fn attributes_that_say_whom() {
        for name in ["session.id", "user.id", "gen_ai.conversation.id", "conversation_id", "langfuse.user_id"] {
            assert!(is_of_whom(&format!("attributes.{name}")), "{name}");
        }
        for name in ["session.idle", "my_user.id", "id", "superuser_id", "metadata.user_id"] {
            assert!(!is_of_whom(&format!("attributes.{name}")), "{name}");
        }
        assert!(!is_of_whom("session.id"));
    }
}
