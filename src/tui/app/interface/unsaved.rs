//! What was typed and not given: it is kept, and offered where it belongs when it is found again.

use super::Interface;
use crate::core::id::RunId;
use crate::tui::app::any_screen::AnyScreen;
use crate::tui::drafts::{Slot, Unsaved};
use crate::tui::effect::{Change, Effect};
use crate::tui::layers::Above;
use crate::tui::message::Message;

impl Interface {
    /// What has to be done so that everything is kept that was typed and not given.
    pub fn unsaved(&mut self) -> Vec<Change> {
        let above = self.above.iter().flat_map(Above::unsaved);
        self.drafts.catch_up(self.stack.iter().flat_map(AnyScreen::unsaved).chain(above))
    }

    /// Whether what is typed here is kept.
    pub(super) fn keeps(&self) -> bool {
        match &self.above {
            Some(above) => !above.unsaved().is_empty(),
            None => matches!(self.top(), AnyScreen::Form(_) | AnyScreen::Run(_) | AnyScreen::Chat(_)),
        }
    }

    /// A text of a run was found. Gives whether that changes what is shown.
    pub(super) fn draft(&mut self, run: RunId, name: &str, text: &str) -> bool {
        self.drafts.found(Slot::Run(run, name.to_owned()), text);
        if let Some(above) = &mut self.above {
            above.offer(run, name, text);
        }
        let mut changed = self.above.is_some();
        for page in self.stack.iter_mut().filter(|page| page.hears_of(run)) {
            changed |= page.update(Message::Draft { run, name: name.to_owned(), text: text.to_owned() }).1;
        }
        changed
    }

    /// What was typed into a form was found. Gives whether that changes what is shown.
    pub(super) fn form_draft(&mut self, name: &str, text: &str) -> bool {
        let slot = Slot::Form(name.to_owned());
        self.drafts.found(slot.clone(), text);
        let mut changed = false;
        for screen in &mut self.stack {
            if let AnyScreen::Form(form) = screen {
                changed |= form.offer(&slot, text);
            }
        }
        changed
    }

    /// A model was connected: what described it is done with.
    pub(super) fn connected(&mut self, said: String) -> Vec<Effect> {
        let described = self.stack.iter().filter(|screen| screen.is_connecting()).flat_map(AnyScreen::unsaved);
        let done: Vec<Unsaved> = described.map(|unsaved| Unsaved { text: None, ..unsaved }).collect();
        let mut effects: Vec<Effect> = self.drafts.keep(done).into_iter().map(Effect::Change).collect();
        self.stack.retain(|screen| !matches!(screen, AnyScreen::Connect(_)) && !screen.is_connecting());
        effects.extend(self.top_mut().update(Message::Done(said)).0);
        effects
    }
}
