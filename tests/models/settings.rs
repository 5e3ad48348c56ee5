//! Models as people set them: what is sent, what it costs, and which model says that it answered.

use super::*;
use stepwell::core::tuning::{ModelDefaults, Thinking, Tuning};

fn fields(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn the_nearest_of_step_role_and_provider_is_sent_in_the_words_of_each_protocol() {
    for kind in KINDS {
        let server = ModelServer::start([Reply::text("ok")]);
        let own = ProviderSettings {
            defaults: ModelDefaults {
                temperature: Some(0.1),
                max_tokens: Some(100),
                tuning: Tuning {
                    top_p: Some(0.1),
                    stop: vec!["PROVIDER".into()],
                    extra_body: fields(&json!({"x": {"provider": 1, "who": "provider"}})),
                    ..Tuning::default()
                },
            },
            ..provider(kind, &server)
        };
        let mut settings = config(vec![("p", own)]);
        settings.models.get_mut("default").unwrap().defaults = ModelDefaults {
            temperature: Some(0.2),
            tuning: Tuning {
                top_p: Some(0.2),
                reasoning_effort: Some("low".into()),
                extra_body: fields(&json!({"x": {"who": "role"}})),
                ..Tuning::default()
            },
            ..ModelDefaults::default()
        };
        let tuning = Tuning { top_p: Some(0.3), ..Tuning::default() };
        ask(&models(settings), ModelRequest { tuning, ..request("x") }).await.unwrap();
        let body = &server.requests()[0].body;
        let options = if kind == ProviderKind::Ollama { &body["options"] } else { body };
        let (limit, stop, effort) = match kind {
            ProviderKind::Ollama => ("num_predict", "stop", &body["think"]),
            ProviderKind::Anthropic => ("max_tokens", "stop_sequences", &body["output_config"]["effort"]),
            _ => ("max_tokens", "stop", &body["reasoning_effort"]),
        };
        assert_eq!((&options["top_p"], &options["temperature"]), (&json!(0.3), &json!(0.2)), "{kind:?}");
        assert_eq!((&options[limit], &options[stop]), (&json!(100), &json!(["PROVIDER"])), "{kind:?}");
        assert_eq!((effort, &body["x"]), (&json!("low"), &json!({"provider": 1, "who": "role"})), "{kind:?}");
    }
}

#[tokio::test]
async fn thinking_is_asked_for_as_each_protocol_has_it() {
    let schema = json!({"type": "object"});
    for (kind, set, sent) in [
        (ProviderKind::Anthropic, Thinking::Tokens(2_000), json!({"type": "enabled", "budget_tokens": 2_000})),
        (ProviderKind::Anthropic, Thinking::Set(false), json!({"type": "disabled"})),
        (ProviderKind::Anthropic, Thinking::Raw(fields(&json!({"type": "adaptive"}))), json!({"type": "adaptive"})),
        (ProviderKind::OpenAi, Thinking::Set(true), json!({"type": "enabled"})),
        (ProviderKind::Ollama, Thinking::Set(false), json!(false)),
    ] {
        let server = ModelServer::start([Reply::json(&json!({}))]);
        let tuning = Tuning { thinking: Some(set.clone()), ..Tuning::default() };
        let asked = ModelRequest { tuning, schema: Some(schema.clone()), temperature: Some(0.5), ..request("x") };
        ask(&models(config(vec![("p", provider(kind, &server))])), asked).await.unwrap();
        let body = &server.requests()[0].body;
        let field = if kind == ProviderKind::Ollama { "think" } else { "thinking" };
        assert_eq!(body[field], sent, "{kind:?} {set:?}");
        if kind == ProviderKind::Anthropic && set.is_on() {
            // With thoughts, neither a temperature nor a tool that must be called is taken.
            assert_eq!((&body["tool_choice"], &body["temperature"]), (&json!({"type": "auto"}), &Value::Null));
            assert!(body["max_tokens"].as_u64().unwrap() > 2_000);
        }
    }
}

#[tokio::test]
async fn what_is_set_and_not_taken_is_left_out_and_said() {
    let server = ModelServer::answering(|_, asked| {
        for name in ["reasoning_effort", "thinking", "top_p", "stop"] {
            if asked.body.get(name).is_some() {
                let says = format!("Unsupported parameter: '{name}' is not supported with this model.");
                return Reply::status(400).body(&json!({"error": {"message": says}}).to_string());
            }
        }
        Reply::text("ok")
    });
    let tuning = Tuning {
        top_p: Some(0.5),
        stop: vec!["END".into()],
        reasoning_effort: Some("low".into()),
        thinking: Some(Thinking::Set(true)),
        ..Tuning::default()
    };
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let done = ask(&models, ModelRequest { tuning, ..request("x") }).await.unwrap();
    assert_eq!(done.notes.len(), 4, "{:?}", done.notes);
}

#[tokio::test]
async fn the_server_s_own_cost_counts_then_the_model_s_price_with_what_was_cached() {
    let answer = |usage: &Value| {
        let end = json!({"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}], "usage": usage});
        Reply::raw("text/event-stream", format!("data: {end}\n\n"))
    };
    for (usage, output, usd) in [
        (json!({"prompt_tokens": 1_000_000, "completion_tokens": 7, "cost": 0.25}), 7, 0.25),
        (json!({"prompt_tokens": 1_000_000, "completion_tokens": 0}), 0, 2.0),
        (json!({"prompt_tokens": 1_000_000, "prompt_tokens_details": {"cached_tokens": 500_000}}), 0, 1.25),
        // The thoughts are in the total alone.
        (json!({"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 1_000_000}), 1_000_000, 10.0),
    ] {
        let server = ModelServer::start([answer(&usage)]);
        let price = Price { input: 2.0, output: 10.0, cached: Some(0.5) };
        let mut settings = ProviderSettings {
            price: Some(Price { input: 99.0, output: 99.0, cached: None }),
            ..provider(ProviderKind::OpenAi, &server)
        };
        settings.prices.insert("m".to_owned(), price);
        let done = ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
        assert_eq!(done.usage.output_tokens, output, "{usage}");
        assert!((done.usage.usd - usd).abs() < 1e-9, "{usage} {}", done.usage.usd);
    }
}

#[tokio::test]
async fn another_model_than_was_asked_for_is_said() {
    for (kind, body) in [
        (
            ProviderKind::OpenAi,
            "data: {\"model\":\"other\",\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\n",
        ),
        (
            ProviderKind::Anthropic,
            "{\"type\":\"message\",\"model\":\"other\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}],\"stop_reason\":\"end_turn\"}",
        ),
        (ProviderKind::Ollama, "{\"model\":\"other\",\"message\":{\"content\":\"ok\"},\"done\":true}\n"),
    ] {
        let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
        let done = ask(&models(config(vec![("p", provider(kind, &server))])), request("x")).await.unwrap();
        assert_eq!(done.notes, ["p was asked for m, and says that other answered."], "{kind:?}");
    }
}

#[tokio::test]
async fn an_ollama_is_asked_for_no_more_context_than_is_set_and_keeps_the_model() {
    let server = ModelServer::start([Reply::text("ok").usage(None)]);
    let settings = ProviderSettings {
        num_ctx: Some(10_000),
        keep_alive: Some(json!("30m")),
        ..provider(ProviderKind::Ollama, &server)
    };
    let models = models(config(vec![("p", settings)]));
    for prompt in ["x".to_owned(), "All work and no play. ".repeat(3_000)] {
        ask(&models, request(&prompt)).await.unwrap();
    }
    let sent = server.requests().iter().map(|asked| asked.body["options"]["num_ctx"].clone()).collect::<Vec<_>>();
    assert_eq!((sent, &server.requests()[0].body["keep_alive"]), (vec![json!(8_192), json!(10_000)], &json!("30m")));
}

#[tokio::test]
async fn an_ollama_without_an_address_is_looked_for_where_its_own_programs_look() {
    let server = ModelServer::start([Reply::text("ok")]);
    let settings = ProviderSettings { kind: ProviderKind::Ollama, ..ProviderSettings::default() };
    let surroundings = Surroundings { ollama: server.url(), ..surroundings(&[]) };
    let models = LanguageModels::new(config(vec![("p", settings)]), surroundings);
    assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "ok");
}

#[tokio::test]
async fn an_anthropic_keeps_system_text_and_conversation_where_that_is_set() {
    let server = ModelServer::start([Reply::text("ok")]);
    for on in [false, true] {
        let settings = ProviderSettings { prompt_caching: on, ..provider(ProviderKind::Anthropic, &server) };
        ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
    }
    let asked = server.requests();
    let mark = json!({"type": "ephemeral"});
    assert_eq!(asked[0].body["system"], "Be brief.");
    assert!(!asked[0].body.to_string().contains("cache_control"));
    assert_eq!(asked[1].body["system"], json!([{"type": "text", "text": "Be brief.", "cache_control": mark}]));
    assert_eq!(asked[1].body["messages"][0]["content"][0]["cache_control"], mark);
}

#[tokio::test]
async fn a_header_is_given_by_reference_and_its_value_is_shown_nowhere() {
    let server = ModelServer::start([Reply::text("ok"), Reply::status(400).body(r#"{"error":"no sk-very-secret"}"#)]);
    let headers = [("api-key", "env:TEST_KEY"), ("X-Vault", "cmd:vault"), ("X-Team", "docs")];
    let settings = ProviderSettings {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..provider(ProviderKind::OpenAi, &server)
    };
    let mut settings = config(vec![("p", settings)]);
    settings.secrets.insert("vault".into(), ["echo", "from-a-vault"].map(str::to_owned).into());
    let models = models(settings);
    ask(&models, request("x")).await.unwrap();
    let asked = &server.requests()[0];
    let sent = ["api-key", "x-vault", "x-team"].map(|name| asked.header(name).unwrap().to_owned());
    assert_eq!(sent, ["sk-very-secret", "from-a-vault", "docs"]);
    let failed = ask(&models, request("x")).await.unwrap_err().failure;
    assert!(!format!("{failed:?}").contains("very-secret"), "{failed:?}");

    for (value, names) in [("env:NOT_SET", "NOT_SET"), ("cmd:nobody", "no `nobody`")] {
        let headers = BTreeMap::from([("api-key".to_owned(), value.to_owned())]);
        let settings = ProviderSettings { headers, ..provider(ProviderKind::OpenAi, &server) };
        let failed = fails(config(vec![("p", settings)])).await.failure;
        assert_eq!(failed.class, FailureClass::Auth);
        assert!(failed.message.contains(names) && failed.message.contains("api-key"), "{}", failed.message);
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_key_is_sent_without_what_cannot_be_seen_and_never_when_it_cannot_be_one() {
    let server = ModelServer::start([Reply::text("ok")]);
    for (value, sent) in [("\u{feff}sk-1\n", true), (" sk\u{200b}-1\u{a0}", true), ("sk-ключ", false)] {
        let lookup = Arc::new(move |name: &str| (name == "ODD_KEY").then(|| value.to_owned()));
        let settings =
            ProviderSettings { api_key_env: Some("ODD_KEY".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
        let surroundings = Surroundings { lookup, ..surroundings(&[]) };
        let asked = ask(&LanguageModels::new(config(vec![("p", settings)]), surroundings), request("x")).await;
        assert_eq!(asked.is_ok(), sent, "{value:?}");
        if let Err(failed) = asked {
            let message = failed.failure.message;
            assert!(message.contains("ODD_KEY") && message.contains("U+043A"), "{message}");
        }
    }
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("Bearer sk-1")));
}

#[tokio::test]
async fn each_configured_server_says_what_it_has() {
    let list = |body: &str| Reply::raw("application/json", body);
    for (kind, reply, answers, says) in [
        (
            ProviderKind::OpenAi,
            list(r#"{"data":[{"id":"m","name":"M"}],"models":[{"name":"m"}]}"#),
            true,
            "has 1 model",
        ),
        (ProviderKind::OpenAi, list(r#"{"data":[{"id":"x"},{"id":"y"}]}"#), false, "does not list m; it has x, y"),
        (ProviderKind::OpenAi, list(&"x".repeat(4_000_001)), false, "without end"),
        (ProviderKind::OpenAi, Reply::status(404), true, "lists no models"),
        (ProviderKind::OpenAi, Reply::status(401), false, "answered 401"),
        (ProviderKind::Anthropic, list(r#"{"data":[{"id":"m"}]}"#), true, "has 1 model"),
        (ProviderKind::Ollama, list(r#"{"models":[{"name":"m:latest"}]}"#), true, "has 1 model"),
        (ProviderKind::Ollama, list(r#"{"models":[]}"#), false, "has no model yet: ollama pull m"),
        (ProviderKind::Ollama, list(r#"{"models":[{"name":"x"}]}"#), false, "does not list m: ollama pull m"),
    ] {
        let server = ModelServer::start([reply]);
        let settings = ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(kind, &server) };
        let found = models(config(vec![("p", settings)])).inspect().await;
        assert_eq!((found.len(), found[0].answers), (1, answers), "{kind:?} {found:?}");
        assert!(found[0].says.contains(says), "{kind:?} {}", found[0].says);
        assert_eq!(server.requests()[0].body, Value::Null);
    }
}
