//! Ids of the space and of projects: base64 of text with a colon, which is how clients tell an id from a name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use twox_hash::XxHash64;

/// The name of the one space there is.
pub(super) const SPACE_NAME: &str = "spanql";

/// The id of the one space there is.
pub(super) fn space_id() -> String {
    STANDARD.encode(format!("Space:1:{SPACE_NAME}"))
}

/// The id of a project: the same for the same name, whatever else the store holds.
pub(super) fn project_id(name: &str) -> String {
    STANDARD.encode(format!("Project:{:016x}:{name}", XxHash64::oneshot(0, name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{project_id, space_id};

    #[test]
    fn ids_never_change() {
        assert_eq!(space_id(), "U3BhY2U6MTpzcGFucWw=");
        let id = String::from_utf8(STANDARD.decode(project_id("größe: 1")).unwrap()).unwrap();
        assert!(id.starts_with("Project:") && id.ends_with(":größe: 1"), "{id}");
        assert_ne!(project_id("a"), project_id("b"));
    }
}
