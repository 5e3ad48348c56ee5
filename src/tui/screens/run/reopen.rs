//! What follows from reopening an accepted call, and from skipping a tool call: it is shown before it happens.

use super::RunScreen;
use super::documents::edited;
use super::layer::Over;
use crate::core::decide::DecisionKind;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::tui::effect::{Effect, Opening};
use crate::tui::shown::ShownGate;
use crate::tui::text::dollars;
use crate::tui::tool_calls;

/// So many calls are named.
const NAMED: usize = 8;

/// What a person should know before a tool call is skipped, a paragraph each: the step itself continues.
pub fn skipping(run: &Run, gate: &ShownGate) -> Vec<String> {
    let call = run.call(&gate.key);
    let tool = call.and_then(|call| tool_calls::tool_of(call, call.gates.of(gate.call)?));
    let what = tool.map_or_else(|| "Skip this tool call?".to_owned(), |tool| format!("Skip this call of `{tool}`?"));
    vec![what, "The model reads that it was skipped. This cannot be undone.".to_owned()]
}

fn named(keys: &[&Key]) -> String {
    let more = if keys.len() > NAMED { ", …" } else { "" };
    let named: Vec<String> = keys.iter().take(NAMED).map(|key| format!("`{key}`")).collect();
    format!("{}{more}", named.join(", "))
}

impl RunScreen {
    /// A new run that takes over what does not depend on the selected call. This one stays as it is.
    pub(super) fn fork(&self) -> Vec<Effect> {
        let fork = self.call().map(|call| Opening::Fork { run: self.run.id, at: call.key.clone() });
        fork.map(Effect::Open).into_iter().collect()
    }

    pub(super) fn reopen(&mut self) -> Vec<Effect> {
        let Some(key) = self.call().map(|call| call.key.clone()) else { return Vec::new() };
        let lines = self.would_follow(&key);
        if lines.is_empty() {
            return self.on_call(&key, DecisionKind::Reopen);
        }
        let Some(target) = self.seen_target() else { return self.changed_meanwhile() };
        self.over = Over::Confirm { lines, yes: vec![(target, DecisionKind::Reopen)] };
        Vec::new()
    }

    /// What a person should know before a call is taken up; nothing when nothing was made from it.
    fn would_follow(&self, key: &Key) -> Vec<String> {
        let stood = |key: &&Key| self.run.call(key).is_some_and(|call| call.standing.is_some());
        let dependents = self.run.dependents(key);
        let dependents: Vec<&Key> = dependents.iter().filter(stood).collect();
        let edited = edited(&self.run);
        if dependents.is_empty() {
            let ask = (!edited.is_empty()).then(|| format!("Reopen `{key}`?"));
            return ask.into_iter().chain(edited).collect();
        }
        let calls = || dependents.iter().filter_map(|key| self.run.call(key));
        let cost: f64 = calls().filter_map(|call| call.newest()).map(|attempt| attempt.measured.usage.usd).sum();
        let mut lines = vec![
            format!("Reopen `{key}`?"),
            format!(
                "Made from it: {}. If another output is accepted, you are asked for each: again, or keep.",
                named(&dependents)
            ),
        ];
        if cost > 0.0 {
            lines.push(format!("They cost {} the last time.", dollars(cost)));
        }
        let effects: Vec<&Key> = calls().filter(|call| call.had_effect()).map(|call| &call.key).collect();
        if !effects.is_empty() {
            lines.push(format!("Had an effect outside, which stays: {}.", named(&effects)));
        }
        lines.extend(edited);
        lines
    }
}
