//! Searching the text that is on screen: an output, the result, the exact prompt. Until Esc the keys go to its matches, and
//! none decides.

use super::content::Body;
use super::layer::Over;
use super::{Pane, RunScreen};
use crate::tui::commands::Id;
use crate::tui::markdown::Document;
use crate::tui::widgets::find::Find;

impl RunScreen {
    /// Searches the text where it has the focus; else filters the list.
    pub(super) fn filter_or_search(&mut self) {
        let reads = matches!(self.over, Over::Prompt { .. }) || self.pane == Pane::Output;
        if reads && self.searchable().is_some() {
            // What is searched is the text alone.
            (self.search, self.unfolded) = (Some(Find::default()), false);
            return;
        }
        self.filter.get_or_insert_default();
        self.pane = Pane::List;
        self.over = Over::Filter;
    }

    /// Gives a command to the search, if there is one and the command is for it.
    pub(super) fn gives_to_search(&mut self, id: Id) -> bool {
        let takes = Find::give(&mut self.search, id);
        if takes {
            self.show_match();
        }
        takes
    }

    /// Types into the line of the search, if it has the keys.
    pub(super) fn types_search(&mut self, types: impl FnOnce(&mut Find)) -> bool {
        // Once the line is settled, letters that are no command are nothing: they are not typed beneath it.
        let takes = Find::types(&mut self.search, types) || self.search.is_some();
        if takes {
            self.show_match();
        }
        takes
    }

    /// Scrolls to the match that is looked at.
    fn show_match(&mut self) {
        let (search, extent) = (self.search.as_ref(), self.last_frame.output);
        match (&mut self.over, &self.content.body) {
            (Over::Prompt { text, scroll }, _) => Find::scroll(search, Some(&**text), scroll, extent),
            (Over::None, Body::Text(text)) => Find::scroll(search, Some(&**text), &mut self.scroll, extent),
            _ => {}
        }
    }

    /// The text that can be searched.
    pub(super) fn searchable(&self) -> Option<&Document> {
        match (&self.over, &self.content.body) {
            (Over::Prompt { text, .. }, _) | (Over::None, Body::Text(text)) => Some(text),
            _ => None,
        }
    }
}
