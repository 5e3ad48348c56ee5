//! Home as a person meets it.

use serde_json::json;

use super::*;
use crate::core::form::Field;
use crate::core::task::{Body, FlowKind, Instruct, Workflow};
use crate::tui::effect::{Change, Manage};
use crate::tui::glance::Glance;
use crate::tui::message::RunChange;
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
        tools: crate::core::tool::DeclaredTools::default(),
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
        file: None,
        hides_shipped: false,
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

/// Whether an effect only asks to see more of what is listed.
fn looks(effect: &Effect) -> bool {
    matches!(effect, Effect::Errand(Errand::Glance(_) | Errand::Preview(_)))
}

fn press(home: &mut HomeScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(home.update(Message::Key(key(name))).0.into_iter().filter(|effect| !looks(effect)));
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

/// A poem at work: two of its four steps are done.
fn half_a_poem() -> crate::core::run::Run {
    use crate::tui::testing::Story;
    let story = Story::new("poem", "the sea", Kind::Workflow).start("divide", 1, None);
    let story = story.finish("divide", 1, json!(["dawn", "noon", "night"])).accept("divide", 1);
    let story = story.start("write[0]", 1, Some(json!("dawn"))).finish("write[0]", 1, json!("Grey light."));
    let story = story.accept("write[0]", 1).start("write[1]", 1, Some(json!("noon")));
    story.start("write[2]", 1, Some(json!("night"))).run
}

#[test]
fn how_far_a_workflow_is_stands_in_its_row_and_in_its_preview() {
    let mut home = home();
    let run = half_a_poem();
    let row = RunRow { status: Status::Running, ..RunRow::of(&run) };
    let effects = home.fill_runs(vec![row.clone()], at(400));
    let Some(Effect::Errand(Errand::Glance(asked))) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(asked, &[(run.id, run.updated_at)]);
    home.update(Message::Glances(vec![(run.id, Glance::of(&run, None, 0))]));
    let picture = look(&mut home, (80, 24));
    let row = picture.lines().find(|line| line.contains("◐")).unwrap();
    assert!(row.contains("2 of 4"), "{picture}");
    let right: String = picture.lines().map(|line| line.chars().skip(44).collect::<String>() + "\n").collect();
    assert!(right.contains("running") && right.contains("▰▰▱▱ 2 of 4") && right.contains("at:"), "{picture}");
    // Nothing is asked for again before it changes.
    assert_eq!(home.update(Message::Key(key("x"))).0.iter().filter(|effect| looks(effect)).count(), 0);
}

#[test]
fn the_last_results_stand_under_the_open_runs_and_are_read_whole() {
    let mut home = home();
    let results = |n: i64| run(&format!("result {n}"), Status::Completed, 0, n);
    let mut rows: Vec<RunRow> = (0..7).map(results).collect();
    rows.push(run("poem · the sea", Status::Waiting, 1, 70));
    rows.push(run("given up", Status::Cancelled, 0, 80));
    home.fill_runs(rows, at(400));
    let picture = look(&mut home, (100, 40));
    let place = |text: &str| picture.lines().position(|line| line.contains(text));
    assert!(place("Open runs") < place("●  poem") && place("●  poem") < place("Last results"), "{picture}");
    assert!(place("Last results") < place("result 6") && place("result 6") < place("result 2"), "{picture}");
    assert!(place("result 2") < place("Instruct"), "{picture}");
    assert_eq!((place("result 1"), place("given up")), (None, None), "{picture}");
    press(&mut home, &["Down"]);
    let body: String = (0..60).map(|n| format!("Line {n} of the poem.")).collect::<Vec<_>>().join("\n\n");
    let mut whole = crate::tui::testing::Story::new("poem", "result 6", Kind::Workflow)
        .then(crate::core::event::Event::RunCompleted { title: "result 6".into(), body: body.as_str().into() })
        .run;
    whole.id = run("", Status::Completed, 0, 6).run;
    home.update(Message::Preview(Arc::new(whole)));
    assert!(look(&mut home, (100, 40)).contains("Line 0 of the poem."));
    press(&mut home, &["PgDn", "PgDn", "PgDn", "PgDn", "PgDn", "PgDn", "PgDn", "PgDn", "PgDn"]);
    assert!(look(&mut home, (80, 24)).contains("Line 59 of the poem."), "{}", look(&mut home, (80, 24)));
    assert_eq!(press(&mut home, &["Enter"]), [Effect::Go(Go::Run(run("", Status::Completed, 0, 6).run))]);
}

#[test]
fn what_failed_or_waits_is_dismissed_with_one_key_and_comes_back_with_another() {
    let mut home = home();
    for (down, archived) in [(0, "poem · the sea"), (1, "notes · meeting")] {
        let id = home.runs.iter().find(|run| run.title == archived).unwrap().run;
        press(&mut home, &vec!["Down"; down]);
        let archive = Effect::Change(Change::Manage(id, Manage::Archive));
        assert_eq!(press(&mut home, &["^x"]), [archive], "{archived}");
        let change = RunChange {
            run: id,
            said: format!("archived \"{archived}\""),
            undo: Some(7),
            gone: false,
            restored: false,
        };
        home.update(Message::RunsChanged(change));
        let picture = look(&mut home, (100, 30));
        assert!(picture.contains(&format!("archived \"{archived}\" · Alt-U takes it back")), "{picture}");
        assert_eq!(press(&mut home, &["Alt-u"]), [Effect::Change(Change::Undo { run: id, seq: 7 })]);
        assert!(
            matches!(press(&mut home, &["Alt-u"])[..], [Effect::Open(Opening::TakeBack(_))]),
            "it is taken back once; then it is asked about what is selected"
        );
    }
    // What is at work would come back by itself.
    press(&mut home, &["Down"]);
    assert_eq!(press(&mut home, &["^x"]), []);
    assert!(look(&mut home, (100, 30)).contains("it is running"));
}

#[test]
fn a_dismissed_run_leaves_the_selection_where_it_was() {
    let mut home = home();
    press(&mut home, &["Down"]);
    let mut rows = home.runs.clone();
    rows.retain(|run| run.title != "notes · meeting");
    home.fill_runs(rows, at(500));
    let selected = home.selected().and_then(|row| home.run_of(row)).map(|run| run.title.clone());
    assert_eq!(selected.as_deref(), Some("review · pull request 12"));
}

#[test]
fn ways_to_do_the_same_are_one_row_until_they_are_looked_for() {
    let mut home = home();
    let variant = |id: &str, name: &str| {
        let mut row = task(id, "▲", name, workflow());
        let mut task = (**row.task.as_ref().unwrap()).clone();
        task.meta = Some(json!({"variant_of": "notes"}));
        task.tags = vec![id.to_owned()];
        row.task = Some(Arc::new(task));
        row
    };
    let main = task("notes", "▲", "Write release notes", workflow());
    let tasks = vec![main, variant("script", "Write release notes (as a script)"), variant("python", "In Python")];
    home.fill_tasks(tasks, at(400));
    let picture = look(&mut home, (100, 40));
    assert_eq!(picture.matches("▲").count(), 1, "{picture}");
    assert!(picture.contains("3 ways"), "{picture}");
    press(&mut home, &["r", "e", "l", "e", "a", "s", "e"]);
    let picture = look(&mut home, (100, 40));
    assert_eq!(picture.matches("▲").count(), 1, "{picture}");
    let effects = press(&mut home, &["Tab"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let (picture, _) = frame((100, 40), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("Start: Write release notes (as a script)"), "{picture}");
    press(&mut home, &["Esc", "p", "y", "t", "h", "o", "n", "Enter"]);
    assert!(look(&mut home, (100, 40)).contains("In Python"));
}

#[test]
fn a_broken_definition_is_found_by_its_id_and_is_never_a_question() {
    let mut home = home();
    let mut broken = task("release-mail", "x", "release-mail", Body::Instruct(Instruct::default()));
    (broken.task, broken.errors) = (None, vec!["release-mail.toml:3:1: `nam` is not a key".into()]);
    let mut tasks = home.tasks.clone();
    tasks.push(broken);
    home.fill_tasks(tasks, at(400));
    for typed in ["release-mail", "release_mail", "RELEASE-MAIL"] {
        press(&mut home, &["Esc"]);
        home.update(Message::Paste(typed.into()));
        look(&mut home, (120, 40));
        assert_eq!(press(&mut home, &["Enter"]), [], "{typed}");
        let picture = look(&mut home, (120, 40));
        assert!(picture.contains("it has errors") && picture.contains("nam is not a key"), "{typed}: {picture}");
    }
}

#[test]
fn a_definition_goes_to_the_editor_and_its_mistakes_stand_beside_it_when_it_closes() {
    let mut home = home();
    let file = PathBuf::from("/home/ana/.config/stepwell/tasks/mine.toml");
    let mut tasks = home.tasks.clone();
    tasks.iter_mut().find(|task| task.id == "mine").unwrap().file = Some(file.clone());
    home.fill_tasks(tasks.clone(), at(400));
    press(&mut home, &["b", "r", "o", "k", "e", "n"]);
    assert_eq!(press(&mut home, &["Alt-e"]), [Effect::Errand(Errand::OpenDefinition("mine".into()))]);
    let before = Definition { id: "mine".into(), file: file.clone(), text: "nam = 1".into() };
    let effects = home.update(Message::Definition(before.clone())).0;
    let [Effect::Terminal(Terminal::OpenEditor { purpose, text, .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((*purpose, text.as_str()), (Purpose::Definition, "nam = 1"));
    let effects = home.update(Message::Edited(Purpose::Definition, Some("name = 1".into()))).0;
    assert_eq!(effects, [Effect::Errand(Errand::SaveDefinition { before, text: "name = 1".into() })]);
    tasks.iter_mut().find(|task| task.id == "mine").unwrap().errors =
        vec!["mine.toml:1:8: `name` must be a string".into()];
    home.fill_tasks(tasks, at(400));
    home.update(Message::DefinitionSaved(file));
    let picture = look(&mut home, (120, 40));
    assert!(picture.contains("saved, with a mistake"), "{picture}");
    assert!(picture.contains("name must be a string"), "{picture}");
    // What came back as it was is not written.
    home.update(Message::Definition(Definition { id: "mine".into(), file: "m".into(), text: "x".into() }));
    assert_eq!(home.update(Message::Edited(Purpose::Definition, Some("x".into()))).0, []);
}

#[test]
fn what_is_shipped_is_copied_before_it_is_edited_and_can_be_copied_by_itself() {
    let mut home = home();
    press(&mut home, &["e", "m", "a", "i", "l"]);
    let effects = press(&mut home, &["Alt-e"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let mut above = above.clone();
    let copy = |edit| Effect::Errand(Errand::CopyDefinition { id: "email".into(), edit });
    assert_eq!(above.update(Message::Key(key("Y"))).effects, [copy(true)]);
    let effects = press(&mut home, &["Tab"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let mut above = above.clone();
    above.update(Message::Paste("copy to mine".into()));
    assert_eq!(above.update(Message::Key(key("Enter"))).effects, [copy(false)]);
}

#[test]
fn a_run_that_has_to_be_decided_in_time_says_until_when_and_that_the_time_is_up() {
    use chrono::Local;

    use crate::core::deadline::Due;
    use crate::core::step::OnTimeout;
    let mut home = home();
    let due = Due { at: at(3_600), then: OnTimeout::Skip };
    let row = RunRow { due: Some(due), ..run("poem · the sea", Status::Waiting, 1, 70) };
    home.fill_runs(vec![row], at(400));
    let listed = |picture: &str, says: &str| picture.lines().any(|line| line.contains("poem") && line.contains(says));
    for size in SIZES {
        let picture = look(&mut home, size);
        assert!(listed(&picture, &due.short(at(400), &Local)), "{picture}");
        assert_eq!(picture.contains("deadline 20") && picture.contains("skip"), size.0 >= 80, "{picture}");
    }
    let (_, changed) = home.update(Message::Tick(at(3_599)));
    assert!(changed, "an hour has passed");
    let (_, changed) = home.update(Message::Tick(at(3_600)));
    assert!(changed, "it passes within a minute too");
    for size in SIZES {
        let picture = look(&mut home, size);
        assert!(listed(&picture, "overdue: will skip"), "{picture}");
        assert_eq!(picture.contains("deadline passed: will skip"), size.0 >= 80, "{picture}");
    }
    assert!(!home.update(Message::Tick(at(3_601))).1);
}

#[test]
fn a_copy_of_what_is_shipped_can_be_dropped_once_that_was_asked() {
    let mut home = home();
    let mut tasks = home.tasks().to_vec();
    tasks[0] = TaskRow { source: MINE.into(), hides_shipped: true, ..tasks[0].clone() };
    home.fill_tasks(tasks, at(400));
    press(&mut home, &["e", "m", "a", "i", "l"]);
    let picked = |home: &mut HomeScreen| {
        let effects = press(home, &["Tab"]);
        let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
        let mut above = above.clone();
        above.update(Message::Paste("drop".into()));
        above.update(Message::Key(key("Enter"))).effects
    };
    let effects = picked(&mut home);
    let [Effect::Go(Go::Above(asks))] = effects.as_slice() else { panic!("{effects:?}") };
    let mut asks = asks.clone();
    assert_eq!(asks.update(Message::Key(key("Y"))).effects, [Effect::Errand(Errand::DropCopy("email".into()))]);
}
