//! What programs read, one JSON object a line: the events of a journal as they are kept, what is on its way between them,
//! rows of lists, versions of documents, and errors.
//!
//! Promises: fields and their order are a contract; the same for every front end, whether it writes the lines to stdout or
//! into a stream over the network. May not: read the journal, a clock, or what a front end was asked for.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::json::{deadline, waiting};
use crate::core::code::ErrorCode;
use crate::core::document::Document;
use crate::core::event::{Event, Recorded};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::Delta;
use crate::core::ports::RunRow;
use crate::core::run::{NotARun, Run};

/// The version of the wire form, `v` of every line that is not a row of a list.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    recorded: &'a Recorded,
    /// Only on `run_waiting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Value>,
}

/// An event: `{"v", "run", "seq", "at", "type", …}` with the event's own fields; `run_waiting` also has `waiting`. `run` is
/// the fold up to it.
#[must_use]
pub fn event(run: &Run, recorded: &Recorded) -> String {
    let waits = matches!(recorded.event, Event::RunWaiting {}).then(|| waiting(run));
    if let Event::TurnFinished { opaque: Some(_), .. } = &recorded.event {
        // It is its provider's alone.
        let mut shown = recorded.clone();
        if let Event::TurnFinished { opaque, .. } = &mut shown.event {
            *opaque = None;
        }
        return line(&Line { v: VERSION, recorded: &shown, waiting: waits });
    }
    line(&Line { v: VERSION, recorded, waiting: waits })
}

/// The lines of a run's events after event `after`, 0 for all; `events` are the whole journal.
///
/// # Errors
/// When it is not the journal of a run. That of a later version is written as it is.
pub fn events_after(run: RunId, events: &[Recorded], after: u64) -> Result<String, NotARun> {
    let known = events.partition_point(|recorded| recorded.seq <= after);
    // The first event says what run it is.
    let mut then = match Run::fold(run, &events[..known.max(1).min(events.len())]) {
        Ok(then) => then,
        // There is nothing to say beside what a later version wrote.
        Err(NotARun::Newer(_)) => {
            let bare = |recorded| line(&Line { v: VERSION, recorded, waiting: None });
            return Ok(events[known..].iter().map(bare).collect());
        }
        Err(damaged) => return Err(damaged),
    };
    let told = |recorded: &Recorded| {
        if recorded.seq > then.seq {
            then.apply(recorded.seq, recorded.at, &recorded.event);
        }
        event(&then, recorded)
    };
    Ok(events[known..].iter().map(told).collect())
}

/// What is on its way: `{"v", "run", "seq": null, "at", "type": "delta", "key", "attempt", "text"}`, with `restart` or
/// `progress` where it is no text; empty for what is no part of it. It is not in the journal.
#[must_use]
pub fn delta(run: RunId, at: DateTime<Utc>, key: &Key, attempt: u32, delta: &Delta) -> String {
    if matches!(delta, Delta::Asks(_)) {
        return String::new();
    }
    let text = if let Delta::Text(text) = delta { text.data() } else { "" };
    let mut object = json!({
        "v": VERSION, "run": run, "seq": null, "at": stamp(at), "type": "delta", "key": key, "attempt": attempt, "text": text,
    });
    match delta {
        Delta::Text(_) | Delta::Asks(_) => {}
        // The text begins again.
        Delta::Restart(why) => object["restart"] = json!(why),
        Delta::Progress(progress) => object["progress"] = json!(progress),
    }
    line(&object)
}

/// The last line where only programs that ask are under way: `run_waiting`, as [`event`] has it. The journal has no event
/// for that, so `seq` is null.
#[must_use]
pub fn asked(run: &Run, at: DateTime<Utc>) -> String {
    let waits = waiting(run);
    line(&json!({"v": VERSION, "run": run.id, "seq": null, "at": stamp(at), "type": "run_waiting", "waiting": waits}))
}

/// What may follow a run that is done: `{"v", "run", "seq": null, "at", "type": "next", "task", "inputs"}`. Nothing of it
/// is in the journal.
#[must_use]
pub fn next(run: RunId, at: DateTime<Utc>, task: &str, inputs: &Value) -> String {
    let at = stamp(at);
    line(&json!({"v": VERSION, "run": run, "seq": null, "at": at, "type": "next", "task": task, "inputs": inputs}))
}

/// Something was done that the journal has no event for: `{"v", "type": what, …}` with these fields.
#[must_use]
pub fn done(what: &str, fields: &Value) -> String {
    let mut object = json!({"v": VERSION, "type": what});
    for (name, value) in fields.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    line(&object)
}

/// Why something was not done: `{"v", "type": "error", "code", "message"}`.
#[must_use]
pub fn error(code: ErrorCode, message: &str) -> String {
    line(&json!({"v": VERSION, "type": "error", "code": code, "message": message}))
}

/// A row of a list of runs: `{"run", "task", "kind", "title", "status", "created_at", "updated_at", "snippet", "newer",
/// "archived"}`, with `deadline` where something waits until then. `now` says whether that has passed.
#[must_use]
pub fn row(row: &RunRow, archived: bool, now: DateTime<Utc>) -> String {
    let mut object = json!({
        "run": row.run,
        "task": row.task,
        "kind": row.kind,
        "title": row.title,
        "status": row.status,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "snippet": row.snippet.data().replace(['\u{2}', '\u{3}'], ""),
        "newer": row.newer,
        "archived": archived,
    });
    if let Some(due) = row.due {
        object["deadline"] = deadline(due, now);
    }
    line(&object)
}

/// A version of a document, the first is 1: `{"name", "version", "current", "title", "body", "by"}`, with `action` where
/// one made it. Empty where there is no such version.
#[must_use]
pub fn document(document: &Document, number: u32) -> String {
    let Some(version) = document.version(number) else { return String::new() };
    let current = document.current().is_some_and(|(current, _)| current == number);
    let mut object = json!({
        "name": document.name, "version": number, "current": current,
        "title": version.title, "body": version.body, "by": version.by,
    });
    if let Some(action) = version.made_by() {
        object["action"] = json!(action);
    }
    line(&object)
}

/// Whether an event says how a run is, as the last line of a command does.
#[must_use]
pub fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::RunWaiting {}
            | Event::RunCompleted { .. }
            | Event::RunFailed { .. }
            | Event::RunCancelled { .. }
            | Event::RunPaused { .. }
    )
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn line(object: &impl Serialize) -> String {
    // What the journal keeps was JSON before.
    let mut text = serde_json::to_string(object).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::*;
    use crate::core::deadline::Due;
    use crate::core::event::Created;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::step::OnTimeout;
    use crate::core::task::Kind;

    fn at() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_700_000_000_250)
    }

    fn id() -> RunId {
        RunId::new(1, [1; 10])
    }

    fn journal(more: &[Event]) -> Vec<Recorded> {
        let created = Created {
            task: "poem".into(),
            kind: Kind::Workflow,
            title: "The sea".into(),
            by: "ana@host".into(),
            cwd: "/home/ana".into(),
            inputs: Arc::new(json!({})),
            definition: Fingerprint::of_bytes(b"poem"),
            nonce: "n".into(),
            date: None,
            session: None,
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        let events = std::iter::once(Event::RunCreated(created)).chain(more.iter().cloned());
        (1..).zip(events).map(|(seq, event)| Recorded { run: id(), seq, at: at(), event }).collect()
    }

    #[test]
    fn what_a_provider_has_to_be_sent_back_is_in_no_line() {
        let turn = |opaque: Option<Value>| Event::TurnFinished {
            key: Key::plain("a"),
            attempt: 1,
            turn: 1,
            text: "let me look".into(),
            calls: Vec::new(),
            opaque: opaque.map(Arc::new),
            measured: crate::core::event::Measured::default(),
        };
        let lines = |opaque| events_after(id(), &journal(&[turn(opaque)]), 1).unwrap();
        assert!(lines(None).contains("let me look"));
        assert_eq!(lines(Some(json!({ "signature": "signed" }))), lines(None));
    }

    #[test]
    fn every_line_of_a_journal_is_an_object_with_its_number_and_only_a_wait_says_what_waits() {
        let events = journal(&[Event::Logged { text: "one\ntwo".into() }, Event::RunWaiting {}]);
        let lines = events_after(id(), &events, 0).unwrap();
        let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            objects.iter().map(|object| object["seq"].as_u64()).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3)]
        );
        assert!(lines.starts_with(&format!(r#"{{"v":1,"run":"{}","seq":1,"at":"#, id())), "{lines}");
        assert_eq!(objects[1].get("waiting"), None);
        assert_eq!(objects[2]["waiting"], json!([]));
        // Whoever has read some of it goes on behind that.
        let rest: String = lines.split_inclusive('\n').skip(2).collect();
        assert_eq!(events_after(id(), &events, 2).unwrap(), rest);
        assert_eq!(events_after(id(), &events, 3).unwrap(), "");
        assert!(events_after(id(), &[], 0).is_err(), "a journal without a first event is none");
    }

    #[test]
    fn what_no_journal_has_is_a_line_without_a_number() {
        let inputs = json!({"topic": "the sea"});
        let said = format!(
            r#"{{"v":1,"run":"{}","seq":null,"at":"2023-11-14T22:13:20.250000Z","type":"next","task":"poem","inputs":{{"topic":"the sea"}}}}"#,
            id()
        );
        assert_eq!(next(id(), at(), "poem", &inputs), said + "\n");
        let key: Key = "write[1]".parse().unwrap();
        let of = |more: &Delta| -> Value { serde_json::from_str(&delta(id(), at(), &key, 2, more)).unwrap() };
        let restarted = of(&Delta::Restart("the connection was lost".to_owned()));
        assert_eq!((&restarted["seq"], &restarted["text"]), (&Value::Null, &json!("")));
        assert_eq!(restarted["restart"], "the connection was lost");
        let text = of(&Delta::Text("so".into()));
        assert_eq!((&text["key"], &text["attempt"], &text["text"]), (&json!("write[1]"), &json!(2), &json!("so")));
        assert_eq!(text.get("restart"), None);
        assert_eq!(delta(id(), at(), &key, 2, &Delta::Asks("p/m".to_owned())), "", "the attempt names its model");
        let run = Run::fold(id(), &journal(&[])).unwrap();
        let waits: Value = serde_json::from_str(&asked(&run, at())).unwrap();
        assert_eq!((&waits["type"], &waits["seq"]), (&json!("run_waiting"), &Value::Null));
    }

    #[test]
    fn an_error_is_one_line_whatever_it_says() {
        let line = error(ErrorCode::InvalidInput, "`a`: \"b\"\nand more");
        let said = r#"{"v":1,"type":"error","code":"invalid_input","message":"`a`: \"b\"\nand more"}"#;
        assert_eq!(line, format!("{said}\n"));
        assert_eq!(done("exported", &json!({"path": "a.md"})), "{\"v\":1,\"type\":\"exported\",\"path\":\"a.md\"}\n");
    }

    #[test]
    fn a_row_has_its_match_without_marks_and_a_deadline_that_says_whether_it_has_passed() {
        let due = Due { at: at(), then: OnTimeout::Accept };
        let run = Run::fold(id(), &journal(&[])).unwrap();
        let of = |due, now| -> Value {
            let found = RunRow { snippet: "the \u{2}sea\u{3}".into(), due, ..RunRow::of(&run) };
            serde_json::from_str(&row(&found, true, now)).unwrap()
        };
        let plain = of(None, at());
        assert_eq!((&plain["snippet"], &plain["archived"]), (&json!("the sea"), &json!(true)));
        assert_eq!(plain.get("deadline"), None);
        let second = TimeDelta::seconds(1);
        assert_eq!(of(Some(due), at() - second)["deadline"]["passed"], json!(false));
        assert_eq!(of(Some(due), at() + second)["deadline"]["passed"], json!(true));
    }

    #[test]
    fn a_version_of_a_document_says_whether_it_counts() {
        let written = |version: u32, body: &str| Event::DocumentWritten {
            name: "letter".to_owned(),
            version,
            title: "Letter".into(),
            body: body.into(),
            by: "ana@host".into(),
            // A person's own counts until they have chosen.
            proposed: version == 2,
            action: None,
        };
        let run = Run::fold(id(), &journal(&[written(1, "one"), written(2, "two")])).unwrap();
        let letter = &run.documents["letter"];
        let said = r#"{"name":"letter","version":1,"current":true,"title":"Letter","body":"one","by":"ana@host"}"#;
        assert_eq!(document(letter, 1), format!("{said}\n"));
        let other: Value = serde_json::from_str(&document(letter, 2)).unwrap();
        assert_eq!((&other["current"], other.get("action")), (&json!(false), None));
        assert_eq!((document(letter, 0), document(letter, 3)), (String::new(), String::new()));
    }
}
