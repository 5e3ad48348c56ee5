//! A text that is read over the screen: the exact prompt of what waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ratatui::layout::Rect;

use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands::Id;
use crate::tui::markdown::Document;
use crate::tui::situation::Layer;
use crate::tui::widgets::find::Find;
use crate::tui::widgets::scroll::{By, Scroll};

/// The model.
#[derive(Debug)]
pub struct Reading {
    title: String,
    text: Untrusted,
    /// Layers go through messages, so what keeps a layout has to be shared safely.
    shown: Mutex<Shown>,
    scroll: Scroll,
}

/// The text laid out, and what it is searched for.
#[derive(Debug)]
struct Shown {
    text: Document,
    search: Option<Find>,
}

impl Clone for Reading {
    fn clone(&self) -> Self {
        Self { scroll: self.scroll, ..Self::new(&self.title, self.text.clone()) }
    }
}

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        (&self.title, &self.text, self.scroll) == (&other.title, &other.text, other.scroll)
    }
}

impl Reading {
    /// Reads a text from its beginning. The title may come from outside.
    #[must_use]
    pub fn new(title: &str, text: Untrusted) -> Self {
        let shown = Mutex::new(Shown { text: Document::new(&text), search: None });
        Self { title: Untrusted::from(title).line().into_owned(), text, shown, scroll: Scroll::at_start() }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its place in the situation.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.shown().search.as_ref().map_or(Layer::Prompt, Find::layer)
    }

    /// Whether the text is searched.
    #[must_use]
    pub fn is_searched(&self) -> bool {
        self.shown().search.is_some()
    }

    /// What the footer says of the search.
    #[must_use]
    pub fn says(&self) -> Option<String> {
        self.shown().search.as_ref().map(Find::says)
    }

    /// Scrolls, or searches the text.
    pub fn give(&mut self, id: Id, extent: Extent) {
        let Shown { text, search } = self.shown.get_mut().unwrap_or_else(PoisonError::into_inner);
        if Find::give(search, id) {
            Find::scroll(search.as_ref(), Some(&*text), &mut self.scroll, extent);
        } else if let Some(by) = By::of(id) {
            self.scroll.by(by, extent);
        } else if id == Id::Filter {
            *search = Some(Find::default());
        }
    }

    /// Types into the line of the search, if it has the keys.
    pub fn types(&mut self, types: impl FnOnce(&mut Find), extent: Extent) {
        let Shown { text, search } = self.shown.get_mut().unwrap_or_else(PoisonError::into_inner);
        if Find::types(search, types) {
            Find::scroll(search.as_ref(), Some(&*text), &mut self.scroll, extent);
        }
    }

    /// Paints it over `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.clear(area);
        let (theme, look) = (*canvas.theme, canvas.look());
        let pane = canvas.pane(area, &self.title, true);
        let mut inner = Rect { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
        let Shown { text, search } = &*self.shown();
        if let Some(find) = search {
            find.paint_below(canvas, area, &mut inner);
        }
        canvas.hit(inner, Hit::Output);
        canvas.frame.output = Extent { lines: text.height(inner.width, look), height: inner.height.into() };
        let top = self.scroll.top(canvas.frame.output);
        text.show(canvas, inner, top, look);
        if let Some(find) = search {
            find.mark(text, canvas, inner, top);
        }
        canvas.marker(area, &self.scroll.hidden(canvas.frame.output), theme.accent);
    }
}
