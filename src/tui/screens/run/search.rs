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
            self.search = Some(Find::default());
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
        match &mut self.search {
            None => return false,
            Some(find) if find.is_typing() => types(find),
            Some(_) => {}
        }
        self.show_match();
        true
    }

    /// Scrolls to the match that is looked at.
    fn show_match(&mut self) {
        let Some(find) = &self.search else { return };
        let Some(text) = self.searchable() else { return };
        let Some(line) = find.line(text) else { return };
        let extent = self.last_frame.output;
        if let Over::Prompt { scroll, .. } = &mut self.over {
            scroll.show(line, extent);
        } else {
            self.scroll.show(line, extent);
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
