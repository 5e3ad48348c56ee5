//! Who answers when no person is asked: what `--review` and `--approve` say. Never in doubt, stale, budget or secret.

use serde_json::{Value, json};

use super::args::{Approve, Review};
use crate::core::decide::What;
use crate::core::form::Field;
use crate::core::gate::{Answer, Gate, GateFor};
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
    pub fn answer(self, run: &Run, gate: &Gate) -> Option<What> {
        match gate.kind {
            GateFor::Review if self.review == Review::Accept && passes(gate) => Some(What::Accept),
            GateFor::Input if self.review == Review::Accept && run.kind == Kind::Workflow && has_defaults(gate) => {
                Some(What::Answer { value: json!({}) })
            }
            GateFor::Approval => match self.approve {
                Approve::Ask => None,
                Approve::All => Some(What::Approve),
                Approve::Deny => Some(What::Deny { reason: "denied by --approve deny".to_owned() }),
            },
            _ => None,
        }
    }
}

/// Whether what waits for a review passes its schema and its checks, and was not broken off.
#[must_use]
pub fn passes(gate: &Gate) -> bool {
    let cancelled = gate.shows.get("cancelled").is_some();
    gate.allowed.contains(&Answer::Accept) && super::waits::failed(gate).is_empty() && !cancelled
}

/// The fields of a form.
#[must_use]
pub fn fields(gate: &Gate) -> Vec<Field> {
    gate.shows.get("fields").and_then(|fields| serde_json::from_value(fields.clone()).ok()).unwrap_or_default()
}

fn has_defaults(gate: &Gate) -> bool {
    gate.shows.get("fields").is_some_and(Value::is_array) && fields(gate).iter().all(|field| field.default.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::review_gate;
    use crate::core::key::Key;

    fn gate(kind: GateFor, shows: Value, allowed: Vec<Answer>) -> Gate {
        Gate { key: Key::plain("x"), workflow: None, kind, attempt: 1, version: 1, shows, allowed }
    }

    fn a_run() -> Run {
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
        let key = Key::plain("x");
        let run = a_run();
        assert_eq!(policy.answer(&run, &review_gate(&key, 1, 1, None, &[])), Some(What::Accept));
        assert_eq!(policy.answer(&run, &review_gate(&key, 1, 1, None, &["too long".to_owned()])), None);
        let form = |fields: Value| gate(GateFor::Input, json!({"fields": fields}), vec![Answer::Answer]);
        let full = form(json!([{"name": "a", "default": "x"}]));
        assert_eq!(policy.answer(&run, &full), Some(What::Answer { value: json!({}) }));
        assert_eq!(policy.answer(&run, &form(json!([{"name": "a"}]))), None);
        for kind in [GateFor::InDoubt, GateFor::Stale, GateFor::Budget, GateFor::Secret, GateFor::Approval] {
            assert_eq!(
                policy.answer(&run, &gate(kind, Value::Null, vec![Answer::Answer, Answer::Again])),
                None,
                "{kind}"
            );
        }
    }
}
