//! The conversation of an attempt: what the step asks, what was learned, and what a person said of earlier attempts.

use std::sync::Arc;

use crate::core::call::{AttemptStatus, Call};
use crate::core::model::{Message, Role};
use crate::core::run::Run;
use crate::core::step_name::StepName;
use crate::core::text::output_text;
use crate::core::work::{PromptWork, Reply, Work};
use crate::flow::Want;

/// The wanted work with the model that a person chose for it.
#[must_use]
pub fn by_chosen_model(run: &Run, want: &Want) -> Arc<Work> {
    with_chosen_model(run, want, &want.work)
}

/// The work of an attempt that has begun, by the model that a person has chosen since for what is left of it.
#[must_use]
pub fn with_chosen_model(run: &Run, want: &Want, work: &Arc<Work>) -> Arc<Work> {
    match (&**work, run.chosen_model(&want.key, want.of())) {
        (Work::Prompt(prompt), Some(model)) => {
            Arc::new(Work::Prompt(PromptWork { models: vec![model.to_owned()], ..prompt.clone() }))
        }
        _ => Arc::clone(work),
    }
}

/// The work of the next attempt of a call. `call` is `None` before the first.
#[must_use]
pub fn compose(run: &Run, of: StepName<'_>, call: Option<&Call>, work: &Arc<Work>) -> Arc<Work> {
    match &**work {
        Work::Prompt(prompt) if prompt.reply == Reply::Output => {
            Arc::new(Work::Prompt(prompt_with(run, of, call, prompt.clone())))
        }
        _ => Arc::clone(work),
    }
}

fn prompt_with(run: &Run, of: StepName<'_>, call: Option<&Call>, mut prompt: PromptWork) -> PromptWork {
    let standing = standing_instructions(run, of, call);
    if let (Some(last), false) = (prompt.messages.last_mut(), standing.is_empty()) {
        last.text.push_str("\n\nAlso follow these instructions:\n");
        for line in standing {
            last.text.push_str("- ");
            last.text.push_str(&line);
            last.text.push('\n');
        }
    }
    let Some(call) = call else { return prompt };
    let rejected: Vec<_> = call.attempts.iter().filter(|attempt| attempt.status == AttemptStatus::Rejected).collect();
    let Some(last) = rejected.last() else { return prompt };
    let mut faults: Vec<&str> = last.newest_unfit().into_iter().collect();
    if let Some((_, version)) = last.newest() {
        prompt.messages.push(Message::new(Role::Assistant, output_text(&version.output).data()));
        faults.extend(version.failed.iter().map(String::as_str));
    }
    let said: Vec<&str> = rejected
        .iter()
        .filter_map(|attempt| attempt.instruction.as_ref())
        .map(|instruction| instruction.text.as_str())
        .filter(|text| !text.is_empty())
        .collect();
    let mut text = match said.as_slice() {
        [] => "This isn't right yet; try a different approach.".to_owned(),
        [only] => format!("Please revise your answer: {only}"),
        [earlier @ .., newest] => format!(
            "Please revise your answer: {newest}\n\nEarlier feedback still applies:\n- {}",
            earlier.join("\n- ")
        ),
    };
    // The person saw what is wrong with it; the model has to hear of it, too.
    if !faults.is_empty() {
        text.push_str("\n\nThat answer could not be used as it was. It fails these checks:\n- ");
        text.push_str(&faults.join("\n- "));
    }
    prompt.messages.push(Message::new(Role::User, text));
    prompt
}

/// What was learned before the run, and what was said during it for the rest of the step's calls.
fn standing_instructions(run: &Run, of: StepName<'_>, call: Option<&Call>) -> Vec<String> {
    let learned = run.learned.iter().filter(|lesson| lesson.of() == of).map(|lesson| lesson.text.clone());
    let own: Vec<&str> = call
        .into_iter()
        .flat_map(|call| &call.attempts)
        .filter_map(|attempt| attempt.instruction.as_ref())
        .map(|instruction| instruction.text.as_str())
        .collect();
    // What was said of this very call comes in its own words, after the attempt that it was said of.
    let remaining = run
        .remaining
        .iter()
        .map(|(_, lesson)| lesson)
        .filter(|lesson| lesson.of() == of && !own.contains(&lesson.text.as_str()))
        .map(|lesson| lesson.text.clone());
    let mut lines: Vec<String> = Vec::new();
    for line in learned.chain(remaining) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}
