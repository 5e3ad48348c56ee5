//! HTTP as the providers need it: clients that are built when first used, and what a refusal means.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode, Url, redirect};
use serde_json::Value;

use crate::core::failure::FailureClass;

use super::dialect::{Cause, ProviderError};

/// A host that does not answer a connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The clients of the process. Building one with TLS reads the system's certificates, which takes longer than the
/// whole start of the program may.
#[derive(Default)]
pub(super) struct Clients {
    tls: OnceLock<Client>,
    plain: OnceLock<Client>,
    local: OnceLock<Client>,
}

impl Clients {
    /// The client for an address. No redirect is ever followed: neither key nor prompt goes where no config sent it.
    pub(super) fn client(&self, url: &Url) -> Result<Client, ProviderError> {
        let (plain, local) = (url.scheme() != "https", is_local(url));
        let cell = match (plain, local) {
            (false, _) => &self.tls,
            (true, false) => &self.plain,
            (true, true) => &self.local,
        };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("stepwell/", env!("CARGO_PKG_VERSION")));
        if plain {
            let no_roots = rustls::RootCertStore::empty();
            let tls = rustls::ClientConfig::builder().with_root_certificates(no_roots).with_no_client_auth();
            builder = builder.tls_backend_preconfigured(tls);
        }
        if plain && local {
            // A proxy of the environment is for the world, not for this machine.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            ProviderError::new(FailureClass::Network, format!("no HTTP client could be made: {}", chain(&error)))
        })?;
        Ok(cell.get_or_init(|| client).clone())
    }
}

/// Whether an address is on this machine.
pub(super) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// An error and its causes in one line, without the address (it may hold what nobody should read).
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// What an error of the client means.
pub(super) fn client_error(error: reqwest::Error) -> ProviderError {
    let error = error.without_url();
    let failed = |what| ProviderError::new(FailureClass::Network, format!("{what} ({})", chain(&error)));
    if error.is_connect() {
        failed("could not be reached").because(Cause::Unreachable)
    } else {
        failed("broke the connection")
    }
}

/// What an answer with a status other than 200 means. `body` is what came with it.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &str) -> ProviderError {
    let said = message_in(body);
    let lower = said.to_ascii_lowercase();
    let too_long = [
        "context_length",
        "context length",
        "context window",
        "maximum context",
        "prompt is too long",
        "too many tokens",
        "exceed_context_size",
    ];
    let class = match status.as_u16() {
        // 402: the account has run out of money. Like a bad key it does not heal by trying again.
        401..=403 => FailureClass::Auth,
        408 | 504 => FailureClass::Timeout,
        413 => FailureClass::TooLong,
        429 => FailureClass::RateLimit,
        400 | 422 if too_long.iter().any(|words| lower.contains(words) || body.contains(words)) => {
            FailureClass::TooLong
        }
        500.. => FailureClass::Server,
        _ => FailureClass::BadRequest,
    };
    if status.is_redirection() {
        // Said as it came: the address is the server's, and the key was not sent there.
        let to = headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
        return ProviderError::new(class, format!("redirects to {to}, which is not followed"))
            .because(Cause::Redirected);
    }
    let said = if said.is_empty() { "nothing more".to_owned() } else { said };
    let error = ProviderError::new(class, format!("answered {status}: {said}"));
    if status == StatusCode::NOT_FOUND { error.because(Cause::NotFound) } else { error }
}

/// The words in an error's body: of JSON the message, else the text itself.
fn message_in(body: &str) -> String {
    let words = |value: &Value| {
        let error = value.get("error").unwrap_or(value);
        let message = ["message", "detail", "error"].iter().find_map(|name| error.get(*name));
        Some(message.unwrap_or(error).as_str()?.to_owned())
    };
    let parsed = serde_json::from_str::<Value>(body).ok();
    parsed.as_ref().and_then(words).unwrap_or_else(|| body.trim().to_owned())
}

/// How long the server asks to wait, in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = |seconds: f64, factor: f64| Duration::try_from_secs_f64(seconds * factor).ok();
    let wait = if let Some(ms) = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok()) {
        millis(ms, 0.001)?
    } else {
        let after = text("retry-after")?;
        match after.parse::<f64>() {
            Ok(seconds) => millis(seconds, 1.0)?,
            Err(_) => (DateTime::parse_from_rfc2822(after).ok()?.to_utc() - now).to_std().unwrap_or_default(),
        }
    };
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn each_status_has_its_class() {
        for (status, body, class) in [
            (401, "", FailureClass::Auth),
            (402, "", FailureClass::Auth),
            (403, "", FailureClass::Auth),
            (404, "{\"error\":\"model 'x' not found\"}", FailureClass::BadRequest),
            (400, "{\"error\":{\"message\":\"bad temperature\"}}", FailureClass::BadRequest),
            (400, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"m\"}}", FailureClass::TooLong),
            (400, "{\"error\":{\"message\":\"prompt is too long: 9 > 5\"}}", FailureClass::TooLong),
            (408, "", FailureClass::Timeout),
            (413, "", FailureClass::TooLong),
            (429, "", FailureClass::RateLimit),
            (500, "<html>", FailureClass::Server),
            (529, "", FailureClass::Server),
            (302, "", FailureClass::BadRequest),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refusal(status, &HeaderMap::new(), body).class, class, "{status} {body}");
        }
    }

    #[test]
    fn there_is_a_client_for_every_address() {
        let clients = Clients::default();
        for (url, local) in [
            ("https://api.example.com/v1", false),
            ("http://10.0.0.7:8080", false),
            ("http://127.0.0.1:11434", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://localhost.example.com", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_local(&url), local, "{url}");
            assert!(clients.client(&url).is_ok() && clients.client(&url).is_ok(), "{url}");
        }
    }

    #[test]
    fn the_servers_words_are_found() {
        for (body, words) in [
            (r#"{"error":{"message":"m"}}"#, "m"),
            (r#"{"type":"error","error":{"type":"t","message":"m"}}"#, "m"),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            (" plain \n", "plain"),
        ] {
            assert_eq!(message_in(body), words);
        }
    }

    #[test]
    fn retry_after_is_seconds_milliseconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z").unwrap().to_utc();
        for (name, value, wait) in [
            ("retry-after", "2", Some(2000)),
            ("retry-after", "0.5", Some(500)),
            ("retry-after-ms", "1500", Some(1500)),
            ("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT", Some(30_000)),
            ("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            assert_eq!(retry_after(&headers, now), wait, "{name}: {value}");
        }
    }
}
