//! Who did something in a run: the person, or what acts where no person does.
//!
//! In the journal it is one text. The texts of what is not a person are words of this module; any other text is the name
//! of whoever decided: `user@host` today, and whatever front ends hand in later.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Actor {
    /// A person, where it does not matter which: who fills in a form, who stopped an attempt.
    Person,
    /// A language model.
    Model,
    /// A program, a request or a computation that the definition declares.
    Program,
    /// The result of an earlier run.
    Cache,
    /// The deadline of a gate.
    Deadline,
    /// The end of the process that drove the run.
    Crash,
    /// A rule of the definition: no review was asked for.
    Rule,
    /// The flow: a condition, a dependency, a definition that cannot be evaluated.
    Flow,
    /// The run that this one was forked from.
    Adopted,
    /// Another item's call, whose result applies here.
    Moved,
    /// Somebody by name.
    Named(Arc<str>),
}

impl Actor {
    /// Every actor that has no name of its own.
    pub const UNNAMED: [Self; 10] = [
        Self::Person,
        Self::Model,
        Self::Program,
        Self::Cache,
        Self::Deadline,
        Self::Crash,
        Self::Rule,
        Self::Flow,
        Self::Adopted,
        Self::Moved,
    ];

    /// Somebody by name. A name that is one of this module's words is made different from it, so that nobody who is
    /// called `model` is taken for the model.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match Self::from(name) {
            named @ Self::Named(_) => named,
            _ => Self::Named(format!("{name}@").into()),
        }
    }

    /// Whether a person did it.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Person | Self::Named(_))
    }

    /// The text in the journal and in JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Person => "person",
            Self::Model => "model",
            Self::Program => "program",
            Self::Cache => "cache",
            Self::Deadline => "deadline",
            Self::Crash => "crash",
            Self::Rule => "rule",
            Self::Flow => "flow",
            Self::Adopted => "adopted",
            Self::Moved => "moved",
            Self::Named(name) => name,
        }
    }
}

impl From<&str> for Actor {
    /// The actor that the journal writes so.
    fn from(text: &str) -> Self {
        Self::UNNAMED.into_iter().find(|actor| actor.as_str() == text).unwrap_or_else(|| Self::Named(text.into()))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Actor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("who did it, a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Actor, E> {
                Ok(Actor::from(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_are_those_of_the_first_release() {
        let texts = Actor::UNNAMED.each_ref().map(Actor::as_str);
        let released = ["person", "model", "program", "cache", "deadline", "crash", "rule", "flow", "adopted", "moved"];
        assert_eq!(texts, released);
        for text in released.into_iter().chain(["ana@host", "", "Model", "hook:push"]) {
            let json = format!("{text:?}");
            let actor: Actor = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&actor).unwrap(), json);
            assert_eq!(matches!(actor, Actor::Named(_)), !released.contains(&text), "{text}");
        }
    }

    #[test]
    fn nobody_by_name_is_taken_for_what_is_not_a_person() {
        for actor in Actor::UNNAMED {
            let named = Actor::named(actor.as_str());
            assert_ne!(named, actor);
            assert_eq!(Actor::from(named.as_str()), named);
        }
        assert_eq!(Actor::named("ana@host").as_str(), "ana@host");
    }
}
