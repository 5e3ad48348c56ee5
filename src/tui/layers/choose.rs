//! A choice of one among several, narrowed by typing: the palette, the actions of a row, what may follow a result, a
//! model.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Outcome, middle};
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::commands::Id;
use crate::tui::effect::Effect;
use crate::tui::text::fuzzy::Fuzzy;
use crate::tui::text::{fit, width};
use crate::tui::widgets::line::LineInput;
use crate::tui::widgets::list::List;

/// As wide as it gets.
const WIDEST: usize = 76;

/// As many rows as are shown at once.
const HIGHEST: usize = 16;

/// What comes of picking an entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// A command for the screen below.
    Give(Id),
    /// This.
    Do(Vec<Effect>),
}

/// One of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is; one line, safe to show.
    label: String,
    /// Its keys, or a word about it.
    aside: String,
    pick: Pick,
}

impl Entry {
    /// An entry. The label and the word beside it may come from outside.
    #[must_use]
    pub fn new(label: &str, aside: &str, pick: Pick) -> Self {
        let safe = |text: &str| Untrusted::from(text).line().into_owned();
        Self { label: safe(label), aside: safe(aside), pick }
    }

    /// What it is.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// The model.
#[derive(Clone, Debug, PartialEq)]
pub struct Choose {
    title: String,
    input: LineInput,
    entries: Vec<Entry>,
    /// The entries that match, the best first.
    found: Vec<usize>,
    list: List,
}

impl Choose {
    /// A choice among `entries`.
    #[must_use]
    pub fn new(title: &str, entries: Vec<Entry>) -> Self {
        let found = (0..entries.len()).collect();
        let title = Untrusted::from(title).line().into_owned();
        Self { title, input: LineInput::default(), entries, found, list: List::default() }
    }

    /// Whether there is nothing to choose.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        self.input.paste(text);
        self.search();
    }

    /// Takes a key that is no command.
    pub fn key(&mut self, key: KeyEvent) {
        if self.input.key(key) {
            self.search();
        }
    }

    fn search(&mut self) {
        let mut fuzzy = Fuzzy::new(self.input.value().trim());
        let mut found: Vec<(u32, usize)> = Vec::new();
        for (at, entry) in self.entries.iter().enumerate() {
            found.extend(fuzzy.score(&entry.label).map(|score| (score, at)));
        }
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        self.found = found.into_iter().map(|(_, at)| at).collect();
        self.list = List::default();
    }

    /// Gives a command; `extent` is the list's.
    pub fn give(&mut self, id: Id, extent: Extent) -> Outcome {
        let page = isize::try_from(extent.height).unwrap_or(1).max(1);
        let rows = match id {
            Id::Submit => return self.pick(self.list.selected),
            Id::Up => -1,
            Id::Down => 1,
            Id::PageUp => -page,
            Id::PageDown => page,
            _ => return Outcome::stays(),
        };
        self.list.step(rows, self.found.len(), extent);
        Outcome::stays()
    }

    /// Picks the entry in that row.
    #[must_use]
    pub fn pick(&self, row: usize) -> Outcome {
        match self.found.get(row).and_then(|at| self.entries.get(*at)).map(|entry| &entry.pick) {
            None => Outcome::stays(),
            Some(Pick::Give(id)) => Outcome { closes: true, give: Some(*id), effects: Vec::new() },
            Some(Pick::Do(effects)) => Outcome::does(effects.clone()),
        }
    }

    /// Paints it in the middle of `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        // The frame stays where it is while the typing narrows what is in it.
        let place = middle(area, WIDEST, self.entries.len().min(HIGHEST) + 2);
        canvas.clear(place);
        let inner = canvas.pane(place, &self.title, true);
        let field = Rect { x: inner.x + 3, width: inner.width.saturating_sub(4), height: 1, ..inner };
        canvas.text(Rect { x: inner.x + 1, width: 1, height: 1, ..inner }, "›", canvas.theme.accent);
        self.input.paint(canvas, field, true, false);
        canvas.divide(place, inner.y + 1, "");
        let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        if self.found.is_empty() {
            canvas.text(
                Rect { x: list.x + 1, width: list.width.saturating_sub(1), ..list },
                "nothing like that",
                canvas.theme.muted,
            );
        }
        let theme = *canvas.theme;
        self.list.paint(canvas, list, self.found.len(), true, |row, cells| {
            let entry = &self.entries[self.found[row]];
            let cells = usize::from(cells).saturating_sub(3);
            let aside = fit(&entry.aside, cells / 2).into_owned();
            let room = cells.saturating_sub(width(&aside));
            let label = fit(&entry.label, room).into_owned();
            let blank = " ".repeat(room.saturating_sub(width(&label)) + 1);
            Line::from(vec![
                Span::raw(" "),
                Span::styled(label, theme.text),
                Span::raw(blank),
                Span::styled(aside, theme.muted),
            ])
        });
    }
}
