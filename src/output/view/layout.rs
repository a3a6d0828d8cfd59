//! Which columns the lines of a trace have, and how wide.

/// Blank columns before everything.
pub(super) const INDENT: usize = 1;
/// Columns of a bar at least.
const LEAST_BAR: usize = 8;
/// Columns that a model's name may be shrunk to.
const LEAST_MODEL: usize = 10;
const MOST_MODEL: usize = 30;

/// Terminal columns; 0 where there is no such column.
///
/// As a wish: what would show everything. As a layout: what there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Layout {
    /// Branches, kind, name and flags.
    pub(super) span: usize,
    pub(super) mark: usize,
    pub(super) time: usize,
    pub(super) bar: usize,
    pub(super) model: usize,
    pub(super) prompt: usize,
    pub(super) completion: usize,
    pub(super) cost: usize,
    /// Between columns.
    pub(super) gap: usize,
}

impl Layout {
    /// Fits what is wished for into `width` columns.
    ///
    /// Names and models shrink first; then the bar goes, then tokens and cost, then the model, then the rest.
    pub(super) fn fit(wish: Self, width: usize) -> Self {
        let gap = if width >= 100 { 2 } else { 1 };
        let least = Self {
            span: wish.span.min((width * 3 / 10).max(16)),
            bar: wish.bar.min(LEAST_BAR),
            model: wish.model.min(LEAST_MODEL),
            gap,
            ..wish
        };
        let no_bar = Self { bar: 0, ..least };
        let no_tokens = Self { prompt: 0, completion: 0, cost: 0, ..no_bar };
        let no_model = Self { model: 0, ..no_tokens };
        let bare = Self { span: wish.span.min(width.saturating_sub(INDENT)), gap, ..Self::default() };
        let mut fitted =
            [least, no_bar, no_tokens, no_model].into_iter().find(|set| set.total() <= width).unwrap_or(bare);

        let mut spare = width.saturating_sub(fitted.total());
        let mut grow = |column: &mut usize, to: usize| {
            let more = to.saturating_sub(*column).min(spare);
            *column += more;
            spare -= more;
        };
        if fitted.bar > 0 {
            grow(&mut fitted.bar, wish.bar.min(width / 8));
        }
        grow(&mut fitted.span, wish.span.min(width * 2 / 5));
        if fitted.model > 0 {
            grow(&mut fitted.model, wish.model.min(MOST_MODEL));
        }
        if fitted.bar > 0 {
            grow(&mut fitted.bar, wish.bar.min(width / 3));
        }
        grow(&mut fitted.span, wish.span);
        fitted
    }

    /// Columns of prompt, arrow and completion.
    pub(super) fn tokens(&self) -> usize {
        if self.prompt + self.completion == 0 {
            0
        } else {
            self.prompt + self.completion + usize::from(self.completion > 0)
        }
    }

    /// The columns right of the name.
    pub(super) fn total(&self) -> usize {
        let columns = [self.mark, self.time, self.bar, self.model, self.tokens(), self.cost];
        INDENT + self.span + columns.iter().filter(|width| **width > 0).map(|width| width + self.gap).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WISH: Layout =
        Layout { span: 40, mark: 1, time: 7, bar: 200, model: 22, prompt: 6, completion: 5, cost: 7, gap: 0 };

    #[test]
    fn the_bar_goes_first_then_tokens_then_the_model() {
        let shown = |width| {
            let Layout { span, time, bar, model, prompt, cost, .. } = Layout::fit(WISH, width);
            (span, time, bar, model, prompt, cost)
        };
        assert_eq!(shown(200), (40, 7, 66, 22, 6, 7));
        assert_eq!(shown(120), (40, 7, 18, 22, 6, 7));
        assert_eq!(shown(80), (26, 7, 10, 10, 6, 7));
        assert_eq!(shown(60), (26, 7, 0, 22, 0, 0));
        assert_eq!(shown(40), (16, 7, 0, 12, 0, 0));
        assert_eq!(shown(32), (21, 7, 0, 0, 0, 0));
        assert_eq!(shown(20), (19, 0, 0, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn fits(widths: [u8; 8], width in 2usize..300) {
            let [span, mark, time, bar, model, prompt, completion, cost] = widths.map(usize::from);
            let wish = Layout { span: span + 1, mark, time, bar, model, prompt, completion, cost, gap: 0 };
            let fitted = Layout::fit(wish, width);
            prop_assert!(fitted.total() <= width, "{fitted:?}");
            prop_assert!(fitted.span >= 1);
        }
    }
}
