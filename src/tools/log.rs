//! What a server says besides its messages: the end of its stderr, and what it wrote to stdout that is no message. It is
//! kept to be shown when the server fails.
//!
//! Values of secrets are taken out as it arrives and before anything is cut: of one that is cut in two neither half would
//! be recognised.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::ports::Secrets;
use crate::core::secret::RedactedStream;
use crate::core::text::Utf8;

/// The longest end of stderr that is kept, in bytes.
const MAX_KEPT: usize = 4_000;
/// At most this many lines that are no messages are kept, and of each its beginning, in bytes.
const MAX_ODD: (usize, usize) = (5, 200);

/// The log of one instance of a server; it begins again with each start.
pub struct ServerLog {
    secrets: Arc<dyn Secrets>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    decoder: Utf8,
    redacting: RedactedStream,
    stderr: String,
    odd: Vec<String>,
    more_odd: usize,
}

impl Kept {
    fn add(&mut self, text: &str) {
        self.stderr.push_str(text);
        // Seldom, so that a server that says much is not copied with every piece.
        if self.stderr.len() > 4 * MAX_KEPT {
            self.stderr.drain(..self.stderr.ceil_char_boundary(self.stderr.len() - MAX_KEPT));
        }
    }
}

impl ServerLog {
    pub fn new(secrets: Arc<dyn Secrets>) -> Self {
        Self { secrets, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn clear(&self) {
        *self.kept() = Kept::default();
    }

    pub fn stderr(&self, bytes: &[u8]) {
        let redactor = self.secrets.redactor();
        let kept = &mut *self.kept();
        kept.redacting.update(redactor);
        let text = kept.decoder.push(bytes);
        let shown = kept.redacting.push(&text);
        kept.add(&shown);
    }

    /// Nothing more comes of stderr.
    pub fn stderr_ended(&self) {
        let redactor = self.secrets.redactor();
        let kept = &mut *self.kept();
        kept.redacting.update(redactor);
        let mut shown = kept.redacting.push(kept.decoder.finish());
        shown.push_str(&kept.redacting.finish());
        kept.add(&shown);
    }

    /// Something on stdout that is no message.
    pub fn odd(&self, text: &str) {
        let shown = self.secrets.redactor().redact_to(text.trim(), MAX_ODD.1);
        let kept = &mut *self.kept();
        if kept.odd.len() < MAX_ODD.0 {
            kept.odd.push(shown);
        } else {
            kept.more_odd += 1;
        }
    }

    /// All of it, for a person; empty where there is nothing.
    pub fn text(&self) -> String {
        let kept = self.kept();
        let begins = kept.stderr.ceil_char_boundary(kept.stderr.len().saturating_sub(MAX_KEPT));
        let mut text = kept.stderr[begins..].trim().to_owned();
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
    use crate::core::failure::Failure;
    use crate::core::id::RunId;
    use crate::core::secret::{Redactor, Secret, SecretRef};

    /// Learns a value whenever it is asked for one.
    #[derive(Default)]
    struct Learns(Mutex<Redactor>);

    impl Secrets for Learns {
        fn resolve(&self, _: RunId, value: &str, _: &SecretRef) -> Result<Option<Secret>, Failure> {
            self.0.lock().unwrap().learn(&Secret::new(value));
            Ok(None)
        }

        fn provide(&self, _: RunId, _: &str, _: Secret) {}

        fn redactor(&self) -> Redactor {
            self.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn the_end_of_stderr_is_kept_and_what_is_no_message() {
        let log = ServerLog::new(Arc::new(Learns::default()));
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

    #[test]
    fn no_part_of_a_secret_is_left_where_the_log_is_cut() {
        let secrets = Arc::new(Learns::default());
        let log = ServerLog::new(Arc::clone(&secrets) as Arc<dyn Secrets>);
        // It is learned after the server was started: an argument of a call.
        let _ = secrets.resolve(RunId::new(0, [0; 10]), "hunter2-value", &SecretRef::Typed);
        for more in MAX_KEPT - 40..MAX_KEPT + 10 {
            log.clear();
            for piece in format!("key=hunter2-value{}", "x".repeat(more)).as_bytes().chunks(7) {
                log.stderr(piece);
            }
            log.stderr_ended();
            let text = log.text();
            assert!(!text.contains("value") && !text.contains("-valu") && text.ends_with('x'), "{more}: {text}");
        }
        for before in 180..200 {
            log.clear();
            log.odd(&format!("{}hunter2-value", "x".repeat(before)));
            assert!(!log.text().contains("hun"), "{before}: {}", log.text());
        }
    }
}
