//! The line interface, in a terminal: what a person sees, types and leaves behind.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::os::unix::fs::PermissionsExt as _;

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::terminal::Terminal;

const POEM: [&str; 6] = ["run", "poem", "-i", "topic=the sea", "-i", "stanzas=1"];
const ASKS: &str = "[q]uit >";

/// An editor that puts this in the place of the text.
fn editor(home: &Home, name: &str, text: &str) -> String {
    let path = home.write(name, &format!("#!/bin/sh\nstat -c %a \"$1\" >> rights\nprintf '%s' '{text}' > \"$1\"\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn each_stanza_is_shown_and_accepted_with_a_key() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &POEM, &[]);
    terminal.wait_for("Divide into stanzas (divide)");
    terminal.wait_for("demo");
    terminal.wait_for(ASKS);
    // Enter alone does nothing.
    terminal.type_in("\n");
    terminal.wait_for(ASKS);
    terminal.type_in("zzz\n");
    terminal.wait_for("none of these");
    terminal.type_in("p\n");
    terminal.wait_for("[user]");
    terminal.type_in("a\n");
    terminal.wait_for("Write the stanza (write[0])");
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert_eq!(home.show("last")["status"], "completed");
}

#[test]
fn an_edit_in_the_editor_and_a_retry_with_an_instruction() {
    let home = Home::new();
    let editor = editor(&home, "editor", "A stanza of mine.");
    let mut terminal = Terminal::start(&home, &POEM, &[("EDITOR", &editor)]);
    terminal.wait_for(ASKS);
    // The plan is JSON, and this is none: the text is kept.
    terminal.type_in("e\n");
    terminal.wait_for("not JSON");
    terminal.wait_for("yes/no >");
    terminal.type_in("no\n");
    terminal.wait_for("It is kept");
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    terminal.wait_for("(write[0])");
    terminal.wait_for(ASKS);
    terminal.type_in("r\n");
    terminal.wait_for("different? >");
    terminal.type_in("about herring\n");
    terminal.wait_for("always? (t) >");
    terminal.type_in("\n");
    terminal.wait_for("attempt 2");
    terminal.wait_for("[d]iff");
    terminal.wait_for(ASKS);
    terminal.type_in("e\n");
    terminal.wait_for("A stanza of mine.");
    terminal.wait_for(ASKS);
    terminal.type_in("d\n");
    terminal.wait_for("{+");
    terminal.type_in("a\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    let call = home.call("write[0]");
    assert_eq!(call["standing"]["output"], "A stanza of mine.");
    assert_eq!(call["attempts"][0]["instruction"], "about herring");
    let rights = std::fs::read_to_string(home.path().join("rights")).unwrap();
    assert!(rights.lines().all(|rights| rights == "600"), "{rights}");
}

#[test]
fn an_approval_shows_its_argv_and_wants_yes_in_full() {
    let home = Home::new();
    home.write(
        "workflows/go/workflow.toml",
        "id = \"go\"\nname = \"Go\"\n\n[[steps]]\nid = \"who\"\nkind = \"ask\"\n[[steps.fields]]\nname = \"count\"\n\
         type = \"integer\"\nrequired = true\n\n[[steps]]\nid = \"make\"\nkind = \"command\"\n\
         argv = [\"echo\", \"made\", \"{{ steps.who.output.count }}\"]\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "go"], &[]);
    terminal.wait_for("\n> ");
    terminal.type_in("many\n");
    terminal.wait_for("That will not do");
    terminal.type_in("3\n");
    terminal.wait_for("      echo\r\n      made\r\n      3");
    terminal.wait_for("yes/no >");
    terminal.type_in("a\n");
    terminal.wait_for("`yes` or `no` in full");
    terminal.type_in("yes\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert!(terminal.shown().trim_end().ends_with("made 3"), "{}", terminal.shown());
}

#[test]
fn ctrl_c_stops_the_stream_and_keeps_the_text_and_a_second_one_leaves() {
    let home = Home::new();
    let server = ModelServer::start([Reply::chunks(["Once upon a time, ", "never"]).hang_after(1)]);
    home.write(
        "config.toml",
        &format!(
            "[models]\ndefault = \"here/m\"\n\n[providers.here]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n",
            server.url()
        ),
    );
    home.write(
        "workflows/tell/workflow.toml",
        "id = \"tell\"\nname = \"Tell\"\n\n[[steps]]\nid = \"tale\"\nprompt = \"Tell\"\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "tell"], &[]);
    terminal.wait_for("Once upon a time");
    terminal.type_in("\u{3}");
    terminal.wait_for("stopping");
    terminal.wait_for("tale was stopped");
    terminal.wait_for(ASKS);
    terminal.type_in("\u{3}");
    assert_eq!(terminal.exit(), 130, "{}", terminal.shown());
    assert!(terminal.shown().contains("stepwell resume"), "{}", terminal.shown());
    let run = home.show("last");
    assert_eq!(run["waiting"][0]["key"], "tale", "{run:#}");
    assert_eq!(home.call("tale")["output"].as_str().map(str::trim), Some("Once upon a time,"));
}

#[test]
fn a_conversation_goes_on_until_an_empty_line() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["run", "ask", "--prompt", "Hello?"], &[]);
    terminal.wait_for("an empty line ends");
    terminal.type_in("And again?\n");
    terminal.wait_for("an empty line ends");
    terminal.type_in("\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    let said: Vec<String> = home.show("last")["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["role"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said.iter().filter(|role| *role == "assistant").count(), 2, "{said:?}");
}

#[test]
fn leaving_says_what_waits_and_another_terminal_may_answer_meanwhile() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &POEM, &[]);
    terminal.wait_for(ASKS);
    // Another process answers; this one drives on.
    home.step("review last divide --accept --review stop").exits(3);
    terminal.type_in("a\n");
    terminal.wait_for("nothing changed");
    terminal.wait_for(ASKS);
    terminal.type_in("q\n");
    assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
    let shown = terminal.shown();
    assert!(shown.contains("(write[0])") && shown.contains("stepwell review"), "{shown}");
    home.step("review last --accept").exits(0);
}

/// A command that asks for a number in the middle of its work.
const ASKING: &str = "id = \"asky\"\nname = \"Asky\"\n\n[[steps]]\nid = \"q\"\nkind = \"command\"\napprove = \"never\"\n\
    speaks = \"stepwell\"\nargv = [\"sh\", \"-c\", \"\"\"read start; \
    echo '{\"ask\": {\"name\": \"n\", \"type\": \"integer\"}}'; read answer; echo got $answer\"\"\"]\n";

#[test]
fn a_program_that_asks_while_it_runs_is_answered_at_the_terminal() {
    let home = Home::new();
    home.write("workflows/asky/workflow.toml", ASKING);
    let mut terminal = Terminal::start(&home, &["run", "asky"], &[]);
    terminal.wait_for("a form to fill in: n");
    terminal.wait_for("> ");
    // A field without a default is required.
    terminal.type_in("\n");
    terminal.wait_for("That will not do");
    terminal.type_in("7\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert!(terminal.shown().contains("got {\"n\":7}"), "{}", terminal.shown());
}

#[test]
fn an_answer_to_a_question_that_is_gone_is_not_given_to_the_next_one() {
    let home = Home::new();
    home.write(
        "workflows/twice/workflow.toml",
        "id = \"twice\"\nname = \"Twice\"\n\n[[steps]]\nid = \"go\"\nkind = \"command\"\napprove = \"never\"\n\
         speaks = \"stepwell\"\nargv = [\"sh\", \"-c\", \"\"\"read start; echo '{\"ask\": {\"name\": \"first\"}}'; read answer; \
         echo '{\"ask\": {\"name\": \"second\"}}'; read answer; echo got $answer\"\"\"]\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "twice"], &[]);
    terminal.wait_for("a form to fill in: first");
    terminal.wait_for("> ");
    // Somebody else is faster, and the program asks something else.
    let answer = home.run(["review", "last", "go", "--answer", r#"{"first":"theirs"}"#, "--review", "stop"]);
    assert!(answer.out.contains("second"), "{answer:?}");
    terminal.type_in("mine\n");
    terminal.wait_for("has changed since it was seen");
    terminal.wait_for("a form to fill in: second");
    terminal.wait_for("> ");
    terminal.type_in("two\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert!(terminal.shown().contains("got {\"second\":\"two\"}"), "{}", terminal.shown());
}

#[test]
fn one_answer_for_all_stale_results_is_not_given_to_what_became_stale_otherwise_meanwhile() {
    let home = Home::new();
    home.write(
        "workflows/chain/workflow.toml",
        "id = \"chain\"\nname = \"Chain\"\n\n[[steps]]\nid = \"a\"\nkind = \"transform\"\nexpr = \"'first'\"\n\n\
         [[steps]]\nid = \"b\"\nkind = \"transform\"\nexpr = \"steps.a.output ~ ' made'\"\n",
    );
    home.step("run chain").exits(0);
    home.step("reopen last a").exits(3);
    home.piped("review last a --edit - --accept --review stop", b"second").exits(3);
    let mut terminal = Terminal::start(&home, &["resume", "last"], &[]);
    terminal.wait_for("[k]eep them as they are");
    // What it is made from changes once more, under the same attempt and version.
    home.step("reopen last a").exits(3);
    home.piped("review last a --edit - --accept --review stop", b"third").exits(3);
    terminal.type_in("k\n");
    terminal.wait_for("has changed since it was seen");
    terminal.wait_for("[k]eep them as they are");
    assert_eq!(home.call("b")["status"], "stale");
    terminal.type_in("k\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert_eq!(home.call("b")["output"], "first made");
}

#[test]
fn a_question_mark_explains_the_words_and_an_instruction_may_follow_r_at_once() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &POEM, &[]);
    terminal.wait_for(ASKS);
    terminal.type_in("?\n");
    terminal.wait_for("a  accept it");
    terminal.wait_for(ASKS);
    terminal.type_in("r other subjects, please\n");
    terminal.wait_for("always? (t) >");
    terminal.type_in("\n");
    terminal.wait_for("attempt 2");
    terminal.wait_for(ASKS);
    assert_eq!(home.call("divide")["attempts"][0]["instruction"], "other subjects, please");
    let headings = terminal.shown().matches("(divide)").count();
    assert_eq!(headings, 2, "one heading an attempt: {}", terminal.shown());
}

#[test]
fn an_editor_that_leaves_nothing_changes_nothing() {
    let home = Home::new();
    let editor = editor(&home, "editor", "");
    let mut terminal = Terminal::start(&home, &POEM, &[("EDITOR", &editor)]);
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    terminal.wait_for("(write[0])");
    terminal.wait_for(ASKS);
    terminal.type_in("e\n");
    terminal.wait_for("saved empty");
    terminal.wait_for(ASKS);
    assert_eq!(home.call("write[0]")["attempts"][0]["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn the_editor_opens_the_version_that_is_asked_about() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=1 --review stop").exits(3);
    home.step("review last --accept --review stop").exits(3);
    home.write("mine.md", "A stanza of mine.");
    home.step("review last write[0] --edit mine.md").exits(3);
    home.step("review last write[0] --take 1.1 --review stop").exits(0);
    home.step("reopen last write[0]").exits(3);
    let path = home.write("look", "#!/bin/sh\ncp \"$1\" opened\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();

    let mut terminal = Terminal::start(&home, &["resume", "last"], &[("EDITOR", path.to_str().unwrap())]);
    terminal.wait_for(ASKS);
    terminal.type_in("e\n");
    terminal.wait_for("Nothing was changed.");
    terminal.wait_for(ASKS);
    let opened = std::fs::read_to_string(home.path().join("opened")).unwrap();
    let model = home.call("write[0]")["attempts"][0]["versions"][0]["output"].clone();
    assert_eq!(opened.trim(), model.as_str().unwrap().trim());
}

#[test]
fn what_is_typed_before_an_answer_is_there_does_not_accept_it() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["run", "poem", "-i", "stanzas=1"], &[]);
    terminal.type_in("the sea\na\na\n");
    terminal.wait_for("(divide)");
    terminal.wait_for("typed before this question");
    terminal.wait_for(ASKS);
    terminal.type_in("q\n");
    assert_eq!(terminal.exit(), 3, "{}", terminal.shown());
    assert_eq!(home.show("last")["inputs"]["topic"], "the sea");
    assert_eq!(home.call("divide")["status"], "review");
}

#[test]
fn what_is_typed_before_an_effect_was_shown_does_not_allow_it() {
    let home = Home::new();
    home.write(
        "workflows/go/workflow.toml",
        "id = \"go\"\nname = \"Go\"\n\n[[inputs]]\nname = \"count\"\n\n[[steps]]\nid = \"make\"\nkind = \"command\"\n\
         argv = [\"touch\", \"made-{{ inputs.count }}\"]\n\n[[steps]]\nid = \"ask\"\nkind = \"ask\"\n[[steps.fields]]\n\
         name = \"mood\"\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "go"], &[]);
    terminal.type_in("3\nyes\nyes\nglad\n");
    terminal.wait_for("made-3");
    terminal.wait_for("typed before this question");
    terminal.wait_for("yes/no >");
    assert!(!home.path().join("made-3").exists(), "it ran before anybody had seen it");
    // What is typed at the question counts, and what is typed ahead of the next one does not.
    terminal.type_in("yes\nglad\n");
    terminal.wait_for("mood");
    terminal.wait_for("typed before this question");
    terminal.wait_for("> ");
    terminal.type_in("calm\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert!(home.path().join("made-3").exists());
    assert_eq!(home.call("ask")["standing"]["output"]["mood"], "calm");
}

#[test]
fn keys_that_move_the_cursor_are_no_part_of_what_is_typed() {
    let home = Home::new();
    home.write(
        "workflows/go/workflow.toml",
        "id = \"go\"\nname = \"Go\"\n\n[[steps]]\nid = \"who\"\nkind = \"ask\"\n[[steps.fields]]\nname = \"place\"\n\
         type = \"text\"\n\n[[steps.fields]]\nname = \"notes\"\ntype = \"multiline\"\n",
    );
    let mut terminal = Terminal::start(&home, &["run", "go"], &[]);
    terminal.wait_for("\n> ");
    terminal.type_in("the se\u{1b}[D\u{1b}[D\u{1b}OCa\u{1b}[1;5C\u{1b}[3~\n");
    terminal.wait_for("\n> ");
    terminal.type_in("\u{1b}[Aone\u{1b}[H\n");
    terminal.wait_for("> ");
    terminal.type_in("\u{1b}[200~two\u{1b}[201~\n");
    terminal.wait_for("> ");
    terminal.type_in(".\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert_eq!(home.call("who")["output"], serde_json::json!({ "place": "the sea", "notes": "one\ntwo" }));
}

#[test]
fn what_an_editor_saved_is_kept_however_it_ended() {
    let home = Home::new();
    let path = home.write("editor", "#!/bin/sh\nprintf 'Mine \\351' > \"$1\"\nexit 1\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut terminal = Terminal::start(&home, &POEM, &[("EDITOR", path.to_str().unwrap())]);
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    terminal.wait_for("(write[0])");
    terminal.wait_for(ASKS);
    terminal.type_in("e\n");
    terminal.wait_for("what it saved is kept");
    terminal.wait_for("Latin-1");
    terminal.wait_for("Mine é");
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
    assert_eq!(home.call("write[0]")["standing"]["output"], "Mine é");
}

#[test]
fn ctrl_c_in_a_pager_is_the_pagers() {
    let home = Home::new();
    let path = home.write(
        "pager",
        // A signal just before a `read` would be seen after it only.
        "#!/bin/sh\ntrap 'caught=1' INT\ncat\necho in-the-pager\n\
         until [ \"$caught\" ]; do sleep 0.05; done\necho caught\nread line < /dev/tty\n",
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let prompt: String = (0..60).map(|line| format!("line {line}")).collect::<Vec<_>>().join("\\n");
    home.write(
        "workflows/tell/workflow.toml",
        &format!("id = \"tell\"\nname = \"Tell\"\n\n[[steps]]\nid = \"tale\"\nprompt = \"{prompt}\"\n"),
    );
    let pager = [("PAGER", path.to_str().unwrap()), ("TERM", "xterm")];
    let mut terminal = Terminal::start(&home, &["run", "tell"], &pager);
    terminal.wait_for(ASKS);
    terminal.type_in("p\n");
    terminal.wait_for("in-the-pager");
    terminal.type_in("\u{3}");
    terminal.wait_for("caught");
    terminal.type_in("\n");
    terminal.wait_for(ASKS);
    terminal.type_in("a\n");
    assert_eq!(terminal.exit(), 0, "{}", terminal.shown());
}
