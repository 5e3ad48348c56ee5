//! `diff`: two runs, calls or attempts, word by word. `[-taken away-]` and `{+added+}` are read without colours, too.

use serde_json::{Value, json};
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
pub fn diff(app: &App, a: &str, b: &str, json: bool) -> Result<Exit, Problem> {
    let both_runs = !a.contains(':') && !b.contains(':');
    let ((before, one), (after, other)) = (text_of(app, a)?, text_of(app, b)?);
    if json {
        let mut compared = json!({ "v": 1, "same": before == after, "changes": changes(&before, &after) });
        if both_runs {
            compared["runs"] = export::compared::runs(&one, &other);
        }
        out::json(&compared.to_string());
        return Ok(Exit::Done);
    }
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
    let mut text = String::new();
    for (tag, words) in pieces(before.as_ref(), after.as_ref()) {
        mark(&mut text, tag, &words);
    }
    text
}

/// The same for programs, each piece as it is in the texts.
fn changes(before: &str, after: &str) -> Vec<Value> {
    let named = |(tag, text): (ChangeTag, String)| match tag {
        ChangeTag::Equal => json!({ "kind": "same", "text": text }),
        ChangeTag::Delete => json!({ "kind": "removed", "text": text }),
        ChangeTag::Insert => json!({ "kind": "added", "text": text }),
    };
    pieces(before, after).into_iter().map(named).collect()
}

/// The words of both texts in one row, those together that were kept, removed or added together.
fn pieces(before: &str, after: &str) -> Vec<(ChangeTag, String)> {
    let mut pieces: Vec<(ChangeTag, String)> = Vec::new();
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        match pieces.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => pieces.push((change.tag(), change.value().to_owned())),
        }
    }
    pieces
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

/// The text that `RUN`, `RUN:KEY`, `RUN:KEY#ATTEMPT`, `RUN:KEY#ATTEMPT.VERSION` or, of a document, `RUN:NAME#VERSION` names.
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

/// A document that `NAME` or `NAME#VERSION` names. No call is called so.
fn of_document(run: &Run, name: &str) -> Option<String> {
    if let Some(document) = run.documents.get(name) {
        return Some(document.current()?.1.body.data().to_owned());
    }
    let (name, version) = name.rsplit_once('#')?;
    Some(run.documents.get(name)?.version(version.parse().ok()?)?.body.data().to_owned())
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
        if let Some(text) = of_document(run, name) {
            return Ok(text);
        }
        let mut keys: Vec<String> = run.calls.keys().map(ToString::to_string).collect();
        keys.extend(run.documents.keys().cloned());
        let text = format!("run {} has no call or document `{name}`; it has {}", run.id.short(), keys.join(", "));
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
