//! What a refusal stops, what it teaches, and how long it makes wait.

use super::*;

fn says(status: u16, message: &str) -> Reply {
    Reply::status(status).body(&json!({"error": {"message": message}}).to_string())
}

fn one(kind: ProviderKind, server: &ModelServer) -> LanguageModels {
    models(config(vec![("p", provider(kind, server))]))
}

#[tokio::test]
async fn what_is_refused_for_a_reason_of_its_own_stops_only_itself() {
    for (status, said, class) in [
        (403, "your input was flagged", FailureClass::Refused),
        (403, "no access to this project", FailureClass::Auth),
        (401, "this key may not use model m", FailureClass::Auth),
        (402, "this request requires more credits", FailureClass::Auth),
        (429, "insufficient_quota", FailureClass::Auth),
    ] {
        for kind in KINDS {
            let server = ModelServer::start([says(status, said), Reply::text("ok")]);
            let models = one(kind, &server);
            assert_eq!(ask(&models, request("x")).await.unwrap_err().failure.class, class, "{status} {said}");
            assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "ok", "{kind:?} {status} {said}");
        }
    }
}

#[tokio::test]
async fn a_key_that_had_a_good_answer_is_not_given_up_for_one_refusal() {
    let server = ModelServer::start([Reply::text("ok"), says(401, "no"), Reply::text("ok"), says(401, "bad key")]);
    let settings =
        ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
    let models = models(config(vec![("p", settings)]));
    ask(&models, request("x")).await.unwrap();
    assert_eq!(ask(&models, request("x")).await.unwrap_err().failure.class, FailureClass::Auth);
    ask(&models, request("x")).await.unwrap();
    // Another key has shown nothing yet.
    models.give_key("p", Secret::new("sk-other")).unwrap();
    ask(&models, request("x")).await.unwrap_err();
    let stopped = ask(&models, request("x")).await.unwrap_err();
    assert!(stopped.failure.message.starts_with("Nothing more is sent to p"), "{}", stopped.failure.message);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_model_without_a_system_role_gets_its_text_before_the_first_message() {
    for (kind, status, said) in [
        (ProviderKind::OpenAi, 400, "System role not supported"),
        (ProviderKind::OpenAi, 500, "Jinja Exception: Only user and assistant roles are supported!"),
        (ProviderKind::OpenAi, 400, "Developer instruction is not enabled for models/m"),
        (ProviderKind::Anthropic, 400, "system messages are not supported by this model"),
        (ProviderKind::Ollama, 400, "this model does not support the system role"),
    ] {
        let server = ModelServer::answering(move |_, asked| {
            let with_role = asked.body["messages"][0]["role"] == "system" || asked.body.get("system").is_some();
            if with_role { says(status, said) } else { Reply::text("ok") }
        });
        let models = one(kind, &server);
        for _ in 0..2 {
            let done = ask(&models, request("Say hello")).await.unwrap();
            assert_eq!((done.text.data(), done.notes), ("ok", Vec::new()), "{said}");
        }
        let asked = server.requests();
        assert_eq!(asked.len(), 3, "it is learned: {said}");
        assert_eq!(asked[2].prompt(), "Be brief.\n\nSay hello");
    }
}

fn listed() -> ModelRequest {
    ModelRequest {
        schema: Some(json!({"type": "array", "items": {"type": "string"}, "minItems": 1})),
        ..request("List")
    }
}

#[tokio::test]
async fn a_keyword_that_is_refused_is_asked_for_less_strictly_and_only_in_its_schema() {
    let server = ModelServer::answering(|_, asked| {
        let format = &asked.body["response_format"]["json_schema"];
        let known = !format.to_string().contains("minItems");
        if known || format["strict"] == false {
            Reply::json(&json!({"answer": ["a"]}))
        } else {
            says(400, "Invalid schema for response_format 'answer': In context=(), 'minItems' is not permitted.")
        }
    });
    let models = one(ProviderKind::OpenAi, &server);
    for _ in 0..2 {
        let done = ask(&models, listed()).await.unwrap();
        assert_eq!((done.text.data(), done.notes), (r#"["a"]"#, Vec::new()));
    }
    let other = ModelRequest { schema: Some(json!({"type": "array", "items": {"type": "string"}})), ..request("x") };
    ask(&models, other).await.unwrap();
    let strict = |at: usize| server.requests()[at].body["response_format"]["json_schema"]["strict"].clone();
    assert_eq!([strict(0), strict(1), strict(2), strict(3)], [true, false, false, true].map(Value::from));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn what_is_about_something_else_does_not_turn_schemas_off() {
    for (status, said) in [
        (400, "filtered due to the content management policy"),
        (400, "The model `m` does not exist"),
        (422, "Budget has been exceeded! Current cost: 5.0"),
        (400, "Your credit balance is too low"),
        (400, "Failed to generate JSON. See 'failed_generation' (json_validate_failed)"),
    ] {
        let server = ModelServer::start([says(status, said), Reply::json(&json!({"answer": ["a"]}))]);
        let models = one(ProviderKind::OpenAi, &server);
        // One bad draw is drawn again at once.
        let drawn = said.contains("failed_generation");
        assert_eq!(ask(&models, listed()).await.is_ok(), drawn, "{said}");
        ask(&models, listed()).await.unwrap();
        let schemas = server.requests().iter().all(|asked| asked.body.get("response_format").is_some());
        assert!(schemas, "{said}");
    }
}

#[tokio::test]
async fn a_server_that_has_no_grammars_is_asked_in_words_whatever_its_status() {
    for (status, said) in [
        (500, "this server was built without grammar support"),
        (501, "grammar: not implemented"),
        (404, "No endpoints found that support structured outputs"),
    ] {
        let server = ModelServer::answering(move |_, asked| {
            if asked.body.get("response_format").is_some() { says(status, said) } else { Reply::text(r#"["a"]"#) }
        });
        let models = one(ProviderKind::OpenAi, &server);
        assert!(ask(&models, listed()).await.unwrap().notes[0].contains("asked for it in the prompt"));
        ask(&models, listed()).await.unwrap();
        assert_eq!(server.requests().len(), 3, "{said}");
    }
}

#[tokio::test]
async fn a_wait_is_read_wherever_it_is_and_a_long_one_says_until_when() {
    for reply in [
        Reply::status(429).header("retry-after", "7200"),
        Reply::status(429).header("retry-after", "2h"),
        Reply::status(429).header("x-ratelimit-reset-requests", "2h0m0s").header("x-ratelimit-remaining-requests", "0"),
        says(429, "Rate limit reached. Please try again in 2h0m0s."),
        Reply::status(429).body(r#"[{"error":{"message":"m","details":[{"retryDelay":"7200s"}]}}]"#),
    ] {
        let server = ModelServer::start([reply]);
        let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await.failure;
        assert_eq!((failed.class, failed.retry_after_ms), (FailureClass::RateLimit, Some(7_200_000)));
        assert!(failed.message.contains("it asks to wait 2h, until 20"), "{}", failed.message);
        assert_eq!(server.requests().len(), 1);
    }
    // Longer than the step would wait, although no more than a minute.
    let server = ModelServer::start([Reply::status(429).header("retry-after", "30")]);
    let asked = ModelRequest { longest_wait: Some(Timespan(1_000)), ..request("x") };
    let failed = ask(&one(ProviderKind::OpenAi, &server), asked).await.unwrap_err().failure;
    assert!(failed.message.contains("it asks to wait 30s"), "{}", failed.message);
}

#[tokio::test]
async fn a_model_that_is_loading_is_waited_for() {
    let loading = || says(503, "Loading model");
    let server = ModelServer::start([loading(), loading(), Reply::text("ok")]);
    let screen = Screen::default();
    let models = one(ProviderKind::OpenAi, &server);
    let done = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!((done.text.data(), server.requests().len()), ("ok", 3));
    assert_eq!(screen.0.lock().unwrap()[0], Delta::Progress("p is loading the model".into()));

    let server = ModelServer::start([loading()]);
    let failed = fails(config(vec![("p", Hasty::First.with(provider(ProviderKind::OpenAi, &server)))])).await.failure;
    assert_eq!(failed.class, FailureClass::Timeout);
    assert!(failed.message.contains("still loading"), "{}", failed.message);
}

#[tokio::test]
async fn what_to_do_names_the_cause() {
    let image = Image { name: "a.png".to_owned(), media_type: "image/png".to_owned(), base64: "AAAA".into() };
    for (kind, path, status, said, advice) in [
        (
            ProviderKind::Ollama,
            "/v1",
            404,
            "404 page not found",
            "goes too far for the kind ollama: set it to http://127",
        ),
        (ProviderKind::Anthropic, "/v1", 404, "not found", "goes too far for the kind anthropic"),
        (ProviderKind::OpenAi, "/v1/chat/completions", 404, "not found", "goes too far for the kind openai"),
        (ProviderKind::OpenAi, "/v1", 500, "image input is not supported", "Take a model that sees pictures"),
        (ProviderKind::OpenAi, "/v1", 402, "no", "Add credit there"),
        (ProviderKind::OpenAi, "/v1", 422, "budget_exceeded", "Add credit there"),
        (ProviderKind::OpenAi, "/v1", 400, "unknown model", "Check the model"),
        (ProviderKind::Ollama, "", 404, "model 'm' not found", "ollama pull m"),
    ] {
        let server = ModelServer::start([says(status, said)]);
        let base_url = Some(format!("{}{path}", server.url()));
        let models = models(config(vec![("p", ProviderSettings { base_url, ..provider(kind, &server) })]));
        let mut asked = request("x");
        asked.messages[1].images.push(image.clone());
        let failed = ask(&models, asked).await.unwrap_err().failure;
        assert!(failed.message.contains(advice), "{kind:?} {path}: {}", failed.message);
    }
}
