//! Lessons, sessions, drafts and earlier results are kept beside the runs.

use serde_json::{Value, json};
use stepwell::core::code::ErrorCode;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, Journal as _};
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
    let place = place();
    let run = begin(&place.store, 1, json!({}));
    learn(&place.store, run, &["rhyme", "be short", "rhyme"]);
    learn(&place.store, run, &["rhyme"]);
    let lessons = place.store.learned(Some("poem")).unwrap();
    assert_eq!(lessons.iter().map(|l| l.lesson.text.as_str()).collect::<Vec<_>>(), ["rhyme", "be short"]);
    assert_eq!((lessons[0].task.as_str(), lessons[0].at), ("poem", time(1)));
    assert!(place.store.learned(Some("email")).unwrap().is_empty());

    place.store.update_lesson(lessons[0].id, Some("never rhyme")).unwrap();
    place.store.update_lesson(lessons[1].id, None).unwrap();
    assert_eq!(place.store.learned(None).unwrap()[0].lesson.text, "never rhyme");
    assert_eq!(place.store.update_lesson(lessons[1].id, None).unwrap_err().code(), ErrorCode::Usage);
}

#[test]
fn a_session_remembers_its_state_and_its_completed_runs() {
    let place = place();
    let in_session = |number: u64, state: Value, done: bool| {
        let mut created = created("chat", json!({}));
        created.session = Some("work".into());
        place.store.create(id(number), time(0), &created, &[], &pinned("chat")).unwrap();
        let events = if done { vec![Event::RunCompleted { title: "t".into(), body: "b".into() }] } else { Vec::new() };
        place.store.append(&Append { state, ..batch(&place.store, id(number), 1, events) }).unwrap();
    };
    assert_eq!(place.store.session("work", 5).unwrap(), (json!({}), Vec::new()));
    in_session(1, json!({"tone": "dry", "count": 1}), true);
    in_session(2, Value::Null, true);
    in_session(3, json!({"count": 2}), false);
    in_session(4, json!({"count": 3}), true);
    let (state, runs) = place.again().session("work", 2).unwrap();
    assert_eq!(state, json!({"tone": "dry", "count": 3}));
    assert_eq!(runs, [id(2), id(4)], "the last two that are done, oldest first");
    assert_eq!(place.store.session("other", 2).unwrap().0, json!({}));
}

#[test]
fn unsaved_text_survives_with_its_run() {
    let place = place();
    let run = begin(&place.store, 1, json!({}));
    place.store.keep_draft(run, "edit write[1]", Some("half a li")).unwrap();
    place.store.keep_draft(run, "edit write[1]", Some("half a line")).unwrap();
    place.store.keep_draft(run, "retry", Some("make")).unwrap();
    place.store.keep_draft(run, "retry", None).unwrap();
    assert_eq!(place.again().drafts(run).unwrap(), [("edit write[1]".to_owned(), "half a line".to_owned())]);
}

#[test]
fn an_accepted_result_of_another_run_is_found_while_it_is_young_and_stands() {
    let place = place();
    let run = begin(&place.store, 1, json!({}));
    let cached = |since| place.again().cached(&fingerprint("write"), time(since)).unwrap();
    append(&place.store, run, 1, vec![started("write", 1), finished("write", 1, json!("one"))]).unwrap();
    assert_eq!(cached(0), None, "nobody has accepted it");
    append(&place.store, run, 3, vec![accepted("write", 1)]).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
    assert_eq!(cached(2), None, "too old");
    assert_eq!(place.store.cached(&fingerprint("read"), time(0)).unwrap(), None);
    let newer = write(&place.store, 2, "two");
    assert_eq!(cached(0), Some((newer, json!("two"))));
    place.store.delete(newer).unwrap();
    assert_eq!(cached(0), Some((run, json!("one"))));
}
