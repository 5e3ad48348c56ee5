//! `tools`, `tools call`, and what `doctor` says of servers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use std::path::Path;

use serde_json::{Value, json};

use crate::support::cli::Home;
use crate::support::terminal::Terminal;

/// A home with a server of our own, whose flags are those of `server.py`; its tools may be governed by `more`.
fn home(flags: &[&str], more: &str) -> Home {
    let home = Home::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/server.py");
    let command = [&["python3", script.to_str().unwrap(), "stdio"], flags].concat();
    let command: Vec<String> = command.iter().map(|word| format!("{word:?}")).collect();
    home.write("config.toml", &format!("[tools.odd]\ncommand = [{}]\n{more}\n", command.join(", ")));
    home
}

#[test]
fn tools_are_listed_with_what_governs_them() {
    let home = home(&["odd-tools"], "approve = { \"add\" = \"never\" }\nidempotent = [\"e*\"]\ntimeout = \"30s\"");
    let listed = home.step("tools").exits(0);
    assert!(listed.out.starts_with("odd: ") && listed.out.contains("server.py stdio"), "{}", listed.out);
    let line = |tool: &str| listed.out.lines().find(|line| line.trim_start().starts_with(tool)).unwrap().to_owned();
    assert!(line("odd/echo ").contains("always  Does echo."), "{}", line("odd/echo "));
    assert!(line("odd/add ").contains("never "), "{}", line("odd/add "));
    assert!(listed.out.contains("note: two tools are named `odd/echo`"), "{}", listed.out);
    let one = home.step("tools odd").exits(0);
    assert!(one.out.contains("    text (string, required)"), "{}", one.out);
    let json = home.step("tools --json").exits(0).lines();
    assert_eq!((&json[0]["server"], &json[0]["error"]), (&json!("odd"), &Value::Null));
    let echo = &json[0]["tools"][0];
    assert_eq!((&echo["tool"], &echo["approve"]), (&json!("odd/echo"), &json!("always")));
    assert_eq!((&echo["idempotent"], &echo["timeout_ms"]), (&json!(true), &json!(30_000)));
    assert_eq!(echo["input"]["required"], json!(["text"]));
    home.step("tools od --json").refused(2, "unknown_tool");
}

#[test]
fn a_server_that_does_not_answer_says_why_everywhere() {
    let home = home(&["dies=no licence"], "");
    let listed = home.step("tools").exits(1);
    let why = "the server `odd` ended with exit code 3 before it was ready: no licence";
    assert!(listed.out.contains("odd: does not answer") && listed.out.contains(why), "{}", listed.out);
    let json = home.step("tools --json").exits(1).lines();
    assert_eq!((&json[0]["error"]["class"], &json[0]["error"]["message"]), (&json!("tool"), &json!(why)));
    let doctor = home.step("doctor").exits(0);
    assert!(doctor.out.contains(&format!("missing  {why}")), "{}", doctor.out);
    assert!(home.step("tools call odd/echo -a text=x --yes").exits(1).err.contains(why));
}

#[test]
fn doctor_says_which_servers_answer_and_a_config_without_tools_is_no_problem() {
    let doctor = home(&[], "").step("doctor").exits(0);
    assert!(doctor.out.contains("tools    odd answers: "), "{}", doctor.out);
    let none = Home::new();
    assert!(none.step("tools").exits(0).out.contains("[tools.files]"));
    assert_eq!(none.step("tools --json").exits(0).out, "");
}

#[test]
fn a_tool_is_called_once_when_the_person_says_so() {
    let home = home(&[], "");
    let done = home.step("tools call odd/echo -a text=5 --yes").exits(0);
    assert_eq!(done.out, "5\n");
    assert_eq!(home.step("tools call odd/add -a a=1 -a b=2 --yes").exits(0).out, "{\n  \"sum\": 3\n}\n");
    let json = home.step("tools call odd/add -a a=1 -a b=2 --yes --json").exits(0).lines();
    assert_eq!((&json[0]["output"], &json[0]["is_error"]), (&json!({"sum": 3}), &json!(false)));
    let slow = home.step("tools call odd/slow --yes").exits(0);
    assert!(slow.err.contains("part 2 (2/3)"), "{}", slow.err);
    assert!(home.step("tools call odd/fail --yes").exits(1).err.contains("`odd/fail` failed: the disk is full"));
    let died = home.step("tools call odd/die --yes").exits(1);
    assert!(died.err.contains("out of memory") && died.err.contains("may have had its effect"), "{}", died.err);
    let json = home.step("tools call odd/die --yes --json").exits(1).lines();
    assert_eq!((&json[0]["in_doubt"], &json[0]["error"]["class"]), (&json!(true), &json!("tool")));
    let big = home.step("tools call odd/big -a bytes=3000000 --yes").exits(0);
    assert!(big.err.contains("note: the output has 3000000 bytes; all of it is in "), "{}", big.err);
    home.step("tools call odd/echo -a text=x --json").refused(2, "denied");
    home.step("tools call odd/echo --yes --json").refused(4, "invalid_input");
    assert!(
        home.step("tools call odd/ecco --yes --json").refused(2, "unknown_tool").contains("did you mean `odd/echo`?")
    );
    home.step("tools call od/echo --yes --json").refused(2, "unknown_tool");
}

#[test]
fn nothing_is_started_before_a_tool_is_needed_and_nothing_is_left() {
    let home = home(&["mark=mark", "stubborn"], "");
    home.step("tasks").exits(0);
    home.step("history").exits(0);
    assert!(!home.path().join("mark").exists());
    let pid = home.step("tools call odd/pid --yes").exits(0).out;
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "the server {pid} is left");
}

#[test]
fn a_call_is_shown_and_allowed_at_the_terminal_and_a_server_may_ask_there() {
    let home = home(&[], "");
    let call = ["tools", "call", "odd/ask"];
    let mut terminal = Terminal::start(&home, &call, &[]);
    terminal.wait_for("call odd/ask (python3 ");
    terminal.wait_for("approve this call? yes/no > ");
    terminal.type_in("yes\n");
    terminal.wait_for("`odd` asks: Who are you?");
    // Nobody agrees by pressing Enter.
    terminal.type_in("\n");
    terminal.wait_for("a value is required: `accept`");
    terminal.type_in("accept\n");
    terminal.wait_for("name");
    terminal.type_in("Ada\n");
    terminal.wait_for(r#"{"action": "accept", "content": {"name": "Ada"}}"#);
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    let mut terminal = Terminal::start(&home, &call, &[]);
    terminal.wait_for("approve this call? yes/no > ");
    terminal.type_in("no\n");
    terminal.wait_for("`odd/ask` was not called");
    assert_eq!(terminal.exit(), 2);
    let mut terminal = Terminal::start(&home, &["tools", "call", "odd/never", "--yes"], &[]);
    terminal.wait_for("0");
    terminal.type_in("\u{3}");
    terminal.wait_for("it was stopped; it may have taken effect");
    assert_eq!(terminal.exit(), 130);
}
