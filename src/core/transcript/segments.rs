//! What transcribers write as JSON: a list of segments, each with its words and times.
//!
//! `whisper` and its kind (`segments`, `transcription`, `chunks`), services (`utterances`, `results`) and captions (`events`).

use serde_json::Value;

use super::time::{self, Moment};
use super::{SpokenLine, markup, trimmed};
use crate::core::json;

/// Where the list may be.
const LISTS: [&str; 9] = [
    "segments",
    "transcription",
    "utterances",
    "chunks",
    "events",
    "results",
    "transcript",
    "transcripts",
    "monologues",
];
/// Lists inside of lists.
const DEEPEST: usize = 5;

/// Reads JSON; `None` for what is none, or has no words of anybody.
pub fn read(text: &str) -> Option<Vec<SpokenLine>> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let value = match json::parse(text) {
        Ok(value) => value,
        // One object a line.
        Err(_) => Value::Array(text.lines().filter(|line| !line.trim().is_empty()).map(parsed).collect::<Option<_>>()?),
    };
    let mut spoken = Vec::new();
    collect(&value, 0, &mut spoken);
    (!spoken.is_empty()).then_some(spoken)
}

fn parsed(line: &str) -> Option<Value> {
    json::parse(line).ok().filter(Value::is_object)
}

fn collect(value: &Value, depth: usize, into: &mut Vec<SpokenLine>) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, depth + 1, into)),
        Value::Object(fields) => {
            // The text as a whole repeats what the list has.
            if let Some(list) = LISTS.iter().filter_map(|name| fields.get(*name)).find(|list| has_items(list)) {
                collect(list, depth + 1, into);
            } else {
                into.extend(segment(value));
            }
        }
        _ => {}
    }
}

fn has_items(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
        _ => false,
    }
}

fn segment(value: &Value) -> Vec<SpokenLine> {
    let text = match (&value["text"], &value["transcript"], &value["segs"]) {
        (Value::String(text), ..) | (_, Value::String(text), _) => text.clone(),
        (_, _, Value::Array(pieces)) => pieces.iter().filter_map(|piece| piece["utf8"].as_str()).collect(),
        _ => return Vec::new(),
    };
    let (start, end) = times(value);
    let times = SpokenLine { start, end, ..SpokenLine::default() };
    let speaker = ["speaker", "speaker_name", "speaker_label"].iter().find_map(|name| match &value[*name] {
        Value::String(name) => Some(trimmed(name).to_owned()).filter(|name| !name.is_empty()),
        Value::Number(number) => Some(format!("Speaker {number}")),
        _ => None,
    });
    let lines: Vec<String> =
        super::lines_of(&text).filter(|line| !line.is_empty()).map(|line| line.replace('&', "&amp;")).collect();
    let mut spoken = markup::spoken(&lines, &times);
    for line in spoken.iter_mut().filter(|line| line.speaker.is_none()) {
        line.speaker.clone_from(&speaker);
    }
    spoken
}

/// When a segment begins and ends, as its form has it.
fn times(value: &Value) -> (Option<Moment>, Option<Moment>) {
    let millis = |value: &Value| value.as_f64().and_then(|millis| Moment::of_seconds(millis / 1_000.0));
    let seconds = |value: &Value| match value {
        Value::String(text) => time::moment(text.trim()).map(|(moment, _)| moment),
        other => other.as_f64().and_then(Moment::of_seconds),
    };
    if let Some(start) = millis(&value["tStartMs"]) {
        let end = value["dDurationMs"].as_u64().map(|length| Moment(start.0.saturating_add(length)));
        return (Some(start), end);
    }
    if value["offsets"].is_object() {
        return (millis(&value["offsets"]["from"]), millis(&value["offsets"]["to"]));
    }
    if value["timestamp"].is_array() {
        return (seconds(&value["timestamp"][0]), seconds(&value["timestamp"][1]));
    }
    // Services that name who speaks count in milliseconds, in whole numbers, and have no segment that is a number of seconds.
    if value["start"].is_u64()
        && value["end"].is_u64()
        && (value["words"].is_array() || value["confidence"].is_number())
    {
        return (millis(&value["start"]), millis(&value["end"]));
    }
    let from = if value["start"].is_null() { &value["from"] } else { &value["start"] };
    let to = if value["end"].is_null() { &value["to"] } else { &value["end"] };
    (seconds(from), seconds(to))
}
