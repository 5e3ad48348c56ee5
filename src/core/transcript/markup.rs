//! The words of a caption without its markup, and who says them.

use super::{SpokenLine, trimmed};
use crate::core::text::one_line;

/// Elements of captions; what else looks like a tag is words.
const ELEMENTS: [&str; 12] = ["v", "c", "i", "b", "u", "s", "ruby", "rt", "lang", "font", "span", "br"];
/// The longest tag, in bytes.
const LONGEST_TAG: usize = 300;
/// The longest name of a speaker, in characters.
const LONGEST_NAME: usize = 40;

/// One caption: its lines of text, as they are shown.
///
/// Each voice is a spoken line of its own, and so is each line of a dialogue with dashes.
pub fn spoken(lines: &[String], times: &SpokenLine) -> Vec<SpokenLine> {
    let is_dialogue = lines.len() > 1 && lines.iter().all(|line| dash(line).is_some());
    let mut spoken: Vec<SpokenLine> = Vec::new();
    let mut voice: Option<String> = None;
    for (at, line) in lines.iter().enumerate() {
        let line = if is_dialogue { dash(line).unwrap_or(line) } else { line };
        let mut begins = at == 0 || is_dialogue;
        for run in runs(line, &mut voice) {
            let (speaker, text) = match &run.voice {
                Some(voice) => (Some(voice.clone()), run.text.as_str()),
                None => named(&run.text),
            };
            let text = trimmed(text);
            let new_speaker = speaker.is_some() && spoken.last().is_some_and(|last| last.speaker != speaker);
            if text.is_empty() {
                // A name alone: the words are on the next line.
                voice = speaker.or(voice);
                continue;
            }
            match spoken.last_mut().filter(|_| !begins && !new_speaker && !run.changes) {
                Some(last) => {
                    last.text.push(' ');
                    last.text.push_str(text);
                }
                None => spoken.push(SpokenLine { speaker, text: text.to_owned(), ..times.clone() }),
            }
            begins = false;
        }
    }
    spoken
}

/// What follows the dash of a dialogue.
fn dash(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(['-', '–', '—']).or_else(|| line.strip_prefix(">>"))?;
    let rest = rest.trim_start_matches('>').trim_start();
    (!rest.is_empty()).then_some(rest)
}

/// A speaker before a colon, and the words: `Ana Pérez: We begin.`
pub fn named(text: &str) -> (Option<String>, &str) {
    let text = text.strip_prefix(">>").map_or(text, |rest| rest.trim_start_matches('>').trim_start());
    let Some((at, colon)) = text.char_indices().take(LONGEST_NAME + 2).find(|(_, c)| matches!(c, ':' | '：')) else {
        return (None, text);
    };
    let (name, words) = (text[..at].trim(), &text[at + colon.len_utf8()..]);
    let apart = colon == '：' || words.is_empty() || words.starts_with(char::is_whitespace);
    if apart && is_name(name) { (Some(bare(name)), words.trim_start()) } else { (None, text) }
}

/// Whether a text can be somebody's name: it begins with a capital, and is a few words of letters.
pub fn is_name(name: &str) -> bool {
    let capital = |c: char| c.is_alphabetic() && !c.is_lowercase();
    let inside = |c: char| {
        c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '\'' | '’' | '_' | '(' | ')' | '[' | ']' | '/' | '&')
    };
    let first = name.trim_start_matches(['[', '(']).chars().next();
    first.is_some_and(capital)
        && name.chars().count() <= LONGEST_NAME
        && name.split_whitespace().count() <= 4
        && name.chars().all(inside)
}

/// A name without brackets around it.
pub fn bare(name: &str) -> String {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let inner = inner.or_else(|| name.strip_prefix('(').and_then(|name| name.strip_suffix(')')));
    inner.unwrap_or(name).trim().to_owned()
}

/// A piece of a line that one voice says.
struct VoiceRun {
    voice: Option<String>,
    /// A tag has named the voice here.
    changes: bool,
    text: String,
}

/// The runs of a line. `voice` is who speaks where it begins, and becomes who speaks where it ends.
fn runs(line: &str, voice: &mut Option<String>) -> Vec<VoiceRun> {
    let mut runs = vec![VoiceRun { voice: voice.clone(), changes: false, text: String::new() }];
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        let (before, from) = rest.split_at(at);
        push(&mut runs, before);
        let Some((tag, after)) = tag(from) else {
            // A sign of its own.
            push(&mut runs, &from[..1]);
            rest = &from[1..];
            continue;
        };
        match tag {
            Tag::Voice(name) => {
                *voice = (!name.is_empty()).then_some(name);
                runs.push(VoiceRun { voice: voice.clone(), changes: true, text: String::new() });
            }
            Tag::VoiceEnd => {
                *voice = None;
                runs.push(VoiceRun { voice: None, changes: false, text: String::new() });
            }
            Tag::Break => push(&mut runs, " "),
            Tag::Other => {}
        }
        rest = after;
    }
    push(&mut runs, rest);
    for run in &mut runs {
        let decoded = html_escape::decode_html_entities(&run.text);
        run.text = one_line(&decoded);
    }
    runs
}

fn push(runs: &mut [VoiceRun], text: &str) {
    if let Some(run) = runs.last_mut() {
        run.text.push_str(text);
    }
}

enum Tag {
    Voice(String),
    VoiceEnd,
    Break,
    Other,
}

/// The tag that a text begins with, and what follows.
fn tag(text: &str) -> Option<(Tag, &str)> {
    let near = &text[..text.floor_char_boundary(LONGEST_TAG)];
    if near.starts_with("{\\") {
        return Some((Tag::Other, &text[near.find('}')? + 1..]));
    }
    let end = near.find('>').filter(|_| near.starts_with('<'))?;
    let (inner, after) = (&near[1..end], &text[end + 1..]);
    if super::time::moment(inner).is_some_and(|(_, rest)| rest.is_empty()) {
        return Some((Tag::Other, after));
    }
    let ends = inner.starts_with('/');
    let named = inner.trim_start_matches('/').trim_end_matches('/');
    let name_end = named.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(named.len());
    let (name, more) = named.split_at(name_end);
    let name = name.to_ascii_lowercase();
    // Classes follow a point, what an element says a space.
    if !ELEMENTS.contains(&name.as_str()) || !(more.is_empty() || more.starts_with(['.', ' ', '\t'])) {
        return None;
    }
    Some(match (name.as_str(), ends) {
        ("v", false) => {
            let said = more.split_once([' ', '\t']).map_or("", |(_, name)| name);
            let said = html_escape::decode_html_entities(said);
            (Tag::Voice(one_line(&said)), after)
        }
        ("v", true) => (Tag::VoiceEnd, after),
        ("br", _) => (Tag::Break, after),
        _ => (Tag::Other, after),
    })
}
