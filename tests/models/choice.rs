//! Which model answers, and why.

use super::*;

#[tokio::test]
async fn without_a_config_a_key_answers_then_a_local_server_then_the_demo() {
    let tags = |_: usize, _: &support::model_server::Request| {
        Reply::raw("application/json", r#"{"models":[{"name":"nomic-embed-text:latest"},{"name":"qwen3:8b"}]}"#)
    };
    let server = ModelServer::answering(tags);
    let with = |environment| {
        let surroundings = Surroundings { ollama: server.url(), ..surroundings(environment) };
        LanguageModels::new(Settings::default(), surroundings)
    };

    let both = with(&[("ANTHROPIC_API_KEY", "a"), ("OPENAI_API_KEY", "b")]);
    both.probe().await;
    let choice = both.choice(None).unwrap();
    assert_eq!(
        (choice.model.as_str(), choice.why.as_str()),
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY is set")
    );
    assert!(choice.ask_first && !choice.demo);
    assert_eq!(choice.config_lines, "[models]\ndefault = \"anthropic/claude-sonnet-4-5\"");
    assert_eq!(
        with(&[("ANTHROPIC_API_KEY", " "), ("OPENAI_API_KEY", "b")]).choice(None).unwrap().model,
        "openai/gpt-5"
    );

    let none = with(&[]);
    let choice = none.choice(None).unwrap();
    assert_eq!((choice.model.as_str(), choice.demo, choice.ask_first), ("demo/recorded", true, false));
    assert!(server.requests().is_empty(), "the port is asked only by a probe");
    none.probe().await;
    let choice = none.choice(None).unwrap();
    assert_eq!((choice.model.as_str(), choice.ask_first), ("ollama/qwen3:8b", true));
    let refused = ask(&none, request("Say hello")).await.expect_err("nobody has agreed to it");
    assert_eq!(refused.failure.class, FailureClass::Denied);
    assert!(server.requests().iter().all(|asked| asked.path.contains("tags")), "nothing was sent");
    none.agree("ollama");
    assert!(!none.choice(None).unwrap().ask_first);
    assert_ne!(ask(&none, request("Say hello")).await.expect_err("no answer").failure.class, FailureClass::Denied);
    let names: Vec<String> = none.choices().into_iter().map(|choice| choice.model).collect();
    assert_eq!(names.first().map(String::as_str), Some("ollama/qwen3:8b"));
    assert_eq!(names.last().map(String::as_str), Some("demo/recorded"));
}

#[tokio::test]
async fn a_probe_of_nothing_or_of_a_hanging_port_ends_soon_and_finds_nothing() {
    let hanging = ModelServer::start([Reply::text("x").silent()]);
    for ollama in [hanging.url(), "http://127.0.0.1:1".to_owned()] {
        let local = Duration::from_millis(400);
        let models = LanguageModels::new(Settings::default(), Surroundings { ollama, local, ..surroundings(&[]) });
        tokio::time::timeout(PATIENCE, models.probe()).await.unwrap();
        assert!(models.choice(None).unwrap().demo);
    }
}

#[tokio::test]
async fn a_name_that_is_not_configured_says_what_there_is() {
    let server = ModelServer::start([Reply::text("ok")]);
    let mut settings = config(vec![("local", provider(ProviderKind::OpenAi, &server))]);
    settings.models.insert("loop".to_owned(), RoleSettings::from("loop"));
    let models = models(settings);
    for (name, names) in [
        ("clever", "default, loop"),
        ("nowhere/m", "anthropic, demo, local, ollama, openai"),
        ("local/", "PROVIDER/MODEL"),
        ("loop", "loop"),
    ] {
        let failure = models.choice(Some(name)).unwrap_err();
        assert_eq!(failure.class, FailureClass::Definition);
        assert!(failure.message.contains(names), "{}", failure.message);
        let asked = ModelRequest { models: vec![name.to_owned()], ..request("x") };
        assert_eq!(ask(&models, asked).await.unwrap_err().failure, failure);
    }
    let named = models.choice(Some("local/other")).unwrap();
    assert!(!named.ask_first && named.why.contains("local/other"));
    assert!(models.choice(Some("openai/gpt-5")).unwrap().ask_first);
    assert_eq!(models.choice(Some("demo")).unwrap().model, "demo/recorded");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_dearest_model_that_may_answer_is_reserved_and_the_first_gives_the_lane() {
    let server = ModelServer::start([Reply::text("ok")]);
    let cheap = ProviderSettings { max_concurrency: Some(3), ..provider(ProviderKind::OpenAi, &server) };
    let dear = ProviderSettings {
        price: Some(Price { input: 10.0, output: 20.0, cached: None }),
        ..provider(ProviderKind::OpenAi, &server)
    };
    let models = models(config(vec![("cheap", cheap), ("dear", dear)]));
    let usage = models.estimate(&[], 100_000, Some(50_000));
    assert_eq!((usage.input_tokens, usage.output_tokens), (100_000, 50_000));
    assert!((usage.usd - 2.0).abs() < 1e-9);
    assert_eq!(models.lane(&[]), Some(("cheap".to_owned(), 3)));
    assert_eq!(models.lane(&["ollama/x".to_owned()]), Some(("ollama".to_owned(), 1)));
    assert_eq!(models.lane(&["demo".to_owned()]), None);
}
