//! A text that is read over the screen: the exact prompt of what waits.

use std::sync::{Mutex, PoisonError};

use ratatui::layout::Rect;

use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands::Id;
use crate::tui::markdown::Document;
use crate::tui::widgets::scroll::{By, Scroll};

/// The model.
#[derive(Debug)]
pub struct Reading {
    title: String,
    text: Untrusted,
    /// The text laid out; layers go through messages, so it has to be shared safely.
    laid_out: Mutex<Document>,
    scroll: Scroll,
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
        let laid_out = Mutex::new(Document::new(&text));
        Self { title: Untrusted::from(title).line().into_owned(), text, laid_out, scroll: Scroll::at_start() }
    }

    /// Scrolls.
    pub fn give(&mut self, id: Id, extent: Extent) {
        if let Some(by) = By::of(id) {
            self.scroll.by(by, extent);
        }
    }

    /// Paints it over `area`.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        canvas.clear(area);
        let (theme, look) = (*canvas.theme, canvas.look());
        let inner = canvas.pane(area, &self.title, true);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        let text = self.laid_out.lock().unwrap_or_else(PoisonError::into_inner);
        canvas.frame.output = Extent { lines: text.height(inner.width, look), height: inner.height.into() };
        text.paint(inner, canvas.buf, self.scroll.top(canvas.frame.output), look);
        let below = self.scroll.below(canvas.frame.output);
        if below > 0 {
            canvas.marker(area, &format!(" {below} more ↓ "), theme.accent);
        }
    }
}
