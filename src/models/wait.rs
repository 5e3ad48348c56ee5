//! How long a server asks to wait: in a header, in the body of its refusal, or in words.
//!
//! Servers agree on nothing here, so every known form is read, from the most exact to the vaguest. What cannot be read
//! is no wait at all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::core::wait::{length, moment, seconds};

/// The wait that a refusal asks for. `limited`: it is about a limit, so that the headers with its state are about it.
pub(super) fn asked(headers: &HeaderMap, body: &str, limited: bool, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(wait) = text("retry-after-ms").and_then(|ms| seconds(ms.parse::<f64>().ok()? / 1_000.0)) {
        return Some(wait);
    }
    if let Some(after) = text("retry-after") {
        return moment(after, now);
    }
    let json = serde_json::from_str::<Value>(body).ok();
    let stated = match &json {
        Some(value) => in_fields(value, 0),
        None => in_words(body),
    };
    stated.or_else(|| if limited { reset(headers, now) } else { None })
}

/// The fields that state a wait, wherever they are in a body; then its sentences.
fn in_fields(value: &Value, depth: usize) -> Option<Duration> {
    const IN_SECONDS: [&str; 6] =
        ["retryDelay", "retry_delay", "retry_after", "retryAfter", "retry_after_seconds", "estimated_time"];
    if depth > 6 {
        return None;
    }
    match value {
        Value::Object(fields) => {
            if let Some(ms) = ["retry_after_ms", "retryAfterMs"].iter().find_map(|name| fields.get(*name)?.as_f64()) {
                return seconds(ms / 1_000.0);
            }
            let named = IN_SECONDS.iter().find_map(|name| match fields.get(*name)? {
                Value::Number(number) => seconds(number.as_f64()?),
                Value::String(text) => length(text),
                other => seconds(other.get("seconds")?.as_f64()?),
            });
            named.or_else(|| fields.values().find_map(|inner| in_fields(inner, depth + 1)))
        }
        Value::Array(items) => items.iter().find_map(|inner| in_fields(inner, depth + 1)),
        Value::String(text) => in_words(text),
        _ => None,
    }
}

fn in_words(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let leads = ["try again in ", "retry in ", "retry after ", "wait for ", "wait ", "available in ", "reset in "];
    leads.iter().find_map(|lead| {
        let (at, _) = lower.match_indices(lead).next()?;
        length(lower.get(at + lead.len()..)?)
    })
}

/// When a limit is lifted, by the headers that tell its state: the latest of those that are used up; where none says
/// that it is, the earliest.
fn reset(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let (mut used_up, mut others) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        let name = name.as_str();
        if !name.contains("ratelimit") || !name.contains("reset") {
            continue;
        }
        let Some(wait) = value.to_str().ok().and_then(|text| moment(text.trim(), now)) else { continue };
        let left = headers.get(name.replace("reset", "remaining"));
        let left = left.and_then(|left| left.to_str().ok()).and_then(|left| left.trim().parse::<f64>().ok());
        if left.is_some_and(|left| left <= 0.0) { used_up.push(wait) } else { others.push(wait) }
    }
    used_up.into_iter().max().or_else(|| others.into_iter().min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z").unwrap().to_utc()
    }

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
        };
        all.iter().map(pair).collect()
    }

    fn millis(found: Option<Duration>) -> Option<u128> {
        found.map(|wait| wait.as_millis())
    }

    #[test]
    fn a_header_is_seconds_milliseconds_a_length_or_a_date() {
        for (name, value, wait) in [
            ("retry-after", "2", Some(2_000)),
            ("retry-after", "0.5", Some(500)),
            ("retry-after", "2s", Some(2_000)),
            ("retry-after", "1m30s", Some(90_000)),
            ("retry-after", "250 ms", Some(250)),
            ("retry-after-ms", "1500", Some(1_500)),
            ("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
            ("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("retry-after", "2026-11-20T10:02:00Z", Some(120_000)),
            ("retry-after", "1795168805", Some(5_000)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
            ("retry-after", "1e300", None),
        ] {
            let found = asked(&headers(&[(name, value)]), "", true, now());
            assert_eq!(millis(found), wait, "{name}: {value}");
        }
    }

    #[test]
    fn a_body_states_it_in_a_field_or_in_a_sentence() {
        for (body, wait) in [
            (r#"{"error":{"code":429,"details":[{"@type":"x/RetryInfo","retryDelay":"34s"}]}}"#, Some(34_000)),
            (r#"[{"error":{"details":[{"retryDelay":{"seconds":3}}]}}]"#, Some(3_000)),
            (r#"{"error":{"message":"Rate limit reached. Please try again in 2s."}}"#, Some(2_000)),
            (r#"{"error":{"message":"Please try again in 7m12.5s. Visit"}}"#, Some(432_500)),
            (r#"{"error":"Please try again in 345ms"}"#, Some(345)),
            (r#"{"detail":"Please retry after 20 seconds."}"#, Some(20_000)),
            ("please wait 1 minute and 5 seconds before", Some(65_000)),
            (r#"{"error":"x is currently loading","estimated_time":20.5}"#, Some(20_500)),
            (r#"{"retry_after_ms":150}"#, Some(150)),
            (r#"{"retry_after":"3"}"#, Some(3_000)),
            (r#"{"error":"try again in a while"}"#, None),
            (r#"{"error":"wait"}"#, None),
            ("", None),
        ] {
            assert_eq!(millis(asked(&HeaderMap::new(), body, true, now())), wait, "{body}");
        }
    }

    #[test]
    fn the_state_of_a_limit_says_when_it_is_lifted() {
        for (all, wait) in [
            (&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")][..], Some(1_000)),
            (
                &[
                    ("x-ratelimit-reset-requests", "1s"),
                    ("x-ratelimit-remaining-requests", "9"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                ][..],
                Some(360_000),
            ),
            (
                &[
                    ("anthropic-ratelimit-requests-reset", "2026-11-20T10:00:09Z"),
                    ("anthropic-ratelimit-requests-remaining", "0"),
                ][..],
                Some(9_000),
            ),
            (&[("x-ratelimit-reset", "1795168804000")][..], Some(4_000)),
            (&[("x-ratelimit-limit", "5")][..], None),
        ] {
            assert_eq!(millis(asked(&headers(all), "", true, now())), wait, "{all:?}");
            assert_eq!(asked(&headers(all), "", false, now()), None, "such headers are on every answer");
        }
    }
}
