//! A text that may be large: its beginning is kept, and all of it is spooled when there is more. What a command writes
//! and what a tool returns end here.

use std::io::{BufWriter, Write as _};

use super::ports::SpooledText;

/// The most of a text that is kept in memory and in the journal, in bytes.
pub const MAX_KEPT: usize = 1 << 20;
/// The most of a text that is spooled, in bytes.
pub const MAX_SPOOLED: usize = 1 << 28;

/// Takes a text piece by piece.
pub struct CappedText {
    kept: String,
    spool: Spool,
}

/// What was taken.
#[derive(Debug, Default)]
pub struct Capped {
    /// The beginning of it, at most [`MAX_KEPT`] bytes.
    pub text: String,
    /// There was more.
    pub cut: bool,
    /// What the person should know: where the whole text is, or why it is not.
    pub note: Option<String>,
}

enum Spool {
    Unused(Box<dyn SpooledText>),
    Open { text: BufWriter<Box<dyn SpooledText>>, bytes: usize },
    Ended(String),
}

impl CappedText {
    /// Puts the whole of a large text into `spooled`. Nothing is written there before the text is large.
    #[must_use]
    pub fn new(spooled: Box<dyn SpooledText>) -> Self {
        Self { kept: String::new(), spool: Spool::Unused(spooled) }
    }

    /// Takes more. Gives how much of it, from its beginning, is kept.
    pub fn push(&mut self, text: &str) -> usize {
        let left = if matches!(self.spool, Spool::Unused(_)) { MAX_KEPT - self.kept.len() } else { 0 };
        let fits = text.floor_char_boundary(left);
        if fits < text.len() {
            self.spool.open(&self.kept);
            self.spool.write(text);
        }
        self.kept.push_str(&text[..fits]);
        fits
    }

    /// Whether nothing was taken so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The end.
    #[must_use]
    pub fn finish(self) -> Capped {
        match self.spool {
            Spool::Unused(_) => Capped { text: self.kept, cut: false, note: None },
            Spool::Open { mut text, bytes } => {
                let flushed = text.flush();
                let location = text.get_ref().location();
                let note = match flushed {
                    Ok(()) => format!("the output has {bytes} bytes; all of it is in {location}"),
                    Err(error) => format!("the output has more than is kept here, and {location} failed: {error}"),
                };
                Capped { text: self.kept, cut: true, note: Some(note) }
            }
            Spool::Ended(note) => Capped { text: self.kept, cut: true, note: Some(note) },
        }
    }
}

impl Spool {
    /// Begins the text with what was `kept` so far.
    fn open(&mut self, kept: &str) {
        let Self::Unused(_) = self else { return };
        let Self::Unused(mut spooled) = std::mem::replace(self, Self::Ended(String::new())) else { return };
        *self = match spooled.write_all(kept.as_bytes()) {
            Ok(()) => Self::Open { text: BufWriter::new(spooled), bytes: kept.len() },
            Err(error) => Self::Ended(format!(
                "only the beginning of the output is kept: {} could not be written: {error}",
                spooled.location()
            )),
        };
    }

    fn write(&mut self, text: &str) {
        let Self::Open { text: spooled, bytes } = self else { return };
        *bytes += text.len();
        let ended = match spooled.write_all(text.as_bytes()) {
            Err(error) => {
                Some(format!("the output is not kept in full: {} failed: {error}", spooled.get_ref().location()))
            }
            Ok(()) if *bytes > MAX_SPOOLED => Some(format!(
                "the output is too long to be kept; its first {bytes} bytes are in {}",
                spooled.get_ref().location()
            )),
            Ok(()) => None,
        };
        if let Some(note) = ended {
            *self = Self::Ended(note);
        }
    }
}
