//! A place in a text that follows its end until the person scrolls away.

use crate::tui::canvas::Extent;
use crate::tui::commands::Id;

/// Where a pane stands in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scroll {
    /// The line at the top; `None` follows the end.
    top: Option<usize>,
}

impl Default for Scroll {
    fn default() -> Self {
        Self::at_start()
    }
}

/// A way to scroll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// So many lines, negative upwards.
    Lines(isize),
    /// So many pages, less two lines of overlap.
    Pages(isize),
    /// To the first line.
    Start,
    /// To the last line, and following it from then on.
    End,
}

impl By {
    /// The way that a command scrolls a text.
    #[must_use]
    pub fn of(id: Id) -> Option<Self> {
        Some(match id {
            Id::Up => Self::Lines(-1),
            Id::Down => Self::Lines(1),
            Id::PageUp => Self::Pages(-1),
            Id::PageDown => Self::Pages(1),
            Id::First => Self::Start,
            Id::Last => Self::End,
            _ => return None,
        })
    }
}

impl Scroll {
    /// From the beginning.
    #[must_use]
    pub fn at_start() -> Self {
        Self { top: Some(0) }
    }

    /// From that line; the last screenful when there is no more.
    #[must_use]
    pub fn at(line: usize) -> Self {
        Self { top: Some(line) }
    }

    /// Following the end.
    #[must_use]
    pub fn following() -> Self {
        Self { top: None }
    }

    /// Whether it follows the end.
    #[must_use]
    pub fn follows(self) -> bool {
        self.top.is_none()
    }

    /// The line at the top.
    #[must_use]
    pub fn top(self, extent: Extent) -> usize {
        self.top.map_or(extent.last_top(), |top| top.min(extent.last_top()))
    }

    /// How many lines lie below what is shown.
    #[must_use]
    pub fn below(self, extent: Extent) -> usize {
        extent.last_top() - self.top(extent)
    }

    /// What a marker says of the lines that are not shown: how many lie below, then how many above.
    #[must_use]
    pub fn hidden(self, extent: Extent) -> Vec<String> {
        let says = |(lines, arrow): (usize, &str)| (lines > 0).then(|| format!("{lines} more {arrow}"));
        [(self.below(extent), "↓"), (self.top(extent), "↑")].into_iter().filter_map(says).collect()
    }

    /// Scrolls. Whoever reaches the end by scrolling follows it again.
    pub fn by(&mut self, by: By, extent: Extent) {
        let page = isize::try_from(extent.height.saturating_sub(2).max(1)).unwrap_or(isize::MAX);
        let lines = match by {
            By::Start => {
                self.top = Some(0);
                return;
            }
            By::End => {
                self.top = None;
                return;
            }
            By::Lines(lines) => lines,
            By::Pages(pages) => pages.saturating_mul(page),
        };
        let top = self.top(extent).saturating_add_signed(lines);
        self.top = (lines < 0 || top < extent.last_top()).then_some(top);
    }

    /// Scrolls so far that `line` is shown.
    pub fn show(&mut self, line: usize, extent: Extent) {
        if extent.height == 0 {
            // Nothing was painted yet: the first frame shows it.
            return;
        }
        let top = self.top(extent);
        if line < top {
            self.top = Some(line);
        } else if line >= top + extent.height {
            self.top = Some((line + 1).saturating_sub(extent.height));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Extent = Extent { lines: 100, height: 10 };

    #[test]
    fn it_follows_until_scrolled_away_and_again_from_the_end() {
        let mut scroll = Scroll::following();
        assert_eq!(scroll.top(LONG), 90);
        assert_eq!(scroll.top(Extent { lines: 120, height: 10 }), 110);
        scroll.by(By::Pages(-1), LONG);
        assert_eq!((scroll.top(LONG), scroll.below(LONG)), (82, 8));
        assert_eq!(scroll.top(Extent { lines: 120, height: 10 }), 82);
        scroll.by(By::Lines(8), LONG);
        assert!(scroll.follows());
    }

    #[test]
    fn a_text_that_fits_does_not_scroll() {
        let short = Extent { lines: 3, height: 10 };
        let mut scroll = Scroll::at_start();
        for by in [By::Lines(5), By::Pages(1), By::End, By::Lines(-5)] {
            scroll.by(by, short);
            assert_eq!(scroll.top(short), 0);
        }
    }

    #[test]
    fn a_line_is_brought_into_view_by_the_shortest_way() {
        let mut scroll = Scroll::at_start();
        scroll.show(15, LONG);
        assert_eq!(scroll.top(LONG), 6);
        scroll.show(4, LONG);
        assert_eq!(scroll.top(LONG), 4);
        scroll.show(8, LONG);
        assert_eq!(scroll.top(LONG), 4);
    }
}
