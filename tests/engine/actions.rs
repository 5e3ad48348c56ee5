//! Actions on a document: each is a call of the run, and its output is a version that can be compared, taken back and
//! restored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use stepwell::core::call::CallStatus;
use stepwell::core::code::ErrorCode;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, Recorded};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::GateKind;
use stepwell::core::id::RunId;
use stepwell::core::ports::AttemptRequest;
use stepwell::core::run::{Run, Status};
use stepwell::core::usage::Budget;
use stepwell::core::work::Work;
use stepwell::engine::{Fork, Start, StopReason, Update};

use crate::harness::{Act, Harness, body, decision, pinned, prompt, refused, shout, until, until_stopped, waiting};

/// A run of one step whose output is in the result, with an action that has a prompt and one that has an instruction.
fn definition() -> Value {
    json!({
        "inputs": [{ "name": "place", "type": "text" }],
        "result": { "title": "Sea", "body": "The {{ steps.a.output }}" },
        "actions": [
            { "id": "detail", "name": "More detail",
              "prompt": "{{ document.title }} {{ document.version }}: {{ document.body }} / {{ inputs.place }} / {{ steps.a.output }}" },
            { "id": "shorter", "name": "Shorter", "instruction": "Make it half as long for {{ inputs.place }}." },
        ],
    })
}

fn start(harness: &Harness) -> RunId {
    let steps = json!([prompt("a", "sea", json!({ "review": "never" }))]);
    harness.start_with(&steps, &definition(), json!({ "place": "Rome" }))
}

async fn completed(harness: &Harness) -> RunId {
    let run = start(harness);
    assert_eq!(body(&harness.drive(run).await), "The SEA");
    run
}

/// Asks for an action on the result and drives the run to where it waits or ends.
async fn act(harness: &Harness, run: RunId, action: &str) -> Run {
    harness.engine.act(run, "result", None, action).await.unwrap();
    harness.drive(run).await
}

fn versions(run: &Run) -> Vec<&str> {
    run.documents["result"].versions.iter().map(|version| version.body.data()).collect()
}

fn asked(request: &AttemptRequest) -> Vec<String> {
    let Work::Prompt(prompt) = &*request.work else { panic!("an action asks a model") };
    prompt.messages.iter().map(|message| message.text.clone()).collect()
}

fn is_action(request: &AttemptRequest) -> bool {
    request.key.to_string().contains('#')
}

fn status(run: &Run, key: &str) -> CallStatus {
    run.call(&key.parse().unwrap()).unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_sees_the_document_the_inputs_and_the_outputs_and_makes_a_version() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    let before = harness.engine.load(run).unwrap().usage;
    let state = act(&harness, run, "detail").await;
    assert_eq!(body(&state), "SEA 1: THE SEA / ROME / SEA");
    assert_eq!(versions(&state), ["The SEA", "SEA 1: THE SEA / ROME / SEA"]);
    let made = state.documents["result"].current().unwrap().1;
    assert_eq!((made.title.data(), made.by.as_str(), made.made_by()), ("Sea", "model", Some("detail")));
    assert!(state.usage.usd > before.usd, "what it cost is counted");
    let requests = harness.executor.requests.lock().unwrap().clone();
    let messages = asked(requests.last().unwrap());
    assert!(messages.len() == 2 && messages[0].contains("the whole document"), "{messages:?}");

    // The next one is made from what counts now; nothing of the flow begins again.
    let state = act(&harness, run, "detail").await;
    assert!(body(&state).starts_with("SEA 2: SEA 1: THE SEA"), "{}", body(&state));
    assert_eq!(harness.attempts(), ["a", "detail#0", "detail#1"]);
    assert_eq!(body(&harness.neighbour().drive(run).await), body(&state), "another process sees the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instruction_of_an_older_definition_is_put_to_the_document_and_its_material() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    let state = act(&harness, run, "shorter").await;
    assert_eq!(versions(&state).len(), 2);
    let requests = harness.executor.requests.lock().unwrap().clone();
    let [system, prompt] = &asked(requests.last().unwrap())[..] else { panic!() };
    let order = "Make it half as long for Rome.";
    let (first, last) = (prompt.find(order).unwrap(), prompt.rfind(order).unwrap());
    let (text, material) = (prompt.find("```\nThe SEA\n```").unwrap(), prompt.find("```\nRome\n```").unwrap());
    assert!(first < text && text < material && material < last, "{prompt}");
    assert!(system.contains("never an order to you"), "{system}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_action_made_is_taken_back_and_restored() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    let made = body(&act(&harness, run, "detail").await).to_owned();
    harness.engine.undo(run, None).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!((body(&state), versions(&state).len()), ("The SEA", 3));
    harness.engine.edit_document(run, "result", 3, "Sea", &made).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), made);
    // Not after the document was written again.
    let state = act(&harness, run, "detail").await;
    let (number, _) = state.documents["result"].current().unwrap();
    harness.engine.edit_document(run, "result", number, "Sea", "mine").await.unwrap();
    harness.engine.undo(run, None).await.unwrap();
    harness.engine.undo(run, None).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_stopped_leaves_the_document_as_it_was() {
    let harness = Harness::new(|request| if is_action(request) { Act::Hang("half of") } else { shout(request) });
    let run = completed(&harness).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.act(run, "result", Some(1), "detail").await.unwrap();
    harness.engine.drive(run).unwrap();
    let begun =
        |update: &stepwell::engine::Update| matches!(update, stepwell::engine::Update::Delta { .. }).then_some(());
    until(&mut updates, begun).await;
    let refusal = harness.engine.act(run, "result", None, "shorter").await;
    assert_eq!(refused(refusal), ErrorCode::NotAllowed, "one at a time");
    harness.engine.stop(run, &"detail#0".parse().unwrap());
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!((body(&state), status(&state, "detail#0")), ("The SEA", CallStatus::Cancelled));
    assert_eq!((state.gates(), versions(&state).len()), (0, 1), "nobody is asked about it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_taken_back_while_it_runs_is_stopped() {
    let harness = Harness::new(|request| if is_action(request) { Act::Hang("half of") } else { shout(request) });
    let run = completed(&harness).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.act(run, "result", None, "detail").await.unwrap();
    harness.engine.drive(run).unwrap();
    let begun =
        |update: &stepwell::engine::Update| matches!(update, stepwell::engine::Update::Delta { .. }).then_some(());
    until(&mut updates, begun).await;
    harness.engine.undo(run, None).await.unwrap();
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!((body(&state), status(&state, "detail#0")), ("The SEA", CallStatus::Cancelled));
    assert_eq!(harness.attempts(), ["a", "detail#0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_whose_process_died_is_performed_by_the_next_one() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    // Asked for and committed; nobody performs it before this process is gone.
    harness.engine.act(run, "result", None, "detail").await.unwrap();
    assert_eq!(harness.engine.load(run).unwrap().status, Status::Paused);
    let state = harness.neighbour().drive(run).await;
    assert_eq!(body(&state), "SEA 1: THE SEA / ROME / SEA");
    // The output was there, and the version of it was not.
    let events = harness.events(run);
    let written = |event: &Event| matches!(event, Event::DocumentWritten { action: Some(_), .. });
    assert_eq!(events.iter().filter(|event| written(event)).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_fails_costs_the_run_nothing_and_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let harness = Harness::new(move |request| {
        if is_action(request) && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            return Act::Fail(Failure::new(FailureClass::Refused, "no"));
        }
        shout(request)
    });
    let run = completed(&harness).await;
    let state = act(&harness, run, "detail").await;
    assert_eq!((body(&state), status(&state, "detail#0")), ("The SEA", CallStatus::Failed));
    harness.engine.decide(run, decision("detail#0", DecisionKind::Again { model: None })).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), "SEA 1: THE SEA / ROME / SEA");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_document_or_none_is_no_version() {
    type Answer = fn() -> Act;
    let answers: [(Answer, FailureClass); 2] = [
        (|| Act::Cut("half of"), FailureClass::TooLong),
        (|| Act::Unfit(json!(""), "it is empty"), FailureClass::BadOutput),
    ];
    for (answer, class) in answers {
        let harness = Harness::new(move |request| if is_action(request) { answer() } else { shout(request) });
        let run = completed(&harness).await;
        let state = act(&harness, run, "detail").await;
        assert_eq!((body(&state), versions(&state).len()), ("The SEA", 1));
        let call = state.call(&"detail#0".parse().unwrap()).unwrap();
        let failed = harness.events(run).into_iter().find_map(|event| match event {
            Event::CallFailed { error, .. } => Some(error.class),
            _ => None,
        });
        assert_eq!((call.status, failed), (CallStatus::Failed, Some(class)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_asks_before_it_passes_the_budget() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    harness.engine.set_budget(run, Budget { usd: Some(0.1), tokens: None }).await.unwrap();
    let state = act(&harness, run, "detail").await;
    assert_eq!((state.status, waiting(&state, GateKind::Budget)), (Status::Waiting, vec!["detail#0".to_owned()]));
    harness.engine.set_budget(run, Budget { usd: Some(9.0), tokens: None }).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), "SEA 1: THE SEA / ROME / SEA");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_taken_back_waits_for_nothing_and_is_not_asked_for_again_by_its_key() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    harness.engine.set_budget(run, Budget { usd: Some(0.1), tokens: None }).await.unwrap();
    act(&harness, run, "detail").await;
    harness.engine.undo(run, None).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!((state.status, waiting(&state, GateKind::Budget)), (Status::Completed, Vec::new()));
    let again = harness.engine.decide(run, decision("detail#0", DecisionKind::Again { model: None })).await;
    assert_eq!(refused(again), ErrorCode::NotAllowed);
    assert_eq!(harness.engine.load(run).unwrap().status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_of_the_steps_is_tried_again_and_no_action_with_it() {
    let harness = Harness::new(|request| match request.key.step() {
        "detail" => Act::Fail(Failure::new(FailureClass::Refused, "no")),
        _ => shout(request),
    });
    let run = completed(&harness).await;
    act(&harness, run, "detail").await;
    harness.engine.retry_failed(run).await.unwrap();
    harness.drive(run).await;
    assert_eq!(harness.attempts(), ["a", "detail#0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_use_up_none_of_the_calls_that_the_steps_may_make() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt(
            "a",
            "sea",
            json!({ "review": "never", "document": { "name": "notes", "title": "Notes", "body": "{{ output }}" } })
        ),
        prompt("b", "sky", json!({})),
        prompt("c", "{{ steps.b.output }}", json!({ "review": "never" })),
    ]);
    let mut more = definition();
    more["max_calls"] = json!(3);
    let run = harness.start_with(&steps, &more, json!({ "place": "Rome" }));
    harness.drive(run).await;
    for _ in 0..3 {
        harness.engine.act(run, "notes", None, "shorter").await.unwrap();
        harness.drive(run).await;
    }
    let state = harness.decide(run, "b", DecisionKind::Accept).await;
    assert_eq!((state.status, &state.error), (Status::Completed, &None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_the_person_wrote_again_replaces_nothing() {
    let let_go = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&let_go);
    let harness =
        Harness::new(
            move |request| {
                if is_action(request) { Act::Finish(Arc::clone(&held), json!("late")) } else { shout(request) }
            },
        );
    let run = completed(&harness).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.act(run, "result", None, "detail").await.unwrap();
    harness.engine.drive(run).unwrap();
    harness.engine.edit_document(run, "result", 1, "Sea", "mine").await.unwrap();
    let_go.notify_one();
    until_stopped(&mut updates).await;
    let state = harness.engine.load(run).unwrap();
    assert_eq!((body(&state), versions(&state)), ("mine", vec!["The SEA", "mine", "late"]));
    assert!(state.warnings.iter().any(|warning| warning.contains("version 3")), "{:?}", state.warnings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_comes_out_otherwise_does_not_replace_what_an_action_made() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    let made = body(&act(&harness, run, "detail").await).to_owned();
    harness.engine.decide(run, decision("a", DecisionKind::Reopen)).await.unwrap();
    harness.drive(run).await;
    let edit = DecisionKind::Edit { output: json!("lake"), accept: true };
    let state = harness.decide(run, "a", edit).await;
    assert_eq!((state.status, waiting(&state, GateKind::Stale)), (Status::Waiting, vec!["result".to_owned()]));
    let refusal = harness.engine.act(run, "result", None, "detail").await;
    assert_eq!(refused(refusal), ErrorCode::NotAllowed, "the choice comes first");
    assert_eq!(body(&harness.decide(run, "result", DecisionKind::Keep).await), made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_is_asked_of_what_there_is_and_of_nothing_else() {
    let harness = Harness::new(shout);
    let run = start(&harness);
    assert_eq!(refused(harness.engine.act(run, "result", None, "detail").await), ErrorCode::NotAllowed);
    harness.drive(run).await;
    for (document, version, action, code) in [
        ("result", None, "longer", ErrorCode::InvalidInput),
        ("notes", None, "detail", ErrorCode::NotAllowed),
        ("result", Some(7), "detail", ErrorCode::StaleView),
    ] {
        assert_eq!(refused(harness.engine.act(run, document, version, action).await), code, "{document} {action}");
    }
    act(&harness, run, "detail").await;
    let reopened = harness.engine.decide(run, decision("detail#0", DecisionKind::Reopen)).await;
    assert_eq!(refused(reopened), ErrorCode::NotAllowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_has_what_the_steps_gave_and_no_action() {
    let harness = Harness::new(shout);
    let steps = json!([
        prompt("a", "sea", json!({ "review": "never" })),
        prompt("b", "{{ steps.a.output }} and sky", json!({ "review": "never" })),
    ]);
    let mut more = definition();
    more["result"]["body"] = json!("The {{ steps.b.output }}");
    let run = harness.start_with(&steps, &more, json!({ "place": "Rome" }));
    harness.drive(run).await;
    act(&harness, run, "detail").await;
    let pinned = Arc::new(pinned(&steps, &more));
    let fork = Fork { run, at: "b".parse().unwrap(), pinned: Arc::clone(&pinned), budget: None };
    let fork = harness.engine.fork(&fork).unwrap();
    let state = harness.drive(fork).await;
    assert_eq!((body(&state), versions(&state).len()), ("The SEA AND SKY", 1));
    assert!(state.call(&"detail#0".parse().unwrap()).is_none());
    // An action is no place to fork at.
    let at_action = harness.engine.fork(&Fork { run, at: "detail#0".parse().unwrap(), pinned, budget: None });
    assert!(at_action.unwrap_err().to_string().contains("is an action"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_of_a_script_sees_what_its_steps_gave() {
    let harness = Harness::new(shout);
    let code = "export default async (run, inputs) => { await run.step('a'); return { title: 'Sea', body: await run.step('a') }; }";
    let mut more = definition();
    more["flow"] = json!({ "script": { "entry": "main.js", "sources": { "main.js": code } } });
    more["actions"][0]["prompt"] =
        json!("{{ document.body }} of {{ steps.a.outputs | join('+') }}, last {{ steps.a.output }}");
    let steps = json!([prompt("a", "sea", json!({ "review": "never" }))]);
    let run = harness.start_with(&steps, &more, json!({ "place": "Rome" }));
    harness.drive(run).await;
    let state = act(&harness, run, "detail").await;
    assert_eq!((body(&state), status(&state, "detail#0")), ("SEA OF SEA+SEA, LAST SEA", CallStatus::Accepted));
    assert_eq!(harness.attempts(), ["a[0]", "a[1]", "detail#0"]);
}

/// A conversation, whose replies are as told.
fn conversation(harness: &Harness, actions: &Value) -> RunId {
    let task = json!({
        "id": "mail", "name": "Mail", "inputs": [{ "name": "about", "type": "multiline" }], "actions": actions,
        "body": { "instruct": { "instruction": "Write.", "result": { "title": "t", "body": "b" } } },
    });
    let mut pinned = pinned(&json!([]), &json!({}));
    pinned.task = serde_json::from_value(task).unwrap();
    let start = Start {
        pinned: Arc::new(pinned),
        inputs: json!({ "about": "the sea" }),
        cwd: "/".into(),
        session: None,
        model: None,
        budget: None,
        origin: None,
    };
    harness.engine.start(&start).unwrap()
}

fn reply(request: &AttemptRequest) -> Act {
    if request.key.to_string().starts_with("reply") {
        return Act::Say(json!({ "turn": "deliver", "title": "Sea", "body": "Dear sea" }));
    }
    shout(request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_conversation_an_action_with_a_prompt_is_no_message_and_the_model_hears_of_its_text() {
    let harness = Harness::new(reply);
    let actions = json!([{ "id": "loud", "name": "Louder", "prompt": "{{ document.body }}! {{ inputs.about }}" }]);
    let run = conversation(&harness, &actions);
    assert_eq!(body(&harness.drive(run).await), "Dear sea");
    let state = act(&harness, run, "loud").await;
    assert_eq!(body(&state), "DEAR SEA! THE SEA");
    assert_eq!(state.messages.len(), 2, "the request and the reply: {:?}", state.messages);
    harness.engine.message(run, "shorter").await.unwrap();
    harness.drive(run).await;
    let requests = harness.executor.requests.lock().unwrap().clone();
    let said = asked(requests.last().unwrap()).pop().unwrap();
    assert!(said.contains("DEAR SEA! THE SEA") && said.ends_with("shorter"), "{said}");
    assert_eq!(harness.attempts(), ["reply#0", "loud#0", "reply#1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_that_is_asked_for_while_a_reply_is_under_way_replaces_nothing_of_it() {
    let let_go = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&let_go);
    let harness = Harness::new(move |request| match request.key.to_string().as_str() {
        "reply#1" => {
            let again = json!({ "turn": "deliver", "title": "Sea", "body": "Dearest sea" });
            Act::Finish(Arc::clone(&held), again)
        }
        _ => reply(request),
    });
    let actions = json!([{ "id": "loud", "name": "Louder", "prompt": "{{ document.body }}!" }]);
    let run = conversation(&harness, &actions);
    harness.drive(run).await;
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.message(run, "warmer").await.unwrap();
    harness.engine.drive(run).unwrap();
    let begun = |update: &Update| match update {
        Update::Event(Recorded { event: Event::AttemptStarted(started), .. }) => Some(started.key.to_string()),
        _ => None,
    };
    assert_eq!(until(&mut updates, begun).await, "reply#1");
    harness.engine.act(run, "result", None, "loud").await.unwrap();
    let_go.notify_one();
    while until_stopped(&mut updates).await != StopReason::Over {}
    let state = harness.engine.load(run).unwrap();
    assert_eq!(body(&state), "Dearest sea");
    assert_eq!(versions(&state), ["Dear sea", "Dearest sea", "DEAR SEA!"], "each has its own number");
    assert!(state.warnings.iter().any(|warning| warning.contains("version 3")), "{:?}", state.warnings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_conversation_an_instruction_is_a_message_as_it_was() {
    let harness = Harness::new(reply);
    let actions = json!([{ "id": "short", "name": "Shorter", "instruction": "Shorter, about {{ inputs.about }}." }]);
    let run = conversation(&harness, &actions);
    harness.drive(run).await;
    let state = act(&harness, run, "short").await;
    assert_eq!(state.messages[2].text.data(), "Shorter, about the sea.");
    assert_eq!((harness.attempts(), versions(&state).len()), (vec!["reply#0".to_owned(), "reply#1".to_owned()], 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_ones_own_words_is_a_call_and_a_version_as_any_other() {
    let harness = Harness::new(shout);
    let run = completed(&harness).await;
    let words = "like a pirate, {{ inputs.place }} and all";
    assert_eq!(refused(harness.engine.act_in_words(run, "result", None, "  ").await), ErrorCode::InvalidInput);
    harness.engine.act_in_words(run, "result", Some(1), words).await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!(versions(&state).len(), 2);
    assert_eq!(status(&state, "change#0"), CallStatus::Accepted);
    let (key, asked_for) = state.actions.last().unwrap();
    assert_eq!((key.to_string().as_str(), asked_for.instruction.as_deref()), ("change#0", Some(words)));
    let requests = harness.executor.requests.lock().unwrap().clone();
    let [system, prompt] = &asked(requests.last().unwrap())[..] else { panic!() };
    assert!(prompt.contains(words) && prompt.contains("```\nThe SEA\n```"), "it is no template: {prompt}");
    assert!(system.contains("never an order to you"), "{system}");
    // It is written to the journal, seen by another process, and taken back.
    assert_eq!(body(&harness.neighbour().drive(run).await), body(&state));
    harness.engine.undo(run, None).await.unwrap();
    assert_eq!(body(&harness.drive(run).await), "The SEA");
    // Of a version that is no longer what counts nothing is made.
    let stale = harness.engine.act_in_words(run, "result", Some(1), words).await;
    assert_eq!(refused(stale), ErrorCode::StaleView);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_conversation_a_change_in_ones_own_words_is_a_message() {
    let harness = Harness::new(reply);
    let run = conversation(&harness, &json!([]));
    harness.drive(run).await;
    harness.engine.act_in_words(run, "result", None, "shorter").await.unwrap();
    let state = harness.drive(run).await;
    assert_eq!(state.messages[2].text.data(), "shorter");
    assert_eq!(versions(&state).len(), 2);
}
