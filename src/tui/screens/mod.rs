//! Screens: each a model with a pure `update` and a `view`, made of core's types only.

pub mod chat;
pub mod connect;
pub mod form;
pub mod history;
pub mod home;
pub mod inbox;
pub mod preview;
pub mod run;

use chrono::{DateTime, Utc};
use ratatui::style::Style;

use crate::core::event::{Measured, PauseReason};
use crate::core::ports::RunRow;
use crate::core::run::{Run, Status};
use crate::core::text::Untrusted;
use crate::tui::commands::Id;
use crate::tui::text::fit;
use crate::tui::theme::Theme;
use crate::tui::widgets::header::Fact;

/// Whether a command is about a row of a list: it waits while a search is under way that decides which rows there are.
pub(crate) fn is_about_rows(id: Id) -> bool {
    !matches!(
        id,
        Id::Back
            | Id::Chips
            | Id::Focus
            | Id::Zoom
            | Id::Inbox
            | Id::History
            | Id::Models
            | Id::Help
            | Id::AsWritten
            | Id::Mouse
            | Id::Suspend
            | Id::Quit
            | Id::Leave
    )
}

/// How a run in a list stands: a sign that works without colour, a word, and their style.
pub(crate) fn run_state(run: &RunRow, theme: &Theme) -> (&'static str, String, Style) {
    match run.status {
        _ if run.newer => ("?", "of a newer version, or damaged".to_owned(), theme.unsettled),
        Status::Waiting if run.waiting > 0 => ("●", format!("{} waiting", run.waiting), theme.waiting),
        Status::Waiting => ("●", "waiting".to_owned(), theme.waiting),
        Status::Failed => ("✗", "failed".to_owned(), theme.failed),
        Status::Running => ("◐", "running".to_owned(), theme.running),
        Status::Paused => ("‖", "paused".to_owned(), theme.unsettled),
        Status::Completed => ("✓", "done".to_owned(), theme.accepted),
        Status::Cancelled => ("⊘", "cancelled".to_owned(), theme.muted),
    }
}

/// Whether the deadline of a run in a list passes between two looks at the clock.
pub(crate) fn passes(run: &RunRow, before: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    run.due.is_some_and(|due| due.has_passed(before) != due.has_passed(now))
}

/// How an open run stands, in a few words, and their style: for its header. `locked`: what is new of it is not in the store
/// yet, because another process has that locked.
pub(crate) fn status_of(run: &Run, locked: bool, theme: &Theme) -> (&'static str, Style) {
    match (run.status, run.paused) {
        _ if run.newer => ("written by a newer version, or damaged", theme.unsettled),
        _ if locked => ("not saved yet", theme.unsettled),
        (Status::Running | Status::Waiting, _) => ("saved ✓", theme.accepted),
        (Status::Paused, _) if run.seen_status() == Status::Waiting => ("waiting, paused", theme.unsettled),
        (Status::Completed, _) => ("done ✓", theme.accepted),
        (Status::Failed, _) => ("failed ✗", theme.failed),
        (Status::Cancelled, _) => ("cancelled", theme.muted),
        (Status::Paused, Some(PauseReason::ByYou)) => ("paused by you", theme.unsettled),
        (Status::Paused, Some(PauseReason::Left)) => ("paused when you left", theme.unsettled),
        (Status::Paused, Some(PauseReason::HungUp)) => ("paused: hung up", theme.unsettled),
        (Status::Paused, Some(PauseReason::Crashed)) => ("paused: crashed", theme.unsettled),
        (Status::Paused, None) => ("paused", theme.unsettled),
    }
}

/// The model of an attempt for a header, the demo's in the colour of what is to be noticed.
pub(crate) fn model_of(measured: &Measured, theme: &Theme) -> Option<Fact> {
    let full = measured.model_in_full()?;
    let model = measured.model.as_deref().unwrap_or_default();
    let short = measured.answered_by.as_deref().unwrap_or_else(|| short_name(model));
    Some(fact(model, &full, short, theme))
}

/// The same of a model that is being asked.
pub(crate) fn named_model(model: &str, theme: &Theme) -> Fact {
    fact(model, model, short_name(model), theme)
}

fn fact(model: &str, full: &str, short: &str, theme: &Theme) -> Fact {
    let style = if is_demo(model) { theme.waiting } else { theme.muted };
    let line = |text: &str| Untrusted::from(text).line().into_owned();
    Fact::new(line(full), style, 1).or(line(short), 3)
}

fn short_name(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// Whether a model, `PROVIDER/MODEL`, is the demo.
pub(crate) fn is_demo(model: &str) -> bool {
    model.starts_with("demo")
}

/// Whether the result of a run has text of the demo: what was accepted counts, and no attempt that was not.
pub(crate) fn is_of_demo(run: &Run) -> bool {
    let stands = run.calls.values().filter_map(|call| call.attempt(call.standing.as_ref()?.attempt));
    stands.filter_map(|attempt| attempt.measured.model.as_deref()).any(is_demo)
}

/// Who speaks in a conversation: the model that gave the answer, by its name, where that is known. A demo is none.
pub(crate) fn speaker(model: Option<&str>) -> String {
    match model {
        Some(model) if is_demo(model) => "demo".to_owned(),
        Some(model) => fit(&Untrusted::from(short_name(model)).line(), 40).into_owned(),
        None => "model".to_owned(),
    }
}
