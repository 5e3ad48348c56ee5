//! Earlier work as conversation: what a prompt's `history` puts before it.

use crate::core::call::{Call, CallStatus};
use crate::core::key::Key;
use crate::core::model::{Message, Role};
use crate::core::run::Run;
use crate::core::step::History;
use crate::core::text::output_text;
use crate::core::work::Work;

/// The turns before a prompt: of each accepted call of the named steps, what was asked and what was accepted; or what
/// the session's earlier runs were about and gave. `bases` are the names of the steps, without items, in declared order.
#[must_use]
pub fn turns(run: &Run, history: Option<&History>, bases: &[Key]) -> Vec<Message> {
    match history {
        None => Vec::new(),
        Some(History::Runs(count)) => {
            let skip = run.earlier_runs.len().saturating_sub(*count as usize);
            let earlier = run.earlier_runs.iter().skip(skip);
            earlier.flat_map(|(asked, gave)| pair(asked.clone(), gave.data().to_owned())).collect()
        }
        Some(History::Steps(_) | History::All) => {
            let mut calls: Vec<&Call> = Vec::new();
            for base in bases {
                let mut of_step: Vec<&Call> = run.calls.values().filter(|call| call.key.is_of(base)).collect();
                of_step.sort_by(|a, b| a.key.cmp(&b.key));
                calls.extend(of_step);
            }
            calls.into_iter().filter_map(said).flatten().collect()
        }
    }
}

/// What an accepted prompt asked, and the version of its answer that stands.
fn said(call: &Call) -> Option<[Message; 2]> {
    let standing = call.standing.as_ref().filter(|_| call.status == CallStatus::Accepted)?;
    let asked = call.attempts.iter().rev().find_map(|attempt| match attempt.work.as_deref() {
        Some(Work::Prompt(prompt)) => prompt.messages.iter().rev().find(|message| message.role == Role::User),
        _ => None,
    })?;
    Some(pair(asked.text.clone(), output_text(&standing.output).data().to_owned()))
}

fn pair(asked: String, gave: String) -> [Message; 2] {
    [Message::new(Role::User, asked), Message::new(Role::Assistant, gave)]
}
