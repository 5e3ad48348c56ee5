//! What is approved is shown, all of it, before anybody is asked.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::terminal::Terminal;

/// A request with a secret in a header and a long body.
fn send(home: &Home) {
    let body: Vec<String> = (0..400).map(|n| format!("line {n} of the body")).collect();
    home.write(
        "workflows/send/workflow.toml",
        &format!(
            "id = \"send\"\nname = \"Send\"\n\n[[inputs]]\nname = \"token\"\ntype = \"secret\"\n\n[[steps]]\nid = \"post\"\n\
             kind = \"http\"\nmethod = \"POST\"\nurl = \"http://127.0.0.1:9/here\"\n\
             headers = {{ Authorization = \"Bearer {{{{ inputs.token }}}}\", X-Team = \"sea\" }}\nbody = \"\"\"{}\"\"\"\n",
            body.join("\n")
        ),
    );
}

/// That everything is in what was shown.
#[track_caller]
fn is_whole(shown: &str) {
    assert!(shown.contains("Authorization = Bearer ⟦secret token (env:API_TOKEN)⟧"), "{shown}");
    assert!(shown.contains("X-Team = sea"), "{shown}");
    assert!(shown.contains("POST http://127.0.0.1:9/here"), "{shown}");
    for n in 0..400 {
        assert!(shown.contains(&format!("line {n} of the body")), "line {n} is not shown: {shown}");
    }
}

const RUN: [&str; 4] = ["run", "send", "-i", "token=env:API_TOKEN"];

#[test]
fn without_a_terminal_headers_and_body_are_printed_whole() {
    let home = Home::new();
    send(&home);
    let waits = home.run(RUN).exits(3);
    is_whole(&waits.out);
    assert!(!waits.out.contains("⟦secret:"), "{}", waits.out);
    is_whole(&home.step("show last").exits(0).out);
    // The JSON is as it was: the work with its markers.
    let shown = home.show("last");
    assert_eq!(shown["waiting"][0]["for"], "approval");
}

#[test]
fn on_a_terminal_the_question_comes_after_the_whole_text() {
    let home = Home::new();
    send(&home);
    let mut terminal = Terminal::start(&home, &RUN, &[]);
    terminal.wait_for("line 399 of the body");
    terminal.wait_for("Allow it? yes/no >");
    is_whole(&terminal.shown());
    terminal.type_in("q\n");
    assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
}

#[test]
fn a_long_text_goes_through_the_pager_and_a_broken_pager_hides_nothing() {
    let home = Home::new();
    send(&home);
    let mut terminal = Terminal::start(&home, &RUN, &[("PAGER", "sh -c 'cat > paged; echo read it'")]);
    terminal.wait_for("read it");
    terminal.wait_for("Allow it? yes/no >");
    is_whole(&std::fs::read_to_string(home.path().join("paged")).unwrap());
    assert!(!terminal.shown().contains("line 7 of the body"), "{}", terminal.shown());
    terminal.type_in("q\n");
    assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
    for broken in ["no-such-pager", "false", "'"] {
        let mut terminal = Terminal::start(&home, &["resume", "last"], &[("PAGER", broken)]);
        terminal.wait_for("line 399 of the body");
        terminal.wait_for("Allow it? yes/no >");
        is_whole(&terminal.shown());
        terminal.type_in("q\n");
        assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
    }
}

#[test]
fn what_is_short_is_shown_at_once() {
    let home = Home::new();
    home.write(
        "workflows/go/workflow.toml",
        "id = \"go\"\nname = \"Go\"\n\n[[steps]]\nid = \"make\"\nkind = \"command\"\nargv = [\"env\"]\n\
         env = { MODE = \"fast\" }\nstdin = \"some words\"\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "go"], &[("PAGER", "sh -c 'cat > paged'")]);
    terminal.wait_for("MODE = fast");
    terminal.wait_for("some words");
    terminal.wait_for("yes/no >");
    assert!(!home.path().join("paged").exists());
    terminal.type_in("q\n");
    assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
}
