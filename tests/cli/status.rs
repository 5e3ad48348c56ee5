//! A run says the same of itself wherever it is listed or shown.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::screen::Screen;
use serde_json::Value;

/// A run in which a form waits while a model speaks, killed in the middle of that.
fn killed(home: &Home, server: &ModelServer) -> String {
    home.write(
        "config.toml",
        &format!(
            "[models]\ndefault = \"here/m\"\n\n[providers.here]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n",
            server.url()
        ),
    );
    home.write(
        "workflows/two/workflow.toml",
        "id = \"two\"\nname = \"Two at once\"\n\n[[steps]]\nid = \"who\"\nkind = \"ask\"\n[[steps.fields]]\nname = \"name\"\n\
         required = true\n\n[[steps]]\nid = \"tale\"\nprompt = \"Tell\"\n",
    );
    let mut stepwell = home.command("stepwell").args(["run", "two", "--json"]).spawn().unwrap();
    let lines = BufReader::new(stepwell.stdout.take().unwrap()).lines();
    let (mut asks, mut speaks) = (false, false);
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        asks |= line["type"] == "gate_opened";
        speaks |= line["type"] == "delta";
        if asks && speaks {
            break;
        }
    }
    kill(&mut stepwell);
    home.show("last")["run"].as_str().unwrap().to_owned()
}

/// `kill -9`: nothing of it can tidy up.
fn kill(process: &mut Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

fn listed(home: &Home, status: &str) -> Vec<String> {
    let done = home.run(["history", "--json", "--status", status]).exits(0);
    done.lines().iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_killed_run_with_a_question_waits_wherever_it_is_shown() {
    let (home, server) = (Home::new(), ModelServer::start([Reply::chunks(["Once ", "never"]).hang_after(1)]));
    let run = killed(&home, &server);
    assert_eq!(home.show(&run)["status"], "waiting");
    assert_eq!(home.step("history --json").exits(0).lines()[0]["status"], "waiting");
    assert_eq!(listed(&home, "waiting"), ["waiting"]);
    assert_eq!(listed(&home, "paused"), [""; 0]);
    assert_eq!(listed(&home, "running"), [""; 0]);
    let shown = home.run(["show", &run]).exits(0).out;
    assert!(shown.contains(": waiting, paused: crashed; begun"), "{shown}");
    assert!(shown.contains("stepwell review") && shown.contains("stepwell resume"), "{shown}");
    // Home and the inbox say so too, before anything of it is taken up.
    let mut screen = Screen::start(&home, (100, 30), &[]);
    screen.wait_for("Two at once");
    screen.wait_for("1 waiting");
    assert!(!screen.shown().contains("paused"), "{}", screen.shown());
    screen.press("\u{e}");
    screen.wait_for("Questions · 1");
}

#[test]
fn a_killed_run_without_a_question_is_paused_wherever_it_is_shown() {
    let (home, server) = (Home::new(), ModelServer::start([Reply::chunks(["Once ", "never"]).hang_after(1)]));
    let run = killed(&home, &server);
    // The question is answered, and nobody takes up the rest.
    let answered =
        home.command("stepwell").args(["review", &run, "who", "--answer", r#"{"name":"Ana"}"#, "--json"]).spawn();
    let mut answered = answered.unwrap();
    let lines = BufReader::new(answered.stdout.take().unwrap()).lines();
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["type"] == "attempt_started" && line["key"] == "tale" {
            break;
        }
    }
    kill(&mut answered);
    assert_eq!(home.show(&run)["status"], "paused");
    assert_eq!(home.step("history --json").exits(0).lines()[0]["status"], "paused");
    assert_eq!(
        (listed(&home, "paused").len(), listed(&home, "waiting").len(), listed(&home, "running").len()),
        (1, 0, 0)
    );
    let mut screen = Screen::start(&home, (100, 30), &[]);
    screen.wait_for("paused");
}
