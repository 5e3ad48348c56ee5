//! What a person reads of a failure, on every screen: what failed and why, what can be done about it and with which keys,
//! and what had arrived before it did.
//!
//! Runs, conversations, previews and the inbox show this one panel. Its keys come from the table of commands, as they are
//! on the screen that shows it: it names none that does nothing there.

use super::commands::{Id, key_in};
use super::situation::{Screen, Selected, Situation};
use crate::core::call::{Attempt, Call, CallStatus, Ending};
use crate::core::failure::{Failure, FailureClass};
use crate::core::run::{Run, Status};
use crate::core::task::Kind;
use crate::core::text::Untrusted;
use crate::core::work::Work;

/// What can be done about a failed call, in the order in which it is offered.
const REMEDIES: [(Id, &str); 7] = [
    (Id::Again, "runs it again"),
    (Id::Edit, "gives its output by hand"),
    (Id::Skip, "skips it"),
    (Id::OtherModel, "has another model do it"),
    (Id::GiveKey, "takes a key, for this session only"),
    (Id::Open, "opens the run"),
    (Id::Models, "opens the models: keys, addresses, which one answers"),
];

/// A failure, as Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// What failed and why, and what can be done.
    pub says: Untrusted,
    /// What had arrived.
    pub arrived: Untrusted,
}

impl Panel {
    /// Both, one below the other.
    #[must_use]
    pub fn whole(&self) -> Untrusted {
        if self.arrived.is_empty() {
            return self.says.clone();
        }
        Untrusted::new(format!("{}\n---\n\nWhat had arrived:\n\n{}", self.says.data(), self.arrived.data()))
    }
}

/// The failure of a call on that screen; `None` when it has not failed.
#[must_use]
pub fn of_call(call: &Call, screen: Screen) -> Option<Panel> {
    let failure = failure_of(call)?;
    let says = match call.status {
        CallStatus::Pending => says("It will be tried again.", failure, &elsewhere(call, screen)),
        _ => says("It failed.", failure, &all_remedies(selected(call), asks_a_model(call), screen)),
    };
    Some(Panel { says, arrived: arrived(call) })
}

/// Why a run failed: with what can be done about the call that failed, where the screen can do it. `None` when it has not
/// failed.
#[must_use]
pub fn of_run(run: &Run, screen: Screen) -> Option<Panel> {
    if run.status != Status::Failed {
        return None;
    }
    let (key, failure) = run.error.as_ref()?;
    let call = key.as_ref().and_then(|key| run.call(key));
    let what = match (run.kind, key) {
        (Kind::Instruct, _) => "The answer failed.".to_owned(),
        (Kind::Workflow, Some(key)) => format!("The run failed at `{key}`."),
        (Kind::Workflow, None) => "The run failed.".to_owned(),
    };
    let Some(call) = call.filter(|call| call.status == CallStatus::Failed) else {
        let says = says(&what, failure, &all_remedies(Selected::Ended, false, screen));
        return Some(Panel { says, arrived: Untrusted::default() });
    };
    let says = says(&what, failure, &all_remedies(selected(call), asks_a_model(call), screen));
    Some(Panel { says, arrived: arrived(call) })
}

/// Why a run failed, where its result would be: what can be done about a call is on the row of that.
#[must_use]
pub fn of_result(run: &Run) -> Option<Untrusted> {
    let (key, failure) = run.error.as_ref()?;
    let place = key.as_ref().map(|key| format!(" at `{key}`")).unwrap_or_default();
    let call = key.as_ref().and_then(|key| run.call(key));
    let remedies = call.map(|call| elsewhere(call, Screen::Run)).unwrap_or_default();
    Some(says(&format!("The run failed{place}."), failure, &remedies))
}

/// Why an attempt failed that is not the newest of its call.
#[must_use]
pub fn of_attempt(attempt: &Attempt, screen: Screen) -> Option<Panel> {
    let failure = attempt.error.as_ref()?;
    let remedies =
        if asked_a_model(attempt) { remedies(&[Id::Models], Selected::None, false, screen) } else { String::new() };
    Some(Panel { says: says("It failed.", failure, &remedies), arrived: attempt.partial.clone() })
}

/// What can be done about a failure of a model on another screen.
fn elsewhere(call: &Call, screen: Screen) -> String {
    if asks_a_model(call) { remedies(&[Id::Models], Selected::None, false, screen) } else { String::new() }
}

/// How a call that ended badly counts for the commands.
#[must_use]
pub fn selected(call: &Call) -> Selected {
    let lacks_key = failure_of(call).is_some_and(|failure| failure.class == FailureClass::Auth);
    match call.failed_work() {
        _ if lacks_key => Selected::Keyless,
        Some(_) => Selected::Failed,
        None => Selected::Ended,
    }
}

/// A failure as Markdown, under what is to be said of it; `remedies` is a list in Markdown, or empty.
#[must_use]
fn says(what: &str, failure: &Failure, remedies: &str) -> Untrusted {
    let mut text = format!("**{what}** {}\n\nclass: `{}`\n{remedies}\n", failure.message, failure.class);
    if let Some(detail) = &failure.detail {
        text.push_str("\n\n");
        text.extend(detail.lines().map(|line| format!("    {line}\n")));
    }
    Untrusted::new(text)
}

fn arrived(call: &Call) -> Untrusted {
    call.newest().map(|attempt| attempt.partial.clone()).unwrap_or_default()
}

fn all_remedies(selected: Selected, asks: bool, screen: Screen) -> String {
    // The models have no part in what else fails.
    let of_models = |id: &Id| asks || *id != Id::Models;
    let ids: Vec<Id> = REMEDIES.iter().map(|(id, _)| *id).filter(of_models).collect();
    remedies(&ids, selected, asks, screen)
}

/// What can be done on a screen of these, as a list in Markdown.
fn remedies(ids: &[Id], selected: Selected, asks: bool, screen: Screen) -> String {
    // In a list of runs nothing can be done about a call but to run it again.
    let selected = if screen == Screen::Inbox { Selected::Ended } else { selected };
    let situation = Situation { screen, selected, asks, rests: true, ..Situation::default() };
    let offered = REMEDIES.iter().filter(|(id, _)| ids.contains(id));
    let offered = offered.filter_map(|(id, does)| Some((key_in(*id, &situation)?, does)));
    let lines = offered.map(|(key, does)| format!("\n- **{key}** {does}"));
    lines.collect()
}

fn asks_a_model(call: &Call) -> bool {
    call.newest().is_some_and(asked_a_model)
}

fn asked_a_model(attempt: &Attempt) -> bool {
    matches!(attempt.work.as_deref(), Some(Work::Prompt(_)))
}

fn failure_of(call: &Call) -> Option<&Failure> {
    match &call.ending {
        Some(Ending::Failed { failure, .. }) => Some(failure),
        _ => call.newest().and_then(|attempt| attempt.error.as_ref()),
    }
}
