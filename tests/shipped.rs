//! Every shipped task and workflow, run to its end by the real engine with the demo model: what a person without a key
//! sees on the first evening.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml exempts test functions only, and this file's helpers are tests too"
)]

#[path = "shipped/folder.rs"]
mod folder;
#[path = "shipped/recordings.rs"]
mod recordings;
#[path = "shipped/research.rs"]
mod research;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use stepwell::catalog::{Catalog, SearchPaths};
use stepwell::core::call::Call;
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::{Event, InstructionScope};
use stepwell::core::failure::Failure;
use stepwell::core::gate::{Gate, GateKind};
use stepwell::core::id::RunId;
use stepwell::core::ports::{Clock, Models, Secrets};
use stepwell::core::run::{Run, Status};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::settings::{ProviderSettings, Settings};
use stepwell::core::task::{Kind, Task};
use stepwell::core::work::Work;
use stepwell::engine::{Engine, Ports, Sleeper, Start, StopReason, Subscription, Update};
use stepwell::models::{DEMO_MODEL, LanguageModels, Pace, Surroundings};
use stepwell::steps::Steps;
use stepwell::store::{Mode, SqliteStore, StateFolder};

struct Ticks(AtomicU64);

impl Clock for Ticks {
    fn now(&self) -> DateTime<Utc> {
        let tick = self.0.fetch_add(1, Ordering::Relaxed);
        DateTime::from_timestamp_millis(1_700_000_000_000 + 1_000 * i64::try_from(tick).unwrap()).unwrap()
    }
    fn random(&self) -> [u8; 10] {
        let mut bytes = [7; 10];
        bytes[..8].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bytes
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: RunId, _: &str, _: &SecretRef) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }
    fn provide(&self, _: RunId, _: &str, _: Secret) {}
    fn redactor(&self) -> Redactor {
        Redactor::default()
    }
}

/// A fresh machine with nothing configured, and a person at it.
struct Machine {
    engine: Engine,
    folder: tempfile::TempDir,
    model: String,
}

/// Longer than anything here takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// How the person answers reviews.
#[derive(Clone, Copy, PartialEq)]
enum Person {
    /// Accepts whatever comes.
    Easy,
    /// Wants everything a second time.
    Picky,
    /// Leaves out what this step made, and accepts the rest.
    Skips(&'static str),
    /// Fills this into every field of a form, and accepts whatever comes.
    Types(&'static str),
}

impl Machine {
    fn new() -> Self {
        Self::configured(Settings::default(), format!("demo/{DEMO_MODEL}"))
    }

    /// With a model that a server plays, at the address of its chat completions.
    fn asking(base_url: String) -> Self {
        let provider = ProviderSettings { base_url: Some(base_url), ..ProviderSettings::default() };
        let providers = BTreeMap::from([("local".to_owned(), provider)]);
        Self::configured(Settings { providers, ..Settings::default() }, "local/scripted".to_owned())
    }

    fn configured(settings: Settings, model: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
        let surroundings = Surroundings { lookup: Arc::new(|_| None), ..Surroundings::real(Pace::Instant) };
        let models: Arc<dyn Models> = Arc::new(LanguageModels::new(settings, surroundings));
        let secrets: Arc<dyn Secrets> = Arc::new(NoSecrets);
        let steps = Steps::new(models, Arc::clone(&secrets), BTreeMap::new()).with_hosts(vec!["127.0.0.1".to_owned()]);
        let state = Arc::new(StateFolder::new(folder.path().join("state")));
        let engine = Engine::new(Ports {
            store: Arc::new(store),
            executor: Arc::new(steps),
            secrets,
            folders: Arc::new(stepwell::catalog::folders::DefinitionFolders::new(None, Path::new("/nowhere"))),
            clock: Arc::new(Ticks(AtomicU64::new(0))),
            environment: BTreeMap::new(),
            hosts: vec!["127.0.0.1".to_owned()],
            ownership: state.clone(),
            spool: state,
            timers: Arc::new(Sleeper),
            who: "ana@host".into(),
            notify: Vec::new(),
        });
        Self { engine, folder, model }
    }

    fn start(&self, task: &str, inputs: Value) -> RunId {
        let pinned = Arc::new(catalog().pin(task).unwrap());
        let start = Start {
            pinned,
            inputs,
            cwd: self.folder.path().to_owned(),
            session: None,
            model: Some(self.model.clone()),
            budget: None,
            origin: None,
        };
        self.engine.start(&start).unwrap()
    }

    /// Drives until the run waits or ends.
    async fn rest(&self, run: RunId) -> Run {
        let (_, mut updates) = self.engine.subscribe(run).unwrap();
        self.drive(run, &mut updates).await
    }

    async fn drive(&self, run: RunId, updates: &mut Subscription) -> Run {
        self.engine.drive(run).unwrap();
        loop {
            let Ok(new) = tokio::time::timeout(PATIENCE, updates.next()).await else {
                let calls = self.engine.load(run).unwrap().calls;
                panic!(
                    "nothing happens any more: {:?}",
                    calls.values().map(|call| (&call.key, call.status)).collect::<Vec<_>>()
                );
            };
            let rests = |update: &Update| match update {
                Update::Stopped(StopReason::JournalLost(why)) => panic!("{why}"),
                Update::Stopped(_) => true,
                Update::Event(recorded) => matches!(recorded.event, Event::RunWaiting {}),
                _ => false,
            };
            if new.iter().any(rests) {
                return self.engine.load(run).unwrap();
            }
        }
    }

    /// Drives to the end, answering whatever waits.
    async fn finish(&self, run: RunId, person: Person) -> Run {
        let (_, mut updates) = self.engine.subscribe(run).unwrap();
        for _ in 0..200 {
            let now = self.drive(run, &mut updates).await;
            if now.status.is_over() {
                return now;
            }
            let waiting: Vec<Gate> = now.waiting().cloned().collect();
            for gate in waiting {
                self.answer(&now, gate, person).await;
            }
        }
        panic!("it never ends: {:?}", self.engine.load(run).unwrap().calls.keys().collect::<Vec<_>>());
    }

    async fn answer(&self, run: &Run, gate: Gate, person: Person) {
        let what = match gate.kind() {
            GateKind::Review if gate.review().is_some_and(|it| it.problem.is_some() || !it.failed.is_empty()) => {
                panic!("`{}` does not pass: {:?}\n{:?}", gate.key, gate.body, output(run.call(&gate.key).unwrap()))
            }
            GateKind::Review if person == Person::Picky && gate.attempt == 1 && asks_model(run, &gate) => {
                DecisionKind::Retry { instruction: "otherwise".into(), scope: InstructionScope::This, model: None }
            }
            GateKind::Review if matches!(person, Person::Skips(step) if run.call(&gate.key).unwrap().step == step) => {
                DecisionKind::Skip
            }
            GateKind::Review => DecisionKind::Accept,
            GateKind::Approval => DecisionKind::APPROVE,
            GateKind::Input if run.kind == Kind::Instruct => {
                DecisionKind::Answer { value: json!("for Ana, by Friday") }
            }
            GateKind::Input => DecisionKind::Answer { value: typed(&gate, person) },
            GateKind::Stale => DecisionKind::Again { model: None },
            other => panic!("{other:?}"),
        };
        let decision = Decision::about(&gate, what);
        // Refused when an earlier look at the run showed a gate that has been answered since: the loop looks again.
        let _ = self.engine.decide(run.id, decision).await;
    }

    async fn run(&self, task: &str, inputs: Value, person: Person) -> Run {
        let run = self.finish(self.start(task, inputs), person).await;
        assert_eq!(run.status, Status::Completed, "{task}: {:?}\n{:?}", run.error, run.warnings);
        run
    }

    /// A repository with two commits, and a change that is not committed.
    fn repository(&self) {
        let at = self.folder.path();
        let git = |args: &[&str]| support::git::git(at, at, args);
        git(&["init", "-q"]);
        std::fs::write(at.join("a.rs"), "fn a() {}\n").unwrap();
        git(&["add", "a.rs"]);
        git(&["commit", "-qm", "Add a"]);
        git(&["tag", "v1"]);
        std::fs::write(at.join("b.rs"), "fn b() {}\n").unwrap();
        git(&["add", "b.rs"]);
        git(&["commit", "-qm", "Add b"]);
        std::fs::write(at.join("a.rs"), "fn a() {\n    // TODO\n    x.unwrap();\n    y.unwrap();\n}\n").unwrap();
        std::fs::write(at.join("b.rs"), "fn b() -> u8 {\n    1\n}\n").unwrap();
    }
}

/// Whether a model made what waits: only that comes out otherwise when it is asked again.
fn asks_model(run: &Run, gate: &Gate) -> bool {
    let attempt = run.call(&gate.key).and_then(|call| call.attempt(gate.attempt));
    matches!(attempt.and_then(|attempt| attempt.work.as_deref()), Some(Work::Prompt(_)))
}

fn catalog() -> Catalog {
    Catalog::load(&SearchPaths { state: PathBuf::from("/nonexistent"), ..SearchPaths::default() })
}

fn shipped(id: &str) -> Arc<Task> {
    let catalog = catalog();
    let entry = catalog.get(id).unwrap();
    match &entry.task {
        Ok(task) => Arc::clone(task),
        Err(problems) => panic!("{id}: {problems:#?}"),
    }
}

/// A form as this person fills it in.
fn typed(gate: &Gate, person: Person) -> Value {
    let Person::Types(text) = person else { return json!({}) };
    gate.fields()
        .unwrap_or_default()
        .iter()
        .map(|field| (field.name.clone(), json!(text)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn output(call: &Call) -> Value {
    call.output().map(|(_, _, output)| (**output).clone()).unwrap_or_default()
}

fn body(run: &Run) -> &str {
    run.result.as_ref().unwrap().body.data()
}

fn file(name: &str, text: &str) -> Value {
    json!({ "path": name, "name": name, "text": text })
}

const DIFF: &str = "diff --git a/src/x.rs b/src/x.rs\n--- a/src/x.rs\n+++ b/src/x.rs\n@@ -1 +1,2 @@\n-old\n+new\n+er\n";

/// Inputs that a person would give, one for each shipped task.
fn inputs(task: &str) -> Value {
    match task {
        "ask" => json!({ "question": "Why is the sea blue?" }),
        "explore_folder" => json!({ "question": "Where does it begin?" }),
        "email" => json!({ "about": "tell Ana the meeting moved to Friday" }),
        "meeting_minutes" => {
            json!({ "notes": "Weekly web team. We decided to launch in June. Ana will tell the press by Friday. The audit is late." })
        }
        "summary" | "translate" | "rewrite" => {
            json!({ "text": "We met in order to talk. It was very late. Nobody left. Then it rained." })
        }
        "brainstorm" => json!({ "topic": "a farewell for a colleague who hates parties" }),
        "commit_message" => json!({ "diff": file("stdin", DIFF) }),
        "poem" => json!({ "topic": "the sea" }),
        "guide_from_recording" => json!({ "transcript": file("talk.txt", recordings::TIMED) }),
        "web_research" => json!({ "topic": "Do heat pumps pay off in old houses?" }),
        "release_notes" | "release_notes_script" | "release_notes_python" => {
            json!({ "version": "2.0.0", "from": "v1" })
        }
        "code_review" => json!({}),
        "interview" => json!({ "topic": "how we move a customer to the new billing" }),
        "extract" => json!({
            "documents": [file("ferry.txt", FERRY), file("hotel.txt", "Hotel Sol\nBill 77/26\nTotal 240.00\n")],
            "fields": "seller\nnumber: the number of the invoice",
        }),
        "compare" => json!({
            "old": file("lease-1.txt", "The rent is 900.\nNotice: three months.\n"),
            "new": file("lease-2.txt", "The rent is 900.\nNotice: six months.\n"),
        }),
        "proofread" => json!({ "text": "We recieve teh parcels on Monday.\r\n\r\nNothing else  happens.\t" }),
        other => panic!("`{other}` has no inputs here; add some"),
    }
}

const FERRY: &str = "Ferry Line\nInvoice No. F-2041\nTotal 118.50\n";

#[test]
fn every_shipped_definition_is_without_a_mistake() {
    let catalog = catalog();
    let ids: Vec<&str> = catalog.entries.iter().map(|entry| entry.id.as_str()).collect();
    let tasks = [
        "ask",
        "brainstorm",
        "commit_message",
        "email",
        "explore_folder",
        "interview",
        "meeting_minutes",
        "rewrite",
        "summary",
        "translate",
    ];
    let workflows = [
        "code_review",
        "compare",
        "extract",
        "guide_from_recording",
        "poem",
        "proofread",
        "release_notes",
        "release_notes_python",
        "release_notes_script",
        "web_research",
    ];
    assert_eq!(ids, [tasks.as_slice(), workflows.as_slice()].concat());
    for entry in &catalog.entries {
        assert!(entry.task.is_ok(), "{}: {:#?}", entry.id, entry.task);
        assert!(catalog.check(entry).is_empty(), "{}: {:#?}", entry.id, catalog.check(entry));
        assert!(entry.is_trusted() && entry.icon.is_some() && !entry.description.is_empty() && !entry.tags.is_empty());
        for follow_up in &entry.task.as_ref().unwrap().follow_ups {
            let next = shipped(&follow_up.task);
            assert!(next.inputs.iter().any(|field| field.name == follow_up.input), "{}: {follow_up:?}", entry.id);
        }
    }
}

#[test]
fn the_whole_definitions_in_the_reference_are_without_a_mistake() {
    let reference = std::fs::read_to_string("docs/definitions.md").unwrap();
    let samples = reference.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let search_paths =
        SearchPaths { state: folder.path().to_owned(), dir: Some(folder.path().to_owned()), ..SearchPaths::default() };
    let mut whole = 0;
    for sample in samples {
        let table: toml::Table = sample.parse().unwrap_or_else(|error| panic!("{error}\n{sample}"));
        let Some(id) = table.get("id").and_then(|id| id.as_str()) else { continue };
        let path = if table.contains_key("instruction") {
            folder.path().join("tasks").join(format!("{id}.toml"))
        } else {
            folder.path().join("workflows").join(id).join("workflow.toml")
        };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, sample).unwrap();
        let catalog = Catalog::load(&search_paths);
        let problems = catalog.check(catalog.get(id).unwrap());
        assert!(problems.is_empty(), "{problems:#?}\n{sample}");
        whole += 1;
    }
    assert!(whole >= 2);
}

#[test]
fn what_is_piped_into_a_text_task_has_one_place_to_go() {
    use stepwell::core::form::FieldType;
    for entry in catalog().entries.iter().filter(|entry| entry.kind == Kind::Instruct) {
        let takes = [FieldType::Text, FieldType::Multiline, FieldType::File];
        let required = entry.inputs.iter().filter(|field| field.required && takes.contains(&field.kind)).count();
        assert_eq!(required, 1, "{}", entry.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_task_comes_to_its_end_with_the_demo_model() {
    for entry in &catalog().entries {
        let machine = Machine::new();
        machine.repository();
        let run = machine.run(&entry.id, inputs(&entry.id), Person::Easy).await;
        assert!(body(&run).len() > 20, "{}: {}", entry.id, body(&run));
        assert!(!body(&run).contains("\n\n\n"), "{}: empty lines\n{}", entry.id, body(&run));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_demo_has_a_second_one_that_differs() {
    for entry in catalog().entries.iter().filter(|entry| entry.kind == Kind::Workflow) {
        let machine = Machine::new();
        machine.repository();
        let run = machine.run(&entry.id, inputs(&entry.id), Person::Picky).await;
        for call in run.calls.values().filter(|call| call.attempts.len() > 1) {
            let outputs: Vec<_> = call.attempts.iter().map(|attempt| &attempt.versions[0].output).collect();
            assert_ne!(outputs[0], outputs[1], "{} {}", entry.id, call.key);
        }
        // Of these the person judges what code made of the answers, or only answers that fail their checks.
        let is_reviewed = !["extract", "proofread"].contains(&entry.id.as_str());
        assert_eq!(run.calls.values().any(|call| call.attempts.len() > 1), is_reviewed, "{}", entry.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poem_has_as_many_stanzas_as_asked_for_and_all_of_them_differ() {
    for stanzas in 1..=12usize {
        let machine = Machine::new();
        let run = machine.run("poem", json!({ "topic": "the \"old\" sea", "stanzas": stanzas }), Person::Easy).await;
        let mut found: Vec<&str> = body(&run).split("\n\n").collect();
        assert_eq!(found.len(), stanzas, "{}", body(&run));
        assert!(body(&run).contains("the \"old\" sea"));
        assert!(found.iter().all(|stanza| stanza.lines().count() == 4), "{}", body(&run));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), stanzas);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_email_is_delivered_at_once_when_enough_is_said_and_asked_about_otherwise() {
    let machine = Machine::new();
    let run = machine.run("email", inputs("email"), Person::Easy).await;
    assert_eq!(run.calls.len(), 1);
    assert!(body(&run).starts_with("Hi Ana,\n\nThe meeting moved to Friday."), "{}", body(&run));
    let run = machine.run("email", json!({ "about": "holidays" }), Person::Easy).await;
    assert_eq!(run.calls.len(), 2);
    let said: Vec<&str> = run.messages.iter().map(|message| message.text.data()).collect();
    assert_eq!((said[0], said[2]), ("holidays", "for Ana, by Friday"));
}

/// The same workflow three times: as a graph, as a script and in Python.
const RELEASE_NOTES: [&str; 3] = ["release_notes", "release_notes_script", "release_notes_python"];

#[tokio::test(flavor = "multi_thread")]
async fn release_notes_are_in_the_file_once_the_person_allowed_it_whichever_way_they_are_written() {
    let mut all = Vec::new();
    for id in RELEASE_NOTES {
        let machine = Machine::new();
        machine.repository();
        let run = machine.run(id, inputs(id), Person::Easy).await;
        let log = output(&run.calls.values().find(|call| call.step == "log").unwrap().clone());
        assert!(log.as_str().unwrap().contains("Add b") && !log.as_str().unwrap().contains("Add a"), "{log}");
        let saved = std::fs::read_to_string(machine.folder.path().join("RELEASE_NOTES.md")).unwrap();
        assert_eq!(saved.trim_end(), body(&run).trim_end());
        assert!(saved.starts_with("# 2.0.0\n\n## New\n\n- **"), "{saved}");
        // Code puts the groups together by itself.
        let steps = run.calls.values().map(|call| call.step.clone()).filter(|step| step != "groups");
        let mut steps: Vec<String> = steps.collect();
        steps.sort();
        all.push((saved, steps, run.result.unwrap().title.data().to_owned()));
    }
    assert_eq!(all[0], all[1], "the script does what the graph does");
    assert_eq!(all[0], all[2], "and so does the program");
}

#[tokio::test(flavor = "multi_thread")]
async fn release_notes_that_may_not_be_saved_are_there_all_the_same() {
    for id in RELEASE_NOTES {
        let machine = Machine::new();
        machine.repository();
        let mut given = inputs(id);
        given["file"] = json!("/nowhere/at/all.md");
        let run = machine.run(id, given, Person::Easy).await;
        assert!(body(&run).starts_with("# 2.0.0\n\n## New"), "{id}: {}", body(&run));
        assert_eq!(body(&run).matches("*Not saved: ").count(), 1, "{id}: {}", body(&run));
        let unsaved = machine.run(id, json!({ "version": "2.0.0", "from": "v1", "file": "" }), Person::Easy).await;
        let asked = unsaved.calls.values().any(|call| call.step == "save" && !call.attempts.is_empty());
        assert!(!asked && !body(&unsaved).is_empty(), "{id}");
    }
}

#[test]
fn the_three_release_notes_share_their_files() {
    let read = |id: &str, file: &str| std::fs::read_to_string(format!("workflows/{id}/{file}")).unwrap();
    for id in &RELEASE_NOTES[1..] {
        for file in ["prompts/classify.md", "prompts/write.md", "schemas/groups.json", "patch.sh"] {
            assert_eq!(read(id, file), read("release_notes", file), "{id} {file}");
        }
    }
}

/// The steps of a definition but for two that put results together, without what orders them: a graph says that otherwise than a script.
fn steps_of(id: &str) -> Vec<(String, toml::Table)> {
    let text = std::fs::read_to_string(format!("workflows/{id}/workflow.toml")).unwrap();
    // What a script hands over by name.
    let text = regex::Regex::new(r"steps\.(\w+)\.output\b").unwrap().replace_all(&text, "$1");
    let definition: toml::Table = text.parse().unwrap();
    let mut steps = Vec::new();
    for step in definition["steps"].as_array().unwrap() {
        let mut step = step.as_table().unwrap().clone();
        for key in ["after", "when", "for_each", "on_failure"] {
            step.remove(key);
        }
        let name = step["id"].as_str().unwrap().to_owned();
        if let Some(toml::Value::String(stdin)) = step.get_mut("stdin") {
            *stdin = stdin.replace("assemble | trim", "notes | trim");
        }
        if !["groups", "assemble"].contains(&&*name) {
            steps.push((name, step));
        }
    }
    steps
}

#[test]
fn the_three_release_notes_share_what_their_commands_and_templates_do() {
    let graph = steps_of("release_notes");
    assert_eq!(graph.len(), 9, "{graph:?}");
    for id in &RELEASE_NOTES[1..] {
        let steps = steps_of(id);
        for (at, step) in graph.iter().enumerate() {
            assert_eq!(steps.get(at), Some(step), "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_review_judges_each_file_by_its_own_diff() {
    let machine = Machine::new();
    machine.repository();
    let run = machine.run("code_review", json!({}), Person::Easy).await;
    let verdicts: Vec<Value> =
        run.calls.values().filter(|call| call.step == "inspect").map(|call| output(call)["verdict"].clone()).collect();
    assert_eq!(verdicts, ["request_changes", "approve"]);
    assert!(body(&run).contains("### a.rs: request changes"), "{}", body(&run));
    assert!(body(&run).contains("line 3"), "{}", body(&run));
}
