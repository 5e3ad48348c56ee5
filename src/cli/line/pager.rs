//! A text that a person has to read before a question: at once where it fits, else through their pager, whole in any
//! case. The question comes after it.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthStr as _;

use crate::cli::out;
use crate::core::text::visible;
use crate::tui::terminal::wait;

/// Lines that the question takes itself.
const QUESTION: usize = 4;

/// Shows a text that may hold words from outside.
pub async fn show(text: &str) {
    let text = visible(text, true);
    if !(out::can_ask() && is_long(&text) && page(&text).await) {
        out::say(&text);
    }
}

/// Whether a text leaves no space for a question beneath it.
fn is_long(text: &str) -> bool {
    let Ok(size) = rustix::termios::tcgetwinsize(io::stderr()) else { return false };
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    columns > 0 && rows > 0 && height(text, columns) + QUESTION > rows
}

/// How many lines a text takes on a terminal of so many columns.
fn height(text: &str, columns: usize) -> usize {
    text.lines().map(|line| line.width().div_ceil(columns).max(1)).sum()
}

/// Gives a text to the pager. False when it has to be printed all the same: there is no pager, or it did not end well.
async fn page(text: &str) -> bool {
    let dumb = std::env::var("TERM").map_or(true, |term| term.is_empty() || term == "dumb");
    let Some(argv) = program(std::env::var("PAGER").ok(), dumb) else { return false };
    let text = text.to_owned();
    // It may be stopped and continued, and then so is this process: nothing else waits on this thread.
    tokio::task::spawn_blocking(move || read_in(&argv, &text)).await.unwrap_or(false)
}

fn read_in(argv: &[String], text: &str) -> bool {
    // Where questions are asked, also when results go elsewhere.
    let Ok(terminal) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::from(terminal)).env("LESSSECURE", "1");
    if std::env::var_os("LESS").is_none() {
        // What was read stays on the screen above the question.
        command.env("LESS", "FX");
    }
    let Ok(mut pager) = command.spawn() else { return false };
    // Written on a thread of its own: a pager may be stopped before it has read all of it.
    std::thread::scope(|scope| {
        let stdin = pager.stdin.take();
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // Who has read enough closes it before its end.
                let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
            }
        });
        wait(&mut pager).is_ok_and(|status| status.success())
    })
}

/// The person's pager; `less` where they named none and the terminal can do more than print.
fn program(named: Option<String>, dumb: bool) -> Option<Vec<String>> {
    match named {
        Some(named) => shlex::split(&named).filter(|argv| !argv.is_empty()),
        None if dumb => None,
        None => Some(vec!["less".to_owned()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_the_one_that_the_person_named() {
        let named = |text: &str, dumb| program(Some(text.to_owned()), dumb);
        assert_eq!(named("more -d", false), Some(vec!["more".to_owned(), "-d".to_owned()]));
        assert_eq!(named("cat", true), Some(vec!["cat".to_owned()]));
        assert_eq!(named("", false), None);
        assert_eq!(program(None, false), Some(vec!["less".to_owned()]));
        assert_eq!(program(None, true), None);
    }

    #[test]
    fn a_line_that_goes_round_takes_as_many_lines_as_it_fills() {
        assert_eq!(height("a\n\nbb", 80), 3);
        assert_eq!(height(&"x".repeat(161), 80), 3);
        assert_eq!(height(&"海".repeat(41), 80), 2);
    }
}
