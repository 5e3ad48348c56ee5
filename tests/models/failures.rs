//! Each way to fail: its class, its words, what is kept, and what is not sent again.

use super::*;

#[tokio::test]
async fn every_refusal_has_its_class_and_says_who_where_and_what_to_do() {
    for kind in KINDS {
        for (status, class) in [
            (401, FailureClass::Auth),
            (429, FailureClass::RateLimit),
            (500, FailureClass::Server),
            (529, FailureClass::Server),
            (400, FailureClass::BadRequest),
            (404, FailureClass::BadRequest),
            (408, FailureClass::Timeout),
            (413, FailureClass::TooLong),
            (307, FailureClass::BadRequest),
        ] {
            let server = ModelServer::start([Reply::status(status).header("location", "http://127.0.0.1:1/elsewhere")]);
            let failed = fails(config(vec![("mine", provider(kind, &server))])).await;
            let message = &failed.failure.message;
            assert_eq!(failed.failure.class, class, "{kind:?} {status} {message}");
            let host = server.url().replace("http://", "");
            assert!(message.starts_with(&format!("mine ({host}) ")), "{message}");
            assert!(message.ends_with('.') && message.contains(&status.to_string()) || status == 307, "{message}");
            assert_eq!((failed.model.as_str(), server.requests().len()), ("mine/m", 1), "{kind:?} {status}");
        }
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_is_too_long() {
    let says = r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#;
    let server = ModelServer::start([Reply::status(400).body(says)]);
    assert_eq!(
        fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await.failure.class,
        FailureClass::TooLong
    );
}

#[tokio::test]
async fn what_to_do_goes_by_the_status_and_not_by_words_that_the_server_chose() {
    for (kind, status, says, advice) in [
        (ProviderKind::OpenAi, 404, "nothing here", "/v1"),
        (ProviderKind::OpenAi, 400, "the tool 404 does not exist", "settings"),
        (ProviderKind::Ollama, 404, "no such model", "ollama pull"),
        (ProviderKind::Ollama, 400, "the option was not found", "settings"),
    ] {
        let server = ModelServer::start([Reply::status(status).body(says)]);
        let failed = fails(config(vec![("p", provider(kind, &server))])).await;
        assert!(failed.failure.message.contains(advice), "{kind:?} {status}: {}", failed.failure.message);
    }
}

#[tokio::test]
async fn nobody_listening_is_a_network_failure_with_advice() {
    let settings = ProviderSettings {
        kind: ProviderKind::Ollama,
        base_url: Some("http://127.0.0.1:1".to_owned()),
        ..ProviderSettings::default()
    };
    let failed = fails(config(vec![("local", settings)])).await;
    assert_eq!(failed.failure.class, FailureClass::Network);
    assert!(failed.failure.message.contains("ollama serve"), "{}", failed.failure.message);
}

#[tokio::test]
async fn a_connection_that_breaks_or_just_ends_keeps_the_text_and_is_no_answer() {
    for kind in KINDS {
        for reply in [Reply::text("one two three").break_after(2), Reply::text("one two three").stop_after(2)] {
            let server = ModelServer::start([reply]);
            let failed = fails(config(vec![("p", provider(kind, &server))])).await;
            assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Network, "one two "), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_begins_or_stops_in_the_middle_times_out() {
    for kind in KINDS {
        for (reply, hasty, partial, says) in [
            (Reply::text("a b").silent(), Hasty::First, "", "first_token_timeout"),
            (Reply::text("a b").hang_after(0), Hasty::First, "", "first_token_timeout"),
            (Reply::text("a b").hang_after(1), Hasty::Next, "a ", "idle_timeout"),
        ] {
            let server = ModelServer::start([reply]);
            let failed = fails(config(vec![("p", hasty.with(provider(kind, &server)))])).await;
            assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Timeout, partial), "{kind:?}");
            assert!(failed.failure.message.contains(says), "{}", failed.failure.message);
        }
    }
}

#[tokio::test]
async fn what_a_stream_took_that_did_not_come_to_its_end_is_estimated_and_marked() {
    let price = Some(Price { input: 1_000_000.0, output: 1_000_000.0, cached: None });
    for kind in KINDS {
        // Twelve bytes of prompts and eight of the answer; a server that counts the prompt first is believed.
        let server = ModelServer::start([Reply::text("one two three").break_after(2).usage(Some((0, 0)))]);
        let failed = fails(config(vec![("p", ProviderSettings { price, ..provider(kind, &server) })])).await;
        assert_eq!(failed.partial.data(), "one two ");
        assert!(failed.usage.estimated, "{kind:?} {:?}", failed.usage);
        assert_eq!((failed.usage.input_tokens, failed.usage.output_tokens), (6, 2), "{kind:?}");
        assert!((failed.usage.usd - 8.0).abs() < 1e-9, "{kind:?} {:?}", failed.usage);
    }
    // Nothing had arrived: nothing is known to have been taken.
    let server = ModelServer::start([Reply::status(500)]);
    let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await;
    assert_eq!(failed.usage, stepwell::core::usage::Usage::default());
}

#[tokio::test]
async fn an_end_that_is_none_is_a_failure_that_keeps_the_text() {
    for (kind, reasons) in [
        (ProviderKind::OpenAi, ["insufficient_system_resource", "abort", "error", "a new reason"].as_slice()),
        (ProviderKind::Ollama, &["unload", "load", "a new reason"]),
    ] {
        for reason in reasons {
            let server = ModelServer::start([Reply::text("Well then").finish(reason)]);
            let failed = fails(config(vec![("p", provider(kind, &server))])).await;
            let of = (failed.failure.class, failed.partial.data());
            assert_eq!(of, (FailureClass::Server, "Well then"), "{kind:?} {reason}");
        }
    }
    let body = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Well\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"pause_turn\"}}\n\n";
    let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
    let failed = fails(config(vec![("p", provider(ProviderKind::Anthropic, &server))])).await;
    assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Server, "Well"));
    assert!(failed.failure.message.contains("pause_turn"), "{}", failed.failure.message);
}

#[tokio::test]
async fn an_error_before_the_end_of_a_stream_is_no_answer() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"Well\"}}]}\n\n";
    for error in [
        r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop","error":{"message":"upstream broke"}}]}"#,
        r#"{"object":"error","message":"upstream broke","code":40303}"#,
        r#"{"message":"upstream broke","type":"internal_error"}"#,
    ] {
        let server =
            ModelServer::start([Reply::raw("text/event-stream", format!("{text}data: {error}\n\ndata: [DONE]\n\n"))]);
        let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await;
        assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Server, "Well"), "{error}");
        assert!(failed.failure.message.contains("upstream broke"), "{}", failed.failure.message);
    }
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_fails_and_keeps_the_text() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\ndata: {\"choices\":[{\n\n";
    let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
    let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await;
    assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Server, "one"));
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_a_failure() {
    for (kind, body) in [
        (ProviderKind::OpenAi, "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"),
        (
            ProviderKind::Anthropic,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        ),
        (ProviderKind::Ollama, "{\"error\":\"overloaded\"}\n"),
    ] {
        let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
        let failed = fails(config(vec![("p", provider(kind, &server))])).await;
        assert_eq!(failed.failure.class, FailureClass::Server, "{kind:?}");
        assert!(failed.failure.message.contains("overloaded"), "{}", failed.failure.message);
    }
}

#[tokio::test]
async fn a_model_that_thinks_is_seen_to_be_alive() {
    for (kind, body) in [
        (
            ProviderKind::OpenAi,
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n",
        ),
        (
            ProviderKind::Anthropic,
            "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
        ),
        (ProviderKind::Ollama, "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n"),
    ] {
        let server = ModelServer::start([Reply::raw("text/event-stream", body).hang_after(0)]);
        let screen = Screen::default();
        let models = models(config(vec![("p", Hasty::Next.with(provider(kind, &server)))]));
        let failed = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap_err();
        assert!(failed.failure.message.contains("idle_timeout"), "{}", failed.failure.message);
        assert_eq!(*screen.0.lock().unwrap(), [Delta::Progress("The model is thinking.".into())]);
    }
}

#[tokio::test]
async fn a_redirect_takes_neither_key_nor_prompt_elsewhere() {
    let elsewhere = ModelServer::start([Reply::text("stolen")]);
    let server = ModelServer::start([Reply::status(307).header("location", &elsewhere.url())]);
    let settings = ProviderSettings {
        api_key_env: Some("TEST_KEY".to_owned()),
        headers: BTreeMap::from([("X-Team".to_owned(), "a team's secret".to_owned())]),
        ..provider(ProviderKind::Anthropic, &server)
    };
    let failed = fails(config(vec![("p", settings)])).await;
    assert!(
        failed.failure.message.contains("Set base_url of [providers.p] to the final address"),
        "{}",
        failed.failure.message
    );
    assert_eq!(server.requests()[0].header("x-team"), Some("a team's secret"));
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_fallback_begins_anew_and_says_why() {
    let first = ModelServer::start([Reply::text("Half of ").break_after(1)]);
    let second = ModelServer::start([Reply::text("A whole answer.")]);
    let settings =
        config(vec![("a", provider(ProviderKind::OpenAi, &first)), ("b", provider(ProviderKind::Anthropic, &second))]);
    let screen = Screen::default();
    let done = models(settings).complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!((done.text.data(), done.model.as_str()), ("A whole answer.", "b/m"));
    assert_eq!(screen.text(), "A whole answer.");
    assert_eq!(*screen.1.lock().unwrap(), ["a/m", "b/m"], "who looks on is told which is asked");
    assert_eq!(screen.restarts(), done.notes);
    assert!(done.notes[0].starts_with("a/m failed (network: a ("), "{:?}", done.notes);
    let [half] = done.discarded.as_slice() else { panic!("{:?}", done.discarded) };
    assert_eq!(half.text.data(), "Half ", "what was paid for is kept");
    assert!(half.why.starts_with("a/m failed (network"), "{}", half.why);
    assert!(done.usage.estimated);
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_and_a_long_one_goes_to_the_fallback() {
    let server = ModelServer::start([Reply::status(429).header("retry-after-ms", "150"), Reply::text("ok")]);
    let begun = Instant::now();
    ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), request("x")).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(server.requests().len(), 2);

    let busy = ModelServer::start([Reply::status(429).header("retry-after", "3600")]);
    let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &busy))])).await;
    assert_eq!((failed.failure.class, failed.failure.retry_after_ms), (FailureClass::RateLimit, Some(3_600_000)));

    let other = ModelServer::start([Reply::text("ok")]);
    let settings =
        config(vec![("p", provider(ProviderKind::OpenAi, &busy)), ("q", provider(ProviderKind::OpenAi, &other))]);
    assert_eq!(ask(&models(settings), request("x")).await.unwrap().model, "q/m");
}

#[tokio::test]
async fn a_key_that_is_not_taken_stops_all_requests_until_a_person_asks_again() {
    let server = ModelServer::start([
        Reply::status(401).body(r#"{"error":{"message":"bad key sk-very-secret"}}"#),
        Reply::text("ok"),
    ]);
    let settings =
        ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
    let models = models(config(vec![("p", settings)]));
    for _ in 0..3 {
        let failed = ask(&models, request("x")).await.unwrap_err();
        assert_eq!(failed.failure.class, FailureClass::Auth);
        let shown = format!("{failed:?}");
        assert!(shown.contains("TEST_KEY") && !shown.contains("sk-very-secret"), "{shown}");
    }
    assert_eq!(server.requests().len(), 1);
    models.ask_again();
    assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "ok");
}

#[tokio::test]
async fn a_key_that_is_typed_is_used_at_once_and_shown_nowhere() {
    let server = ModelServer::start([
        Reply::status(401).body(r#"{"error":{"message":"bad key"}}"#),
        Reply::status(401).body(r#"{"error":{"message":"bad key sk-typed"}}"#),
        Reply::text("Hello."),
    ]);
    let settings =
        ProviderSettings { api_key_env: Some("NOT_SET".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
    let models = models(config(vec![("p", settings)]));
    assert_eq!(ask(&models, request("x")).await.unwrap_err().failure.class, FailureClass::Auth);
    for (name, key, names) in [("q", "sk", "`q`"), ("p", " ", "p"), ("demo", "sk", "demo")] {
        let refused = models.give_key(name, Secret::new(key)).unwrap_err();
        assert!(refused.message.contains(names), "{}", refused.message);
    }
    for key in ["sk-old", "sk-typed"] {
        models.give_key("p", Secret::new(key)).unwrap();
        let failed = ask(&models, request("x")).await.unwrap_err();
        assert!(!format!("{failed:?}").contains("sk-typed"), "{failed:?}");
        assert_eq!(failed.failure.class, FailureClass::Auth);
    }
    models.give_key("p", Secret::new("sk-typed\n")).unwrap();
    assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "Hello.");
    let sent: Vec<_> = server.requests().iter().map(|r| r.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer sk-old", "Bearer sk-typed", "Bearer sk-typed"]);
}

#[tokio::test]
async fn after_a_bad_key_the_fallback_answers_without_another_try() {
    let first = ModelServer::start([Reply::status(401)]);
    let second = ModelServer::start([Reply::text("ok")]);
    let models = models(config(vec![
        ("a", provider(ProviderKind::OpenAi, &first)),
        ("b", provider(ProviderKind::OpenAi, &second)),
    ]));
    for _ in 0..2 {
        assert_eq!(ask(&models, request("x")).await.unwrap().model, "b/m");
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
    assert_eq!(models.lane(&["a/m".to_owned(), "demo".to_owned()]), None, "the demo answers now, and has no limit");
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_again() {
    let server = ModelServer::start([Reply::status(503).header("retry-after", "7")]);
    let failed = fails(config(vec![("p", provider(ProviderKind::OpenAi, &server))])).await;
    assert_eq!((failed.failure.class, failed.failure.retry_after_ms), (FailureClass::Server, Some(7_000)));
}

#[tokio::test]
async fn a_missing_key_is_said_before_anything_is_sent() {
    let server = ModelServer::start([Reply::text("ok")]);
    let settings =
        ProviderSettings { api_key_env: Some("NOT_SET".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
    let failed = fails(config(vec![("p", settings)])).await;
    assert_eq!(failed.failure.class, FailureClass::Auth);
    assert!(failed.failure.message.contains("NOT_SET"), "{}", failed.failure.message);
    assert!(server.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_keeps_the_text_and_closes_the_connection_at_once() {
    for kind in KINDS {
        for (reply, partial) in [
            (Reply::text("one two").hang_after(1), "one "),
            (Reply::text("one two").hang_after(0), ""),
            (Reply::text("x").silent(), ""),
        ] {
            let server = ModelServer::start([reply]);
            let models = models(config(vec![("p", provider(kind, &server)), ("other", provider(kind, &server))]));
            let (screen, cancel) = (Screen::default(), CancellationToken::new());
            let asked = tokio::spawn(models.complete(request("x"), screen.sink(), cancel.clone()));
            server.wait_for_requests(1);
            while screen.text() != partial {
                tokio::task::yield_now().await;
            }
            // The server says nothing more: what did not stop by itself would be a timeout.
            cancel.cancel();
            let failed = asked.await.unwrap().unwrap_err();
            assert_ne!(failed.failure.class, FailureClass::Timeout, "{kind:?}");
            assert_eq!(failed.partial.data(), partial, "{kind:?}");
            server.wait_for_hang_ups(1);
            // A fallback is not asked for what nobody wants.
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_machine_that_slept_gives_its_streams_up_to_be_tried_again_at_once() {
    let server = ModelServer::start([Reply::text("one two three").hang_after(1), Reply::text("never asked")]);
    let slept = Arc::new(AtomicU64::new(0));
    let wall = Arc::clone(&slept);
    let models = LanguageModels::new(
        config(vec![("p", provider(ProviderKind::OpenAi, &server)), ("q", provider(ProviderKind::OpenAi, &server))]),
        Surroundings {
            wall: Arc::new(move || SystemTime::now() + Duration::from_secs(wall.load(Ordering::SeqCst))),
            ..surroundings(&[])
        },
    );
    let screen = Screen::default();
    let asked = tokio::spawn(models.complete(request("x"), screen.sink(), CancellationToken::new()));
    while screen.text() != "one " {
        tokio::task::yield_now().await;
    }
    slept.store(3600, Ordering::SeqCst);
    server.release();
    let failed = asked.await.unwrap().unwrap_err();
    assert_eq!((failed.failure.class, failed.failure.retry_after_ms), (FailureClass::Network, Some(0)));
    assert_eq!((failed.partial.data(), server.requests().len()), ("one ", 1));
}

#[tokio::test]
async fn a_key_that_the_server_repeats_in_its_answer_is_not_shown_in_any_form() {
    for kind in KINDS {
        let pieces = [
            "Your key is sk-ve",
            "ry-sec",
            "ret, in base64 c2stdmVye",
            "S1zZWNyZXQ=, in an address sk%2Dvery-",
            "secret.",
        ];
        let server = ModelServer::start([Reply::chunks(pieces)]);
        let settings = ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(kind, &server) };
        let screen = Screen::default();
        let models = models(config(vec![("p", settings)]));
        let answered = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
        let shown = "Your key is [redacted], in base64 [redacted], in an address [redacted].";
        assert_eq!((answered.text.data(), screen.text().as_str()), (shown, shown), "{kind:?}");
    }
}

#[tokio::test]
async fn a_key_at_the_place_where_odd_words_are_cut_is_not_shown_in_part() {
    for before in 0..90 {
        let filled = "x".repeat(before);
        for words in [
            format!("data: {{'error': '{filled}sk-very-secret is wrong'}}\n\n"),
            format!("{}{filled}sk-very-secret is wrong\n", "y".repeat(1_950)),
            format!(
                "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}},\"finish_reason\":\"{filled}sk-very-secret is wrong\"}}]}}\n\n"
            ),
        ] {
            let server = ModelServer::start([Reply::raw("text/event-stream", words.clone())]);
            let settings = ProviderSettings {
                api_key_env: Some("TEST_KEY".to_owned()),
                ..provider(ProviderKind::OpenAi, &server)
            };
            let failed = ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap_err();
            assert!(!format!("{failed:?}").contains("sk-very"), "{words}: {failed:?}");
        }
    }
}

#[tokio::test]
async fn a_key_at_the_place_where_a_long_refusal_is_cut_is_not_shown_in_part() {
    for before in 64 * 1024 - 15..64 * 1024 {
        let server = ModelServer::start([Reply::status(400).body(&format!(
            "{}sk-very-secret{}",
            "x".repeat(before),
            "y".repeat(99)
        ))]);
        let settings =
            ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
        let failed = ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap_err();
        assert!(!format!("{failed:?}").contains("sk-very"), "{before}");
    }
}
