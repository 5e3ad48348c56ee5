//! What a person may decide beyond the answer to a gate: take, fill in, undo.

use proptest::prelude::*;

use super::*;
use crate::core::call::AttemptStatus;
use crate::core::code::ErrorCode;
use crate::core::decide::{Decision, Offspring, Refusal, Taken, decide, undo};
use crate::core::event::{OriginKind, Recorded};
use crate::core::id::RunId;
use crate::core::step::OnCrash;

pub const ANA: &str = "ana@here";

impl Sim {
    /// What would take the newest decision back.
    pub fn undoing(&self, seq: Option<u64>, offspring: &[Offspring], by: &str) -> Result<Vec<Event>, Refusal> {
        undo(&self.run, seq, offspring, |key| self.flow.following(key), &by.into())
    }

    pub fn undo(&mut self) {
        let events = self.undoing(None, &[], ANA).unwrap();
        for event in &events {
            self.apply(event.clone());
        }
        self.settle(&events);
    }

    pub fn refused_undo(&self, by: &str, offspring: &[Offspring]) -> (ErrorCode, String) {
        let refusal = self.undoing(None, offspring, by).unwrap_err();
        (refusal.code, refusal.message)
    }

    pub fn refused(&self, key: &str, kind: DecisionKind) -> ErrorCode {
        decide(&self.run, &Decision::new(key.parse().unwrap(), kind), &ANA.into()).unwrap_err().code
    }

    /// The journal read again is the run as it is.
    pub fn assert_replayed(&self) {
        let recorded = |(at, event): (usize, &Event)| Recorded {
            run: self.run.id,
            seq: at as u64 + 1,
            at: chrono::DateTime::UNIX_EPOCH,
            event: event.clone(),
        };
        let journal: Vec<Recorded> = self.journal.iter().enumerate().map(recorded).collect();
        let text: Vec<String> =
            journal.iter().map(|recorded| serde_json::to_string(&recorded.event).unwrap()).collect();
        for (recorded, text) in journal.iter().zip(&text) {
            assert_eq!(Event::from_json(text).unwrap(), recorded.event);
        }
        assert_eq!(Run::fold(self.run.id, &journal).unwrap(), self.run);
        assert_eq!(self.run.gates(), self.run.waiting().count(), "the gates are counted as they are");
    }
}

pub fn accept() -> DecisionKind {
    DecisionKind::Accept
}

pub fn edit(output: &str) -> DecisionKind {
    DecisionKind::Edit { output: json!(output), accept: false }
}

pub fn take(attempt: u32, version: Option<u32>) -> DecisionKind {
    DecisionKind::Take { take: Taken { attempt, version } }
}

pub fn retry() -> DecisionKind {
    DecisionKind::Retry { instruction: "again".into(), scope: InstructionScope::This, model: None }
}

/// Two prompts, one from the other, and a pure step from both.
pub fn chain() -> Task {
    workflow_with(
        &json!([
            prompt("a", "one", &json!({})),
            prompt("b", "two {{ steps.a.output }}", &json!({})),
            step("c", "steps.a.output ~ steps.b.output", &json!({})),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.c.output }}" } }),
    )
}

/// A model that says which attempt it is.
pub fn counting(want: &Want, attempt: u32) -> Result<Value, Failure> {
    match &*want.work {
        Work::Prompt(_) => Ok(json!(format!("{}{attempt}", want.key))),
        _ => shout(want, attempt),
    }
}

#[test]
fn an_earlier_attempt_or_version_is_taken_in_place_of_what_waits() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", edit("mine"));
    sim.decide("a", retry());
    sim.decide("a", retry());
    assert_eq!(sim.refused("a", take(9, None)), ErrorCode::InvalidInput);
    assert_eq!(sim.refused("a", take(1, Some(9))), ErrorCode::InvalidInput);
    assert_eq!(sim.refused("b", take(1, None)), ErrorCode::NoCall);
    sim.decide("a", take(1, Some(1)));
    assert_eq!(sim.output("a"), json!("a1"));
    assert_eq!(sim.waiting(GateKind::Review), ["b"], "the run goes on from it");
    assert_eq!(sim.refused("a", take(2, None)), ErrorCode::NotWaiting, "it has been decided");
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", take(1, None));
    assert_eq!(sim.output("a"), json!("mine"), "the newest version where none is named");
    sim.assert_replayed();
}

#[test]
fn an_attempt_that_was_made_for_something_else_is_taken_and_kept_at_once() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", accept());
    sim.decide("b", accept());
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!("other"), accept: true });
    sim.decide("b", DecisionKind::Again { model: None });
    assert_eq!(sim.waiting(GateKind::Review), ["b"]);
    let decision = Decision::new(Key::plain("b"), take(1, None));
    assert_eq!(decision.takes_from_elsewhere(&sim.run), Some(Taken { attempt: 1, version: None }), "said before");
    sim.decide("b", take(1, None));
    assert_eq!((sim.output("b"), sim.status("b")), (json!("b1"), CallStatus::Accepted));
    let stale = sim.waiting(GateKind::Stale);
    // It was one decision, and is undone as one.
    sim.undo();
    assert_eq!((sim.waiting(GateKind::Review), sim.status("b")), (vec!["b".to_owned()], CallStatus::Review));
    sim.decide("b", take(1, None));
    assert_eq!(sim.waiting(GateKind::Stale), stale, "the same is asked as when it was first taken");
    sim.decide("c", DecisionKind::Again { model: None });
    assert_eq!(sim.body(), "otherb1");
    sim.assert_replayed();
}

#[test]
fn what_breaks_its_schema_is_not_taken_either() {
    let output = json!({ "output": { "type": "array" } });
    let mut sim = Sim::performing(workflow(&json!([prompt("a", "one", &output)])), json!({}), |_, attempt| {
        Ok(if attempt == 1 { json!("no list") } else { json!([attempt]) })
    });
    // The fake model says nothing of the schema, so the attempt is as if it had been read.
    let unfit = |event: &mut Event| {
        if let Event::AttemptFinished { problem, attempt: 1, .. } = event {
            *problem = Some("it is no list".to_owned());
        }
    };
    sim.journal.iter_mut().for_each(unfit);
    let mut run = Run::new(
        sim.run.id,
        chrono::DateTime::UNIX_EPOCH,
        match &sim.journal[0] {
            Event::RunCreated(created) => created,
            other => panic!("{other:?}"),
        },
    );
    sim.journal[1..].iter().for_each(|event| run.apply(run.seq + 1, chrono::DateTime::UNIX_EPOCH, event));
    sim.run = run;
    sim.session = sim.flow.open(&sim.run);
    sim.decide("a", retry());
    assert_eq!(sim.refused("a", take(1, None)), ErrorCode::InvalidInput);
    sim.decide("a", take(2, None));
    assert_eq!(sim.output("a"), json!([2]));
}

#[test]
fn a_failed_call_is_skipped_or_filled_by_hand_also_one_item_of_a_list() {
    let fails = |want: &Want, attempt: u32| {
        if want.step == "a" && want.key.last().item != Some(0) {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        shout(want, attempt)
    };
    let task = workflow_with(
        &json!([
            prompt("a", "{{ item }}", &json!({ "for_each": { "list": "['x', 'y', 'z']" }, "review": "never" })),
            step("all", "steps.a.outputs", &json!({})),
        ]),
        &json!({ "result": { "title": "t", "body": "{{ steps.all.output | join(' ') }}" } }),
    );
    let mut sim = Sim::performing(task, json!({}), fails);
    assert_eq!(sim.failure().0, "a[1]");
    assert_eq!(sim.refused("a[1]", edit("mine")), ErrorCode::NotAllowed, "nothing waits, so it is accepted at once");
    assert_eq!(sim.refused("a[0]", DecisionKind::Skip), ErrorCode::NotWaiting);
    sim.decide("a[1]", DecisionKind::Edit { output: json!("mine"), accept: true });
    assert_eq!(sim.failure().0, "a[2]", "the other has failed, too");
    sim.decide("a[2]", DecisionKind::Skip);
    assert_eq!(sim.body(), "X mine");
    let performed = sim.performed.len();
    sim.undo();
    assert_eq!(sim.failure().0, "a[2]", "it has failed again, and is not tried again");
    sim.undo();
    assert_eq!(sim.status("a[1]"), CallStatus::Failed);
    assert_eq!(sim.performed.len(), performed);
    sim.assert_replayed();
}

#[test]
fn what_does_not_work_out_is_filled_by_hand_or_left_out() {
    let steps = json!([
        step("a", "1 / inputs.none", &json!({})),
        step("b", "steps.a.output", &json!({ "when": "steps.a.output // 0" })),
        step("c", "'end'", &json!({ "after": ["b"], "join": "ended" })),
    ]);
    for skipped in [true, false] {
        let mut sim = Sim::new(workflow(&steps), json!({}));
        assert_eq!(sim.failure().0, "a");
        sim.decide("a", DecisionKind::Edit { output: json!(7), accept: true });
        assert_eq!(sim.output("a"), json!(7));
        assert_eq!(sim.failure().0, "b", "its condition does not work out");
        let decided =
            if skipped { DecisionKind::Skip } else { DecisionKind::Edit { output: json!("b"), accept: true } };
        sim.decide("b", decided);
        assert_eq!(sim.body(), "end");
        sim.assert_replayed();
    }
}

#[test]
fn an_undone_acceptance_waits_again_and_what_came_of_it_is_used_again() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", edit("mine"));
    sim.decide("a", accept());
    assert_eq!(sim.waiting(GateKind::Review), ["b"]);
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a"], "nothing else is asked about");
    let gate = sim.run.call(&Key::plain("a")).unwrap().gate().unwrap().clone();
    assert_eq!((gate.attempt, gate.version), (1, 2), "on the same version");
    assert!(sim.run.call(&Key::plain("a")).unwrap().standing.is_none());
    sim.decide("a", accept());
    assert_eq!(sim.waiting(GateKind::Review), ["b"]);
    assert_eq!(sim.performed, ["a", "b"], "what was made is used again");
    sim.undo();
    sim.decide("a", DecisionKind::Edit { output: json!("other"), accept: true });
    assert_eq!(sim.performed, ["a", "b", "b"], "asked to do something else, it does so without a question");
    sim.assert_replayed();
}

#[test]
fn each_undo_goes_one_decision_further_back_across_a_completed_run_and_a_reopen() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", accept());
    sim.decide("b", DecisionKind::Skip);
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", edit("mine"));
    sim.decide("a", accept());
    assert_eq!(sim.output("a"), json!("mine"));
    sim.undo();
    assert_eq!((sim.output("a"), sim.waiting(GateKind::Review)), (json!("a1"), vec!["a".to_owned()]));
    sim.undo();
    let call = sim.run.call(&Key::plain("a")).unwrap();
    assert_eq!(call.gate().unwrap().version, 1, "the edit is gone back from");
    assert_eq!(call.attempts[0].versions.len(), 2, "and lost it is not");
    sim.undo();
    assert_eq!(sim.status("a"), CallStatus::Accepted, "it is closed again");
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["b"], "what was left out waits again");
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a"]);
    assert_eq!(sim.refused_undo(ANA, &[]).0, ErrorCode::NotAllowed, "there is nothing before it");
    sim.decide("a", take(1, Some(2)));
    assert_eq!(sim.output("a"), json!("mine"), "a version that was gone back from can be taken");
    sim.assert_replayed();
}

#[test]
fn a_kept_result_is_stale_again() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.accept_all();
    sim.decide("a", DecisionKind::Reopen);
    sim.decide("a", DecisionKind::Edit { output: json!("x"), accept: true });
    let stale = sim.waiting(GateKind::Stale);
    sim.decide("b", DecisionKind::Keep);
    assert_eq!(sim.status("b"), CallStatus::Accepted);
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Stale), stale);
    sim.assert_replayed();
}

#[test]
fn who_won_a_race_and_what_ended_a_run_is_open_again() {
    let race = workflow_with(
        &json!([
            prompt("a", "one", &json!({ "stop_when": "'A' in output" })),
            prompt("b", "two", &json!({})),
            step("first", "[steps.a.output, steps.b.output]", &json!({ "join": "first" })),
        ]),
        &json!({ "result": { "title": "t", "body": "done" } }),
    );
    let mut sim = Sim::performing(race, json!({}), |want, attempt| match &*want.work {
        Work::Prompt(_) => Ok(json!(want.key.to_string().to_uppercase())),
        _ => shout(want, attempt),
    });
    sim.decide("a", accept());
    assert!(sim.end.is_some(), "it ends early");
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a", "b"], "both are open again");
    sim.decide("b", accept());
    assert_eq!(sim.output("first"), json!([null, "B"]));
    sim.assert_replayed();
}

#[test]
fn what_cannot_be_taken_back_is_refused_and_says_why() {
    let command = json!({ "id": "act", "does": { "kind": "command", "argv": ["{{ steps.a.output }}"] },
                          "rules": { "approve": "never", "review": "never" } });
    let mut sim = Sim::new(workflow(&json!([prompt("a", "one", &json!({})), command])), json!({}));
    assert_eq!(sim.refused_undo(ANA, &[]).0, ErrorCode::NotAllowed, "nothing was decided");
    sim.decide("a", accept());
    let (code, why) = sim.refused_undo(ANA, &[]);
    assert!(code == ErrorCode::NotAllowed && why.contains("`act` has begun"), "{why}");

    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", accept());
    let (code, why) = sim.refused_undo("ben@there", &[]);
    assert!(code == ErrorCode::NotAllowed && why.contains(ANA), "{why}");
    let at = chrono::DateTime::UNIX_EPOCH;
    let made = |how| Offspring { run: RunId::new(9, [9; 10]), at, seq: None, how };
    for how in [OriginKind::Fork, OriginKind::Successor, OriginKind::FollowUp] {
        assert_eq!(sim.refused_undo(ANA, &[made(how)]).0, ErrorCode::NotAllowed);
    }
    assert!(sim.undoing(None, &[made(OriginKind::Rerun)], ANA).is_ok(), "it took nothing over");
    assert_eq!(sim.undoing(Some(1), &[], ANA).unwrap_err().code, ErrorCode::StaleView);
    sim.decide("b", retry());
    assert_eq!(sim.refused_undo(ANA, &[]).0, ErrorCode::NotAllowed, "another attempt was asked for since");
    // Somebody else decided later.
    let by_ben = decide(&sim.run, &Decision::new(Key::plain("b"), accept()), &"ben@there".into()).unwrap();
    for event in &by_ben {
        sim.apply(event.clone());
    }
    sim.settle(&by_ben);
    assert!(sim.refused_undo(ANA, &[]).1.contains("ben@there"));
    sim.assert_replayed();
}

#[test]
fn a_title_and_an_archive_go_back_to_what_they_were() {
    let mut sim = Sim::performing(chain(), json!({}), counting);
    sim.decide("a", accept());
    sim.apply(Event::RunRenamed { title: "Other".into(), by: ANA.into() });
    sim.apply(Event::RunArchived { undo: false, by: ANA.into() });
    assert!(sim.run.archived);
    sim.undo();
    assert!(!sim.run.archived);
    assert_eq!(sim.run.title, "Other");
    sim.undo();
    assert_eq!(sim.run.title, "Test");
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["a"]);
    sim.apply(Event::RunArchived { undo: false, by: ANA.into() });
    sim.decide("a", accept());
    assert!(!sim.run.archived, "any event brings it back");
    sim.assert_replayed();
}

#[test]
fn an_undo_inside_a_child_takes_back_what_its_parent_made_of_it() {
    let kid = workflow_with(
        &json!([prompt("p", "kid", &json!({}))]),
        &json!({ "result": { "title": "t", "body": "{{ steps.p.output }}" } }),
    );
    let own = json!([
        { "id": "k", "does": { "kind": "workflow", "workflow": "kid", "inputs": {} }, "rules": {} },
        prompt("after", "{{ steps.k.output.body }}", &json!({})),
    ]);
    let children = std::iter::once(("kid".to_owned(), Task { id: "kid".into(), ..kid })).collect();
    let pinned = Arc::new(Pinned { task: workflow(&own), children, folder: None });
    let mut sim = Sim::of(&pinned, json!({}), counting);
    sim.decide("k.p", accept());
    assert_eq!(sim.waiting(GateKind::Review), ["after"]);
    sim.undo();
    assert_eq!(sim.waiting(GateKind::Review), ["k.p"]);
    sim.decide("k.p", DecisionKind::Edit { output: json!("x"), accept: true });
    assert_eq!((sim.waiting(GateKind::Review), sim.performed.len()), (vec!["after".to_owned()], 3));
    sim.assert_replayed();
}

/// A graph with a list, a race or a condition after it, an effect, and a step that fails now and then.
fn small(shape: u8) -> Task {
    let after = match shape % 4 {
        0 => prompt("b", "{{ steps.a.outputs | join }}", &json!({})),
        1 => prompt("b", "two", &json!({ "after": ["a"], "when": "steps.a.outputs | length > 1" })),
        2 => prompt("b", "two {{ previous or '' }}", &json!({ "repeat": { "until": "iteration == 1", "max": 2 } })),
        _ => prompt("b", "two", &json!({ "on_failure": "continue" })),
    };
    let list = json!({ "for_each": { "list": "[1, 2]", "one_by_one": shape.is_multiple_of(2) } });
    let join = if shape.is_multiple_of(3) { "first" } else { "ended" };
    let command = json!({ "id": "act", "does": { "kind": "command", "argv": ["x", "{{ steps.c.output }}"] },
                          "rules": { "approve": "never", "review": "always" } });
    let c = step("c", "[steps.a.outputs, steps.b.output]", &json!({ "join": join }));
    workflow_with(
        &json!([prompt("a", "{{ item }}", &list), after, c, command]),
        &json!({ "result": { "title": "t", "body": "{{ steps.c.output }}" } }),
    )
}

/// A form, a child with an effect, and an effect after both; all effects are allowed by a person.
fn asking(shape: u8) -> Arc<Pinned> {
    let effect = |id: &str, argument: &str| {
        let rules = json!({ "approve": "always", "review": if shape.is_multiple_of(2) { "always" } else { "never" } });
        json!({ "id": id, "does": { "kind": "command", "argv": ["x", argument] }, "rules": rules })
    };
    let kid = workflow_with(
        &json!([prompt("p", "kid", &json!({})), effect("act", "{{ steps.p.output }}")]),
        &json!({ "result": { "title": "t", "body": "{{ steps.p.output }}" } }),
    );
    let name = json!({ "name": "name", "type": "text", "required": true });
    let join = if shape.is_multiple_of(3) { "ended" } else { "all" };
    let own = json!([
        { "id": "form", "does": { "kind": "ask", "fields": [name] }, "rules": {} },
        { "id": "k", "does": { "kind": "workflow", "workflow": "kid", "inputs": {} },
          "rules": { "on_failure": if shape.is_multiple_of(5) { "continue" } else { "stop" } } },
        prompt("b", "for {{ (steps.form.output or {}).name }}", &json!({ "join": join })),
        effect("act", "{{ steps.b.output }}"),
    ]);
    let task = workflow_with(&own, &json!({ "result": { "title": "t", "body": "{{ steps.b.output }}" } }));
    let children = std::iter::once(("kid".to_owned(), Task { id: "kid".into(), ..kid })).collect();
    Arc::new(Pinned { task, children, folder: None })
}

/// The answer of a person who takes what waits as it is.
fn taken_as_it_is(gate: &Gate, name: &str) -> DecisionKind {
    match gate.kind() {
        GateKind::Stale => DecisionKind::Keep,
        GateKind::InDoubt => DecisionKind::Skip,
        GateKind::Approval => DecisionKind::APPROVE,
        GateKind::Input => DecisionKind::Answer { value: json!({ "name": name }) },
        _ if gate.allows(crate::core::gate::Answer::Accept) => accept(),
        _ => DecisionKind::Skip,
    }
}

/// What a person does next: of `choice`, what can be done now. True when an effect was asked for again.
fn act(sim: &mut Sim, choice: u16) -> bool {
    let calls: Vec<Key> = sim.run.calls.keys().cloned().collect();
    let open: Vec<Gate> = sim.run.waiting().cloned().collect();
    let gates: Vec<Key> = open.iter().map(|gate| gate.key.clone()).collect();
    let pick = |of: &[Key]| of.get(usize::from(choice / 16) % of.len().max(1)).cloned();
    let asked = open.get(usize::from(choice / 16) % open.len().max(1));
    let (key, kind) = match (choice % 16, asked.map(Gate::kind)) {
        (0..=4, Some(GateKind::Approval | GateKind::Input)) => {
            let name = if choice.is_multiple_of(2) { "Ana" } else { "Bo" };
            (pick(&gates), asked.map_or(accept(), |gate| taken_as_it_is(gate, name)))
        }
        (5, Some(GateKind::Approval)) => (pick(&gates), DecisionKind::Deny { reason: "no".into() }),
        (other, _) => match other {
            0..=3 => (pick(&gates), accept()),
            4 => (pick(&gates), edit("mine")),
            5 => (pick(&gates), DecisionKind::Edit { output: json!("own"), accept: true }),
            6 => (pick(&gates), retry()),
            7 => (pick(&gates), DecisionKind::Skip),
            8 => (pick(&gates), DecisionKind::Keep),
            9 => (pick(&calls), DecisionKind::Again { model: None }),
            10 => (pick(&calls), DecisionKind::Reopen),
            11 => (pick(&calls), take(1 + u32::from(choice / 16) % 3, None)),
            12 => (pick(&calls), DecisionKind::Skip),
            13 => {
                let archived = Event::RunArchived { undo: false, by: ANA.into() };
                sim.apply(archived.clone());
                sim.settle(&[archived]);
                return false;
            }
            _ => {
                if let Ok(events) = sim.undoing(None, &[], ANA) {
                    for event in &events {
                        sim.apply(event.clone());
                    }
                    sim.settle(&events);
                }
                return false;
            }
        },
    };
    let Some(key) = key else { return false };
    let tried = sim.run.call(&key).is_some_and(|call| !call.attempts.is_empty());
    let again = matches!(kind, DecisionKind::Retry { .. } | DecisionKind::Again { .. } | DecisionKind::Reopen)
        || (tried && kind == DecisionKind::APPROVE);
    let Ok(events) = decide(&sim.run, &Decision::new(key.clone(), kind), &ANA.into()) else { return false };
    for event in &events {
        sim.apply(event.clone());
    }
    sim.settle(&events);
    again && key.step() == "act"
}

/// A run that a person decides about as `choices` say, and then as it is. With `crashes` every second attempt at what may
/// run again ends with its process.
fn lived_through(shape: u8, choices: Vec<u16>, crashes: bool) {
    let perform = move |want: &Want, attempt| {
        if want.step == "b" && shape % 4 == 3 && attempt == 1 {
            return Err(Failure::new(FailureClass::Server, "down"));
        }
        counting(want, attempt)
    };
    let mut sim = if shape >= 128 {
        Sim::asking(&asking(shape), json!({}), perform)
    } else {
        Sim::performing(small(shape), json!({}), perform)
    };
    if crashes {
        sim.crashes = |want, attempt| want.on_crash == Some(OnCrash::Rerun) && attempt.is_multiple_of(2);
    }
    let mut asked_again = 0;
    for choice in choices {
        asked_again += usize::from(act(&mut sim, choice));
        sim.assert_replayed();
        for call in sim.run.calls.values() {
            let asks = call.gates.own().is_some_and(|gate| gate.kind() == GateKind::Input);
            let made = call.attempts.iter().filter(|attempt| attempt.status == AttemptStatus::Running).count();
            assert!(made == 0 || asks, "nothing is under way at rest");
        }
    }
    // A person who takes everything as it is.
    for _ in 0..100 {
        let (gate, end) = (sim.run.waiting().next().cloned(), sim.end.clone());
        match (gate, end) {
            (Some(gate), _) => sim.decide(&gate.key.to_string(), taken_as_it_is(&gate, "Ana")),
            // What failed is left out.
            (None, Some(End::Failed { key: Some(key), .. })) => sim.decide(&key.to_string(), DecisionKind::Skip),
            _ => break,
        }
    }
    sim.assert_replayed();
    assert!(sim.end.is_some(), "it waits for nobody, and is not done");
    let mut effects: Vec<_> = sim
        .run
        .calls
        .values()
        .flat_map(|call| &call.attempts)
        .filter(|attempt| attempt.work.as_ref().is_some_and(|work| work.has_effect()))
        .map(|attempt| attempt.fingerprint.clone())
        .collect();
    let all = effects.len();
    effects.sort();
    effects.dedup();
    assert!(all - effects.len() <= asked_again, "an effect happened again that nobody asked for");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn whatever_is_decided_and_undone_a_run_comes_to_its_end_and_no_effect_happens_twice(
        shape in any::<u8>(),
        choices in prop::collection::vec(any::<u16>(), 0..20),
    ) {
        lived_through(shape, choices, false);
    }

    #[test]
    fn so_it_does_when_processes_end_in_the_middle(
        shape in any::<u8>(),
        choices in prop::collection::vec(any::<u16>(), 0..20),
    ) {
        lived_through(shape, choices, true);
    }
}
