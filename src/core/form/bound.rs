//! The least and the greatest of a field, compared exactly.
//!
//! A 64-bit float holds integers exactly as far as 2^53. Version 0.1.0 kept every bound as a float, and what it wrote is read
//! and written as it was; an integer that a float does not hold is kept as it is.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// A bound of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// As a float.
    Float(f64),
    /// An integer that a float does not hold.
    Integer(i128),
}

impl Bound {
    /// This number as a bound.
    #[must_use]
    pub fn of(number: &Number) -> Option<Self> {
        match number.as_i128() {
            Some(integer) => {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    reason = "whether it does is asked"
                )]
                let exact = (integer as f64) as i128 == integer;
                #[expect(clippy::cast_precision_loss, reason = "none is lost")]
                Some(if exact { Self::Float(integer as f64) } else { Self::Integer(integer) })
            }
            None => number.as_f64().map(Self::Float),
        }
    }

    /// As a JSON number, whole where it is.
    #[must_use]
    pub fn value(self) -> Value {
        let float = match self {
            Self::Float(bound) => Number::from_f64(bound),
            Self::Integer(_) => None,
        };
        self.whole().and_then(Number::from_i128).or(float).map_or(Value::Null, Value::Number)
    }

    /// The integer that it is.
    fn whole(self) -> Option<i128> {
        match self {
            Self::Integer(bound) => Some(bound),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of 64 bits")]
            Self::Float(bound) if bound.fract() == 0.0 && bound.abs() < 18_446_744_073_709_551_616.0 => {
                Some(bound as i128)
            }
            Self::Float(_) => None,
        }
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(other)),
            (Self::Float(one), Self::Float(other)) => one.partial_cmp(other),
            (Self::Integer(one), Self::Float(other)) => with_float(*one, *other),
            (Self::Float(one), Self::Integer(other)) => with_float(*other, *one).map(Ordering::reverse),
        }
    }
}

/// How an integer compares with a float: by the whole part, which is exact, then by what is behind the point.
fn with_float(integer: i128, float: f64) -> Option<Ordering> {
    #[expect(clippy::cast_possible_truncation, reason = "what is beyond is the greatest or the least")]
    let whole = float.trunc() as i128;
    Some(integer.cmp(&whole).then(0.0.partial_cmp(&float.fract())?))
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(bound) => bound.fmt(f),
            Self::Integer(bound) => bound.fmt(f),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Float(bound) => serializer.serialize_f64(*bound),
            Self::Integer(_) => self.value().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        Self::of(&number).ok_or_else(|| serde::de::Error::custom("a number is expected"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bound(json: &str) -> Bound {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn integers_that_a_float_does_not_hold_are_compared_exactly() {
        for (least, equal, greatest) in [
            ("9007199254740992", "9007199254740993", "9007199254740994"),
            ("-9007199254740994", "-9007199254740993", "-9007199254740992"),
            ("9223372036854775806", "9223372036854775807", "9223372036854775808"),
            ("18446744073709551613", "18446744073709551614", "18446744073709551615"),
            ("0.5", "1", "1.5"),
            ("-1.5", "-1.0", "-0.5"),
            ("9007199254740992.0", "9007199254740993", "1e30"),
            ("-1e300", "-9223372036854775808", "0"),
        ] {
            let of = bound(equal);
            assert!(of > bound(least), "{equal} and {least}");
            assert_eq!(of, bound(equal), "{equal}");
            assert!(of < bound(greatest), "{equal} and {greatest}");
        }
        assert_eq!(bound("-0.0"), bound("0"));
    }

    #[test]
    fn what_version_0_1_0_wrote_is_written_as_it_was() {
        for written in ["1.0", "2.5", "9007199254740992.0", "1.152921504606847e18"] {
            let again: Value = serde_json::to_value(bound(written)).unwrap();
            assert_eq!(again, serde_json::from_str::<Value>(written).unwrap(), "{written}");
        }
        assert_eq!(serde_json::to_string(&bound("1")).unwrap(), "1.0", "as it always was");
        assert_eq!(serde_json::to_string(&bound("9007199254740993")).unwrap(), "9007199254740993");
        assert_eq!((bound("3").value(), bound("2.5").value()), (json!(3), json!(2.5)));
        assert_eq!(bound("9007199254740993").to_string(), "9007199254740993");
        assert_eq!(bound("12").to_string(), "12");
    }
}
