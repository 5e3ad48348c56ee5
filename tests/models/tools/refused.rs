//! Tools beside a schema, servers that take no tools, and turns that cannot be gone on from.

use super::*;

#[tokio::test]
async fn an_answer_with_a_schema_comes_by_a_tool_of_ours_after_the_others() {
    let schema = json!({"type": "array", "items": {"type": "string"}});
    for kind in KINDS {
        let answer = |id: &str, name: &str, arguments: Value| match kind {
            ProviderKind::Anthropic => {
                blocks(&[json!({"type": "tool_use", "id": id, "name": name, "input": arguments})])
            }
            ProviderKind::Ollama => lines(&[
                json!({"message": {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}}),
                json!({"done": true}),
            ]),
            _ => deltas(
                &[
                    json!({"tool_calls": [{"index": 0, "id": id, "function": {"name": name, "arguments": arguments.to_string()}}]}),
                ],
                "tool_calls",
            ),
        };
        let server = ModelServer::start([
            answer("c1", "files__read", json!({"path": "a"})),
            answer("c2", "answer", json!({"answer": ["x", "y"]})),
            Reply::text("[\"z\"]"),
        ]);
        let models = models(config(vec![("p", provider(kind, &server))]));
        let asked = ModelRequest { schema: Some(schema.clone()), ..with_tools("List") };
        let (turn, screen) = (ask(&models, asked.clone()).await.unwrap(), Screen::default());
        assert_eq!((turn.finish, turn.calls.len(), turn.text.data()), (Finish::Calls, 1, ""), "{kind:?}");
        let next = after(&asked, &turn);
        let done = models.complete(next.clone(), screen.sink(), CancellationToken::new()).await.unwrap();
        assert_eq!((done.text.data(), done.finish, done.calls.len()), (r#"["x","y"]"#, Finish::Stop, 0), "{kind:?}");
        assert!(screen.text().contains("\"x\""), "the answer is shown as it comes: {}", screen.text());
        // A model that answers in words instead has answered.
        assert_eq!(ask(&models, next).await.unwrap().text.data(), "[\"z\"]");

        let body = &server.requests()[0].body;
        let tools = body["tools"].as_array().unwrap();
        let ours = tools.last().unwrap();
        let (name, parameters) = match kind {
            ProviderKind::Anthropic => (&ours["name"], &ours["input_schema"]),
            _ => (&ours["function"]["name"], &ours["function"]["parameters"]),
        };
        assert_eq!(
            (tools.len(), name, &parameters["properties"]["answer"]),
            (3, &json!("answer"), &schema),
            "{kind:?}"
        );
        let held = ["format", "response_format"].iter().any(|field| body.get(field).is_some());
        assert!(!held && body["tool_choice"] != json!({"type": "tool", "name": "answer"}), "it may call others first");
        assert!(body.to_string().contains("by calling the tool `answer`"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_tool_that_is_called_answer_is_not_taken_for_ours_and_an_answer_before_the_results_does_not_count() {
    let frames = [
        json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "answer", "arguments": "{\"path\":\"a\"}"}}]}),
        json!({"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "final_answer", "arguments": "{\"a\":1}"}}]}),
    ];
    let server = ModelServer::start([deltas(&frames, "tool_calls")]);
    let asked = ModelRequest {
        schema: Some(json!({"type": "object", "properties": {"a": {}}})),
        tools: vec![offer("answer")],
        ..request("x")
    };
    let turn = ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), asked).await.unwrap();
    assert_eq!(turn.calls, [call("c1", "answer", json!({"path": "a"}))]);
    assert_eq!((turn.finish, turn.text.data()), (Finish::Calls, ""));
    assert_eq!(turn.discarded[0].text.data(), "{\"a\":1}", "it was paid for, so it is kept");
    assert!(turn.discarded[0].why.contains("before their results"), "{}", turn.discarded[0].why);
}

#[tokio::test]
async fn a_schema_that_is_refused_as_a_tool_is_asked_for_in_words_and_the_tools_stay() {
    let server = ModelServer::answering(|_, asked| {
        let ours = asked.body["tools"].as_array().unwrap().iter().find(|tool| tool["function"]["name"] == "answer");
        let why = "Invalid schema for function 'answer': In context=(), 'minItems' is not permitted.";
        match ours {
            Some(_) => Reply::status(400).body(&json!({"error": {"message": why}}).to_string()),
            None => Reply::text("[\"a\"]"),
        }
    });
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let schema = json!({"type": "array", "minItems": 1, "items": {"type": "string"}});
    let done = ask(&models, ModelRequest { schema: Some(schema), ..with_tools("x") }).await.unwrap();
    assert_eq!(done.text.data(), "[\"a\"]");
    let last = server.requests().pop().unwrap().body;
    assert_eq!(last["tools"].as_array().unwrap().len(), 2);
    assert!(last["messages"][0]["content"].as_str().unwrap().contains("\"minItems\":1"));
}

#[tokio::test]
async fn a_model_without_tools_says_so_and_what_to_do_and_never_answers_without_them() {
    for (kind, status, said) in [
        (ProviderKind::Ollama, 400, "registry.ollama.ai/library/m:latest does not support tools"),
        (ProviderKind::OpenAi, 404, "No endpoints found that support tool use."),
        (
            ProviderKind::OpenAi,
            400,
            "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
        ),
        (ProviderKind::OpenAi, 500, "tools param requires --jinja flag"),
        (ProviderKind::Anthropic, 400, "tools: this model does not support tools"),
    ] {
        for schema in [None, Some(json!({"type": "object"}))] {
            let server = ModelServer::answering(move |_, asked| match asked.body.get("tools") {
                Some(_) => Reply::status(status).body(&json!({"error": {"message": said}}).to_string()),
                None => Reply::text("I looked everywhere."),
            });
            let models = models(config(vec![("p", provider(kind, &server))]));
            let failed = ask(&models, ModelRequest { schema, ..with_tools("x") }).await.unwrap_err().failure;
            assert_eq!(failed.class, FailureClass::BadRequest, "{said}");
            let advice = "Take a model that calls tools instead of `m`, or leave `tools` out of the step.";
            assert!(
                failed.message.contains(advice) && failed.message.contains(said.trim_end_matches('.')),
                "{}",
                failed.message
            );
            assert_eq!(server.requests().len(), 1, "{said}");
        }
    }
    // Another model of the step may.
    let (without, with) = (
        ModelServer::start([Reply::status(400).body(r#"{"error":"m does not support tools"}"#)]),
        ModelServer::start([two_calls(ProviderKind::OpenAi)]),
    );
    let models = models(config(vec![
        ("p", provider(ProviderKind::Ollama, &without)),
        ("q", provider(ProviderKind::OpenAi, &with)),
    ]));
    let turn = ask(&models, with_tools("x")).await.unwrap();
    assert_eq!((turn.calls.len(), turn.model.as_str()), (2, "q/m"));
    assert!(turn.notes[0].contains("does not support tools"), "{:?}", turn.notes);
}

#[tokio::test]
async fn a_server_that_takes_tools_and_does_not_show_them_to_the_model_is_caught() {
    let server = ModelServer::start([
        Reply::text("I cannot read files.").usage(Some((19, 5))),
        Reply::text("I need none.").usage(Some((90, 5))),
        Reply::text("Who knows.").usage(None),
    ]);
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let unseen = ask(&models, with_tools("x")).await.unwrap().notes;
    assert!(unseen[0].contains("may not have seen its tools: the server read 19 of about"), "{unseen:?}");
    for _ in 0..2 {
        assert_eq!(ask(&models, with_tools("x")).await.unwrap().notes, Vec::<String>::new());
    }
    // One that has called a tool has seen it, however its server counts.
    let server = ModelServer::start([two_calls(ProviderKind::OpenAi), Reply::text("Done.").usage(Some((19, 5)))]);
    let models = self::models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let turn = ask(&models, with_tools("x")).await.unwrap();
    assert_eq!(ask(&models, after(&with_tools("x"), &turn)).await.unwrap().notes, Vec::<String>::new());
}

#[tokio::test]
async fn the_schema_of_a_tool_that_is_refused_is_named() {
    let why = "Invalid schema for function 'files__list': schema must have type 'object'";
    let server = ModelServer::start([Reply::status(400).body(&json!({"error": {"message": why}}).to_string())]);
    let asked = ModelRequest { schema: Some(json!({"type": "object"})), ..with_tools("x") };
    let failed =
        ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), asked).await.unwrap_err().failure;
    assert!(failed.message.contains(why) && failed.message.contains("Leave that tool out"), "{}", failed.message);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_turn_that_cannot_be_gone_on_from_fails_and_a_call_that_is_whole_counts() {
    let begun = |arguments: &str| json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "files__read", "arguments": arguments}}]});
    let fails_with = async |reply: Reply| {
        let server = ModelServer::start([reply]);
        ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), with_tools("x")).await
    };
    let cut = fails_with(deltas(&[json!({"content": "Let me look."}), begun("{\"path\": \"/ho")], "length"))
        .await
        .unwrap_err();
    assert_eq!((cut.failure.class, cut.partial.data()), (FailureClass::TooLong, "Let me look."));
    assert!(
        cut.failure.message.contains("in the middle of a call of `files__read`. Raise max_tokens"),
        "{}",
        cut.failure.message
    );
    // What the model wrote last is an object, and is no whole call.
    let more = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
    for last in [" {}", "{\"path\": \"/etc\"}"] {
        let cut = fails_with(deltas(&[begun("{\"path\": \"/home\", \"options\":"), more(last)], "length")).await;
        assert_eq!(cut.unwrap_err().failure.class, FailureClass::TooLong, "{last}");
    }
    let whole = fails_with(deltas(&[begun("{\"path\": \"/home\"}")], "length")).await.unwrap();
    assert_eq!((whole.finish, whole.calls.len()), (Finish::Calls, 1));

    let none = fails_with(deltas(&[], "tool_calls")).await.unwrap_err().failure;
    assert_eq!(none.class, FailureClass::Server);
    assert!(none.message.contains("sent no call"), "{}", none.message);
    // One that says so, and answers.
    let answered = fails_with(deltas(&[json!({"content": "Four."})], "tool_calls")).await.unwrap();
    assert_eq!((answered.text.data(), answered.finish), ("Four.", Finish::Stop));

    let refused = fails_with(deltas(&[begun("{\"path\": \"/etc/passwd\"}")], "content_filter")).await.unwrap();
    assert_eq!((refused.finish, refused.calls.len(), &refused.opaque), (Finish::Refused, 0, &None));

    let broken =
        fails_with(Reply::raw(SSE, format!("data: {}\n\n", json!({"choices": [{"delta": begun("{}")}]})))).await;
    assert_eq!(broken.unwrap_err().failure.class, FailureClass::Network, "it ended before it said so");

    let endless: Vec<Value> = (0..400)
        .map(|n| json!({"tool_calls": [{"index": n, "function": {"name": "files__read", "arguments": "{}"}}]}))
        .collect();
    let endless = fails_with(deltas(&endless, "tool_calls")).await.unwrap_err().failure;
    assert!(endless.message.contains("more than 256 calls"), "{}", endless.message);
}

#[tokio::test]
async fn calls_that_nobody_offered_do_not_take_the_place_of_what_is_said() {
    let server = ModelServer::start([two_calls(ProviderKind::OpenAi)]);
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let screen = Screen::default();
    let done = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!((done.text.data(), done.calls.len(), done.finish), ("Let me look.", 0, Finish::Stop));
    assert_eq!(screen.text(), "Let me look.");
}

#[tokio::test]
async fn a_call_that_the_server_could_not_read_is_drawn_once_more() {
    let failed = || {
        Reply::status(400).body(
            &json!({"error": {"message": "Failed to call a function. See 'failed_generation'.", "code": "tool_use_failed"}}).to_string(),
        )
    };
    let server = ModelServer::start([failed(), two_calls(ProviderKind::OpenAi)]);
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let turn = ask(&models, with_tools("x")).await.unwrap();
    assert_eq!((turn.calls.len(), turn.notes.len()), (2, 0));
    let server = ModelServer::start([failed(), failed(), Reply::text("never")]);
    let settings = config(vec![("p", provider(ProviderKind::OpenAi, &server))]);
    let failed = ask(&self::models(settings), with_tools("x")).await.unwrap_err().failure;
    assert_eq!((failed.class, server.requests().len()), (FailureClass::BadRequest, 2), "{}", failed.message);
}

#[tokio::test]
async fn a_model_that_takes_tools_without_thinking_only_is_asked_so_and_only_where_there_are_tools() {
    let why = "Function tools with reasoning_effort are not supported for m in /v1/chat/completions. To use function tools, \
               use /v1/responses or set reasoning_effort to 'none'.";
    let refused =
        move || Reply::status(400).body(&json!({"error": {"message": why, "param": "reasoning_effort"}}).to_string());
    // With the effort that was set, and with none that was: the model has one of its own.
    for effort in [Some("low"), None] {
        let server =
            ModelServer::answering(move |_, asked| match (asked.body.get("tools"), &asked.body["reasoning_effort"]) {
                (Some(_), effort) if effort != "none" => refused(),
                _ => Reply::text("ok"),
            });
        let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
        let tuned = |mut request: ModelRequest| {
            request.tuning.reasoning_effort = effort.map(Into::into);
            request
        };
        let first = ask(&models, tuned(with_tools("x"))).await.unwrap();
        assert!(first.notes.iter().any(|note| note.contains("reasoning_effort `none`")), "{:?}", first.notes);
        ask(&models, tuned(with_tools("x"))).await.unwrap();
        ask(&models, tuned(request("x"))).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 4, "it is learned");
        assert_eq!(requests[2].body["reasoning_effort"], "none");
        assert_eq!(requests[3].body.get("reasoning_effort"), effort.map(Value::from).as_ref(), "no tools");
    }
    // A server that does not know `none`.
    let server = ModelServer::answering(move |_, asked| match asked.body["reasoning_effort"].as_str() {
        Some("none") => Reply::status(400).body(
            &json!({"error": {"message": "Unsupported value: 'reasoning_effort' does not support 'none'"}}).to_string(),
        ),
        Some(_) => refused(),
        None => Reply::text("ok"),
    });
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let mut asked = with_tools("x");
    asked.tuning.reasoning_effort = Some("low".into());
    assert_eq!(ask(&models, asked).await.unwrap().text.data(), "ok");
    // Whatever it is asked with, it refuses: then so does the step, in its words.
    let server = ModelServer::answering(move |_, _| refused());
    let models = self::models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let failed = ask(&models, with_tools("x")).await.unwrap_err().failure;
    assert!(
        failed.message.contains("use /v1/responses") && !failed.message.contains("leave `tools` out"),
        "{}",
        failed.message
    );
}

#[tokio::test]
async fn ids_of_another_model_that_a_service_refuses_are_replaced_by_ids_that_it_takes() {
    for (status, why) in [
        (400, "Tool call id was call_a1 but must be a-z, A-Z, 0-9, with a length of 9."),
        (500, "Jinja Exception: Tool call IDs should be alphanumeric strings with length 9!"),
    ] {
        let server = ModelServer::answering(move |_, asked| {
            let taken = |id: &str| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric());
            let messages = asked.body["messages"].as_array().unwrap();
            let called = messages.iter().flat_map(|said| said["tool_calls"].as_array().into_iter().flatten());
            let called: Vec<&str> = called.filter_map(|call| call["id"].as_str()).collect();
            let returned: Vec<&str> = messages.iter().filter_map(|said| said["tool_call_id"].as_str()).collect();
            let fits = called == returned && called.iter().all(|id| taken(id));
            if fits {
                Reply::text("ok")
            } else {
                Reply::status(status).body(&json!({"error": {"message": why}}).to_string())
            }
        });
        let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
        let calls = vec![call("call_a1", "files__read", json!({})), call("functions.list:1", "files__list", json!({}))];
        let turn = Completion { calls, ..Completion::default() };
        let next = after(&with_tools("x"), &turn);
        for _ in 0..2 {
            assert_eq!(ask(&models, next.clone()).await.unwrap().text.data(), "ok");
        }
        assert_eq!(server.requests().len(), 3, "it is learned: {why}");
    }
}

#[tokio::test]
async fn thoughts_between_calls_stay_before_their_call_when_an_answer_came_too_early() {
    let early = blocks(&[
        json!({"type": "tool_use", "id": "t1", "name": "answer", "input": {"a": 1}}),
        json!({"type": "thinking", "thinking": "or look", "signature": "c2ln"}),
        json!({"type": "tool_use", "id": "t2", "name": "files__read", "input": {"path": "a"}}),
    ]);
    let server = ModelServer::start([early, Reply::text("ok")]);
    let models = models(config(vec![("p", provider(ProviderKind::Anthropic, &server))]));
    let asked = ModelRequest { schema: Some(json!({"type": "object", "properties": {"a": {}}})), ..with_tools("x") };
    let turn = ask(&models, asked.clone()).await.unwrap();
    let _ = ask(&models, after(&asked, &turn)).await;
    let said = server.requests()[1].body["messages"][1]["content"].clone();
    let kinds: Vec<&str> = said.as_array().unwrap().iter().filter_map(|block| block["type"].as_str()).collect();
    assert_eq!(kinds, ["thinking", "tool_use"], "{said}");
}
