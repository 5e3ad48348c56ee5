//! Refusals that are about tools: the model or the server calls none, or does not take the schema of one.

use super::refusal::{contains, names};

/// Whether a model, or its server, calls no tools.
pub(super) fn refuses_tools(said: &str) -> bool {
    if is_about_a_tools_schema(said) || refuses_effort_with_tools(said) {
        return false;
    }
    let about = ["tool use", "tool calling", "tool choice", "tool_choice", "support tool", "function calling"];
    let about = contains(said, &about) || ["tools", "functions"].iter().any(|name| names(said, name));
    let refused = [
        "not support",
        "n't support",
        "unsupported",
        "not available",
        "not enabled",
        "not allowed",
        "not permitted",
        "not implemented",
        "not accept",
        "extra_forbidden",
        "unknown",
        "unrecognized",
        "no endpoints found",
        "requires --",
    ];
    about && contains(said, &refused)
}

/// Whether a model calls tools, but not with a measure of thinking.
pub(super) fn refuses_effort_with_tools(said: &str) -> bool {
    contains(said, &["reasoning_effort", "reasoning.effort", "reasoning effort"])
        && (["tools", "functions"].iter().any(|name| names(said, name))
            || contains(said, &["tool call", "function call"]))
}

/// Whether a refusal is about the schema of one tool, and not about there being tools.
pub(super) fn is_about_a_tools_schema(said: &str) -> bool {
    let numbered = |name: &str| {
        said.match_indices(name).any(|(at, _)| said[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let of_a_function =
        ["invalid schema for function", "invalid schema for tool", "input_schema", "function parameters"];
    contains(said, &of_a_function)
        || ["tools.", "tools[", "function_declarations[", "function_declarations."].iter().any(|name| numbered(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_tools_are_known_by_every_wording() {
        for said in [
            "registry.ollama.ai/library/gemma:2b does not support tools",
            "no endpoints found that support tool use. try disabling \"files__read\".",
            "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
            "tools param requires --jinja flag",
            "`tools` is not supported with this model",
            "tool calling is not supported with this model",
            "this model doesn't support function calling",
            "unrecognized request argument supplied: tools",
            "body.tools: extra inputs are not permitted extra_forbidden",
            "functions are not supported by this model",
            "tool use is not enabled for this model",
        ] {
            assert!(refuses_tools(said), "{said}");
        }
    }

    #[test]
    fn a_schema_that_is_refused_is_no_refusal_of_tools_and_other_words_are_neither() {
        for said in [
            "invalid schema for function 'files__read': in context=(), 'oneof' is not permitted.",
            "tools.0.custom.input_schema: json schema is invalid. unsupported keyword",
            "tools[1].function.parameters: unknown field",
            "* generatecontentrequest.tools.function_declarations[0].parameters.properties: should be non-empty",
        ] {
            assert!(is_about_a_tools_schema(said) && !refuses_tools(said), "{said}");
        }
        for said in [
            "function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions. to use function \
             tools, use /v1/responses or set reasoning_effort to 'none'. reasoning_effort",
            "reasoning.effort is not supported together with tools",
            "tool calling is not supported with reasoning_effort",
        ] {
            assert!(refuses_effort_with_tools(said) && !refuses_tools(said), "{said}");
        }
        for said in [
            "unexpected role 'tool' after role 'user'",
            "no tool output found for function call call_1",
            "an assistant message with 'tool_calls' must be followed by tool messages",
            "unknown parameter: top_p",
            "internal error",
            "response_format is not supported",
        ] {
            assert!(!is_about_a_tools_schema(said) && !refuses_tools(said), "{said}");
        }
    }
}
