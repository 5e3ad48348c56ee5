//! An attempt is a function of its journal: whoever asks what it does next, and however often it was stopped, hears the
//! same, and nothing is called twice that nobody wants twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NextUnit, ToolCallEnd, ToolCallState};
use crate::core::actor::Actor;
use crate::core::call::{AttemptStatus, CallStatus};
use crate::core::code::ErrorCode;
use crate::core::decide::{Decision, DecisionKind, decide};
use crate::core::event::{Event, Recorded};
use crate::core::failure::FailureClass;
use crate::core::fingerprint::Fingerprint;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::tool::CallReturn;
use crate::core::tool_call::ToolCallId;

/// A run with one prompt that calls tools, and its journal.
struct Story {
    journal: Vec<Recorded>,
    run: Run,
}

fn id(turn: u32, index: u32) -> ToolCallId {
    ToolCallId { turn, index }
}

impl Story {
    fn begun(max_turns: u32) -> Self {
        let fingerprint = Fingerprint::of(&"x").unwrap();
        let created = json!({ "type": "run_created", "task": "t", "kind": "workflow", "title": "t", "by": "ana@host", "cwd": "/",
            "inputs": {}, "definition": fingerprint, "nonce": "n" });
        let run = RunId::new(1, [1; 10]);
        let first = Recorded { run, seq: 1, at: DateTime::UNIX_EPOCH, event: read(&created) };
        let mut story = Self { run: Run::fold(run, std::slice::from_ref(&first)).unwrap(), journal: vec![first] };
        story.says(json!({ "type": "attempt_started", "step": "a", "attempt": 1, "fingerprint": fingerprint, "by": "model",
            "on_crash": "rerun", "work": { "kind": "prompt", "messages": [], "tools": { "patterns": ["t/*"], "max_turns": max_turns } } }));
        story
    }

    /// Adds an event about the call `a`.
    fn says(&mut self, event: Value) {
        self.says_of("a", event);
    }

    fn says_of(&mut self, key: &str, mut event: Value) {
        event["key"] = json!(key);
        let seq = self.journal.len() as u64 + 1;
        let at = DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::seconds(i64::try_from(seq).unwrap());
        let event = read(&event);
        self.run.apply(seq, at, &event);
        self.journal.push(Recorded { run: self.run.id, seq, at, event });
    }

    fn lists(&mut self) {
        self.says(json!({ "type": "tools_listed", "attempt": 1, "tools": [{ "tool": "t/x", "input": { "type": "object" } }] }));
    }

    /// The model ends a turn in calls with these arguments.
    fn turn(&mut self, turn: u32, arguments: &[Value]) {
        let call = |(index, arguments): (usize, &Value)| json!({ "call": format!("{turn}.{index}"), "tool": "t/x", "arguments": arguments });
        let calls: Vec<Value> = arguments.iter().enumerate().map(call).collect();
        let usage = json!({ "input_tokens": 10, "output_tokens": 1, "usd": 0.5 });
        self.says(
            json!({ "type": "turn_finished", "attempt": 1, "turn": turn, "calls": calls, "usage": usage, "ms": 100 }),
        );
    }

    fn called(&mut self, call: ToolCallId) {
        self.says(json!({ "type": "tool_called", "attempt": 1, "call": call, "tool": "t/x", "arguments": {} }));
    }

    fn returned(&mut self, call: ToolCallId) {
        let outcome = json!({ "status": "returned", "output": "done" });
        self.says(json!({ "type": "tool_returned", "attempt": 1, "call": call, "outcome": outcome, "ms": 7 }));
    }

    fn asks(&mut self, call: ToolCallId, kind: &str) {
        let shows = match kind {
            "in_doubt" => json!({ "why": "it was stopped" }),
            _ => {
                json!({ "step": "a", "work": { "kind": "tool", "tool": "t/x", "args": {} }, "bytes": Fingerprint::of(&"b").unwrap(), "behind": Fingerprint::of(&"t/x of this definition").unwrap(),
                "fingerprint": Fingerprint::of(&"x").unwrap() })
            }
        };
        let allowed = if kind == "approval" { json!(["approve"]) } else { json!([]) };
        self.says(json!({ "type": "gate_opened", "call": call, "for": kind, "attempt": 1, "version": 0, "shows": shows, "allowed": allowed }));
    }

    fn next(&self) -> NextUnit {
        self.run.call(&Key::plain("a")).unwrap().next_unit()
    }

    fn state(&self, call: ToolCallId) -> ToolCallState {
        self.run.call(&Key::plain("a")).unwrap().tool_use().unwrap().call(call).unwrap().state.clone()
    }

    /// Another process reads the journal as it is written.
    fn read_again(&self) -> Run {
        let journal: Vec<Recorded> = self
            .journal
            .iter()
            .map(|recorded| {
                let text = serde_json::to_string(&recorded.event).unwrap();
                Recorded { event: Event::from_json(&text).unwrap(), ..recorded.clone() }
            })
            .collect();
        Run::fold(self.run.id, &journal).unwrap()
    }
}

fn read(event: &Value) -> Event {
    Event::from_json(&event.to_string()).unwrap_or_else(|error| panic!("{error}: {event}"))
}

#[test]
fn an_attempt_lists_asks_calls_and_asks_again() {
    let mut story = Story::begun(20);
    assert_eq!(story.next(), NextUnit::List);
    story.lists();
    assert_eq!(story.next(), NextUnit::Request);
    story.turn(1, &[json!({ "n": 1 }), json!({ "n": 2 })]);
    assert_eq!(story.next(), NextUnit::Calls(vec![id(1, 0), id(1, 1)]));
    story.asks(id(1, 1), "approval");
    assert_eq!(story.next(), NextUnit::Calls(vec![id(1, 0)]), "one waits, and the other does not");
    story.called(id(1, 0));
    assert_eq!((story.next(), story.run.under_way()), (NextUnit::Wait, 1));
    story.returned(id(1, 0));
    assert_eq!(
        (story.next(), story.run.under_way(), story.run.gates()),
        (NextUnit::Wait, 0, 1),
        "only a person is waited for"
    );
    story.says(json!({ "type": "call_approved", "call": id(1, 1), "fingerprint": Fingerprint::of(&"b").unwrap(), "by": "ana@host" }));
    assert_eq!((story.next(), story.run.under_way()), (NextUnit::Calls(vec![id(1, 1)]), 1));
    story.called(id(1, 1));
    story.returned(id(1, 1));
    assert_eq!(story.next(), NextUnit::Request);
    story.says(json!({ "type": "attempt_finished", "attempt": 1, "output": "all", "usage": { "input_tokens": 20, "output_tokens": 2, "usd": 0.25 }, "ms": 50 }));
    assert_eq!(story.next(), NextUnit::Nothing);
    let attempt = story.run.call(&Key::plain("a")).unwrap().newest().unwrap();
    assert_eq!(attempt.status, AttemptStatus::Review);
    assert_eq!(
        (attempt.measured.usage.tokens(), attempt.measured.ms),
        (33, 157),
        "of all requests; calls that ran side by side count once"
    );
    assert_eq!(attempt.measured.usage, story.run.usage, "each is counted once");
}

/// A person reads what one call asks for while another one of the turn runs.
#[test]
fn an_answer_about_a_call_stays_good_while_others_of_its_turn_return_and_not_once_it_asks_for_something_else() {
    let mut story = Story::begun(20);
    story.lists();
    story.turn(1, &[json!({}), json!({ "n": 1 }), json!({ "n": 2 })]);
    story.called(id(1, 0));
    story.asks(id(1, 1), "approval");
    let gate = story.run.waiting().next().unwrap().clone();
    let seen = Decision::about_seen(&story.run, &gate, DecisionKind::APPROVE);
    assert!(seen.seq.is_some());
    let by = Actor::Person;
    story.asks(id(1, 2), "approval");
    story.returned(id(1, 0));
    assert!(decide(&story.run, &seen, &by).is_ok(), "what it asks for is what was seen");
    story.asks(id(1, 1), "approval");
    let refused = decide(&story.run, &seen, &by).unwrap_err();
    assert_eq!(refused.code, ErrorCode::StaleView, "it was asked anew since");
}

/// A result that was made elsewhere, by a model that could call tools: nobody says here that it called none.
#[test]
fn what_was_made_elsewhere_with_tools_may_have_had_its_effect_there() {
    for (tools, had_effect) in [(json!({ "patterns": ["t/*"], "max_turns": 20 }), true), (Value::Null, false)] {
        let mut work = json!({ "kind": "prompt", "messages": [] });
        if !tools.is_null() {
            work["tools"] = tools;
        }
        let fingerprint = Fingerprint::of(&"x").unwrap();
        let mut story = Story::begun(20);
        let from = RunId::new(2, [2; 10]);
        story.says(
            json!({ "type": "call_adopted", "step": "a", "fingerprint": fingerprint, "output": "made", "work": work,
            "from": from }),
        );
        let adopted = story.run.call(&Key::plain("a")).unwrap();
        assert_eq!((adopted.newest().unwrap().number, adopted.had_effect()), (2, had_effect), "adopted");
        story.says_of(
            "b",
            json!({ "type": "call_moved", "from": "a", "attempt": 2, "version": 1, "fingerprint": fingerprint }),
        );
        assert_eq!(story.run.call(&Key::plain("b")).unwrap().had_effect(), had_effect, "moved");
        story.says_of(
            "c",
            json!({ "type": "attempt_started", "step": "c", "attempt": 1, "fingerprint": fingerprint, "by": "cache",
            "on_crash": "rerun", "work": work }),
        );
        assert_eq!(story.run.call(&Key::plain("c")).unwrap().had_effect(), had_effect, "taken from an earlier run");
    }
    let story = Story::begun(20);
    assert!(
        !story.run.call(&Key::plain("a")).unwrap().had_effect(),
        "of its own it is known that it has called nothing"
    );
}

#[test]
fn what_a_person_says_of_a_call_is_what_the_model_reads() {
    let said = |event: Value| {
        let mut story = Story::begun(20);
        story.lists();
        story.turn(1, &[json!({})]);
        story.asks(id(1, 0), "approval");
        story.says(event);
        story
    };
    let by = "ana@host";
    let fingerprint = Fingerprint::of(&"b").unwrap();
    let denied = said(json!({ "type": "call_failed", "call": "1.0", "step": "a", "fingerprint": fingerprint, "by": by,
        "error": { "class": "denied", "message": "not on a Friday" } }));
    let answered =
        said(json!({ "type": "call_answered", "call": "1.0", "attempt": 1, "value": { "free": true }, "by": by }));
    let skipped =
        said(json!({ "type": "call_skipped", "call": "1.0", "step": "a", "because": "left out by ana", "by": by }));
    for (story, wanted) in [(&denied, "not on a Friday"), (&answered, "free"), (&skipped, "left out by ana")] {
        assert_eq!((story.next(), story.run.gates()), (NextUnit::Request, 0));
        let call = story.run.call(&Key::plain("a")).unwrap().tool_use().unwrap().call(id(1, 0)).unwrap();
        let read = serde_json::to_string(&*call.returned().unwrap()).unwrap();
        assert!(read.contains(wanted), "{read}");
    }
    let changed = said(
        json!({ "type": "call_approved", "call": "1.0", "fingerprint": fingerprint, "by": by, "arguments": { "n": 9 }, "for_run": true }),
    );
    assert_eq!(changed.next(), NextUnit::Calls(vec![id(1, 0)]));
    let call = changed.run.call(&Key::plain("a")).unwrap().tool_use().unwrap().call(id(1, 0)).unwrap();
    assert_eq!((&**call.arguments(), &*call.asked.arguments), (&json!({ "n": 9 }), &json!({})));
    let behind = Fingerprint::of(&"t/x of this definition").unwrap();
    assert!(changed.run.tools.is_allowed(Some(&behind)));
    assert!(!changed.run.tools.is_allowed(Some(&fingerprint)), "another tool of that name");
}

/// A call that had begun and that a person, or a deadline, gave up: a model that read that it was not made would make it
/// once more.
#[test]
fn of_a_call_that_may_have_happened_the_model_never_reads_that_it_was_not_made() {
    let given_up = |doubt: bool, event: Value| {
        let mut story = Story::begun(20);
        story.lists();
        story.turn(1, &[json!({})]);
        if doubt {
            story.says(json!({ "type": "tool_called", "attempt": 1, "call": "1.0", "tool": "t/x", "arguments": {} }));
            story.asks(id(1, 0), "in_doubt");
        } else {
            story.asks(id(1, 0), "approval");
        }
        story.says(event);
        let call = story.run.call(&Key::plain("a")).unwrap().tool_use().unwrap().call(id(1, 0)).unwrap();
        let CallReturn::Failed { error } = &*call.returned().unwrap() else { panic!("{:?}", call.returned()) };
        (error.class, error.message.clone())
    };
    let skipped = |by: &str| json!({ "type": "call_skipped", "call": "1.0", "step": "a", "because": format!("left out by {by}"), "by": by });
    let failed = |by: &str| {
        let error = json!({ "class": "denied", "message": "nobody decided within 1h" });
        json!({ "type": "call_failed", "call": "1.0", "step": "a", "fingerprint": Fingerprint::of(&"b").unwrap(), "by": by, "error": error })
    };
    for event in [skipped("ana@host"), skipped("deadline"), failed("deadline")] {
        let (class, read) = given_up(true, event);
        assert!(read.contains("may have taken effect") && !read.contains("not called"), "{read}");
        assert_eq!(class, FailureClass::Tool, "it is nobody's refusal");
    }
    for event in [skipped("ana@host"), failed("deadline")] {
        let (class, read) = given_up(false, event);
        assert!(read.starts_with("not called: ") && class == FailureClass::Tool, "{class:?} {read}");
    }
    let (class, read) = given_up(false, failed("ana@host"));
    assert_eq!((class, &*read), (FailureClass::Denied, "nobody decided within 1h"), "a person refused");
}

#[test]
fn a_model_that_goes_round_in_circles_is_stopped_before_it_calls_again() {
    let turns = |story: &Story| match story.next() {
        NextUnit::GiveUp(failure) => failure.class == FailureClass::Turns,
        _ => false,
    };
    let mut story = Story::begun(3);
    story.lists();
    for turn in 1..=3 {
        assert!(!turns(&story));
        story.turn(turn, &[json!({ "turn": turn })]);
        if turn < 3 {
            story.called(id(turn, 0));
            story.returned(id(turn, 0));
        }
    }
    assert!(turns(&story), "it has taken its turns: {:?}", story.next());

    // The same three times in a row, in turns or beside each other; not when something else came between.
    for (calls, stopped) in [
        (vec![vec!["x"], vec!["x"], vec!["x"]], true),
        (vec![vec!["x", "x"], vec!["x"]], true),
        (vec![vec!["x", "x", "x"]], true),
        (vec![vec!["x"], vec!["x"], vec!["y"], vec!["x"]], false),
        (vec![vec!["x", "y"], vec!["x"], vec!["x"]], false),
    ] {
        let mut story = Story::begun(20);
        story.lists();
        for (turn, arguments) in (1..).zip(&calls) {
            assert!(!turns(&story), "{calls:?}");
            let arguments: Vec<Value> = arguments.iter().map(|path| json!({ "path": path })).collect();
            story.turn(turn, &arguments);
            if turn as usize == calls.len() {
                break;
            }
            for index in 0..u32::try_from(arguments.len()).unwrap() {
                story.called(id(turn, index));
                story.returned(id(turn, index));
            }
        }
        assert_eq!(turns(&story), stopped, "{calls:?}: {:?}", story.next());
    }
}

#[test]
fn a_request_that_failed_is_sent_again_in_its_attempt_and_a_person_may_have_it_go_on() {
    let mut story = Story::begun(20);
    story.lists();
    story.turn(1, &[json!({})]);
    story.called(id(1, 0));
    story.returned(id(1, 0));
    let failed = |retry: Option<&str>, class: &str| {
        let mut event = json!({ "type": "attempt_failed", "attempt": 1, "error": { "class": class, "message": "no" }, "usage": { "input_tokens": 1, "output_tokens": 0, "usd": 0.0 } });
        if let Some(at) = retry {
            event["retry_at"] = json!(at);
        }
        event
    };
    story.says(failed(Some("1970-01-01T00:01:00Z"), "rate_limit"));
    let call = |story: &Story| story.run.call(&Key::plain("a")).unwrap().clone();
    assert_eq!((call(&story).status, story.next()), (CallStatus::Pending, NextUnit::Nothing));
    assert!(call(&story).tool_use().unwrap().resumes);
    story.says(json!({ "type": "attempt_resumed", "attempt": 1 }));
    assert_eq!((call(&story).tries, story.next()), (2, NextUnit::Request));
    story.says(failed(None, "server"));
    assert!(!call(&story).tool_use().unwrap().resumes, "its tries are used up");
    let again = json!({ "type": "call_requested", "by": "ana@host" });
    story.says(again.clone());
    assert!(call(&story).tool_use().unwrap().resumes, "what was read and written stays done");
    story.says(json!({ "type": "attempt_resumed", "attempt": 1 }));
    story.turn(2, &[json!({})]);
    assert_eq!((call(&story).tries, call(&story).attempts.len()), (1, 1));
    assert_eq!(call(&story).newest().unwrap().measured.usage.tokens(), 24);
    // What failed by what the model did is made from its beginning.
    story.says(failed(None, "turns"));
    story.says(again);
    assert!(!call(&story).tool_use().unwrap().resumes);
}

#[test]
fn what_was_stopped_and_is_not_in_doubt_is_called_again_and_what_may_have_happened_is_asked_about() {
    let mut story = Story::begun(20);
    story.lists();
    story.turn(1, &[json!({ "n": 1 }), json!({ "n": 2 }), json!({ "n": 3 })]);
    story.called(id(1, 0));
    story.called(id(1, 1));
    story.asks(id(1, 2), "approval");
    story.asks(id(1, 1), "in_doubt");
    assert_eq!(story.run.call(&Key::plain("a")).unwrap().status, CallStatus::InDoubt, "that comes first");
    story.says(json!({ "type": "attempt_resumed", "attempt": 1, "usage": { "input_tokens": 5, "output_tokens": 5, "usd": 1.0, "estimated": true } }));
    assert_eq!(story.next(), NextUnit::Calls(vec![id(1, 0)]));
    assert_eq!((story.run.gates(), story.run.usage.tokens()), (2, 21));
    story.called(id(1, 0));
    story.returned(id(1, 0));
    assert_eq!((story.next(), story.run.under_way()), (NextUnit::Wait, 0));
    story.says(json!({ "type": "call_requested", "call": "1.1", "by": "ana@host" }));
    assert_eq!(story.next(), NextUnit::Calls(vec![id(1, 1)]), "a person wants it again");
    // Paused before that: what was only asked about is asked about again, what is wanted again is still.
    story.says(json!({ "type": "attempt_cancelled", "attempt": 1, "again": true, "by": "ana@host" }));
    assert_eq!((story.run.gates(), story.run.under_way(), story.next()), (0, 0, NextUnit::Nothing));
    story.says(json!({ "type": "attempt_resumed", "attempt": 1 }));
    assert_eq!(story.next(), NextUnit::Calls(vec![id(1, 1), id(1, 2)]));
}

proptest! {
    /// Whatever is asked for, allowed, answered, failed and stopped: after every event another process that reads the
    /// journal wants the same; and no call begins twice but those of which it is known that they may.
    #[test]
    fn whoever_reads_a_journal_wants_the_same_and_nothing_is_called_twice_unasked(
        turns in prop::collection::vec(prop::collection::vec(any::<(bool, bool)>(), 1..4), 1..5),
        choices in prop::collection::vec(0_u8..10, 0..120),
    ) {
        let mut story = Story::begun(20);
        let mut choices = choices.into_iter();
        let mut begun: BTreeMap<ToolCallId, (u32, u32)> = BTreeMap::new();
        let mut asked = 0;
        for _ in 0..300 {
            let again = story.read_again();
            prop_assert_eq!(&again, &story.run);
            let call = story.run.call(&Key::plain("a")).unwrap().clone();
            let choice = choices.next().unwrap_or(5);
            let idempotent = |id: ToolCallId| turns[id.turn as usize - 1][id.index as usize].0;
            let needs_approval = |id: ToolCallId| turns[id.turn as usize - 1][id.index as usize].1;
            let open: Vec<_> = call.tool_use().into_iter().flat_map(super::ToolUse::open).cloned().collect();
            let at_work: Vec<ToolCallId> = open.iter().filter(|call| call.state == ToolCallState::Called).map(|call| call.asked.call).collect();
            if choice == 0 {
                // The process dies; the next one takes it up.
                for id in at_work.iter().filter(|id| !idempotent(**id)) {
                    story.asks(*id, "in_doubt");
                }
                for id in at_work.iter().filter(|id| idempotent(**id)) {
                    begun.get_mut(id).unwrap().1 += 1;
                }
                story.says(json!({ "type": "attempt_resumed", "attempt": 1 }));
                continue;
            }
            if choice > 2 && let Some(id) = at_work.first() {
                story.returned(*id);
                continue;
            }
            let gate = call.gates.iter().find_map(|gate| Some((gate.call?, gate.kind())));
            match (story.next(), gate) {
                (NextUnit::List, _) => story.lists(),
                (NextUnit::Request, _) if asked == turns.len() => {
                    story.says(json!({ "type": "attempt_finished", "attempt": 1, "output": "done" }));
                }
                (NextUnit::Request, _) => {
                    let turn = u32::try_from(asked).unwrap() + 1;
                    let arguments: Vec<Value> = (0..turns[asked].len()).map(|n| json!({ "n": [turn, n] })).collect();
                    story.turn(turn, &arguments);
                    asked += 1;
                }
                (NextUnit::Calls(ids), _) if choice % 2 == 0 || gate.is_none() => {
                    let state = story.state(ids[0]);
                    if needs_approval(ids[0]) && state == ToolCallState::Asked {
                        story.asks(ids[0], "approval");
                    } else {
                        let (times, allowed) = begun.entry(ids[0]).or_default();
                        *times += 1;
                        prop_assert!(*times <= 1 + *allowed, "{} begins again, and nobody wants that", ids[0]);
                        story.called(ids[0]);
                    }
                }
                (_, Some((id, kind))) => {
                    let event = match (kind.name(), choice % 3) {
                        ("in_doubt", 0) => {
                            begun.get_mut(&id).unwrap().1 += 1;
                            json!({ "type": "call_requested", "call": id, "by": "ana@host" })
                        }
                        (_, 1) => json!({ "type": "call_answered", "call": id, "attempt": 1, "value": 1, "by": "ana@host" }),
                        ("in_doubt", _) => json!({ "type": "call_skipped", "call": id, "step": "a", "because": "no", "by": "ana@host" }),
                        _ => json!({ "type": "call_approved", "call": id, "fingerprint": Fingerprint::of(&"b").unwrap(), "by": "ana@host" }),
                    };
                    story.says(event);
                }
                (NextUnit::Nothing, None) => break,
                (NextUnit::Wait, None) => {
                    prop_assert!(!at_work.is_empty(), "it waits for nothing");
                    story.returned(at_work[0]);
                }
                (NextUnit::GiveUp(failure), _) => prop_assert!(false, "{}", failure.message),
                (NextUnit::Calls(_), None) => unreachable!(),
            }
        }
        let used = story.run.call(&Key::plain("a")).unwrap().tool_use().unwrap().clone();
        let ended = used.calls().all(|call| call.end().is_some_and(|end| !matches!(end, ToolCallEnd::Denied { .. })));
        prop_assert!(ended);
        prop_assert_eq!(story.next(), NextUnit::Nothing);
        prop_assert_eq!(story.run.under_way(), 0);
    }
}

#[test]
fn the_time_in_which_a_person_is_asked_about_a_call_is_no_work() {
    let at = |seconds: i64| DateTime::<Utc>::UNIX_EPOCH + chrono::TimeDelta::seconds(seconds);
    let mut story = Story::begun(5);
    assert_eq!(story.run.worked(at(3)), 1_000, "its tools are being listed");
    story.lists();
    story.turn(1, &[json!({})]);
    story.asks(id(1, 0), "approval");
    assert_eq!(story.run.worked(at(100_000)), 100);
    story.says(json!({ "type": "call_approved", "call": "1.0", "fingerprint": Fingerprint::of(&"b").unwrap(), "by": "ana@host" }));
    story.called(id(1, 0));
    assert_eq!(story.run.worked(at(10)), 3_100, "it is being called since the seventh second");
    story.returned(id(1, 0));
    assert_eq!(story.run.worked(at(9)), 1_107, "the model is asked");
}
