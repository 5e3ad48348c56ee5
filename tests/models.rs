//! Language models, asked over a real connection: what a person gets from each protocol, and from each way to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may fail loudly")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use stepwell::core::failure::FailureClass;
use stepwell::core::model::{
    Asker, Completion, Delta, DeltaSink, Finish, Image, Message, ModelFailure, ModelRequest, Role,
};
use stepwell::core::ports::Models as _;
use stepwell::core::step::Span;
use stepwell::core::usage::Price;
use stepwell::models::settings::{Kind, ProviderSettings, RoleSettings, Settings};
use stepwell::models::{LanguageModels, Pace, Surroundings};
use support::model_server::{ModelServer, Reply};
use tokio_util::sync::CancellationToken;

const KINDS: [Kind; 3] = [Kind::OpenAi, Kind::Anthropic, Kind::Ollama];

fn surroundings(environment: &'static [(&'static str, &'static str)]) -> Surroundings {
    Surroundings {
        lookup: Arc::new(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())),
        wall: Arc::new(SystemTime::now),
        pace: Pace::Instant,
        // A port that nothing listens on.
        ollama: "http://127.0.0.1:1".to_owned(),
    }
}

fn provider(kind: Kind, server: &ModelServer) -> ProviderSettings {
    let path = if kind == Kind::OpenAi { "/v1" } else { "" };
    ProviderSettings { kind, base_url: Some(format!("{}{path}", server.url())), ..ProviderSettings::default() }
}

/// A config with these providers, where the role `default` asks the first and falls back to the others.
fn config(providers: Vec<(&str, ProviderSettings)>) -> Settings {
    let mut names = providers.iter().map(|(name, _)| format!("{name}/m"));
    let role = RoleSettings { model: names.next().unwrap(), fallback: names.collect() };
    let providers = providers.into_iter().map(|(name, provider)| (name.to_owned(), provider)).collect();
    Settings { models: BTreeMap::from([("default".to_owned(), role)]), providers, ..Settings::default() }
}

fn models(settings: Settings) -> LanguageModels {
    LanguageModels::new(settings, surroundings(&[("TEST_KEY", "sk-very-secret")]))
}

fn request(prompt: &str) -> ModelRequest {
    ModelRequest {
        models: Vec::new(),
        messages: vec![Message::new(Role::System, "Be brief."), Message::new(Role::User, prompt)],
        schema: None,
        temperature: None,
        max_tokens: None,
        seed: None,
        asker: Asker::default(),
    }
}

/// Collects what a person would see.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<Delta>>>);

impl Screen {
    fn sink(&self) -> DeltaSink {
        let seen = Arc::clone(&self.0);
        Arc::new(move |delta| seen.lock().unwrap().push(delta))
    }

    /// The text that stands: a restart clears it.
    fn text(&self) -> String {
        self.0.lock().unwrap().iter().fold(String::new(), |text, delta| match delta {
            Delta::Text(more) => text + more.data(),
            Delta::Restart(_) => String::new(),
            Delta::Progress(_) => text,
        })
    }

    fn restarts(&self) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().filter_map(|d| if let Delta::Restart(cause) = d { Some(cause.clone()) } else { None }).collect()
    }
}

async fn ask(models: &LanguageModels, request: ModelRequest) -> Result<Completion, ModelFailure> {
    models.complete(request, Screen::default().sink(), CancellationToken::new()).await
}

async fn fails(settings: Settings) -> ModelFailure {
    ask(&models(settings), request("Say hello")).await.expect_err("it should fail")
}

fn short(settings: ProviderSettings) -> ProviderSettings {
    ProviderSettings { first_token_timeout: Some(Span(60)), idle_timeout: Some(Span(60)), ..settings }
}

#[tokio::test]
async fn each_protocol_streams_and_reports_usage_and_cost() {
    for kind in KINDS {
        let server = ModelServer::start([Reply::text("Hello out there.")]);
        let price = Some(Price { input: 1_000_000.0, output: 1_000_000.0 });
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
        let key = asked.header(if kind == Kind::Anthropic { "x-api-key" } else { "authorization" }).unwrap();
        assert!(key.ends_with("sk-very-secret"));
        let body = &asked.body;
        let (system, temperature, limit) = match kind {
            Kind::Anthropic => (&body["system"], &body["temperature"], &body["max_tokens"]),
            Kind::Ollama => {
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
        let wrapped = kind != Kind::Ollama;
        let server =
            ModelServer::start([Reply::json(&if wrapped { json!({"answer": ["a", "b"]}) } else { json!(["a", "b"]) })]);
        let models = models(config(vec![("p", provider(kind, &server))]));
        let done = ask(&models, ModelRequest { schema: Some(schema.clone()), ..request("List") }).await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(done.text.data()).unwrap(), json!(["a", "b"]), "{kind:?}");
        let body = &server.requests()[0].body;
        let asked = match kind {
            Kind::Anthropic => &body["tools"][0]["input_schema"]["properties"]["answer"],
            Kind::Ollama => &body["format"],
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
    let models = models(config(vec![("p", provider(Kind::OpenAi, &server))]));
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
    let models = models(config(vec![("p", provider(Kind::OpenAi, &server))]));
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
            Kind::Anthropic => assert_eq!(
                last["content"][0]["source"],
                json!({"type": "base64", "media_type": "image/png", "data": "AAAA"})
            ),
            Kind::Ollama => assert_eq!(last["images"], json!(["AAAA"])),
            _ => assert_eq!(last["content"][1]["image_url"]["url"], "data:image/png;base64,AAAA"),
        }
        assert_eq!(asked.prompt(), "What is it?");
    }
}

#[tokio::test]
async fn a_cut_and_a_declined_answer_are_told_apart() {
    for kind in [Kind::OpenAi, Kind::Anthropic] {
        for (reason, finish) in [("length", Finish::Length), ("content_filter", Finish::Refused)] {
            let server = ModelServer::start([Reply::text("Well").finish(reason)]);
            let done = ask(&models(config(vec![("p", provider(kind, &server))])), request("x")).await.unwrap();
            assert_eq!(done.finish, finish, "{kind:?} {reason}");
        }
    }
}

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
    assert_eq!(fails(config(vec![("p", provider(Kind::OpenAi, &server))])).await.failure.class, FailureClass::TooLong);
}

#[tokio::test]
async fn nobody_listening_is_a_network_failure_with_advice() {
    let settings = ProviderSettings {
        kind: Kind::Ollama,
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
        for (reply, partial, says) in [
            (Reply::text("a b").silent(), "", "first_token_timeout"),
            (Reply::text("a b").hang_after(0), "", "first_token_timeout"),
            (Reply::text("a b").hang_after(1), "a ", "idle_timeout"),
        ] {
            let server = ModelServer::start([reply]);
            let failed = fails(config(vec![("p", short(provider(kind, &server)))])).await;
            assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Timeout, partial), "{kind:?}");
            assert!(failed.failure.message.contains(says), "{}", failed.failure.message);
        }
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_a_hanging_one() {
    let server = ModelServer::start([Reply::chunks(["a", "b", "c", "d", "e", "f"]).drip(Duration::from_millis(20))]);
    let settings = ProviderSettings { idle_timeout: Some(Span(100)), ..provider(Kind::OpenAi, &server) };
    let done = ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
    assert_eq!(done.text.data(), "abcdef");
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_fails_and_keeps_the_text() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\ndata: {\"choices\":[{\n\n";
    let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
    let failed = fails(config(vec![("p", provider(Kind::OpenAi, &server))])).await;
    assert_eq!((failed.failure.class, failed.partial.data()), (FailureClass::Server, "one"));
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_a_failure() {
    for (kind, body) in [
        (Kind::OpenAi, "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n"),
        (
            Kind::Anthropic,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"overloaded\"}}\n\n",
        ),
        (Kind::Ollama, "{\"error\":\"overloaded\"}\n"),
    ] {
        let server = ModelServer::start([Reply::raw("text/event-stream", body)]);
        let failed = fails(config(vec![("p", provider(kind, &server))])).await;
        assert_eq!(failed.failure.class, FailureClass::Server, "{kind:?}");
        assert!(failed.failure.message.contains("overloaded"), "{}", failed.failure.message);
    }
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
        let done = ask(&models(config(vec![("p", provider(Kind::OpenAi, &server))])), request("x")).await.unwrap();
        assert_eq!((done.text.data(), done.usage.tokens()), ("ok", 0), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_close_after_the_end_is_not_waited_for() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\n";
    let server = ModelServer::start([Reply::raw("text/event-stream", body).hang_after(0)]);
    let done = ask(&models(config(vec![("p", short(provider(Kind::OpenAi, &server)))])), request("x")).await.unwrap();
    assert_eq!(done.text.data(), "ok");
}

#[tokio::test]
async fn an_answer_of_nothing_is_said_to_be_one() {
    let server = ModelServer::start([Reply::chunks([""])]);
    let done = ask(&models(config(vec![("p", provider(Kind::OpenAi, &server))])), request("x")).await.unwrap();
    assert_eq!((done.text.data(), done.notes), ("", vec!["The model answered nothing.".to_owned()]));
}

#[tokio::test]
async fn a_model_that_thinks_is_seen_to_be_alive() {
    for (kind, body) in [
        (
            Kind::OpenAi,
            "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n",
        ),
        (
            Kind::Anthropic,
            "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n",
        ),
        (Kind::Ollama, "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n"),
    ] {
        let server = ModelServer::start([Reply::raw("text/event-stream", body).hang_after(0)]);
        let screen = Screen::default();
        let models = models(config(vec![("p", short(provider(kind, &server)))]));
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
        ..provider(Kind::Anthropic, &server)
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
    let settings = config(vec![("a", provider(Kind::OpenAi, &first)), ("b", provider(Kind::Anthropic, &second))]);
    let screen = Screen::default();
    let done = models(settings).complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!((done.text.data(), done.model.as_str()), ("A whole answer.", "b/m"));
    assert_eq!(screen.text(), "A whole answer.");
    assert_eq!(screen.restarts(), done.notes);
    assert!(done.notes[0].starts_with("a/m failed (network: a ("), "{:?}", done.notes);
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_and_a_long_one_goes_to_the_fallback() {
    let server = ModelServer::start([Reply::status(429).header("retry-after-ms", "150"), Reply::text("ok")]);
    let begun = Instant::now();
    ask(&models(config(vec![("p", provider(Kind::OpenAi, &server))])), request("x")).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(server.requests().len(), 2);

    let busy = ModelServer::start([Reply::status(429).header("retry-after", "3600")]);
    let failed = fails(config(vec![("p", provider(Kind::OpenAi, &busy))])).await;
    assert_eq!((failed.failure.class, failed.failure.retry_after_ms), (FailureClass::RateLimit, Some(3_600_000)));

    let other = ModelServer::start([Reply::text("ok")]);
    let settings = config(vec![("p", provider(Kind::OpenAi, &busy)), ("q", provider(Kind::OpenAi, &other))]);
    assert_eq!(ask(&models(settings), request("x")).await.unwrap().model, "q/m");
}

#[tokio::test]
async fn a_key_that_is_not_taken_stops_all_requests_until_it_is_repaired() {
    let server = ModelServer::start([
        Reply::status(401).body(r#"{"error":{"message":"bad key sk-very-secret"}}"#),
        Reply::text("ok"),
    ]);
    let settings = ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(Kind::OpenAi, &server) };
    let models = models(config(vec![("p", settings)]));
    for _ in 0..3 {
        let failed = ask(&models, request("x")).await.unwrap_err();
        assert_eq!(failed.failure.class, FailureClass::Auth);
        let shown = format!("{failed:?}");
        assert!(shown.contains("TEST_KEY") && !shown.contains("sk-very-secret"), "{shown}");
    }
    assert_eq!(server.requests().len(), 1);
    models.repair("p");
    assert_eq!(ask(&models, request("x")).await.unwrap().text.data(), "ok");
}

#[tokio::test]
async fn after_a_bad_key_the_fallback_answers_without_another_try() {
    let first = ModelServer::start([Reply::status(401)]);
    let second = ModelServer::start([Reply::text("ok")]);
    let models = models(config(vec![("a", provider(Kind::OpenAi, &first)), ("b", provider(Kind::OpenAi, &second))]));
    for _ in 0..2 {
        assert_eq!(ask(&models, request("x")).await.unwrap().model, "b/m");
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
    assert_eq!(models.lane(&["a/m".to_owned(), "demo".to_owned()]), None, "the demo answers now, and has no limit");
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_again() {
    let server = ModelServer::start([Reply::status(503).header("retry-after", "7")]);
    let failed = fails(config(vec![("p", provider(Kind::OpenAi, &server))])).await;
    assert_eq!((failed.failure.class, failed.failure.retry_after_ms), (FailureClass::Server, Some(7_000)));
}

#[tokio::test]
async fn a_query_of_the_address_is_kept() {
    let server = ModelServer::start([Reply::text("ok")]);
    let mut settings = provider(Kind::OpenAi, &server);
    settings.base_url = Some(format!("{}/v1/?api-version=3", server.url()));
    ask(&models(config(vec![("p", settings)])), request("x")).await.unwrap();
    assert_eq!(server.requests()[0].target, "/v1/chat/completions?api-version=3");
}

#[tokio::test]
async fn a_missing_key_is_said_before_anything_is_sent() {
    let server = ModelServer::start([Reply::text("ok")]);
    let settings = ProviderSettings { api_key_env: Some("NOT_SET".to_owned()), ..provider(Kind::OpenAi, &server) };
    let failed = fails(config(vec![("p", settings)])).await;
    assert_eq!(failed.failure.class, FailureClass::Auth);
    assert!(failed.failure.message.contains("NOT_SET is not set"), "{}", failed.failure.message);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_key_command_is_run_once_and_its_output_is_the_key() {
    let server = ModelServer::start([Reply::text("ok")]);
    let folder = tempfile::tempdir().unwrap();
    let counter = folder.path().join("runs");
    let script = format!("echo x >> {}; echo from-a-vault", counter.display());
    let argv = vec!["sh".to_owned(), "-c".to_owned(), script];
    let settings = ProviderSettings { api_key_command: Some(argv), ..provider(Kind::OpenAi, &server) };
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
        config(vec![("p", provider(Kind::OpenAi, &server))]),
        surroundings(&[("OPENAI_API_KEY", "sk-openai")]),
    );
    ask(&models, request("x")).await.unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
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
            let stopped = Instant::now();
            cancel.cancel();
            let failed = asked.await.unwrap().unwrap_err();
            assert!(stopped.elapsed() < Duration::from_millis(200), "{:?}", stopped.elapsed());
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
        config(vec![("p", provider(Kind::OpenAi, &server)), ("q", provider(Kind::OpenAi, &server))]),
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
async fn a_local_server_gets_room_for_the_prompt_and_is_caught_when_it_cuts() {
    let long = "All work and no play. ".repeat(3_000);
    let server =
        ModelServer::start([Reply::text("ok").usage(Some((2_048, 1))), Reply::text("ok").usage(Some((15_000, 1)))]);
    let models = models(config(vec![("p", provider(Kind::Ollama, &server))]));
    let cut = ask(&models, request(&long)).await.unwrap();
    assert!(cut.notes[0].contains("prompt was cut: the server read 2048 of about 16503"), "{:?}", cut.notes);
    assert!(ask(&models, request(&long)).await.unwrap().notes.is_empty());
    assert_eq!(server.requests()[0].body["options"]["num_ctx"], 32_768);
}

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
    none.agree("ollama");
    assert!(!none.choice(None).unwrap().ask_first);
    let names: Vec<String> = none.choices().into_iter().map(|choice| choice.model).collect();
    assert_eq!(names.first().map(String::as_str), Some("ollama/qwen3:8b"));
    assert_eq!(names.last().map(String::as_str), Some("demo/recorded"));
}

#[tokio::test]
async fn a_probe_of_nothing_or_of_a_hanging_port_ends_soon_and_finds_nothing() {
    let hanging = ModelServer::start([Reply::text("x").silent()]);
    for ollama in [hanging.url(), "http://127.0.0.1:1".to_owned()] {
        let models = LanguageModels::new(Settings::default(), Surroundings { ollama, ..surroundings(&[]) });
        tokio::time::timeout(Duration::from_secs(2), models.probe()).await.unwrap();
        assert!(models.choice(None).unwrap().demo);
    }
}

#[tokio::test]
async fn a_name_that_is_not_configured_says_what_there_is() {
    let server = ModelServer::start([Reply::text("ok")]);
    let mut settings = config(vec![("local", provider(Kind::OpenAi, &server))]);
    settings.models.insert("loop".to_owned(), RoleSettings::from("loop"));
    let models = models(settings);
    for (name, says) in [
        ("clever", "neither a role of the config (there are: default, loop)"),
        ("nowhere/m", "There are: anthropic, demo, local, ollama, openai"),
        ("local/", "nor PROVIDER/MODEL"),
        ("loop", "leads back to itself"),
    ] {
        let failure = models.choice(Some(name)).unwrap_err();
        assert_eq!(failure.class, FailureClass::Definition);
        assert!(failure.message.contains(says), "{}", failure.message);
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
    let cheap = ProviderSettings { max_concurrency: Some(3), ..provider(Kind::OpenAi, &server) };
    let dear = ProviderSettings { price: Some(Price { input: 10.0, output: 20.0 }), ..provider(Kind::OpenAi, &server) };
    let models = models(config(vec![("cheap", cheap), ("dear", dear)]));
    let usage = models.estimate(&[], 100_000, Some(50_000));
    assert_eq!((usage.input_tokens, usage.output_tokens), (100_000, 50_000));
    assert!((usage.usd - 2.0).abs() < 1e-9);
    assert_eq!(models.lane(&[]), Some(("cheap".to_owned(), 3)));
    assert_eq!(models.lane(&["ollama/x".to_owned()]), Some(("ollama".to_owned(), 1)));
    assert_eq!(models.lane(&["demo".to_owned()]), None);
}

#[tokio::test]
async fn twenty_thousand_tokens_arrive_whole_and_in_few_pieces() {
    let server = ModelServer::start([Reply::chunks((0..20_000).map(|n| format!("word{n} ")))]);
    let models = models(config(vec![("p", provider(Kind::OpenAi, &server))]));
    let screen = Screen::default();
    let begun = Instant::now();
    let done = models.complete(request("x"), screen.sink(), CancellationToken::new()).await.unwrap();
    assert_eq!(done.text.data().split_whitespace().count(), 20_000);
    let pieces = u128::try_from(screen.0.lock().unwrap().len()).unwrap();
    assert!(pieces <= begun.elapsed().as_millis() / 5 + 10, "{pieces} in {:?}", begun.elapsed());
    assert_eq!(screen.text(), done.text.data());
}
