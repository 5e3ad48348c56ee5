//! Tool calls of one turn that wait at the same time, in runs that are made up: nothing asks for a tool call yet.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::core::call::CallStatus;
use crate::core::code::ErrorCode;
use crate::core::decide::{Decision, DecisionKind, Refusal, decide};
use crate::core::event::{Created, Event, Started};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, ApprovalBody, GateBody, InDoubtBody, InputBody};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::work::Work;

fn key() -> Key {
    "write".parse().unwrap()
}

fn id(name: &str) -> ToolCallId {
    name.parse().unwrap()
}

fn work(tool: &str) -> Work {
    Work::tool(tool, json!({}))
}

fn gate(call: Option<ToolCallId>, kind: GateKind) -> Gate {
    let named = call.map(|call| call.to_string()).unwrap_or_default();
    let (body, allowed) = match kind {
        GateKind::Input => (GateBody::Input(InputBody::Form { text: None, fields: Vec::new() }), vec![Answer::Answer]),
        GateKind::InDoubt => (
            GateBody::InDoubt(InDoubtBody { why: "no answer".to_owned(), partial: "".into() }),
            vec![Answer::Again, Answer::Skip],
        ),
        _ => {
            let bytes = Fingerprint::of(&work(&named)).unwrap();
            let (step, fingerprint) = ("write".to_owned(), bytes.clone());
            let body = ApprovalBody {
                step,
                work: work(&named).into(),
                bytes,
                behind: None,
                fingerprint,
                title: None,
                message: None,
            };
            (GateBody::Approval(body), vec![Answer::Approve, Answer::Deny])
        }
    };
    Gate { key: key(), workflow: None, call, attempt: 1, version: 0, body, allowed }
}

/// A run whose model is in the middle of an attempt.
struct Made(Run);

impl Made {
    fn new() -> Self {
        let created: Created = serde_json::from_value(json!({
            "task": "t", "kind": "workflow", "title": "t", "by": "a@b", "cwd": "/", "inputs": {},
            "definition": "0".repeat(64), "nonce": "n"
        }))
        .unwrap();
        let mut made = Self(Run::new(RunId::new(1, [7; 10]), DateTime::UNIX_EPOCH, &created));
        let started: Started = serde_json::from_value(json!({
            "key": "write", "step": "write", "attempt": 1, "fingerprint": "1".repeat(64), "by": "model",
            "on_crash": "rerun"
        }))
        .unwrap();
        made.add(&Event::AttemptStarted(started));
        made
    }

    fn add(&mut self, event: &Event) {
        let seq = self.0.seq + 1;
        self.0.apply(seq, DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(seq).unwrap()), event);
    }

    fn opens(&mut self, call: Option<ToolCallId>, kind: GateKind) {
        self.add(&Event::GateOpened(gate(call, kind)));
    }

    fn decides(&mut self, call: Option<ToolCallId>, kind: DecisionKind) -> Result<(), Refusal> {
        let decision = Decision { call, ..Decision::new(key(), kind) };
        let events = decide(&self.0, &decision, &"a@b".into())?;
        for event in &events {
            self.add(event);
        }
        Ok(())
    }

    fn status(&self) -> CallStatus {
        self.0.call(&key()).unwrap().status
    }

    fn waits(&self) -> Vec<String> {
        self.0.waiting().map(|gate| format!("{} {}", gate.name(), gate.kind())).collect()
    }
}

/// An answer that the kind takes.
fn answer(kind: GateKind, first: bool) -> DecisionKind {
    match (kind, first) {
        (GateKind::Input, _) => DecisionKind::Answer { value: json!({}) },
        (GateKind::InDoubt, true) => DecisionKind::Again { model: None },
        (GateKind::InDoubt, false) => DecisionKind::Skip,
        (_, true) => DecisionKind::APPROVE,
        (_, false) => DecisionKind::Deny { reason: "no".to_owned() },
    }
}

#[test]
fn tool_calls_of_one_turn_wait_side_by_side_and_an_answer_to_one_leaves_the_others() {
    let mut run = Made::new();
    run.opens(Some(id("2.0")), GateKind::Approval);
    run.opens(Some(id("2.1")), GateKind::Approval);
    run.opens(Some(id("2.2")), GateKind::Input);
    assert_eq!(
        run.waits(),
        ["write, tool call 2.0 approval", "write, tool call 2.1 approval", "write, tool call 2.2 input"]
    );
    assert_eq!((run.0.gates(), run.0.under_way(), run.status()), (3, 1, CallStatus::Approval));
    run.decides(Some(id("2.1")), DecisionKind::APPROVE).unwrap();
    assert!(run.0.approved.contains(&Fingerprint::of(&work("2.1")).unwrap()));
    run.decides(Some(id("2.0")), DecisionKind::Deny { reason: "no".to_owned() }).unwrap();
    assert_eq!((run.waits(), run.status()), (vec!["write, tool call 2.2 input".to_owned()], CallStatus::Input));
    run.decides(Some(id("2.2")), DecisionKind::Answer { value: json!({}) }).unwrap();
    assert_eq!((run.waits().len(), run.0.under_way(), run.status()), (0, 1, CallStatus::Running));
}

#[test]
fn a_decision_that_names_no_tool_call_is_about_the_only_one_that_waits() {
    let mut run = Made::new();
    run.opens(Some(id("2.0")), GateKind::Approval);
    run.opens(Some(id("2.1")), GateKind::Approval);
    let refused = run.decides(None, DecisionKind::APPROVE).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Ambiguous);
    assert!(refused.message.contains("--call 2.0 (approval), --call 2.1 (approval)"), "{refused}");
    assert_eq!(run.0.gates(), 2);
    run.decides(Some(id("2.0")), DecisionKind::APPROVE).unwrap();
    let refused = run.decides(Some(id("2.0")), DecisionKind::APPROVE).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotWaiting);
    assert!(refused.message.contains("`write` --call 2.1"), "{refused}");
    run.decides(None, DecisionKind::APPROVE).unwrap();
    assert_eq!(run.0.gates(), 0);
}

#[test]
fn what_judges_the_whole_output_is_no_answer_to_a_tool_call() {
    let mut run = Made::new();
    let mut review = Gate::of_review(key(), 1, 1, crate::core::gate::ReviewBody::default());
    review.call = Some(id("2.0"));
    run.add(&Event::GateOpened(review));
    for what in [
        DecisionKind::Accept,
        DecisionKind::Retry {
            instruction: String::new(),
            scope: crate::core::event::InstructionScope::This,
            model: None,
        },
    ] {
        assert!(run.decides(Some(id("2.0")), what).is_err());
    }
}

#[test]
fn the_same_thing_in_another_version_waits_no_shorter() {
    let mut run = Made::new();
    run.opens(Some(id("2.0")), GateKind::Approval);
    run.opens(Some(id("2.1")), GateKind::Approval);
    let since = |run: &Made| run.0.call(&key()).unwrap().gates.since().map(|(_, since)| since).collect::<Vec<_>>();
    let before = since(&run);
    run.opens(Some(id("2.0")), GateKind::Approval);
    assert_eq!(since(&run), before);
    run.opens(Some(id("2.0")), GateKind::Input);
    assert!(since(&run)[0] > before[1], "something else waits now");
}

#[test]
fn a_gate_of_a_tool_call_says_which() {
    let json = serde_json::to_value(gate(Some(id("2.0")), GateKind::Input)).unwrap();
    assert_eq!((&json["key"], &json["call"]), (&json!("write"), &json!("2.0")));
    assert_eq!(serde_json::from_value::<Gate>(json).unwrap(), gate(Some(id("2.0")), GateKind::Input));
    assert_eq!(serde_json::to_value(gate(None, GateKind::Input)).unwrap().get("call"), None);
    let decision: Decision =
        serde_json::from_value(json!({"key": "write", "call": "2.0", "decide": "approve"})).unwrap();
    assert_eq!((decision.call, decision.kind), (Some(id("2.0")), DecisionKind::APPROVE));
}

proptest! {
    /// Opened, opened again and answered in any order: what waits is what was opened and not answered.
    #[test]
    fn what_waits_is_what_was_opened_and_not_answered(
        steps in prop::collection::vec((any::<bool>(), 0u32..4, 0usize..3, any::<bool>()), 0..40)
    ) {
        let mut run = Made::new();
        let mut open = BTreeMap::new();
        for (opens, which, kind, first) in steps {
            let call = which.checked_sub(1).map(|index| ToolCallId { turn: index / 2, index: index % 2 });
            // Of the call as a whole an approval: other answers end the call, and with it what its tool calls wait for.
            let kind = if call.is_none() { GateKind::Approval } else { [GateKind::Approval, GateKind::Input, GateKind::InDoubt][kind] };
            if opens {
                run.opens(call, kind);
                open.insert(call, kind);
            } else if let (Some(kind), true) = (open.get(&call).copied(), call.is_some() || first) {
                prop_assert_eq!(run.decides(call, answer(kind, first)), Ok(()));
                open.remove(&call);
            } else if call.is_some() {
                prop_assert!(run.decides(call, answer(kind, first)).is_err());
            }
            let mut waits: Vec<_> = run.0.waiting().map(|gate| (gate.call, gate.kind())).collect();
            waits.sort_by_key(|(call, _)| *call);
            prop_assert_eq!(waits, open.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(run.0.gates(), open.len());
        }
    }
}
