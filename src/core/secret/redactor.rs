//! Keeps the values of secrets out of everything that is written or shown, whatever form they come back in.
//!
//! A value is recognised as it is, without white space around it, and written as programs and servers write it: escaped
//! for JSON, a shell or HTML, percent-encoded, in base64 (both alphabets, any alignment, wrapped), in hex. Forms may be
//! mixed and nested. What is cut is cut after this, or with [`Redactor::redact_cut`], so that no part of a value is left.

mod pattern;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use self::pattern::{Found, Pattern, is_base64};
use super::Secret;

/// What a secret is replaced by.
pub const REDACTED: &str = "[redacted]";

/// Recognises the values that it has learned.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Known>);

#[derive(Clone, Default)]
struct Known {
    values: BTreeSet<String>,
    patterns: Vec<Pattern>,
    /// For each byte whether a pattern may begin with it: all others are passed over without a look.
    begins: Vec<bool>,
}

/// What a look at a text found.
struct Scanned {
    /// The text without the values.
    shown: String,
    /// Where in the text something begins that may turn out to be a value once there is more of it.
    open: Option<usize>,
}

impl Redactor {
    /// Values shorter than this are not replaced: they would blank ordinary text.
    const SHORTEST: usize = 4;

    /// Adds a value to keep out.
    pub fn learn(&mut self, secret: &Secret) {
        let value = secret.reveal().trim();
        if value.len() < Self::SHORTEST || self.0.values.contains(value) {
            return;
        }
        let known = Arc::make_mut(&mut self.0);
        known.values.insert(value.to_owned());
        known.begins.resize(256, false);
        for pattern in Pattern::of(value) {
            for byte in pattern.begins() {
                known.begins[usize::from(*byte)] = true;
            }
            known.patterns.push(pattern);
        }
    }

    /// Whether there is nothing to keep out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.patterns.is_empty()
    }

    /// `text` without the values.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.scan(text, true).shown
    }

    /// The beginning of a longer text without the values, and without what may be the beginning of one at its end, if it
    /// is long enough to say anything.
    #[must_use]
    pub fn redact_cut(&self, text: &str) -> String {
        let Scanned { mut shown, open } = self.scan(text, false);
        if let Some(rest) = open.map(|open| &text[open..]) {
            shown.push_str(if rest.len() < Self::SHORTEST { rest } else { REDACTED });
        }
        shown
    }

    /// The beginning of `text` without the values, `most` bytes at most: they are taken out before it is cut.
    #[must_use]
    pub fn redact_to(&self, text: &str, most: usize) -> String {
        let mut shown = self.redact(text);
        let cut = shown.floor_char_boundary(most);
        if cut < shown.len() {
            shown.truncate(cut);
            shown.push('…');
        }
        shown
    }

    /// `value` with every text in it redacted, field names too, and numbers that are a value.
    #[must_use]
    pub fn redact_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        if self.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.redact(&text)),
            Value::Number(number) if self.0.values.contains(&number.to_string()) => Value::String(REDACTED.to_owned()),
            Value::Array(items) => items.into_iter().map(|item| self.redact_json(item)).collect(),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(name, v)| (self.redact(&name), self.redact_json(v))).collect())
            }
            other => other,
        }
    }

    /// Looks for values. With `whole` the text is at its end; without, it is only looked at up to where a value may
    /// have begun.
    fn scan(&self, text: &str, whole: bool) -> Scanned {
        let bytes = text.as_bytes();
        let mut shown = String::with_capacity(text.len());
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            if self.0.begins.get(usize::from(bytes[at])) != Some(&true) {
                at += 1;
                continue;
            }
            let found: Found = self.0.patterns.iter().map(|pattern| pattern.at(bytes, at)).sum();
            if found.open && !whole {
                shown.push_str(&text[copied..at]);
                return Scanned { shown, open: Some(at) };
            }
            match found.end.filter(|end| text.is_char_boundary(*end)) {
                Some(end) => {
                    let before = &text[copied..at];
                    let shared = usize::from(found.shares && before.bytes().last().is_some_and(is_base64));
                    shown.push_str(&before[..before.len() - shared]);
                    shown.push_str(REDACTED);
                    (copied, at) = (end, end);
                }
                None => at += 1,
            }
        }
        shown.push_str(&text[copied..]);
        Scanned { shown, open: None }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} values)", self.0.values.len())
    }
}

/// A stream of text from outside, with secrets taken out even where two pieces meet.
#[derive(Debug, Default)]
pub struct RedactedStream {
    redactor: Redactor,
    held: String,
}

impl RedactedStream {
    /// Takes out what `redactor` knows.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, held: String::new() }
    }

    /// From now on `redactor` decides, also about what is held back: it has learned more values meanwhile.
    pub fn update(&mut self, redactor: Redactor) {
        self.redactor = redactor;
    }

    /// More text; gives what may be shown of it and of what was held back.
    pub fn push(&mut self, more: &str) -> String {
        if self.redactor.is_empty() {
            return more.to_owned();
        }
        self.held.push_str(more);
        let Scanned { shown, open } = self.redactor.scan(&self.held, false);
        self.held = open.map(|open| self.held.split_off(open)).unwrap_or_default();
        shown
    }

    /// The end of the stream: what was held back is whole.
    pub fn finish(&mut self) -> String {
        self.redactor.redact(&std::mem::take(&mut self.held))
    }

    /// The stream was cut off here: what was held back may be the beginning of a value, and is never shown.
    pub fn cut(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests;
