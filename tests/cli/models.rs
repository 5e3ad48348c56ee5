//! A model that fails, and another one that takes its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::{Done, Home};
use crate::support::model_server::{ModelServer, Reply};
use serde_json::json;

fn home(server: &ModelServer) -> Home {
    let home = Home::new();
    let config = format!(
        "[models]\ndefault = \"first/m\"\n\
         [providers.first]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
         [providers.second]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n",
        server.url()
    );
    home.write("config.toml", &config);
    let task = "id = \"say\"\nname = \"Say\"\n[retry]\nattempts = 1\n\
                [[steps]]\nid = \"a\"\nprompt = \"Say a\"\n[[steps]]\nid = \"b\"\nafter = [\"a\"]\nprompt = \"Say b\"\n";
    home.write("workflows/say/workflow.toml", task);
    home
}

#[test]
fn a_failed_call_is_tried_again_by_another_model() {
    let server = ModelServer::start([Reply::text("One."), Reply::text("Two."), Reply::text("Three.")]);
    let home = home(&server);
    let failed = home.step("run say").exits(1);
    assert!(failed.err.contains("stepwell review") && failed.err.contains("--again --model"), "{}", failed.err);
    let done = home.run(["review", "last", "a", "--again", "--model", "second/m"]).exits(3);
    assert!(done.out.contains("--accept"), "{}", done.out);
    let tried = &home.call("a")["attempts"];
    assert_eq!((&tried[0]["status"], &tried[1]["model"]), (&json!("failed"), &json!("second/m")));
    // The next step asks its own model, which is not there, unless it is told as well.
    home.step("review last --accept").exits(1);
    home.run(["review", "last", "b", "--again", "--model", "second/m"]).exits(3);
    let retry = ["review", "last", "--retry", "shorter", "--scope", "remaining", "--model", "second/other"];
    home.run(retry).exits(3);
    assert_eq!(home.call("b")["attempts"][2]["model"], "second/other");
    assert_eq!(server.requests()[2].body["model"], "other");
    let done = home.step("review last --accept").exits(0);
    assert_eq!(done.out.trim(), "Three.");
}

#[test]
fn a_model_that_is_not_known_is_refused_before_anything_changes() {
    let home = home(&ModelServer::start([Reply::text("Never.")]));
    home.step("run say").exits(1);
    let before = home.step("show last --events").out;
    home.step("review last a --again --model nobody/m --json").refused(4, "unknown_model");
    home.step("review last a --skip --model second/m --json").refused(2, "usage");
    assert_eq!(home.step("show last --events").out, before);
}

#[test]
fn a_conversation_goes_on_with_the_model_that_repaired_it() {
    let server = ModelServer::start([Reply::text("One."), Reply::text("Two.")]);
    let home = home(&server);
    home.run(["run", "ask", "--prompt", "Hello?"]).exits(1);
    home.run(["review", "last", "reply#0", "--again", "--model", "second/m"]).exits(0);
    let done = home.run(["review", "last", "--answer", "\"and?\""]).exits(0);
    assert_eq!(done.out.trim(), "Two.");
}

#[test]
fn a_server_that_is_full_for_hours_is_not_waited_for() {
    let server = ModelServer::start([Reply::status(429).header("retry-after", "7200")]);
    let home = Home::new();
    let config = format!(
        "[models]\ndefault = \"only/m\"\n[providers.only]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n",
        server.url()
    );
    home.write("config.toml", &config);
    let failed = home.run(["run", "ask", "--prompt", "Hello?"]).exits(1);
    assert!(failed.err.contains("asks to wait 2h, until "), "{}", failed.err);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn doctor_asks_each_configured_server_and_tries_its_models_when_told_to() {
    let server = ModelServer::answering(|_, asked| match asked.path.as_str() {
        "/v1/models" => Reply::raw("application/json", r#"{"data":[{"id":"m","name":"M"}],"models":[{"name":"m"}]}"#),
        _ => Reply::text("yes"),
    });
    let home = Home::new();
    let config = format!(
        "[models]\ndefault = {{ model = \"only/m\", fallback = [\"gone/m\"] }}\n\
         [providers.only]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n\
         [providers.gone]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n",
        server.url()
    );
    home.write("config.toml", &config);
    let looked = home.step("doctor").exits(0);
    assert!(looked.out.contains("server   only: 127.0.0.1:"), "{}", looked.out);
    assert!(looked.out.contains("answers, and has 1 model"), "{}", looked.out);
    assert!(looked.out.contains("missing  gone: gone (127.0.0.1:1) could not be reached"), "{}", looked.out);
    assert!(server.requests().iter().all(|asked| asked.path == "/v1/models"));
    let tried = home.step("doctor --try").exits(0);
    assert!(tried.out.contains("tried    only/m answered within"), "{}", tried.out);
    assert!(tried.out.contains("missing  gone/m did not answer: gone ("), "{}", tried.out);
}

#[test]
fn nothing_that_lets_a_run_go_on_asks_a_model_that_was_only_found_before_a_person_agrees() {
    let home = Home::new();
    let task = "id = \"say\"\nname = \"Say\"\n[[steps]]\nid = \"a\"\nprompt = \"Say a\"\n\
                [[steps]]\nid = \"b\"\nafter = [\"a\"]\nprompt = \"Say b\"\n";
    home.write("workflows/say/workflow.toml", task);
    home.step("run say").exits(3);
    home.step("review last a --accept").exits(3);
    let before = home.show("last");
    // A key is there from now on, and no config names what it is for.
    for line in ["resume last", "review last b --accept", "review last b --retry shorter", "reopen last a", "undo last"]
    {
        let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
        command.args(line.split(' ')).arg("--json").env("OPENAI_API_KEY", "sk-never-sent");
        let told = Done::of(command.output().unwrap()).refused(4, "denied");
        assert!(told.contains("nobody can be asked here"), "{line}: {told}");
        assert_eq!(home.show("last"), before, "{line} changed the run");
    }
}
