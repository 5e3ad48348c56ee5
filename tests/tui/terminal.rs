//! The interface and its terminal: what terminals send, programs that have it for a while, and terminals that go away.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::cli::Home;
use crate::support::patience::{until, until_some};
use crate::support::screen::{BARE_ESC, CTRL_C, CTRL_S, ENTER, ESC, Screen};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};

const SIZE: (u16, u16) = (80, 24);
const CTRL_G: &str = "\x07";
const SHIFT_ENTER: &str = "\x1b[13;2u";

fn open_with(home: &Home, environment: &[(&str, &str)]) -> Screen {
    let mut screen = Screen::start(home, SIZE, environment);
    screen.wait_for("Write an email");
    screen
}

fn open(home: &Home) -> Screen {
    open_with(home, &[])
}

fn form(screen: &mut Screen) {
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
}

/// A poem about the sea whose plan waits, edited as raw JSON.
fn editing(screen: &mut Screen) {
    form(screen);
    screen.press("the harbour");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    screen.press("e");
    screen.wait_for("editing");
    screen.press("R");
    screen.wait_for("editing JSON");
}

fn leave(mut screen: Screen) {
    screen.press(CTRL_C);
    screen.wait_for("Ctrl-C again leaves");
    screen.press(CTRL_C);
    assert_eq!(screen.exit(), 0);
    screen.is_restored();
}

/// A program that the person has set as their editor.
fn program(home: &Home, name: &str, script: &str) -> String {
    let path = home.write(name, &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn ctrl_c_leaves_on_a_russian_keyboard_with_caps_lock_too() {
    for ctrl_c in ["\x1b[1089;5u", "\x1b[1089;69u", "\x1b[1089::99;5u"] {
        let home = Home::new();
        let mut screen = open(&home);
        form(&mut screen);
        screen.press(ctrl_c);
        screen.wait_for("Ctrl-C again leaves");
        screen.press(ctrl_c);
        assert_eq!(screen.exit(), 0);
        screen.is_restored();
    }
}

#[test]
fn what_the_terminal_answers_late_is_typed_on_no_screen() {
    let home = Home::new();
    let mut screen = open(&home);
    let answers = ["\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", "\x1bP>|tmux 3.4\x1b\\", "\x1b_Gi=31;OK\x1b\\", "\x1b[?62;22c"];
    let answer = |screen: &mut Screen| {
        for answer in answers {
            let (begin, rest) = answer.split_at(answer.len() / 2);
            screen.press(begin);
            screen.press(rest);
        }
    };
    answer(&mut screen);
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ENTER);
    screen.wait_for("1 to fill in");
    answer(&mut screen);
    screen.press("the sea");
    screen.wait_for("ready to start");
    screen.wait_until("the topic alone", |shown| shown.lines().any(|line| line.trim() == "▏ the sea"));
    answer(&mut screen);
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    answer(&mut screen);
    screen.press("r");
    screen.wait_for("What should be different?");
    answer(&mut screen);
    screen.press("softer");
    screen.press(ENTER);
    screen.wait_for("rejected \"softer\"");
    screen.wait_for("2  waiting for you");
    screen.wait_for("a accept");
    leave(screen);
}

#[test]
fn escape_alone_is_escape_also_from_an_old_terminal() {
    let home = Home::new();
    let mut screen = open(&home);
    form(&mut screen);
    screen.press(BARE_ESC);
    screen.wait_for("Ctrl-F history");
    leave(screen);
}

#[test]
fn an_instruction_has_as_many_lines_as_it_takes() {
    let home = Home::new();
    let mut screen = open(&home);
    form(&mut screen);
    screen.press("the harbour");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    screen.press("r");
    screen.wait_for("What should be different?");
    screen.press("softer");
    screen.press(SHIFT_ENTER);
    screen.press("and shorter");
    screen.wait_for("and shorter");
    screen.wait_for("softer");
    screen.press(ENTER);
    screen.wait_for("2  waiting for you");
    screen.wait_for("a accept");
    leave(screen);
    assert_eq!(home.show("last")["calls"][0]["attempts"][0]["instruction"], "softer\nand shorter");
}

#[test]
fn what_an_editor_saved_comes_back_however_it_ended() {
    let home = Home::new();
    let editor = program(&home, "editor", "printf '[\"f\\352te\"]' > \"$1\"\nexit 1");
    let mut screen = open_with(&home, &[("EDITOR", &editor)]);
    editing(&mut screen);
    screen.press(CTRL_G);
    screen.wait_for("fête");
    screen.wait_for("what it saved is");
    leave(screen);
}

#[test]
fn ctrl_c_in_an_editor_is_the_editors() {
    let home = Home::new();
    let script = "trap 'echo caught' INT\ntrap '' QUIT\nprintf '[\"saved\"]' > \"$1\"\necho in-the-editor\nread line\nread line\necho \"$line\" > typed";
    let editor = program(&home, "editor", script);
    let mut screen = open_with(&home, &[("EDITOR", &editor)]);
    editing(&mut screen);
    screen.press(CTRL_G);
    screen.wait_for("in-the-editor");
    screen.press(CTRL_C);
    screen.wait_for("caught");
    screen.press("\x1c");
    screen.press("one\n");
    screen.press("two\n");
    screen.wait_for("saved");
    screen.wait_for("editing JSON");
    // It is no first press of two.
    screen.press("x");
    screen.wait_for("x[\"saved\"]");
    leave(screen);
}

#[test]
fn an_editor_that_is_stopped_stops_stepwell_with_it_and_both_are_continued() {
    let home = Home::new();
    let script = "printf '[\"before\"]' > \"$1\"\necho in-the-editor\nkill -STOP $$\nprintf '[\"after\"]' > \"$1\"";
    let editor = program(&home, "editor", script);
    let mut screen = open_with(&home, &[("EDITOR", &editor)]);
    editing(&mut screen);
    screen.press(CTRL_G);
    screen.wait_for("in-the-editor");
    screen.wait_until_stopped();
    kill_process_group(screen.process(), Signal::CONT).unwrap();
    screen.wait_for("[\"after\"]");
    screen.press("x");
    screen.wait_for("x[\"after\"]");
    leave(screen);
}

/// Whether a shell that controls jobs is here.
fn bash() -> bool {
    std::path::Path::new("/bin/bash").exists()
}

#[test]
fn suspended_under_a_script_it_gives_the_terminal_back_to_the_shell() {
    if !bash() {
        return;
    }
    let home = Home::new();
    let wrapper = program(&home, "wrapper", &format!("{}\necho wrapper-ends", env!("CARGO_BIN_EXE_stepwell")));
    let mut command = CommandBuilder::new("/bin/bash");
    command.args(["--norc", "--noprofile", "-i"]);
    let mut screen = Screen::within(&home, command, SIZE, &[("PS1", "shell> ")]);
    screen.wait_for("shell>");
    screen.press(&format!("{wrapper}\n"));
    screen.wait_for("Write an email");
    screen.press("\x1a");
    screen.wait_for("Stopped");
    screen.press("echo the shell $((6 * 7))\n");
    screen.wait_for("the shell 42");
    screen.press("fg\n");
    screen.wait_for("Write an email");
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ESC);
    screen.press(CTRL_C);
    screen.wait_for("Ctrl-C again leaves");
    screen.press(CTRL_C);
    screen.wait_for("wrapper-ends");
    screen.press("exit\n");
    screen.exit();
}

#[test]
fn a_terminal_that_goes_away_without_a_signal_ends_the_program_and_what_was_typed_is_kept() {
    let home = Home::new();
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let home_path = home.path().to_str().unwrap().to_owned();
    let mut command = CommandBuilder::new("sh");
    let program = env!("CARGO_BIN_EXE_stepwell");
    // In a session of its own no signal tells it.
    command.args(["-c", &format!("exec 3<&0; setsid {program} <&3 & echo $! > process; wait")]);
    command.env_clear();
    for (name, value) in [
        ("PATH", "/usr/bin:/bin"),
        ("HOME", home_path.as_str()),
        ("STEPWELL_HOME", home_path.as_str()),
        ("TERM", "xterm-256color"),
        ("STEPWELL_DEMO_PACE", "instant"),
    ] {
        command.env(name, value);
    }
    command.cwd(home.path());
    let mut shell = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let (mut reader, mut keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
    let mut screen = vt100::Parser::new(NonZero::new(24).unwrap(), NonZero::new(80).unwrap(), 0);
    let mut wait_for = |text: &str| {
        let mut piece = [0; 4096];
        while !screen.screen().contents().contains(text) {
            let length = reader.read(&mut piece).unwrap();
            screen.process(&piece[..length]);
        }
    };
    wait_for("Write an email");
    keys.write_all(b"poem").unwrap();
    wait_for("Ask: poem");
    keys.write_all(b"\r").unwrap();
    wait_for("1 to fill in");
    keys.write_all(b"the lighthouse").unwrap();
    wait_for("the lighthouse");
    let process = until_some("its number", || {
        let number = std::fs::read_to_string(home.path().join("process")).ok()?;
        Pid::from_raw(number.trim().parse().ok()?)
    });
    drop((reader, keys, pair.master));
    until("its end", || test_kill_process(process).is_err());
    let _ = shell.wait();
    let mut screen = open(&home);
    form_again(&mut screen);
    screen.wait_for("the lighthouse");
    leave(screen);
}

fn form_again(screen: &mut Screen) {
    screen.press("poem");
    screen.wait_for("Ask: poem");
    screen.press(ENTER);
    screen.wait_for("what you had typed is here again");
}

#[test]
fn what_is_typed_into_a_form_is_there_again_however_the_program_ended() {
    for signal in [None, Some(Signal::TERM), Some(Signal::HUP), Some(Signal::QUIT), Some(Signal::INT)] {
        let home = Home::new();
        let mut screen = open(&home);
        form(&mut screen);
        screen.press("the lighthouse");
        screen.wait_for("the lighthouse");
        match signal {
            None => leave(screen),
            Some(signal) => {
                screen.signal(signal);
                assert_eq!(screen.exit(), 0, "{signal:?}");
                screen.is_restored();
            }
        }
        let mut screen = open(&home);
        form_again(&mut screen);
        screen.wait_for("the lighthouse");
        leave(screen);
    }
}

/// What is kept of drafts.
fn kept(home: &Home) -> String {
    let Ok(store) = rusqlite::Connection::open(home.path().join("stepwell.db")) else { return String::new() };
    let texts = |store: &rusqlite::Connection| -> rusqlite::Result<Vec<String>> {
        let mut select = store.prepare("SELECT name || ': ' || text FROM drafts")?;
        select.query_map([], |row| row.get(0))?.collect()
    };
    texts(&store).unwrap_or_default().join("\n")
}

/// Types, and has the program killed as soon as that is kept: nobody asks it to end in good order.
fn killed(mut screen: Screen, home: &Home, text: &str) {
    screen.press(text);
    until("the draft", || kept(home).contains(text));
    screen.signal(Signal::KILL);
    assert_ne!(screen.exit(), 0);
}

#[test]
fn a_killed_program_has_kept_what_was_typed() {
    let home = Home::new();
    let mut screen = open(&home);
    form(&mut screen);
    killed(screen, &home, "the lighthouse");
    // The form.
    let mut screen = open(&home);
    form_again(&mut screen);
    screen.wait_for("the lighthouse");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    assert!(!kept(&home).contains("lighthouse"), "started, the form is done with: {}", kept(&home));
    // A field of a tree.
    screen.press("e");
    screen.wait_for("editing");
    screen.press("\x1b[B");
    screen.press(ENTER);
    killed(screen, &home, "the ebb.");
    let mut screen = back(&home);
    screen.wait_for("your unsaved edit is here: e opens it");
    screen.press("e");
    screen.wait_for("not put in: ");
    screen.press(ENTER);
    screen.wait_for("the ebb.");
    screen.press(ENTER);
    screen.press("\x1b\r");
    screen.wait_for("write[0]");
    screen.wait_for("a accept");
    // An instruction.
    screen.press("r");
    screen.wait_for("What should be different?");
    killed(screen, &home, "make it rhyme");
    let mut screen = back(&home);
    screen.wait_for("your unsaved instruction is here: r opens it");
    screen.press("r");
    screen.wait_for("make it rhyme");
    screen.press(ENTER);
    screen.wait_for("rejected \"make it rhyme\"");
    screen.wait_for("2  waiting for you");
    screen.wait_for("a accept");
    // An edit.
    screen.press("e");
    screen.wait_for("editing");
    killed(screen, &home, "Gulls argue. ");
    let mut screen = back(&home);
    screen.wait_for("your unsaved edit is here: e opens it");
    screen.press("e");
    screen.wait_for("Gulls argue. ");
    screen.press(CTRL_S);
    screen.wait_for("a accept");
    leave(screen);
    assert_eq!(kept(&home), "", "all was given");
}

/// The program started again, at the run that waits.
fn back(home: &Home) -> Screen {
    let mut screen = open(home);
    screen.wait_for("1 waiting");
    screen.press(ENTER);
    screen.wait_for("Steps");
    screen
}
