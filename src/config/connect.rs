//! Connects a model: the change of a config's text that makes one answer for a role.
//!
//! Every byte that need not change stays: comments, order, blank lines, line ends. A key is never written, only the
//! name of the variable that holds it. What comes out is read again before it is given back; when it does not say what
//! was wanted, nothing is given but the lines to add by hand.

use std::fmt::Write as _;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::parse;
use crate::core::settings::Connection;

/// Why a config was not changed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConnectError {
    /// It has mistakes already.
    #[error("the config has a mistake, repair it first: {0}")]
    Broken(String),
    /// What was given cannot stand in it.
    #[error("{0}")]
    Wrong(&'static str),
    /// The provider's name stands for something else in it.
    #[error("the config has another `[providers.{0}]` already: choose another name")]
    Taken(String),
    /// It is written in a way that cannot be changed without touching more.
    #[error("the config cannot be changed without touching more than needed; add this by hand:\n{0}")]
    ByHand(String),
}

/// The lines that say it, in a config of their own.
#[must_use]
pub fn connection_lines(role: &str, connection: &Connection) -> String {
    format!("[models]\n{role} = {}\n\n{}", quoted(&connection.name()), section(connection, "\n"))
}

fn fields(connection: &Connection) -> [(&'static str, Option<&str>); 3] {
    [
        ("kind", Some(connection.kind.name())),
        ("base_url", connection.base_url.as_deref()),
        ("api_key_env", connection.api_key_env.as_deref()),
    ]
}

fn section(connection: &Connection, end: &str) -> String {
    let mut lines = format!("[providers.{}]{end}", connection.provider);
    for (key, value) in fields(connection) {
        if let Some(value) = value {
            let _ = write!(lines, "{key} = {}{end}", quoted(value));
        }
    }
    lines
}

fn check(role: &str, connection: &Connection) -> Result<(), ConnectError> {
    let bare = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let variable = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if connection.provider.is_empty() || !bare(&connection.provider) {
        return Err(ConnectError::Wrong("a provider's name is made of letters, digits, _ and -"));
    }
    if role.is_empty() || !bare(role) {
        return Err(ConnectError::Wrong("a role's name is made of letters, digits, _ and -"));
    }
    if connection.model.trim().is_empty() {
        return Err(ConnectError::Wrong("the model's name is missing"));
    }
    if connection.base_url.as_deref().is_some_and(|text| !url(text)) {
        return Err(ConnectError::Wrong("the address begins with http:// or https://"));
    }
    if connection.api_key_env.as_deref().is_some_and(|text| !variable(text)) {
        return Err(ConnectError::Wrong("this is the name of a variable; the key itself is never written down"));
    }
    Ok(())
}

/// The text of a config in which `connection` answers for a role.
///
/// # Errors
/// When `connection` cannot be written, or the config does not allow it: what is wrong, and what to do.
pub fn connect(text: &str, role: &str, connection: &Connection) -> Result<String, ConnectError> {
    check(role, connection)?;
    let before = parse("config.toml", text)
        .map_err(|mistakes| ConnectError::Broken(mistakes.first().map(ToString::to_string).unwrap_or_default()))?;
    if let Some(known) = before.providers.get(&connection.provider) {
        let other = |known: &Option<String>, new: &Option<String>| known.is_some() && known != new;
        if known.kind != connection.kind
            || other(&known.base_url, &connection.base_url)
            || other(&known.api_key_env, &connection.api_key_env)
            || known.api_key_command.is_some() && connection.api_key_env.is_some()
        {
            return Err(ConnectError::Taken(connection.provider.clone()));
        }
    }
    let changed = changed(text, role, connection);
    let says = changed.as_ref().and_then(|changed| parse("config.toml", changed).ok()).is_some_and(|after| {
        let answers = after.models.get(role).map(|role| role.model.as_str());
        let provider = after.providers.get(&connection.provider);
        answers == Some(&connection.name())
            && provider.is_some_and(|p| {
                (p.kind, &p.base_url, &p.api_key_env)
                    == (connection.kind, &connection.base_url, &connection.api_key_env)
            })
    });
    changed.filter(|_| says).ok_or_else(|| ConnectError::ByHand(connection_lines(role, connection)))
}

/// The text with the change, as far as it can be made.
fn changed(text: &str, role: &str, connection: &Connection) -> Option<String> {
    let root = DeTable::parse(text).ok()?;
    let root = root.get_ref();
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut appended: Vec<String> = Vec::new();
    let name = quoted(&connection.name());
    match table(root, "models") {
        None => appended.push(format!("[models]{end}{role} = {name}{end}")),
        Some((span, models)) => match models.iter().find(|(key, _)| key.get_ref() == role) {
            Some((_, value)) => {
                let inner =
                    value.get_ref().as_table().and_then(|role| role.iter().find(|(key, _)| key.get_ref() == "model"));
                edits.push((inner.map_or(value.span(), |(_, model)| model.span()), name));
            }
            None => edits.push(after_header(text, &span, format!("{role} = {name}"), end)?),
        },
    }
    let provider = table(root, "providers").and_then(|(_, providers)| table(providers, &connection.provider));
    match provider {
        None => appended.push(section(connection, end)),
        Some((span, provider)) => {
            for (key, value) in fields(connection) {
                let missing = provider.iter().all(|(known, _)| known.get_ref() != key);
                if let Some(value) = value.filter(|_| missing) {
                    edits.push(after_header(text, &span, format!("{key} = {}", quoted(value)), end)?);
                }
            }
        }
    }
    // From the last to the first, so that the places of the others stay right.
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut changed = text.to_owned();
    for (span, with) in edits {
        changed.replace_range(span, &with);
    }
    for section in appended {
        if !changed.is_empty() {
            let open = !changed.ends_with('\n');
            changed.push_str(if open { end } else { "" });
            changed.push_str(end);
        }
        changed.push_str(&section);
    }
    Some(changed)
}

fn table<'a, 'i>(within: &'a DeTable<'i>, key: &str) -> Option<(Range<usize>, &'a DeTable<'i>)> {
    let (_, value) = within.iter().find(|(name, _)| name.get_ref() == key)?;
    match value.get_ref() {
        DeValue::Table(table) => Some((value.span(), table)),
        _ => None,
    }
}

/// The insertion of a line beneath a table's header; `None` for a table that has no header.
fn after_header(text: &str, span: &Range<usize>, line: String, end: &str) -> Option<(Range<usize>, String)> {
    let rest = text.get(span.start..).filter(|rest| rest.starts_with('['))?;
    Some(match rest.find('\n') {
        Some(at) => (span.start + at + 1..span.start + at + 1, line + end),
        None => (text.len()..text.len(), format!("{end}{line}{end}")),
    })
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::ProviderKind;

    fn gpt() -> Connection {
        Connection {
            provider: "openai".into(),
            kind: ProviderKind::OpenAi,
            api_key_env: Some("OPENAI_API_KEY".into()),
            model: "gpt-5-mini".into(),
            ..Connection::default()
        }
    }

    #[test]
    fn an_empty_config_gets_only_what_is_needed() {
        let text = connect("", "default", &gpt()).unwrap();
        assert_eq!(
            text,
            "[models]\ndefault = \"openai/gpt-5-mini\"\n\n\
             [providers.openai]\nkind = \"openai\"\napi_key_env = \"OPENAI_API_KEY\"\n"
        );
    }

    #[test]
    fn only_the_lines_that_change_change() {
        let text = "# mine\r\n[ui]\r\nmouse = false   # no mouse\r\n\r\n[models]\r\n# what answers\r\ndefault = 'local/x' # for now\r\n[providers.local]\r\nkind = \"ollama\"\r\n";
        let changed = connect(text, "default", &gpt()).unwrap();
        let kept = text.replace("'local/x'", "\"openai/gpt-5-mini\"");
        assert!(changed.starts_with(&kept), "{changed}");
        assert_eq!(
            &changed[kept.len()..],
            "\r\n[providers.openai]\r\nkind = \"openai\"\r\napi_key_env = \"OPENAI_API_KEY\"\r\n"
        );
        // What says it already is not touched at all.
        assert_eq!(connect(&changed, "default", &gpt()).unwrap(), changed);
    }

    #[test]
    fn another_role_is_switched_and_the_default_stays() {
        let text = "[models]\ndefault = \"local/x\"\n[providers.local]\nkind = \"ollama\"\n";
        let changed = connect(text, "careful", &gpt()).unwrap();
        assert!(changed.contains("careful = \"openai/gpt-5-mini\"\ndefault = \"local/x\"\n"), "{changed}");
        assert!(changed.contains("[providers.openai]"), "{changed}");
        let local = Connection {
            provider: "local".into(),
            kind: ProviderKind::Ollama,
            model: "y".into(),
            ..Connection::default()
        };
        let changed = connect(&changed, "careful", &local).unwrap();
        assert!(changed.contains("careful = \"local/y\"\ndefault = \"local/x\"\n"), "{changed}");
        assert!(matches!(connect("", "my role", &gpt()), Err(ConnectError::Wrong(_))));
    }

    #[test]
    fn a_fallback_stays() {
        let text = "[models]\ndefault = { model = \"openai/old\", fallback = [\"demo/demo\"] }\n[providers.openai]\nkind = \"openai\"\nprice = { input = 1, output = 2 }";
        let changed = connect(text, "default", &gpt()).unwrap();
        assert!(
            changed.contains("default = { model = \"openai/gpt-5-mini\", fallback = [\"demo/demo\"] }"),
            "{changed}"
        );
        assert!(
            changed.contains("[providers.openai]\napi_key_env = \"OPENAI_API_KEY\"\nkind = \"openai\"\nprice"),
            "{changed}"
        );
    }

    #[test]
    fn a_role_is_added_beneath_its_header() {
        let text = "[models]  # roles\ncareful = \"demo/demo\"\n";
        let changed = connect(text, "default", &gpt()).unwrap();
        assert!(changed.starts_with("[models]  # roles\ndefault = \"openai/gpt-5-mini\"\ncareful"), "{changed}");
        let changed = connect("[models]", "default", &gpt()).unwrap();
        assert!(changed.starts_with("[models]\ndefault = "), "{changed}");
    }

    #[test]
    fn dotted_keys_are_replaced_and_what_cannot_be_is_told() {
        let changed = connect("models.default = \"demo/demo\"\n", "default", &gpt()).unwrap();
        assert!(changed.starts_with("models.default = \"openai/gpt-5-mini\"\n"), "{changed}");
        let told = connect("models = { careful = \"demo/demo\" }\n", "default", &gpt()).unwrap_err();
        assert_eq!(told, ConnectError::ByHand(connection_lines("default", &gpt())));
    }

    #[test]
    fn another_provider_of_that_name_is_left_alone() {
        let text = "[providers.openai]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
        assert_eq!(connect(text, "default", &gpt()), Err(ConnectError::Taken("openai".into())));
    }

    #[test]
    fn a_broken_config_is_not_touched() {
        assert!(matches!(connect("[models\n", "default", &gpt()), Err(ConnectError::Broken(_))));
        assert!(matches!(connect("[model]\n", "default", &gpt()), Err(ConnectError::Broken(_))));
    }

    #[test]
    fn a_key_is_never_written() {
        for wrong in ["sk-proj-123", "$KEY", "KEY VALUE"] {
            let connection = Connection { api_key_env: Some(wrong.into()), ..gpt() };
            assert!(matches!(connect("", "default", &connection), Err(ConnectError::Wrong(_))), "{wrong}");
        }
        for (provider, model, url) in
            [("", "m", None), ("a/b", "m", None), ("a", " ", None), ("a", "m", Some("ftp://x"))]
        {
            let connection =
                Connection { provider: provider.into(), model: model.into(), base_url: url.map(Into::into), ..gpt() };
            assert!(matches!(connect("", "default", &connection), Err(ConnectError::Wrong(_))), "{connection:?}");
        }
        let odd = Connection { model: "a\"b\n[x]".into(), ..gpt() };
        assert!(connect("", "default", &odd).is_ok_and(|text| parse("c", &text).is_ok()));
    }
}
