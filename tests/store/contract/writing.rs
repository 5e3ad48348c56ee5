//! Events are kept as they were written, in order, once, and by whoever may write them.

use std::sync::Arc;

use serde_json::json;
use stepwell::core::code::ErrorCode;
use stepwell::core::event::{Event, Lesson};
use stepwell::core::ports::{Append, JournalError, Revision, Storage, Writer};
use stepwell::core::run::Run;

use super::{NewDatabase, fresh};
use crate::patience::until_some;
use crate::store::common::*;

pub fn what_was_written_is_read_back_to_the_letter(new: NewDatabase) {
    let (database, store) = fresh(new);
    let large = "long ".repeat(5_000);
    let inputs = json!({"topic": "the sea", "a/b~c": large, "n": 0.1 + 0.2, "list": [large, {"": large}]});
    let run = begin(&*store, 1, inputs.clone());
    let events = vec![started("write[1]", 1), finished("write[1]", 1, json!({"text": large})), review("write[1]", 1)];
    assert_eq!(append(&*store, run, 1, events.clone()).unwrap(), 4);

    let journal = database.open().read(run, 0).unwrap();
    assert_eq!(journal.iter().map(|r| r.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(journal[0].event, Event::RunCreated(created("poem", inputs)));
    assert_eq!(journal[1..].iter().map(|r| r.event.clone()).collect::<Vec<_>>(), events);
    assert_eq!((journal[0].at, journal[1].at), (time(0), time(1)));
    assert_eq!(store.read(run, 3).unwrap().len(), 1);
    assert_eq!(store.head(run).unwrap(), 4);
}

pub fn whoever_comes_second_is_told_and_nothing_is_written(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let other = database.open();
    append(&*store, run, 1, vec![started("write", 1)]).unwrap();
    let refused = append(&*other, run, 1, vec![finished("write", 1, json!("late"))]);
    assert!(matches!(refused, Err(JournalError::Conflict { head: 2 })), "{refused:?}");
    assert_eq!(store.head(run).unwrap(), 2);
    assert_eq!(append(&*other, run, 2, vec![finished("write", 1, json!("now"))]).unwrap(), 3);
}

pub fn a_process_that_lost_the_run_cannot_write_to_it(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let other = database.open();
    let (first, second) = (store.epoch(run).unwrap(), other.epoch(run).unwrap());
    let by = |writer, after| Append {
        writer,
        learn: vec![Lesson { workflow: None, step: "write".to_owned(), text: "rhyme".to_owned() }],
        ..batch(&*store, run, after, vec![started("write", 1)])
    };
    // Two processes want to take it over; the one that writes first has it.
    other.append(&by(Writer::TakingOver(second), 1)).unwrap();
    assert_eq!(store.learned(Some("poem")).unwrap().len(), 1);
    assert_eq!(store.epoch(run).unwrap(), second + 1);
    for lost in [Writer::TakingOver(first), Writer::Owner(first)] {
        let refused = store.append(&by(lost, 2));
        assert!(matches!(refused, Err(JournalError::Superseded)), "not merely a conflict: {refused:?}");
    }
    assert_eq!(store.head(run).unwrap(), 2);
    other.append(&by(Writer::Owner(second + 1), 2)).unwrap();
    assert!(matches!(store.append(&by(Writer::Owner(first), 2)), Err(JournalError::Superseded)));
}

pub fn a_run_that_is_not_there_is_named(new: NewDatabase) {
    let (_database, store) = fresh(new);
    for refused in [store.head(id(9)).unwrap_err(), store.read(id(9), 0).unwrap_err(), store.delete(id(9)).unwrap_err()]
    {
        assert!(matches!(&refused, JournalError::NoRun(_)));
        assert!(refused.to_string().contains(&id(9).short()));
    }
}

pub fn two_processes_that_write_at_once_lose_nothing(new: NewDatabase) {
    let (database, store) = fresh(new);
    let runs: Vec<_> = (1..=4).map(|number| begin(&*store, number, json!({}))).collect();
    let shared = begin(&*store, 9, json!({}));
    std::thread::scope(|scope| {
        for run in &runs {
            let database = &database;
            scope.spawn(move || {
                let own = database.open();
                for round in 0..20u64 {
                    append(&*own, *run, 1 + round, vec![Event::Logged { text: round.to_string().into() }]).unwrap();
                    loop {
                        let head = own.head(shared).unwrap();
                        match append(&*own, shared, head, vec![Event::Logged { text: run.to_string().into() }]) {
                            Ok(_) => break,
                            Err(JournalError::Conflict { .. }) => {}
                            Err(other) => panic!("{other}"),
                        }
                    }
                }
            });
        }
    });
    for run in runs {
        assert_eq!(store.head(run).unwrap(), 21);
    }
    let journal = store.read(shared, 0).unwrap();
    assert_eq!(journal.len(), 81);
    assert_eq!(Run::fold(shared, &journal).unwrap().log.len(), 80);
}

pub fn a_definition_is_pinned_by_its_content_and_found_where_it_lies_now(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let mut pinned = pinned("poem");
    pinned.folder = Some("/old".into());
    let hash = store.pin(&pinned).unwrap();
    pinned.folder = Some("/new".into());
    assert_eq!(store.pin(&pinned).unwrap(), hash);
    assert_eq!(store.definition(&hash).unwrap(), pinned);
    assert_eq!(store.definition(&fingerprint("none")).unwrap_err().code(), ErrorCode::Store);
}

pub fn a_value_nested_as_deep_as_a_model_may_send_it_is_read_back(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let run = begin(&*store, 1, json!({}));
    append(&*store, run, 1, vec![finished("write", 1, nested(127))]).unwrap();
    assert_eq!(store.read(run, 1).unwrap()[0].event, finished("write", 1, nested(127)));
    let refused = append(&*store, run, 2, vec![finished("write", 1, nested(600))]).unwrap_err();
    assert!(refused.to_string().contains("512 deep"), "{refused}");
    assert_eq!(store.head(run).unwrap(), 2);
}

pub fn a_number_is_the_same_number_when_it_is_read_again(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let numbers: Vec<f64> = (1..2_000).map(|n| 1.0 / f64::from(n) * 1e-7).collect();
    let output = Arc::new(json!(numbers));
    append(&*store, run, 1, vec![finished("write", 1, (*output).clone())]).unwrap();
    assert_eq!(store.read(run, 1).unwrap()[0].event, finished("write", 1, (*output).clone()));
}

pub fn a_run_is_created_once(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({"topic": "sea"}));
    let again = database.open().create(run, time(9), &created("poem", json!({})), &[], &pinned("poem"));
    assert_eq!(again.unwrap_err().code(), ErrorCode::Store);
    let journal = store.read(run, 0).unwrap();
    assert_eq!((journal.len(), journal[0].at), (1, time(0)));
}

pub fn a_run_that_is_forked_begins_with_all_that_it_adopts(new: NewDatabase) {
    let (database, store) = fresh(new);
    let adopted = vec![started("write", 1), finished("write", 1, json!("one")), accepted("write", 1)];
    store.create(id(1), time(0), &created("poem", json!({})), &adopted, &pinned("poem")).unwrap();
    let other = database.open();
    let events: Vec<_> = other.read(id(1), 1).unwrap().into_iter().map(|r| (r.seq, r.at, r.event)).collect();
    let numbered = (2..).zip(adopted).map(|(seq, event)| (seq, time(0), event));
    assert_eq!(events, numbered.collect::<Vec<_>>());
    assert_eq!(other.history(&looking_for("")).unwrap()[0].snippet.data(), "one");
}

pub fn of_two_that_take_a_run_over_the_first_has_it_even_if_it_writes_nothing(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let other = database.open();
    let take = |store: &dyn Storage, before| {
        store.append(&Append { writer: Writer::TakingOver(before), ..batch(store, run, 1, Vec::new()) })
    };
    let before = store.epoch(run).unwrap();
    assert_eq!(take(&*other, before), Ok(1));
    assert_eq!(take(&*store, before), Err(JournalError::Superseded));
    assert_eq!((store.epoch(run).unwrap(), store.head(run).unwrap()), (before + 1, 1));
    assert_eq!(take(&*store, before + 1), Ok(1));
}

pub fn what_a_later_version_wrote_is_kept_as_it_was(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let text = "a lighthouse ".repeat(1_000);
    let body = json!({"type": "tool_returned", "key": "write", "call": "1.0", "outcome": {"text": text, "n": 1.50}});
    let event = Event::from_json(&body.to_string()).unwrap();
    append(&*store, run, 1, vec![started("write", 1), event.clone()]).unwrap();
    let other = database.open();
    assert_eq!(other.read(run, 2).unwrap()[0].event, event);
    assert_eq!(found(&*other, "lighthouse"), [run]);
    assert!(other.history(&looking_for("")).unwrap()[0].newer, "a list says so");
}

pub fn a_deleted_run_takes_with_it_only_what_no_other_run_needs(new: NewDatabase) {
    let (database, store) = fresh(new);
    let (poem, email) = (pinned("poem").hash().unwrap(), pinned("email").hash().unwrap());
    let (first, second) = (begin(&*store, 1, json!({})), begin(&*store, 2, json!({})));
    // The second goes by another definition since.
    store.pin(&pinned("email")).unwrap();
    append(&*store, second, 1, vec![Event::RunUpdated { definition: email.clone(), by: "ana".into() }]).unwrap();
    let other = database.open();
    store.delete(first).unwrap();
    assert!(matches!(other.read(first, 0), Err(JournalError::NoRun(_))));
    assert!(other.definition(&poem).is_ok() && other.definition(&email).is_ok(), "the second was begun with it");
    store.delete(second).unwrap();
    assert!(other.definition(&poem).is_err() && other.definition(&email).is_err(), "nobody needs them");
    assert_eq!(begin(&*store, 1, json!({})), first, "its id is free again");
    assert_eq!((other.head(first).unwrap(), other.epoch(first).unwrap()), (1, 0));
}

pub fn a_handle_that_was_closed_is_refused_everything_and_others_are_not(new: NewDatabase) {
    let (database, store) = fresh(new);
    let (run, other) = (begin(&*store, 1, json!({})), database.open());
    store.close();
    let closed = [
        store.head(run).unwrap_err(),
        store.pin(&pinned("email")).unwrap_err(),
        store.history(&looking_for("")).unwrap_err(),
        store.learned(None).unwrap_err(),
        store.keep_form("poem", Some("half")).unwrap_err(),
    ];
    assert!(closed.iter().all(|error| error.code() == ErrorCode::Store), "{closed:?}");
    assert_eq!((other.head(run).unwrap(), other.form("poem").unwrap()), (1, None));
    other.keep_form("poem", Some("half")).unwrap();
    assert_eq!(database.open().form("poem").unwrap().as_deref(), Some("half"));
}

pub fn whoever_watches_sees_that_anything_was_written(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let watcher = database.open();
    let writes: [(&str, &dyn Fn()); 6] = [
        ("an event", &|| assert_eq!(append(&*store, run, 1, vec![started("write", 1)]), Ok(2))),
        ("a draft", &|| store.keep_draft(run, "edit", Some("half")).unwrap()),
        ("a form", &|| store.keep_form("poem", Some("half")).unwrap()),
        ("a definition", &|| assert!(store.pin(&pinned("email")).is_ok())),
        ("a run", &|| assert_eq!(begin(&*store, 2, json!({})), id(2))),
        ("that one is gone", &|| store.delete(run).unwrap()),
    ];
    for (what, write) in writes {
        let before = revision(&*watcher);
        assert_eq!(revision(&*watcher), before, "nothing was written");
        write();
        assert_ne!(revision(&*watcher), before, "{what}");
    }
}

/// The state of the store, once it can be known.
fn revision(store: &dyn Storage) -> Revision {
    until_some("the store's state is known", || store.revision())
}
