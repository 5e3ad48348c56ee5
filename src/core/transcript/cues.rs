//! Captions with times: `WebVTT`, `SRT`, `SBV`, and what `whisper` prints.
//!
//! A cue is a line with two moments and what follows it. Files break every rule: blank lines are missing or inside a caption,
//! numbers too; so what is not known to be something else is words. Captions that roll (as `YouTube` makes them) show each line
//! twice or three times: of a cue, the lines that were already on screen when it began are left out.

use super::time::{Moment, span};
use super::{SpokenLine, lines_of, markup, trimmed};

/// Blocks of `WebVTT` that are no cues.
const BLOCKS: [&str; 3] = ["NOTE", "STYLE", "REGION"];
/// What a cue may say of its place on screen, behind its times.
const SETTINGS: [&str; 10] = ["align", "line", "position", "size", "vertical", "region", "x1", "x2", "y1", "y2"];
/// A cue that begins so soon after the end of the one before, in milliseconds, continues what is on screen.
const CONTINUES: u64 = 100;
/// Nothing is said in so short a time, in milliseconds: such a cue only changes what is on screen.
const MOMENTARY: u64 = 50;
/// Captions that roll show no more lines at once.
const MOST_ON_SCREEN: usize = 8;

/// A caption as the file has it.
#[derive(Clone, Debug, Default)]
struct Cue {
    start: Moment,
    end: Moment,
    /// Its lines with their markup, none of them blank.
    lines: Vec<String>,
}

/// Reads captions; `None` for a text that has none.
pub fn read(text: &str) -> Option<Vec<SpokenLine>> {
    let cues = cues(text)?;
    let rolls = rolls(&cues);
    let mut spoken = Vec::new();
    let mut on_screen: Option<&Cue> = None;
    for cue in &cues {
        let known = match on_screen {
            Some(before) if follows(before, cue) && (rolls || cue.end.0 <= cue.start.0 + MOMENTARY) => {
                shared(before, cue)
            }
            // A file that was joined of two has some cues twice.
            Some(before) if before.start == cue.start && before.end == cue.end && before.lines == cue.lines => {
                cue.lines.len()
            }
            _ => 0,
        };
        let times = SpokenLine { start: Some(cue.start), end: Some(cue.end), ..SpokenLine::default() };
        spoken.extend(markup::spoken(&cue.lines[known..], &times));
        on_screen = Some(cue);
    }
    Some(spoken)
}

/// A line that says when the next words are spoken, and words behind it.
fn timing(line: &str) -> Option<(Moment, Moment, &str)> {
    // `[00:00:01.000 --> 00:00:04.000]   Welcome.`
    if let Some(inner) = line.strip_prefix('[') {
        let (start, end, rest) = span(inner.trim_start(), &["-->"])?;
        return Some((start, end, trimmed(rest.trim_start().strip_prefix(']')?)));
    }
    if let Some((start, end, rest)) = span(line, &["-->", "->"]) {
        let rest = trimmed(rest);
        let is_settings = rest.split_whitespace().all(|word| {
            let name = word.split_once(':').map(|(name, _)| name.to_ascii_lowercase());
            name.is_some_and(|name| SETTINGS.contains(&name.as_str()))
        });
        return Some((start, end, if is_settings { "" } else { rest }));
    }
    // `0:00:01.000,0:00:04.000`
    let (start, end, rest) = span(line, &[","])?;
    rest.is_empty().then_some((start, end, ""))
}

fn cues(text: &str) -> Option<Vec<Cue>> {
    let lines: Vec<&str> = lines_of(text).collect();
    let first = lines.iter().find(|line| !line.is_empty())?;
    let is_vtt = first.strip_prefix("WEBVTT").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
    if !is_vtt && !lines.iter().any(|line| timing(line).is_some()) {
        return None;
    }
    let mut cues: Vec<Cue> = Vec::new();
    let mut at = 0;
    if is_vtt {
        at = lines.iter().position(|line| !line.is_empty()).unwrap_or_default();
        // What the header says ends with a blank line, or where a file without one has its first cue.
        while at < lines.len() && !lines[at].is_empty() && timing(lines[at]).is_none() && !names_cue(&lines, at, true) {
            at += 1;
        }
    }
    while at < lines.len() {
        let line = lines[at];
        let after_blank = at == 0 || lines[at - 1].is_empty();
        if let Some((start, end, words)) = timing(line) {
            cues.push(Cue { start, end, lines: Vec::new() });
            add(&mut cues, words);
        } else if is_vtt && after_blank && BLOCKS.iter().any(|name| begins(line, name)) {
            while at + 1 < lines.len() && !lines[at + 1].is_empty() && timing(lines[at + 1]).is_none() {
                at += 1;
            }
        } else if !names_cue(&lines, at, is_vtt) {
            add(&mut cues, line);
        }
        at += 1;
    }
    Some(cues)
}

/// Adds a line of words to the last cue.
fn add(cues: &mut Vec<Cue>, line: &str) {
    if line.is_empty() {
        return;
    }
    if cues.is_empty() {
        cues.push(Cue::default());
    }
    if let Some(cue) = cues.last_mut() {
        cue.lines.push(line.to_owned());
    }
}

fn begins(line: &str, word: &str) -> bool {
    line.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// Whether a line is the number or name of the cue that follows it.
fn names_cue(lines: &[&str], at: usize, is_vtt: bool) -> bool {
    let line = lines[at];
    if line.is_empty() || lines.get(at + 1).is_none_or(|next| timing(next).is_none()) {
        return false;
    }
    let after_blank = at == 0 || lines[at - 1].is_empty();
    line.bytes().all(|byte| byte.is_ascii_digit()) || (is_vtt && after_blank)
}

/// Whether what one cue shows can still be on screen when the other begins.
fn follows(before: &Cue, cue: &Cue) -> bool {
    cue.start >= before.start && cue.start.0 <= before.end.0 + CONTINUES
}

/// How many of a cue's first lines are the last ones of the cue before.
fn shared(before: &Cue, cue: &Cue) -> usize {
    let most = before.lines.len().min(cue.lines.len()).min(MOST_ON_SCREEN);
    let plain = |line: &String| markup::spoken(std::slice::from_ref(line), &SpokenLine::default());
    let shown: Vec<_> = before.lines[before.lines.len() - most..].iter().map(plain).collect();
    let shows: Vec<_> = cue.lines[..most].iter().map(plain).collect();
    (1..=most).rev().find(|length| shown[shown.len() - length..] == shows[..*length]).unwrap_or(0)
}

/// Whether the captions roll: where a cue of several lines follows another at once, it mostly begins with lines of that one.
fn rolls(cues: &[Cue]) -> bool {
    let (mut rolling, mut others) = (0, 0);
    for pair in cues.windows(2) {
        let [before, cue] = pair else { continue };
        if cue.lines.len() > 1 && !before.lines.is_empty() && follows(before, cue) {
            let known = shared(before, cue);
            if (1..cue.lines.len()).contains(&known) {
                rolling += 1;
            } else {
                others += 1;
            }
        }
    }
    rolling > others
}
