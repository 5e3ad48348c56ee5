//! A process may end between any two calls, and others may make the next: what a call returned from counts, and what was
//! refused has left nothing behind.

use serde_json::json;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::ports::{Append, JournalError, SessionUpdate, Storage, Writer};

use super::picture::picture;
use super::{NewDatabase, fresh};
use crate::store::common::*;

/// What processes do with a store, one call after the other.
const CALLS: [fn(&dyn Storage); 14] = [
    |store| drop(begin(store, 1, json!({"topic": "sea"})).short()),
    |store| take_over(store, vec![started("plan", 1)]),
    |store| {
        let learn = vec![Lesson { workflow: None, step: "plan".into(), text: "rhyme".into() }];
        let events = vec![finished("plan", 1, json!("tide and gull")), review("plan", 1), Event::RunWaiting {}];
        store.append(&Append { learn, writer: Writer::Owner(1), ..batch(store, id(1), 2, events) }).unwrap();
    },
    |store| store.keep_draft(id(1), "edit", Some("tide and")).unwrap(),
    |store| store.keep_form("email", Some("dear")).unwrap(),
    |store| assert_eq!(append(store, id(1), 5, vec![accepted("plan", 1)]), Ok(6)),
    |store| {
        let mut created = created("email", json!({"text": "lighthouse"}));
        created.session = Some("work".into());
        store.create(id(2), time(3), &created, &[started("plan", 1)], &pinned("email")).unwrap();
    },
    |store| complete(store, 2, left(json!({}), json!({"count": 1})), "be short").unwrap(),
    |store| store.update_lesson(1, Some("never rhyme")).unwrap(),
    |store| {
        let definition = store.pin(&pinned("email")).unwrap();
        assert_eq!(append(store, id(1), 6, vec![Event::RunUpdated { definition, by: "ana".into() }]), Ok(7));
    },
    |store| assert_eq!(append(store, id(2), 3, vec![Event::RunArchived { undo: false, by: "ana".into() }]), Ok(4)),
    |store| store.keep_draft(id(1), "edit", None).unwrap(),
    |store| store.delete(id(2)).unwrap(),
    |store| assert_eq!(append(store, id(1), 7, vec![Event::Logged { text: "done".into() }]), Ok(8)),
];

/// What is searched for.
const WORDS: [&str; 4] = ["tide", "ull", "lighthouse", "email"];

fn take_over(store: &dyn Storage, events: Vec<Event>) {
    let before = store.epoch(id(1)).unwrap();
    store.append(&Append { writer: Writer::TakingOver(before), ..batch(store, id(1), 1, events) }).unwrap();
}

fn left(seen: serde_json::Value, values: serde_json::Value) -> SessionUpdate {
    let object = |value: serde_json::Value| value.as_object().cloned().unwrap();
    SessionUpdate { seen: object(seen), values: object(values), ..SessionUpdate::default() }
}

fn complete(store: &dyn Storage, number: u64, state: SessionUpdate, lesson: &str) -> Result<(), JournalError> {
    let head = store.head(id(number))?;
    let events = vec![Event::RunCompleted { title: "t".into(), body: "b".into() }];
    let learn = vec![Lesson { workflow: None, step: "plan".into(), text: lesson.into() }];
    store.append(&Append { state: Some(state), learn, ..batch(store, id(number), head, events) }).map(drop)
}

pub fn whatever_a_call_returned_from_is_there_after_a_crash_and_the_next_process_continues(new: NewDatabase) {
    let (_database, whole) = fresh(new);
    for call in CALLS {
        call(&*whole);
    }
    let end = picture(&*whole, &WORDS);
    for crash in 0..=CALLS.len() {
        let (database, store) = fresh(new);
        CALLS[..crash].iter().for_each(|call| call(&*store));
        let before = picture(&*store, &WORDS);
        let next = database.open();
        assert_eq!(picture(&*next, &WORDS), before, "after {crash} calls");
        // Not before: what is only written when a store is closed is lost by a crash.
        drop(store);
        CALLS[crash..].iter().for_each(|call| call(&*next));
        assert_eq!(picture(&*next, &WORDS), end, "after a crash that followed {crash} calls");
    }
}

pub fn calls_of_many_processes_are_as_those_of_one(new: NewDatabase) {
    let (database, one) = fresh(new);
    let (_alone, alone) = fresh(new);
    for (at, call) in CALLS.iter().enumerate() {
        call(&*alone);
        call(&*database.open());
        assert_eq!(picture(&*one, &WORDS), picture(&*alone, &WORDS), "call {at}, seen by a process that made none");
    }
}

pub fn what_is_refused_changes_nothing(new: NewDatabase) {
    let (database, store) = fresh(new);
    CALLS[..CALLS.len() - 2].iter().for_each(|call| call(&*store));
    let before = picture(&*store, &WORDS);
    let deep = (0..600).fold(json!(1), |inner, _| json!([inner]));
    let learn = || vec![Lesson { workflow: None, step: "plan".into(), text: "from nobody".into() }];
    let late = |writer, after, events| Append { writer, learn: learn(), ..batch(&*store, id(1), after, events) };
    let said = || vec![Event::MessageAdded { text: "lighthouse".into(), by: "ana".into() }];
    let too_deep = [said(), vec![finished("plan", 2, deep)]].concat();
    let refusals = [
        ("conflict", store.append(&late(Writer::Decider, 6, said())).map(drop)),
        ("conflict", store.append(&late(Writer::Owner(1), 8, said())).map(drop)),
        ("superseded", store.append(&late(Writer::Owner(0), 7, said())).map(drop)),
        ("superseded", store.append(&late(Writer::TakingOver(2), 7, said())).map(drop)),
        ("too large", store.append(&late(Writer::Decider, 7, too_deep)).map(drop)),
        (
            "session changed",
            complete(&*store, 2, left(json!({"count": 7}), json!({"count": 8, "own": 1})), "from nobody"),
        ),
        ("there is such a run", store.create(id(1), time(9), &created("poem", json!({})), &[], &pinned("poem"))),
        ("no run", store.delete(id(9))),
        ("no run", store.keep_draft(id(9), "edit", Some("half"))),
        ("no run", store.append(&Append { run: id(9), ..late(Writer::Decider, 0, said()) }).map(drop)),
        ("no lesson", store.update_lesson(77, Some("be bold"))),
    ];
    for (why, refused) in &refusals {
        assert!(refused.is_err(), "{why}");
    }
    assert_eq!(picture(&*database.open(), &WORDS), before);
    let codes: Vec<_> =
        refusals.iter().map(|(_, refused)| super::picture::kind(refused.as_ref().unwrap_err())).collect();
    let session = "the session changed";
    let conflict = "conflict at 7";
    let named = [
        conflict,
        conflict,
        "superseded",
        "superseded",
        "too_large",
        session,
        "store",
        "no_run",
        "no_run",
        "no_run",
        "usage",
    ];
    assert_eq!(codes, named);
}
