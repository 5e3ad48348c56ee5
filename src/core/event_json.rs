//! An event as JSON, and back.
//!
//! What this version does not know, by its type or by a value in it (another gate, another reason), is kept as it was
//! written: the journal of a later version can be read, shown, searched, exported and deleted. Such an event serialises
//! to the JSON that it came from, and the run that has it is [`newer`](super::run::Run::newer). What is no JSON object
//! with a `type` is an error.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::event::Event;

/// An event that a later version wrote: its fields, each as it was written.
#[derive(Clone, Debug)]
pub struct Unknown(Arc<IndexMap<String, Box<RawValue>>>);

impl Unknown {
    fn of(fields: IndexMap<String, Box<RawValue>>) -> Result<Self, serde_json::Error> {
        match fields.get("type") {
            Some(kind) if kind.get().starts_with('"') => Ok(Self(Arc::new(fields))),
            _ => Err(serde_json::Error::custom("an event without a `type`")),
        }
    }

    /// Its fields, in the order in which they were written.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Value)> {
        // Each was JSON when it was read.
        self.0.iter().filter_map(|(name, raw)| Some((name.as_str(), read(raw.get()).ok()?)))
    }
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        let texts = |unknown: &Self| -> Vec<(String, String)> {
            unknown.0.iter().map(|(name, raw)| (name.clone(), raw.get().to_owned())).collect()
        };
        texts(self) == texts(other)
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &*self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Event {
    /// Reads an event. One that is known costs no more for those that are not: only what does not decode is read twice.
    ///
    /// # Errors
    /// When it is no JSON object with a `type`.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        match read::<Known>(json) {
            Ok(Known(event)) => Ok(event),
            Err(error) if error.classify() == Category::Data => Unknown::of(read(json)?).map(Self::Unknown),
            Err(error) => Err(error),
        }
    }

    /// As [`Event::from_json`], of a value that was read already; `again` makes it once more where the event is not known.
    ///
    /// # Errors
    /// As [`Event::from_json`], and those of `again`.
    pub fn from_value<E: From<serde_json::Error>>(
        value: Value,
        again: impl FnOnce() -> Result<Value, E>,
    ) -> Result<Self, E> {
        match Self::deserialize(value) {
            Ok(event) => Ok(event),
            Err(_) => Ok(Self::Unknown(Unknown::of(IndexMap::deserialize(again()?)?)?)),
        }
    }
}

/// An event that this version knows.
struct Known(Event);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What serde derives for the variants of `Event`; its trait takes the unknown ones too.
        Event::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown(unknown) => unknown.serialize(serializer),
            known => Self::serialize(known, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let copy = value.clone();
        Self::from_value(value, || Ok(copy)).map_err(|error: serde_json::Error| D::Error::custom(error))
    }
}

/// Reads JSON of any depth: what was written can be read.
///
/// # Errors
/// When it is not JSON, or not of that shape.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.disable_recursion_limit();
    T::deserialize(&mut deserializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_not_known_is_given_back_as_it_was_written() {
        for json in [
            r#"{"type":"run_lent","by":"ana@host","at":"2031-01-01","n":123456789012345678901234567890,"x":1.50,"z":{"b":1,"a":[ ]}}"#,
            r#"{"type":"gate_opened","key":"write","for":"weather","call":"1.0","attempt":1,"version":0,"allowed":["accept"]}"#,
            r#"{"type":"run_paused","reason":"out_of_paper"}"#,
            r#"{"type":"attempt_failed","key":"a","attempt":1,"error":{"class":"out_of_luck","message":"20"},"usage":{"input_tokens":0,"output_tokens":0,"usd":0.0},"first_token_ms":0,"ms":0}"#,
        ] {
            let event = Event::from_json(json).unwrap();
            assert!(matches!(event, Event::Unknown(_)), "{event:?}");
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
            assert_eq!(event, event.clone());
            assert_eq!(event.key(), None);
            // By way of a value as well, as far as a value can hold it.
            let value: Value = serde_json::from_str(json).unwrap();
            let again: Event = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&again).unwrap(), value);
        }
    }

    #[test]
    fn a_known_event_is_not_taken_for_another_and_what_is_no_event_is_an_error() {
        assert_eq!(Event::from_json(r#"{"type":"run_waiting","later":1}"#).unwrap(), Event::RunWaiting {});
        for json in ["", "{", r#"{"type":"run_waiting""#, "[]", "7", "{}", r#"{"type":7}"#, r#"{"type":"x",}"#] {
            assert!(Event::from_json(json).is_err(), "{json}");
        }
    }
}
