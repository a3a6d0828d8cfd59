//! The lines that join a span to its parent.

use super::spans::Span;

const WIDTH: usize = 3;
const ON: &str = "│  ";
const OFF: &str = "   ";
const FORK: &str = "├─ ";
const LAST: &str = "└─ ";

/// Finds how deep each span hangs among the spans given, in tree order, from their nested-set numbers alone, in O(n).
///
/// Parents that are not among them are skipped: the nearest ancestor there takes their place. Whatever the numbers are,
/// every span gets a place.
pub(super) fn depths(spans: &[Span<'_>]) -> Vec<u32> {
    let mut open: Vec<usize> = Vec::new();
    let mut depths = Vec::with_capacity(spans.len());
    for (place, span) in spans.iter().enumerate() {
        while open.pop_if(|above| spans[*above].right < span.left).is_some() {}
        depths.push(u32::try_from(open.len()).unwrap_or(u32::MAX));
        open.push(place);
    }
    depths
}

/// Where each line of a tree hangs.
#[derive(Debug)]
pub(super) struct Branches {
    /// Lines between the line and its top.
    depth: Vec<u32>,
    /// Whether a sibling follows.
    followed: Vec<bool>,
    /// Columns that branches may take.
    room: usize,
    /// Columns of the number of levels left out.
    digits: usize,
}

impl Branches {
    /// Joins lines of which each says how deep it hangs: a child follows its parent, one deeper.
    pub(super) fn new(depth: Vec<u32>, room: usize) -> Self {
        let mut followed = vec![false; depth.len()];
        // The last line of each level down to the current one.
        let mut path: Vec<usize> = Vec::new();
        for (place, levels) in depth.iter().enumerate() {
            let levels = *levels as usize;
            if let Some(before) = path.get(levels) {
                followed[*before] = true;
            }
            path.truncate(levels);
            path.push(place);
        }
        let digits = depth.iter().max().map_or(1, |deepest| deepest.to_string().len());
        Self { depth, followed, room, digits }
    }

    /// Columns of the branches of the line at this place.
    pub(super) fn width(&self, place: usize) -> usize {
        let levels = self.levels(place);
        if levels * WIDTH <= self.room { levels * WIDTH } else { self.marker() + self.kept() * WIDTH }
    }

    /// A pen that draws the branches of one line after the other, in order.
    pub(super) fn pen(&self) -> Pen<'_> {
        Pen { branches: self, path: Vec::new() }
    }

    fn levels(&self, place: usize) -> usize {
        self.depth[place] as usize
    }

    /// Columns of `…12 `.
    fn marker(&self) -> usize {
        self.digits + 2
    }

    /// Levels that are drawn of a line that lies too deep.
    fn kept(&self) -> usize {
        (self.room.saturating_sub(self.marker()) / WIDTH).max(1)
    }
}

/// Knows which branches go on below the line it is at.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    branches: &'a Branches,
    /// For the line and those above it, but the top: whether a sibling follows.
    path: Vec<bool>,
}

impl Pen<'_> {
    /// Appends what stands before the line at this place; to be called for each place in order.
    pub(super) fn line(&mut self, place: usize, out: &mut String) {
        let levels = self.branches.levels(place);
        self.path.truncate(levels.saturating_sub(1));
        if levels > 0 {
            self.path.push(self.branches.followed[place]);
        }
        let Some((own, above)) = self.shown(true, out).split_last() else { return };
        above.iter().for_each(|followed| out.push_str(if *followed { ON } else { OFF }));
        out.push_str(if *own { FORK } else { LAST });
    }

    /// Appends what stands before a further line of what was drawn last.
    pub(super) fn below(&self, has_children: bool, out: &mut String) {
        for followed in self.shown(false, out) {
            out.push_str(if *followed { ON } else { OFF });
        }
        out.push_str(if has_children { ON } else { OFF });
    }

    /// Whether the line at this place, which follows the one drawn last, is its child.
    pub(super) fn is_child(&self, place: usize) -> bool {
        self.branches.depth.get(place).is_some_and(|depth| *depth as usize == self.path.len() + 1)
    }

    /// The levels to draw, after what stands for those that are left out.
    fn shown(&self, numbered: bool, out: &mut String) -> &[bool] {
        if self.path.len() * WIDTH <= self.branches.room {
            return &self.path;
        }
        let hidden = self.path.len().saturating_sub(self.branches.kept());
        let marker = if numbered { format!("…{hidden}") } else { String::new() };
        out.push_str(&marker);
        out.extend(std::iter::repeat_n(' ', self.branches.marker() - marker.chars().count()));
        &self.path[hidden..]
    }
}
