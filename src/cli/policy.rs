//! Who answers when no person is asked: what `--review` and `--approve` say. Never in doubt, stale, budget or secret.

use serde_json::json;

use super::args::{Approve, Review};
use crate::core::decide::DecisionKind;
use crate::core::gate::{Answer, Gate, GateBody, ReviewBody};
use crate::core::run::Run;
use crate::core::task::Kind;

/// What is answered without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Reviews and forms.
    pub review: Review,
    /// Effects.
    pub approve: Approve,
}

impl Policy {
    /// The answer to a gate; `None`: a person has to.
    #[must_use]
    pub fn answer(self, run: &Run, gate: &Gate) -> Option<DecisionKind> {
        // What a person stopped begins again only if a person says so.
        if run.call(&gate.key).is_some_and(|call| call.was_stopped(gate)) {
            return None;
        }
        match &gate.body {
            GateBody::Review(_) if self.review == Review::Accept && passes(gate) => Some(DecisionKind::Accept),
            GateBody::Input(input)
                if self.review == Review::Accept && run.kind == Kind::Workflow && input.with_defaults().is_some() =>
            {
                Some(DecisionKind::Answer { value: json!({}) })
            }
            GateBody::Approval(_) => match self.approve {
                Approve::Ask => None,
                Approve::All => Some(DecisionKind::APPROVE),
                Approve::Deny => Some(DecisionKind::Deny { reason: "denied by --approve deny".to_owned() }),
            },
            _ => None,
        }
    }
}

/// Whether what waits for a review passes its schema and its checks, and was neither stopped nor cut.
#[must_use]
pub fn passes(gate: &Gate) -> bool {
    let passes = |review: &ReviewBody| review.failed.is_empty() && review.is_whole();
    gate.allows(Answer::Accept) && gate.review().is_some_and(passes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::form::Field;
    use crate::core::gate::{ApprovalBody, BudgetBody, InDoubtBody, InputBody, SecretBody, StaleBody};
    use crate::core::key::Key;
    use crate::core::usage::{Budget, Usage};
    use crate::core::work::{CommandWork, Work};

    fn gate(body: GateBody, allowed: Vec<Answer>) -> Gate {
        Gate { call: None, key: Key::plain("x"), workflow: None, attempt: 1, version: 1, body, allowed }
    }

    fn review(failed: &[&str]) -> Gate {
        let failed = failed.iter().map(|check| (*check).to_owned()).collect();
        Gate::of_review(Key::plain("x"), 1, 1, ReviewBody { failed, ..ReviewBody::default() })
    }

    pub fn a_run() -> Run {
        use crate::core::event::Created;
        let created: Created = serde_json::from_value(json!({
            "task": "t", "kind": "workflow", "title": "t", "by": "a@b", "cwd": "/", "inputs": {},
            "definition": "0".repeat(64), "nonce": "n"
        }))
        .unwrap();
        Run::new(crate::core::id::RunId::new(1, [7; 10]), chrono::DateTime::UNIX_EPOCH, &created)
    }

    #[test]
    fn accept_takes_what_passes_and_nothing_else() {
        let policy = Policy { review: Review::Accept, approve: Approve::Ask };
        let run = a_run();
        assert_eq!(policy.answer(&run, &review(&[])), Some(DecisionKind::Accept));
        assert_eq!(policy.answer(&run, &review(&["too long"])), None);
        let form = |default| {
            let fields = vec![Field { name: "a".to_owned(), default, ..Field::default() }];
            gate(GateBody::Input(InputBody::Form { text: None, fields }), vec![Answer::Answer])
        };
        assert_eq!(policy.answer(&run, &form(Some(json!("x")))), Some(DecisionKind::Answer { value: json!({}) }));
        assert_eq!(policy.answer(&run, &form(None)), None);
        let hash = Fingerprint::of_bytes(b"x");
        let bodies = [
            GateBody::InDoubt(InDoubtBody { why: "no answer".to_owned(), partial: "".into() }),
            GateBody::Stale(StaleBody {
                because: Vec::new(),
                had_effect: false,
                fingerprint: hash.clone(),
                document: None,
            }),
            GateBody::Budget(BudgetBody {
                spent: Usage::default(),
                budget: Budget::default(),
                next: Usage::default(),
                fingerprint: None,
            }),
            GateBody::Secret(SecretBody { name: "token".to_owned(), fingerprint: None }),
            GateBody::Approval(ApprovalBody {
                step: "x".to_owned(),
                work: Work::Command(CommandWork::default()).into(),
                bytes: hash.clone(),
                fingerprint: hash,
                behind: None,
                title: None,
                message: None,
            }),
        ];
        for body in bodies {
            let gate = gate(body, vec![Answer::Answer, Answer::Again]);
            assert_eq!(policy.answer(&run, &gate), None, "{}", gate.kind());
        }
    }
}
