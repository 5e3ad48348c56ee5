//! What is at the end of a conversation that does not simply wait for the next message: what had arrived of an answer, why
//! it failed, was stopped or is no whole one, and what can be done with which keys. That comes last, where it is seen
//! however long the text above it is.
//!
//! It is read from the run alone, so it is there again whenever the conversation is opened.

use serde_json::Value;

use crate::core::call::{Call, CallStatus};
use crate::core::description::Description;
use crate::core::gate::{Answer, Gate, GateBody, GateKind, InputBody};
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::tui::commands::{Id, key_in};
use crate::tui::failure_panel::{self, Panel};
use crate::tui::markdown::Document;
use crate::tui::screens::run::content::described;
use crate::tui::situation::{Screen, Selected, Situation};
use crate::tui::text::{dollars, thousands};
use crate::tui::tool_calls;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The conversation failed.
    Failed,
    /// An attempt failed, and another one follows by itself.
    Retrying,
    /// The answer was stopped by the person, or is only a part of one.
    Unfinished,
    /// Something else has to be settled before it can be answered.
    Waits,
    /// A tool that the model calls, or the tools as they are now, wait for the person.
    Asks(GateKind),
}

/// A notice.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) about: About,
    /// What had arrived, as far as the conversation does not have it.
    pub(super) arrived: Document,
    pub(super) text: Document,
}

impl Notice {
    /// What is to be said of the conversation as it is now; `None` while it goes well.
    pub(super) fn of(run: &Run) -> Option<Self> {
        let (about, Panel { says, arrived }) = notice(run)?;
        Some(Self { about, arrived: Document::new(&arrived), text: Document::new(&says) })
    }
}

fn notice(run: &Run) -> Option<(About, Panel)> {
    if let Some(panel) = failure_panel::of_run(run, Screen::Chat) {
        return Some((About::Failed, panel));
    }
    let call = newest(run)?;
    if call.status == CallStatus::Pending && call.retry_at.is_some() {
        return Some((About::Retrying, failure_panel::of_call(call, Screen::Chat)?));
    }
    let gate = call.gate()?;
    let due = run.due(gate).map(|due| format!("\n\n{}", due.words(chrono::Utc::now(), &chrono::Local)));
    let (about, says) = at_gate(run, gate, tool_calls::tool_of(call, gate))?;
    let arrived = if about == About::Unfinished { unread(call, gate) } else { Untrusted::default() };
    Some((about, Panel { says: Untrusted::new(says + &due.unwrap_or_default()), arrived }))
}

fn at_gate(run: &Run, gate: &Gate, tool: Option<String>) -> Option<(About, String)> {
    match &gate.body {
        GateBody::Input(InputBody::Message { text, .. }) if gate.allows(Answer::Again) => {
            let why = if text.is_empty() { "You stopped the answer." } else { text.as_str() };
            Some((About::Unfinished, format!("{why}\n{}", with_key(Id::Again, "asks for it again"))))
        }
        GateBody::Budget(_) => {
            let spent = format!("{} tokens, {}", thousands(run.usage.tokens()), dollars(run.usage.usd));
            let raise = with_key(Id::RaiseBudget, "raises it");
            Some((About::Waits, format!("The next answer may exceed the budget. So far: {spent}.\n{raise}")))
        }
        GateBody::Approval(approval) => {
            let text = described(&Description::of_approval(approval, run));
            let decide = with_key(Id::Inbox, ": decide in the inbox");
            Some((
                About::Asks(gate.kind()),
                format!("The model wants to call a tool, exactly as shown:\n\n{text}\n{decide}"),
            ))
        }
        GateBody::Tools(_) => {
            let decide = with_key(Id::Inbox, ": see the changes and decide, in the inbox");
            Some((About::Asks(gate.kind()), format!("The tools that it may call changed.\n{decide}")))
        }
        GateBody::Input(asks) if gate.call.is_some() => {
            let decide = with_key(Id::Inbox, ": answer in the inbox");
            let tool = tool.map_or_else(|| "A tool".to_owned(), |tool| format!("`{tool}`"));
            Some((About::Asks(gate.kind()), format!("{tool} asks you: {}\n{decide}", asks.text())))
        }
        GateBody::InDoubt(doubt) if gate.call.is_some() => {
            let decide = with_key(Id::Inbox, ": decide in the inbox");
            let why = &doubt.why;
            Some((About::Asks(gate.kind()), format!("{why}\n\nThe tool may have had its effect.\n{decide}")))
        }
        _ => None,
    }
}

fn with_key(id: Id, does: &str) -> String {
    let selected = match id {
        Id::RaiseBudget => Selected::Gate(GateKind::Budget),
        Id::Inbox => Selected::Gate(GateKind::Approval),
        _ => Selected::None,
    };
    let (rests, tool) = (id == Id::Again, id == Id::Inbox);
    let situation = Situation { screen: Screen::Chat, selected, rests, tool, ..Situation::default() };
    let space = if does.starts_with(':') { "" } else { " " };
    key_in(id, &situation).map(|key| format!("\n- **{key}**{space}{does}\n")).unwrap_or_default()
}

/// The document of an answer that is no whole one: of a delivery the conversation shows the remark alone.
pub(super) fn unread(call: &Call, gate: &Gate) -> Untrusted {
    let output = call.attempt(gate.attempt).and_then(|attempt| attempt.version(gate.version));
    let body = output.and_then(|version| version.output.get("body")?.as_str().map(Untrusted::from));
    body.unwrap_or_default()
}

/// The newest reply: the one that failed, if one did.
pub(super) fn newest(run: &Run) -> Option<&Call> {
    let failed = run.error.as_ref().filter(|_| run.status == Status::Failed).and_then(|(key, _)| key.as_ref());
    failed.and_then(|key| run.call(key)).or_else(|| run.calls.values().next_back())
}

/// What had arrived of a document that was never delivered: where a person may take it up.
pub(super) fn begun(run: &Run) -> Option<Untrusted> {
    let call = newest(run)?;
    let whole = call.gates.own().map(|gate| unread(call, gate)).filter(|text| !text.is_empty());
    let text = whole.or_else(|| {
        let attempt = call.newest()?;
        let stopped = attempt.versions.first().map(|version| &*version.output);
        let stopped = stopped.and_then(Value::as_str).map(Untrusted::from);
        stopped.or_else(|| Some(attempt.partial.clone()))
    })?;
    Some(text).filter(|text| !text.is_empty())
}
