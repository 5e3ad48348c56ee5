//! A choice of one among several, narrowed by typing: the palette, the actions of a row, what may follow a result, a
//! model.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Outcome, middle};
use crate::core::id::RunId;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::commands::Id;
use crate::tui::effect::{Change, Effect};
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
    /// Nothing: it is done elsewhere, and the word beside it says so. Shown only to who looks for it.
    Elsewhere,
}

/// One of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is; one line, safe to show.
    label: String,
    /// Its keys, or a word about it.
    aside: String,
    /// Its word in the footer, as it is typed; empty for none.
    word: String,
    /// What else it is called, in lower case.
    synonyms: Vec<String>,
    pick: Pick,
}

/// How well an entry matches what was typed: by its word in the footer, a synonym, the beginning of a word, or some letters
/// of its label; then by how well those do. What can be done here comes before what cannot, unless letters alone speak for
/// it.
type Rank = (u8, u32);

impl Entry {
    /// An entry. The label and the word beside it may come from outside.
    #[must_use]
    pub fn new(label: &str, aside: &str, pick: Pick) -> Self {
        let safe = |text: &str| Untrusted::from(text).line().into_owned();
        Self { label: safe(label), aside: safe(aside), word: String::new(), synonyms: Vec::new(), pick }
    }

    /// This entry, found by its word in the footer and by synonyms too.
    #[must_use]
    pub fn found_by<'a>(mut self, word: &str, synonyms: impl IntoIterator<Item = &'a str>) -> Self {
        self.word = word.to_lowercase();
        self.synonyms = synonyms.into_iter().map(str::to_lowercase).collect();
        self
    }

    /// What comes of picking it.
    #[must_use]
    pub fn picks(&self) -> &Pick {
        &self.pick
    }

    /// Its word in the footer.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// How well it matches `typed`, which is in lower case and not empty.
    fn rank(&self, typed: &str, fuzzy: &mut Fuzzy) -> Option<Rank> {
        let begins = |text: &str| text.split_whitespace().any(|word| word.starts_with(typed));
        let tier = if self.word == typed {
            4
        } else if self.synonyms.iter().any(|synonym| synonym == typed) {
            3
        } else if begins(&self.word) || begins(&self.label.to_lowercase()) || self.synonyms.iter().any(|s| begins(s)) {
            2
        } else {
            1
        };
        let here = self.pick != Pick::Elsewhere;
        let score = fuzzy.score(&self.label).unwrap_or(0);
        let rank = match (here, tier) {
            (true, 1) => 3,
            (true, tier) => tier + 4,
            (false, 1) => return None,
            // Below the letters of what is here stands only what merely begins so.
            (false, tier) => {
                if tier == 2 {
                    1
                } else {
                    tier + 1
                }
            }
        };
        (tier > 1 || score > 0).then_some((rank, score))
    }

    /// What it is.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// What an entry of one's own words does, where none of the others is what the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnWords {
    /// They are said in this conversation.
    Say(RunId),
    /// A document of this run is changed so, made from this version of it.
    Act(RunId, String, u32),
}

impl OwnWords {
    fn entry(&self, typed: &str) -> Entry {
        let (says, change) = match self {
            Self::Say(run) => ("a message", Change::Message(*run, typed.to_owned())),
            Self::Act(run, document, version) => {
                let (document, instruction) = (document.clone(), typed.to_owned());
                ("a new version", Change::ActInWords { run: *run, document, version: *version, instruction })
            }
        };
        Entry::new(&format!("Ask for: {typed}"), says, Pick::Do(vec![Effect::Change(change)]))
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
    own_words: Option<OwnWords>,
    /// The entry of what is typed, the last of all.
    typed: Option<Entry>,
    list: List,
}

impl Choose {
    /// A choice among `entries`.
    #[must_use]
    pub fn new(title: &str, entries: Vec<Entry>) -> Self {
        let title = Untrusted::from(title).line().into_owned();
        let (input, list) = (LineInput::default(), List::default());
        let mut choose = Self { title, input, entries, found: Vec::new(), own_words: None, typed: None, list };
        choose.search();
        choose
    }

    /// This choice, or what the person types.
    #[must_use]
    pub fn or_own_words(mut self, own_words: OwnWords) -> Self {
        self.own_words = Some(own_words);
        self
    }

    /// What there is to choose from.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
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
        self.list = List::default();
        let typed = self.input.value().trim().to_owned();
        self.typed = self.own_words.as_ref().filter(|_| !typed.is_empty()).map(|own| own.entry(&typed));
        let typed = typed.to_lowercase();
        let entries = self.entries.iter().enumerate();
        if typed.is_empty() {
            self.found = entries.filter(|(_, entry)| entry.pick != Pick::Elsewhere).map(|(at, _)| at).collect();
            return;
        }
        let mut fuzzy = Fuzzy::new(&typed);
        let mut found: Vec<(Rank, usize)> =
            entries.filter_map(|(at, entry)| Some((entry.rank(&typed, &mut fuzzy)?, at))).collect();
        found.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        self.found = found.into_iter().map(|(_, at)| at).collect();
    }

    /// The entry that Enter picks.
    #[must_use]
    pub fn selected(&self) -> Option<&Entry> {
        self.entry(self.list.selected)
    }

    /// How many rows are listed.
    fn rows(&self) -> usize {
        self.found.len() + usize::from(self.typed.is_some())
    }

    /// The entry in that row.
    fn entry(&self, row: usize) -> Option<&Entry> {
        match self.found.get(row) {
            Some(at) => self.entries.get(*at),
            None => self.typed.as_ref().filter(|_| row == self.found.len()),
        }
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
        self.list.step(rows, self.rows(), extent);
        Outcome::stays()
    }

    /// Picks the entry in that row.
    #[must_use]
    pub fn pick(&self, row: usize) -> Outcome {
        match self.entry(row).map(|entry| &entry.pick) {
            None | Some(Pick::Elsewhere) => Outcome::stays(),
            Some(Pick::Give(id)) => Outcome { closes: true, give: Some(*id), effects: Vec::new() },
            Some(Pick::Do(effects)) => Outcome::does(effects.clone()),
        }
    }

    /// Paints it in the middle of `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        // The frame stays where it is while the typing narrows what is in it.
        let listed = self.entries.iter().filter(|entry| entry.pick != Pick::Elsewhere).count();
        let place = middle(area, WIDEST, (listed + usize::from(self.own_words.is_some())).min(HIGHEST) + 2);
        canvas.clear(place);
        let inner = canvas.pane(place, &self.title, true);
        let field = Rect { x: inner.x + 3, width: inner.width.saturating_sub(4), height: 1, ..inner };
        canvas.text(Rect { x: inner.x + 1, width: 1, height: 1, ..inner }, "›", canvas.theme.accent);
        self.input.paint(canvas, field, true, false);
        canvas.divide(place, inner.y + 1, "");
        let list = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        if self.rows() == 0 {
            canvas.text(
                Rect { x: list.x + 1, width: list.width.saturating_sub(1), ..list },
                if self.own_words.is_some() { "type what you want" } else { "nothing like that" },
                canvas.theme.muted,
            );
        }
        let theme = *canvas.theme;
        let hidden = self.list.paint(canvas, list, self.rows(), true, |row, cells| {
            let Some(entry) = self.entry(row) else { return Line::default() };
            let cells = usize::from(cells).saturating_sub(3);
            let aside = fit(&entry.aside, cells / 2).into_owned();
            let room = cells.saturating_sub(width(&aside));
            let label = fit(&entry.label, room).into_owned();
            let blank = " ".repeat(room.saturating_sub(width(&label)) + 1);
            let style = if entry.pick == Pick::Elsewhere { theme.muted } else { theme.text };
            Line::from(vec![
                Span::raw(" "),
                Span::styled(label, style),
                Span::raw(blank),
                Span::styled(aside, theme.muted),
            ])
        });
        canvas.overflow(Rect { y: inner.y + 1, height: place.bottom().saturating_sub(inner.y + 1), ..place }, hidden);
    }
}
