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
use crate::tui::theme::Theme;
use crate::tui::widgets::header::Fact;

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
    let style = if model.starts_with("demo") { theme.waiting } else { theme.muted };
    let line = |text: &str| Untrusted::from(text).line().into_owned();
    let short = measured.answered_by.as_deref().unwrap_or_else(|| model.rsplit('/').next().unwrap_or(model));
    Some(Fact::new(line(&full), style, 1).or(line(short), 3))
}
