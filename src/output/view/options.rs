//! How a view is to look.

use super::super::Zone;
use super::focus::Focus;

/// Columns of a view where no terminal says how many it has.
const PIPE_WIDTH: usize = 120;

/// How a trace or a session is to look. The default is 120 columns wide, in UTC, without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewOptions {
    /// Terminal columns that no line exceeds; `None`: 120.
    pub width: Option<usize>,
    /// Whether terminal colours may be used.
    pub color: bool,
    /// Zone of timestamps.
    pub zone: Zone,
    /// Whether the whole is enclosed in a [`Fence`](super::super::Fence).
    pub fence: bool,
    /// Which spans of a trace are shown.
    pub focus: Focus,
    /// Whether inputs, outputs and what failed spans say are shown, whole.
    pub full: bool,
}

impl ViewOptions {
    /// Terminal columns that no line exceeds.
    pub(super) fn columns(&self) -> usize {
        self.width.unwrap_or(PIPE_WIDTH)
    }
}
