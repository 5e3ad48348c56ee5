//! What a server means when it sends something other than an answer: its words, the class of the failure, and what a
//! person can do something about.
//!
//! Every service words its refusals in its own way, and proxies wrap those of others. So the class goes by the status
//! where the status is clear, and by words that are known from real servers where it is not. Only what the server says
//! of the failure counts (messages, codes), not what it echoes of the request.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::core::failure::FailureClass;

use super::dialect::{Cause, ProviderError};
use super::tools_refused::{is_about_a_tools_schema, refuses_tools};

/// What the refused request was, as far as the words of a refusal may be about it.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    /// The model, without its provider.
    pub(super) model: &'a str,
    /// Whether pictures went with it.
    pub(super) images: bool,
    /// Whether tools were offered.
    pub(super) tools: bool,
}

/// What an answer with a status other than 200 means. `body` is what came with it.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &str, asked: Asked<'_>) -> ProviderError {
    if status.is_redirection() {
        // Said as it came: the address is the server's, and the key was not sent there.
        let to = headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
        return ProviderError::new(FailureClass::BadRequest, format!("redirects to {to}, which is not followed"))
            .because(Cause::Redirected);
    }
    let said = message_in(body);
    let (class, cause) = meaning(Some(status.as_u16()), &evidence(body), asked);
    let said = if said.is_empty() { "nothing more".to_owned() } else { said };
    ProviderError { cause, ..ProviderError::new(class, format!("answered {status}: {said}")) }
}

/// What an error object means that came in the place of an answer, or in the middle of one, after the status 200.
pub(super) fn in_answer(error: &Value, asked: Asked<'_>) -> ProviderError {
    let text = error.to_string();
    let status = status_in(error);
    let (class, cause) = meaning(status, &evidence(&text), asked);
    ProviderError { cause, ..ProviderError::new(class, words(error, 0).unwrap_or(text)) }
}

/// Whether a refusal says that the server is still loading the model.
pub(super) fn is_loading(status: StatusCode, body: &str) -> bool {
    let said = evidence(body);
    let loading = ["loading", "warming up", "starting up", "not ready", "being loaded", "initializing"];
    status == StatusCode::SERVICE_UNAVAILABLE && contains(&said, &loading) && !said.contains("failed to load")
}

/// What a refusal is judged by, in lower case: its words, and the codes that go with them.
pub(super) fn evidence(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        return body.chars().take(4_000).collect::<String>().to_lowercase();
    };
    let mut said = words(&value, 0).unwrap_or_default();
    codes(&value, 0, &mut said);
    said.to_lowercase()
}

fn codes(value: &Value, depth: usize, said: &mut String) {
    const NAMES: [&str; 8] = ["code", "type", "param", "status", "reason", "error_code", "raw", "loc"];
    match value {
        _ if depth > 6 => {}
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner {
                    Value::String(_) | Value::Array(_) if NAMES.contains(&name.as_str()) => {
                        let text = inner.as_str().map_or_else(|| inner.to_string(), str::to_owned);
                        said.push(' ');
                        said.push_str(&text);
                    }
                    _ => codes(inner, depth + 1, said),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| codes(inner, depth + 1, said)),
        _ => {}
    }
}

/// The status that an error object gives itself.
fn status_in(error: &Value) -> Option<u16> {
    let named = |value: &Value| {
        ["code", "status", "status_code", "http_code"].iter().find_map(|name| {
            let field = value.get(*name)?;
            let number = field.as_u64().or_else(|| field.as_str()?.parse().ok())?;
            u16::try_from(number).ok().filter(|status| (400..600).contains(status))
        })
    };
    named(error).or_else(|| named(error.get("error")?))
}

/// The class of a failure by its status, where there is one, and by what was said of it.
pub(super) fn meaning(status: Option<u16>, said: &str, asked: Asked<'_>) -> (FailureClass, Option<Cause>) {
    let has = |words: &[&str]| contains(said, words);
    let malformed = matches!(status, None | Some(400 | 404 | 422 | 500 | 501));
    // What the words say more exactly than the status.
    if matches!(status, None | Some(400 | 403 | 422 | 451)) && is_moderated(said) {
        return (FailureClass::Refused, Some(Cause::Moderated));
    }
    if status == Some(413) || status != Some(401) && is_too_long(said, status) {
        return (FailureClass::TooLong, None);
    }
    // 402: the account has run out of money. Like a bad key it does not heal by trying again.
    if status == Some(402) || is_spent(said) {
        return (FailureClass::Auth, Some(Cause::Spent));
    }
    let key = ["invalid api key", "api key not valid", "api_key_invalid", "incorrect api key", "invalid_api_key"];
    let key = |more: &[&str]| has(&key) || has(more);
    match status {
        Some(401) if names(said, asked.model) => (FailureClass::Auth, Some(Cause::NoAccess)),
        Some(401) => (FailureClass::Auth, Some(Cause::Key)),
        Some(403) if has(&["rate limit", "too many requests"]) => (FailureClass::RateLimit, None),
        Some(403) => (FailureClass::Auth, Some(Cause::NoAccess)),
        None | Some(400) if key(&["authentication_error", "invalid x-api-key"]) => {
            (FailureClass::Auth, Some(Cause::Key))
        }
        None if has(&["permission_error", "permission_denied"]) => (FailureClass::Auth, Some(Cause::NoAccess)),
        Some(429) => (FailureClass::RateLimit, None),
        None if has(&["rate_limit", "rate limit", "too many requests", "resource_exhausted"]) => {
            (FailureClass::RateLimit, None)
        }
        _ if malformed && asked.tools && refuses_tools(said) => (FailureClass::BadRequest, Some(Cause::Tools)),
        _ if malformed && asked.tools && is_about_a_tools_schema(said) => {
            (FailureClass::BadRequest, Some(Cause::ToolSchema))
        }
        _ if malformed && asked.images && is_about_pictures(said) => (FailureClass::BadRequest, Some(Cause::Pictures)),
        Some(404 | 405) if !has(&SCHEMA) => (FailureClass::BadRequest, Some(Cause::NotFound)),
        None | Some(400 | 422) if is_unknown_model(said) => (FailureClass::BadRequest, Some(Cause::NotFound)),
        Some(408 | 504) => (FailureClass::Timeout, None),
        None if has(&["timeout_error", "timed out"]) => (FailureClass::Timeout, None),
        None if has(&["invalid_request", "not_found_error", "bad request"]) => (FailureClass::BadRequest, None),
        None | Some(500..) => (FailureClass::Server, None),
        Some(_) => (FailureClass::BadRequest, None),
    }
}

/// Words that a refusal of a JSON Schema, or of what enforces it, has.
pub(super) const SCHEMA: [&str; 16] = [
    "response_format",
    "response format",
    "json_schema",
    "json schema",
    "json_object",
    "json mode",
    "schema",
    "structured output",
    "structured_output",
    "grammar",
    "guided",
    "tool_choice",
    "tool choice",
    "tools",
    "tool use",
    "output_config",
];

pub(super) fn contains(said: &str, words: &[&str]) -> bool {
    words.iter().any(|word| said.contains(word))
}

/// Whether every one of these is in it.
fn all(said: &str, words: &[&str]) -> bool {
    words.iter().all(|word| said.contains(word))
}

/// Whether a text has a name by itself, not as a part of a longer word.
pub(super) fn names(said: &str, name: &str) -> bool {
    let alone = |name: &str| {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        !name.is_empty()
            && said.match_indices(name).any(|(at, _)| {
                !said[..at].chars().next_back().is_some_and(inside)
                    && !said[at + name.len()..].chars().next().is_some_and(inside)
            })
    };
    let name = name.to_lowercase();
    // Of `openai/gpt-5`, behind a proxy, the service itself only knows the end.
    alone(&name) || name.rsplit_once('/').is_some_and(|(_, end)| alone(end))
}

fn is_moderated(said: &str) -> bool {
    contains(
        said,
        &[
            "content_filter",
            "content filter",
            "content management policy",
            "content policy",
            "content_policy",
            "content violat",
            "usage polic",
            "safety polic",
            "safety system",
            "responsible ai",
            "responsibleai",
            "moderation",
            "was flagged",
            "been flagged",
            "input_flagged",
            "flagged as",
            "flagged for",
            "flagged by",
            "inappropriate content",
            "prohibited content",
            "prohibited_content",
            "sensitive content",
            "unsafe content",
            "data_inspection_failed",
            "considered high risk",
            "content exists risk",
            "harmful",
        ],
    )
}

/// Every wording of a prompt that does not fit that is known, and their kinds.
fn is_too_long(said: &str, status: Option<u16>) -> bool {
    if status == Some(429) {
        // Above what a minute allows: waiting does not make it smaller.
        return contains(said, &["request too large", "request_too_large"]);
    }
    let more =
        ["exceed", "maximum", "too long", "too large", "longer", "larger", "greater", "overflow", "reached", "only"];
    let more = |kind: &[&str]| contains(said, kind) && contains(said, &more);
    contains(
        said,
        &[
            "context_length_exceeded",
            "context length exceeded",
            "contextwindowexceeded",
            "exceed_context_size",
            "model_context_window_exceeded",
            "string_above_max_length",
            "model_max_prompt_tokens_exceeded",
            "tokens_limit_reached",
            "request_too_large",
            "request too large",
            "request body too large",
            "payload too large",
            "prompt is too long",
            "prompt too long",
            "prompt tokens too long",
            "prompt is too large",
            "input is too long",
            "input too long",
            "input is too large to process",
            "too many input tokens",
            "too many tokens",
            "too many total text bytes",
            "reduce the length of the",
            "reduce your prompt",
            "range of input length",
            "max input characters",
            "maximum prompt length",
            "maximum input length",
            "max input length",
            "maximum model length",
            "too large for model",
            "prompt exceeds max length",
            "size limit exceeded",
        ],
    ) || more(&["context length", "context window", "context size", "context limit", "context_length"])
        || all(said, &["token count", "exceed"])
        || all(said, &["token limit", "exceed"])
        || all(said, &["input length", "exceed"])
        || all(said, &["input", "tokens", "longer than"])
        || all(said, &["max_new_tokens", "must be <="])
        || all(said, &["inputs", "must have less than"])
}

/// Whether no money is left: for all requests, or for one of this size.
fn is_spent(said: &str) -> bool {
    contains(
        said,
        &[
            "insufficient_quota",
            "insufficient quota",
            "insufficient balance",
            "insufficient_balance",
            "insufficient credit",
            "insufficient_credit",
            "insufficient funds",
            "credit balance",
            "out of credit",
            "more credits",
            "no credits",
            "add credits",
            "payment required",
            "payment_required",
            "billing_error",
            "billing_hard_limit",
            "billing hard limit",
            "spending limit",
            "spend limit",
            "budget_exceeded",
            "budget has been exceeded",
            "exceeded budget",
            "budget exceeded",
            "exceeded_current_quota",
        ],
        // A service that has no other words for a limit a minute says how long to wait.
    ) || said.contains("exceeded your current quota") && !contains(said, &["retry in", "per minute", "perminute"])
}

fn is_about_pictures(said: &str) -> bool {
    let pictures = ["image", "picture", "vision", "multimodal", "mmproj", "multi-modal"];
    let refused = ["not support", "unsupported", "cannot", "can't", "not enabled", "not available", "no vision"];
    let more = ["only text", "text only", "text-only", "mmproj", "does not accept", "not allowed", "invalid", "unable"];
    contains(said, &pictures) && (contains(said, &refused) || contains(said, &more))
}

/// Whether the model is not there: not whether it lacks something.
fn is_unknown_model(said: &str) -> bool {
    let unknown = [
        "model_not_found",
        "model not found",
        "unknown model",
        "unknown_model",
        "invalid model",
        "no such model",
        "not a valid model",
        "model does not exist",
        "model not exist",
        "model is not available",
    ];
    let apart = said.contains("model") && contains(said, &["does not exist", "not found", "do not have access"]);
    contains(said, &unknown) || apart && !contains(said, &SCHEMA)
}

/// The words of a refusal: of JSON every message in it, of a page its title, else the text itself.
pub(super) fn message_in(body: &str) -> String {
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        return words(&value, 0).unwrap_or_else(|| body.trim().to_owned());
    }
    let title = body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    title.map_or_else(|| body.trim().to_owned(), |(title, _)| title.trim().to_owned())
}

/// The words in an error of whatever shape; `None` when it has none.
fn words(value: &Value, depth: usize) -> Option<String> {
    const NAMES: [&str; 15] = [
        "error",
        "errors",
        "message",
        "msg",
        "detail",
        "details",
        "error_message",
        "errorMessage",
        "error_msg",
        "error_description",
        "description",
        "reason",
        "title",
        "text",
        "code",
    ];
    if depth > 6 {
        return None;
    }
    match value {
        Value::String(text) => {
            let text = text.trim();
            // A proxy passes the whole error of the service on as a text.
            let inner = text.starts_with(['{', '[']).then(|| serde_json::from_str::<Value>(text).ok()).flatten();
            inner.and_then(|inner| words(&inner, depth + 1)).or_else(|| (!text.is_empty()).then(|| text.to_owned()))
        }
        Value::Array(items) => {
            let mut each: Vec<String> = Vec::new();
            for item in items.iter().take(8) {
                let said = words(item, depth + 1);
                each.extend(said.filter(|said| !each.contains(said)));
            }
            (!each.is_empty()).then(|| each.join("; "))
        }
        Value::Object(fields) => {
            let said = NAMES.iter().find_map(|name| words(fields.get(*name)?, depth + 1))?;
            // Which field of the request is meant.
            let place = fields.get("loc").and_then(Value::as_array).map(|place| {
                let part = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
                place.iter().map(part).collect::<Vec<_>>().join(".")
            });
            let raw = fields.get("metadata").and_then(|metadata| words(metadata.get("raw")?, depth + 1));
            Some(match (place, raw) {
                (Some(place), _) => format!("{place}: {said}"),
                (None, Some(raw)) if raw != said => format!("{said}: {raw}"),
                _ => said,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str, asked: Asked<'_>) -> (FailureClass, Option<Cause>) {
        let error = refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body, asked);
        (error.class, error.cause)
    }

    #[test]
    fn each_status_has_its_class() {
        for (status, body, expected) in [
            (401, "", FailureClass::Auth),
            (402, "", FailureClass::Auth),
            (403, "", FailureClass::Auth),
            (404, "{\"error\":\"model 'x' not found\"}", FailureClass::BadRequest),
            (400, "{\"error\":{\"message\":\"bad temperature\"}}", FailureClass::BadRequest),
            (408, "", FailureClass::Timeout),
            (413, "", FailureClass::TooLong),
            (429, "", FailureClass::RateLimit),
            (500, "<html>", FailureClass::Server),
            (529, "", FailureClass::Server),
            (302, "", FailureClass::BadRequest),
        ] {
            assert_eq!(class(status, body, Asked::default()).0, expected, "{status} {body}");
        }
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_too_long_in_every_wording() {
        for (status, said) in [
            (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens"),
            (400, "Your input exceeds the context window of this model. Please adjust your input and try again."),
            (400, "prompt is too long: 210000 tokens > 200000 maximum"),
            (400, "input length and `max_tokens` exceed context limit: 190000 + 21000 > 200000"),
            (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            (400, "the request exceeds the available context size. try increasing the context size"),
            (500, "Context size has been exceeded."),
            (500, "input is too large to process. increase the physical batch size"),
            (400, "Please reduce the length of the messages or completion. Current length is 8193 while limit is 8192"),
            (400, "The prompt (total length 40000) is longer than the maximum model length of 32768"),
            (
                400,
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
            ),
            (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"),
            (422, "Input validation error: `inputs` must have less than 1024 tokens. Given: 3000"),
            (400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."),
            (400, "Input is too long for requested model."),
            (
                400,
                "Trying to keep the first 5846 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
            ),
            (400, "input length exceeds maximum context length"),
            (400, "prompt too long; exceeded max context length by 7 tokens"),
            (400, "Invalid request: Your request exceeded model token limit: 8192"),
            (400, "Range of input length should be [1, 30720]"),
            (400, "invalid params, context window exceeds limit (2013)"),
            (400, "Prompt exceeds max length"),
            (400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
            (400, "prompt token count of 66000 exceeds the limit of 64000"),
            (500, "litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: too long"),
            (
                429,
                "Request too large for gpt-4 in organization x on tokens per min (TPM): Limit 10000, Requested 12000.",
            ),
            (413, "anything"),
        ] {
            let body = serde_json::json!({"error": {"message": said}}).to_string();
            assert_eq!(class(status, &body, Asked::default()).0, FailureClass::TooLong, "{status} {said}");
            // The service's own words, as a proxy passes them on.
            let proxied =
                serde_json::json!({"error": {"message": "Provider returned error", "metadata": {"raw": body}}});
            assert_eq!(class(status, &proxied.to_string(), Asked::default()).0, FailureClass::TooLong, "{said}");
            if status != 429 && status != 413 {
                assert_eq!(in_answer(&proxied["error"], Asked::default()).class, FailureClass::TooLong, "{said}");
            }
        }
        for (status, said, expected) in [
            (429, "Rate limit reached for tokens per min: Limit 10000, Used 9000", FailureClass::RateLimit),
            (400, "max_tokens must be at most 4096", FailureClass::BadRequest),
            (400, "the value is too long", FailureClass::BadRequest),
        ] {
            let body = serde_json::json!({"error": {"message": said}}).to_string();
            assert_eq!(class(status, &body, Asked::default()).0, expected, "{said}");
        }
    }

    #[test]
    fn what_is_refused_says_what_it_stops() {
        let asked = Asked { model: "gpt-5", images: true, tools: false };
        let seen = |status, said: &str| {
            let body = serde_json::json!({"error": {"message": said}}).to_string();
            class(status, &body, asked)
        };
        for (status, said, expected, cause) in [
            (401, "bad key", FailureClass::Auth, Cause::Key),
            (401, "key not allowed to access model gpt-5", FailureClass::Auth, Cause::NoAccess),
            (403, "Project does not have access", FailureClass::Auth, Cause::NoAccess),
            (403, "your input was flagged", FailureClass::Refused, Cause::Moderated),
            (
                400,
                "The response was filtered due to Azure's content management policy",
                FailureClass::Refused,
                Cause::Moderated,
            ),
            (402, "This request requires more credits, or fewer max_tokens", FailureClass::Auth, Cause::Spent),
            (429, "You exceeded your current quota, please check your plan", FailureClass::Auth, Cause::Spent),
            (400, "Your credit balance is too low to access the API", FailureClass::Auth, Cause::Spent),
            (422, "Budget has been exceeded! Current cost: 5.0, Max budget: 1.0", FailureClass::Auth, Cause::Spent),
            (400, "API key not valid. Please pass a valid API key.", FailureClass::Auth, Cause::Key),
            (
                500,
                "image input is not supported - hint: you may need to provide the mmproj",
                FailureClass::BadRequest,
                Cause::Pictures,
            ),
            (400, "The model `gpt-9` does not exist", FailureClass::BadRequest, Cause::NotFound),
            (400, "Unknown model: x", FailureClass::BadRequest, Cause::NotFound),
        ] {
            assert_eq!(seen(status, said), (expected, Some(cause)), "{status} {said}");
        }
        let limited = "You exceeded your current quota.\nPlease retry in 34.07s.";
        assert_eq!(seen(429, limited), (FailureClass::RateLimit, None));
        assert_eq!(seen(403, "API rate limit exceeded"), (FailureClass::RateLimit, None));
        assert!(names("no access to gpt-5.", "openai/gpt-5") && !names("a message", "m"));
    }

    #[test]
    fn the_servers_words_are_found_in_every_shape() {
        for (body, words) in [
            (r#"{"error":{"message":"m"}}"#, "m"),
            (r#"{"type":"error","error":{"type":"t","message":"m"}}"#, "m"),
            (r#"{"error":"m"}"#, "m"),
            (r#"{"detail":"m"}"#, "m"),
            (r#"{"object":"error","message":"m","code":400}"#, "m"),
            (r#"[{"error":{"message":"m","code":400}}]"#, "m"),
            (r#"{"errors":[{"message":"m"},{"message":"n"}]}"#, "m; n"),
            (
                r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"x"}]}"#,
                "body.messages.0: field required",
            ),
            (r#"{"error":{"message":"{\"error\":{\"message\":\"m\"}}"}}"#, "m"),
            (r#"{"error":{"message":{"reason":"m"}}}"#, "m"),
            (r#"{"success":false,"error":{"code":"oops"}}"#, "oops"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            ("<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
            (" plain \n", "plain"),
        ] {
            assert_eq!(message_in(body), words);
        }
    }
}
