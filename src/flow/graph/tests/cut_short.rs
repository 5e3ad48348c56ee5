//! An attempt that ends before its answer, with its process or by a failure that is tried again, is made again by itself:
//! what was decided before it began is not asked once more.

use super::decided::{ANA, chain, edit};
use super::*;
use crate::core::decide::{Decision, decide};

/// Ends the second attempt of `b`, which is made because a person wants it.
type Ends = fn(&mut Sim);

const ENDS: [(&str, Ends); 2] = [
    ("its process ends", |sim| sim.crashes = |want, attempt| want.key.step() == "b" && attempt == 2),
    ("it fails and is tried again", |sim| {
        sim.perform = Box::new(|want, attempt| {
            if want.key.step() == "b" && attempt == 2 {
                return Err(Failure { retry_after_ms: Some(1), ..Failure::new(FailureClass::Server, "down") });
            }
            super::decided::counting(want, attempt)
        });
    }),
];

fn accepted() -> Sim {
    let mut sim = Sim::performing(chain(), json!({}), super::decided::counting);
    sim.accept_all();
    sim
}

fn attempts(sim: &Sim, key: &str) -> usize {
    sim.run.call(&key.parse().unwrap()).unwrap().attempts.len()
}

#[test]
fn a_stale_call_that_runs_again_is_asked_about_once() {
    for (what, end) in ENDS {
        let mut sim = accepted();
        end(&mut sim);
        sim.decide("a", DecisionKind::Reopen);
        sim.decide("a", DecisionKind::Edit { output: json!("A"), accept: true });
        assert_eq!(sim.waiting(GateKind::Stale), ["b"], "{what}");
        sim.decide("b", DecisionKind::Again { model: None });
        assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new(), "no second question when {what}");
        assert_eq!(sim.waiting(GateKind::Review), ["b"], "{what}");
        assert_eq!(attempts(&sim, "b"), 3, "{what}");
        sim.assert_replayed();
    }
}

#[test]
fn a_reopened_call_that_is_tried_again_gets_its_attempt() {
    for (what, end) in ENDS {
        let mut sim = accepted();
        end(&mut sim);
        sim.decide("b", DecisionKind::Reopen);
        sim.decide("b", super::decided::retry());
        assert_eq!(sim.waiting(GateKind::Review), ["b"], "{what}");
        assert_eq!(attempts(&sim, "b"), 3, "the attempt that was asked for is made when {what}");
        sim.assert_replayed();
    }
}

#[test]
fn what_follows_from_a_decision_that_was_made_otherwise_runs_without_a_question() {
    for (what, end) in ENDS {
        let mut sim = Sim::performing(chain(), json!({}), super::decided::counting);
        sim.decide("a", DecisionKind::Accept);
        end(&mut sim);
        sim.undo();
        sim.decide("a", edit("A"));
        sim.decide("a", DecisionKind::Accept);
        assert_eq!(sim.waiting(GateKind::Stale), Vec::<String>::new(), "{what}");
        assert_eq!(sim.waiting(GateKind::Review), ["b"], "{what}");
        assert_eq!(attempts(&sim, "b"), 3, "{what}");
        sim.assert_replayed();
    }
}

/// A decision that no flow has heard of yet.
fn decided(sim: &mut Sim, key: &str, kind: DecisionKind) -> Vec<Event> {
    let events = decide(&sim.run, &Decision::new(key.parse().unwrap(), kind), &ANA.into()).unwrap();
    for event in &events {
        sim.apply(event.clone());
    }
    events
}

#[test]
fn a_call_whose_source_is_as_before_needs_no_other_attempt() {
    let mut sim = accepted();
    sim.crashes = |want, attempt| want.key.step() == "b" && attempt == 2;
    let one = sim.output("a");
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!("A"), accept: true });
    // The process ends while `b` runs again, and the person puts `a` back before anybody drives the run.
    let again = decided(&mut sim, "b", DecisionKind::Again { model: None });
    let wants = sim.session.feed(&again);
    for event in sim.perform(&wants.calls[0]) {
        sim.apply(event);
    }
    decided(&mut sim, "a", DecisionKind::Reopen);
    decided(&mut sim, "a", DecisionKind::Edit { output: one, accept: true });
    sim.session = sim.flow.open(&sim.run);
    sim.settle(&[]);
    assert_eq!(attempts(&sim, "b"), 2, "the accepted result counts again");
    assert_eq!(sim.status("b"), CallStatus::Accepted);
}
