//! Earlier work as conversation: what a prompt's `history` puts before it.

use crate::core::call::{Call, CallStatus};
use crate::core::key::Key;
use crate::core::model::{Message, Role};
use crate::core::run::Run;
use crate::core::step::History;
use crate::core::text::output_text;
use crate::core::usage::estimate_tokens;
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
                // What lies inside a call of the step is not what the step said.
                let own = |call: &&Call| call.key.is_of(base) && call.key.segments().len() == base.segments().len();
                let mut of_step: Vec<&Call> = run.calls.values().filter(own).collect();
                of_step.sort_by(|a, b| a.key.cmp(&b.key));
                calls.extend(of_step);
            }
            calls.into_iter().filter_map(said).flatten().collect()
        }
    }
}

/// What an accepted prompt asked, and the version of its answer that stands, whatever else goes on with it.
fn said(call: &Call) -> Option<[Message; 2]> {
    let gone = matches!(call.status, CallStatus::Skipped | CallStatus::Failed);
    let standing = call.standing.as_ref().filter(|_| !gone)?;
    let asked = call.attempts.iter().rev().find_map(|attempt| match attempt.work.as_deref() {
        Some(Work::Prompt(prompt)) => prompt.messages.iter().rev().find(|message| message.role == Role::User),
        _ => None,
    })?;
    Some(pair(asked.text.clone(), output_text(&standing.output).data().to_owned()))
}

/// The last segment of the key of the call that condenses a history.
pub const SUMMARY: &str = "summary";

/// How many of the oldest turns are to be condensed, so that what is left stays within half of `most` tokens and the
/// summary has room; 0 when all of them together do not pass `most`.
#[must_use]
pub fn too_many(turns: &[Message], most: u64) -> usize {
    let told: u64 = turns.iter().map(|turn| estimate_tokens(&turn.text)).sum();
    if told <= most {
        return 0;
    }
    let mut left = 0;
    let newest = turns.rchunks(2).take_while(|pair| {
        left += pair.iter().map(|turn| estimate_tokens(&turn.text)).sum::<u64>();
        left <= most / 2
    });
    turns.len() - 2 * newest.count()
}

/// What a model is asked that condenses turns, to a quarter of `most` tokens or so.
#[must_use]
pub fn request(turns: &[Message], most: u64) -> String {
    let words = (most / 6).clamp(40, 2_000);
    let mut text = format!(
        "Condense this conversation to at most {words} words, for someone who goes on with it and has not read it. Keep \
         names, numbers, decisions and open questions, in the order in which they came. Answer with the summary alone.\n"
    );
    for turn in turns {
        let who = if turn.role == Role::Assistant { "Answer" } else { "Request" };
        for piece in ["\n", who, ":\n", turn.text.trim(), "\n"] {
            text.push_str(piece);
        }
    }
    text
}

/// The turns with a summary in the place of the first `count` of them.
#[must_use]
pub fn condensed(turns: Vec<Message>, count: usize, summary: &str) -> Vec<Message> {
    let begin = pair("Sum up what was said so far.".to_owned(), summary.to_owned());
    begin.into_iter().chain(turns.into_iter().skip(count)).collect()
}

fn pair(asked: String, gave: String) -> [Message; 2] {
    [Message::new(Role::User, asked), Message::new(Role::Assistant, gave)]
}
