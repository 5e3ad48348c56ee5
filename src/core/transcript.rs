//! What was said in a recording, read from whatever a transcript comes as.
//!
//! `WebVTT`, `SRT`, `SBV`, `SubStation`, `TTML`, what `whisper` prints and writes, the JSON of transcribers, songs with times,
//! and plain text with or without times and names: all become a list of [`SpokenLine`]s, in the order in which they were said. Times, numbers, settings, styles and
//! notes are no words; every word that was spoken is in the list once, also where captions roll and show a line again and
//! again. A text that is in no known form is read as plain lines. Pure, in one pass or two, and nothing is refused.

use serde_json::{Value, json};

mod cues;
mod markup;
mod plain;
mod rows;
mod segments;
#[cfg(test)]
mod tests;
mod time;
mod timed_text;

pub use self::time::Moment;

/// A longer line is divided, so that there is something to refer to in a text without line breaks. In characters.
const LONGEST_LINE: usize = 400;

/// What one speaker said in one go: a caption, a line, or a part of a long one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpokenLine {
    /// When it begins, as far as the transcript says so.
    pub start: Option<Moment>,
    /// When it ends.
    pub end: Option<Moment>,
    /// Who said it, if the transcript names somebody.
    pub speaker: Option<String>,
    /// The words, on one line.
    pub text: String,
}

/// Reads a transcript.
#[must_use]
pub fn read(text: &str) -> Vec<SpokenLine> {
    let text = text.trim_start_matches('\u{feff}');
    let known = [segments::read, rows::read, timed_text::read, cues::read].into_iter().find_map(|read| read(text));
    let lines = known.unwrap_or_else(|| plain::read(text));
    lines.into_iter().flat_map(|line| divided(&line)).collect()
}

/// As definitions see it: a list of `{line, start, end, speaker, text}`, where what is not known is an empty text.
#[must_use]
pub fn value(lines: &[SpokenLine]) -> Value {
    let moment = |moment: Option<Moment>| moment.map(|moment| moment.to_string()).unwrap_or_default();
    let lines = lines.iter().enumerate().map(|(at, line)| {
        json!({
            "line": at + 1,
            "start": moment(line.start),
            "end": moment(line.end),
            "speaker": line.speaker.as_deref().unwrap_or_default(),
            "text": line.text,
        })
    });
    lines.collect()
}

/// The lines of a text, whichever system it comes from.
fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r')).map(trimmed)
}

/// Without white space and marks of byte order around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// A long line in parts that end with a sentence if they can; each has the speaker and the time of the whole.
fn divided(line: &SpokenLine) -> Vec<SpokenLine> {
    let mut parts = Vec::new();
    let mut rest = line.text.as_str();
    while let Some(end) = part_end(rest) {
        let (part, more) = rest.split_at(end);
        parts.push(part.trim_end());
        rest = more.trim_start();
    }
    parts.push(rest);
    let part = |text: &str| SpokenLine { text: text.to_owned(), speaker: line.speaker.clone(), ..*line };
    parts.into_iter().map(part).collect()
}

/// Where the first part of a text ends that is too long for one line.
fn part_end(text: &str) -> Option<usize> {
    text.chars().nth(LONGEST_LINE)?;
    let mut last_space = None;
    for (count, (at, c)) in text.char_indices().enumerate() {
        if count >= LONGEST_LINE {
            return Some(last_space.unwrap_or(at));
        }
        let ends = count >= LONGEST_LINE / 2 && ends_sentence(&text[..at], c.is_whitespace());
        if ends {
            return Some(at);
        }
        last_space = if c.is_whitespace() { Some(at) } else { last_space };
    }
    None
}

/// Whether a sentence ends with this text; some scripts have no space after it.
fn ends_sentence(text: &str, space_follows: bool) -> bool {
    let text = text.trim_end_matches(['"', '\'', ')', '»', '”', '’']);
    text.ends_with(['。', '！', '？']) || (space_follows && text.ends_with(['.', '!', '?', '…', '؟', '।']))
}
