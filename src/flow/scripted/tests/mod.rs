//! Scripts over a journal in memory.

mod numbers;
mod order;
mod programs;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::core::decide::DecisionKind;
use crate::core::event::Event;
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::GateKind;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::task::Task;
use crate::core::work::Work;
use crate::flow::testing::{Sim, prompt, shout, step, workflow_with};
use crate::flow::{End, Environment, Want};

fn steps() -> Value {
    json!([
        prompt("write", "{{ text }}", &json!({ "review": "never" })),
        prompt("draft", "{{ text }}", &json!({ "review": "always" })),
        step("sum", "a + b", &json!({})),
    ])
}

fn script_of(files: &[(&str, &str)]) -> Task {
    let sources: BTreeMap<&str, &str> = files.iter().copied().collect();
    workflow_with(&steps(), &json!({ "flow": { "script": { "entry": "main.js", "sources": sources } } }))
}

fn script(body: &str) -> Task {
    script_of(&[("main.js", &format!("export default async function (run, inputs) {{\n{body}\n}}"))])
}

fn run(body: &str) -> Sim {
    Sim::new(script(body), json!({ "topic": "sea" }))
}

/// The same run before anything has happened in it.
fn anew(sim: &Sim) -> Run {
    let Some(Event::RunCreated(created)) = sim.journal.first() else { panic!("no run: {:?}", sim.journal) };
    Run::new(sim.run.id, sim.run.created_at, created)
}

/// What this thread has computed: other work on the machine does not count.
fn cpu_time() -> std::time::Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    std::time::Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn why(sim: &Sim) -> String {
    match &sim.end {
        Some(End::Failed { failure, .. }) => failure.message.clone(),
        other => panic!("not failed but {other:?}"),
    }
}

#[test]
fn a_script_calls_steps_one_after_another_and_returns_a_document() {
    let sim = run(r#"
        const a = await run.step("write", { text: inputs.topic });
        const b = await run.step("write", { text: a + "!" });
        return { title: "T", body: b };"#);
    assert_eq!(sim.body(), "SEA!");
    assert_eq!(sim.performed, ["write[0]", "write[1]"]);
}

#[test]
fn calls_of_one_moment_run_in_parallel_and_are_told_in_the_order_in_which_they_settled() {
    let mut sim = run(r#"
        const order = [];
        const all = await Promise.all(["a", "b", "c"].map(async (text) => {
          const out = await run.step("draft", { text });
          order.push(out);
          return out;
        }));
        return all.join("") + ":" + order.join("");"#);
    assert_eq!(sim.performed, ["draft[0]", "draft[1]", "draft[2]"]);
    sim.decide("draft[2]", DecisionKind::Accept);
    sim.decide("draft[0]", DecisionKind::Accept);
    sim.decide("draft[1]", DecisionKind::Accept);
    assert_eq!(sim.body(), "ABC:CAB");
}

#[test]
fn what_a_later_version_wrote_is_no_news_to_a_script() {
    let mut sim = run(r#"return await run.step("draft", { text: "a" });"#);
    let unknown = Event::from_json(r#"{"type":"weather_changed","key":"draft[0]","to":"rain"}"#).unwrap();
    sim.apply(unknown.clone());
    sim.settle(&[unknown]);
    sim.decide("draft[0]", DecisionKind::Accept);
    assert_eq!(sim.body(), "A");
}

#[test]
fn an_edited_early_result_makes_exactly_its_dependants_stale() {
    let mut sim = run(r#"
        const a = await run.step("draft", { text: "a" });
        const b = await run.step("draft", { text: "b" });
        const c = await run.step("draft", { text: a + "-" });
        return b + c;"#);
    sim.accept_all();
    assert_eq!(sim.body(), "BA-");
    sim.decide("draft[0]", DecisionKind::Reopen);
    sim.decide("draft[0]", DecisionKind::Edit { output: json!("new"), accept: true });
    assert_eq!(sim.waiting(GateKind::Stale), ["draft[2]"]);
    sim.decide("draft[2]", DecisionKind::Again { model: None });
    sim.accept_all();
    assert_eq!(sim.body(), "BNEW-");
    assert_eq!(sim.performed, ["draft[0]", "draft[1]", "draft[2]", "draft[2]"], "nothing else is paid for again");
}

fn failing(want: &Want, attempt: u32) -> Result<Value, Failure> {
    match &*want.work {
        Work::Prompt(prompt) if prompt.messages[0].text == "bad" => Err(Failure::new(FailureClass::Server, "down")),
        _ => shout(want, attempt),
    }
}

#[test]
fn a_failed_call_rejects_with_its_class_and_key_and_can_be_caught() {
    let sim = Sim::performing(
        script(
            r#"
        const log = [];
        try { await run.step("write", { text: "bad" }, { key: "mine" }); }
        catch (error) { log.push(error instanceof Error, error.class, error.key, error.reason, error.message); }
        finally { log.push("finally"); }
        const settled = await Promise.allSettled([run.step("write", { text: "x" }), run.step("write", { text: "bad" })]);
        log.push(...settled.map((one) => one.status));
        log.push(await Promise.race([run.step("write", { text: "first" }), run.step("draft", { text: "late" })]));
        return log.join();"#,
        ),
        json!({}),
        failing,
    );
    assert_eq!(sim.body(), "true,server,mine,down,mine: server: down,finally,fulfilled,rejected,FIRST");
}

#[test]
fn the_failure_of_a_call_that_nobody_handles_is_the_runs_and_its_place_is_known() {
    let body = "const a = 1;\nawait run.step(\"write\", { text: \"bad\" });";
    let sim = Sim::performing(script(body), json!({}), failing);
    let (key, failure) = sim.failure();
    assert_eq!((key.as_str(), failure.class, failure.message.as_str()), ("write[0]", FailureClass::Server, "down"));
    let place = failure.detail.unwrap();
    assert!(place.starts_with("main.js:3:") && place.contains("`await run.step("), "{place}");
    // What a script makes of it is its own.
    let other = "try { await run.step(\"write\", { text: \"bad\" }); } catch (error) { throw new Error(error.class); }";
    let said = why(&Sim::performing(script(other), json!({}), failing));
    assert!(said.starts_with("main.js:2:") && said.contains("Error: server"), "{said}");
    let floating =
        "run.step(\"write\", { text: \"bad\" });\nawait run.step(\"write\", { text: \"ok\" });\nreturn \"x\";";
    let said = why(&Sim::performing(script(floating), json!({}), failing));
    assert!(said.starts_with("main.js:2:") && said.contains("write[0]"), "{said}");
}

#[test]
fn a_failure_is_tried_again_when_the_person_asks_and_the_script_goes_on_from_it() {
    let tries = std::cell::Cell::new(0);
    let perform = move |want: &Want, attempt: u32| {
        tries.set(tries.get() + 1);
        if tries.get() == 1 { Err(Failure::new(FailureClass::Server, "down")) } else { shout(want, attempt) }
    };
    let mut sim = Sim::performing(script("return await run.step(\"write\", { text: \"x\" });"), json!({}), perform);
    assert!(why(&sim).contains("down"));
    sim.decide("write[0]", DecisionKind::Again { model: None });
    assert_eq!(sim.body(), "X");
}

const FLOOD: &str = "a million log lines";

#[test]
fn every_hostile_script_ends_at_once_with_its_place() {
    let flood = "for (let i = 0; i < 1000000; i++) console.log(\"line\" + i);\nreturn \"x\";";
    let table: &[(&str, &str, &str)] = &[
        // A loop without an expression has no place of its own; its function has.
        ("an endless loop", "while (true) {}", "main.js:1:"),
        ("a loop inside try", "let i = 0;\nwhile (true) { try { while (true) { i += 1; } } catch {} }", "main.js:"),
        ("a memory bomb", "const a = [];\nwhile (true) a.push(new Array(10000).fill(1));", "main.js:"),
        (
            "a memory bomb that is kept",
            "globalThis.a = [];\nwhile (true) a.push(new Array(10000).fill(1));",
            "main.js:",
        ),
        ("a regex bomb", "return String(/(a+)+$/.test(\"a\".repeat(40) + \"b\"));", "main.js:2:"),
        ("deep recursion", "const f = () => f() + 1;\nreturn f();", "main.js:2:"),
        (
            "tampered prototypes",
            "Promise.prototype.then = Array.prototype.push = Map.prototype.get = () => { throw new Error(\"no\"); };\nreturn await run.step(\"write\", { text: \"x\" });",
            "",
        ),
        (
            "redefined JSON",
            "JSON.stringify = () => \"{}\"; JSON.parse = () => 7; Object.prototype.toString = () => \"z\";\nreturn await run.step(\"write\", { text: \"x\" });",
            "",
        ),
        (
            "ten thousand calls",
            "for (let i = 0; i < 10000; i++) run.step(\"write\", { text: \"x\" });\nawait 1;",
            "main.js:2:",
        ),
        ("a promise that never resolves", "await new Promise(() => {});", "main.js:1:"),
        ("no error thrown", "throw 42;", "main.js:2:"),
        ("an import outside", "await import(\"../../etc/passwd.js\");", "main.js:2:"),
        (FLOOD, flood, "main.js:2:"),
    ];
    let fresh = anew(&run("return \"x\";"));
    for (name, body, place) in table {
        let pinned = Arc::new(Pinned { task: script(body), children: BTreeMap::new(), folder: None });
        let begun = cpu_time();
        let end = crate::flow::of(&pinned, &Environment::new()).open(&fresh).feed(&[]).end;
        let took = cpu_time().saturating_sub(begun);
        let said = if let Some(End::Failed { failure, .. }) = end {
            failure.message
        } else {
            // It harms nobody and goes on.
            let sim = run(body);
            assert!(sim.run.log.len() <= 1_000, "{name} logged {} lines", sim.run.log.len());
            format!("completed: {}", sim.body())
        };
        let ended = said.starts_with("completed: ");
        let placed = !place.is_empty() && said.starts_with(place);
        assert!(placed || (ended && (place.is_empty() || *name == FLOOD)), "{name}: {said}");
        assert!(took.as_secs_f32() < 1.0, "{name} took {took:?}");
    }
}

#[test]
fn a_command_step_of_a_script_reads_what_it_is_handed_as_json() {
    let mut task = script("return await run.step(\"count\", { words: [\"a\", \"b\"] });");
    let crate::core::task::Body::Workflow(workflow) = &mut task.body else { panic!("no workflow") };
    let count = json!({ "id": "count", "does": { "kind": "command", "argv": ["wc"], "parse": "json" }, "rules": { "approve": "never" } });
    workflow.steps.push(serde_json::from_value(count).unwrap());
    let perform = |want: &Want, _: u32| match &*want.work {
        Work::Command(command) => Ok(serde_json::from_str(&command.stdin).unwrap()),
        other => panic!("{other:?}"),
    };
    let sim = Sim::performing(task, json!({ "topic": "sea" }), perform);
    let given: Value = serde_json::from_str(&sim.body()).unwrap();
    assert_eq!(
        given,
        json!({ "inputs": { "topic": "sea" }, "step": "count", "vars": { "words": ["a", "b"] }, "steps": {} })
    );
}

#[test]
fn a_script_has_no_clock_time_zone_or_randomness_of_its_own() {
    let sim = run(r#"
        const said = [
          typeof performance, typeof WeakRef, typeof FinalizationRegistry, typeof setTimeout, typeof require,
          new Date(0).constructor.now(), Date.now(), new Date().getTime(), run.now(), Date.parse("1970-01-02"),
          new Date(0).toString(), new Date(0).getTimezoneOffset(), new Date(1970, 0, 1, 5).getTime(),
          new Date("1970-01-01T05:00:00").getTime(), new Date("Jan 1 1970 05:00").getTime(), Date().slice(-5),
          new Date(0).getHours(), new Date(0).toLocaleString(), new Date(NaN).toString(), new Date(0) instanceof Date,
          new Date("1970-01-01T05:00:00+02:00").getTime(), new Date(new Date(7)).getTime(), JSON.stringify(new Date(0)),
          Object.getPrototypeOf(class extends Date {}) === Date, new (class D extends Date {})(9).getTime(),
        ];
        return said.join("|");"#);
    let day = "Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)";
    let expected = format!(
        "undefined|undefined|undefined|undefined|undefined|0|0|0|0|86400000|{day}|0|18000000|18000000|18000000|(UTC)|0|{day}|\
         Invalid Date|true|10800000|7|\"1970-01-01T00:00:00.000Z\"|true|9"
    );
    assert_eq!(sim.body(), expected);
    let draw = "return [Math.random(), run.random(), run.uuid(), Math.random()].join();";
    let (one, two) = (run(draw).body(), run(draw).body());
    assert_eq!(one, two, "the same run draws the same");
    let parts: Vec<&str> = one.split(',').collect();
    assert!(parts[0] != parts[1] && parts[1] != parts[3], "{one}");
    assert_eq!(uuid::Uuid::parse_str(parts[2]).unwrap().get_version_num(), 4);
}

#[test]
fn what_is_not_json_is_named_with_its_place() {
    for (body, expected) in [
        ("return { title: \"t\", body: { list: [1, () => 1] } };", "result.body.list[1]"),
        (
            "return { title: \"t\", body: { a: [2n ** 64n] } };",
            "result.body.a[0] is an integer that does not fit 64 bits",
        ),
        ("return NaN;", "NaN"),
        ("const a = {}; a.a = a; return a;", "nested too deep, or in a circle"),
        ("await run.step(\"write\", { text: Symbol() });", "text is a symbol"),
        ("await run.step(\"write\", { text: run.step(\"write\", { text: \"x\" }) });", "`await`"),
        ("const s = \"x\".repeat(1e6); return new Array(1000).fill(s);", "16 MB"),
    ] {
        let said = why(&run(body));
        assert!(said.contains(expected) && said.starts_with("main.js:2:"), "{body}: {said}");
    }
}

#[test]
fn mistakes_in_calls_say_what_would_be_right() {
    for (body, expected) in [
        ("await run.step(\"wrte\", {});", "`write`"),
        ("await run.step(\"write\", {}, { key: \"a b\" });", "is not a call's key"),
        (
            "run.step(\"write\", { text: \"1\" }, { key: \"k\" }); await run.step(\"write\", { text: \"2\" }, { key: \"k\" });",
            "`k`",
        ),
        ("await run.prompt(\"x\", { modle: \"y\" });", "`modle`"),
        ("await run.command(\"ls\");", "argv"),
        ("await run.workflow(\"other\");", "declare a step with kind"),
        ("await run.step(5);", "the name must be text"),
        ("import x;", "main.js:2:"),
        ("await run.step(\"write\", { other: 1 });", "text"),
    ] {
        let said = why(&run(body));
        assert!(said.contains(expected) && said.starts_with("main.js:2:"), "{body}: {said}");
    }
}

#[test]
fn a_secret_never_gets_into_a_prompt_or_an_argv() {
    for body in [
        "await run.prompt(\"the key is \" + inputs.token);",
        "await run.step(\"write\", { text: inputs.token });",
        "await run.command([\"curl\", inputs.token]);",
    ] {
        let mut task = script(body);
        task.inputs = serde_json::from_value(json!([{ "name": "token", "type": "secret" }])).unwrap();
        let said = why(&Sim::new(task, json!({ "token": "env:TOKEN" })));
        assert!(said.starts_with("main.js:2:") && said.contains("secret"), "{body}: {said}");
    }
}

#[test]
fn modules_beside_the_script_are_imported_and_nothing_else() {
    let files = |import: &str| {
        let main = format!("{import}\nexport default async () => hello();");
        Sim::new(
            script_of(&[
                ("main.js", &main),
                ("lib/a.js", "import { name } from '../names.js';\nexport const hello = () => 'hi ' + name;"),
                ("names.js", "export const name = 'ana';"),
            ]),
            json!({}),
        )
    };
    assert_eq!(files("import { hello } from './lib/a.js';").body(), "hi ana");
    for (import, expected) in [
        ("import { hello } from '../other/a.js';", "is outside of the script's folder"),
        ("import { hello } from './lib/b.js';", "`lib/b.js`"),
        ("import { hello } from 'fs';", "only modules beside the script"),
        ("import { hello } from '/etc/passwd';", "only modules beside the script"),
    ] {
        let said = why(&files(import));
        assert!(said.contains(expected) && said.starts_with("main.js:1:"), "{said}");
    }
}

#[test]
fn what_code_does_not_set_any_more_is_as_it_was() {
    let mut sim = run(r#"
        const a = await run.step("draft", { text: "a" });
        if (a === "A") run.state.seen = a;
        run.state.last = a;
        return a;"#);
    let state = |sim: &Sim| Value::Object(sim.run.state_set(|_| true));
    sim.accept_all();
    assert_eq!(state(&sim), json!({ "seen": "A", "last": "A" }));
    sim.decide("draft[0]", DecisionKind::Reopen);
    sim.decide("draft[0]", DecisionKind::Edit { output: json!("b"), accept: true });
    assert_eq!(state(&sim), json!({ "seen": null, "last": "b" }));
}

#[test]
fn logs_documents_state_and_the_clock_are_journaled_once() {
    let mut sim = run(r#"
        console.log("begun", { at: run.now() });
        run.document("plan", { title: "Plan", body: "one" });
        const a = await run.step("draft", { text: "a" });
        run.log("got", a, Date.now());
        run.document("plan", { title: "Plan", body: "two" });
        run.state.count = (run.state.count ?? 0) + 1;
        return a;"#);
    sim.accept_all();
    assert_eq!(sim.body(), "A");
    let log: Vec<&str> = sim.run.log.iter().map(crate::core::text::Untrusted::data).collect();
    assert_eq!(log, ["begun {\"at\":0}", "got A 0"]);
    assert_eq!(sim.run.documents["plan"].versions.len(), 2);
    assert_eq!(sim.run.set_state["count"].values().next().map(crate::core::revised::Revised::value), Some(&json!(1)));
    sim.decide("draft[0]", DecisionKind::Reopen);
    sim.decide("draft[0]", DecisionKind::Edit { output: json!("z"), accept: true });
    assert_eq!(sim.run.log.len(), 3, "only what is new is logged: {:?}", sim.run.log);
}

#[test]
fn what_a_script_makes_up_is_no_template() {
    let mut sim = run(r#"
        const a = await run.prompt("{{ inputs.topic }} {% x %}", { review: "never", system: "be {{ brief }}" });
        const b = await run.review("look", { a, n: 1 });
        return JSON.stringify(b);"#);
    assert_eq!(sim.output("prompt[0]"), "{{ INPUTS.TOPIC }} {% X %}");
    assert_eq!(sim.waiting(GateKind::Review), ["look[0]"]);
    sim.decide("look[0]", DecisionKind::Edit { output: json!({ "a": "mine" }), accept: true });
    assert_eq!(sim.body(), "{\"a\":\"mine\"}");
}

#[test]
fn a_child_workflow_runs_inside_and_its_reviews_wait() {
    let task = workflow_with(
        &json!([{ "id": "sub", "does": { "kind": "workflow", "workflow": "child", "inputs": { "x": "{{ x }}" } } }]),
        &json!({ "flow": { "script": { "entry": "main.js", "sources": { "main.js":
            "export default async (run) => { const a = await run.step('sub', { x: 'one' }); const b = await run.workflow('child', { x: 'two' }); return a.body + b.body; }" } } } }),
    );
    let mut inner = workflow_with(
        &json!([prompt("say", "{{ inputs.x }}", &json!({ "review": "always" }))]),
        &json!({ "result": { "title": "t", "body": "{{ steps.say.output }}" } }),
    );
    inner.inputs = serde_json::from_value(json!([{ "name": "x", "type": "text" }])).unwrap();
    let children = BTreeMap::from([("child".to_owned(), inner)]);
    let mut sim = Sim::of(&Arc::new(Pinned { task, children, folder: None }), json!({}), shout);
    assert_eq!(sim.waiting(GateKind::Review), ["sub[0].say"]);
    sim.decide("sub[0].say", DecisionKind::Accept);
    assert_eq!(sim.waiting(GateKind::Review), ["child[0].say"]);
    sim.decide("child[0].say", DecisionKind::Accept);
    assert_eq!(sim.body(), "ONETWO");
}

#[test]
fn what_the_script_did_not_wait_for_is_taken_back_when_it_ends() {
    let mut sim = run(r#"
        const first = await Promise.race([run.step("write", { text: "a" }), run.step("draft", { text: "b" })]);
        return first;"#);
    sim.settle(&[]);
    assert_eq!(sim.body(), "A");
    assert_eq!(sim.waiting(GateKind::Review), Vec::<String>::new());
}

#[test]
fn a_script_offers_tools_to_a_model_and_is_told_what_it_wrote_wrongly() {
    let mut task = script(r#"await run.prompt("x", { tools: ["price", "files/*"], max_turns: 3, approve: "once" });"#);
    let price = json!({ "own": { "description": "The price.", "does": { "expr": "2" } } });
    task.tools = serde_json::from_value(json!({ "price": price })).unwrap();
    let wants = Sim::first_wants(task, json!({ "topic": "sea" }));
    let offered = wants.calls[0].work.offers().unwrap();
    assert_eq!((offered.patterns.len(), offered.max_turns, offered.own.len()), (2, 3, 1));
    assert_eq!(offered.approve, crate::core::tool::ToolApproval::Once);
    let wrong = |options: &str| why(&run(&format!("await run.prompt('x', {options});")));
    assert!(wrong("{ tools: 'price' }").contains("`tools` must be a list of names"), "{}", wrong("{ tools: 'price' }"));
    assert!(wrong("{ tools: ['price'], max_turns: 0 }").contains("`max_turns` must be at least 1"));
    assert!(wrong("{ max_turns: 2 }").contains("add `tools`"));
}
