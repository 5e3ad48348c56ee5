//! What was asked for and was not done: it is said where it was asked for, and the text in it is kept there.

use serde_json::Value;

use super::Interface;
use crate::core::decide::DecisionKind;
use crate::core::document::RESULT;
use crate::core::id::RunId;
use crate::core::task::Kind as TaskKind;
use crate::tui::app::any_screen::AnyScreen;
use crate::tui::drafts;
use crate::tui::effect::{Change, Effect, Errand, Opening, Request};
use crate::tui::layers::{Kind, picks};
use crate::tui::message::Message;

impl Interface {
    /// What was not done is told where it was asked for; the text in it is kept there.
    pub(super) fn not_done(&mut self, request: Request, why: String) -> (Vec<Effect>, bool) {
        let change = match request {
            Request::Change(change) => Some(change),
            Request::Open(ticket, opening) => {
                // What was typed ahead was meant for it.
                let awaited = self.awaited.take_if(|awaited| awaited.is(ticket));
                // A name that was typed wrong is put right where it was typed.
                if let (Some(_), Opening::PickModel { run, key, model, typed: true }) = (awaited, opening) {
                    self.above = Some(Kind::Ask(picks::named_model(run, &key, &model).again(why)).into());
                    return (Vec::new(), true);
                }
                None
            }
            Request::Errand(errand) => {
                self.not_listed(&errand);
                None
            }
        };
        if let Some(Change::Decide(run, decision, draft)) = &change {
            for screen in &mut self.stack {
                match screen {
                    AnyScreen::Run(screen) if screen.run().id == *run => screen.not_decided(&decision.key),
                    // It waits there again.
                    AnyScreen::Inbox(screen) => {
                        let request = Box::new(Request::Change(Change::Decide(*run, decision.clone(), draft.clone())));
                        screen.update(Message::NotDone { request, why: why.clone() });
                    }
                    _ => {}
                }
            }
        }
        let (mut effects, _) = self.top_mut().update(Message::Failed(why));
        if let Some((run, name, text)) = change.and_then(kept_text) {
            // Where its text is now is added to why it was refused.
            self.draft(run, &name, &text);
            // It was forgotten when it was given.
            effects.push(Effect::Change(Change::KeepDraft { run, name, text: Some(text) }));
        }
        (effects, true)
    }
}

impl Interface {
    /// Rows that a search waits for do not come. What was typed for them was not meant for others.
    fn not_listed(&mut self, errand: &Errand) {
        match (errand, self.top_mut()) {
            (Errand::Search { ticket, .. }, AnyScreen::History(history)) => history.not_found(*ticket),
            (Errand::ListRuns | Errand::ListTasks, _) => {
                if let Some(home) = self.home() {
                    home.not_listed();
                }
            }
            _ => return,
        }
        if !self.top().is_searching() {
            self.give_up_rows();
        }
    }
}

/// The text that was typed in what was not done, with its run and under the name of its draft.
fn kept_text(change: Change) -> Option<(RunId, String, String)> {
    match change {
        Change::Message(run, text) => Some((run, "message".to_owned(), text)),
        Change::EditDocument { run, body, draft, .. } => Some((run, draft?, body)),
        Change::ActInWords { run, document, instruction, .. } => Some((run, drafts::of_change(&document), instruction)),
        Change::WriteDocument(run, decision) => match decision.kind {
            DecisionKind::Edit { output: Value::String(text), .. } => {
                Some((run, drafts::of_document(TaskKind::Instruct, RESULT, 0), text))
            }
            _ => None,
        },
        Change::Decide(run, decision, draft) => Some((run, draft?, text_of(decision.kind)?)),
        Change::WriteAnyway(_)
        | Change::Act { .. }
        | Change::Stop { .. }
        | Change::ChooseModel { .. }
        | Change::GiveKey { .. }
        | Change::Undo { .. }
        | Change::Pause(_)
        | Change::GoOn(_)
        | Change::Manage(..)
        | Change::KeepDraft { .. }
        | Change::KeepForm { .. } => None,
    }
}

/// The text that was typed for a decision, as its draft has it.
fn text_of(decided: DecisionKind) -> Option<String> {
    let written = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let text = match decided {
        DecisionKind::Edit { output, .. } => written(output),
        DecisionKind::Approve { arguments, .. } => arguments?.to_string(),
        DecisionKind::Retry { instruction, .. } => instruction,
        DecisionKind::Deny { reason } => reason,
        DecisionKind::Answer { value } => written(value),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}
