//! Moments of a recording, as the forms of transcripts write them.

use std::fmt;

/// A moment of a recording, in milliseconds from its beginning. It is shown as `0:07`, `12:40` or `1:02:03`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Of a number of seconds.
    #[must_use]
    pub fn of_seconds(seconds: f64) -> Option<Self> {
        // More than ten years is no time of a recording.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in these bounds")]
        (0.0..3e8).contains(&seconds).then(|| Self((seconds * 1_000.0).round() as u64))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if hours > 0 { write!(f, "{hours}:{minutes:02}:{seconds:02}") } else { write!(f, "{minutes}:{seconds:02}") }
    }
}

/// The moment that a text begins with, and what follows: `1:02`, `00:01:02,500`, `123:00:00.000`. The hours have as many
/// digits as they like.
pub fn moment(text: &str) -> Option<(Moment, &str)> {
    let (first, rest) = number(text, 6)?;
    let (second, rest) = two_digits(rest.strip_prefix(':')?)?;
    let third = rest.strip_prefix(':').and_then(two_digits);
    let (hours, minutes, seconds, rest) = match third {
        Some((third, rest)) => (first, second, third, rest),
        None => (0, first, second, rest),
    };
    if seconds > 59 || (third.is_some() && minutes > 59) {
        return None;
    }
    let (millis, rest) = rest.strip_prefix(['.', ',']).and_then(fraction).unwrap_or((0, rest));
    if rest.starts_with(|c: char| c.is_alphanumeric() || c == ':') {
        return None;
    }
    Some((Moment(((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis), rest))
}

/// The two moments between which something is said, and what follows: `A --> B`, `A - B`, `A,B`.
pub fn span<'t>(text: &'t str, arrows: &[&str]) -> Option<(Moment, Moment, &'t str)> {
    let (start, rest) = moment(text)?;
    let rest = rest.trim_start();
    let rest = arrows.iter().find_map(|arrow| rest.strip_prefix(arrow))?;
    let (end, rest) = moment(rest.trim_start())?;
    Some((start, end, rest))
}

fn number(text: &str, most: usize) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    (length <= most).then(|| digits.parse().ok()).flatten().map(|number| (number, rest))
}

fn two_digits(text: &str) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    (length == 2).then(|| number(text, 2)).flatten()
}

/// The digits behind a point, as milliseconds.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    let millis = format!("{digits:0<3}");
    (length > 0).then(|| millis.get(..3)?.parse().ok()).flatten().map(|millis| (millis, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_every_form_writes_it() {
        for (text, millis, rest) in [
            ("0:07", 7_000, ""),
            ("00:01:02.500 x", 62_500, " x"),
            ("00:01:02,5", 62_500, ""),
            ("123:00:00.000", 442_800_000, ""),
            ("90:12] y", 5_412_000, "] y"),
            ("1:02:03 - z", 3_723_000, " - z"),
            ("01:02.1234", 62_123, ""),
            ("1:00, and", 60_000, ", and"),
        ] {
            assert_eq!(moment(text), Some((Moment(millis), rest)), "{text}");
        }
        for text in ["", "1", "1:2", "1:60", "0:60:00", "1:02:03:04", "1:02pm", "x", "12345678:00", ":10", "1:234"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_shown_as_short_as_it_can_be() {
        for (millis, shown) in [(0, "0:00"), (62_900, "1:02"), (3_599_000, "59:59"), (93_784_000, "26:03:04")] {
            assert_eq!(Moment(millis).to_string(), shown);
        }
        assert_eq!(Moment::of_seconds(1.0625), Some(Moment(1_063)));
        assert!([-1.0, f64::NAN, 1e300].into_iter().all(|seconds| Moment::of_seconds(seconds).is_none()));
    }
}
