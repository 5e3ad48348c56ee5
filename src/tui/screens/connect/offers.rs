//! What is offered for a role: the models of a server as a choice, and the form for whatever has to be told by hand.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::core::form::{Field, FieldType};
use crate::core::secret::Secret;
use crate::core::settings::{Connection, DEFAULT_ROLE, Found, ProviderKind, Trial};
use crate::core::text::Untrusted;
use crate::tui::effect::{Effect, Go};
use crate::tui::layers::{Choose, Entry, Pick};
use crate::tui::screens::form::{For, FormScreen};

/// What a server may speak, as the form offers it.
const KINDS: [ProviderKind; 3] = [ProviderKind::OpenAi, ProviderKind::Anthropic, ProviderKind::Ollama];

/// The models of a server, to answer for a role; then what was found elsewhere, and the form for all else.
pub fn choose(connection: &Connection, role: &str, models: &[String], found: &[Found]) -> Choose {
    let tries = |connection: Connection| {
        let trial = Trial { connection, role: role.to_owned(), key: None };
        Pick::Do(vec![Effect::Go(Go::Try(Arc::new(trial)))])
    };
    let of_server = models.iter().map(|model| {
        let of = Connection { model: model.clone(), ..connection.clone() };
        let now = if *model == connection.model { "now" } else { "" };
        Entry::new(&of.name(), now, tries(of.clone()))
    });
    let elsewhere = found.iter().filter(|found| found.connection.provider != connection.provider);
    let elsewhere =
        elsewhere.map(|found| Entry::new(&found.connection.name(), &found.why, tries(found.connection.clone())));
    let describe = Go::Describe(Arc::new(connection.clone()), role.to_owned(), String::new());
    let other = Entry::new("Another model, address or key…", "", Pick::Do(vec![Effect::Go(describe)]));
    Choose::new(&format!("Which model answers for `{role}`?"), of_server.chain(elsewhere).chain([other]).collect())
}

/// The form for a server of which nothing is known.
#[must_use]
pub fn other_server(now: DateTime<Utc>) -> FormScreen {
    let connection = Connection { provider: "server".to_owned(), ..Connection::default() };
    // Where it is comes before all else.
    let fields = fields();
    let first = fields.iter().position(|field| field.name == "base_url").unwrap_or_default();
    let mut ordered = vec![fields[first].clone()];
    ordered.extend(fields.into_iter().enumerate().filter(|(at, _)| *at != first).map(|(_, field)| field));
    form_of("Another server", &ordered, &connection, DEFAULT_ROLE, "", now)
}

/// The form for a model, filled with what is known of how it is reached. `problem`: what is wrong with that.
#[must_use]
pub fn form(title: &str, connection: &Connection, role: &str, problem: &str, now: DateTime<Utc>) -> FormScreen {
    form_of(title, &fields(), connection, role, problem, now)
}

/// What describes how a model is reached.
fn fields() -> Vec<Field> {
    let field = |name: &str, label: &str, help: &str, required: bool| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        help: Some(help.to_owned()),
        required,
        ..Field::default()
    };
    let kinds = KINDS.map(|kind| kind.name().to_owned()).to_vec();
    vec![
        field("model", "The model", "as the server calls it", true),
        Field {
            kind: FieldType::Secret,
            ..field("key", "Its key, for this session", "kept in memory until you leave; empty: none", false)
        },
        field("api_key_env", "Or the variable that has its key", "such as OPENAI_API_KEY; for every session", false),
        field("base_url", "Its address", "with its /v1 for the kind openai; empty: the service's own", false),
        Field {
            kind: FieldType::Choice,
            choices: kinds,
            ..field("kind", "What does it speak?", "openai: anything that speaks chat completions", true)
        },
        field("provider", "What shall it be called?", "letters, digits, _ and -", true),
        field("role", "For which role?", "`default` answers wherever a task names none", true),
    ]
}

fn form_of(
    title: &str,
    fields: &[Field],
    connection: &Connection,
    role: &str,
    problem: &str,
    now: DateTime<Utc>,
) -> FormScreen {
    let mut given = json!({
        "kind": connection.kind.name(),
        "provider": connection.provider,
        "role": role,
    });
    let known = [
        ("model", Some(connection.model.as_str())),
        ("api_key_env", connection.api_key_env.as_deref()),
        ("base_url", connection.base_url.as_deref()),
    ];
    for (name, value) in known {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            given[name] = json!(value);
        }
    }
    let what = "It is asked for one token; when it answers, the config is changed.";
    let intro = if problem.is_empty() { what.to_owned() } else { format!("{problem}\n\n{what}") };
    let purpose = For::Connect(connection.provider.clone());
    FormScreen::new(title, Untrusted::new(intro), fields, purpose, &given, now)
}

/// What the form describes. `key`: the key that was typed.
#[must_use]
pub fn described(values: &Value, key: Option<Secret>) -> Trial {
    let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
    let given = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let kind = KINDS.into_iter().find(|kind| kind.name() == text("kind")).unwrap_or_default();
    let base_url = given("base_url").map(|url| url.trim_end_matches('/').to_owned());
    let named = text("key").strip_prefix("env:").map(str::to_owned);
    let connection = Connection {
        provider: text("provider"),
        kind,
        base_url,
        api_key_env: named.or_else(|| given("api_key_env")),
        model: text("model"),
    };
    Trial { connection, role: given("role").unwrap_or_else(|| DEFAULT_ROLE.to_owned()), key }
}
