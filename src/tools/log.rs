//! What a server says besides its messages: the end of its stderr, and what it wrote to stdout that is no message. It is
//! kept to be shown when the server fails.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As much is kept, in bytes.
const MAX_KEPT: usize = 4_000;
/// So many lines that are no messages are kept.
const MAX_ODD: usize = 5;

/// The log of one instance of a server, over all its starts.
#[derive(Default)]
pub struct ServerLog(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    stderr: VecDeque<u8>,
    odd: Vec<String>,
    more_odd: usize,
}

impl ServerLog {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It begins again.
    pub fn clear(&self) {
        *self.kept() = Kept::default();
    }

    /// More of stderr.
    pub fn stderr(&self, bytes: &[u8]) {
        let stderr = &mut self.kept().stderr;
        stderr.extend(&bytes[bytes.len().saturating_sub(MAX_KEPT)..]);
        let over = stderr.len().saturating_sub(MAX_KEPT);
        stderr.drain(..over);
    }

    /// Something that is no message.
    pub fn odd(&self, text: &str) {
        let kept = &mut *self.kept();
        if kept.odd.len() < MAX_ODD {
            kept.odd.push(text.to_owned());
        } else {
            kept.more_odd += 1;
        }
    }

    /// All of it, for a person; empty where there is nothing.
    pub fn text(&self) -> String {
        let kept = self.kept();
        let bytes: Vec<u8> = kept.stderr.iter().copied().collect();
        // What was cut off may end in the middle of a character.
        let begins = bytes.iter().position(|byte| byte & 0xC0 != 0x80).unwrap_or_default();
        let mut text = String::from_utf8_lossy(&bytes[begins..]).trim().to_owned();
        if !kept.odd.is_empty() {
            let mut odd = String::from("on stdout, where only messages belong:");
            for line in &kept.odd {
                odd.push_str("\n  ");
                odd.push_str(line);
            }
            if kept.more_odd > 0 {
                // Writing to a String cannot fail.
                let _ = write!(odd, "\n  and {} more", kept.more_odd);
            }
            text = if text.is_empty() { odd } else { format!("{text}\n{odd}") };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_stderr_is_kept_and_what_is_no_message() {
        let log = ServerLog::default();
        assert_eq!(log.text(), "");
        for number in 0..2_000 {
            log.stderr(format!("line é {number}\n").as_bytes());
        }
        assert!(log.text().ends_with("line é 1999") && log.text().len() <= MAX_KEPT, "{}", log.text());
        (0..7).for_each(|number| log.odd(&format!("odd {number}")));
        assert!(log.text().ends_with("odd 4\n  and 2 more"), "{}", log.text());
        log.clear();
        assert_eq!(log.text(), "");
    }
}
