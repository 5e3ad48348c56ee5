//! `guide_from_recording` on transcripts as they come from everywhere, and on models that lose count. The files in
//! `material/` are one made-up talk in every form.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use stepwell::catalog::inputs::read_file;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::InstructionScope;
use stepwell::core::gate::GateKind;
use stepwell::core::run::{Run, Status};

use super::support::model_server::{ModelServer, Reply, Request};
use super::{Machine, Person, body, file};

/// What a transcriber prints.
pub const TIMED: &str = "[00:00:01.000 --> 00:00:04.000]   Welcome to this short demonstration.
[00:00:04.000 --> 00:00:09.000]   First we open the settings window.
[00:00:09.000 --> 00:00:12.000]   Then we choose the second tab.
[00:00:12.000 --> 00:00:15.000]   There you see the list of all servers.
[00:00:15.000 --> 00:00:19.000]   Add a new one with the plus sign.
[00:00:19.000 --> 00:00:25.000]   Type its name and its address.
[00:00:25.000 --> 00:00:30.000]   Press the test button and wait.
[00:00:30.000 --> 00:00:33.000]   A green light says that it works.
[00:00:33.000 --> 00:00:39.000]   Save, and close the window.
";

/// Who says what in the files of `material/`.
const TALK: [(&str, &str); 9] = [
    ("Ana", "Welcome to this short demonstration of the café system."),
    ("Ana", "First we open the settings window with F2."),
    ("Ben", "Does that work on a tablet, too?"),
    ("Ana", "Yes, with a long press on the logo."),
    ("Ana", "There you see a list of all printers & tills."),
    ("Ana", "Add one with the plus sign, then type its name."),
    ("Ben", "The field is greyed out here; naïve question: why?"),
    ("Ana", "Because the service is still running."),
    ("Ana", "Stop it first, save, and close the window."),
];

/// A model that divides into these chapters, each by its first and last line; the last of `answers` from then on.
fn server(answers: Vec<Value>) -> ModelServer {
    let answers = Mutex::new(answers.into_iter());
    let last = Mutex::new(Value::Null);
    ModelServer::answering(move |_, request| {
        let prompt = request.first_prompt();
        if prompt.contains("Divide them into chapters") {
            let next = answers.lock().unwrap().next();
            let mut last = last.lock().unwrap();
            *last = next.unwrap_or_else(|| last.clone());
            Reply::json(&last)
        } else if prompt.contains("Write the section") {
            Reply::text("You can do it.")
        } else {
            Reply::json(&json!({
                "title": "Run the café", "introduction": "For you.", "before_heading": "Vorher", "before_you_start": ["a till"]
            }))
        }
    })
}

fn chapters(lines: &[(i64, i64)]) -> Value {
    lines
        .iter()
        .map(|(from, to)| json!({ "title": format!("Chapter {from}"), "from_line": from, "to_line": to, "gist": "it is told" }))
        .collect()
}

async fn guide(server: &ModelServer, transcript: Value) -> Run {
    let machine = Machine::asking(format!("{}/v1", server.url()));
    machine.run("guide_from_recording", json!({ "transcript": transcript }), Person::Easy).await
}

/// The lines between the fences of a prompt.
fn material(prompt: &str) -> Vec<String> {
    let fenced = prompt.lines().skip_while(|line| !line.starts_with("```")).skip(1);
    let inside: Vec<String> = fenced.take_while(|line| !line.starts_with("```")).map(str::to_owned).collect();
    assert!(!inside.is_empty(), "no material: {prompt}");
    inside
}

/// The prompts that ask this.
fn asked(server: &ModelServer, what: &str) -> Vec<String> {
    let mut prompts: Vec<String> =
        server.requests().iter().map(Request::first_prompt).filter(|prompt| prompt.contains(what)).collect();
    prompts.sort();
    prompts
}

fn material_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shipped/material");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_sees_what_was_said_and_nothing_else_of_a_transcript_in_any_form() {
    let files = material_files();
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let transcript = read_file(&name, path.parent().unwrap()).unwrap();
        let server = server(vec![chapters(&[(2, 4), (6, 9)])]);
        let run = guide(&server, transcript).await;

        let has_names = ["names.srt", "voices.vtt", "speakers.json", "bracketed.txt", "headed.txt", "names.txt"];
        let has_names = has_names.contains(&name.as_str());
        let is_timed = !["bare.txt", "names.txt"].contains(&name.as_str());
        let spoken = |(speaker, text): &(&str, &str)| match name.as_str() {
            "names.srt" => format!("{}: {text}", speaker.to_uppercase()),
            "headed.txt" => format!("{speaker} Pérez: {text}"),
            _ if has_names => format!("{speaker}: {text}"),
            _ => (*text).to_owned(),
        };
        let lines: Vec<String> = TALK.iter().map(spoken).collect();
        let divide = asked(&server, "Divide them into chapters");
        let numbered: Vec<String> = lines.iter().enumerate().map(|(at, line)| format!("{}: {line}", at + 1)).collect();
        assert_eq!(material(&divide[0]), numbered, "{name}");

        let sections = asked(&server, "Write the section");
        for (prompt, own) in sections.iter().zip([&lines[1..4], &lines[5..9]]) {
            let given: Vec<String> = material(prompt)
                .iter()
                .map(|line| match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
                    Some((_, words)) if is_timed => words.to_owned(),
                    _ => line.clone(),
                })
                .collect();
            assert_eq!(given, own, "{name}");
        }
        let times = match name.as_str() {
            "late.srt" => Some("*▶ 100:00:04–100:00:15*"),
            // These say when a line begins, and not when it ends.
            "bracketed.txt" | "dashed.txt" | "copied.txt" | "headed.txt" => Some("*▶ 0:04–0:12*"),
            _ if is_timed => Some("*▶ 0:04–0:15*"),
            _ => None,
        };
        assert_eq!(body(&run).contains('▶'), is_timed, "{name}: {}", body(&run));
        assert!(times.is_none_or(|times| body(&run).contains(times)), "{name}: {}", body(&run));
        assert!(
            body(&run).contains("**Vorher**\n\n- a till\n") && body(&run).contains("## Chapter 6"),
            "{}",
            body(&run)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chapters_whose_lines_are_impossible_fail_a_check_and_the_model_hears_what_is_wrong() {
    let text: String = TALK.iter().flat_map(|(_, text)| [*text, "\n"]).collect();
    for (wrong, says) in [
        (chapters(&[(4, 2)]), "no chapter ends before it begins"),
        (chapters(&[(1, 4), (6, 5)]), "no chapter ends before it begins"),
        (chapters(&[(5, 9), (1, 4)]), "the chapters come in the order of the lines"),
        (chapters(&[(1, 5), (3, 9)]), "the chapters come in the order of the lines"),
        (chapters(&[(1, 4), (4, 9)]), "no line belongs to two chapters"),
        (chapters(&[(1, 1), (1, 1)]), "no line belongs to two chapters"),
        (chapters(&[(1, 10)]), "no chapter ends after the last line"),
        (chapters(&[(20, 30)]), "no chapter ends after the last line"),
    ] {
        let right = chapters(&[(1, 1), (2, 5), (6, 6), (8, 9)]);
        let server = server(vec![wrong.clone(), right]);
        let machine = Machine::asking(format!("{}/v1", server.url()));
        let id = machine.start("guide_from_recording", json!({ "transcript": file("talk.txt", &text) }));
        let run = machine.rest(id).await;
        let gate = run.waiting().find(|gate| gate.kind() == GateKind::Review).unwrap().clone();
        let failed = gate.failed_checks();
        assert!(failed.iter().any(|check| check.starts_with(says)), "{wrong}: {failed:?}");
        let retry = DecisionKind::Retry { instruction: String::new(), scope: InstructionScope::This, model: None };
        machine.engine.decide(id, Decision::about(&gate, retry)).await.unwrap();
        let run = machine.finish(id, Person::Easy).await;
        assert_eq!(run.status, Status::Completed, "{:?}", run.error);
        let feedback: Vec<String> =
            server.requests().iter().map(Request::prompt).filter(|prompt| prompt.contains("checks")).collect();
        assert!(feedback.len() == 1 && failed.iter().all(|check| feedback[0].contains(check)), "{feedback:?}");
        assert_eq!(asked(&server, "Write the section").len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guide_comes_from_a_transcript_of_any_kind_or_from_a_transcriber() {
    let one_line = "He said that it works, and then it did.";
    for text in [TIMED, one_line] {
        let machine = Machine::new();
        let run = machine.run("guide_from_recording", json!({ "transcript": file("t.srt", text) }), Person::Easy).await;
        assert!(body(&run).contains("## "), "{}", body(&run));
        assert_eq!(run.calls.values().find(|call| call.step == "transcribe").unwrap().status.name(), "skipped");
    }
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("talk.txt"), TIMED).unwrap();
    let inputs = json!({ "recording": "talk.txt", "transcriber": "cat" });
    let run = machine.run("guide_from_recording", inputs, Person::Easy).await;
    assert!(body(&run).contains("## "));
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_come_from_a_transcript_alone_and_the_model_sees_who_said_what() {
    for name in ["voices.vtt", "names.srt", "bracketed.txt", "speakers.json"] {
        let transcript =
            read_file(name, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shipped/material")).unwrap();
        let server = ModelServer::start([Reply::json(&json!({
            "kind": "deliver", "title": "Minutes", "body": "It was decided.", "text": "", "missing": [],
        }))]);
        let machine = Machine::asking(format!("{}/v1", server.url()));
        let run = machine.run("meeting_minutes", json!({ "transcript": transcript }), Person::Easy).await;
        assert_eq!(body(&run), "It was decided.", "{name}");
        let spoken = |(speaker, text): &(&str, &str)| match name {
            "names.srt" => format!("{}: {text}", speaker.to_uppercase()),
            _ => format!("{speaker}: {text}"),
        };
        assert_eq!(
            material(&server.requests()[0].first_prompt()),
            TALK.iter().map(spoken).collect::<Vec<_>>(),
            "{name}"
        );
    }
}
