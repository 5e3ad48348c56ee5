//! Lessons, sessions, drafts and earlier results are kept in addition to the runs.

use serde_json::{Value, json};
use stepwell::core::code::ErrorCode;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, JournalError, SessionUpdate, Storage};

use super::{NewDatabase, fresh};
use crate::store::common::*;

fn teach(store: &dyn Storage, run: RunId, lessons: &[&str]) {
    let learn =
        lessons.iter().map(|text| Lesson { workflow: None, step: "write".into(), text: (*text).into() }).collect();
    let after = store.head(run).unwrap();
    store.append(&Append { learn, ..batch(store, run, after, Vec::new()) }).unwrap();
}

pub fn a_lesson_is_listed_once_changed_and_removed(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    teach(&*store, run, &["rhyme", "be short", "rhyme"]);
    teach(&*store, run, &["rhyme"]);
    let lessons = store.learned(Some("poem")).unwrap();
    assert_eq!(lessons.iter().map(|l| l.lesson.text.as_str()).collect::<Vec<_>>(), ["rhyme", "be short"]);
    assert_eq!((lessons[0].task.as_str(), lessons[0].at), ("poem", time(1)));
    assert!(store.learned(Some("email")).unwrap().is_empty());

    store.update_lesson(lessons[0].id, Some("never rhyme")).unwrap();
    store.update_lesson(lessons[1].id, None).unwrap();
    assert_eq!(store.learned(None).unwrap()[0].lesson.text, "never rhyme");
    assert_eq!(store.update_lesson(lessons[1].id, None).unwrap_err().code(), ErrorCode::Usage);
}

pub fn a_session_remembers_its_state_and_its_completed_runs(new: NewDatabase) {
    let (database, store) = fresh(new);
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let left = |seen: Value, values: Value| {
        let update = SessionUpdate { seen: object(&seen), values: object(&values), ..SessionUpdate::default() };
        Some(update)
    };
    let in_session = |number: u64, state: Option<SessionUpdate>, done: bool| {
        let mut created = created("chat", json!({}));
        created.session = Some("work".into());
        store.create(id(number), time(0), &created, &[], &pinned("chat")).unwrap();
        let events = if done { vec![Event::RunCompleted { title: "t".into(), body: "b".into() }] } else { Vec::new() };
        store.append(&Append { state, ..batch(&*store, id(number), 1, events) })
    };
    assert_eq!(store.session("work", 5).unwrap(), (json!({}), Vec::new()));
    in_session(1, left(json!({}), json!({"tone": "dry", "count": 1})), true).unwrap();
    in_session(2, None, true).unwrap();
    in_session(3, left(json!({"count": 1}), json!({"count": 2})), false).unwrap();
    in_session(4, left(json!({"count": 2}), json!({"count": 3})), true).unwrap();
    let (state, runs) = database.open().session("work", 2).unwrap();
    assert_eq!(state, json!({"tone": "dry", "count": 3}));
    assert_eq!(runs, [id(2), id(4)], "the last two that are done, oldest first");
    assert_eq!(store.session("other", 2).unwrap().0, json!({}));
    // What was made of a value that another run has replaced meanwhile is not written, nor the end that it came with.
    let late = in_session(5, left(json!({"count": 2}), json!({"count": 9, "more": 1})), true);
    assert_eq!(late, Err(JournalError::SessionChanged));
    assert_eq!(store.head(id(5)).unwrap(), 1);
    assert_eq!(store.session("work", 2).unwrap().0, json!({"tone": "dry", "count": 3}));
    let removes = SessionUpdate {
        removed: vec!["tone".into()],
        seen: object(&json!({"tone": "dry"})),
        ..SessionUpdate::default()
    };
    in_session(6, Some(removes.clone()), true).unwrap();
    assert_eq!(store.session("work", 2).unwrap().0, json!({"count": 3}));
    assert_eq!(in_session(7, Some(removes), true), Err(JournalError::SessionChanged));
}

pub fn unsaved_text_survives_with_its_run(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    store.keep_draft(run, "edit write[1]", Some("half a li")).unwrap();
    store.keep_draft(run, "edit write[1]", Some("half a line")).unwrap();
    store.keep_draft(run, "retry", Some("make")).unwrap();
    store.keep_draft(run, "retry", None).unwrap();
    assert_eq!(database.open().drafts(run).unwrap(), [("edit write[1]".to_owned(), "half a line".to_owned())]);
}

pub fn an_accepted_result_of_another_run_is_found_while_it_is_young_and_stands(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let cached = |since| database.open().cached(&fingerprint("write"), time(since)).unwrap();
    append(&*store, run, 1, vec![started("write", 1), finished("write", 1, json!("one"))]).unwrap();
    assert_eq!(cached(0), None, "nobody has accepted it");
    append(&*store, run, 3, vec![accepted("write", 1)]).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
    assert_eq!(cached(2), None, "too old");
    assert_eq!(store.cached(&fingerprint("read"), time(0)).unwrap(), None);
    let newer = write(&*store, 2, "two");
    assert_eq!(cached(0), Some((newer, json!("two"))));
    store.delete(newer).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
}

pub fn a_form_that_was_not_sent_is_kept_by_its_task(new: NewDatabase) {
    let (database, store) = fresh(new);
    assert_eq!(store.form("poem").unwrap(), None);
    store.keep_form("poem", Some("the se")).unwrap();
    store.keep_form("poem", Some("the sea")).unwrap();
    store.keep_form("email", Some("dear")).unwrap();
    let run = begin(&*store, 1, json!({}));
    store.delete(run).unwrap();
    let other = database.open();
    assert_eq!(other.form("poem").unwrap().as_deref(), Some("the sea"));
    other.keep_form("poem", None).unwrap();
    assert_eq!((store.form("poem").unwrap(), store.form("email").unwrap().as_deref()), (None, Some("dear")));
}

pub fn what_a_deleted_run_taught_and_left_to_its_session_stays(new: NewDatabase) {
    let (database, store) = fresh(new);
    let mut created = created("poem", json!({}));
    created.session = Some("work".into());
    store.create(id(1), time(0), &created, &[], &pinned("poem")).unwrap();
    let state = SessionUpdate { values: json!({"tone": "dry"}).as_object().cloned().unwrap(), ..Default::default() };
    let done = Event::RunCompleted { title: "t".into(), body: "b".into() };
    store.append(&Append { state: Some(state), ..batch(&*store, id(1), 1, vec![done]) }).unwrap();
    teach(&*store, id(1), &["rhyme"]);
    store.delete(id(1)).unwrap();
    let other = database.open();
    assert_eq!(other.session("work", 5).unwrap(), (json!({"tone": "dry"}), Vec::new()));
    assert_eq!(other.learned(Some("poem")).unwrap()[0].lesson.text, "rhyme");
}

pub fn a_lesson_belongs_to_the_definition_that_declares_its_step(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let lesson = |workflow: Option<&str>| {
        let workflow = workflow.map(str::to_owned);
        Lesson { workflow, step: "write".into(), text: "rhyme".into() }
    };
    let learn = vec![lesson(Some("verse")), lesson(None), lesson(Some("verse"))];
    store.append(&Append { learn, ..batch(&*store, run, 1, Vec::new()) }).unwrap();
    let tasks: Vec<_> = store.learned(None).unwrap().into_iter().map(|l| (l.task, l.lesson.workflow)).collect();
    assert_eq!(tasks, [("poem".to_owned(), None), ("verse".to_owned(), None)]);
    // The number of one that was removed is never another's.
    let newest = store.learned(None).unwrap().iter().map(|l| l.id).max().unwrap();
    store.update_lesson(newest, None).unwrap();
    teach(&*store, run, &["be short"]);
    assert!(store.learned(None).unwrap().iter().all(|l| l.id != newest));
}
