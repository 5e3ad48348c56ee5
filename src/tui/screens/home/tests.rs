//! Home as a person meets it.

use serde_json::json;

use super::*;
use crate::core::form::Field;
use crate::core::task::{FlowKind, Instruct, Workflow};
use crate::tui::testing::{SIZES, at, frame, key, listed as run};
use crate::tui::theme::Depth;

fn task(id: &str, icon: &str, name: &str, body: Body) -> TaskRow {
    let task: Task = Task {
        id: id.into(),
        name: name.into(),
        icon: Some(icon.into()),
        description: format!("{name}, reviewed by you."),
        tags: vec!["writing".into()],
        model: None,
        inputs: vec![Field {
            name: "topic".into(),
            label: "What is it about?".into(),
            required: true,
            ..Field::default()
        }],
        actions: vec![],
        follow_ups: vec![],
        meta: None,
        body,
    };
    TaskRow {
        id: id.into(),
        name: name.into(),
        kind: task.kind(),
        task: Some(Arc::new(task)),
        source: "shipped".into(),
        trusted: true,
        errors: vec![],
        learned: vec![],
        runs: vec![],
    }
}

fn workflow() -> Body {
    let step = |id: &str, title: &str| {
        serde_json::from_value(json!({"id": id, "title": title, "does": {"kind": "prompt", "prompt": "x"}})).unwrap()
    };
    Body::Workflow(Workflow {
        hosts: Vec::new(),
        version: 1,
        flow: FlowKind::Graph,
        max_concurrency: 4,
        max_calls: 500,
        budget: None,
        retry: crate::core::step::Retry::default(),
        steps: vec![step("divide", "Divide into stanzas"), step("write", "Write a stanza")],
        result: None,
        then: vec![],
        files: crate::core::kept_files::KeptFiles::default(),
    })
}

fn home() -> HomeScreen {
    let mut home = HomeScreen::new(at(0));
    let instruct = || Body::Instruct(Instruct::default());
    let mut poem = task("poem", "❧", "Write a poem, stanza by stanza", workflow());
    poem.learned = vec!["no rhymes".into()];
    poem.runs = vec![("poem · the moor".into(), at(0))];
    let mut broken = task("mine", "x", "My broken task", instruct());
    broken.errors = vec!["tasks/mine.toml:3:1: `nam` is not a key; did you mean `name`?".into()];
    let mut foreign = task("release", "▲", "Release notes", workflow());
    foreign.trusted = false;
    let tasks = vec![task("email", "✉", "Write an email", instruct()), broken, poem, foreign];
    let runs = vec![
        run("poem · done", Status::Completed, 0, 90),
        run("review · pull request 12", Status::Running, 0, 80),
        run("poem · the sea", Status::Waiting, 2, 70),
        run("notes · meeting", Status::Failed, 0, 60),
    ];
    home.fill_tasks(tasks, at(400));
    home.fill_runs(runs, at(400));
    home.answers(ModelChoice {
        model: "openai/gpt-5-mini".into(),
        why: "OPENAI_API_KEY is set".into(),
        demo: false,
        ask_first: true,
        config_lines: String::new(),
    });
    look(&mut home, (80, 24));
    home
}

fn look(home: &mut HomeScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| home.view(canvas, area));
    home.set_last_frame(info);
    picture
}

fn press(home: &mut HomeScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(home.update(Message::Key(key(name))).0);
        look(home, (80, 24));
    }
    effects
}

#[test]
fn open_runs_come_first_and_tasks_by_kind() {
    for size in SIZES {
        insta::assert_snapshot!(format!("home_{}x{}", size.0, size.1), look(&mut home(), size));
    }
    for size in [(1, 1), (12, 5), (300, 6)] {
        look(&mut home(), size);
    }
}

#[test]
fn the_preview_says_what_a_workflow_does_and_learned() {
    let mut home = home();
    press(&mut home, &["Down"; 5]);
    insta::assert_snapshot!(look(&mut home, (80, 24)));
}

#[test]
fn letters_search_and_enter_opens() {
    let mut home = home();
    press(&mut home, &["s", "t", "a", "n", "z"]);
    insta::assert_snapshot!(look(&mut home, (80, 24)));
    assert_eq!(press(&mut home, &["Enter"]), [Effect::Open(Opening::Task("poem".into()))]);
}

#[test]
fn what_matches_nothing_is_asked() {
    let mut home = home();
    home.update(Message::Paste("why is the sea salty?".into()));
    assert!(look(&mut home, (80, 24)).contains("Ask: why is the sea salty?"));
    assert_eq!(press(&mut home, &["Enter"]), [Effect::Open(Opening::Chat("why is the sea salty?".into()))]);
}

#[test]
fn what_waits_is_opened_by_enter_alone() {
    let mut home = home();
    assert_eq!(press(&mut home, &["Enter"]), [Effect::Go(Go::Run(run("", Status::Waiting, 2, 70).run))]);
}

#[test]
fn errors_and_missing_trust_are_said_and_stop_nothing_else() {
    let mut home = home();
    assert_eq!(press(&mut home, &["b", "r", "o", "k", "e", "n", "Enter"]), []);
    assert!(look(&mut home, (120, 40)).contains("it has errors"));
    press(&mut home, &["Esc"]);
    assert_eq!(press(&mut home, &["r", "e", "l", "e", "a", "s", "e", "Enter"]), []);
}

#[test]
fn news_do_not_move_the_selection() {
    let mut home = home();
    press(&mut home, &["Down"]);
    let before = home.selected().and_then(|row| home.id_of(row));
    let mut runs = home.runs.clone();
    runs.push(run("another", Status::Waiting, 1, 200));
    let tasks = home.tasks.clone();
    home.fill_tasks(tasks, at(500));
    home.fill_runs(runs, at(500));
    assert_eq!(home.selected().and_then(|row| home.id_of(row)), before);
}

#[test]
fn tab_tells_what_else_can_be_done_with_a_row() {
    let mut home = home();
    let effects = press(&mut home, &["Tab"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    for size in SIZES {
        let (picture, _) = frame(size, Depth::None, |canvas, area| above.view(canvas, area));
        insta::assert_snapshot!(format!("actions_{}x{}", size.0, size.1), picture);
    }
    let effects = press(&mut home, &["n", "o", " ", "s", "u", "c", "h", "Tab"]);
    assert_eq!(effects, [], "what is asked has no other actions");
}

#[test]
fn an_open_run_of_a_later_version_says_so_in_the_list_and_in_the_preview() {
    let mut home = home();
    let later = RunRow { newer: true, ..run("poem · the sea", Status::Waiting, 2, 70) };
    home.fill_runs(vec![later], at(400));
    let picture = look(&mut home, (100, 30));
    assert!(
        picture.contains("of a newer version, or damaged") && picture.contains("written by a newer version"),
        "{picture}"
    );
    assert_eq!(press(&mut home, &["Enter"]), [Effect::Go(Go::Run(run("", Status::Waiting, 2, 70).run))]);
}
