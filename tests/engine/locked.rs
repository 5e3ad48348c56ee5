//! Another process holds the store locked for longer than a write waits: nothing of what came is lost by it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::ports::JournalError;
use stepwell::core::run::Status;
use stepwell::engine::{Start, StopReason, Update};

use super::harness::{Act, Harness, body, decision, pinned, prompt, until, until_stopped, waiting};

/// A connection of another program that holds the lock.
type Holder = Arc<Mutex<Option<rusqlite::Connection>>>;

fn hold(path: &Path, holder: &Holder) {
    let other = rusqlite::Connection::open(path).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    *holder.lock().unwrap() = Some(other);
}

fn release(holder: &Holder) {
    let other = holder.lock().unwrap().take().unwrap();
    other.execute_batch("ROLLBACK").unwrap();
}

/// A model that answers while another program takes the lock.
fn locking(holder: &Holder) -> Harness {
    let folder = Arc::new(Mutex::new(None::<std::path::PathBuf>));
    let (path, other) = (Arc::clone(&folder), Arc::clone(holder));
    let harness = Harness::hasty(move |_| {
        hold(path.lock().unwrap().as_ref().unwrap(), &other);
        Act::Say(json!("paid for"))
    });
    *folder.lock().unwrap() = Some(harness.database());
    harness
}

fn spooled(harness: &Harness, run: RunId, extension: &str) -> usize {
    let folder = harness.path.join("state/spool").join(run.to_string());
    let Ok(files) = std::fs::read_dir(folder) else { return 0 };
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|found| found == extension)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_meets_a_locked_store_is_kept_and_written_when_the_lock_is_free() {
    let holder = Holder::default();
    let harness = locking(&holder);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| (*update == Update::Locked(true)).then_some(())).await;
    assert_eq!(spooled(&harness, run, "outcome"), 1, "should this process die now, it is there");
    release(&holder);
    until(&mut updates, |update| (*update == Update::Locked(false)).then_some(())).await;
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!(waiting(&state, GateKind::Review), ["a"]);
    assert_eq!(state.call(&"a".parse().unwrap()).unwrap().output().unwrap().2.as_str(), Some("paid for"));
    assert_eq!((spooled(&harness, run, "outcome"), harness.attempts().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_the_store_is_locked_finds_the_answer_when_they_are_back() {
    let holder = Holder::default();
    let harness = locking(&holder);
    let run = harness.start(&json!([prompt("a", "x", json!({ "review": "never" }))]), json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| (*update == Update::Locked(true)).then_some(())).await;
    harness.engine.pause(run, PauseReason::Left);
    assert!(matches!(until_stopped(&mut updates).await, StopReason::JournalLost(_)));
    release(&holder);
    let next = harness.neighbour();
    assert_eq!(body(&next.drive(run).await), "paid for");
    assert_eq!(harness.attempts(), ["a"], "it is not asked, and paid, again");
    let cancelled = |event: &Event| matches!(event, Event::AttemptCancelled { .. });
    assert!(!next.events(run).iter().any(cancelled), "nothing was given up");
    assert_eq!(spooled(&harness, run, "outcome"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_meets_a_locked_store_is_recorded_when_the_lock_is_free() {
    let harness = Harness::hasty(super::harness::shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    harness.drive(run).await;
    let holder = Holder::default();
    hold(&harness.database(), &holder);
    let (_, mut updates) = harness.subscribe(run);
    let engine = harness.engine.clone();
    let edit = DecisionKind::Edit { output: json!("mine"), accept: true };
    let decided = tokio::spawn(async move { engine.decide(run, decision("a", edit)).await });
    until(&mut updates, |update| (*update == Update::Locked(true)).then_some(())).await;
    assert_eq!(harness.engine.load(run).unwrap().status, Status::Waiting, "it is not shown as saved");
    release(&holder);
    decided.await.unwrap().unwrap();
    until_stopped(&mut updates).await;
    assert_eq!(body(&harness.engine.load(run).unwrap()), "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsaved_text_that_meets_a_locked_store_is_there_for_the_next_process() {
    let harness = Harness::hasty(super::harness::shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    harness.engine.keep_draft(run, "message", Some("old")).unwrap();
    harness.engine.keep_draft(run, "edit a 1", Some("half")).unwrap();
    let holder = Holder::default();
    hold(&harness.database(), &holder);
    harness.engine.keep_draft(run, "message", Some("new, and longer")).unwrap();
    harness.engine.keep_draft(run, "edit a 1", None).unwrap();
    release(&holder);
    let kept = vec![("message".to_owned(), "new, and longer".to_owned())];
    assert_eq!(harness.neighbour().engine.drafts(run).unwrap(), kept);
    // What the store took last is what counts.
    harness.engine.keep_draft(run, "message", Some("newest")).unwrap();
    let kept = vec![("message".to_owned(), "newest".to_owned())];
    assert_eq!((harness.engine.drafts(run).unwrap(), spooled(&harness, run, "draft")), (kept, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_what_comes_to_its_end_while_the_store_is_locked_already() {
    let holder = Holder::default();
    let (path, other) = (Arc::new(Mutex::new(None::<std::path::PathBuf>)), Arc::clone(&holder));
    let set = Arc::clone(&path);
    let harness = Harness::hasty(move |request| {
        if request.key.to_string() == "first" {
            hold(path.lock().unwrap().as_ref().unwrap(), &other);
        }
        // The second one ends when somebody answers it.
        if request.key.to_string() == "second" { Act::Hang("half of it") } else { Act::Say(json!("paid for")) }
    });
    *set.lock().unwrap() = Some(harness.database());
    let steps = json!([
        prompt("second", "x", json!({ "review": "never" })),
        prompt("first", "x", json!({ "review": "never" })),
    ]);
    let run = harness.start(&steps, json!({}));
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.drive(run).unwrap();
    until(&mut updates, |update| (*update == Update::Locked(true)).then_some(())).await;
    harness.engine.stop(run, &"second".parse().unwrap());
    // It is looked for with the next try to write.
    let spooled_are = async |count| {
        while spooled(&harness, run, "outcome") != count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), spooled_are(2)).await.expect("both are kept");
    release(&holder);
    let kept = |update: &Update| match update {
        Update::Event(recorded) => match &recorded.event {
            Event::AttemptCancelled { partial, .. } => Some(partial.data().to_owned()),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(until(&mut updates, kept).await, "half of it");
    tokio::time::timeout(std::time::Duration::from_mins(1), spooled_are(0)).await.expect("both are written");
}

/// What the engine tells a front end of locks.
fn listens(harness: &Harness) -> Arc<Mutex<Vec<bool>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    harness.engine.on_locked(move |locked| heard.lock().unwrap().push(locked));
    told
}

async fn until_told(told: &Mutex<Vec<bool>>, what: &[bool]) {
    let come = async {
        while *told.lock().unwrap() != what {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), come).await.expect("it is told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_about_a_run_that_nobody_drives_waits_for_the_lock_and_is_recorded_once() {
    let harness = Harness::hasty(super::harness::shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    harness.drive(run).await;
    harness.engine.pause(run, PauseReason::Left);
    let given_up = async {
        while harness.engine.is_driven(run) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), given_up).await.expect("it is given up");
    let (told, holder) = (listens(&harness), Holder::default());
    hold(&harness.database(), &holder);
    let engine = harness.engine.clone();
    let decided = tokio::spawn(async move {
        let edit = DecisionKind::Edit { output: json!("mine"), accept: true };
        engine.decide(run, decision("a", edit)).await?;
        engine.rename(run, "as I call it").await
    });
    until_told(&told, &[true]).await;
    assert_eq!(waiting(&harness.engine.load(run).unwrap(), GateKind::Review), ["a"], "it is not shown as saved");
    release(&holder);
    decided.await.unwrap().unwrap();
    assert_eq!(*told.lock().unwrap(), [true, false]);
    let state = harness.engine.load(run).unwrap();
    assert_eq!((state.title.as_str(), waiting(&state, GateKind::Review)), ("as I call it", Vec::new()));
    let accepted = |event: &&Event| matches!(event, Event::CallAccepted { .. });
    assert_eq!(harness.events(run).iter().filter(accepted).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_waiting_for_the_lock_leaves_no_later_try_behind() {
    let harness = Harness::hasty(super::harness::shout);
    let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
    let (told, holder) = (listens(&harness), Holder::default());
    hold(&harness.database(), &holder);
    let before = harness.events(run).len();
    let engine = harness.engine.clone();
    let decided = tokio::spawn(async move { engine.cancel(run).await });
    until_told(&told, &[true]).await;
    decided.abort();
    assert!(decided.await.unwrap_err().is_cancelled(), "it holds up nobody");
    // The try that is under way meets the lock as well: another, which waits for the same connection, comes after it.
    let refused = harness.store.pin(&pinned(&json!([prompt("b", "x", json!({}))]), &json!({}))).unwrap_err();
    assert!(matches!(refused, JournalError::Busy(_)), "{refused:?}");
    release(&holder);
    assert_eq!(harness.events(run).len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_what_starts_a_run_and_what_removes_one() {
    let harness = Harness::hasty(super::harness::shout);
    let steps = json!([prompt("a", "x", json!({}))]);
    let old = harness.start(&steps, json!({}));
    let (told, holder) = (listens(&harness), Holder::default());
    hold(&harness.database(), &holder);
    let pinned = Arc::new(pinned(&steps, &json!({})));
    let (inputs, cwd) = (json!({}), "/".into());
    let start = Start { pinned, inputs, cwd, session: None, model: None, budget: None, origin: None };
    let engine = harness.engine.clone();
    let began = tokio::task::spawn_blocking(move || engine.start(&start));
    until_told(&told, &[true]).await;
    release(&holder);
    let run = began.await.unwrap().unwrap();
    assert_eq!(harness.engine.load(run).unwrap().calls.len(), 0, "it is there, and has yet to begin");
    hold(&harness.database(), &holder);
    let engine = harness.engine.clone();
    let removed = tokio::task::spawn_blocking(move || engine.delete(old));
    until_told(&told, &[true, false, true]).await;
    release(&holder);
    removed.await.unwrap().unwrap();
    assert!(harness.engine.load(old).is_err());
}

/// Whether tasks of this runtime make progress, while `meanwhile` waits for a lock that is only released then.
async fn progress_while(meanwhile: &tokio::task::JoinHandle<()>) {
    let ticks = tokio::spawn(async {
        for _ in 0..50 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    });
    tokio::time::timeout(std::time::Duration::from_mins(1), ticks).await.expect("other tasks go on").unwrap();
    assert!(!meanwhile.is_finished(), "it waits for the lock");
}

/// The only thread that runs tasks here is free while a write waits, be it of a run that is driven or of one that is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_else_waits_while_a_decision_waits_for_a_locked_store() {
    for driven in [true, false] {
        let harness = Harness::patient(super::harness::shout);
        let run = harness.start(&json!([prompt("a", "x", json!({}))]), json!({}));
        let (_, mut updates) = harness.subscribe(run);
        harness.engine.drive(run).unwrap();
        until_stopped(&mut updates).await;
        if !driven {
            harness.engine.pause(run, PauseReason::Left);
            while until_stopped(&mut updates).await != StopReason::Paused {}
        }
        let holder = Holder::default();
        hold(&harness.database(), &holder);
        let engine = harness.engine.clone();
        let edit = DecisionKind::Edit { output: json!("mine"), accept: true };
        let decided = tokio::spawn(async move { engine.decide(run, decision("a", edit)).await.unwrap() });
        progress_while(&decided).await;
        let engine = harness.engine.clone();
        let typed = tokio::spawn(async move { engine.keep_draft(run, "message", Some("half")).unwrap() });
        progress_while(&typed).await;
        release(&holder);
        decided.await.unwrap();
        typed.await.unwrap();
        assert_eq!(waiting(&harness.engine.load(run).unwrap(), GateKind::Review), Vec::<String>::new());
    }
}
