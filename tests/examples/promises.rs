//! What each example promises.

use chrono::TimeDelta;
use serde_json::json;
use stepwell::core::call::AttemptStatus;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, FlowDecision};
use stepwell::core::failure::{Failure, FailureClass};
use stepwell::core::gate::{GateBody, GateKind};
use stepwell::core::model::Role;
use stepwell::core::run::Status;
use stepwell::core::work::Work;

use super::runner::{
    ExampleRunner, Says, because, body, call, decided, examples, gives, output, prompt, says, status, title, waits,
};

macro_rules! example {
    ($name:ident, $body:block) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() $body
    };
}

fn facts() -> serde_json::Value {
    json!({ "name": "Ana Silva", "amount": 240, "due": "5 March" })
}

example!(extract_and_format_formats_what_the_person_accepted, {
    let runner = ExampleRunner::new(|request| match request.asker.step.as_str() {
        "extract" => gives(&facts()),
        _ => says(prompt(request)),
    });
    let run = runner.start("extract_and_format", json!({}), None);
    assert_eq!(waits(&runner.drive(run).await), ["review extract"]);
    let mut edited = facts();
    edited["amount"] = json!(250);
    let state = runner.decide(run, "extract", DecisionKind::Edit { output: edited, accept: true }).await;
    assert_eq!(waits(&state), ["review format"]);
    let state = runner.finish(run).await;
    assert_eq!(title(&state), "Ana Silva");
    assert!(body(&state).contains("is owed 250 euros,\ndue 5 March"), "{}", body(&state));
});

example!(files_two_at_a_time_are_in_order_and_two_at_a_time, {
    // Each answer waits until another is asked for: less than two at a time would stand still.
    let runner = ExampleRunner::together(2);
    let state = runner.run("files_two_at_a_time", json!({})).await;
    assert_eq!(runner.most_at_once(), 2);
    assert_eq!(decided(&state, "digest", &FlowDecision::ForEach), 4);
    let heads: Vec<&str> =
        body(&state).lines().filter_map(|line| line.split(':').next().filter(|h| h.contains(".txt"))).collect();
    assert_eq!(heads, ["1. north.txt", "2. east.txt", "3. south.txt", "4. west.txt"]);
    assert_eq!(title(&state), "4 files");
});

example!(three_stages_go_through_each_item_on_its_own_and_join_once, {
    let runner = ExampleRunner::with_demo();
    let run = runner.start("three_stages", json!({}), None);
    let state = runner.drive(run).await;
    assert_eq!(waits(&state), ["review city[0].polish", "review city[1].polish", "review city[2].polish"]);
    assert!(runner.most_at_once() <= 2, "the group's limit holds inside: {}", runner.most_at_once());
    let state = runner.decide(run, "city[1].polish", DecisionKind::Accept).await;
    assert_eq!(waits(&state).len(), 2, "one item does not wait for the others, the join does");
    let state = runner.finish(run).await;
    assert_eq!(runner.asked().iter().filter(|step| *step == "guide").count(), 1);
    assert_eq!(call(&state, "guide").depends, ["city".parse().unwrap()]);
    let draft = runner.requests().into_iter().find(|request| request.asker.step == "draft").unwrap();
    assert!(prompt(&draft).contains("Demo model"), "a stage sees the one before it");
});

example!(product_texts_keeps_every_branch_of_a_list_in_a_list, {
    let runner = ExampleRunner::new(|request| match request.asker.step.as_str() {
        "products" => gives(&json!(["ink", "paper"])),
        "grade" => gives(&json!({ "grade": 7, "why": "warm" })),
        _ => says(format!("<{}>", prompt(request).replace('\n', " "))),
    });
    let state = runner.run("product_texts", json!({})).await;
    assert_eq!(runner.asked().len(), 1 + 2 + 6 + 1);
    assert_eq!(output(&state, "product[1].translate[2]"), "<In Spanish: <Two sentences that sell paper.>>");
    let grade = runner.requests().pop().unwrap();
    for text in
        ["ink: <Two", "<In German: <Two sentences that sell ink.>>", "<In Spanish: <Two sentences that sell paper.>>"]
    {
        assert!(prompt(&grade).contains(text), "{text} in {}", prompt(&grade));
    }
    assert_eq!((title(&state), decided(&state, "product[0].translate", &FlowDecision::ForEach)), ("7 of 10", json!(3)));
});

example!(if_else_runs_one_of_two_and_says_why_the_other_was_skipped, {
    for (answer, ran, skipped) in [(true, "reply", "file"), (false, "file", "reply")] {
        let runner = ExampleRunner::new(move |request| match request.asker.step.as_str() {
            "look" => gives(&json!({ "answer": answer })),
            step => says(step),
        });
        let state = runner.run("if_else", json!({})).await;
        assert_eq!((body(&state), status(&state, skipped)), (ran, "skipped"));
        assert!(because(&state, skipped).starts_with("`when` is false: "));
        let why = &state.decided[&skipped.parse().unwrap()][0].why;
        assert_eq!(why["saw"]["steps.look.output.answer"], answer, "the values are in the journal");
    }
});

example!(by_kind_takes_the_first_case_that_holds_else_the_default, {
    for (kind, case, ran) in [
        ("money", json!(0), vec!["refund", "apology"]),
        ("fault", json!(1), vec!["apology"]),
        ("praise", json!("default"), vec!["thanks"]),
    ] {
        let runner = ExampleRunner::new(move |request| match request.asker.step.as_str() {
            "sort" => gives(&json!(kind)),
            step => says(step),
        });
        let state = runner.run("by_kind", json!({})).await;
        assert_eq!(decided(&state, "choose", &FlowDecision::Switch), json!({ "case": case, "to": ran }));
        for step in ["refund", "apology", "thanks"] {
            assert_eq!(
                status(&state, step),
                if ran.contains(&step) { "accepted" } else { "skipped" },
                "{kind}: {step}"
            );
        }
    }
});

example!(redraw_draws_until_the_score_holds_and_five_times_at_most, {
    for (scores, rounds) in [(vec![3, 9], 2), (vec![1, 1, 1, 1, 1, 10], 5)] {
        let all = scores.clone();
        let runner = ExampleRunner::new(move |request| match request.asker.step.as_str() {
            "critic" => {
                let round: usize = prompt(request).rsplit("draft ").next().unwrap().trim().parse().unwrap();
                gives(&json!({ "score": all[round], "advice": format!("advice {round}") }))
            }
            _ => says(match prompt(request).split("advice ").nth(1) {
                Some(rest) => format!("draft {}", rest.lines().next().unwrap().parse::<usize>().unwrap() + 1),
                None => "draft 0".to_owned(),
            }),
        });
        let state = runner.run("redraw", json!({})).await;
        assert_eq!(runner.asked().len(), 2 * rounds, "{scores:?}");
        assert_eq!(title(&state), format!("{} of 10", scores[rounds - 1]));
        assert_eq!(body(&state), format!("draft {}", rounds - 1));
        assert_eq!(decided(&state, &format!("round#{}", rounds - 1), &FlowDecision::Until), scores[rounds - 1] >= 8);
    }
});

example!(deployment_waits_for_the_plan_then_for_the_leave_and_then_checks, {
    let runner = ExampleRunner::with_demo();
    let run = runner.start("deployment", json!({ "version": "2.0" }), None);
    assert_eq!(waits(&runner.drive(run).await), ["review plan"]);
    let state = runner.decide(run, "plan", DecisionKind::Accept).await;
    assert_eq!(waits(&state), ["approval execute"]);
    assert!(matches!(&state.waiting().next().unwrap().body, GateBody::Approval(shown)
        if matches!(&*shown.work, Work::Command(command) if command.argv == ["mkdir", "-p", "releases/2.0"])));
    assert!(!runner.path().join("releases").exists(), "nothing happens before it is allowed");
    let state = runner.decide(run, "execute", DecisionKind::APPROVE).await;
    assert_eq!(state.status, Status::Completed, "{:?}", state.error);
    assert!(runner.path().join("releases/2.0").is_dir());
    assert_eq!(output(&state, "check"), json!(["2.0"]));

    let run = runner.start("deployment", json!({ "version": "3.0" }), None);
    runner.drive(run).await;
    runner.decide(run, "plan", DecisionKind::Accept).await;
    let state = runner.decide(run, "execute", DecisionKind::Deny { reason: "not today".into() }).await;
    assert_eq!((state.status, state.error.unwrap().1.class), (Status::Failed, FailureClass::Denied));
    assert!(!runner.path().join("releases/3.0").exists());
});

example!(risky_only_asks_for_leave_only_when_the_risk_is_high, {
    for (risk, asked) in
        [("low", vec![]), ("medium", vec!["review judge"]), ("high", vec!["review judge", "approval make"])]
    {
        let runner = ExampleRunner::new(move |_| gives(&json!({ "risk": risk })));
        let run = runner.start("risky_only", json!({}), None);
        let mut state = runner.drive(run).await;
        let mut seen = Vec::new();
        loop {
            let Some(gate) = state.waiting().next().cloned() else { break };
            seen.extend(waits(&state));
            let what = if gate.kind() == GateKind::Review { DecisionKind::Accept } else { DecisionKind::APPROVE };
            state = runner.decide(run, &gate.key.to_string(), what).await;
        }
        assert_eq!(seen, asked, "{risk}");
        assert_eq!(body(&state).trim(), "done: turn off the old login page");
    }
});

example!(pick_routes_runs_what_was_picked, {
    let runner = ExampleRunner::new(|request| says(request.asker.step.clone()));
    let run = runner.start("pick_routes", json!({}), None);
    let state = runner.drive(run).await;
    assert_eq!(waits(&state), ["input pick"]);
    let wrong = stepwell::core::decide::Decision::new(
        "pick".parse().unwrap(),
        DecisionKind::Answer { value: json!({ "routes": ["nobody"] }) },
    );
    assert!(runner.engine.decide(run, wrong).await.is_err(), "an answer that is none leaves the question open");
    runner.decide(run, "pick", DecisionKind::Answer { value: json!({ "routes": ["staff", "press"] }) }).await;
    let state = runner.finish(run).await;
    assert_eq!((body(&state), status(&state, "neighbours")), ("staff\n\npress", "skipped"));
});

example!(event_is_routed_without_a_model, {
    let runner = ExampleRunner::with_demo();
    for (event, wanted) in [
        (json!({ "type": "push", "branch": "main", "by": "ana" }), "release for ana"),
        (json!({ "type": "push", "branch": "try", "by": "ana" }), "build try"),
        (json!({ "type": "comment", "by": "bo" }), "tell everybody what bo said"),
        (json!({ "type": "star" }), "nothing to do for star"),
    ] {
        assert_eq!(body(&runner.run("event", json!({ "event": event })).await), wanted);
    }
    assert_eq!(runner.asked(), Vec::<String>::new());
    // A name that does not exist is an error with its place, never a silent `false`.
    let state = runner.drive(runner.start("event", json!({ "event": { "kind": "push" } }), None)).await;
    let (key, failure) = state.error.unwrap();
    assert_eq!((key.unwrap().to_string().as_str(), failure.class), ("route", FailureClass::Definition));
    assert!(failure.message.contains("inputs.event.type"), "{failure}");
});

example!(repair_mends_only_what_is_broken, {
    let runner = ExampleRunner::new(|_| gives(&json!({ "name": "Ana", "born": 1991 })));
    let state = runner.run("repair", json!({})).await;
    assert_eq!(body(&state), "Ana, born 1991, mended");
    assert_eq!((status(&state, "read"), state.warnings.len()), ("failed", 0), "it was handled");
    let asked = runner.requests().pop().unwrap();
    assert!(prompt(&asked).contains("\"born\": 1990, }"), "{}", prompt(&asked));
    let state = runner.run("repair", json!({ "record": "{\"name\": \"Bo\", \"born\": 2000}" })).await;
    assert_eq!(body(&state), "Bo, born 2000, as it was");
    assert_eq!(because(&state, "mend"), "there was nothing to handle");
});

example!(or_default_takes_the_plain_answer_only_when_the_careful_one_never_comes, {
    let runner = ExampleRunner::new(|request| says(request.asker.step.clone()));
    let state = runner.run("or_default", json!({})).await;
    assert_eq!((body(&state), runner.asked()), ("careful", vec!["careful".to_owned()]));
    assert_eq!((status(&state, "plain"), because(&state, "plain").as_str()), ("skipped", "`careful` came first"));
    assert_eq!(decided(&state, "answer", &FlowDecision::First), "careful");

    let runner = ExampleRunner::new(|request| match request.asker.step.as_str() {
        "careful" => Says::Fails(Failure::new(FailureClass::Server, "overloaded")),
        step => says(step),
    });
    let state = runner.run("or_default", json!({})).await;
    assert_eq!((body(&state), runner.asked()), ("plain", vec!["careful".to_owned(), "plain".to_owned()]));
    assert!(state.warnings[0].contains("`careful` failed"), "{:?}", state.warnings);
});

example!(child_per_item_runs_the_child_for_each_and_goes_on_without_one_that_fails, {
    let runner = ExampleRunner::new(|request| match prompt(request) {
        text if text.contains("Snow") => Says::Fails(Failure::new(FailureClass::Refused, "no")),
        text => says(text),
    });
    let run = runner.start("child_per_item", json!({}), None);
    let state = runner.drive(run).await;
    assert_eq!(waits(&state), ["review sections[0].text", "review sections[2].text"], "its gates are gates here");
    let state = runner.finish(run).await;
    assert_eq!(status(&state, "sections[1].outline"), "failed");
    assert!(state.warnings[0].contains("sections[1].outline"), "{:?}", state.warnings);
    let heads: Vec<&str> = body(&state).lines().filter(|line| line.starts_with("##")).collect();
    assert_eq!(heads, ["## The first frost", "## The thaw"]);
});

example!(three_times_queues_itself_until_there_are_three, {
    let runner = ExampleRunner::with_demo();
    let mut next = vec![("three_times".to_owned(), json!({ "topic": "fog" }))];
    let mut titles = Vec::new();
    while let Some((id, inputs)) = next.pop() {
        let state = runner.run(&id, inputs).await;
        titles.push(title(&state).to_owned());
        next = runner.engine.successors(state.id).unwrap();
    }
    assert_eq!(titles, ["Round 1", "Round 2", "Round 3"]);
});

#[test]
fn three_times_and_next_in_line_do_the_same_on_the_command_line() {
    let home = super::support::cli::Home::new();
    let folder = examples();
    let folder = folder.to_str().unwrap();
    home.run(["trust", folder]).exits(0);
    let run = |id: &'static str, more: &[&'static str]| {
        home.run([&["run", id, "--dir", folder, "--review", "accept"], more].concat()).exits(0)
    };
    run("three_times", &["--autoruns", "5"]);
    let history = home.run(["history", "--task", "three_times", "--json"]);
    assert_eq!(history.lines().len(), 3);
    let told = run("next_in_line", &["--next"]).out;
    assert!(told.contains("stepwell run extract_and_format --inputs -"), "{told}");
    assert!(!told.contains("if_else"), "its condition does not hold: {told}");
}

example!(next_in_line_says_what_follows_with_its_inputs, {
    let runner = ExampleRunner::new(|_| says("Money, by March."));
    let state = runner.run("next_in_line", json!({})).await;
    let next = runner.engine.successors(state.id).unwrap();
    assert_eq!(next, [("extract_and_format".to_owned(), json!({ "message": "Money, by March." }))]);
});

example!(earlier_steps_are_turns_of_a_conversation_and_the_oldest_are_condensed, {
    let long = "All the cousins, because they bring the music and the cake. ".repeat(8);
    let runner = ExampleRunner::new(move |request| match request.asker.step.as_str() {
        "who" => says(long.clone()),
        "what" => says("At six we eat."),
        "summary" => says("Cousins come."),
        _ => says("Come!"),
    });
    let state = runner.run("earlier_steps", json!({})).await;
    assert_eq!(runner.asked(), ["who", "what", "summary", "letter"]);
    let requests = runner.requests();
    let turns = |at: usize| -> Vec<(Role, String)> {
        requests[at].messages.iter().map(|message| (message.role, message.text.clone())).collect()
    };
    assert_eq!(turns(1).len(), 3, "what was asked, what was answered, and what is asked now");
    assert!(turns(1)[1].1.starts_with("All the cousins"));
    assert!(turns(2)[0].1.contains("All the cousins") && !turns(2)[0].1.contains("At six"));
    let last: Vec<String> = turns(3).into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        last,
        [
            "Sum up what was said so far.",
            "Cousins come.",
            "What should happen there? A plan hour by hour.",
            "At six we eat.",
            "Now write the invitation, in five lines."
        ]
    );
    assert_eq!(status(&state, "letter.summary"), "accepted");
    // A person may go back to the summary, too.
    let run = state.id;
    runner.decide(run, "letter.summary", DecisionKind::Reopen).await;
    let state =
        runner.decide(run, "letter.summary", DecisionKind::Edit { output: json!("Only cousins."), accept: true }).await;
    assert_eq!(waits(&state), ["stale letter"]);
});

example!(earlier_runs_of_the_session_come_first_and_the_oldest_are_condensed, {
    let runner = ExampleRunner::new(|request| match request.asker.step.as_str() {
        "summary" => says("We spoke of Ada."),
        _ => says(format!("On {} {}", prompt(request), "much can be said of it. ".repeat(12))),
    });
    for question in ["Ada?", "Her letters?", "Her engine?", "Her father?"] {
        let run = runner.start("earlier_runs", json!({ "question": question }), Some("talk"));
        runner.finish(run).await;
    }
    assert_eq!(runner.asked(), ["answer", "answer", "answer", "summary", "answer"]);
    let answers: Vec<Vec<String>> = runner
        .requests()
        .iter()
        .filter(|request| request.asker.step == "answer")
        .map(|request| request.messages.iter().map(|message| message.text.clone()).collect())
        .collect();
    assert_eq!(answers[0], ["Ada?"]);
    assert_eq!((answers[1].len(), answers[1][0].as_str()), (3, "Ada?"));
    assert!(answers[1][1].starts_with("On Ada?"));
    assert_eq!(answers[3][..2], ["Sum up what was said so far.", "We spoke of Ada."]);
    assert_eq!(answers[3].last().unwrap(), "Her father?");
    // Another session knows nothing of it.
    runner.finish(runner.start("earlier_runs", json!({ "question": "Bo?" }), Some("other"))).await;
    assert_eq!(runner.requests().pop().unwrap().messages.len(), 1);
});

example!(counter_reads_what_the_run_before_it_left_to_the_session, {
    let runner = ExampleRunner::with_demo();
    let visit = async |session: &str| {
        let state = runner.finish(runner.start("counter", json!({ "topic": "tea" }), Some(session))).await;
        (title(&state).to_owned(), body(&state).lines().next().unwrap().to_owned())
    };
    assert_eq!(visit("a").await, ("Visit 1".into(), "Visit 1, about tea.".into()));
    assert_eq!(visit("a").await, ("Visit 2".into(), "Visit 2, about tea.".into()));
    assert_eq!(visit("b").await.0, "Visit 1", "a session of its own");
    let greeted: Vec<String> = runner.requests().iter().map(|request| prompt(request).to_owned()).collect();
    assert_eq!(greeted[1], "Welcome somebody to visit number 2.");
    // A run that was not completed leaves nothing behind.
    let run = runner.start("counter", json!({}), Some("a"));
    runner.engine.cancel(run).await.unwrap();
    assert_eq!(visit("a").await.0, "Visit 3");
});

example!(side_document_stands_beside_the_result_with_versions_of_its_own, {
    let runner = ExampleRunner::new(|request| match request.asker.step.as_str() {
        "sources" => gives(&json!([{ "title": "Pharos", "year": 1909 }])),
        _ => says("An article."),
    });
    let state = runner.run("side_document", json!({})).await;
    assert_eq!(body(&state), "An article.");
    let sources = &state.documents["sources"];
    assert_eq!(sources.versions[0].title.data(), "Sources on the lighthouse of Alexandria");
    assert_eq!(sources.versions[0].body.data(), "- Pharos (1909)\n");
    runner.decide(state.id, "sources", DecisionKind::Reopen).await;
    let edited = json!([{ "title": "Pharos", "year": 1909 }, { "title": "Wonders", "year": 1988 }]);
    let state = runner.decide(state.id, "sources", DecisionKind::Edit { output: edited, accept: true }).await;
    assert_eq!(state.documents["sources"].versions.len(), 2);
    assert_eq!(waits(&state), ["stale article"]);
});

example!(picture_reaches_the_model_as_it_is, {
    use base64::Engine as _;
    let bytes = std::fs::read(examples().join("workflows/picture/square.png")).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
    let photo = json!({ "path": "square.png", "name": "square.png", "media_type": "image/png", "base64": base64 });
    let runner = ExampleRunner::with_demo();
    let state = runner.run("picture", json!({ "photo": photo })).await;
    let requests = runner.requests();
    let images = &requests[0].messages.last().unwrap().images;
    assert_eq!((images.len(), images[0].media_type.as_str(), &*images[0].base64), (1, "image/png", base64.as_str()));
    assert!(requests[1].messages.iter().all(|message| message.images.is_empty()), "only where it is attached");
    assert!(prompt(&requests[0]).contains("square.png"));
    assert!(state.result.is_some());
});

example!(deadline_answers_what_nobody_answers_and_a_decision_before_it_holds, {
    let runner = ExampleRunner::new(|request| says(request.asker.step.clone()));
    let run = runner.start("deadline", json!({}), None);
    assert_eq!(waits(&runner.drive(run).await), ["review motto", "review text"]);
    runner.engine.pause(run, stepwell::core::event::PauseReason::Left);
    let state = runner.until_stopped(run).await;
    assert_eq!(state.status, Status::Paused);
    runner.later(TimeDelta::hours(13));
    let state = runner.drive(run).await;
    assert_eq!(waits(&state), ["review text"], "half a day is over for the motto alone");
    assert!(because(&state, "motto").contains("nobody decided within 12h"));
    runner.decide(run, "text", DecisionKind::Edit { output: json!("mine"), accept: false }).await;
    runner.engine.pause(run, stepwell::core::event::PauseReason::Left);
    runner.until_stopped(run).await;
    runner.later(TimeDelta::hours(13));
    let state = runner.drive(run).await;
    assert_eq!((state.status, body(&state)), (Status::Completed, "mine"));
    let accepted = runner.events(run).into_iter().find_map(|event| match event {
        Event::CallAccepted { key, by, .. } => Some((key.to_string(), by)),
        _ => None,
    });
    assert_eq!(accepted, Some(("text".into(), "deadline".into())));
    assert_eq!(call(&state, "text").attempts[0].status, AttemptStatus::Accepted);
});
