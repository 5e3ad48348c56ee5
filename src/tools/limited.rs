//! JSON of which no more is kept than a limit allows: a value that is larger as a whole is passed over, without being
//! in memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What each value takes besides its text, in bytes.
const NODE: usize = 64;

/// Reads a value into at most as many bytes; `None`: it is larger, and what was read of it is dropped.
pub struct Limited<'a>(pub &'a mut usize);

impl Limited<'_> {
    fn takes(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes.saturating_add(NODE));
        *self.0 = left.unwrap_or_default();
        left.is_some()
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(mut self) -> Result<Option<Value>, E> {
        Ok(self.takes(0).then_some(Value::Null))
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<Option<Value>, E> {
        Ok(self.takes(0).then_some(Value::Bool(value)))
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<Option<Value>, E> {
        Ok(self.takes(0).then(|| value.into()))
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<Option<Value>, E> {
        Ok(self.takes(0).then(|| value.into()))
    }

    fn visit_f64<E>(mut self, value: f64) -> Result<Option<Value>, E> {
        Ok(self.takes(0).then(|| Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(mut self, value: &str) -> Result<Option<Value>, E> {
        Ok(self.takes(value.len()).then(|| Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Option<Value>, A::Error> {
        let mut kept = self.takes(0).then(Vec::new);
        while let Some(list) = &mut kept {
            match items.next_element_seed(Limited(self.0))? {
                Some(Some(item)) => list.push(item),
                Some(None) => kept = None,
                None => return Ok(kept.map(Value::Array)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Option<Value>, A::Error> {
        let mut kept = self.takes(0).then(Map::new);
        while let Some(object) = &mut kept {
            let Some(name) = fields.next_key::<String>()? else { return Ok(kept.map(Value::Object)) };
            let fits = self.takes(name.len());
            match fields.next_value_seed(Limited(self.0))?.filter(|_| fits) {
                Some(value) => drop(object.insert(name, value)),
                None => kept = None,
            }
        }
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, limit: usize) -> Option<Value> {
        let mut left = limit;
        let mut reader = serde_json::Deserializer::from_reader(text.as_bytes());
        let value = Limited(&mut left).deserialize(&mut reader).unwrap();
        reader.end().unwrap();
        value
    }

    #[test]
    fn a_value_is_kept_whole_or_not_at_all() {
        let value = json!({"a": [1, -2, 2.5, null, true, "text"], "b": {"c": {}}});
        assert_eq!(read(&value.to_string(), 10_000), Some(value.clone()));
        for limit in 0..600 {
            assert_eq!(read(&value.to_string(), limit), None, "{limit}");
        }
        assert_eq!(read(&json!(["x".repeat(2_000), 1]).to_string(), 2_000), None);
    }
}
