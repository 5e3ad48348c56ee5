//! The full-screen interface in a terminal: what a person sees, presses and comes back to.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::process::Command;

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::patience::until;
use crate::support::screen::{ALT_ENTER, BARE_ESC, CTRL_C, CTRL_F, CTRL_S, ENTER, ESC, Screen, TAB};
use portable_pty::CommandBuilder;
use rustix::process::Signal;

const SMALL: (u16, u16) = (80, 24);

fn open(home: &Home) -> Screen {
    let mut screen = Screen::start(home, SMALL, &[]);
    screen.wait_for("Write an email");
    screen
}

/// A poem about the sea whose plan waits.
fn poem(home: &Home) -> Screen {
    let mut screen = open(home);
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
    screen.press("the harbour");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    screen
}

fn leave(mut screen: Screen) -> String {
    screen.press(CTRL_C);
    screen.wait_for("Ctrl-C again leaves");
    screen.press(CTRL_C);
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
    screen.shown()
}

#[test]
fn a_poem_is_finished_with_one_edit_and_one_retry_and_found_again() {
    let home = Home::new();
    let mut screen = poem(&home);
    screen.wait_for("· demo ─");
    screen.press("a");
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    screen.press("e");
    screen.wait_for("editing");
    screen.press("Gulls argue.");
    screen.press(ENTER);
    screen.press(ALT_ENTER);
    screen.wait_for("write[1]");
    screen.wait_for("a accept");
    screen.press("r");
    screen.wait_for("What should be different?");
    screen.press("make it rhyme");
    screen.press(ENTER);
    screen.wait_for("rejected \"make it rhyme\"");
    screen.wait_for("2  waiting for you");
    screen.press("a");
    screen.wait_for("write[2]");
    screen.wait_for("a accept");
    screen.press("a");
    screen.wait_for("done ✓");
    screen.wait_for("Gulls argue.");
    screen.press(ESC);
    screen.wait_for("Ctrl-F history");
    screen.press(CTRL_F);
    screen.wait_for("Today");
    screen.press("gulls argue");
    screen.wait_until("the one run that says it", |shown| shown.contains("gulls argue") && shown.contains("Gulls"));
    screen.press(ENTER);
    screen.wait_for("done ✓");
    screen.wait_for("Gulls argue.");
    leave(screen);
    let run = home.show("last");
    assert_eq!(run["status"], "completed");
    assert!(run["result"]["body"].as_str().unwrap().starts_with("Gulls argue."), "{run:#}");
}

#[test]
fn a_chat_ends_in_a_document_and_goes_on() {
    let home = Home::new();
    let mut screen = open(&home);
    screen.press("email");
    screen.wait_for("Ask: email");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
    screen.press("tell Ana the meeting moved to Friday");
    screen.press(CTRL_S);
    screen.wait_for("version 1 of 1");
    screen.wait_for("Hi Ana");
    screen.press("shorter please");
    screen.press(ENTER);
    screen.wait_for("version 2 of 2");
    screen.press(TAB);
    screen.wait_for("Tab talk");
    leave(screen);
    let documents = home.show("last")["documents"].clone();
    assert_eq!(documents.as_array().unwrap().last().unwrap()["version"], 2, "{documents:#}");
}

#[test]
fn what_finds_no_task_is_asked() {
    let home = Home::new();
    let mut screen = open(&home);
    screen.press("why is the sky blue");
    screen.wait_for("Ask: why is the sky blue");
    screen.press(ENTER);
    screen.wait_for("Conversation");
    // Esc would stop an answer that is under way: it must have come to its end.
    screen.wait_for("what is missing.");
    screen.wait_for("├ You");
    screen.press(ESC);
    screen.wait_for("Ctrl-F history");
    leave(screen);
    assert_eq!(home.show("last")["task"], "ask");
}

#[test]
fn a_command_runs_only_once_it_is_allowed_as_it_was_shown() {
    let home = Home::new();
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(home.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "-q"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "A lamp in the harbour", "--allow-empty"]);
    let mut screen = open(&home);
    screen.press("release");
    screen.wait_for("Ask: release");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
    screen.press("2.0");
    screen.press(CTRL_S);
    screen.wait_for("classify[0]");
    screen.wait_for("a accept");
    screen.press("a");
    // Whichever of them has come first.
    screen.wait_for("write[");
    screen.wait_for("2 waiting");
    screen.press("A");
    screen.wait_for("This will run");
    screen.wait_for("RELEASE_NOTES.md");
    screen.wait_for("Y allow");
    // The key that accepts a review says nothing here.
    screen.press("a");
    screen.press("z");
    screen.wait_while("Steps");
    assert!(!home.path().join("RELEASE_NOTES.md").exists());
    screen.press("Y");
    screen.press("z");
    screen.wait_for("done ✓");
    assert!(std::fs::read_to_string(home.path().join("RELEASE_NOTES.md")).unwrap().starts_with("# 2.0"));
    leave(screen);
}

/// One step that a model of that server answers.
fn verse(home: &Home, server: &ModelServer) -> Screen {
    home.write(
        "config.toml",
        &format!(
            "[models]\ndefault = 'box/x'\ncareful = 'demo/recorded'\n[providers.box]\nkind = 'openai'\n\
             base_url = '{}'\napi_key_env = 'NO_SUCH_KEY'\n",
            server.url()
        ),
    );
    home.write(
        "workflows/verse/workflow.toml",
        "id = 'verse'\nname = 'A verse'\n[[steps]]\nid = 'write'\nkind = 'prompt'\nprompt = 'A verse about the sea.'\n",
    );
    let mut screen = open(home);
    screen.press("verse");
    screen.wait_for("Ask: verse");
    screen.press(ENTER);
    screen
}

#[test]
fn a_call_that_failed_for_lack_of_a_key_takes_one_for_this_session() {
    let home = Home::new();
    let server = ModelServer::start([Reply::text("The harbour sleeps.")]);
    let mut screen = verse(&home, &server);
    screen.wait_for("i key…");
    screen.press("i");
    screen.wait_for("A key, for this session only");
    screen.press("sk-of-today");
    screen.press(ENTER);
    screen.wait_for("The harbour sleeps.");
    screen.wait_for("a accept");
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer sk-of-today"));
    leave(screen);
    assert!(!format!("{:#}", home.show("last")).contains("sk-of-today"));
}

#[test]
fn a_call_that_failed_is_done_by_another_model() {
    let home = Home::new();
    let server = ModelServer::start([Reply::text("Never asked.")]);
    let mut screen = verse(&home, &server);
    // Before it has failed, another model would be for later attempts.
    screen.wait_for("i key…");
    screen.press("m");
    screen.wait_for("Which model should do write?");
    screen.press("careful");
    screen.press(ENTER);
    screen.wait_for("2  waiting for you");
    screen.wait_for("a accept");
    leave(screen);
    assert_eq!(home.show("last")["calls"][0]["attempts"][1]["model"], "demo/recorded");
}

#[test]
fn an_answer_under_way_is_broken_off_and_asked_for_again_with_an_instruction() {
    let home = Home::new();
    let server = ModelServer::start([Reply::chunks(["A long, ", "long verse"]).hang_after(1), Reply::text("Short.")]);
    let mut screen = verse(&home, &server);
    screen.wait_for("i key…");
    screen.press("i");
    screen.wait_for("A key, for this session only");
    screen.press("k");
    screen.press(ENTER);
    screen.wait_for("A long,");
    screen.wait_for("x stop");
    screen.press("r");
    screen.wait_for("What should be different?");
    screen.press("much shorter");
    screen.press(CTRL_S);
    screen.wait_for("Short.");
    screen.wait_for("a accept");
    let requests = server.requests();
    assert!(requests[1].prompt().contains("much shorter"), "{}", requests[1].prompt());
    leave(screen);
}

#[test]
fn whoever_leaves_in_the_middle_is_told_how_to_come_back_and_finds_it_waiting() {
    let home = Home::new();
    let said = leave(poem(&home));
    let id = home.show("last")["run"].as_str().unwrap().to_owned();
    let short = &id[id.len() - 8..];
    assert!(said.contains(&format!("stepwell resume {short}")), "{said}");
    goes_on(&home);
}

/// The program, started again, has the poem that waits, and goes on with it.
fn goes_on(home: &Home) {
    let mut screen = open(home);
    screen.wait_for("1 waiting");
    screen.press(ENTER);
    screen.wait_for("a accept");
    screen.press("a");
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    leave(screen);
}

#[test]
fn a_run_goes_on_where_it_was_when_the_process_was_killed() {
    let home = Home::new();
    let screen = poem(&home);
    screen.signal(Signal::KILL);
    let mut killed = screen;
    assert_ne!(killed.exit(), 0);
    goes_on(&home);
}

#[test]
fn a_run_that_is_going_when_the_person_leaves_goes_on_without_them() {
    let home = Home::new();
    home.write(
        "workflows/slow/workflow.toml",
        "id = 'slow'\nname = 'A slow thing'\n[[steps]]\nid = 'wait'\nkind = 'command'\napprove = 'never'\n\
         idempotent = true\nargv = ['sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done; echo there']\n",
    );
    let mut screen = open(&home);
    screen.press("slow");
    screen.wait_for("Ask: slow");
    screen.press(ENTER);
    screen.wait_for("x stop");
    screen.press("q");
    screen.wait_for("Keep running in the background");
    screen.press(ENTER);
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
    assert!(screen.shown().contains("keeps running"), "{}", screen.shown());
    home.write("go", "");
    until("the end of the run", || home.show("last")["status"] == "completed");
}

/// A verse that a model has begun, and that the person lets go on without them.
fn verse_under_way(home: &Home) -> Screen {
    home.write(
        "workflows/verse/workflow.toml",
        "id = 'verse'\nname = 'A verse'\n[[steps]]\nid = 'write'\nkind = 'prompt'\nprompt = 'A verse about the sea.'\n",
    );
    let mut screen = open(home);
    screen.press("verse");
    screen.wait_for("Ask: verse");
    screen.press(ENTER);
    screen.wait_for("A long,");
    screen.wait_for("x stop");
    screen.press("q");
    screen.wait_for("Keep running in the background");
    screen.press(ENTER);
    screen.wait_for("is finished first");
    screen
}

#[test]
fn an_answer_under_way_is_finished_before_its_run_goes_on_elsewhere() {
    let server = ModelServer::start([Reply::chunks(["A long, ", "long verse"]).hang_after(1)]);
    let home = Home::asking(&server.url());
    let mut screen = verse_under_way(&home);
    server.release();
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
    assert!(screen.shown().contains("waits for you"), "{}", screen.shown());
    assert_eq!(server.requests().len(), 1, "it is asked for once");
    let run = home.show("last");
    assert_eq!((&run["status"], &run["calls"][0]["output"]), (&"waiting".into(), &"A long, long verse".into()));
    assert_eq!(run["calls"][0]["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn ctrl_c_does_not_wait_for_the_answer_under_way_and_the_run_goes_on_all_the_same() {
    let server = ModelServer::start([Reply::chunks(["A long, ", "long verse"]).hang_after(1), Reply::text("Short.")]);
    let home = Home::asking(&server.url());
    let mut screen = verse_under_way(&home);
    screen.press("\x03");
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
    assert!(screen.shown().contains("keeps running"), "{}", screen.shown());
    until("the answer to come", || home.show("last")["calls"][0]["output"] == "Short.");
}

#[test]
fn ctrl_c_leaves_also_while_it_is_asked_what_becomes_of_the_runs() {
    let home = Home::new();
    home.write(
        "workflows/slow/workflow.toml",
        "id = 'slow'\nname = 'A slow thing'\n[[steps]]\nid = 'wait'\nkind = 'command'\napprove = 'never'\n\
         idempotent = true\nargv = ['sleep', '600']\n",
    );
    let mut screen = open(&home);
    screen.press("slow");
    screen.wait_for("Ask: slow");
    screen.press(ENTER);
    screen.wait_for("x stop");
    screen.press("\x03");
    screen.wait_for("Ctrl-C again leaves");
    screen.press("\x03");
    screen.wait_for("Keep running in the background");
    screen.press("\x03");
    screen.wait_for("Ctrl-C again leaves");
    screen.press("\x03");
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
    assert_eq!(home.show("last")["status"], "paused");
}

#[test]
fn a_signal_that_ends_the_program_restores_the_terminal() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let home = Home::new();
        let mut screen = poem(&home);
        screen.signal(signal);
        assert_eq!(screen.exit(), 0, "{signal:?}");
        screen.is_restored();
        assert_eq!(home.show("last")["status"], "waiting");
    }
}

#[test]
fn a_program_that_was_stopped_gives_the_terminal_back_and_takes_it_again() {
    let home = Home::new();
    let mut screen = poem(&home);
    for how in [Some(Signal::TSTP), None] {
        match how {
            Some(signal) => screen.signal(signal),
            None => screen.press("\x1a"),
        }
        screen.wait_until_stopped();
        screen.signal(Signal::CONT);
        screen.wait_for("a accept");
        // The first key after it counts.
        screen.press("?");
        screen.wait_for("What can be done here");
        screen.press(ESC);
        screen.wait_while("What can be done here");
    }
    leave(screen);
}

#[test]
fn help_tells_the_keys_of_the_screen_and_the_palette_gives_them() {
    let home = Home::new();
    let mut screen = poem(&home);
    screen.press("?");
    screen.wait_for("What can be done here");
    screen.wait_for("Accept what is shown");
    screen.press(BARE_ESC);
    screen.wait_while("What can be done here");
    screen.press(":");
    screen.wait_for("All commands");
    screen.press("accept what");
    screen.wait_while("Start:");
    screen.press(ENTER);
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    leave(screen);
}

#[test]
fn a_small_terminal_shows_one_pane_at_a_time() {
    let home = Home::new();
    let mut screen = Screen::start(&home, (40, 12), &[]);
    screen.wait_for("Ask");
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
    screen.press("the harbour");
    screen.press(CTRL_S);
    screen.wait_for("Tab read");
    screen.press(TAB);
    screen.wait_for("a accept");
    screen.press("a");
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    leave(screen);
}

#[test]
#[ignore = "the process of the test below: it panics"]
fn panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let parts = stepwell::tui::Parts {
        search_paths: stepwell::catalog::SearchPaths {
            own: None,
            project: None,
            dir: None,
            state: path.clone(),
            tools: None,
        },
        journal: path.join("stepwell.db"),
        state: path.clone(),
        settings: stepwell::core::settings::Settings::default(),
        open: Box::new(|| panic!("a mistake of the program")),
        agree: Box::new(|_| {}),
        find: Box::new(|| Box::pin(std::future::ready(Vec::new()))),
        list: Box::new(|_, _| Box::pin(std::future::ready(Err("nothing is listed here".to_owned())))),
        roles: Box::new(Vec::new),
        connect: Box::new(|_| Box::pin(std::future::ready(Err("nothing is connected here".to_owned())))),
        go_on: Box::new(|_| Ok(())),
        say: Box::new(|_| {}),
    };
    drop(stepwell::tui::run(parts));
}

#[test]
fn a_mistake_of_the_program_restores_the_terminal_before_it_is_told() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "used::panics", "--nocapture"]);
    command.env("TERM", "xterm-256color");
    command.env("RUST_BACKTRACE", "0");
    let mut screen = Screen::of(command, SMALL);
    assert_eq!(screen.exit(), 101);
    screen.is_restored();
    assert!(screen.shown().contains("a mistake of the program"), "{}", screen.shown());
}
