//! Errors for programs: with `--json` the last line of stdout says why a command was not done, by a code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::collections::BTreeSet;

use crate::support::cli::{Done, Home};
use crate::support::patience::until;
use serde_json::{Value, json};
use stepwell::core::code::ErrorCode;

const POEM: &str = "run poem -i topic=sea -i stanzas=2 --json";

/// Two reviews that wait at the same time.
const TWO: &str =
    "id = \"two\"\nname = \"Two\"\n[[steps]]\nid = \"a\"\nprompt = \"A\"\n[[steps]]\nid = \"b\"\nprompt = \"B\"\n";

/// A command that says that it has begun, and then waits for a line in a pipe.
const HANGS: &str = "id = \"hangs\"\nname = \"Hangs\"\n[[steps]]\nid = \"go\"\nkind = \"command\"\napprove = \"never\"\n\
    argv = [\"sh\", \"-c\", \"echo > begun; read line < pipe\"]\n";

/// A command that is refused, in a home of its own.
type Refused = fn(&Home) -> Done;

/// What is refused, by which code and with which exit code.
const PROVOKED: [(ErrorCode, i32, Refused); 30] = [
    (ErrorCode::Usage, 2, |home| home.step("run poem --revew accept --json")),
    (ErrorCode::Usage, 2, |home| home.step("--json nonsense")),
    (ErrorCode::Usage, 2, |home| home.step("run peom --json")),
    (ErrorCode::Usage, 2, |home| home.step("run poem -i topic --json")),
    (ErrorCode::NoRun, 2, |home| home.step("show last --json")),
    (ErrorCode::NoRun, 2, |home| home.step("review abcdef --accept --json")),
    (ErrorCode::NoRun, 2, |home| home.step("resume a-run --json")),
    (ErrorCode::NoCall, 2, |home| begun(home).step("review last elsewhere --accept --json")),
    (ErrorCode::NoCall, 2, |home| begun(home).step("review last elsewhere[ --accept --json")),
    (ErrorCode::NoCall, 2, |home| begun(home).step("fork last --at elsewhere --json")),
    (ErrorCode::Ambiguous, 2, |home| begun(begun(home)).step("show 0 --json")),
    (ErrorCode::Ambiguous, 2, |home| {
        home.write("workflows/two/workflow.toml", TWO);
        home.step("run two").exits(3);
        home.step("review last --accept --json")
    }),
    (ErrorCode::NotWaiting, 2, |home| {
        begun(home).step("review last --accept").exits(3);
        home.step("review last divide --accept --json")
    }),
    (ErrorCode::NotAllowed, 2, |home| begun(home).step("review last --approve --json")),
    (ErrorCode::StaleView, 2, |home| begun(home).step("review last divide --attempt 2 --accept --json")),
    (ErrorCode::Over, 2, |home| {
        begun(home).step("cancel last").exits(0);
        home.step("resume last --json")
    }),
    (ErrorCode::Over, 2, |home| {
        home.step("run poem -i topic=sea -i stanzas=2 --review accept").exits(0);
        home.step("review last --accept --json")
    }),
    (ErrorCode::DrivenElsewhere, 2, |home| {
        home.write("workflows/hangs/workflow.toml", HANGS);
        assert!(home.command("mkfifo").arg("pipe").status().unwrap().success());
        let mut drives = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "hangs"]).spawn().unwrap();
        until("the begin of the program", || home.path().join("begun").exists());
        let done = home.step("resume last --update --json");
        std::fs::write(home.path().join("pipe"), "on\n").unwrap();
        assert!(drives.wait().unwrap().success());
        done
    }),
    (ErrorCode::InvalidInput, 4, |home| home.step("run poem --json")),
    (ErrorCode::InvalidInput, 4, |home| home.step("run poem -i topic=@nowhere --json")),
    (ErrorCode::InvalidInput, 2, |home| begun(home).step("review last --answer {] --json")),
    (ErrorCode::InvalidDefinition, 4, |home| {
        home.write("workflows/bad/workflow.toml", "id = \"bad\"\nname = \"Bad\"\nstep = 1\n");
        home.step("run bad --json")
    }),
    (ErrorCode::InvalidDefinition, 4, |home| {
        home.write("config.toml", "[model]\n");
        home.step(POEM)
    }),
    (ErrorCode::Untrusted, 4, |home| {
        home.write("work/tasks/hi.toml", "id = \"hi\"\nname = \"Hi\"\ninstruction = \"Say hi\"\n");
        home.step("run hi --dir work --json")
    }),
    (ErrorCode::UnknownModel, 4, |home| home.step("run poem -i topic=sea --model nobody/x --json")),
    (ErrorCode::Denied, 4, |home| {
        let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
        Done::of(command.args(POEM.split(' ')).env("OPENAI_API_KEY", "sk-never-sent").output().unwrap())
    }),
    (ErrorCode::PathRefused, 2, |home| home.step("tasks --dir nowhere --json")),
    (ErrorCode::TooLarge, 4, |home| {
        std::fs::File::create(home.path().join("large")).unwrap().set_len(21 * 1024 * 1024).unwrap();
        home.step("run poem -i topic=@large --json")
    }),
    (ErrorCode::Store, 5, |home| {
        home.write("stepwell.db", "this is no database, but somebody's notes");
        home.step("history --json")
    }),
    (ErrorCode::Newer, 5, |home| {
        let db = rusqlite::Connection::open(begun(home).path().join("stepwell.db")).unwrap();
        db.pragma_update(None, "user_version", 1000).unwrap();
        home.step("show last --json")
    }),
];

/// What no command with `--json` comes to, and why.
const NOT_PROVOKED: [(ErrorCode, &str); 4] = [
    (ErrorCode::UnknownTool, "no step calls a tool yet"),
    (
        ErrorCode::Conflict,
        "a decision that another process was faster than is looked at again; nothing is imported yet",
    ),
    (ErrorCode::Exists, "only `new` finds something in its way, and it has no `--json`"),
    (ErrorCode::Budget, "a budget that could be passed is a gate, not an error"),
];

/// A run that waits for the review of its first step.
fn begun(home: &Home) -> &Home {
    home.step("run poem -i topic=sea -i stanzas=2").exits(3);
    home
}

/// The error that a command ended with: the last line of its stdout, and nothing else.
fn error(done: &Done) -> Value {
    let lines = done.lines();
    let error = lines.last().unwrap_or_else(|| panic!("stdout is empty: {done:?}"));
    let names: Vec<&String> = error.as_object().unwrap().keys().collect();
    assert_eq!(names, ["v", "type", "code", "message"]);
    assert_eq!((&error["v"], &error["type"]), (&json!(1), &json!("error")), "{done:?}");
    assert_eq!(lines.iter().filter(|line| line["type"] == "error").count(), 1, "{done:?}");
    error.clone()
}

#[test]
fn every_refusal_has_its_code_and_its_exit_code() {
    for (at, (code, exit, provoke)) in PROVOKED.into_iter().enumerate() {
        let home = Home::new();
        let done = provoke(&home);
        assert_eq!(done.code, exit, "{at}, {code}: {done:?}");
        let error = error(&done);
        assert_eq!(error["code"], code.name(), "{at}: {done:?}");
        assert_eq!(done.lines().len(), 1, "{at}, {code}: {done:?}");
        // A person reads the same.
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && done.err.contains(message), "{at}, {code}: {done:?}");
    }
}

#[test]
fn a_code_is_provoked_here_or_it_is_said_why_it_is_not() {
    let provoked: BTreeSet<&str> = PROVOKED.iter().map(|(code, ..)| code.name()).collect();
    let not: BTreeSet<&str> = NOT_PROVOKED.iter().map(|(code, _)| code.name()).collect();
    assert!(provoked.is_disjoint(&not));
    let all: BTreeSet<&str> = ErrorCode::ALL.into_iter().map(ErrorCode::name).collect();
    assert_eq!(&provoked | &not, all);
}

#[test]
fn the_documentation_has_every_code_once() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md")).unwrap();
    let (_, errors) = text.split_once("\n### Errors\n").unwrap();
    for code in ErrorCode::ALL {
        assert_eq!(errors.matches(&format!("\n| `{code}` |")).count(), 1, "{code}");
    }
}

#[test]
fn without_json_an_error_is_for_the_person_alone() {
    let home = Home::new();
    for line in ["show last", "run peom", "run poem --revew accept", "history --nonsense"] {
        assert_eq!(home.step(line).exits(2).out, "", "{line}");
    }
}

#[test]
fn a_run_that_fails_or_waits_is_no_error_of_the_command() {
    let home = Home::new();
    let failing = "id = \"bad\"\nname = \"Bad\"\n[[steps]]\nid = \"go\"\nkind = \"command\"\napprove = \"never\"\nargv = [\"false\"]\n";
    home.write("workflows/bad/workflow.toml", failing);
    for (line, exit, last) in [(POEM, 3, "run_waiting"), ("run bad --json", 1, "run_failed")] {
        let lines = home.step(line).exits(exit).lines();
        assert_eq!(lines.last().unwrap()["type"], last);
        assert!(lines.iter().all(|line| line["type"] != "error"), "{line}");
    }
}

#[test]
fn an_error_in_the_middle_of_a_run_comes_after_its_events() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=12 --review accept").exits(0);
    // What the log beside the file still has would count against the limit of its size.
    let store = rusqlite::Connection::open(home.path().join("stepwell.db")).unwrap();
    store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(store);
    let full =
        home.shell("ulimit -f 300; stepwell run poem -i topic=sea -i stanzas=12 --review accept --json").exits(5);
    assert_eq!(full.lines()[0]["type"], "run_created", "{}", full.out);
    assert_eq!(error(&full)["code"], "store");
}

#[test]
fn results_that_cannot_be_written_are_an_error_after_the_run() {
    let home = Home::new();
    home.write("results/result.md/in-the-way", "");
    let done = home.step(&format!("{POEM} --review accept --out results")).exits(2);
    let lines = done.lines();
    assert_eq!(lines[lines.len() - 2]["type"], "run_completed");
    assert_eq!(error(&done)["code"], "path_refused");
}

#[test]
fn a_decision_of_many_that_is_refused_names_itself_and_none_is_recorded() {
    let home = Home::new();
    home.write("workflows/two/workflow.toml", TWO);
    home.step("run two").exits(3);
    let before = home.step("show last --events").out;
    for (second, code) in [
        (r#"{"key":"b","decide":"approve"}"#, "not_allowed"),
        (r#"{"key":"b","attempt":2,"decide":"accept"}"#, "stale_view"),
        (r#"{"key":"c","decide":"accept"}"#, "no_call"),
        (r#"{"key":"a","decide":"accept"}"#, "not_waiting"),
        (r#"{"key":"b","decide":"guess"}"#, "invalid_input"),
        ("nonsense", "invalid_input"),
    ] {
        let lines = format!("{}\n{second}\n", r#"{"key":"a","decide":"accept"}"#);
        let done = home.piped("review last --decisions - --json", lines.as_bytes()).exits(2);
        let error = error(&done);
        assert_eq!(error["code"], code, "{done:?}");
        assert!(error["message"].as_str().unwrap().contains('2'), "it is the second: {error}");
        assert_eq!(home.step("show last --events").out, before, "{second}");
    }
}
