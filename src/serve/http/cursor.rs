//! Cursors: where a page ended, and in the answers to which request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::serve::refusal::Refusal;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    /// A number that stands for the request, so that a cursor is not used with another.
    of: u64,
    at: T,
}

/// A number that is the same for the same request.
pub(super) fn fingerprint(request: &impl Serialize) -> Result<u64, Refusal> {
    let text = serde_json::to_vec(request)
        .map_err(|error| Refusal::internal(format!("the request does not encode: {error}")))?;
    Ok(XxHash64::oneshot(0, &text))
}

/// Text that stands for a place in the answers to a request.
pub(super) fn write<T: Serialize>(of: u64, at: T) -> Result<String, Refusal> {
    let text = serde_json::to_vec(&Envelope { of, at })
        .map_err(|error| Refusal::internal(format!("the cursor does not encode: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

/// Reads the place back; blank text is none.
///
/// # Errors
/// When it is no cursor, or one of another request.
pub(super) fn read<T: DeserializeOwned>(of: u64, cursor: Option<&str>) -> Result<Option<T>, Refusal> {
    let Some(cursor) = cursor.map(str::trim).filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let envelope: Option<Envelope<T>> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    match envelope {
        Some(envelope) if envelope.of == of => Ok(Some(envelope.at)),
        Some(_) => Err(Refusal::invalid(
            "the cursor belongs to another request: project, window, filter and columns must stay the same",
        )),
        None => Err(Refusal::invalid("the cursor is none of this server")),
    }
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, read, write};

    #[test]
    fn a_cursor_belongs_to_one_request() {
        let of = fingerprint(&("spans", "p")).unwrap();
        let cursor = write(of, (5, "x".to_owned())).unwrap();
        assert_eq!(read::<(i64, String)>(of, Some(&cursor)).unwrap(), Some((5, "x".to_owned())));
        assert_eq!(read::<(i64, String)>(of, Some(" ")).unwrap(), None);
        let other = fingerprint(&("spans", "q")).unwrap();
        for (of, cursor) in [(other, cursor.as_str()), (of, "Mw=="), (of, "x"), (of, &cursor[1..])] {
            assert!(read::<(i64, String)>(of, Some(cursor)).is_err(), "{cursor}");
        }
    }
}
