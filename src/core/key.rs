//! Keys: the stable names of calls.
//!
//! `key = segment ("." segment)*`, `segment = id ["[" item "]"] ["#" iteration]`. A `for_each` gives the
//! item, a `repeat` the iteration, a group and a child workflow a segment of their own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::code::ErrorCode;

/// One segment of a key: a step, and which item and iteration of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// The step's id.
    pub id: String,
    /// The item's index in the list of a `for_each`, from 0.
    pub item: Option<u32>,
    /// The iteration of a `repeat`, from 0.
    pub iteration: Option<u32>,
}

impl Segment {
    /// A segment with neither item nor iteration.
    #[must_use]
    pub fn plain(id: impl Into<String>) -> Self {
        Self { id: id.into(), item: None, iteration: None }
    }
}

impl std::hash::Hash for Segment {
    /// In two pieces where the derived one takes seven: keys are looked up for every event of a long run.
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let half = |number: Option<u32>| number.map_or(0, |number| u64::from(number) + 1);
        self.id.hash(state);
        state.write_u64(half(self.item) << 32 ^ half(self.iteration));
    }
}

/// The stable name of a call inside a run; never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Vec<Segment>);

/// Text that does not follow the key grammar.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a call's key: {why} (a key looks like `divide`, `write[1]`, `draft#2` or `files[2].score[0]`)"
)]
pub struct BadKey {
    text: String,
    why: &'static str,
}

impl BadKey {
    /// Its code: what is no key names no call.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        ErrorCode::NoCall
    }
}

/// Whether `text` may be the id of a step, task or field: a letter or `_`, then letters, digits, `_` and `-`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl Key {
    /// The key of a single segment.
    #[must_use]
    pub fn root(segment: Segment) -> Self {
        Self(vec![segment])
    }

    /// The key of a plain step at the top of the workflow.
    #[must_use]
    pub fn plain(id: impl Into<String>) -> Self {
        Self::root(Segment::plain(id))
    }

    /// This key with one more segment below it.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// This key with another item in its innermost segment.
    #[must_use]
    pub fn with_item(&self, item: Option<u32>) -> Self {
        let mut segments = self.0.clone();
        if let Some(last) = segments.last_mut() {
            last.item = item;
        }
        Self(segments)
    }

    /// This key with another iteration in its innermost segment.
    #[must_use]
    pub fn with_iteration(&self, iteration: Option<u32>) -> Self {
        let mut segments = self.0.clone();
        if let Some(last) = segments.last_mut() {
            last.iteration = iteration;
        }
        Self(segments)
    }

    /// The step of that id in the same scope.
    #[must_use]
    pub fn beside(&self, id: &str) -> Self {
        let mut segments = self.0.clone();
        segments.pop();
        segments.push(Segment::plain(id));
        Self(segments)
    }

    /// The group, item or child run whose name this key has up to and including its segment number `at`.
    #[must_use]
    pub fn up_to(&self, at: usize) -> Self {
        Self(self.0[..=at].to_vec())
    }

    /// The segments from the outside in.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The innermost segment.
    #[must_use]
    pub fn last(&self) -> &Segment {
        &self.0[self.0.len() - 1]
    }

    /// The id of the step that this key's innermost segment names.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.last().id
    }

    /// Whether it is, or lies inside, a call of the step that `base` names without an item or iteration.
    #[must_use]
    pub fn is_of(&self, base: &Key) -> bool {
        let (own, base) = (&self.0, &base.0);
        let depth = base.len() - 1;
        own.len() >= base.len() && own[..depth] == base[..depth] && own[depth].id == base[depth].id
    }

    /// Whether `self` is `other` or lies inside the group, item or child run that `other` names.
    #[must_use]
    pub fn is_within(&self, other: &Key) -> bool {
        self.0.len() >= other.0.len() && self.0[..other.0.len()] == other.0[..]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.id)?;
            if let Some(item) = segment.item {
                write!(f, "[{item}]")?;
            }
            if let Some(iteration) = segment.iteration {
                write!(f, "#{iteration}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = |why| BadKey { text: text.to_owned(), why };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        text.split('.')
            .map(|part| {
                let (part, iteration) = match part.split_once('#') {
                    Some((rest, number)) => {
                        (rest, Some(number.parse().map_err(|_| bad("expected a number after `#`"))?))
                    }
                    None => (part, None),
                };
                let (id, item) = match part.split_once('[') {
                    Some((id, rest)) => {
                        let number = rest.strip_suffix(']').ok_or_else(|| bad("a `[` has no `]`"))?;
                        (id, Some(number.parse().map_err(|_| bad("expected a number between `[` and `]`"))?))
                    }
                    None => (part, None),
                };
                if !is_id(id) {
                    return Err(bad("a segment does not begin with a step's id"));
                }
                Ok(Segment { id: id.to_owned(), item, iteration })
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;
    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_keys_of_the_grammar_read_and_write_alike() {
        for text in ["divide", "write[1]", "draft#2", "files[2].score[0]", "child.divide", "a[3]#4.b-c_d"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_key_says_why() {
        for (text, why) in [
            ("", "it is empty"),
            ("a..b", "a segment does not begin with a step's id"),
            ("1a", "a segment does not begin with a step's id"),
            ("a[x]", "expected a number between `[` and `]`"),
            ("a[1", "a `[` has no `]`"),
            ("a#", "expected a number after `#`"),
        ] {
            assert_eq!(text.parse::<Key>().unwrap_err().why, why, "{text}");
        }
    }

    #[test]
    fn a_call_lies_within_its_group() {
        let group: Key = "files[2]".parse().unwrap();
        assert!("files[2].score[0]".parse::<Key>().unwrap().is_within(&group));
        assert!(!"files[20].score".parse::<Key>().unwrap().is_within(&group));
    }

    proptest! {
        #[test]
        fn every_key_survives_a_round_trip(parts in prop::collection::vec(("[a-z_][a-z0-9_-]{0,8}", prop::option::of(0u32..), prop::option::of(0u32..)), 1..5)) {
            let mut segments = parts.into_iter().map(|(id, item, iteration)| Segment { id, item, iteration });
            let mut key = Key::root(segments.next().unwrap());
            for segment in segments { key = key.child(segment); }
            prop_assert_eq!(key.to_string().parse::<Key>().unwrap(), key);
        }
    }
}
