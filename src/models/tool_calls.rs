//! Calls of tools, put together from the pieces in which servers send them.
//!
//! A piece belongs to a call by its index, its id or its name, whichever the server gives. What is sent twice counts once:
//! some servers stream a call and then send it whole, or send all of it so far with every piece.

use serde_json::{Map, Value};

use crate::core::model::ModelCall;

use super::halves::JoinedText;

/// A piece of a call, as it arrives. What a server leaves out is `None` or empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CallPiece<'a> {
    /// Its place among the calls of the turn.
    pub(super) index: Option<u64>,
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    /// More of the arguments, as JSON text.
    pub(super) arguments: &'a str,
}

/// The calls of a turn, as far as they have arrived.
#[derive(Debug, Default)]
pub(super) struct ToolCalls(Vec<PartialCall>);

#[derive(Debug, Default)]
struct PartialCall {
    index: Option<u64>,
    id: String,
    name: String,
    json: JoinedText,
    /// The newest piece of the arguments.
    newest: JoinedText,
    /// Every piece began with the one before it: the server sends all of it so far with each.
    repeats: bool,
    /// What the server has to be sent back with it.
    opaque: Map<String, Value>,
}

impl ToolCalls {
    /// Takes a piece. Gives which call it belongs to.
    pub(super) fn push(&mut self, piece: CallPiece<'_>) -> usize {
        // An id or a name that is another one begins another call: some servers number all calls alike. But some give
        // every piece an id of its own.
        let known = !piece.id.is_empty() && self.0.iter().any(|call| call.id == piece.id);
        let is_same = |call: &PartialCall| {
            (piece.index.is_none() || call.index.is_none() || call.index == piece.index)
                && (piece.name.is_empty() || call.name.is_empty() || call.name == piece.name)
                && (piece.id.is_empty()
                    || call.id.is_empty()
                    || call.id == piece.id
                    || !known && call.is_continued_by(&piece))
        };
        let at = self.0.iter().rposition(is_same).unwrap_or_else(|| {
            self.0.push(PartialCall::default());
            self.0.len() - 1
        });
        let call = &mut self.0[at];
        call.index = call.index.or(piece.index);
        if call.id.is_empty() {
            piece.id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            piece.name.trim().clone_into(&mut call.name);
        }
        if !piece.arguments.is_empty() {
            let first = call.json.as_str().is_empty();
            call.repeats = first || call.repeats && piece.arguments.starts_with(call.newest.as_str());
            call.json.push(piece.arguments);
            call.newest = JoinedText::default();
            call.newest.push(piece.arguments);
        }
        at
    }

    /// Keeps what the server has to be sent back with a call.
    pub(super) fn keep(&mut self, at: usize, field: &str, value: Value) {
        if let Some(call) = self.0.get_mut(at) {
            call.opaque.insert(field.to_owned(), value);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a call.
    pub(super) fn name(&self, at: usize) -> &str {
        self.0.get(at).map_or("", |call| &call.name)
    }

    /// The arguments of a call, as far as they have arrived.
    pub(super) fn arguments(&self, at: usize) -> &str {
        self.0.get(at).map_or("", |call| call.json.as_str())
    }

    /// How long they are in all, in bytes.
    pub(super) fn length(&self) -> usize {
        self.0.iter().map(|call| call.json.as_str().len()).sum()
    }

    /// The newest call whose arguments are not whole, when nothing more comes.
    pub(super) fn unfinished(&self) -> Option<usize> {
        let last = self.0.len().checked_sub(1)?;
        // What has no arguments, and another call after it, is called with none.
        let whole = |at: usize, call: &PartialCall| at < last && call.json.as_str().is_empty() || call.is_whole();
        self.0.iter().enumerate().rposition(|(at, call)| !whole(at, call))
    }

    /// The arguments of one call as text, which is taken away. As they were written, where they were sent once.
    pub(super) fn take_text(&mut self, at: usize) -> String {
        if at >= self.0.len() {
            return String::new();
        }
        let call = self.0.remove(at);
        match call.values().first() {
            Some(first) if !first.is_string() && call.is_repeated() => first.to_string(),
            _ => call.json.into_string(),
        }
    }

    /// The calls, each with what the server has to be sent back with it.
    pub(super) fn finish(self) -> Vec<(ModelCall, Map<String, Value>)> {
        let each = self.0.into_iter().flat_map(|call| {
            // Calls that nothing tells apart but what they are called with: only the first has the id.
            let values = call.values().into_iter().enumerate();
            let each = values.map(|(nth, arguments)| {
                let id = if nth == 0 { call.id.clone() } else { String::new() };
                let opaque = if nth == 0 { call.opaque.clone() } else { Map::new() };
                (ModelCall { id, name: call.name.clone(), arguments }, opaque)
            });
            each.collect::<Vec<_>>()
        });
        each.collect()
    }
}

impl PartialCall {
    /// Whether a piece with an id that is new is more of this call: it names no tool, or this call's in the middle of its
    /// arguments.
    fn is_continued_by(&self, piece: &CallPiece<'_>) -> bool {
        let at_its_place = piece.index.is_none() || self.index == piece.index;
        // Arguments that were never closed are not continued by those of the next call.
        let fits = || {
            let so_far = self.json.as_str();
            !may_become_json(so_far) || may_become_json(&format!("{so_far}{}", piece.arguments))
        };
        let in_the_middle = || !piece.arguments.is_empty() && !self.is_whole() && fits();
        at_its_place && (piece.name.is_empty() || in_the_middle())
    }

    /// Whether the arguments have arrived to their end. Where they can be read as cut, they are.
    fn is_whole(&self) -> bool {
        let mut read = serde_json::Deserializer::from_str(self.json.as_str()).into_iter::<serde::de::IgnoredAny>();
        let cut = read.any(|value| value.is_err_and(|error| error.is_eof()));
        !cut && !self.json.as_str().is_empty() && !self.values().iter().any(Value::is_string)
    }

    /// Whether what has arrived is something other than one JSON value.
    fn is_repeated(&self) -> bool {
        serde_json::from_str::<serde::de::IgnoredAny>(self.json.as_str()).is_err()
    }

    /// What it is called with: one value, or several where several calls look like one. What is no JSON is a text.
    fn values(&self) -> Vec<Value> {
        let joined = self.json.as_str();
        let read =
            |text: &str| serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
        let Ok(mut values) = read(joined) else {
            let newest = self.repeats.then(|| serde_json::from_str::<Value>(self.newest.as_str()).ok()).flatten();
            let whole = newest.filter(Value::is_object);
            return vec![whole.unwrap_or_else(|| Value::String(joined.to_owned()))];
        };
        values = values.into_iter().map(unpacked).collect();
        // `{}` is what some servers begin with.
        if values.iter().any(|value| value.as_object().is_none_or(|fields| !fields.is_empty())) {
            values.retain(|value| value.as_object().is_none_or(|fields| !fields.is_empty()));
        }
        let mut different: Vec<Value> = Vec::new();
        for value in values {
            if !different.contains(&value) {
                different.push(value);
            }
        }
        if different.is_empty() { vec![Value::Object(Map::new())] } else { different }
    }
}

/// Whether a text is JSON, or the beginning of some.
fn may_become_json(text: &str) -> bool {
    let mut read = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    read.all(|value| value.map_or_else(|error| error.is_eof(), |_| true))
}

/// Arguments that were written as JSON within a JSON text, or as `null`, are those that are meant.
fn unpacked(value: Value) -> Value {
    match value {
        Value::Null => Value::Object(Map::new()),
        Value::String(text) => match serde_json::from_str::<Value>(&text) {
            Ok(inner @ Value::Object(_)) => inner,
            _ if text.trim().is_empty() => Value::Object(Map::new()),
            _ => Value::String(text),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Piece = (Option<u64>, &'static str, &'static str, &'static str);

    fn calls(pieces: &[Piece]) -> Vec<(String, String, Value)> {
        let mut calls = ToolCalls::default();
        for (index, id, name, arguments) in pieces.iter().copied() {
            calls.push(CallPiece { index, id, name, arguments });
        }
        calls.finish().into_iter().map(|(call, _)| (call.id, call.name, call.arguments)).collect()
    }

    fn call(id: &str, name: &str, arguments: Value) -> (String, String, Value) {
        (id.to_owned(), name.to_owned(), arguments)
    }

    #[test]
    fn pieces_find_their_call_by_index_by_id_and_by_name() {
        let two = [call("a", "read", json!({"p": 1})), call("b", "list", json!({"q": 2}))];
        for (how, pieces) in [
            (
                "index",
                [
                    (Some(0), "a", "read", r#"{"p""#),
                    (Some(1), "b", "list", r#"{"q""#),
                    (Some(0), "", "", ":1}"),
                    (Some(1), "", "", ":2}"),
                ]
                .as_slice(),
            ),
            (
                "id",
                &[
                    (None, "a", "read", r#"{"p""#),
                    (None, "b", "list", r#"{"q""#),
                    (None, "a", "", ":1}"),
                    (None, "b", "", ":2}"),
                ],
            ),
            (
                "id, all of one index",
                &[(Some(0), "a", "read", r#"{"p":1}"#), (Some(0), "b", "list", r#"{"q""#), (Some(0), "b", "", ":2}")],
            ),
            ("whole", &[(None, "a", "read", r#"{"p":1}"#), (None, "b", "list", r#"{"q":2}"#)]),
            (
                "name in every piece",
                &[
                    (Some(0), "a", "read", ""),
                    (Some(0), "a", "read", r#"{"p""#),
                    (Some(0), "a", "read", ":1}"),
                    (Some(1), "b", "list", r#"{"q":2}"#),
                ],
            ),
        ] {
            assert_eq!(calls(pieces), two, "{how}");
        }
        let nameless = calls(&[(None, "", "read", r#"{"p":1}"#), (None, "", "list", ""), (None, "", "", r#"{"q":2}"#)]);
        assert_eq!(nameless, [call("", "read", json!({"p": 1})), call("", "list", json!({"q": 2}))]);
    }

    #[test]
    fn what_is_sent_twice_counts_once_and_what_differs_is_another_call() {
        for (how, pieces, arguments) in [
            (
                "streamed, then whole",
                [(Some(0), "a", "read", r#"{"p": "#), (Some(0), "", "", "1}"), (Some(0), "a", "read", r#"{"p":1}"#)]
                    .as_slice(),
                vec![json!({"p": 1})],
            ),
            (
                "whole, then whole without an index",
                &[(Some(0), "a", "read", r#"{"p":1}"#), (None, "a", "read", r#"{"p":1}"#)],
                vec![json!({"p": 1})],
            ),
            (
                "all of it so far",
                &[
                    (Some(0), "a", "read", r#"{"p""#),
                    (Some(0), "a", "", r#"{"p":{"q""#),
                    (Some(0), "a", "", r#"{"p":{"q":1}}"#),
                ],
                vec![json!({"p": {"q": 1}})],
            ),
            (
                "an empty object first",
                &[(Some(0), "a", "read", "{}"), (Some(0), "", "", r#"{"p":1}"#)],
                vec![json!({"p": 1})],
            ),
            (
                "nested and alike",
                &[(Some(0), "a", "read", r#"{"p":"#), (Some(0), "", "", r#"{"p":"#), (Some(0), "", "", "1}}")],
                vec![json!({"p": {"p": 1}})],
            ),
            (
                "two calls of one tool, with nothing to tell them apart",
                &[(Some(0), "", "read", r#"{"p":1}"#), (Some(0), "", "read", r#"{"p":2}"#)],
                vec![json!({"p": 1}), json!({"p": 2})],
            ),
        ] {
            let found: Vec<Value> = calls(pieces).into_iter().map(|(_, _, arguments)| arguments).collect();
            assert_eq!(found, arguments, "{how}");
        }
    }

    #[test]
    fn arguments_are_a_value_whatever_they_were_written_as() {
        for (written, arguments) in [
            ("", json!({})),
            ("  ", json!({})),
            ("null", json!({})),
            (r#""""#, json!({})),
            (r#""{\"p\": 1}""#, json!({"p": 1})),
            ("[1]", json!([1])),
            (r#"{"p": 1"#, json!(r#"{"p": 1"#)),
            ("the file, please", json!("the file, please")),
        ] {
            assert_eq!(calls(&[(Some(0), "a", "read", written)]), [call("a", "read", arguments)], "{written}");
        }
    }

    #[test]
    fn a_server_that_gives_every_piece_an_id_of_its_own_makes_one_call() {
        for (how, pieces) in [
            (
                "an index",
                [(Some(0), "a1", "read", ""), (Some(0), "b2", "", r#"{"p": "#), (Some(0), "c3", "", "1}")].as_slice(),
            ),
            ("no index", &[(None, "a1", "read", ""), (None, "b2", "", r#"{"p": "#), (None, "c3", "", "1}")]),
            (
                "the name in every piece",
                &[
                    (Some(0), "a1", "read", ""),
                    (Some(0), "b2", "read", r#"{"p""#),
                    (Some(0), "c3", "read", ": "),
                    (Some(0), "d4", "read", "1}"),
                ],
            ),
        ] {
            assert_eq!(calls(pieces), [call("a1", "read", json!({"p": 1}))], "{how}");
        }
        let two = calls(&[
            (Some(0), "a1", "read", ""),
            (Some(0), "b2", "", r#"{"p":"#),
            (Some(1), "c3", "list", ""),
            (Some(1), "d4", "", r#"{"q":2}"#),
            (Some(0), "e5", "", "1}"),
        ]);
        assert_eq!(two, [call("a1", "read", json!({"p": 1})), call("c3", "list", json!({"q": 2}))], "two at a time");
        let twice = calls(&[(Some(0), "a", "read", r#"{"p":1}"#), (Some(0), "b", "read", r#"{"p":2}"#)]);
        assert_eq!(twice, [call("a", "read", json!({"p": 1})), call("b", "read", json!({"p": 2}))], "one tool twice");
        for open in [r#"{"p": "x""#, r#"{"p": "x"#] {
            for index in [None, Some(0)] {
                let calls = calls(&[(index, "a", "read", open), (index, "b", "read", r#"{"p": "y"}"#)]);
                assert_eq!(calls[0], call("a", "read", json!(open)), "what was never closed is wrong by itself");
                assert_eq!(calls[1..], [call("b", "read", json!({"p": "y"}))], "{open} {index:?}");
            }
        }
    }

    #[test]
    fn a_call_that_a_limit_cut_is_known_to_be_cut() {
        for (pieces, cut) in [
            ([""].as_slice(), true),
            (&[r#"{"p": "#], true),
            (&[r#"{"p": 1}"#], false),
            (&["{}"], false),
            (&[r#"{"p""#, r#"{"p": 1}"#], false),
            // A piece that is an object is a part of one that is larger.
            (&[r#"{"p": "x", "options":"#, " {}"], true),
            (&[r#"{"p": "x", "more": "#, r#"{"p":"y"}"#], true),
            (&[r#"{"p":"#, r#"{"p":1}"#], true),
            (&["[", r#"{"p":1}"#], true),
        ] {
            let mut calls = ToolCalls::default();
            calls.push(CallPiece { index: Some(0), id: "a", name: "read", arguments: r#"{"p":1}"# });
            for arguments in pieces {
                calls.push(CallPiece { index: Some(1), id: "b", name: "list", arguments });
            }
            assert_eq!(calls.unfinished(), cut.then_some(1), "{pieces:?}");
        }
    }

    #[test]
    fn of_several_calls_that_arrive_at_a_time_every_one_may_be_the_cut_one() {
        let cut = |first: &str, second: &str| {
            let mut calls = ToolCalls::default();
            calls.push(CallPiece { index: Some(0), id: "a", name: "read", arguments: first });
            calls.push(CallPiece { index: Some(1), id: "b", name: "list", arguments: second });
            calls.unfinished()
        };
        assert_eq!(cut(r#"{"p": "#, r#"{"q": 2}"#), Some(0));
        assert_eq!(cut("", r#"{"q": 2}"#), None, "called with nothing");
    }

    #[test]
    fn a_piece_of_broken_arguments_is_not_what_a_tool_is_called_with() {
        for pieces in [[r#"{"p": "a" "more": "#, r#"{"p": "b"}"#], ["p = ", r#"{"q": 1}"#]] {
            let found = calls(&[(Some(0), "a", "read", pieces[0]), (Some(0), "", "", pieces[1])]);
            assert_eq!(found, [call("a", "read", json!(pieces.concat()))], "{pieces:?}");
        }
    }
}
