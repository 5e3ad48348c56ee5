//! Screens: each a model with a pure `update` and a `view`, made of core's types only.

pub mod chat;
pub mod connect;
pub mod form;
pub mod history;
pub mod home;
pub mod inbox;
pub mod preview;
pub mod run;

use ratatui::style::Style;

use crate::core::ports::RunRow;
use crate::core::run::Status;
use crate::tui::theme::Theme;

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
