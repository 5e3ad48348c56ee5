//! The full-screen interface in bad times: terminals of no size, outputs of any size and kind, a full disk, others who
//! drive and change what is on screen. Nothing panics, corrupts the screen or loses what was typed.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::fmt::Write as _;

use crate::support::cli::Home;
use crate::support::model_server::{ModelServer, Reply};
use crate::support::screen::{ALT_ENTER, CTRL_C, CTRL_S, ENTER, ESC, F1, Screen, TAB};
use portable_pty::CommandBuilder;
use rustix::process::Signal;

const SIZE: (u16, u16) = (80, 24);
const END: &str = "\x1b[F";

fn open(home: &Home) -> Screen {
    let mut screen = Screen::start(home, SIZE, &[]);
    screen.wait_for("Write an email");
    screen
}

fn start(screen: &mut Screen, task: &str) {
    screen.press(task);
    screen.wait_for(&format!("Ask: {task}"));
    screen.press(ENTER);
}

fn leave(mut screen: Screen) {
    screen.press(CTRL_C);
    screen.wait_for("Ctrl-C again leaves");
    screen.press(CTRL_C);
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
}

/// Ends a program whose run may still be going.
fn end(mut screen: Screen) {
    screen.signal(Signal::TERM);
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
}

/// A home with a task `told` of one command, a shell script.
fn telling(script: &str) -> Home {
    let home = Home::new();
    home.write(
        "workflows/told/workflow.toml",
        &format!(
            "id = 'told'\nname = 'Told'\n[[steps]]\nid = 'tell'\nkind = 'command'\napprove = 'never'\n\
             idempotent = true\nargv = ['sh', '-c', '''{script}''']\n"
        ),
    );
    home
}

/// A home whose model answers this.
fn answering(text: &str) -> (Home, ModelServer) {
    let server = ModelServer::start([Reply::chunks([text])]);
    let home = Home::new();
    home.write(
        "config.toml",
        &format!("[models]\ndefault = 'loop/x'\n[providers.loop]\nkind = 'openai'\nbase_url = '{}/v1'\n", server.url()),
    );
    (home, server)
}

#[test]
fn a_terminal_of_any_size_is_survived_and_what_was_typed_is_there_when_it_grows() {
    let home = Home::new();
    let mut screen = open(&home);
    start(&mut screen, "poem");
    screen.wait_for("1 to fill in");
    for (at, size) in [(40, 12), (10, 3), (1, 1), (200, 2), (2, 60)].into_iter().enumerate() {
        screen.resize(size);
        screen.press(&"harbour"[at..=at]);
        screen.press(TAB);
        screen.press("\x1b[Z");
    }
    screen.resize(SIZE);
    screen.wait_for("harbo");
    screen.press("ur");
    screen.wait_for("harbour");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    for size in [(10, 3), (1, 1)] {
        screen.resize(size);
        for key in ["?", ESC, "z", "z", "e", "x", ESC, "\x1b[B", ":", ESC] {
            screen.press(key);
        }
    }
    screen.resize(SIZE);
    // Every key was taken, and what they opened is closed again.
    screen.press(F1);
    screen.wait_for("What can be done here");
    screen.press(ESC);
    screen.wait_while("What can be done here");
    leave(screen);
    assert_eq!(home.show("last")["status"], "waiting");
}

#[test]
fn a_storm_of_sizes_ends_in_the_last_one() {
    let home = Home::new();
    let mut screen = open(&home);
    for step in 0..300_u16 {
        screen.resize((1 + step * 37 % 200, 1 + step * 11 % 70));
    }
    screen.resize((100, 30));
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.wait_until("a frame of the last size", |shown| {
        let width = shown.lines().nth(1).unwrap_or_default().chars().count();
        (width, shown.lines().count()) == (100, 30)
    });
    leave(screen);
}

#[test]
fn a_line_of_a_megabyte_is_read_to_its_end() {
    let home = telling("head -c 1000000 /dev/zero | tr \"\\0\" x; echo finis");
    let mut screen = open(&home);
    start(&mut screen, "told");
    screen.wait_for("done ✓");
    screen.wait_for("xxxxxxxx");
    screen.press(TAB);
    screen.press(END);
    screen.wait_for("finis");
    leave(screen);
}

#[test]
fn a_hundred_megabytes_of_output_leave_the_keys_alone() {
    let home = telling("yes the tide | head -c 100000000; while [ ! -e go ]; do sleep 0.02; done");
    let mut screen = open(&home);
    start(&mut screen, "told");
    screen.wait_for("running");
    for _ in 0..20 {
        screen.press("?");
        screen.wait_for("What can be done here");
        screen.press(ESC);
        screen.wait_while("What can be done here");
    }
    home.write("go", "");
    screen.wait_for("done ✓");
    screen.press("?");
    screen.wait_for("What can be done here");
    screen.press(ESC);
    screen.wait_while("What can be done here");
    leave(screen);
}

#[test]
fn bytes_that_are_no_text_and_texts_that_would_act_stay_in_their_pane() {
    let home = telling(
        "printf \"begin \\\\377\\\\376 \\\\033[2J\\\\033[1;1Howned \\\\033]0;evil\\\\007 \\\\033[?1049l \\\\342\\\\200\\\\256xyz\"",
    );
    let mut screen = open(&home);
    start(&mut screen, "told");
    screen.wait_for("done ✓");
    screen.wait_for("begin");
    screen.wait_for("xyz");
    let shown = screen.shown();
    let line = shown.lines().find(|line| line.contains("begin")).unwrap();
    assert!(line.contains("owned") && line.contains('│'), "{shown}");
    assert!(shown.lines().nth(1).unwrap().starts_with('┌'), "{shown}");
    leave(screen);
}

#[test]
fn escapes_and_invisible_characters_of_a_model_move_nothing() {
    let text = "begin \u{1b}[2J\u{1b}[H\u{9b}31m \u{202e}kcab\u{202c} \u{200b}\u{feff}\u{ad}\u{7f}\u{8} \r over end";
    let (home, _server) = answering(text);
    let mut screen = open(&home);
    start(&mut screen, "say something");
    screen.wait_for("begin");
    screen.wait_for(" over end");
    let shown = screen.shown();
    assert!(shown.lines().nth(1).unwrap().starts_with('┌'), "{shown}");
    assert!(shown.contains("Conversation"), "{shown}");
    end(screen);
}

#[test]
fn ten_thousand_marks_on_one_letter_take_one_cell() {
    let mut text = "begin e".to_owned();
    text.extend(std::iter::repeat_n('\u{301}', 10_000));
    text.push_str(" end");
    let (home, _server) = answering(&text);
    let mut screen = open(&home);
    start(&mut screen, "say something");
    screen.wait_for("begin");
    screen.wait_for(" end");
    screen.press("typed");
    screen.wait_for("typed");
    end(screen);
}

#[test]
fn a_paste_of_five_megabytes_is_text_and_nothing_is_sent() {
    let (home, server) = answering("Well.");
    let mut screen = open(&home);
    start(&mut screen, "say something");
    screen.wait_for("Well.");
    let mut paste = String::new();
    while paste.len() < 5_000_000 {
        writeln!(paste, "the tide comes in and goes out again, {}", paste.len()).unwrap();
    }
    screen.press(&format!("\x1b[200~{paste}finis\x1b[201~"));
    screen.wait_for("finis");
    screen.press(" and more");
    screen.wait_for("finis and more");
    assert_eq!(server.requests().len(), 1, "a paste sends nothing");
    screen.press("\x1b<");
    screen.wait_for("again, 0");
    end(screen);
}

#[test]
fn a_full_disk_is_said_at_once_and_the_text_is_kept() {
    let home = Home::new();
    let mut screen = open(&home);
    start(&mut screen, "poem");
    screen.wait_for("1 to fill in");
    screen.press("the harbour");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    leave(screen);
    // No file may grow beyond so much: the store is smaller, what is pasted is not.
    let mut command = CommandBuilder::new("sh");
    let program = env!("CARGO_BIN_EXE_stepwell");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f 1000; exec {program}")]);
    let mut screen = Screen::within(&home, command, SIZE, &[]);
    screen.wait_for("1 waiting");
    screen.press(ENTER);
    screen.wait_for("a accept");
    screen.press("r");
    screen.wait_for("What should be different?");
    screen.press(&format!("\x1b[200~{}\x1b[201~finis", "long ".repeat(400_000)));
    screen.wait_for("finis");
    screen.press(ENTER);
    screen.wait_until("why it was not kept", |shown| shown.contains("full") || shown.contains("not written"));
    screen.press("r");
    screen.wait_for("What should be different?");
    screen.wait_for("finis");
    screen.press(ESC);
    screen.wait_for("a accept");
    screen.press("a");
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    leave(screen);
}

#[test]
fn a_run_that_another_process_drives_is_watched_and_decided() {
    let home = Home::new();
    let mut driver = open(&home);
    start(&mut driver, "poem");
    driver.wait_for("1 to fill in");
    driver.press("the harbour");
    driver.press(CTRL_S);
    driver.wait_for("a accept");
    let mut watcher = open(&home);
    watcher.wait_for("1 waiting");
    watcher.press(ENTER);
    watcher.wait_for("a accept");
    watcher.press("a");
    watcher.wait_for("write[0]");
    watcher.wait_for("a accept");
    // What was decided elsewhere is seen, and moves nothing that is looked at here.
    driver.wait_for("1  accepted");
    driver.wait_for("1 waiting");
    driver.press("]");
    driver.wait_for("write[0]");
    driver.wait_for("a accept");
    driver.press("a");
    driver.wait_for("write[1]");
    driver.wait_for("a accept");
    watcher.wait_for("1 waiting");
    leave(watcher);
    leave(driver);
}

#[test]
fn a_definition_that_changes_while_it_runs_changes_nothing_of_the_run() {
    let home = Home::new();
    let definition = |last: &str| {
        format!(
            "id = 'told'\nname = 'Told'\n[[steps]]\nid = 'first'\nkind = 'transform'\ntemplate = 'one'\n\
             review = 'always'\n[[steps]]\nid = 'second'\nkind = 'transform'\ntemplate = '{{{{ steps.first.output }}}} {last}'\n"
        )
    };
    home.write("workflows/told/workflow.toml", &definition("as begun"));
    let mut screen = open(&home);
    start(&mut screen, "told");
    screen.wait_for("a accept");
    home.write("workflows/told/workflow.toml", "id = 'told'\nnam");
    screen.press("e");
    screen.wait_for("editing");
    screen.press("twenty");
    screen.press(ALT_ENTER);
    screen.wait_for("done ✓");
    screen.wait_for("as begun");
    screen.press(ESC);
    screen.wait_for("Ctrl-F history");
    screen.press("told");
    screen.wait_for("has errors");
    leave(screen);
}
