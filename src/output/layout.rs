//! Which columns of a table are shown, and how wide.

/// Columns are not shrunk below this to make room for others.
const LEAST: usize = 8;

/// One place in a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The column at `index`, `width` terminal columns wide.
    Column {
        /// Position among the columns of the result.
        index: usize,
        /// Terminal columns, without frame and blanks.
        width: usize,
    },
    /// Where columns were left out: one `…` wide.
    Gap,
}

/// Fits columns of the given natural widths into a terminal; `None` has room for everything.
///
/// The widest columns shrink first, to a common width of at least eight, but for those that are shown `whole` or not at all;
/// if that is not enough, columns are left out from the middle. The first column is always kept, however narrow the terminal.
pub(super) fn fit(natural: &[usize], whole: &[bool], terminal: Option<usize>) -> Vec<Slot> {
    let frame = |slots: usize| 3 * slots + 1;
    let floor = |index: usize| if whole[index] { natural[index] } else { natural[index].min(LEAST) };
    let all: Vec<usize> = (0..natural.len()).collect();
    let Some(terminal) = terminal else { return slots(&all, natural) };
    if all.iter().map(|&index| floor(index)).sum::<usize>() + frame(all.len()) <= terminal {
        return slots(&all, &shrink(natural, whole, terminal - frame(all.len())));
    }

    // Room is taken alternately from both ends; what is left in the middle goes.
    let gap = 1 + 3;
    let mut used = frame(0) + gap;
    let (mut front, mut back) = (0, natural.len());
    while front < back {
        let from_front = front <= natural.len() - back;
        let index = if from_front { front } else { back - 1 };
        used += floor(index) + 3;
        if used > terminal && front > 0 {
            break;
        }
        if from_front { front += 1 } else { back -= 1 }
    }
    let kept: Vec<usize> = (0..front).chain(back..natural.len()).collect();
    let widths: Vec<usize> = kept.iter().map(|&index| natural[index]).collect();
    let whole: Vec<bool> = kept.iter().map(|&index| whole[index]).collect();
    let gaps = usize::from(front < back);
    let mut slots = slots(&kept, &shrink(&widths, &whole, terminal.saturating_sub(frame(kept.len() + gaps) + gaps)));
    if gaps > 0 {
        slots.insert(front, Slot::Gap);
    }
    slots
}

fn slots(kept: &[usize], widths: &[usize]) -> Vec<Slot> {
    kept.iter().zip(widths).map(|(&index, &width)| Slot::Column { index, width: width.max(1) }).collect()
}

/// Lowers the largest widths to a common level so that the sum is at most `space`, using all of it. Those that are to stay
/// `whole` stay so as long as there is room.
fn shrink(natural: &[usize], whole: &[bool], space: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..natural.len()).collect();
    order.sort_by_key(|&at| (!whole[at], natural[at]));
    let mut widths = natural.to_vec();
    let mut left = space;
    for (done, &at) in order.iter().enumerate() {
        // The narrowest of those still to be served gets its fair share at most; what it leaves goes to the wider.
        let share = if whole[at] { left } else { left / (order.len() - done) };
        widths[at] = natural[at].min(share);
        left -= widths[at];
    }
    widths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(slots: &[Slot]) -> String {
        let text = |slot: &Slot| match slot {
            Slot::Column { index, width } => format!("{index}:{width}"),
            Slot::Gap => "…".into(),
        };
        slots.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    fn fit(natural: &[usize], terminal: Option<usize>) -> Vec<Slot> {
        super::fit(natural, &vec![false; natural.len()], terminal)
    }

    #[test]
    fn some_are_whole_or_not_there() {
        let fit = |natural: &[usize], whole: &[usize], terminal| {
            let whole: Vec<bool> = (0..natural.len()).map(|index| whole.contains(&index)).collect();
            shown(&super::fit(natural, &whole, Some(terminal)))
        };
        assert_eq!(fit(&[32, 100, 10, 50], &[0], 80), "0:32 1:13 2:10 3:12");
        assert_eq!(fit(&[4, 32, 32, 50], &[1, 2], 80), "0:4 1:32 … 3:30");
        assert_eq!(fit(&[100, 10], &[0], 80), "0:72 …");
    }

    #[test]
    fn widest_shrink_first() {
        assert_eq!(shown(&fit(&[4, 100, 10, 50], None)), "0:4 1:100 2:10 3:50");
        assert_eq!(shown(&fit(&[4, 10], Some(80))), "0:4 1:10");
        assert_eq!(shown(&fit(&[4, 100, 10, 50], Some(80))), "0:4 1:27 2:10 3:26");
        assert_eq!(shown(&fit(&[4, 30, 30], Some(30))), "0:4 1:8 2:8");
    }

    #[test]
    fn the_middle_goes() {
        assert_eq!(shown(&fit(&[20; 10], Some(60))), "0:8 1:8 2:8 … 8:8 9:8");
        assert_eq!(shown(&fit(&[3, 20, 20], Some(12))), "0:3 …");
        assert_eq!(shown(&fit(&[20], Some(3))), "0:1");
    }

    proptest! {
        #[test]
        fn fits_and_uses_the_room(
            columns in proptest::collection::vec((1usize..60, proptest::bool::weighted(0.2)), 1..40),
            terminal in 20usize..200,
        ) {
            let (natural, whole): (Vec<usize>, Vec<bool>) = columns.into_iter().unzip();
            let slots = super::fit(&natural, &whole, Some(terminal));
            let total: usize = 1 + slots.iter().map(|slot| 3 + match slot {
                Slot::Column { width, .. } => *width,
                Slot::Gap => 1,
            }).sum::<usize>();
            prop_assert!(total <= terminal, "{total} > {terminal}");
            let mut shrunk = false;
            let mut kept = 0;
            for slot in &slots {
                if let Slot::Column { index, width } = slot {
                    kept += 1;
                    prop_assert!(*width <= natural[*index]);
                    prop_assert!(*width >= natural[*index].min(LEAST));
                    // The first one is there however narrow the terminal is.
                    prop_assert!(!whole[*index] || *width == natural[*index] || kept == 1);
                    shrunk |= *width < natural[*index];
                }
            }
            prop_assert_eq!(slots.contains(&Slot::Gap), kept < natural.len());
            prop_assert!(!shrunk || total == terminal);
        }
    }
}
