//! Ids as text, in the one form that they have wherever a span comes from.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use spanql_model::json::{Value, text_of};

/// Hex digits of a trace id.
pub(super) const TRACE: usize = 32;
/// Hex digits of a span id.
pub(super) const SPAN: usize = 16;

/// An id of OTLP's JSON: lower-case hex of so many digits, also where it is written in base64.
///
/// OTLP says hex, while what prints its protobuf as JSON by the general rules writes base64. The lengths differ, so that
/// one is never taken for the other; an id of another form stays as it is.
pub(super) fn of_otlp(value: Value<'_>, digits: usize) -> Option<String> {
    let text = text_of(value)?;
    if is_hex(&text, digits) {
        return Some(text.to_ascii_lowercase());
    }
    let padded =
        format!("{}{}", text.trim_end_matches('='), "=".repeat((4 - text.trim_end_matches('=').len() % 4) % 4));
    let bytes = STANDARD.decode(&padded).or_else(|_| URL_SAFE.decode(&padded)).ok();
    Some(match bytes.filter(|bytes| bytes.len() * 2 == digits) {
        Some(bytes) => hex(&bytes),
        None => text,
    })
}

/// An id as an OpenTelemetry SDK has it: without `0x`, an integer as hex of so many digits.
pub(super) fn of_sdk(value: Value<'_>, digits: usize) -> Option<String> {
    if let Value::Number(number) = value
        && let Ok(number) = number.parse::<u128>()
    {
        return Some(format!("{number:0digits$x}"));
    }
    let text = text_of(value)?;
    let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    Some(bare.map_or(text.clone(), str::to_ascii_lowercase))
}

/// Bytes as lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An id of Jaeger: hex, which some of its versions write in upper case.
pub(super) fn of_jaeger(value: Value<'_>) -> Option<String> {
    let text = text_of(value)?;
    Some(if is_hex(&text, text.len()) { text.to_ascii_lowercase() } else { text })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The last part of a name such as `StatusCode.OK` or `SPAN_KIND_CLIENT`, without these beginnings.
pub(super) fn last_word<'a>(text: &'a str, beginnings: &[&str]) -> Cow<'a, str> {
    let text = text.rsplit('.').next().unwrap_or(text);
    let upper = text.to_ascii_uppercase();
    match beginnings.iter().find_map(|beginning| upper.strip_prefix(beginning)) {
        Some(word) => Cow::Owned(word.to_owned()),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_id() {
        let trace = "42b0987b11a08b3d6b8e6460c7844da9";
        let of = |text: &str| of_otlp(Value::Text(text), TRACE).unwrap();
        assert_eq!(of(trace), trace);
        assert_eq!(of(&trace.to_uppercase()), trace);
        assert_eq!(of("QrCYexGgiz1rjmRgx4RNqQ=="), trace);
        assert_eq!(of("QrCYexGgiz1rjmRgx4RNqQ"), trace);
        assert_eq!(of_otlp(Value::Text("baWWOnbwA5k="), SPAN).unwrap(), "6da5963a76f00399");
        for kept in ["", "short", "é", "QrCY"] {
            assert_eq!(of(kept), kept);
        }
        assert_eq!(of_otlp(Value::Null, SPAN), None);
        assert_eq!(of_sdk(Value::Text("0x42B0"), TRACE).unwrap(), "42b0");
        assert_eq!(of_sdk(Value::Text("T1"), TRACE).unwrap(), "T1");
        let number = "39712373237291850001929057769826244787";
        assert_eq!(of_sdk(Value::Number(number), TRACE).unwrap(), "1de0532b350588ff152b1edf6bf358b3");
        assert_eq!(of_sdk(Value::Number("15"), SPAN).unwrap(), "000000000000000f");
        assert_eq!(of_sdk(Value::Number("1.5"), SPAN).unwrap(), "1.5");
        assert_eq!(of_jaeger(Value::Text("3E28")).unwrap(), "3e28");
    }
}
