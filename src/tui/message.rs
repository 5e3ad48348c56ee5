//! Messages: what `update` is told. From the terminal, the engine and the clock, all through one mailbox.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::{Event as TerminalEvent, KeyEvent, KeyEventKind, MouseEvent};

use super::effect::Purpose;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::ports::RunRow;
use crate::core::run::Run;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// A paste.
    Paste(String),
    /// The mouse.
    Mouse(MouseEvent),
    /// The terminal has another size.
    Resize(u16, u16),
    /// The terminal is looked at, or not.
    Focus(bool),
    /// The time, at most once a second and only while something on screen depends on it.
    Tick(DateTime<Utc>),
    /// A watched run as it stands now.
    Run(Arc<Run>),
    /// Partial text or progress of an attempt.
    Delta {
        /// The run.
        run: RunId,
        /// The call.
        key: Key,
        /// The attempt.
        attempt: u32,
        /// What arrived.
        delta: Delta,
    },
    /// Something was not done: what happened and what to do.
    Failed(String),
    /// Something was done that is worth a word.
    Done(String),
    /// Runs that a search found, newest first.
    Rows {
        /// The search.
        ticket: u64,
        /// How many were left out before the first.
        offset: usize,
        /// They.
        rows: Vec<RunRow>,
    },
    /// A run was renamed or deleted: lists of runs are asked for again.
    RunsChanged,
    /// Every run in which something waits, as it stands.
    Waiting(Vec<Arc<Run>>),
    /// Paths that begin like what was typed.
    Completions {
        /// The field, by its place.
        field: usize,
        /// What was typed.
        typed: String,
        /// The paths.
        paths: Vec<String>,
    },
    /// A text came back from `$EDITOR`; `None` when it is to stay as it was.
    Edited(Purpose, Option<String>),
    /// A draft that was kept with the run.
    Draft {
        /// The run.
        run: RunId,
        /// Its name.
        name: String,
        /// The text.
        text: String,
    },
}

impl Message {
    /// What the terminal sent, if it means something.
    #[must_use]
    pub fn of_terminal(event: TerminalEvent) -> Option<Self> {
        Some(match event {
            TerminalEvent::Key(key) if key.kind == KeyEventKind::Release => return None,
            TerminalEvent::Key(key) => Self::Key(key),
            TerminalEvent::Paste(text) => Self::Paste(text),
            TerminalEvent::Mouse(mouse) => Self::Mouse(mouse),
            TerminalEvent::Resize(width, height) => Self::Resize(width, height),
            TerminalEvent::FocusGained => Self::Focus(true),
            TerminalEvent::FocusLost => Self::Focus(false),
        })
    }

    /// Whether the person did it, so that its outcome is shown at once.
    #[must_use]
    pub fn is_by_person(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Paste(_) | Self::Mouse(_) | Self::Resize(..) | Self::Edited(..))
    }
}
