//! Words of the log.

use spanql_sources::Window;

/// A window as a person reads it.
pub(super) fn window_text(window: Window) -> String {
    let text =
        |nanos| chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    format!("[{}, {})", text(window.start), text(window.end))
}
