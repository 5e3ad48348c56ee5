//! Captions in XML: `TTML` and its kind (`.ttml`, `.dfxp`, `.xml`), and what `YouTube` gives (`.srv1`, `.srv3`).
//!
//! Only what a caption is and says counts: paragraphs with their times, breaks, and the words in them. Files whose XML is
//! broken are read as far as they are captions.

use super::time::{Moment, moment};
use super::{SpokenLine, markup, trimmed};

/// The elements around captions, each with what a caption is called in it.
const ROOTS: [(&str, &str); 3] = [("tt", "p"), ("timedtext", "p"), ("transcript", "text")];
/// Frames of a second where a file counts in them and does not say how many.
const FRAMES: f64 = 30.0;

/// Reads captions; `None` for a text that is no XML of this kind.
pub fn read(text: &str) -> Option<Vec<SpokenLine>> {
    let mut rest = text.trim_start();
    if !rest.starts_with('<') {
        return None;
    }
    let (root, after) = next_element(rest)?;
    rest = after;
    let (_, name) = ROOTS.iter().find(|(name, _)| *name == root.name)?;
    let rate = |name: &str| root.attribute(name).and_then(|rate| rate.parse().ok());
    let (ticks, frames) = (rate("tickRate").unwrap_or(1.0), rate("frameRate").unwrap_or(FRAMES));
    let mut spoken = Vec::new();
    while let Some((element, after)) = next_element(rest) {
        rest = after;
        if element.name != *name || element.is_empty {
            continue;
        }
        let close = closing(rest, name);
        let (inner, after) = rest.split_at(close);
        rest = after;
        let time = |names: [&str; 3]| {
            let [clock, seconds, millis] = names.map(|name| element.attribute(name));
            clock
                .and_then(|time| clock_time(time, ticks, frames))
                .or_else(|| seconds.and_then(|time| time.parse().ok()).and_then(Moment::of_seconds))
                .or_else(|| millis.and_then(|time| time.parse().ok()).map(Moment))
        };
        let start = time(["begin", "start", "t"]);
        let length = time(["dur", "dur", "d"]);
        let end = time(["end", "", ""]).or_else(|| Some(Moment(start?.0.saturating_add(length?.0))));
        let times = SpokenLine { start, end, ..SpokenLine::default() };
        spoken.extend(markup::spoken(&words(inner), &times));
    }
    Some(spoken)
}

/// A tag that begins an element.
struct Element<'t> {
    /// Without a prefix.
    name: &'t str,
    attributes: &'t str,
    is_empty: bool,
}

impl<'t> Element<'t> {
    /// The value of an attribute, whatever its prefix.
    fn attribute(&self, name: &str) -> Option<&'t str> {
        let mut rest = self.attributes;
        while let Some((found, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let (value, after) = after[1..].split_once(quote)?;
            if local(found.trim()) == name {
                return Some(value);
            }
            rest = after;
        }
        None
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The next element that begins, and what follows its tag.
fn next_element(text: &str) -> Option<(Element<'_>, &str)> {
    let mut rest = text;
    loop {
        rest = &rest[rest.find('<')? + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->")?.1;
        } else if !rest.starts_with(['/', '?', '!']) {
            let (tag, after) = rest.split_once('>')?;
            let is_empty = tag.ends_with('/');
            let tag = tag.trim_end_matches('/');
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            return Some((Element { name: local(name), attributes, is_empty }, after));
        }
    }
}

/// Where an element that has begun ends: at its end tag, or with the text.
fn closing(text: &str, name: &str) -> usize {
    let ends = |(at, _): &(usize, &str)| {
        let tag = text[at + 2..].split('>').next().unwrap_or_default();
        local(tag.trim()) == name
    };
    text.match_indices("</").find(ends).map_or(text.len(), |(at, _)| at)
}

/// The lines of a caption, without the elements in it. Line breaks of the file are blanks.
fn words(inner: &str) -> Vec<String> {
    let mut out = String::new();
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(&before.replace(['\n', '\r'], " "));
        let (tag, more) = after.split_once('>').unwrap_or((after, ""));
        if local(tag.split([' ', '/']).next().unwrap_or_default()) == "br" {
            out.push('\n');
        }
        rest = more;
    }
    out.push_str(&rest.replace(['\n', '\r'], " "));
    // As XML here; what a caption marks within is read with it.
    let line = |line: &str| html_escape::decode_html_entities(line).into_owned();
    out.split('\n').map(trimmed).filter(|line| !line.is_empty()).map(line).collect()
}

/// `00:00:01.500`, `00:00:01:12` in frames, `1.5s`, `1500ms`, `15000000t` in ticks.
fn clock_time(text: &str, ticks: f64, frames: f64) -> Option<Moment> {
    let text = text.trim();
    if let Some((moment, rest)) = moment(text) {
        return rest.is_empty().then_some(moment);
    }
    if text.matches(':').count() == 3 {
        let (clock, frame) = text.rsplit_once(':')?;
        let (moment, _) = moment(clock)?;
        let more = Moment::of_seconds(frame.parse::<f64>().ok()? / frames)?;
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
        "f" => number / frames,
        "t" => number / ticks,
        _ => return None,
    };
    Moment::of_seconds(seconds)
}
