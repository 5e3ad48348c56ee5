//! Values between JavaScript and JSON. What has no JSON form is named with its place, never dropped silently.

use rquickjs::function::This;
use rquickjs::{Array, BigInt, Coerced, Ctx, FromJs as _, Function, Object, Type, Value as Js};
use serde_json::{Map, Number, Value};

use crate::core::json;

/// Values are nested so deep at most.
const DEEPEST: usize = 100;
/// A value takes so many bytes at most.
const MOST_BYTES: usize = 16 << 20;

/// A JSON value in JavaScript.
///
/// # Errors
/// When memory runs out.
pub fn to_js<'js>(ctx: &Ctx<'js>, value: &Value) -> rquickjs::Result<Js<'js>> {
    match value {
        Value::String(text) => rquickjs::String::from_str(ctx.clone(), text).map(rquickjs::String::into_value),
        other if !has_big_integer(other) => ctx.json_parse(other.to_string()),
        Value::Number(number) => big_integer(ctx, number),
        Value::Array(items) => {
            let array = Array::new(ctx.clone())?;
            for (at, item) in items.iter().enumerate() {
                array.set(at, to_js(ctx, item)?)?;
            }
            Ok(array.into_value())
        }
        Value::Object(fields) => {
            let object = Object::new(ctx.clone())?;
            for (name, field) in fields {
                object.set(name.as_str(), to_js(ctx, field)?)?;
            }
            Ok(object.into_value())
        }
        other => ctx.json_parse(other.to_string()),
    }
}

/// The largest integer to which a JavaScript number is exact.
const MAX_SAFE: u64 = (1 << 53) - 1;

fn is_big(number: &Number) -> bool {
    number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs)).is_some_and(|size| size > MAX_SAFE)
}

fn has_big_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_big(number),
        Value::Array(items) => items.iter().any(has_big_integer),
        Value::Object(fields) => fields.values().any(has_big_integer),
        _ => false,
    }
}

/// A number as a script gets it: a `BigInt` where a JavaScript number would lose its last digits.
fn big_integer<'js>(ctx: &Ctx<'js>, number: &Number) -> rquickjs::Result<Js<'js>> {
    let big = match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => BigInt::from_i64(ctx.clone(), number)?,
        (None, Some(number)) => BigInt::from_u64(ctx.clone(), number)?,
        (None, None) => return ctx.json_parse(number.to_string()),
    };
    Ok(big.into_value())
}

/// A JavaScript value as JSON. `what` names it in errors.
///
/// # Errors
/// What has no JSON form, and where in the value it is.
pub fn to_json(value: &Js<'_>, what: &str) -> Result<Value, String> {
    let mut walk = Walk { path: what.to_owned(), bytes: 0, depth: 0 };
    walk.value(value)?.ok_or_else(|| format!("{what} is undefined"))
}

struct Walk {
    path: String,
    bytes: usize,
    depth: usize,
}

impl Walk {
    /// `None` for `undefined`.
    fn value(&mut self, value: &Js<'_>) -> Result<Option<Value>, String> {
        self.spend(8)?;
        Ok(Some(match value.type_of() {
            Type::Undefined | Type::Uninitialized => return Ok(None),
            Type::Null => Value::Null,
            Type::Bool => Value::Bool(value.as_bool().unwrap_or_default()),
            Type::Int => Value::from(value.as_int().unwrap_or_default()),
            Type::Float => self.number(value.as_float().unwrap_or_default())?,
            Type::String => {
                let text = value.as_string().map(text).unwrap_or_default();
                self.spend(text.len())?;
                Value::String(text)
            }
            Type::Array => self.array(value)?,
            Type::Function | Type::Constructor => return Err(self.no_json("a function")),
            Type::Promise => return Err(self.no_json("a promise; is an `await` missing?")),
            Type::Symbol => return Err(self.no_json("a symbol")),
            Type::BigInt => self.big_integer(value)?,
            _ => match value.as_object() {
                Some(object) => return self.object(object),
                None => return Err(self.no_json("no JSON value")),
            },
        }))
    }

    fn big_integer(&self, value: &Js<'_>) -> Result<Value, String> {
        let digits = Coerced::<String>::from_js(value.ctx(), value.clone()).map_err(|error| error.to_string())?.0;
        if !json::fits(&digits) {
            return Err(format!("{} is an integer that does not fit 64 bits; use String", self.path));
        }
        json::parse(&digits).map_err(|error| format!("{}: {error}", self.path))
    }

    fn number(&self, number: f64) -> Result<Value, String> {
        // What is whole is an integer as far as 64 bits hold one; a double is exact there.
        const END: f64 = 9_223_372_036_854_775_808.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within what 64 bits hold")]
        if number.fract() == 0.0 && (-END..END).contains(&number) {
            return Ok(Value::from(number as i64));
        }
        Number::from_f64(number).map(Value::Number).ok_or_else(|| self.no_json(&number.to_string()))
    }

    fn array(&mut self, value: &Js<'_>) -> Result<Value, String> {
        let Some(array) = value.as_array() else { return Ok(Value::Null) };
        self.inward(|walk| {
            let length = array.len();
            let mut items = Vec::with_capacity(length.min(1_024));
            for at in 0..length {
                let item: Js<'_> = array.get(at).map_err(|error| format!("{}[{at}]: {error}", walk.path))?;
                items.push(walk.within(&format!("[{at}]"), |walk| walk.value(&item))?.unwrap_or(Value::Null));
            }
            Ok(Value::Array(items))
        })
    }

    fn object(&mut self, object: &Object<'_>) -> Result<Option<Value>, String> {
        // Dates and whatever else knows its own JSON.
        if let Ok(own) = object.get::<_, Function<'_>>("toJSON") {
            let path = self.path.clone();
            let value: Js<'_> = own.call((This(object.clone()),)).map_err(|error| format!("{path}: {error}"))?;
            return self.inward(|walk| walk.value(&value));
        }
        self.inward(|walk| {
            let mut fields = Map::new();
            for entry in object.props::<String, Js<'_>>() {
                let (name, value) = entry.map_err(|error| format!("{}: {error}", walk.path))?;
                walk.spend(name.len())?;
                if let Some(value) = walk.within(&format!(".{name}"), |walk| walk.value(&value))? {
                    fields.insert(name, value);
                }
            }
            Ok(Some(Value::Object(fields)))
        })
    }

    fn inward<T>(&mut self, look: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth == DEEPEST {
            return Err(self.no_json("nested too deep, or in a circle"));
        }
        self.depth += 1;
        let seen = look(self);
        self.depth -= 1;
        seen
    }

    fn within<T>(&mut self, part: &str, look: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        let length = self.path.len();
        self.path.push_str(part);
        let seen = look(self);
        self.path.truncate(length);
        seen
    }

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.bytes > MOST_BYTES {
            return Err(format!("{} makes the value larger than {} MB", self.path, MOST_BYTES >> 20));
        }
        Ok(())
    }

    fn no_json(&self, what: &str) -> String {
        let path = if self.path.chars().count() > 120 {
            self.path.chars().take(120).chain("…".chars()).collect()
        } else {
            self.path.clone()
        };
        format!("{path} is {what}, which is not JSON")
    }
}

/// A JavaScript string; half of a surrogate pair, which no UTF-8 can hold, is replaced.
pub fn text(string: &rquickjs::String<'_>) -> String {
    let well_formed = || {
        let strings: Object<'_> = string.as_value().ctx().globals().get("String").ok()?;
        let proto: Object<'_> = strings.get("prototype").ok()?;
        let mend: Function<'_> = proto.get("toWellFormed").ok()?;
        mend.call::<_, String>((This(string.clone()),)).ok()
    };
    string.to_string().ok().or_else(well_formed).unwrap_or_else(|| char::REPLACEMENT_CHARACTER.to_string())
}
