//! Fields of answers that servers fill in ways of their own, and calls of tools, which most protocols write alike.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::partial_answer::PartialAnswer;
use super::tool_calls::CallPiece;

/// A call, or a piece of one, as chat completions and Ollama write it.
#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(default, deserialize_with = "lenient_index")]
    index: Option<u64>,
    #[serde(borrow, default)]
    id: LenientText<'a>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
    /// What goes back with a call to who signed it, by the names of several services.
    #[serde(default)]
    extra_content: Option<Value>,
    #[serde(default)]
    provider_specific_fields: Option<Value>,
    #[serde(default)]
    thought_signature: Option<Value>,
}

#[derive(Default, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(default, deserialize_with = "lenient_index")]
    index: Option<u64>,
    #[serde(borrow, default)]
    name: LenientText<'a>,
    #[serde(borrow, default)]
    arguments: LenientText<'a>,
}

/// Takes the calls of a frame.
pub(super) fn push_calls(calls: Vec<ToolCall<'_>>, answer: &mut PartialAnswer) {
    let several = calls.len() > 1;
    for (nth, call) in calls.into_iter().enumerate() {
        let function = call.function.unwrap_or_default();
        let (id, name, arguments) = (&*call.id.text, &*function.name.text, &*function.arguments.text);
        // Of calls that come together, without a number or an id, the place is the number.
        let place = (several && id.is_empty()).then(|| u64::try_from(nth).unwrap_or_default());
        let index = call.index.or(function.index).or(place);
        let at = answer.push_call(CallPiece { index, id, name, arguments });
        for (field, value) in [
            ("extra_content", call.extra_content),
            ("provider_specific_fields", call.provider_specific_fields),
            ("thought_signature", call.thought_signature),
        ] {
            if let Some(value) = value.filter(|value| !value.is_null()) {
                answer.keep_with_call(at, field, value);
            }
        }
    }
}

/// Takes a call in the form that there was before there could be several.
pub(super) fn push_function_call(call: &Function<'_>, answer: &mut PartialAnswer) {
    let (name, arguments) = (&*call.name.text, &*call.arguments.text);
    answer.push_call(CallPiece { name, arguments, ..CallPiece::default() });
}

/// A number, or nothing where it is something else.
fn lenient_index<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_u64().or_else(|| value.as_str()?.parse().ok()))
}

/// Text, or nothing where it is something else.
pub(super) fn lenient_text<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    let text = LenientText::deserialize(deserializer)?.text;
    Ok((!text.is_empty()).then_some(text))
}

/// Text that may be absent, null, or a list of parts of which those with a `text` count; those with `thinking` are
/// reasoning.
#[derive(Default)]
pub(super) struct LenientText<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) thinking: String,
}

impl<'a> LenientText<'a> {
    fn of(text: Cow<'a, str>) -> Self {
        Self { text, thinking: String::new() }
    }
}

/// The text of a part of a message, which may be made of parts again.
fn text_within(part: &Value) -> String {
    match part {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_within).collect(),
        Value::Object(fields) => fields.get("text").map(text_within).unwrap_or_default(),
        _ => String::new(),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LenientText<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> serde::de::Visitor<'de> for Any {
            type Value = LenientText<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(LenientText::default())
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Owned(value.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Owned(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(LenientText::of(Cow::Owned(number.to_string())))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let (mut text, mut thinking) = (String::new(), String::new());
                while let Some(part) = parts.next_element::<Value>()? {
                    match part.get("thinking") {
                        Some(thought) => thinking.push_str(&text_within(thought)),
                        None => text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default()),
                    }
                }
                Ok(LenientText { text: Cow::Owned(text), thinking })
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                // A tool's arguments as an object instead of as text.
                let value = Value::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(LenientText::of(Cow::Owned(value.to_string())))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
