//! Recorded answers of the shipped tasks, embedded in the binary: one TOML file a task, in `recordings/`.
//!
//! A file is a list of `[[answers]]`: `step`, `attempt` (default 1), `index` (of an item, a script's call or a chat turn;
//! absent: any) and `text`, a minijinja template over `inputs`, `item`, `index`, `attempt` and what a script hands over. A
//! block tag takes its own line with it, and `text | transcript` is what definitions have. `refuse(WHY)` says why the demo has
//! no answer for these inputs. Tasks that ask the same have the same file.
//!
//! `calls` are calls of tools, by their names on the wire; what they return is real, and the answers with the next `turn`
//! (default 1) have it as `results`. Where these tools are not offered, the answer of the last turn is given at once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use serde::Deserialize;

use crate::core::model::{Asker, ModelRequest, Role};
use crate::core::transcript;

/// The recordings: a task's id, and its file.
pub const RECORDINGS: &[(&str, &str)] = &[
    ("ask", include_str!("recordings/ask.toml")),
    ("brainstorm", include_str!("recordings/brainstorm.toml")),
    ("code_review", include_str!("recordings/code_review.toml")),
    ("commit_message", include_str!("recordings/commit_message.toml")),
    ("compare", include_str!("recordings/compare.toml")),
    ("email", include_str!("recordings/email.toml")),
    ("explore_folder", include_str!("recordings/explore_folder.toml")),
    ("extract", include_str!("recordings/extract.toml")),
    ("guide_from_recording", include_str!("recordings/guide_from_recording.toml")),
    ("interview", include_str!("recordings/interview.toml")),
    ("meeting_minutes", include_str!("recordings/meeting_minutes.toml")),
    ("poem", include_str!("recordings/poem.toml")),
    ("proofread", include_str!("recordings/proofread.toml")),
    ("release_notes", include_str!("recordings/release_notes.toml")),
    ("release_notes_python", include_str!("recordings/release_notes.toml")),
    ("release_notes_script", include_str!("recordings/release_notes.toml")),
    ("rewrite", include_str!("recordings/rewrite.toml")),
    ("summary", include_str!("recordings/summary.toml")),
    ("translate", include_str!("recordings/translate.toml")),
    ("web_research", include_str!("recordings/web_research.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    answers: Vec<Recording>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    step: String,
    #[serde(default = "first")]
    attempt: u32,
    index: Option<u32>,
    #[serde(default = "first")]
    turn: u32,
    #[serde(default)]
    text: String,
    #[serde(default)]
    calls: Vec<RecordedCall>,
}

/// A call of a tool that is recorded.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedCall {
    /// Its name on the wire.
    pub(super) tool: String,
    /// What it is called with.
    #[serde(default)]
    pub(super) arguments: serde_json::Map<String, serde_json::Value>,
}

/// How far the turns of an attempt have come that calls tools.
#[derive(Debug, Default)]
pub(super) struct Turns<'a> {
    /// How many have ended in calls.
    ended: u32,
    /// What those of the last one returned.
    results: Vec<&'a str>,
    /// The tools that may be called.
    offered: Vec<&'a str>,
}

impl<'a> Turns<'a> {
    pub(super) fn of(request: &'a ModelRequest) -> Self {
        let last = request.messages.iter().rev().find(|message| message.role == Role::Tool);
        let since = request.messages.iter().rev().take_while(|message| message.role != Role::User);
        Self {
            ended: u32::try_from(since.filter(|message| !message.calls.is_empty()).count()).unwrap_or(u32::MAX),
            results: last.into_iter().flat_map(|message| &message.results).map(|result| result.text.as_str()).collect(),
            offered: request.tools.iter().map(|tool| tool.name.as_str()).collect(),
        }
    }
}

fn first() -> u32 {
    1
}

/// What is recorded for a call.
#[derive(Debug, PartialEq)]
pub(super) enum Recorded {
    /// An answer; or what is said before calls of tools.
    Text(String, Vec<RecordedCall>),
    /// Why the demo has none for these inputs: an answer would say more than it knows.
    Refused(String),
}

/// What is recorded for a call, or `None` when its task has nothing for that step.
pub(super) fn recorded(asker: &Asker, turns: &Turns<'_>) -> Result<Option<Recorded>, String> {
    match RECORDINGS.iter().find(|(task, _)| *task == asker.task) {
        Some((_, file)) => replay(file, asker, turns),
        None => Ok(None),
    }
}

fn replay(file: &str, asker: &Asker, turns: &Turns<'_>) -> Result<Option<Recorded>, String> {
    let mut file: File = toml::from_str(file).map_err(|error| error.to_string())?;
    let can = |answer: &Recording| answer.calls.iter().all(|call| turns.offered.contains(&call.tool.as_str()));
    file.answers.retain(can);
    // Of the turns of a step the next one, else the last.
    let of_step = |answer: &&Recording| answer.step == asker.step;
    let recorded = || file.answers.iter().filter(of_step).map(|answer| answer.turn);
    let turn = recorded().filter(|turn| *turn > turns.ended).min().or(recorded().max()).unwrap_or(1);
    file.answers.retain(|answer| answer.turn == turn);
    let Some(recording) = choose(&file.answers, asker) else { return Ok(None) };
    let mut templates = Environment::new();
    let own_line = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(own_line.map_err(|error| error.to_string())?);
    let json = |value: &serde_json::Value| Value::from(Serde(value));
    let spoken = |text: &str| Value::from(Serde(transcript::value(&transcript::read(text))));
    templates.add_filter("transcript", spoken);
    let mut names = BTreeMap::from([
        ("inputs", json(&asker.inputs)),
        ("item", asker.item.as_ref().map_or(Value::UNDEFINED, json)),
        ("index", Value::from(asker.index)),
        ("attempt", Value::from(asker.attempt)),
        ("results", Value::from(turns.results.iter().map(|result| Value::from(*result)).collect::<Vec<_>>())),
    ]);
    let vars = asker.vars.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten();
    names.extend(vars.map(|(name, value)| (name.as_str(), json(value))));
    let refused = Arc::new(OnceLock::new());
    let says = Arc::clone(&refused);
    templates.add_function("refuse", move |why: String| {
        let _ = says.set(why);
    });
    let text = templates.render_named_str("recording", &recording.text, names).map_err(|error| error.to_string())?;
    Ok(Some(match refused.get() {
        Some(why) => Recorded::Refused(why.clone()),
        None => Recorded::Text(text.trim().to_owned(), recording.calls.clone()),
    }))
}

/// Of a step's recordings: those of this index, else those for any, else those of another index in turn; of these the
/// one of the newest attempt that is not after the asked one.
fn choose<'a>(answers: &'a [Recording], asker: &Asker) -> Option<&'a Recording> {
    let of_step: Vec<&Recording> = answers.iter().filter(|answer| answer.step == asker.step).collect();
    let mut indices: Vec<u32> = of_step.iter().filter_map(|answer| answer.index).collect();
    indices.sort_unstable();
    indices.dedup();
    let has = |index: Option<u32>| of_step.iter().any(|answer| answer.index == index);
    let index = if has(asker.index) {
        asker.index
    } else if has(None) {
        None
    } else {
        let turn = asker.index.unwrap_or_default() as usize;
        Some(*indices.get(turn % indices.len().max(1))?)
    };
    let of_index = || of_step.iter().filter(|answer| answer.index == index);
    let newest = of_index().filter(|answer| answer.attempt <= asker.attempt.max(1)).max_by_key(|answer| answer.attempt);
    newest.or_else(|| of_index().min_by_key(|answer| answer.attempt)).copied()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const FILE: &str = r#"
        [[answers]]
        step = "divide"
        text = """
        [
        {% for n in range(inputs.stanzas) %}
        {"subject": {{ inputs.topic | tojson }}}{{ "," if not loop.last }}
        {% endfor %}
        ]"""

        [[answers]]
        step = "write"
        index = 0
        text = "one {{ item.subject }}"
        [[answers]]
        step = "write"
        index = 0
        attempt = 2
        text = "one, attempt {{ attempt }}"
        [[answers]]
        step = "write"
        index = 1
        text = "two"

        [[answers]]
        step = "chat"
        index = 1
        text = "second turn"
        [[answers]]
        step = "chat"
        text = "any turn"
    "#;

    fn say(step: &str, attempt: u32, index: Option<u32>) -> Option<String> {
        let inputs = Arc::new(json!({"topic": "the \"sea\"", "stanzas": 3}));
        let item = Some(json!({"subject": "waves"}));
        let asker = Asker { task: "poem".to_owned(), step: step.to_owned(), attempt, inputs, item, vars: None, index };
        text(replay(FILE, &asker, &Turns::default()).unwrap())
    }

    fn text(recorded: Option<Recorded>) -> Option<String> {
        recorded.map(|recorded| match recorded {
            Recorded::Text(text, _) => text,
            Recorded::Refused(why) => panic!("refused: {why}"),
        })
    }

    #[test]
    fn answers_fit_the_counts_and_the_topic_of_the_inputs() {
        let plan: serde_json::Value = serde_json::from_str(&say("divide", 1, None).unwrap()).unwrap();
        assert_eq!(plan.as_array().unwrap().len(), 3);
        assert_eq!(plan[2]["subject"], "the \"sea\"");
    }

    #[test]
    fn the_nearest_recording_answers() {
        for (step, attempt, index, text) in [
            ("write", 1, Some(0), "one waves"),
            ("write", 2, Some(0), "one, attempt 2"),
            ("write", 7, Some(0), "one, attempt 7"),
            ("write", 2, Some(1), "two"),
            ("write", 1, Some(2), "one waves"),
            ("write", 1, Some(3), "two"),
            ("write", 1, None, "one waves"),
            ("chat", 1, Some(0), "any turn"),
            ("chat", 1, Some(1), "second turn"),
            ("chat", 1, None, "any turn"),
        ] {
            assert_eq!(say(step, attempt, index).as_deref(), Some(text), "{step} {attempt} {index:?}");
        }
        assert_eq!(say("other", 1, None), None);
    }

    #[test]
    fn what_a_script_hands_over_is_put_in() {
        let vars = Some(json!({ "part": "waves", "item": { "subject": "foam" } }));
        let asker = Asker { task: "poem".to_owned(), step: "write".to_owned(), attempt: 1, vars, ..Asker::default() };
        let file = "[[answers]]\nstep = \"write\"\ntext = \"{{ part }} and {{ item.subject }}\"";
        assert_eq!(text(replay(file, &asker, &Turns::default()).unwrap()).unwrap(), "waves and foam");
    }

    #[test]
    fn a_tool_is_called_where_it_is_offered_and_what_it_returned_is_in_the_answer() {
        let file = r#"
            [[answers]]
            step = "look"
            text = "I look."
            calls = [{ tool = "list", arguments = { path = "." } }]
            [[answers]]
            step = "look"
            turn = 2
            text = "{% if results %}There is: {{ results[0] }}{% else %}I have not looked.{% endif %}"
        "#;
        let asker = Asker { step: "look".to_owned(), attempt: 1, ..Asker::default() };
        let given = |turns: &Turns<'_>| replay(file, &asker, turns).unwrap().unwrap();
        let offered = vec!["list"];
        let arguments = serde_json::Map::from_iter([("path".to_owned(), json!("."))]);
        let calls = vec![RecordedCall { tool: "list".to_owned(), arguments }];
        assert_eq!(
            given(&Turns { offered: offered.clone(), ..Turns::default() }),
            Recorded::Text("I look.".to_owned(), calls)
        );
        for ended in [1, 5] {
            let turns = Turns { ended, results: vec!["a.txt"], offered: offered.clone() };
            assert_eq!(given(&turns), Recorded::Text("There is: a.txt".to_owned(), Vec::new()), "{ended}");
        }
        assert_eq!(given(&Turns::default()), Recorded::Text("I have not looked.".to_owned(), Vec::new()));
    }

    /// To find nothing in a text would say that it has no mistakes.
    #[test]
    fn a_text_of_ones_own_is_not_said_to_have_no_mistakes() {
        let found = |part: &str, whole: &str| {
            let inputs = Arc::new(json!({ "text": whole, "file": null }));
            let vars = Some(json!({ "part": part, "number": 1, "count": 2 }));
            let (task, step) = ("proofread".to_owned(), "find".to_owned());
            let asker = Asker { task, step, attempt: 1, inputs, vars, ..Asker::default() };
            recorded(&asker, &Turns::default()).unwrap().unwrap()
        };
        let mine = "Their are to many misteaks.";
        let Recorded::Refused(why) = found(mine, mine) else { panic!("it says that there is nothing") };
        assert!(why.contains("a model reads all of it"), "{why}");
        let Recorded::Text(some, _) = found("We recieve it.", "We recieve it.") else { panic!("refused") };
        assert!(some.contains("receive"), "{some}");
        // Another part of a text of which the demo knows something.
        assert_eq!(
            found(mine, "Their are to many misteaks. We recieve it."),
            Recorded::Text("[]".to_owned(), Vec::new())
        );
    }

    #[test]
    fn every_file_of_the_folder_is_embedded_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/models/demo/recordings");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        // Tasks that share a file have no file of their own.
        let first = |at: usize| RECORDINGS.iter().position(|(_, file)| *file == RECORDINGS[at].1) == Some(at);
        let mut embedded: Vec<String> =
            (0..RECORDINGS.len()).filter(|at| first(*at)).map(|at| format!("{}.toml", RECORDINGS[at].0)).collect();
        files.sort();
        embedded.sort();
        assert_eq!(files, embedded);
        for (task, file) in RECORDINGS {
            assert!(toml::from_str::<File>(file).is_ok_and(|file| !file.answers.is_empty()), "{task}");
        }
    }
}
