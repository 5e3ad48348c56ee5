//! Plain transcripts: a line is what somebody said, with or without a time and a name before it.
//!
//! `[00:01:02] Ana: We begin.`, `0:01 - We begin`, a time or `Ana Pérez  0:03` on a line of its own, and text without any. What
//! looks like times is only taken for them where the whole text goes along: many lines begin with one, and none goes back.

use super::time::{Moment, moment, span};
use super::{SpokenLine, lines_of, markup};
use crate::core::text::one_line;

/// Of so many lines at least one begins with a time, in a text that has times.
const TIMED_OF: usize = 4;

/// What the file of a song says of it, by the names of these.
const ABOUT_SONGS: [&str; 10] = ["ti", "ar", "al", "au", "lr", "length", "by", "offset", "re", "ve"];

/// What a line says.
enum Line<'t> {
    /// When the next words are spoken, and by whom.
    Mark(SpokenLine),
    Words(SpokenLine, &'t str),
}

/// Reads the lines of a text.
pub fn read(text: &str) -> Vec<SpokenLine> {
    let has_times = has_times(text);
    let mut spoken: Vec<SpokenLine> = Vec::new();
    let mut mark = SpokenLine::default();
    for line in lines_of(text).filter(|line| !line.is_empty()) {
        match read_line(line, has_times) {
            Line::Mark(new) => mark = new,
            Line::Words(own, words) => {
                let (speaker, words) = match own.speaker {
                    Some(speaker) => (Some(speaker), words),
                    None => markup::named(words),
                };
                let (start, end) = if own.start.is_some() { (own.start, own.end) } else { (mark.start, mark.end) };
                let speaker = speaker.or_else(|| mark.speaker.clone());
                if words.is_empty() {
                    mark = SpokenLine { start, end, speaker, text: String::new() };
                    continue;
                }
                let words = one_line(words);
                // A time counts for the line that it stands before; a name for all up to the next.
                (mark.start, mark.end) = (None, None);
                if own.start.is_some() {
                    mark.speaker = None;
                }
                spoken.push(SpokenLine { start, end, speaker, text: words });
            }
        }
    }
    spoken
}

fn read_line(line: &str, has_times: bool) -> Line<'_> {
    let words = |text| Line::Words(SpokenLine::default(), text);
    if !has_times {
        return words(line);
    }
    if is_about_song(line) {
        return Line::Mark(SpokenLine::default());
    }
    if let Some((start, end, rest)) = leading(line) {
        let own = SpokenLine { start: Some(start), end, ..SpokenLine::default() };
        // `00:03 Ana Pérez`, with the words beneath, cannot be told from words.
        return if rest.is_empty() { Line::Mark(own) } else { Line::Words(own, rest) };
    }
    match trailing(line) {
        Some((name, start)) => {
            Line::Mark(SpokenLine { start: Some(start), speaker: Some(name), ..SpokenLine::default() })
        }
        None => words(line),
    }
}

/// `[ti:Harbour]`: what the file of a song says of the song.
fn is_about_song(line: &str) -> bool {
    let inner = line.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    inner.and_then(|inner| inner.split_once(':')).is_some_and(|(name, _)| ABOUT_SONGS.contains(&name))
}

/// Whether times are what lines begin with here.
fn has_times(text: &str) -> bool {
    let (mut lines, mut timed) = (0, 0);
    let mut last = Moment::default();
    for line in lines_of(text).filter(|line| !line.is_empty()) {
        lines += 1;
        let time = leading(line).map(|(start, ..)| start).or_else(|| trailing(line).map(|(_, start)| start));
        if let Some(time) = time {
            if time < last {
                return false;
            }
            last = time;
            timed += 1;
        }
    }
    timed > 0 && timed * TIMED_OF >= lines
}

/// The time that a line begins with, and its words.
fn leading(line: &str) -> Option<(Moment, Option<Moment>, &str)> {
    let (inner, close) = match line.chars().next()? {
        '[' => (&line[1..], Some(']')),
        '(' => (&line[1..], Some(')')),
        '<' => (&line[1..], Some('>')),
        _ => (line, None),
    };
    let inner = inner.trim_start();
    let (start, end, rest) = match span(inner, &["-->", "->", "-", "–", "—", "to "]) {
        Some((start, end, rest)) => (start, Some(end), rest),
        None => moment(inner).map(|(start, rest)| (start, None, rest))?,
    };
    let rest = match close {
        Some(close) => rest.trim_start().strip_prefix(close)?,
        None => rest,
    };
    let rest = rest.trim_start();
    let words = rest.trim_start_matches(['-', '–', '—', '|', '\t']).trim_start();
    Some((start, end, words.strip_prefix(": ").unwrap_or(words)))
}

/// A name with a time behind it, and nothing else: `Ana Pérez  0:03`, `Ana (00:03):`, `[Ana 0:03]`.
fn trailing(line: &str) -> Option<(String, Moment)> {
    let line = line.trim_end_matches(':').trim_end();
    let line = line.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(line);
    let begin = line.rfind(|c: char| c.is_whitespace() || matches!(c, '(' | '['))?;
    let open = line[begin..].chars().next()?;
    let (name, time) = (&line[..begin], &line[begin + open.len_utf8()..]);
    let time = time.strip_suffix([')', ']']).unwrap_or(time);
    let (moment, rest) = moment(time)?;
    let name = name.trim_end().trim_end_matches([':', ',', '|', '-', '–', '—']).trim_end();
    (rest.is_empty() && markup::is_name(name)).then(|| (markup::bare(name), moment))
}
