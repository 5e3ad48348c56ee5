//! Lengths of time and moments as servers write them: what a `Retry-After` says, in a header or elsewhere.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// So many seconds; `None` where that is no length of time.
#[must_use]
pub fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// A number of seconds, a length of time, a date or a second of the Unix epoch, as a wait from `now`.
#[must_use]
pub fn moment(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let until = |at: DateTime<Utc>| (at - now).to_std().unwrap_or_default();
    if let Ok(number) = text.parse::<f64>() {
        // No wait is thirty years; seconds of the epoch, or its milliseconds, are.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range, and a cast saturates")]
        return match number {
            n if n >= 1e12 => DateTime::from_timestamp_millis(n as i64).map(until),
            n if n >= 1e9 => DateTime::from_timestamp(n as i64, 0).map(until),
            n => seconds(n),
        };
    }
    let date = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    date.map(|at| until(at.to_utc())).ok().or_else(|| length(text))
}

/// A length of time at the beginning of a text: `2s`, `6m0s`, `1 minute 30 seconds`, `345ms`; a bare number is seconds.
#[must_use]
pub fn length(text: &str) -> Option<Duration> {
    let mut rest = text.trim_start();
    let mut total: Option<f64> = None;
    loop {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        // A full stop that ends the sentence is none of a number.
        let number = rest[..digits].trim_end_matches('.');
        let Ok(value) = number.parse::<f64>() else { break };
        let after = rest[digits..].trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let factor = match after[..letters].to_ascii_lowercase().as_str() {
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            _ if total.is_none() => return seconds(value),
            _ => break,
        };
        total = Some(total.unwrap_or_default() + value * factor);
        rest = after[letters..].trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    total.and_then(seconds)
}
