//! What a run and an item are called in lists: one line that says what it is about.
//!
//! Promises: a version, a revision of git, a mark at the head of a file (`---`, `WEBVTT`) is never a title by itself. What
//! says too little has the task's name before it.

use std::borrow::Cow;

use serde_json::Value;

use super::diff_text::is_diff;
use super::form::{Field, FieldType};
use super::task::Task;
use super::text::{shortened, visible};

/// Characters of a title.
const LONGEST: usize = 60;
/// Lines of a text that are looked at.
const LINES: usize = 50;

/// What begins a line that belongs to the form of a file and not to what it says.
const MARKS: [&str; 12] =
    ["---", "+++", "@@", "diff --", "index ", "#!", "```", "<?", "<!", "<html", "content-type:", "mime-version:"];

/// Whether a title says what something is about: `v0.1.0`, `12`, `HEAD~3` and `---` do not.
#[must_use]
pub fn is_telling(title: &str) -> bool {
    !is_mark(title) && title.split_whitespace().any(is_word)
}

/// What a run of `task` with these inputs is called.
#[must_use]
pub fn of_run(task: &Task, inputs: &Value) -> String {
    // What has a default is a setting, not what the run is about.
    let texts = task.inputs.iter().filter(|field| is_of_text(field));
    let (asked, settings): (Vec<&Field>, Vec<&Field>) = texts.partition(|field| field.default.is_none());
    let unlike_default = |field: &&Field| inputs.get(&field.name) != field.default.as_ref();
    let settings: Vec<&Field> = settings.into_iter().filter(unlike_default).collect();
    // Where there is nothing but settings, it is about the one that was set.
    let (asked, settings, only) =
        if asked.is_empty() { (settings, Vec::new(), true) } else { (asked, settings, false) };
    let mut short = None;
    for field in &asked {
        let Some(line) = given(field, inputs).and_then(first_telling) else { continue };
        // One word of a setting says little.
        if field.required || only || line.split_whitespace().nth(1).is_some() {
            return cut(&line);
        }
        short = short.or(Some(line));
    }
    let mut rest = asked.iter().chain(&settings).filter_map(|field| given(field, inputs));
    let any = || rest.find_map(|text| text.lines().map(str::trim).find(|line| says_something(line)).map(Cow::from));
    match short.or_else(any) {
        Some(line) => cut(&format!("{} · {line}", task.name)),
        None => cut(&task.name),
    }
}

/// What an item is called: itself when it is a text, else its first text.
#[must_use]
pub fn item_title(item: &Value) -> Option<String> {
    let text = match item {
        Value::String(text) => text.as_str(),
        Value::Object(fields) => fields.values().find_map(Value::as_str)?,
        Value::Number(number) => return Some(number.to_string()),
        _ => return None,
    };
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(200).collect())
}

fn is_of_text(field: &Field) -> bool {
    matches!(field.kind, FieldType::Text | FieldType::Multiline | FieldType::File | FieldType::Files)
}

/// The text of a field, of a file its name or, where that says nothing, what is in it.
fn given<'a>(field: &Field, inputs: &'a Value) -> Option<&'a str> {
    let value = inputs.get(&field.name)?;
    match field.kind {
        FieldType::Text | FieldType::Multiline => value.as_str(),
        FieldType::File => of_file(value),
        FieldType::Files => of_file(value.get(0)?),
        _ => None,
    }
}

fn of_file(file: &Value) -> Option<&str> {
    let is_piped = file.get("path").is_some_and(|path| path == "-");
    let name = file.get("name")?.as_str().filter(|name| !is_piped && says_something(name));
    // Of a diff no line says what it is about.
    name.or_else(|| file.get("text")?.as_str().filter(|text| !is_diff(text)))
}

fn first_telling(text: &str) -> Option<Cow<'_, str>> {
    let captions = text.trim_start_matches('\u{feff}').trim_start().starts_with("WEBVTT");
    // Its head ends with an empty line.
    let head = if captions { text.find("\n\n").or_else(|| text.find("\r\n\r\n")).unwrap_or(text.len()) } else { 0 };
    let lines = text.get(head..).unwrap_or_default().lines().take(LINES);
    let said = lines.map(|line| if captions { without_tags(line) } else { Cow::from(line) });
    said.map(|line| match line {
        Cow::Borrowed(line) => Cow::from(plain(line)),
        Cow::Owned(line) => Cow::from(plain(&line).to_owned()),
    })
    .find(|line| is_telling(line))
}

/// A line without what marks it as a heading, a quotation or the title of a letter.
fn plain(line: &str) -> &str {
    let line = line.trim().trim_start_matches(['#', '>']).trim_start();
    let named = ["title:", "subject:"].iter().find_map(|name| {
        let (before, after) = line.split_at_checked(name.len())?;
        before.eq_ignore_ascii_case(name).then(|| after.trim().trim_matches(['"', '\'']))
    });
    named.filter(|rest| !rest.is_empty()).unwrap_or(line)
}

/// A line of captions without what is in angle brackets: times, voices, classes.
fn without_tags(line: &str) -> Cow<'_, str> {
    if !line.contains('<') || line.contains("-->") {
        return line.into();
    }
    let mut inside = false;
    let outside = line.chars().filter(|c| {
        let was = inside;
        inside = (inside || *c == '<') && *c != '>';
        !was && !inside
    });
    outside.collect::<String>().into()
}

fn is_mark(line: &str) -> bool {
    let line = line.trim();
    let begins = |mark: &str| line.get(..mark.len()).is_some_and(|head| head.eq_ignore_ascii_case(mark));
    line.starts_with("WEBVTT") || line.contains("-->") || MARKS.iter().copied().any(begins)
}

/// Whether there is anything but signs in a line, whatever it says.
fn says_something(line: &str) -> bool {
    !is_mark(line) && line.chars().any(char::is_alphanumeric)
}

fn is_word(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic());
    // One sign of a script like Chinese is a word.
    let enough = letters.clone().count() > 1 || letters.clone().any(|c| c >= '\u{2e80}');
    enough && !is_version(word) && !is_revision(word)
}

/// `v0.1.0`, `2.0.0-rc.1`, `2026-11-28`.
fn is_version(word: &str) -> bool {
    let digits = word.trim_start_matches(['v', 'V']);
    let known = |c: char| c.is_ascii_alphanumeric() || ".+-_:".contains(c);
    word.len() - digits.len() <= 1 && digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(known)
}

/// `HEAD`, `main~3`, `v1..v2`, `9f86d081`.
fn is_revision(word: &str) -> bool {
    let hash = (7..=64).contains(&word.len())
        && word.chars().all(|c| c.is_ascii_hexdigit())
        && word.contains(|c: char| c.is_ascii_digit());
    let base = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let steps = base.ends_with(['~', '^']);
    let range = word.split_once("..").is_some_and(|(from, to)| !from.is_empty() && !to.trim_matches('.').is_empty());
    hash || steps || range || matches!(word, "HEAD" | "@" | "FETCH_HEAD" | "ORIG_HEAD")
}

fn cut(line: &str) -> String {
    shortened(&visible(line, false), LONGEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::task::{Body, Instruct};

    fn task(fields: &[(&str, FieldType, bool, Option<&str>)]) -> Task {
        let field = |(name, kind, required, default): &(&str, FieldType, bool, Option<&str>)| Field {
            name: (*name).to_owned(),
            kind: *kind,
            required: *required,
            default: default.map(Value::from),
            ..Field::default()
        };
        Task {
            id: "t".into(),
            name: "Do it".into(),
            icon: None,
            description: String::new(),
            tags: Vec::new(),
            model: None,
            inputs: fields.iter().map(field).collect(),
            actions: Vec::new(),
            follow_ups: Vec::new(),
            tools: crate::core::tool::DeclaredTools::default(),
            meta: None,
            body: Body::Instruct(Instruct::default()),
        }
    }

    #[test]
    fn a_version_a_revision_or_a_mark_says_nothing() {
        let nothing = [
            "",
            "12",
            "v0.1.0",
            "2.0.0-rc.1",
            "2026-11-28",
            "HEAD",
            "HEAD~3",
            "main^",
            "v1..v2",
            "main...feature",
            "9f86d081884c",
            "---",
            "WEBVTT",
            "WEBVTT - talk",
            "00:01.000 --> 00:04.000",
            "diff --git a/x b/x",
            "#!/bin/sh",
            "<?xml version=\"1.0\"?>",
            "{",
            "x",
            "***",
        ];
        for title in nothing {
            assert!(!is_telling(title), "{title}");
        }
        for title in
            ["tea", "海", "Release notes v0.1.0", "What is HEAD~3?", "deadbeef", "café", "e.g. this", "3 wishes"]
        {
            assert!(is_telling(title), "{title}");
        }
    }

    #[test]
    fn a_run_is_called_by_what_it_is_about() {
        let text =
            task(&[("text", FieldType::Multiline, true, None), ("goal", FieldType::Text, true, Some("shorter"))]);
        let of = |given: &str| of_run(&text, &json!({ "text": given, "goal": "shorter" }));
        assert_eq!(of("tea"), "tea");
        assert_eq!(of("---\ntitle: \"The sea\"\n---\n\nIt is blue."), "The sea");
        assert_eq!(of("\n# The sea\n\nIt is blue."), "The sea");
        let captions = "WEBVTT\nKind: captions\nLanguage: en\n\n00:01.000 --> 00:04.000\n<v Ana>We <c>begin</c>.";
        assert_eq!(of(captions), "We begin.");
        assert_eq!(of("1\n00:00:01,000 --> 00:00:04,000\nWelcome.\n"), "Welcome.");
        assert_eq!(of("v0.1.0"), "Do it · v0.1.0");
        assert_eq!(of("---"), "Do it");
        assert_eq!(of(&"a long one ".repeat(9)).chars().count(), 60);
    }

    #[test]
    fn a_setting_alone_has_the_name_of_the_task_before_it() {
        let settings = task(&[
            ("against", FieldType::Text, true, Some("HEAD")),
            ("purpose", FieldType::Multiline, false, None),
            ("paths", FieldType::Multiline, false, None),
        ]);
        let of = |inputs: Value| of_run(&settings, &inputs);
        assert_eq!(of(json!({ "against": "HEAD" })), "Do it");
        assert_eq!(of(json!({ "against": "HEAD~3", "purpose": null })), "Do it · HEAD~3");
        assert_eq!(of(json!({ "against": "HEAD~3", "paths": "src" })), "Do it · src");
        let purpose = "Drafts are kept now.";
        assert_eq!(of(json!({ "against": "HEAD~3", "paths": "src", "purpose": purpose })), purpose);
    }

    #[test]
    fn a_task_that_has_a_default_for_everything_is_about_what_was_said_instead() {
        let only =
            task(&[("question", FieldType::Text, false, Some("Who?")), ("tone", FieldType::Text, false, Some("warm"))]);
        assert_eq!(of_run(&only, &json!({ "question": "Ada?", "tone": "warm" })), "Ada?");
        assert_eq!(of_run(&only, &json!({ "question": "Who?", "tone": "warm" })), "Do it");
    }

    #[test]
    fn a_file_is_called_by_its_name_and_a_pipe_by_what_came() {
        let file = task(&[("file", FieldType::File, true, None)]);
        let of = |path: &str, text: &str| {
            of_run(
                &file,
                &json!({ "file": { "path": path, "name": if path == "-" { "stdin" } else { path }, "text": text } }),
            )
        };
        assert_eq!(of("talk.vtt", "WEBVTT"), "talk.vtt");
        assert_eq!(
            of("-", "diff --git a/x b/x\nnew file mode 100644\nindex 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n"),
            "Do it"
        );
        assert_eq!(of("-", "Ana: we begin.\n"), "Ana: we begin.");
    }
}
