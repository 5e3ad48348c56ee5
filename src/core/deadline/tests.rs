//! What answers each kind of gate when its time is up.

use serde_json::Value;

use super::*;
use crate::core::call::Ending;
use crate::core::decide::{Decision, DecisionKind, decide};
use crate::core::event::{Created, Measured, Started};
use crate::core::form::Field;
use crate::core::gate::{
    ApprovalBody, BudgetBody, GateKind, InDoubtBody, InputBody, ReviewBody, SecretBody, StaleBody,
};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::usage::{Budget, Usage};
use crate::core::work::{CommandWork, Work};

fn fingerprint(of: &str) -> Fingerprint {
    Fingerprint::of_bytes(of.as_bytes())
}

/// A run with one step whose gates have a minute, and an attempt that was made for what `old` stands for.
fn run(then: OnTimeout) -> Run {
    let created: Created = serde_json::from_value(json!({
        "task": "t", "kind": "workflow", "title": "t", "by": "a@b", "cwd": "/", "inputs": {},
        "definition": "0".repeat(64), "nonce": "n"
    }))
    .unwrap();
    let mut run = Run::new(RunId::new(1, [7; 10]), DateTime::UNIX_EPOCH, &created);
    let within = Timespan(60_000);
    run.deadlines = Arc::new(Deadlines(vec![Deadline { workflow: None, step: "write".to_owned(), within, then }]));
    let started = json!({
        "key": "write", "step": "write", "attempt": 1, "fingerprint": fingerprint("old"), "by": "model", "on_crash": "ask"
    });
    apply(&mut run, Event::AttemptStarted(serde_json::from_value::<Started>(started).unwrap()));
    run
}

#[expect(clippy::needless_pass_by_value, reason = "a test writes its events in place")]
fn apply(run: &mut Run, event: Event) {
    run.apply(run.seq + 1, DateTime::UNIX_EPOCH, &event);
}

fn finish(run: &mut Run, output: Value) {
    let (key, measured) = (Key::plain("write"), Measured::default());
    apply(run, Event::AttemptFinished { key, attempt: 1, output: Arc::new(output), problem: None, measured });
}

fn gate(body: GateBody, allowed: Vec<Answer>) -> Gate {
    Gate { key: Key::plain("write"), workflow: None, call: None, attempt: 1, version: 0, body, allowed }
}

fn review(review: ReviewBody) -> Gate {
    Gate::of_review(Key::plain("write"), 1, 1, review)
}

fn form(default: Option<Value>) -> Gate {
    let fields = vec![Field { name: "n".to_owned(), default, ..Field::default() }];
    gate(GateBody::Input(InputBody::Form { text: None, fields }), vec![Answer::Answer, Answer::Skip])
}

/// A gate of each kind, with what its call is asked to do while it is open.
fn every_gate() -> Vec<(Gate, &'static str)> {
    let (step, work) = ("write".to_owned(), Arc::new(Work::Command(CommandWork::default())));
    let approval = ApprovalBody {
        step,
        work,
        bytes: fingerprint("bytes"),
        fingerprint: fingerprint("new"),
        behind: None,
        title: None,
        message: None,
    };
    let (spent, next, budget) = (Usage::default(), Usage::default(), Budget::default());
    let new = || Some(fingerprint("new"));
    vec![
        (review(ReviewBody::default()), "old"),
        (gate(GateBody::Approval(approval), vec![Answer::Approve, Answer::Deny]), "new"),
        (form(Some(json!("x"))), "old"),
        (gate(GateBody::InDoubt(InDoubtBody { why: String::new(), partial: "".into() }), vec![Answer::Again]), "old"),
        (
            gate(
                GateBody::Stale(StaleBody {
                    because: vec![],
                    had_effect: false,
                    fingerprint: fingerprint("new"),
                    document: None,
                }),
                vec![Answer::Again],
            ),
            "new",
        ),
        (gate(GateBody::Budget(BudgetBody { spent, budget, next, fingerprint: new() }), vec![Answer::Budget]), "new"),
        (gate(GateBody::Secret(SecretBody { name: "s".to_owned(), fingerprint: new() }), vec![Answer::Answer]), "new"),
    ]
}

fn later() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(1)
}

#[test]
fn a_call_fails_at_what_its_gate_asks_for_whatever_was_tried_before() {
    let kinds: Vec<GateKind> = every_gate().iter().map(|(gate, _)| gate.kind()).collect();
    assert_eq!(kinds.len(), 7, "a gate of each kind: {kinds:?}");
    for (gate, asked) in every_gate() {
        let kind = gate.kind();
        let mut run = run(OnTimeout::Fail);
        finish(&mut run, json!("text"));
        apply(&mut run, Event::GateOpened(gate));
        assert_eq!(run.overdue(later() - TimeDelta::milliseconds(1)), [], "{kind}");
        let late = run.overdue(later());
        let [Event::CallFailed { fingerprint: at, error, by, .. }] = late.as_slice() else {
            panic!("{kind}: {late:?}")
        };
        assert_eq!((at, by), (&fingerprint(asked), &Actor::Deadline), "{kind}");
        assert_eq!((error.class, error.message.as_str()), (FailureClass::Timeout, "nobody decided within 1m"));
        apply(&mut run, late[0].clone());
        let call = run.call(&Key::plain("write")).unwrap();
        assert!(matches!(&call.ending, Some(Ending::Failed { fingerprint: at, .. }) if *at == fingerprint(asked)));
        assert_eq!((run.gates(), run.next_due()), (0, None), "{kind}");
    }
}

#[test]
fn a_kept_output_that_was_taken_up_again_fails_at_what_it_was_kept_for() {
    let mut run = run(OnTimeout::Fail);
    finish(&mut run, json!("text"));
    let (key, by) = (Key::plain("write"), Actor::Person);
    apply(
        &mut run,
        Event::CallAccepted { key: key.clone(), attempt: 1, version: 1, by: by.clone(), overridden: Vec::new() },
    );
    apply(&mut run, Event::CallStaled { key: key.clone(), fingerprint: fingerprint("new"), because: Vec::new() });
    apply(&mut run, Event::CallKept { key: key.clone(), fingerprint: fingerprint("new"), by: by.clone() });
    for event in decide(&run, &Decision::new(key, DecisionKind::Reopen), &by).unwrap() {
        apply(&mut run, event);
    }
    let late = run.overdue(later());
    assert!(matches!(&late[..], [Event::CallFailed { fingerprint: at, .. }] if *at == fingerprint("new")), "{late:?}");
}

#[test]
fn a_budget_that_an_older_version_asked_for_stays_for_a_person() {
    let mut run = run(OnTimeout::Fail);
    let asked = json!({ "key": "other", "for": "budget", "attempt": 0, "version": 0, "allowed": ["budget"],
        "shows": { "spent": Usage::default(), "budget": Budget::default(), "next": Usage::default() } });
    run.deadlines = Arc::new(Deadlines(vec![Deadline {
        workflow: None,
        step: "other".to_owned(),
        within: Timespan(1),
        then: OnTimeout::Fail,
    }]));
    apply(&mut run, Event::GateOpened(serde_json::from_value(asked).unwrap()));
    assert_eq!((run.gates(), run.next_due(), run.overdue(later())), (1, None, Vec::new()));
}

#[test]
fn accept_takes_what_a_person_could_take_as_it_is_and_nothing_that_was_cut_or_stopped() {
    let checks = ReviewBody { failed: vec!["too long".to_owned()], ..ReviewBody::default() };
    let cut = ReviewBody { cut: true, ..ReviewBody::default() };
    let stopped = ReviewBody { cancelled: true, ..ReviewBody::default() };
    let unfit = ReviewBody { problem: Some("no list".to_owned()), ..ReviewBody::default() };
    let takes = [
        (review(ReviewBody::default()), true),
        (review(checks), true),
        (review(cut), false),
        (review(stopped), false),
        (review(unfit), false),
        (form(Some(json!("x"))), true),
        (form(None), false),
    ];
    let others = every_gate()
        .into_iter()
        .map(|(gate, _)| gate)
        .filter(|gate| !matches!(gate.kind(), GateKind::Review | GateKind::Input));
    for (gate, taken) in takes.into_iter().chain(others.map(|gate| (gate, false))) {
        let mut run = run(OnTimeout::Accept);
        finish(&mut run, json!("text"));
        apply(&mut run, Event::GateOpened(gate.clone()));
        let late = run.overdue(later());
        assert_eq!(late.len(), usize::from(taken), "{gate:?}");
        // What nobody will do is not announced either.
        assert_eq!(run.due(&gate).is_some(), taken, "{gate:?}");
        match late.first() {
            Some(Event::CallAccepted { by, overridden, .. }) => {
                assert_eq!((by, overridden.as_slice()), (&Actor::Deadline, gate.failed_checks()));
            }
            Some(Event::CallAnswered { by, value, .. }) => {
                assert_eq!((by, &**value), (&Actor::Deadline, &json!({ "n": "x" })));
            }
            other => assert!(!taken, "{other:?}"),
        }
    }
}

#[test]
fn a_reader_is_told_the_time_and_what_will_be_done() {
    for (then, word) in [(OnTimeout::Skip, "skip"), (OnTimeout::Fail, "fail"), (OnTimeout::Accept, "accept")] {
        let due = Due { at: later(), then };
        assert_eq!(due.words(DateTime::UNIX_EPOCH, &Utc), format!("deadline 1970-01-01 00:01: will {word}"));
        assert_eq!(due.words(later(), &Utc), format!("deadline passed: will {word}"));
        // In a list there is less room.
        assert_eq!(due.short(DateTime::UNIX_EPOCH, &Utc), "by 00:01");
        assert_eq!(due.short(later(), &Utc), format!("overdue: will {word}"));
        assert_eq!(due.short(DateTime::UNIX_EPOCH - TimeDelta::hours(1), &Utc), "by 1 Jan");
    }
}

#[test]
fn what_is_over_or_written_by_a_newer_version_is_left_alone() {
    let mut run = run(OnTimeout::Skip);
    finish(&mut run, json!("text"));
    apply(&mut run, Event::GateOpened(review(ReviewBody::default())));
    assert_eq!(run.overdue(later()).len(), 1);
    let newer = Run { newer: true, ..run.clone() };
    apply(&mut run, Event::RunCancelled { by: Actor::Person });
    assert_eq!((newer.overdue(later()), run.overdue(later())), (Vec::new(), Vec::new()));
}
