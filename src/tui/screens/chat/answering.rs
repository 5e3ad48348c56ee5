//! The answer that is under way: which model is asked for it, how long that has taken so far, and a sign of life until its
//! first words come. A slow model reads for a long time before it says anything.

use chrono::{DateTime, Utc};

use super::ChatScreen;
use crate::core::call::{Attempt, AttemptStatus, Call};
use crate::core::work::Work;
use crate::tui::markdown::Document;
use crate::tui::screens::{model_of, named_model};
use crate::tui::text::clock;
use crate::tui::theme::Theme;
use crate::tui::tool_calls;
use crate::tui::widgets::header::Fact;

impl ChatScreen {
    /// The attempt that is under way.
    fn under_way(&self) -> Option<&Attempt> {
        let mut newest = self.run.calls.values().rev().filter_map(Call::newest);
        newest.find(|attempt| attempt.status == AttemptStatus::Running)
    }

    /// Whether the time on screen grows by itself.
    #[must_use]
    pub fn ticks(&self) -> bool {
        self.under_way().is_some()
    }

    /// The time is this.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) -> bool {
        self.now = Some(now);
        self.ticks()
    }

    /// The model that answers where neither the task nor the person names one.
    pub fn answers(&mut self, model: &str) {
        self.default_model = Some(model.to_owned());
    }

    /// Whether nothing of what is under way can be read yet.
    pub(super) fn is_silent(&self) -> bool {
        self.ticks() && self.live.as_ref().is_none_or(|(.., text)| text.is_empty())
    }

    /// So many turns have ended: what was said in them goes with their calls.
    pub(super) fn follow_turns(&mut self, turns: usize) {
        if turns > self.turns {
            self.turns = turns;
            if let Some((_, _, text)) = &mut self.live {
                *text = Document::default();
            }
        }
    }

    /// The tools that were called for the answer that is under way.
    pub(super) fn tool_calls(&self) -> Document {
        let call = self
            .run
            .calls
            .values()
            .rev()
            .find(|call| call.newest().is_some_and(|attempt| attempt.status == AttemptStatus::Running));
        let used = call.and_then(|call| Some((call, call.tool_use()?)));
        used.map_or_else(Document::default, |(call, used)| tool_calls::document(call, used, self.unfolded))
    }

    /// What is under way, and for how long.
    pub(super) fn says_answering(&self) -> String {
        let since = self.under_way().zip(self.now).map(|(attempt, now)| now - attempt.started_at);
        let millis = since.and_then(|since| u64::try_from(since.num_milliseconds()).ok());
        millis.map_or_else(|| "answering…".to_owned(), |millis| format!("answering… {}", clock(millis)))
    }

    /// The model that is asked for the answer that is under way, where this process asks it.
    pub(super) fn asked_model(&self) -> Option<&str> {
        self.asks.as_deref().filter(|_| self.live.is_some())
    }

    /// The model for the header: the one that is asked just now, else the one that answered last.
    pub(super) fn model(&self, theme: &Theme) -> Option<Fact> {
        if let Some(attempt) = self.under_way() {
            let named = match attempt.work.as_deref() {
                Some(Work::Prompt(prompt)) => prompt.models.first(),
                _ => None,
            };
            let named = named.or(self.default_model.as_ref()).map(String::as_str);
            return self.asked_model().or(named).map(|model| named_model(model, theme));
        }
        let mut attempts = self.run.calls.values().rev().flat_map(|call| call.attempts.iter().rev());
        attempts.find_map(|attempt| model_of(&attempt.measured, theme))
    }
}
