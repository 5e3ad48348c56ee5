//! `@/FILE` in an `argv`: which elements are files of the definition, and what a run does with them.

use serde_json::json;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::Event;
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::gate::GateKind;
use stepwell::core::run::Status;
use stepwell::core::work::{CommandWork, Work};

use crate::harness::{Harness, shout, step, waiting};

const ARGV: [&str; 3] = ["python3", "@/price.py", "{{ inputs.word }}"];

fn steps(text: &str, more: &serde_json::Value) -> serde_json::Value {
    let hash = Fingerprint::of_bytes(text.as_bytes());
    let mut does = json!({ "kind": "command", "argv": ARGV, "parse": "text", "files": { "price.py": hash } });
    does.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([step("price", does, json!({}))])
}

fn kept(text: &str) -> serde_json::Value {
    json!({ "files": { "texts": { "price.py": text, "rates.py": "RATES = []" } }, "inputs": [{ "name": "word" }] })
}

fn requested(harness: &Harness) -> (CommandWork, Vec<String>) {
    let requests = harness.executor.requests.lock().unwrap();
    let request = requests.last().expect("an attempt");
    let Work::Command(command) = &*request.work else { panic!("a command") };
    (command.clone(), request.files.texts.keys().cloned().collect())
}

#[tokio::test]
async fn only_what_the_definition_writes_is_a_file_and_all_of_the_folder_comes_with_it() {
    let harness = Harness::new(shout);
    let run = harness.start_with(&steps("v1", &json!({})), &kept("v1"), json!({ "word": "@/rates.py" }));
    let waits = harness.drive(run).await;
    assert_eq!(waiting(&waits, GateKind::Approval), ["price"]);
    let shown = harness.events(run).into_iter().find_map(|event| match event {
        Event::GateOpened(gate) => Some(gate),
        _ => None,
    });
    let shown = serde_json::to_value(shown.unwrap()).unwrap();
    assert_eq!(
        shown["shows"]["work"]["files"],
        json!([{ "element": 1, "name": "price.py", "hash": Fingerprint::of_bytes(b"v1") }])
    );
    let done = harness.decide(run, "price", DecisionKind::APPROVE).await;
    assert_eq!(done.status, Status::Completed);
    let (command, files) = requested(&harness);
    assert_eq!(command.argv, ["python3", "@/price.py", "@/rates.py"]);
    assert_eq!(command.files.iter().map(|file| file.element).collect::<Vec<_>>(), [1]);
    assert_eq!(files, ["price.py", "rates.py"]);
}

#[tokio::test]
async fn a_list_is_as_many_arguments_as_it_has_items_and_a_file_after_it_is_still_the_file() {
    let argv = ["git", "{{ inputs.words }}", "@/price.py", "--{{ inputs.words }}", "{{ inputs.words | first }}"];
    let hash = Fingerprint::of_bytes(b"v1");
    for (speaks, words, given) in [
        (json!("nothing"), json!(["a b", "-c"]), vec!["a b", "-c"]),
        (json!("nothing"), json!([""]), vec![""]),
        // As version 0.1.0 pinned it, which knew no such thing.
        (json!(null), json!(["a b", "-c"]), vec!["['a b', '-c']"]),
    ] {
        let harness = Harness::new(shout);
        let does = json!({ "kind": "command", "argv": argv, "parse": "text", "speaks": speaks, "files": { "price.py": hash } });
        let mut input = kept("v1");
        input["inputs"] = json!([{ "name": "words", "type": "json" }]);
        let run = harness.start_with(&json!([step("price", does, json!({}))]), &input, json!({ "words": words }));
        harness.drive(run).await;
        harness.decide(run, "price", DecisionKind::APPROVE).await;
        let (command, _) = requested(&harness);
        let (before, after) = command.argv.split_at(1 + given.len());
        assert_eq!(before[1..], given);
        assert_eq!(after[0], "@/price.py");
        let text = words.to_string().replace("\",\"", "\", \"").replace('"', "'");
        assert_eq!(after[1..], [format!("--{text}"), words[0].as_str().unwrap().to_owned()]);
        assert_eq!(command.files[0].element, 1 + given.len());
    }
}

#[tokio::test]
async fn a_run_of_a_definition_that_pinned_no_file_has_a_text_there() {
    let harness = Harness::new(shout);
    let old = json!([step("price", json!({ "kind": "command", "argv": ARGV, "parse": "text" }), json!({}))]);
    let run = harness.start_with(&old, &json!({ "inputs": [{ "name": "word" }] }), json!({ "word": "x" }));
    harness.drive(run).await;
    harness.decide(run, "price", DecisionKind::APPROVE).await;
    let (command, files) = requested(&harness);
    assert_eq!((command.argv[1].as_str(), command.files.len(), files.len()), ("@/price.py", 0, 0));
}

#[tokio::test]
async fn another_text_of_the_file_is_another_piece_of_work() {
    let harness = Harness::new(shout);
    let mut fingerprints = Vec::new();
    for (text, more) in [
        ("v1", json!({})),
        ("v2", json!({})),
        ("v1", json!({})),
        ("v1", json!({ "shell": true })),
        ("v2", json!({ "shell": true })),
    ] {
        let run = harness.start_with(&steps(text, &more), &kept(text), json!({ "word": "x" }));
        let waits = harness.drive(run).await;
        let gate = waits.waiting().next().expect("an approval");
        let shows = serde_json::to_value(gate).unwrap()["shows"].clone();
        fingerprints.push((shows["fingerprint"].clone(), shows["bytes"].clone()));
        if more == json!({ "shell": true }) {
            let argv = &shows["work"]["argv"];
            assert_eq!(*argv, json!(["python3 \"$STEPWELL_FILES\"/price.py \"$STEPWELL_1\""]));
        }
    }
    let [first, second, again, shell, other_shell] = fingerprints.try_into().unwrap();
    assert_eq!(first, again);
    assert!(first.0 != second.0 && first.1 != second.1);
    assert!(shell.0 != other_shell.0 && shell.1 != other_shell.1);
}
