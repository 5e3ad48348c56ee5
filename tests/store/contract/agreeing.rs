//! Whatever is asked of a store in whatever order, it answers as the one in memory, which is simple enough to be read.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use stepwell::core::event::{Event, Lesson, Origin, OriginKind};
use stepwell::core::ports::{Append, JournalError, SessionUpdate, Stands, Storage, Writer};
use stepwell::core::run::Run;
use stepwell::store::MemoryStore;

use super::picture::{RUNS, kind, picture};
use super::{NewDatabase, fresh};
use crate::store::common::*;
use crate::store::random::event;

/// Something that a process asks of a store.
#[derive(Clone, Debug)]
enum Ask {
    Create { number: u64, in_session: bool, from: u64 },
    Append { number: u64, behind: u64, writer: u8, events: Vec<Event>, learns: bool, leaves: Option<u8> },
    Delete(u64),
    Draft(u64, Option<String>),
    Form(Option<String>),
    Teach(i64, Option<String>),
    Pin,
}

fn ask() -> impl Strategy<Value = Ask> {
    let number = || 1..=RUNS;
    let text = || prop::option::of("[a-d]{2,4}");
    let append =
        (number(), 0u64..8, 0u8..8, prop::collection::vec(event(), 0..4), any::<bool>(), prop::option::of(0u8..3));
    prop_oneof![
        3 => (number(), any::<bool>(), number()).prop_map(|(number, in_session, from)| Ask::Create { number, in_session, from }),
        12 => append.prop_map(|(number, behind, writer, events, learns, leaves)| {
            // Most come in time.
            Ask::Append { number, behind: behind.saturating_sub(6), writer, events, learns, leaves }
        }),
        1 => number().prop_map(Ask::Delete),
        1 => (number(), text()).prop_map(|(number, text)| Ask::Draft(number, text)),
        1 => text().prop_map(Ask::Form),
        1 => (1i64..4, text()).prop_map(|(lesson, text)| Ask::Teach(lesson, text)),
        1 => Just(Ask::Pin),
    ]
}

/// Asks it, as somebody who knows what `seen` says, and gives the answer.
fn answer(ask: &Ask, store: &dyn Storage, seen: &dyn Storage) -> String {
    let answered: Result<String, JournalError> = match ask {
        Ask::Create { number, in_session, from } => {
            let task = if number % 2 == 0 { "email" } else { "poem" };
            let mut created = created(task, json!({"topic": "ab cd"}));
            created.session = in_session.then(|| "work".to_owned());
            let origin = Origin { run: id(*from), how: OriginKind::Fork, at: None, seq: Some(1), handed_over: false };
            created.origin = (from != number).then_some(origin);
            store
                .create(id(*number), time(i64::try_from(*number).unwrap()), &created, &[], &pinned(task))
                .map(|()| String::new())
        }
        Ask::Append { number, behind, writer, events, learns, leaves } => store
            .append(&append_to(seen, *number, *behind, *writer, events, *learns, *leaves))
            .map(|head| head.to_string()),
        Ask::Delete(number) => store.delete(id(*number)).map(|()| String::new()),
        Ask::Draft(number, text) => store.keep_draft(id(*number), "edit", text.as_deref()).map(|()| String::new()),
        Ask::Form(text) => store.keep_form("poem", text.as_deref()).map(|()| String::new()),
        Ask::Teach(lesson, text) => store.update_lesson(*lesson, text.as_deref()).map(|()| String::new()),
        Ask::Pin => store.pin(&pinned("email")).map(|hash| hash.as_str().to_owned()),
    };
    answered.unwrap_or_else(|error| kind(&error))
}

/// An append by somebody who may be late: to the run, to its session, or as its owner.
fn append_to(
    seen: &dyn Storage,
    number: u64,
    behind: u64,
    writer: u8,
    events: &[Event],
    learns: bool,
    leaves: Option<u8>,
) -> Append {
    let run = id(number);
    let journal = seen.read(run, 0).unwrap_or_default();
    let (head, epoch) = (journal.len() as u64, seen.epoch(run).unwrap_or_default());
    let at = time(i64::try_from(head).unwrap());
    let mut folded = Run::fold(run, &journal).unwrap_or_else(|_| Run::new(run, at, &created("poem", json!({}))));
    for event in events {
        folded.apply(folded.seq + 1, at, event);
    }
    let writer = match writer {
        0 => Writer::Owner(epoch),
        1 => Writer::Owner(epoch.saturating_sub(1)),
        2 => Writer::TakingOver(epoch),
        3 => Writer::TakingOver(epoch + 1),
        _ => Writer::Decider,
    };
    let learn =
        if learns { vec![Lesson { workflow: None, step: "plan".into(), text: "rhyme".into() }] } else { Vec::new() };
    let state = leaves.map(|value| {
        let mut known = seen.session("work", 0).unwrap().0.as_object().cloned().unwrap_or_default();
        if value == 2 {
            known.insert("count".into(), json!("what nobody left"));
        }
        let values: Map<String, Value> = [("count".to_owned(), json!(value))].into_iter().collect();
        let seen = known.into_iter().filter(|(name, _)| name == "count").collect();
        SessionUpdate { values, removed: Vec::new(), seen }
    });
    let (after, events, stands) = (head.saturating_sub(behind), events.to_vec(), Stands::of(&folded));
    Append { run, after, writer, at, events, learn, state, stands }
}

pub fn whatever_happens_each_store_answers_as_the_one_in_memory(new: NewDatabase) {
    let words = ["ab", "abc", "a", "ab cd", "cd ab", "done", "bc"];
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let asks = prop::collection::vec((any::<bool>(), ask()), 1..24);
    let outcome = TestRunner::new(config).run(&asks, |asks| {
        let (database, store) = fresh(new);
        let (other, model) = (database.open(), MemoryStore::new());
        for (here, ask) in asks {
            let answered = answer(&ask, if here { &*store } else { &*other }, &model);
            prop_assert_eq!(answered, answer(&ask, &model, &model), "{:?}", ask);
        }
        prop_assert_eq!(picture(&*store, &words), picture(&model, &words));
        Ok(())
    });
    outcome.unwrap();
}
