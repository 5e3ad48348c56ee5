//! Events that nobody thought of.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use stepwell::core::actor::Actor;
use stepwell::core::event::{Event, InstructionScope, Measured, PauseReason};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{Answer, BudgetBody, Gate, GateBody, InputBody, ReviewBody};
use stepwell::core::usage::{Budget, Usage};

use super::common::*;

/// The calls that they are about.
pub const KEYS: [&str; 3] = ["plan", "write[0]", "write[1]"];

/// An event of a run. Its words are of the letters a to d.
pub fn event() -> impl Strategy<Value = Event> {
    (0..KEYS.len(), 0..KEYS.len(), 1u32..3, 0u32..26, "[a-d]{2,4}").prop_map(|(at, other, attempt, which, word)| {
        let key = key(KEYS[at]);
        let by = Actor::named("ana");
        let gate = |body| {
            let allowed = vec![Answer::Accept];
            Event::GateOpened(Gate { call: None, key: key.clone(), workflow: None, attempt, version: 1, body, allowed })
        };
        let output = Arc::new(json!({ "text": word }));
        let fingerprint = fingerprint(KEYS[at]);
        let error = Failure::new(FailureClass::Server, "it fell over");
        let step = key.step().to_owned();
        match which {
            0 | 1 => started(KEYS[at], attempt),
            2 | 3 => finished(KEYS[at], attempt, (*output).clone()),
            4 => gate(GateBody::Review(ReviewBody::default())),
            5 => gate(GateBody::Input(InputBody::Form { text: None, fields: Vec::new() })),
            6 => {
                let (spent, budget, next) = (Usage::default(), Budget::default(), Usage::default());
                gate(GateBody::Budget(BudgetBody { spent, budget, next, fingerprint: None }))
            }
            7 => accepted(KEYS[at], attempt),
            8 => Event::VersionEdited { key, attempt, version: 2, output, by },
            9 => Event::AttemptRejected { key, attempt, instruction: word, scope: InstructionScope::Remaining, by },
            10 => Event::CallAnswered { call: None, key, attempt, value: output, by },
            11 => Event::CallSkipped { call: None, key, step, because: word, cause: None, by },
            12 => Event::CallFailed { call: None, key, step, fingerprint, error, failed: Vec::new(), by },
            13 => Event::CallStaled { key, fingerprint, because: Vec::new() },
            14 => Event::CallMoved { key, from: KEYS[other].parse().unwrap(), attempt, version: 1, fingerprint },
            15 => Event::CallRequested { call: None, key, by },
            16 => Event::MessageAdded { text: word, by },
            17 => Event::BudgetRaised { budget: Budget::default(), by },
            18 => Event::RunWaiting {},
            19 => Event::RunPaused { reason: PauseReason::ByYou },
            20 => Event::RunCompleted { title: word.clone().into(), body: "done".into() },
            21 => Event::RunFailed { key: Some(key), error },
            22 => Event::AttemptCancelled {
                key,
                attempt,
                partial: word.into(),
                again: at == 0,
                by,
                measured: Measured::default(),
            },
            23 => Event::AttemptFailed {
                key,
                attempt,
                error,
                partial: word.into(),
                retry_at: None,
                measured: Measured::default(),
            },
            24 => Event::RunRenamed { title: word, by },
            _ => Event::RunCancelled { by },
        }
    })
}
