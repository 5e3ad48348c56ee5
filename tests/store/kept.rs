//! Lessons, sessions, drafts and earlier results are kept beside the runs.

use serde_json::{Value, json};
use stepwell::core::code::ErrorCode;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, Journal as _, JournalError, SessionUpdate};
use stepwell::store::Store;

use super::common::*;

fn learn(store: &Store, run: RunId, lessons: &[&str]) {
    let learn =
        lessons.iter().map(|text| Lesson { workflow: None, step: "write".into(), text: (*text).into() }).collect();
    let after = store.head(run).unwrap();
    store.append(&Append { learn, ..batch(store, run, after, Vec::new()) }).unwrap();
}

#[test]
fn a_lesson_is_listed_once_changed_and_removed() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    learn(&test.store, run, &["rhyme", "be short", "rhyme"]);
    learn(&test.store, run, &["rhyme"]);
    let lessons = test.store.learned(Some("poem")).unwrap();
    assert_eq!(lessons.iter().map(|l| l.lesson.text.as_str()).collect::<Vec<_>>(), ["rhyme", "be short"]);
    assert_eq!((lessons[0].task.as_str(), lessons[0].at), ("poem", time(1)));
    assert!(test.store.learned(Some("email")).unwrap().is_empty());

    test.store.update_lesson(lessons[0].id, Some("never rhyme")).unwrap();
    test.store.update_lesson(lessons[1].id, None).unwrap();
    assert_eq!(test.store.learned(None).unwrap()[0].lesson.text, "never rhyme");
    assert_eq!(test.store.update_lesson(lessons[1].id, None).unwrap_err().code(), ErrorCode::Usage);
}

#[test]
fn a_session_remembers_its_state_and_its_completed_runs() {
    let test = test_store();
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let left = |seen: Value, values: Value| {
        let update = SessionUpdate { seen: object(&seen), values: object(&values), ..SessionUpdate::default() };
        Some(update)
    };
    let in_session = |number: u64, state: Option<SessionUpdate>, done: bool| {
        let mut created = created("chat", json!({}));
        created.session = Some("work".into());
        test.store.create(id(number), time(0), &created, &[], &pinned("chat")).unwrap();
        let events = if done { vec![Event::RunCompleted { title: "t".into(), body: "b".into() }] } else { Vec::new() };
        test.store.append(&Append { state, ..batch(&test.store, id(number), 1, events) })
    };
    assert_eq!(test.store.session("work", 5).unwrap(), (json!({}), Vec::new()));
    in_session(1, left(json!({}), json!({"tone": "dry", "count": 1})), true).unwrap();
    in_session(2, None, true).unwrap();
    in_session(3, left(json!({"count": 1}), json!({"count": 2})), false).unwrap();
    in_session(4, left(json!({"count": 2}), json!({"count": 3})), true).unwrap();
    let (state, runs) = test.again().session("work", 2).unwrap();
    assert_eq!(state, json!({"tone": "dry", "count": 3}));
    assert_eq!(runs, [id(2), id(4)], "the last two that are done, oldest first");
    assert_eq!(test.store.session("other", 2).unwrap().0, json!({}));
    // What was made of a value that another run has replaced meanwhile is not written, nor the end that it came with.
    let late = in_session(5, left(json!({"count": 2}), json!({"count": 9, "more": 1})), true);
    assert_eq!(late, Err(JournalError::SessionChanged));
    assert_eq!(test.store.head(id(5)).unwrap(), 1);
    assert_eq!(test.store.session("work", 2).unwrap().0, json!({"tone": "dry", "count": 3}));
    let removes = SessionUpdate {
        removed: vec!["tone".into()],
        seen: object(&json!({"tone": "dry"})),
        ..SessionUpdate::default()
    };
    in_session(6, Some(removes.clone()), true).unwrap();
    assert_eq!(test.store.session("work", 2).unwrap().0, json!({"count": 3}));
    assert_eq!(in_session(7, Some(removes), true), Err(JournalError::SessionChanged));
}

#[test]
fn unsaved_text_survives_with_its_run() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    test.store.keep_draft(run, "edit write[1]", Some("half a li")).unwrap();
    test.store.keep_draft(run, "edit write[1]", Some("half a line")).unwrap();
    test.store.keep_draft(run, "retry", Some("make")).unwrap();
    test.store.keep_draft(run, "retry", None).unwrap();
    assert_eq!(test.again().drafts(run).unwrap(), [("edit write[1]".to_owned(), "half a line".to_owned())]);
}

#[test]
fn an_accepted_result_of_another_run_is_found_while_it_is_young_and_stands() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let cached = |since| test.again().cached(&fingerprint("write"), time(since)).unwrap();
    append(&test.store, run, 1, vec![started("write", 1), finished("write", 1, json!("one"))]).unwrap();
    assert_eq!(cached(0), None, "nobody has accepted it");
    append(&test.store, run, 3, vec![accepted("write", 1)]).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
    assert_eq!(cached(2), None, "too old");
    assert_eq!(test.store.cached(&fingerprint("read"), time(0)).unwrap(), None);
    let newer = write(&test.store, 2, "two");
    assert_eq!(cached(0), Some((newer, json!("two"))));
    test.store.delete(newer).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
}
