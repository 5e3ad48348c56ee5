//! `diff`: two runs, calls or attempts, word by word. `[-taken away-]` and `{+added+}` are read without colours, too.

use similar::{ChangeTag, TextDiff};

use super::problem::{Exit, Problem};
use super::{App, out};
use crate::core::code::ErrorCode;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::text::{exact, output_text};
use crate::export;

/// `diff`.
///
/// # Errors
/// When there is no such run, call or attempt, or nothing to compare.
pub fn diff(app: &App, a: &str, b: &str) -> Result<Exit, Problem> {
    let ((before, one), (after, other)) = (text_of(app, a)?, text_of(app, b)?);
    if export::is_demo(&one) || export::is_demo(&other) {
        out::say(&format!("({})", export::DEMO));
    }
    if before == after {
        out::say("they are the same");
    } else {
        out::page(&words(&before, &after));
    }
    Ok(Exit::Done)
}

/// What changed, word by word. The texts may come from outside.
#[must_use]
pub fn words(before: &str, after: &str) -> String {
    // What is not seen may be all that changed.
    let (before, after) = (exact(before), exact(after));
    let diff = TextDiff::from_words(before.as_ref(), after.as_ref());
    let mut text = String::new();
    let mut run = (ChangeTag::Equal, String::new());
    for change in diff.iter_all_changes() {
        if change.tag() != run.0 {
            mark(&mut text, run.0, &run.1);
            run = (change.tag(), String::new());
        }
        run.1.push_str(change.value());
    }
    mark(&mut text, run.0, &run.1);
    text
}

/// Adds words that belong together. Each line has marks of its own, so that none is glued to the next; where nothing but
/// blanks changed, the marks show where.
fn mark(text: &mut String, tag: ChangeTag, words: &str) {
    let (open, close) = match tag {
        ChangeTag::Equal => ("", ""),
        ChangeTag::Delete => ("[-", "-]"),
        ChangeTag::Insert => ("{+", "+}"),
    };
    let blank = words.trim().is_empty();
    for (at, line) in words.split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
        }
        if !line.is_empty() || blank && at == 0 && tag != ChangeTag::Equal {
            text.extend([open, line, close]);
        }
    }
}

/// The text that `RUN`, `RUN:KEY`, `RUN:KEY#ATTEMPT` or `RUN:KEY#ATTEMPT.VERSION` names.
fn text_of(app: &App, name: &str) -> Result<(String, Run), Problem> {
    let engine = app.records()?;
    let (run, call) = name.split_once(':').map_or((name, None), |(run, call)| (run, Some(call)));
    let run = engine.load(engine.find(run)?)?;
    let text = match call {
        None => whole(&run)?,
        Some(call) => of_call(&run, call)?,
    };
    Ok((text, run))
}

fn whole(run: &Run) -> Result<String, Problem> {
    if let Some(result) = &run.result {
        return Ok(result.body.data().to_owned());
    }
    let outputs = run.calls.values().filter_map(|call| call.output());
    let outputs: Vec<String> = outputs.map(|(_, _, output)| output_text(output).data().to_owned()).collect();
    if outputs.is_empty() {
        let text = format!("run {} has no output yet", run.id.short());
        return Err(Problem::refused(ErrorCode::NotAllowed, text));
    }
    Ok(outputs.join("\n\n"))
}

fn of_call(run: &Run, name: &str) -> Result<String, Problem> {
    // `draft#2` may be a call of a repeat, or the second attempt of `draft`: calls come first.
    let whole_name = name.parse::<Key>().ok().and_then(|key| run.call(&key));
    let (call, place) = match (whole_name, name.rsplit_once('#')) {
        (Some(call), _) => (Some(call), None),
        (None, Some((key, place))) => (key.parse::<Key>().ok().and_then(|key| run.call(&key)), Some(place)),
        (None, None) => (None, None),
    };
    let Some(call) = call else {
        let keys: Vec<String> = run.calls.keys().map(ToString::to_string).collect();
        let text = format!("run {} has no call `{name}`; it has {}", run.id.short(), keys.join(", "));
        return Err(Problem::refused(ErrorCode::NoCall, text));
    };
    let output = match place {
        None => call.output().map(|(_, _, output)| output),
        Some(place) => {
            let (attempt, version) = place.split_once('.').map_or((place, None), |(a, v)| (a, Some(v)));
            let attempt = attempt.parse().ok().and_then(|number| call.attempt(number));
            let versions = attempt.map(|attempt| attempt.versions.as_slice()).unwrap_or_default();
            let at = match version {
                None => versions.len().checked_sub(1),
                Some(version) => version.parse::<usize>().ok().and_then(|version| version.checked_sub(1)),
            };
            at.and_then(|at| versions.get(at)).map(|version| &version.output)
        }
    };
    let output = output.ok_or_else(|| {
        let short = run.id.short();
        let text = format!("run {short} has no output at `{name}`: no such attempt, or it has written nothing");
        Problem::refused(ErrorCode::NoCall, text)
    })?;
    Ok(output_text(output).data().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_marked_and_the_rest_stays() {
        assert_eq!(words("the sea sleeps", "the sky sleeps"), "the [-sea-]{+sky+} sleeps");
        assert_eq!(words("a", "a"), "a");
    }

    #[test]
    fn no_mark_reaches_into_the_next_line() {
        assert_eq!(words("a\nb\nc", "c"), "[-a-]\n[-b-]\nc");
        assert_eq!(words("a", "a\nb\nc"), "a\n{+b+}\n{+c+}");
        assert_eq!(words("one", "two\nthree"), "[-one-]{+two+}\n{+three+}");
        assert_eq!(words("a\nb", "a b"), "a[--]\n{+ +}b", "a line break that is gone shows where it was");
    }
}
