//! The config file: every key, each mistake with its place.

use std::sync::Arc;

use serde_json::Value;

use crate::core::diagnostic::{Report, SourceSpan, SourceText, did_you_mean};
use crate::core::host;
use crate::core::settings::{ProviderKind, ProviderSettings, RoleSettings, Settings, Theme, UiSettings};
use crate::core::toml_reader::{self, Item, Table, TomlString, values};
use crate::core::tool;
use crate::core::tuning::ModelDefaults;
use crate::core::usage::Price;

const KINDS: [(&str, ProviderKind); 4] = [
    ("openai", ProviderKind::OpenAi),
    ("anthropic", ProviderKind::Anthropic),
    ("ollama", ProviderKind::Ollama),
    ("demo", ProviderKind::Demo),
];
const THEMES: [(&str, Theme); 4] =
    [("auto", Theme::Auto), ("light", Theme::Light), ("dark", Theme::Dark), ("none", Theme::None)];

/// Reads a config. `None` when it is not TOML; mistakes are in `report`.
pub fn read(source: &Arc<SourceText>, report: &Report) -> Option<Settings> {
    toml_reader::read(source, report, |root| {
        let mut named = Vec::new();
        let settings = Settings {
            models: root.named("models", |item| role(&item, &mut named)),
            providers: root.named("providers", |item| item.table().map(|table| provider(&table))),
            tools: tool::read(root, None, report),
            secrets: root.named("secrets", |item| item.argv().map(values)),
            defaults: root.named("defaults", |item| {
                let given = item.table()?.entries();
                Some(given.iter().filter_map(|item| Some((item.name().to_owned(), item.json()?))).collect())
            }),
            pass_on: root.get("process").and_then(Item::table).map(|table| pass_on(&table, report)).unwrap_or_default(),
            hosts: root.get("http").and_then(Item::table).map(|table| hosts(&table, report)).unwrap_or_default(),
            notify: root.get("notify").and_then(Item::table).map(|table| notify(&table)).unwrap_or_default(),
            ui: root.get("ui").and_then(Item::table).map(|table| ui(&table)).unwrap_or_default(),
        };
        root.done();
        models_exist(&settings, &named, report);
        settings
    })
}

fn role(item: &Item<'_>, named: &mut Vec<TomlString>) -> Option<RoleSettings> {
    if !item.is_table() {
        if !item.is_text() {
            item.error(format!(
                "`{0}` is a model, `{0} = \"PROVIDER/MODEL\"`, or a table, `{0} = {{ model = \"…\", fallback = [\"…\"] }}`",
                item.name()
            ));
            return None;
        }
        let model = item.text()?;
        named.push(model.clone());
        return Some(RoleSettings { model: model.value, ..RoleSettings::default() });
    }
    let table = item.clone().table()?;
    let model = table.required("model", "`model = \"PROVIDER/MODEL\"`").and_then(|item| item.text());
    let fallback = table.texts("fallback");
    let defaults = ModelDefaults::read(&table);
    table.done();
    named.extend(model.iter().chain(&fallback).cloned());
    Some(RoleSettings { model: model?.value, fallback: values(fallback), defaults })
}

/// A model is a role, or of a provider that is configured or has a kind's own name (and so may be found by its key).
fn models_exist(settings: &Settings, named: &[TomlString], report: &Report) {
    let kinds = KINDS.iter().map(|(name, _)| *name);
    for text in named {
        let known = settings.providers.keys().map(String::as_str).chain(kinds.clone());
        let complain = |span: &SourceSpan, message| report.error(span, message);
        match text.value.split_once('/') {
            Some((provider, model)) if !model.is_empty() => {
                if !known.clone().any(|known| known == provider) {
                    let hint = did_you_mean(provider, known);
                    complain(&text.span, format!("there is no `[providers.{provider}]`{hint}"));
                }
            }
            _ if settings.models.contains_key(&text.value) => {}
            _ => complain(
                &text.span,
                format!(
                    "\"{}\" is neither PROVIDER/MODEL nor a role{}",
                    text.value,
                    did_you_mean(&text.value, settings.models.keys().map(String::as_str))
                ),
            ),
        }
    }
}

fn provider(table: &Table<'_>) -> ProviderSettings {
    let kind = table.required("kind", "`kind = \"openai\"` (or \"anthropic\", \"ollama\", \"demo\")");
    let provider = ProviderSettings {
        kind: kind.and_then(|item| item.one_of(&KINDS)).unwrap_or_default(),
        base_url: table.get("base_url").and_then(|item| item.url()),
        api_key_env: table.text("api_key_env"),
        api_key_command: table.get("api_key_command").and_then(|item| item.argv().map(values)),
        headers: table.text_map("headers"),
        max_concurrency: table.count("max_concurrency", 1).and_then(|count| usize::try_from(count).ok()),
        requests_per_minute: table.count("requests_per_minute", 1),
        tokens_per_minute: table.count("tokens_per_minute", 1).map(u64::from),
        first_token_timeout: table.time("first_token_timeout"),
        idle_timeout: table.time("idle_timeout"),
        price: table.get("price").and_then(Item::table).map(|table| price(&table)),
        prices: table.named("prices", |item| item.table().map(|table| price(&table))),
        defaults: ModelDefaults::read(table),
        num_ctx: table.count("num_ctx", 1).map(u64::from),
        keep_alive: table.get("keep_alive").and_then(|item| keep_alive(&item)),
        prompt_caching: table.flag("prompt_caching"),
    };
    only_of(table, provider.kind, &["num_ctx", "keep_alive"], ProviderKind::Ollama);
    only_of(table, provider.kind, &["prompt_caching"], ProviderKind::Anthropic);
    table.done_with(|key| {
        let message = "a key is never written into the config; use `api_key_env` or `api_key_command`";
        matches!(key, "api_key" | "key" | "token").then(|| message.to_owned())
    });
    provider
}

/// Complains of keys that only providers of another kind have.
fn only_of(table: &Table<'_>, kind: ProviderKind, keys: &[&str], of: ProviderKind) {
    for item in keys.iter().filter(|_| kind != of).filter_map(|key| table.get(key)) {
        item.error(format!("`{}` is of providers of the kind \"{}\"", item.name(), of.name()));
    }
}

fn price(table: &Table<'_>) -> Price {
    let given = |key| table.get(key).and_then(|item: Item<'_>| not_negative(&item));
    let price = Price {
        input: given("input").unwrap_or_default(),
        output: given("output").unwrap_or_default(),
        cached: given("cached"),
    };
    table.done();
    price
}

/// A length of time as the server reads it, or a number of seconds, below 0 for ever.
fn keep_alive(item: &Item<'_>) -> Option<Value> {
    if item.is_text() {
        return item.text().map(|text| Value::from(text.value));
    }
    item.integer().map(Value::from)
}

fn pass_on(table: &Table<'_>, report: &Report) -> Vec<String> {
    let names = table.required("env", "`env = [\"VIRTUAL_ENV\"]`").and_then(|item| item.texts()).unwrap_or_default();
    table.done();
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    for text in names.iter().filter(|text| !is_name(&text.value)) {
        let message = "this is no name of a variable; its value comes from the environment that Stepwell is started in";
        report.error(&text.span, message);
    }
    values(names)
}

fn hosts(table: &Table<'_>, report: &Report) -> Vec<String> {
    let hosts =
        table.required("hosts", "`hosts = [\"example.org\"]`").and_then(|item| item.texts()).unwrap_or_default();
    table.done();
    for text in hosts.iter().filter(|text| !host::is_pattern(&text.value)) {
        let message = "`hosts` has hosts such as \"example.org\", \"*.example.org\" or \"127.0.0.1:8888\"";
        report.error(&text.span, message);
    }
    values(hosts)
}

fn notify(table: &Table<'_>) -> Vec<String> {
    let command = table.required("command", "`command = [\"notify-send\", \"Stepwell\"]`");
    table.done();
    command.and_then(|item| item.argv()).map(values).unwrap_or_default()
}

fn ui(table: &Table<'_>) -> UiSettings {
    let defaults = UiSettings::default();
    let ui = UiSettings {
        theme: table.get("theme").and_then(|item| item.one_of(&THEMES)).unwrap_or(defaults.theme),
        mouse: table.get("mouse").and_then(|item| item.boolean()).unwrap_or(defaults.mouse),
    };
    table.done();
    ui
}

fn not_negative(item: &Item<'_>) -> Option<f64> {
    let number = item.number()?;
    if number < 0.0 {
        item.error(format!("`{}` is not below 0", item.name()));
        return None;
    }
    Some(number)
}
