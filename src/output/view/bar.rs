//! A span's place on the time axis of its trace, drawn in eighths of a cell.

/// Blocks that fill a cell from the left by so many eighths.
const FROM_LEFT: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The time that a row of cells stands for, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Axis {
    /// Appends the blocks from `start` to `end` on `cells` cells (at least one), and gives the blank cells before them.
    ///
    /// At least one cell is drawn; none is drawn outside the axis.
    pub(super) fn draw(self, start: i64, end: i64, cells: usize, out: &mut String) -> usize {
        let eighths = cells * 8;
        let from = self.position(start, eighths).min(eighths - 1);
        let to = self.position(end.max(start), eighths).max(from + 1);
        let (first, into) = (from / 8, from % 8);
        if to <= (first + 1) * 8 {
            // No block floats inside a cell: what begins in its left half hangs on the left, the rest on the right.
            out.push(if into < 4 { FROM_LEFT[to - from] } else { from_right(to - from) });
            return first;
        }
        out.push(if into < 4 { FROM_LEFT[8] } else { from_right(8 - into) });
        let (last, over) = (to / 8, to % 8);
        out.extend(std::iter::repeat_n(FROM_LEFT[8], last - first - 1));
        if over > 0 {
            out.push(FROM_LEFT[over]);
        }
        first
    }

    /// Where a moment lies among so many steps of the axis.
    fn position(self, moment: i64, steps: usize) -> usize {
        let length = (i128::from(self.end) - i128::from(self.start)).max(1);
        let past = (i128::from(moment) - i128::from(self.start)).clamp(0, length);
        usize::try_from(past * steps as i128 / length).unwrap_or(steps)
    }
}

/// The block that fills a cell from the right: there are but two.
fn from_right(eighths: usize) -> char {
    if eighths >= 3 { '▐' } else { '▕' }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(start: i64, end: i64) -> String {
        let mut blocks = String::new();
        let blank = Axis { start: 0, end: 80 }.draw(start, end, 10, &mut blocks);
        format!("{}{blocks}", " ".repeat(blank))
    }

    #[test]
    fn blocks() {
        assert_eq!(drawn(0, 80), "██████████");
        assert_eq!(drawn(0, 20), "██▌");
        assert_eq!(drawn(20, 41), "  ▐██▏");
        assert_eq!(drawn(16, 16), "  ▏");
        assert_eq!(drawn(23, 23), "  ▕");
        assert_eq!(drawn(80, 80), "         ▕");
        assert_eq!(drawn(-50, 500), "██████████");
        assert_eq!(drawn(50, 10), "      ▏");
    }

    proptest! {
        #[test]
        fn stays_on_the_axis(start: i64, end: i64, axis: (i64, i64), cells in 1usize..60) {
            let axis = Axis { start: axis.0, end: axis.1 };
            let mut blocks = String::new();
            let blank = axis.draw(start, end, cells, &mut blocks);
            prop_assert!(!blocks.is_empty() && blank + blocks.chars().count() <= cells);
        }
    }
}
