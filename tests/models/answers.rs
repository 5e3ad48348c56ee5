//! What is asked, and what comes back.

use super::*;

#[tokio::test]
async fn each_protocol_streams_and_reports_usage_and_cost() {
    for kind in KINDS {
        let server = ModelServer::start([Reply::text("Hello out there.")]);
        let price = Some(Price { input: 1_000_000.0, output: 1_000_000.0, cached: None });
        let api_key_env = Some("TEST_KEY".to_owned());
        let settings = ProviderSettings { price, api_key_env, ..provider(kind, &server) };
        let models = models(config(vec![("p", settings)]));
        let screen = Screen::default();
        let request =
            ModelRequest { temperature: Some(0.5), max_tokens: Some(800), seed: Some(7), ..request("Say hello") };
        let done = models.complete(request, screen.sink(), CancellationToken::new()).await.unwrap();

        assert_eq!((done.text.data(), done.model.as_str()), ("Hello out there.", "p/m"), "{kind:?}");
        assert_eq!(screen.text(), "Hello out there.");
        assert_eq!((done.usage.input_tokens, done.usage.output_tokens, done.finish), (11, 7, Finish::Stop));
        assert!((done.usage.usd - 18.0).abs() < 1e-9 && done.notes.is_empty());

        let asked = &server.requests()[0];
        assert_eq!((asked.prompt().as_str(), &asked.body["stream"]), ("Say hello", &json!(true)));
        let key = asked.header(if kind == ProviderKind::Anthropic { "x-api-key" } else { "authorization" }).unwrap();
        assert!(key.ends_with("sk-very-secret"));
        let body = &asked.body;
        let (system, temperature, limit) = match kind {
            ProviderKind::Anthropic => (&body["system"], &body["temperature"], &body["max_tokens"]),
            ProviderKind::Ollama => {
                (&body["messages"][0]["content"], &body["options"]["temperature"], &body["options"]["num_predict"])
            }
            _ => (&body["messages"][0]["content"], &body["temperature"], &body["max_tokens"]),
        };
        assert_eq!((system, temperature, limit), (&json!("Be brief."), &json!(0.5), &json!(800)), "{kind:?}");
    }
}

#[tokio::test]
async fn a_list_is_answered_as_a_list_by_every_protocol() {
    let schema = json!({"type": "array", "items": {"type": "string"}});
    for kind in KINDS {
        let wrapped = kind != ProviderKind::Ollama;
        let server =
            ModelServer::start([Reply::json(&if wrapped { json!({"answer": ["a", "b"]}) } else { json!(["a", "b"]) })]);
        let models = models(config(vec![("p", provider(kind, &server))]));
        let done = ask(&models, ModelRequest { schema: Some(schema.clone()), ..request("List") }).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(done.text.data()).unwrap(), json!(["a", "b"]), "{kind:?}");
        let body = &server.requests()[0].body;
        let asked = match kind {
            ProviderKind::Anthropic => &body["tools"][0]["input_schema"]["properties"]["answer"],
            ProviderKind::Ollama => &body["format"],
            _ => &body["response_format"]["json_schema"]["schema"]["properties"]["answer"],
        };
        assert_eq!(asked, &schema, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_without_structured_output_is_asked_in_the_prompt_and_not_twice() {
    let server = ModelServer::answering(|_, asked| {
        if asked.body.get("response_format").is_some() {
            Reply::status(400).body(r#"{"error":{"message":"unknown field response_format"}}"#)
        } else {
            Reply::text("[1]")
        }
    });
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let asked = ModelRequest { schema: Some(json!({"type": "array", "minItems": 1})), ..request("List") };
    let done = ask(&models, asked.clone()).await.unwrap();
    assert_eq!(done.text.data(), "[1]");
    assert!(done.notes[0].contains("asked for it in the prompt"), "{:?}", done.notes);
    assert!(server.requests()[1].body["messages"][0]["content"].as_str().unwrap().contains("\"minItems\":1"));
    ask(&models, asked).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn what_a_model_does_not_take_is_left_out_and_said() {
    let server = ModelServer::answering(|_, asked| {
        for (name, says) in
            [("max_tokens", "use max_completion_tokens"), ("temperature", "temperature is fixed"), ("seed", "no seed")]
        {
            if asked.body.get(name).is_some() {
                return Reply::status(400).body(&json!({"error": {"message": says}}).to_string());
            }
        }
        Reply::text("ok")
    });
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let asked = ModelRequest { temperature: Some(1.0), max_tokens: Some(9), seed: Some(1), ..request("x") };
    let done = ask(&models, asked).await.unwrap();
    assert_eq!(server.requests()[3].body["max_completion_tokens"], 9);
    assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
}

#[tokio::test]
async fn images_go_as_each_protocol_wants_them() {
    let image = Image { name: "a.png".to_owned(), media_type: "image/png".to_owned(), base64: "AAAA".into() };
    for kind in KINDS {
        let server = ModelServer::start([Reply::text("A cat.")]);
        let mut asked = request("What is it?");
        asked.messages[1].images.push(image.clone());
        ask(&models(config(vec![("p", provider(kind, &server))])), asked).await.unwrap();
        let asked = &server.requests()[0];
        let last = asked.body["messages"].as_array().unwrap().last().unwrap();
        match kind {
            ProviderKind::Anthropic => assert_eq!(
                last["content"][0]["source"],
                json!({"type": "base64", "media_type": "image/png", "data": "AAAA"})
            ),
            ProviderKind::Ollama => assert_eq!(last["images"], json!(["AAAA"])),
            _ => assert_eq!(last["content"][1]["image_url"]["url"], "data:image/png;base64,AAAA"),
        }
        assert_eq!(asked.prompt(), "What is it?");
    }
}

#[tokio::test]
async fn a_cut_and_a_declined_answer_are_told_apart() {
    for kind in [ProviderKind::OpenAi, ProviderKind::Anthropic] {
        for (reason, finish) in [("length", Finish::Length), ("content_filter", Finish::Refused)] {
            let server = ModelServer::start([Reply::text("Well").finish(reason)]);
            let done = ask(&models(config(vec![("p", provider(kind, &server))])), request("x")).await.unwrap();
            assert_eq!(done.finish, finish, "{kind:?} {reason}");
        }
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_a_hanging_one() {
    // The whole takes longer than a pause may; a pause takes no time to speak of.
    let server = ModelServer::start([Reply::chunks(["a"; 60]).drip(Duration::from_millis(20))]);
    let settings = ProviderSettings { idle_timeout: Some(Timespan(1_000)), ..provider(ProviderKind::OpenAi, &server) };
    let done = ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
    assert_eq!(done.text.data(), "a".repeat(60));
}

#[tokio::test]
async fn servers_that_leave_things_out_are_understood() {
    for (kind, body) in [
        // No [DONE], no usage, an empty finish_reason, no space, CRLF.
        (
            "text/event-stream",
            "data:{\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"\"}],\"usage\":{}}\r\n\r\n",
        ),
        (
            "",
            "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"}}]}\n\ndata: {\"choices\":[{\"finish_reason\":\"stop\"}]}",
        ),
        // Does not stream at all.
        ("application/json", "{\n\"choices\":[{\"message\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}"),
    ] {
        let server = ModelServer::start([Reply::raw(kind, body)]);
        let done =
            ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), request("x")).await.unwrap();
        assert_eq!((done.text.data(), done.usage.tokens()), ("ok", 0), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_close_after_the_end_is_not_waited_for() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\n";
    let server = ModelServer::start([Reply::raw("text/event-stream", body).hang_after(0)]);
    let done = ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), request("x")).await.unwrap();
    assert_eq!(done.text.data(), "ok");
}

#[tokio::test]
async fn an_answer_of_nothing_is_said_to_be_one() {
    let server = ModelServer::start([Reply::chunks([""])]);
    let done = ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), request("x")).await.unwrap();
    assert_eq!((done.text.data(), done.notes), ("", vec!["The model answered nothing.".to_owned()]));
}

#[tokio::test]
async fn a_query_of_the_address_is_kept() {
    let server = ModelServer::start([Reply::text("ok")]);
    let mut settings = provider(ProviderKind::OpenAi, &server);
    settings.base_url = Some(format!("{}/v1/?api-version=3", server.url()));
    ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
    assert_eq!(server.requests()[0].target, "/v1/chat/completions?api-version=3");
}

#[tokio::test]
async fn a_key_command_is_run_once_and_its_output_is_the_key() {
    let server = ModelServer::start([Reply::text("ok")]);
    let folder = tempfile::tempdir().unwrap();
    let counter = folder.path().join("runs");
    let script = format!("echo x >> {}; echo from-a-vault", counter.display());
    let argv = vec!["sh".to_owned(), "-c".to_owned(), script];
    let settings = ProviderSettings { api_key_command: Some(argv), ..provider(ProviderKind::OpenAi, &server) };
    let models = models(config(vec![("p", settings)]));
    for _ in 0..2 {
        ask(&models, request("x")).await.unwrap();
    }
    assert_eq!(server.requests()[1].header("authorization"), Some("Bearer from-a-vault"));
    assert_eq!(std::fs::read_to_string(counter).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn the_services_own_key_is_not_sent_to_another_server() {
    let server = ModelServer::start([Reply::text("ok")]);
    let models = LanguageModels::new(
        config(vec![("p", provider(ProviderKind::OpenAi, &server))]),
        surroundings(&[("OPENAI_API_KEY", "sk-openai")]),
    );
    ask(&models, request("x")).await.unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_local_server_gets_room_for_the_prompt_and_is_caught_when_it_cuts() {
    let long = "All work and no play. ".repeat(3_000);
    let server =
        ModelServer::start([Reply::text("ok").usage(Some((2_048, 1))), Reply::text("ok").usage(Some((15_000, 1)))]);
    let models = models(config(vec![("p", provider(ProviderKind::Ollama, &server))]));
    let cut = ask(&models, request(&long)).await.unwrap();
    assert!(cut.notes[0].contains("prompt was cut: the server read 2048 of about 16503"), "{:?}", cut.notes);
    assert!(ask(&models, request(&long)).await.unwrap().notes.is_empty());
    assert_eq!(server.requests()[0].body["options"]["num_ctx"], 32_768);
}

#[tokio::test]
async fn twenty_thousand_tokens_arrive_whole_and_in_few_pieces() {
    let server = ModelServer::start([Reply::chunks((0..20_000).map(|n| format!("word{n} ")))]);
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let screen = Screen::default();
    let begun = Instant::now();
    let done = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!(done.text.data().split_whitespace().count(), 20_000);
    let pieces = u128::try_from(screen.0.lock().unwrap().len()).unwrap();
    assert!(pieces <= begun.elapsed().as_millis() / 5 + 10, "{pieces} in {:?}", begun.elapsed());
    assert_eq!(screen.text(), done.text.data());
}
