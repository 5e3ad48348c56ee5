//! What the terminal interface costs: the real program in a pseudo-terminal of 120×40, from the key that is pressed to
//! the last byte of the frame that it changed.
//!
//! A plain program that prints a table: `cargo bench --bench interface [PART]`. The terminal's other end is read by a
//! thread that stamps what comes; to understand it takes no part in what is measured, but its share of the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may fail loudly, and prints"
)]

#[path = "../filled/mod.rs"]
mod filled;
mod home;
mod program;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use home::{Home, TOKENS};
use program::Program;

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
const PAGE_DOWN: &str = "\x1b[6~";
const BACKSPACE: &str = "\x7f";
const CTRL_F: &str = "\x06";

/// After so long without a byte the screen is at rest.
const REST: Duration = Duration::from_millis(25);

/// For so long an idle program is watched.
const IDLE: Duration = Duration::from_secs(10);

type Measurement = (&'static str, fn());

const PARTS: &[Measurement] = &[
    ("start", start),
    ("idle", idle),
    ("keys", keys),
    ("stream", stream),
    ("pace", pace),
    ("scroll", scroll),
    ("search", search),
    ("hour", hour),
];

fn main() {
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    println!("{:<64} {:>22} {:>10}", "", "measured", "at most");
    for (name, measure) in PARTS {
        if name.contains(&part) {
            measure();
        }
    }
}

fn say(what: &str, measured: &str, aim: &str) {
    println!("{what:<64} {measured:>22} {aim:>10}");
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1000.0)
}

/// Says the middle and the worst of some times.
fn say_times(what: &str, mut times: Vec<Duration>, aim: &str) {
    times.sort();
    let (best, middle, worst) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    say(what, &format!("{} / {} / {}", ms(best), ms(middle), ms(worst)), aim);
}

/// A store of so many runs in a new home.
fn filled_home(runs: u64) -> Home {
    let home = Home::new();
    if runs > 0 {
        drop(filled::fill(&home.path().join("stepwell.db"), runs));
    }
    home
}

/// Starts the program and waits until Home lists what there is.
fn open(home: &Home) -> Program {
    let mut program = Program::start(home.path());
    program.until("a full Home", is_full);
    program.settle(REST * 4);
    program
}

fn start() {
    for (runs, aim) in [(0, "12 ms"), (10_000, "20 ms")] {
        let home = filled_home(runs);
        drop(open(&home));
        let mut first = Vec::new();
        let mut full = Vec::new();
        let mut memory = Vec::new();
        for _ in 0..21 {
            let mut program = Program::start(home.path());
            first.push(program.until("a frame", |shown| !shown.trim().is_empty()) - program.begun);
            let at = if program.shown().contains("Write a poem") {
                program.begun + first[first.len() - 1]
            } else {
                program.until("the tasks", |shown| {
                    shown.contains("Write a poem") && (runs == 0 || shown.contains("waiting"))
                })
            };
            full.push(at - program.begun);
            program.settle(Duration::from_millis(300));
            memory.push((program.memory(), program.own_memory(), program.threads()));
        }
        say_times(&format!("start to first frame, {runs} runs"), first, "");
        say_times(&format!("start to first full frame, {runs} runs"), full, aim);
        let ((rss, peak), own, threads) = memory[memory.len() - 1];
        say(
            "  memory then, the peak, of it not of files; threads",
            &format!("{rss} {peak} {own} kB {threads}"),
            "20 MB",
        );
    }
}

fn idle() {
    let home = filled_home(10_000);
    let mut program = open(&home);
    watch_idle("idle on Home, 10,000 runs", &mut program);
    program.press(CTRL_F);
    program.wait_for("type to search all");
    watch_idle("idle in the history", &mut program);
    let home = Home::new();
    let mut program = open(&home);
    start_task(&mut program, "thirty", "a accept");
    watch_idle("idle on a run that waits", &mut program);
    ask(&home, &mut program);
    watch_idle("idle in a chat", &mut program);
}

fn watch_idle(what: &str, program: &mut Program) {
    // Threads that had something to do end after ten seconds without.
    program.settle_for(Duration::from_secs(11));
    let (wakes, cpu, bytes, shown) = (program.wake_ups(), program.cpu(), program.bytes_written(), program.written);
    program.settle_for(IDLE);
    let seconds = IDLE.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a few wake-ups")]
    let wakes = program.wake_ups().saturating_sub(wakes) as f64 / seconds;
    let cpu = program.cpu().saturating_sub(cpu).as_secs_f64() / seconds * 100.0;
    say(&format!("{what}: wake-ups a second"), &format!("{wakes:.1}"), "1");
    say(
        "  CPU, bytes written to the terminal and in all",
        &format!("{cpu:.2} % {} {}", program.written - shown, program.bytes_written() - bytes),
        "0.0 % 0 0",
    );
}

/// Whether Home lists what there is: all tasks are below the open runs, where they fit.
fn is_full(shown: &str) -> bool {
    shown.contains("Write a poem") || shown.matches("waiting").count() > 20
}

/// Finds a task on Home, starts it and waits until this is on the screen.
fn start_task(program: &mut Program, task: &str, until: &str) {
    program.press(task);
    program.wait_for(&format!("Ask: {task}"));
    program.settle(REST);
    program.press(ENTER);
    program.wait_for(until);
    program.settle(REST * 8);
}

/// From wherever it is back to Home with an empty search, then a plain chat that is answered.
fn ask(home: &Home, program: &mut Program) {
    let last = home.next_last_word();
    home_again(program);
    program.press("why is the sky blue");
    program.wait_for("Ask: why is the sky blue");
    program.settle(REST);
    program.press(ENTER);
    program.wait_for(&last);
    program.settle(REST * 8);
}

fn home_again(program: &mut Program) {
    while !program.shown().contains("Ctrl-F history") {
        program.press(ESC);
        program.settle(REST * 4);
    }
    for _ in 0..40 {
        program.press(BACKSPACE);
    }
    program.settle(REST * 4);
}

/// Presses each of these keys in turn, at rest, so often, and says how long the screen took to change.
fn press_all(what: &str, program: &mut Program, keys: &[&str], times: usize) {
    let mut took = Vec::new();
    for _ in 0..times {
        for key in keys {
            program.settle(REST);
            took.push(program.answer(key));
        }
    }
    program.settle(REST);
    say_times(what, took, "1.5 / 8 ms");
}

fn keys() {
    let home = filled_home(10_000);
    let mut program = open(&home);
    press_all("key on Home: arrows", &mut program, &[DOWN, DOWN, DOWN, UP, UP, UP], 20);
    press_all(
        "key on Home: letters",
        &mut program,
        &["p", "o", "e", "m", BACKSPACE, BACKSPACE, BACKSPACE, BACKSPACE],
        12,
    );
    program.press(CTRL_F);
    program.wait_for("type to search all");
    program.settle(REST * 4);
    press_all("key in the history: arrows", &mut program, &[DOWN, DOWN, DOWN, UP, UP, UP], 20);
    press_all("key in the history: letters", &mut program, &["s", "e", "a", BACKSPACE, BACKSPACE, BACKSPACE], 20);
    let home = Home::new();
    let mut program = open(&home);
    start_task(&mut program, "poem", "1 to fill in");
    press_all("key in a form: letters", &mut program, &["t", "h", "e", "s", "e", "a"], 12);
    program.press(ESC);
    home_again(&mut program);
    start_task(&mut program, "thirty", "a accept");
    press_all("key on a run: arrows", &mut program, &[DOWN, DOWN, DOWN, UP, UP, UP], 20);
    press_all("key on a run: zoom, help", &mut program, &["z", "z", "?", ESC], 20);
    press_all("accept on a run of thirty", &mut program, &["a"], 20);
    ask(&home, &mut program);
    press_all("key in a chat: letters", &mut program, &["t", "h", "e", "s", "e", "a"], 12);
}

fn stream() {
    let home = Home::new();
    let mut program = open(&home);
    ask(&home, &mut program);
    let (mut shown, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let (before, pressed, last) = send(&home, &mut program);
        shown.push(program.until(&last, |shown| shown.contains(&last)) - pressed);
        program.settle(REST * 4);
        cpu.push(program.cpu().saturating_sub(before));
    }
    say_times(&format!("{TOKENS} tokens in a chat, shown to the end"), shown, "300 ms");
    say_times("  CPU", cpu, "250 ms");
    let mut answers = Vec::new();
    for _ in 0..40 {
        let (_, _, last) = send(&home, &mut program);
        // A short one may be over before it is looked.
        program.until("the answer's beginning", |shown| shown.contains("answering") || shown.contains(&last));
        let mut typed = false;
        while !program.shown().contains(&last) {
            typed = !typed;
            let pressed = program.press(if typed { "x" } else { BACKSPACE });
            answers.push(program.until("what is typed", |shown| shown.contains("│ x") == typed) - pressed);
        }
        if typed {
            program.press(BACKSPACE);
        }
    }
    say_times(&format!("  key to screen meanwhile ({} keys)", answers.len()), answers, "4 ms");
    let (mut shown, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        home_again(&mut program);
        program.press("told");
        program.wait_for("Ask: told");
        program.settle(Duration::from_millis(300));
        let (before, last) = (program.cpu(), home.next_last_word());
        let pressed = program.press(ENTER);
        let end = program.until(&last, |shown| shown.contains("a accept") && shown.contains(&last));
        shown.push(end - pressed);
        program.settle(REST * 4);
        cpu.push(program.cpu().saturating_sub(before));
    }
    say_times(&format!("{TOKENS} tokens in a run, shown to the end"), shown, "300 ms");
    say_times("  CPU", cpu, "250 ms");
}

/// As a model writes that is asked from afar: a hundred tokens a second, for twelve seconds.
fn pace() {
    const TOKENS: usize = 1_200;
    for (what, task) in [("chat", "why is the sky blue"), ("run", "told")] {
        let home = Home::paced(TOKENS, Duration::from_millis(10));
        let mut program = open(&home);
        let last = home.next_last_word();
        program.press(task);
        program.wait_for(&format!("Ask: {task}"));
        program.settle(REST * 8);
        let (cpu, frames, wakes, bytes) = (program.cpu(), program.frames, program.wake_ups(), program.written);
        program.press(ENTER);
        program.until(&last, |shown| shown.contains(&last));
        program.settle(REST * 4);
        let spent = program.cpu().saturating_sub(cpu);
        say(&format!("{TOKENS} tokens at 100 a second in a {what}: CPU"), &format!("{} ms", ms(spent)), "300 ms");
        let (frames, wakes) = (program.frames - frames, program.wake_ups().saturating_sub(wakes));
        say("  frames, wake-ups, bytes written", &format!("{frames} {wakes} {}", program.written - bytes), "");
    }
}

/// Sends a message in a chat; gives the CPU time until then, when it was sent, and the last word of its answer.
fn send(home: &Home, program: &mut Program) -> (Duration, Instant, String) {
    program.settle(Duration::from_millis(200));
    program.press("again");
    program.settle(REST);
    let last = home.next_last_word();
    (program.cpu(), program.press(ENTER), last)
}

fn scroll() {
    let home = Home::new();
    let mut program = open(&home);
    for task in ["small", "big"] {
        start_task(&mut program, task, "done ✓");
        program.press("\t");
        program.settle(REST * 4);
        press_all(
            &format!("scroll the output of `{task}` by lines"),
            &mut program,
            &["j", "j", "j", "k", "k", "k"],
            10,
        );
        if task == "big" {
            press_all("  and by pages", &mut program, &[PAGE_DOWN], 30);
            press_all("  and from end to end", &mut program, &["\x1b[F", "\x1b[H"], 10);
        }
        program.press("e");
        program.wait_for("editing");
        program.settle(REST * 8);
        press_all(&format!("a letter typed into it, `{task}`"), &mut program, &["t", "h", "e", "s", "e", "a"], 5);
        program.press("\x1b>");
        program.settle(REST * 8);
        press_all("  and letters at its end", &mut program, &["t", "h", "e", "s", "e", "a"], 5);
        program.press(ESC);
        home_again(&mut program);
    }
}

fn search() {
    let home = filled_home(100_000);
    let mut program = open(&home);
    program.press(CTRL_F);
    program.wait_for("type to search all");
    program.settle(REST * 8);
    press_all(
        "a letter in the search of 100,000 runs",
        &mut program,
        &[
            "o", "w", "n", "7", "7", "7", "7", "7", BACKSPACE, BACKSPACE, BACKSPACE, BACKSPACE, BACKSPACE, BACKSPACE,
            BACKSPACE, BACKSPACE,
        ],
        3,
    );
    // Typed as fast as a person can: each letter is seen at once, and what was found last is what was asked last.
    let mut letters = Vec::new();
    let mut found = Vec::new();
    for word in ["own77777", "station", "sea evening", "translation"] {
        program.settle(REST * 8);
        let mut last = Instant::now();
        for (at, letter) in word.char_indices() {
            let typed = &word[..=at];
            last = program.press(&letter.to_string());
            letters
                .push(program.until(typed, |shown| shown.lines().any(|line| line.contains(typed.trim_end()))) - last);
            program.settle_for(Duration::from_millis(30));
        }
        let _ = last;
        found.push(program.until_rest(Duration::from_millis(150)).saturating_duration_since(last));
        for _ in word.chars() {
            program.press(BACKSPACE);
            program.settle_for(Duration::from_millis(5));
        }
    }
    say_times("a letter typed every 30 ms, until it is on the screen", letters, "1.5 / 8 ms");
    say_times("  the last letter, until what it finds is", found, "");
}

fn hour() {
    for (task, with) in [("small", "no large output"), ("big", "an output of 1 MB each round")] {
        let home = filled_home(10_000);
        let mut program = open(&home);
        for _ in 0..12 {
            use_it(&home, &mut program, task);
        }
        program.settle_for(Duration::from_secs(11));
        let ((rss, peak), own) = (program.memory(), program.own_memory());
        say(&format!("an hour's use, {with}: memory"), &format!("{rss} kB"), "20 MB");
        say("  the peak, and how much of it no file backs", &format!("{peak} {own} kB"), "");
    }
}

/// Thirty reviews, a chat, a search, an output, a form that is left.
fn use_it(home: &Home, program: &mut Program, task: &str) {
    start_task(program, "thirty", "a accept");
    for _ in 0..30 {
        program.answer("a");
        program.settle(Duration::from_millis(5));
    }
    ask(home, program);
    home_again(program);
    program.press(CTRL_F);
    program.wait_for("type to search all");
    for letter in ["s", "e", "a", "o", "w", "n", "1"] {
        program.press(letter);
        program.settle(Duration::from_millis(15));
    }
    program.press(ESC);
    home_again(program);
    start_task(program, task, "done ✓");
    home_again(program);
    start_task(program, "poem", "1 to fill in");
    program.press("the sea and the tide");
    program.press(ESC);
    home_again(program);
}
