//! What is said to the terminal itself: the clipboard, a notification, the window's title. The text in it is made safe
//! here, so that none of it can end the sequence and begin another.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::core::text::Untrusted;

/// Terminals drop a longer text for the clipboard without a word.
const CLIPBOARD_LIMIT: usize = 74_994;

/// A text is longer than terminals take into the clipboard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes are more than a terminal takes into its clipboard (55 KB); write it to a file instead")]
pub struct TooLong(pub usize);

/// Asks the terminal to put `text` into the clipboard (OSC 52), which works over ssh too. Inside tmux it is asked past
/// tmux as well, which does not let it through unless it is set to. The text goes as base64, so it arrives as it is.
///
/// # Errors
/// When the text is longer than terminals take.
pub fn copy(text: &str, tmux: bool) -> Result<String, TooLong> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > CLIPBOARD_LIMIT {
        return Err(TooLong(text.len()));
    }
    let sequence = format!("\x1b]52;c;{encoded}\x07");
    Ok(if tmux { format!("{sequence}{}", past_tmux(&sequence)) } else { sequence })
}

/// A notification (OSC 9) and the bell, for when something waits and the terminal is not looked at.
#[must_use]
pub fn notify(text: &Untrusted, tmux: bool) -> String {
    let sequence = format!("\x1b]9;{}\x07", text.line());
    if tmux { format!("{}\x07", past_tmux(&sequence)) } else { format!("{sequence}\x07") }
}

/// Sets the title of the window.
#[must_use]
pub fn title(text: &Untrusted) -> String {
    format!("\x1b]2;{}\x07", text.line())
}

/// Keeps the window's title aside; [`TITLE_BACK`] brings it back.
pub const TITLE_ASIDE: &str = "\x1b[22;2t";

/// Brings back the title that the window had.
pub const TITLE_BACK: &str = "\x1b[23;2t";

fn past_tmux(sequence: &str) -> String {
    let mut wrapped = String::from("\x1bPtmux;");
    let _ = write!(wrapped, "{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"));
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_from_a_model_cannot_end_its_sequence() {
        let sequence = title(&Untrusted::from("poem\x07\x1b]52;c;ZXZpbA==\x07\n"));
        assert_eq!(sequence.matches('\x1b').count(), 1);
        assert_eq!(sequence.matches('\x07').count(), 1);
        assert!(sequence.ends_with('\x07'));
    }

    #[test]
    fn what_is_copied_arrives_as_it_is() {
        assert_eq!(copy("Grüße\x1b", false), Ok("\x1b]52;c;R3LDvMOfZRs=\x07".to_owned()));
        assert!(copy("x", true).unwrap().contains("\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"));
        assert_eq!(copy(&"x".repeat(60_000), false), Err(TooLong(60_000)));
    }
}
