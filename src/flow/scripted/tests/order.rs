//! What is told when: races, calls that are made anew, what nobody waits for, and how often the code is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{anew, cpu_time, run, script, why};
use crate::core::call::{CallStatus, Ending};
use crate::core::decide::DecisionKind;
use crate::core::event::{Event, InstructionScope, Measured, Started};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::GateKind;
use crate::core::pinned::Pinned;
use crate::core::step::OnCrash;
use crate::core::task::Task;
use crate::core::work::Work;
use crate::flow::testing::{Sim, prompt, shout, step, workflow_with};
use crate::flow::{End, Environment, Want};

#[test]
fn the_first_to_settle_wins_a_race_and_what_lost_is_left() {
    let mut sim = run(r#"
        const first = await Promise.race(["a", "b"].map((text) => run.step("draft", { text })));
        return first + await run.step("write", { text: "then" });"#);
    assert_eq!(sim.waiting(GateKind::Review), ["draft[0]", "draft[1]"]);
    sim.decide("draft[1]", DecisionKind::Accept);
    assert_eq!(sim.body(), "BTHEN");
    assert_eq!(sim.status("draft[0]"), CallStatus::Skipped, "nobody waits for it any more");
}

#[test]
fn all_settled_tells_successes_and_failures_and_finally_runs_in_both() {
    let perform = |want: &Want, attempt: u32| match &*want.work {
        Work::Prompt(prompt) if prompt.messages[0].text == "bad" => Err(Failure::new(FailureClass::Refused, "no")),
        _ => shout(want, attempt),
    };
    let body = r#"
        const log = [];
        const write = (text) => run.step("write", { text }).finally(() => log.push("finally " + text));
        const settled = await Promise.allSettled([write("good"), write("bad")]);
        log.sort();
        for (const one of settled) log.push(one.status === "fulfilled" ? one.value : one.reason.class);
        return log.join();"#;
    let sim = Sim::performing(script(body), json!({}), perform);
    assert_eq!(sim.body(), "finally bad,finally good,GOOD,refused");
}

#[test]
fn while_an_early_call_is_made_anew_nothing_later_is_told() {
    let mut sim = run(r#"
        const [a, b] = await Promise.all([run.step("draft", { text: "a" }), run.step("draft", { text: "b" })]);
        const c = await run.step("draft", { text: a + b });
        return c;"#);
    sim.decide("draft[0]", DecisionKind::Accept);
    sim.decide("draft[1]", DecisionKind::Accept);
    sim.decide("draft[2]", DecisionKind::Accept);
    assert_eq!(sim.body(), "AB");
    // Its old output stands until another is accepted, so nothing is asked for again.
    sim.decide("draft[0]", DecisionKind::Reopen);
    assert_eq!((sim.waiting(GateKind::Review), &sim.end), (vec!["draft[0]".to_owned()], &None));
    sim.decide("draft[0]", DecisionKind::Edit { output: json!("new"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["draft[2]"], "only what was made from it");
    sim.decide("draft[2]", DecisionKind::Again { model: None });
    sim.accept_all();
    assert_eq!(sim.body(), "NEWB");
    assert_eq!(sim.performed, ["draft[0]", "draft[1]", "draft[2]", "draft[2]"]);
}

#[test]
fn a_result_that_is_asked_for_again_stands_meanwhile_and_later_ones_come_after_it() {
    let mut sim = run(r#"
        const seen = [];
        const one = run.step("draft", { text: "a" }).then((a) => seen.push(a));
        const two = run.step("draft", { text: "b" }).then((b) => { seen.push(b); return run.step("write", { text: seen.join("+") }); });
        await one;
        return await two;"#);
    sim.decide("draft[0]", DecisionKind::Accept);
    assert_eq!(sim.performed, ["draft[0]", "draft[1]"]);
    // Both were settled once, the first one first; the person wants it again before the second is accepted.
    sim.decide("draft[0]", DecisionKind::Reopen);
    sim.decide(
        "draft[0]",
        DecisionKind::Retry { instruction: "shorter".into(), scope: InstructionScope::This, model: None },
    );
    sim.decide("draft[1]", DecisionKind::Accept);
    // What stood until then is told; the second result comes after it, and what follows is made of both.
    assert_eq!(sim.performed, ["draft[0]", "draft[1]", "draft[0]", "write[0]"]);
    sim.accept_all();
    assert_eq!(sim.body(), "A+B");
}

#[test]
fn a_rejection_that_nobody_handles_is_named_with_its_place() {
    for (body, place) in [
        (
            "Promise.reject(new Error(\"left alone\"));\nawait run.step(\"write\", { text: \"x\" });\nreturn \"y\";",
            "main.js:2:",
        ),
        ("const go = async () => {\n  throw new Error(\"left alone\");\n};\ngo();\nreturn \"y\";", "main.js:3:"),
    ] {
        let said = why(&run(body));
        assert!(said.starts_with(place), "{said}");
        assert!(said.contains("left alone"), "{said}");
    }
    // One that is handled later is no failure.
    let late = "const p = Promise.reject(new Error(\"x\"));\nawait run.step(\"write\", { text: \"a\" });\nreturn p.catch(() => \"caught\");";
    assert_eq!(run(late).body(), "caught");
}

#[test]
fn a_child_s_calls_count_among_those_that_a_run_may_make() {
    let files = json!({ "main.js": "export default async (run) => (await run.step(\"sub\", {})).body;" });
    let more = json!({ "flow": { "script": { "entry": "main.js", "sources": files } }, "max_calls": 5 });
    let task = workflow_with(
        &json!([{ "id": "sub", "does": { "kind": "workflow", "workflow": "child", "inputs": {} } }]),
        &more,
    );
    let inner = |count: u32| -> Task {
        let list = json!({ "for_each": { "list": format!("range({count})"), "one_by_one": false }, "review": "never" });
        workflow_with(&json!([prompt("say", "{{ item }}", &list)]), &json!({}))
    };
    let sim = |count: u32| {
        let children = BTreeMap::from([("child".to_owned(), inner(count))]);
        Sim::of(&Arc::new(Pinned { task: task.clone(), children, folder: None }), json!({}), shout)
    };
    assert_eq!(sim(5).performed.len(), 5);
    let over = sim(6);
    assert_eq!(over.performed.len(), 5, "{:?}", over.performed);
    assert!(why(&over).contains("`max_calls`"), "{}", why(&over));
}

/// What the process holds in memory, in kilobytes.
fn held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

#[test]
fn memory_does_not_grow_with_the_number_of_replays() {
    let body = "const all = [];\nfor (let n = 0; n < 100; n++) all.push(await run.step(\"write\", { text: \"x\".repeat(1000) + n }));\nreturn String(all.length);";
    let sim = run(body);
    let again = |times: usize| {
        for _ in 0..times {
            let mut session = sim.flow.open(&sim.run);
            assert!(matches!(session.feed(&[]).end, Some(End::Completed { .. })));
        }
    };
    again(10);
    let before = held();
    again(60);
    let grown = held().saturating_sub(before);
    // One replay holds more than half a megabyte: kept, 60 of them would be far above this.
    assert!(grown < 8_000, "{grown} kB more after 60 replays");
}

#[test]
fn a_long_run_asks_for_what_is_next_as_fast_as_a_short_one() {
    let of = |count: u32| {
        let files = json!({ "main.js": format!("export default async (run) => {{\n  let n = 0;\n  while (n < {count}) n = await run.step(\"next\", {{ n }});\n  return String(n);\n}};") });
        let more = json!({ "flow": { "script": { "entry": "main.js", "sources": files } }, "max_calls": 100_000 });
        let task = workflow_with(&json!([step("next", "n + 1", &json!({}))]), &more);
        let pinned = Arc::new(Pinned { task, children: BTreeMap::new(), folder: None });
        let mut run = anew(&run("return \"x\";"));
        let mut session = crate::flow::of(&pinned, &Environment::new()).open(&run);
        let begun = cpu_time();
        let mut fed = Vec::new();
        loop {
            let wants = session.feed(&fed);
            fed = wants.notes;
            if let Some(end) = wants.end {
                assert!(matches!(end, End::Completed { .. }), "{end:?}");
                return cpu_time().saturating_sub(begun);
            }
            for want in &wants.calls {
                let attempt = 1;
                let Work::Transform { value, .. } = &*want.work else { panic!("{want:?}") };
                let started = Started {
                    key: want.key.clone(),
                    workflow: None,
                    step: want.step.clone(),
                    attempt,
                    fingerprint: want.fingerprint.clone(),
                    by: "model".into(),
                    work: Some(Arc::clone(&want.work)),
                    item: None,
                    depends: want.depends.clone(),
                    on_crash: want.on_crash.unwrap_or(OnCrash::Ask),
                };
                fed.push(Event::AttemptStarted(started));
                fed.push(Event::AttemptFinished {
                    key: want.key.clone(),
                    attempt,
                    output: Arc::new(value.clone()),
                    problem: None,
                    measured: Measured::default(),
                });
            }
            for event in &fed {
                run.apply(run.seq + 1, run.updated_at, event);
            }
        }
    };
    let (short, long) = (of(300), of(3_000));
    // Ten times as many calls; looking through all of them each time would make it a hundred times.
    assert!(long < short * 40, "300 calls {short:?}, 3,000 calls {long:?}");
}

#[test]
fn an_effect_that_was_performed_and_that_nobody_waited_for_is_not_left_out() {
    let act = |options: &str| {
        let body = format!(
            r#"run.command(["touch", "it"], {options}).catch(() => null);
               run.prompt("unread", {{ review: "never" }}).catch(() => null);
               await run.step("write", {{ text: "x" }});
               return "done";"#
        );
        let mut sim = run(&body);
        sim.accept_all();
        assert_eq!(sim.body(), "done");
        sim
    };
    for options in [r#"{ approve: "never" }"#, r#"{ approve: "never", review: "always" }"#] {
        let sim = act(options);
        assert_eq!(sim.status("command[0]"), CallStatus::Accepted, "{options}");
    }
    // What nobody judges is held to its checks, whoever would have been asked.
    for review in ["", r#", review: "always""#, r#", review: "failed""#] {
        let sim = act(&format!(r#"{{ approve: "never", checks: [{{ expr: "false", says: "never" }}]{review} }}"#));
        assert_eq!(sim.status("command[0]"), CallStatus::Failed, "{review}");
        let call = sim.run.call(&"command[0]".parse().unwrap()).unwrap();
        let Some(Ending::Failed { failure, .. }) = &call.ending else { panic!("{:?}", call.ending) };
        assert_eq!(failure.class, FailureClass::BadOutput, "{review}");
        assert_eq!(call.attempts[0].versions[0].failed, ["never"], "{review}");
    }
    let sim = run(r#"run.command(["touch", "it"]).catch(() => null); return "done";"#);
    assert!(sim.run.call(&"command[0]".parse().unwrap()).is_none(), "what had not begun does not begin");
}

#[test]
fn a_document_of_a_script_is_what_it_said_last() {
    let mut sim = run(r#"
        const write = (body) => run.document("notes", { title: "t", body });
        write("first");
        const a = await run.step("draft", { text: "a" });
        write(a);
        write("first");
        const b = await run.step("draft", { text: "b" });
        if (b !== "B") write(b);
        return b;"#);
    let body = |sim: &Sim| sim.run.documents["notes"].current().unwrap().1.body.data().to_owned();
    let count = |sim: &Sim| sim.run.documents["notes"].versions.len();
    assert_eq!((body(&sim), count(&sim)), ("first".to_owned(), 1));
    sim.decide("draft[0]", DecisionKind::Accept);
    assert_eq!((body(&sim), count(&sim)), ("first".to_owned(), 3), "what was said before is said once more");
    let own = |text: &str| DecisionKind::Edit { output: json!(text), accept: true };
    sim.decide("draft[1]", own("C"));
    assert_eq!((body(&sim), count(&sim)), ("C".to_owned(), 4));
    sim.decide("draft[1]", DecisionKind::Reopen);
    sim.decide("draft[1]", own("B"));
    assert_eq!((body(&sim), count(&sim)), ("first".to_owned(), 5), "it says nothing of it any more");
}
