//! How a model is asked to answer: what a step, a role and a provider may each set, the nearest of them first.
//!
//! What none of them sets is left to the server, and is neither sent nor part of a fingerprint.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::toml_reader::{Item, Table};

/// The rarer settings of a request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// Nucleus sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Texts at which the model stops.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// How much it thinks, in the service's word: `low`, `high`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<String>,
    /// Whether it thinks, for how many tokens at most, or what the service takes for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// What else goes into the body of the request, over everything else in it.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra_body: Map<String, Value>,
}

/// Whether a model thinks before it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Thinking {
    /// It does, or does not.
    Set(bool),
    /// It does, for at most so many tokens.
    Tokens(u32),
    /// Sent as it is.
    Raw(Map<String, Value>),
}

impl Thinking {
    /// Whether it does think.
    #[must_use]
    pub fn is_on(&self) -> bool {
        match self {
            Self::Set(on) => *on,
            Self::Tokens(tokens) => *tokens > 0,
            Self::Raw(fields) => fields.get("type").is_none_or(|kind| kind != "disabled"),
        }
    }
}

impl Tuning {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// This, with what it does not set from `base`. Of `extra_body` each field is set by itself.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let mut extra_body = base.extra_body.clone();
        merge(&mut extra_body, &self.extra_body);
        Self {
            top_p: self.top_p.or(base.top_p),
            stop: if self.stop.is_empty() { base.stop.clone() } else { self.stop.clone() },
            reasoning_effort: self.reasoning_effort.clone().or_else(|| base.reasoning_effort.clone()),
            thinking: self.thinking.clone().or_else(|| base.thinking.clone()),
            extra_body,
        }
    }

    /// Reads it from a table of a definition or of the config, whose mistakes it reports.
    #[must_use]
    pub fn read(table: &Table<'_>) -> Self {
        Self {
            top_p: table.get("top_p").and_then(|item| between(&item, 1.0)),
            stop: match table.get("stop") {
                Some(item) if item.is_text() => item.text().into_iter().map(|text| text.value).collect(),
                Some(item) => item.texts().unwrap_or_default().into_iter().map(|text| text.value).collect(),
                None => Vec::new(),
            },
            reasoning_effort: table.text("reasoning_effort"),
            thinking: table.get("thinking").and_then(|item| thinking(&item)),
            extra_body: table.get("extra_body").and_then(|item| fields(&item)).unwrap_or_default(),
        }
    }
}

/// All that a step or an instruct task sets of how its model answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelSettings {
    /// Sampling temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Sampling seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// The others.
    #[serde(flatten)]
    pub tuning: Tuning,
}

impl ModelSettings {
    /// The keys that [`ModelSettings::read`] reads.
    pub const KEYS: [&'static str; 8] =
        ["temperature", "max_tokens", "seed", "top_p", "stop", "reasoning_effort", "thinking", "extra_body"];

    /// Whether nothing is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Reads it from a table of a definition, whose mistakes it reports.
    #[must_use]
    pub fn read(table: &Table<'_>) -> Self {
        Self {
            temperature: table.get("temperature").and_then(|item| between(&item, 2.0)),
            max_tokens: table.count("max_tokens", 1),
            seed: table.get("seed").and_then(|item| item.integer()),
            tuning: Tuning::read(table),
        }
    }
}

/// The same settings where a role or a provider has them, with those that a step has by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelDefaults {
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u32>,
    /// The others.
    pub tuning: Tuning,
}

impl ModelDefaults {
    /// This, with what it does not set from `base`.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            temperature: self.temperature.or(base.temperature),
            max_tokens: self.max_tokens.or(base.max_tokens),
            tuning: self.tuning.over(&base.tuning),
        }
    }

    /// As [`Tuning::read`].
    #[must_use]
    pub fn read(table: &Table<'_>) -> Self {
        Self {
            temperature: table.get("temperature").and_then(|item| between(&item, 2.0)),
            max_tokens: table.count("max_tokens", 1),
            tuning: Tuning::read(table),
        }
    }
}

/// A number from 0 to `most`.
#[must_use]
pub fn between(item: &Item<'_>, most: f64) -> Option<f64> {
    let number = item.number()?;
    if !(0.0..=most).contains(&number) {
        item.error(format!("`{}` is from 0 to {most}, not {number}", item.name()));
    }
    Some(number)
}

fn thinking(item: &Item<'_>) -> Option<Thinking> {
    if let Some(set) = item.as_boolean() {
        return Some(Thinking::Set(set));
    }
    if item.is_table() {
        return fields(item).map(Thinking::Raw);
    }
    if item.is_text() || item.is_list() {
        item.error("`thinking` is true, false, a number of tokens, or a table that is sent as it is");
        return None;
    }
    item.count(1).map(Thinking::Tokens)
}

fn fields(item: &Item<'_>) -> Option<Map<String, Value>> {
    if !item.is_table() {
        item.error(format!("`{0}` is a table, `{0} = {{ name = … }}`", item.name()));
        return None;
    }
    match item.json()? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Lays `over` over `base`, tables within tables.
pub fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (name, value) in over {
        match (base.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_nearest_sets_and_the_rest_comes_from_farther_away() {
        let extra = |value: Value| value.as_object().cloned().unwrap_or_default();
        let near = Tuning { top_p: Some(0.5), extra_body: extra(json!({"a": {"x": 1}})), ..Tuning::default() };
        let far = Tuning {
            top_p: Some(0.9),
            stop: vec!["END".into()],
            extra_body: extra(json!({"a": {"x": 2, "y": 3}, "b": 4})),
            ..Tuning::default()
        };
        let both = near.over(&far);
        assert_eq!((both.top_p, both.stop), (Some(0.5), vec!["END".to_owned()]));
        assert_eq!(Value::Object(both.extra_body), json!({"a": {"x": 1, "y": 3}, "b": 4}));
    }

    #[test]
    fn nothing_set_is_nothing_written() {
        assert_eq!(serde_json::to_string(&Tuning::default()).unwrap(), "{}");
        for (written, read) in [("true", Thinking::Set(true)), ("2000", Thinking::Tokens(2_000))] {
            assert_eq!(serde_json::from_str::<Thinking>(written).unwrap(), read);
        }
        assert!(!Thinking::Set(false).is_on() && Thinking::Tokens(9).is_on());
    }
}
