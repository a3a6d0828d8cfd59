//! The project that a resource names.

use spanql_model::columns::PROJECT;

use super::row::Row;

/// Attributes of a resource that name the project of its spans: of Phoenix's instrumentation and of Arize's.
const NAMES: [&str; 2] = ["openinference.project.name", "arize.project.name"];
/// Prefix of the attributes of a span's resource.
pub(super) const RESOURCE: &str = "attributes.resource.";

/// Adds the project, where this attribute of a resource names it.
pub(super) fn add_project(row: &mut Row, key: &str, write: impl FnOnce(&mut String)) {
    if NAMES.contains(&key) {
        row.with("", PROJECT, write);
    }
}
