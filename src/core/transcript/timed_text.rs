//! Captions in XML: `TTML` and its kind (`.ttml`, `.dfxp`, `.xml`), and what `YouTube` gives (`.srv1`, `.srv3`).
//!
//! Only what a caption is and says counts: paragraphs with their times, breaks, and the words in them. Files whose XML is
//! broken are read as far as they are captions.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::time::{Moment, moment};
use super::{SpokenLine, markup, trimmed};

/// The elements around captions, each with what a caption is called in it.
const ROOTS: [(&str, &str); 3] = [("tt", "p"), ("timedtext", "p"), ("transcript", "text")];
/// Frames of a second where a file counts in them and does not say how many.
const FRAMES: f64 = 30.0;

/// How a file counts time.
#[derive(Clone, Copy)]
struct Rates {
    /// Ticks of a second.
    ticks: f64,
    /// Frames of a second.
    frames: f64,
}

/// Reads captions; `None` for a text that is no XML of this kind.
pub fn read(text: &str) -> Option<Vec<SpokenLine>> {
    let text = text.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    let root = loop {
        match reader.read_event().ok()? {
            Event::Start(root) => break root,
            Event::Eof => return None,
            _ => {}
        }
    };
    let (_, name) = ROOTS.iter().find(|(name, _)| is_named(&root, name))?;
    let rate = |name| attribute(&root, name).and_then(|rate| rate.parse().ok());
    let rates = Rates { ticks: rate("tickRate").unwrap_or(1.0), frames: rate("frameRate").unwrap_or(FRAMES) };
    let mut spoken = Vec::new();
    let mut caption: Option<(SpokenLine, String)> = None;
    while let Ok(event) = reader.read_event() {
        let words = caption.as_mut().map(|(_, words)| words);
        match (event, words) {
            (Event::Start(element), None) if is_named(&element, name) => {
                caption = Some((times(&element, rates), String::new()));
            }
            (Event::Start(element), Some(words)) if is_named(&element, "br") => words.push('\n'),
            (Event::End(element), _) if element.local_name().as_ref() == *name => {
                spoken.extend(caption.take().into_iter().flat_map(|(times, words)| said(&words, &times)));
            }
            (Event::Text(text), Some(words)) => words.push_str(&on_one_line(&text)),
            (Event::CData(text), Some(words)) => words.push_str(&on_one_line(&text)),
            (Event::GeneralRef(name), Some(words)) => {
                words.push('&');
                words.push_str(&on_one_line(&name));
                words.push(';');
            }
            (Event::Eof, _) => break,
            _ => {}
        }
    }
    spoken.extend(caption.into_iter().flat_map(|(times, words)| said(&words, &times)));
    Some(spoken)
}

/// Whether an element is called so, whatever its prefix.
fn is_named(element: &BytesStart<'_>, name: &str) -> bool {
    element.local_name().as_ref() == name
}

/// The value of an attribute, whatever its prefix.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

/// When a caption is said.
fn times(caption: &BytesStart<'_>, rates: Rates) -> SpokenLine {
    let time = |names: [&str; 3]| {
        let [clock, seconds, millis] = names.map(|name| attribute(caption, name));
        clock
            .and_then(|time| clock_time(&time, rates))
            .or_else(|| seconds.and_then(|time| time.parse().ok()).and_then(Moment::of_seconds))
            .or_else(|| millis.and_then(|time| time.parse().ok()).map(Moment))
    };
    let start = time(["begin", "start", "t"]);
    let length = time(["dur", "dur", "d"]);
    let end = time(["end", "", ""]).or_else(|| Some(Moment(start?.0.saturating_add(length?.0))));
    SpokenLine { start, end, ..SpokenLine::default() }
}

/// A part of a caption. Line breaks of the file are blanks.
fn on_one_line(part: &str) -> String {
    part.replace(['\n', '\r'], " ")
}

/// What a caption says, line by line.
fn said(words: &str, times: &SpokenLine) -> Vec<SpokenLine> {
    // As XML here; what a caption marks within is read with it.
    let line = |line: &str| html_escape::decode_html_entities(line).into_owned();
    let lines: Vec<String> = words.split('\n').map(trimmed).filter(|line| !line.is_empty()).map(line).collect();
    markup::spoken(&lines, times)
}

/// `00:00:01.500`, `00:00:01:12` in frames, `1.5s`, `1500ms`, `15000000t` in ticks.
fn clock_time(text: &str, rates: Rates) -> Option<Moment> {
    let text = text.trim();
    if let Some((moment, rest)) = moment(text) {
        return rest.is_empty().then_some(moment);
    }
    if text.matches(':').count() == 3 {
        let (clock, frame) = text.rsplit_once(':')?;
        let (moment, _) = moment(clock)?;
        let more = Moment::of_seconds(frame.parse::<f64>().ok()? / rates.frames)?;
        return Some(Moment(moment.0.saturating_add(more.0)));
    }
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "h" => number * 3_600.0,
        "m" => number * 60.0,
        "s" => number,
        "ms" => number / 1_000.0,
        "f" => number / rates.frames,
        "t" => number / rates.ticks,
        _ => return None,
    };
    Moment::of_seconds(seconds)
}
