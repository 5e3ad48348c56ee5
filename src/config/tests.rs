use super::*;
use crate::core::form::{Field, FieldType};
use crate::core::settings::ProviderKind;
use crate::core::step::Timespan;
use crate::core::tool::{DeclaredTool, Reach};
use crate::core::tuning::Thinking;

fn mistakes(text: &str) -> Vec<String> {
    parse("config.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_a_config() {
    let settings = parse("config.example.toml", include_str!("../../config.example.toml")).unwrap();
    assert_eq!(settings.models["careful"].fallback, ["local/qwen3:8b"]);
    let local = &settings.providers["local"];
    assert_eq!(
        (local.kind, local.idle_timeout, local.max_concurrency),
        (ProviderKind::Ollama, Some(Timespan(90_000)), Some(1))
    );
    assert_eq!(settings.providers["openai"].price.unwrap().output.to_string(), "10");
    assert_eq!(settings.secrets["github"], ["gh", "auth", "token"]);
    let DeclaredTool::Server(files) = &settings.tools["files"] else { panic!("{:?}", settings.tools) };
    let Reach::Program { env, .. } = &files.reach else { panic!("{files:?}") };
    assert_eq!(env["TOKEN"], "cmd:github");
    assert_eq!(settings.pass_on, ["SSH_AUTH_SOCK", "VIRTUAL_ENV"]);
    assert_eq!(settings.notify, ["notify-send", "Stepwell"]);
}

#[test]
fn nothing_is_required() {
    assert_eq!(parse("config.toml", "").unwrap(), Settings::default());
}

#[test]
fn every_mistake_has_its_place_and_what_would_be_right() {
    for (text, wanted) in [
        (
            "[process]\nenv = [\"TOKEN=x\"]\n",
            vec![
                "config.toml:2:8: this is no name of a variable; its value comes from the environment that Stepwell is started in",
            ],
        ),
        ("[model]\ndefault = \"a/b\"\n", vec!["config.toml:1:2: unknown key `model`; did you mean `models`?"]),
        (
            "[models]\ndefault = 3\n",
            vec![
                "config.toml:2:11: `default` is a model, `default = \"PROVIDER/MODEL\"`, or a table, `default = { model = \"…\", fallback = [\"…\"] }`",
            ],
        ),
        (
            "[models]\ndefault = \"locl/x\"\n[providers.local]\nkind = \"olama\"\n",
            vec![
                "config.toml:2:11: there is no `[providers.locl]`; did you mean `local`?",
                "config.toml:4:8: `kind` is one of \"openai\", \"anthropic\", \"ollama\", \"demo\", not \"olama\"; did you mean \"ollama\"?",
            ],
        ),
        (
            "[models]\ndefault = \"gpt\"\ncareful = \"defalt\"\n",
            vec![
                "config.toml:2:11: \"gpt\" is neither PROVIDER/MODEL nor a role; there is `careful`, `default`",
                "config.toml:3:11: \"defalt\" is neither PROVIDER/MODEL nor a role; did you mean `default`?",
            ],
        ),
        (
            "[providers.a]\nkind = \"openai\"\napi_key = \"sk-1\"\nidle_timeout = 5\nbase_url = \"localhost\"\n",
            vec![
                "config.toml:3:1: a key is never written into the config; use `api_key_env` or `api_key_command`",
                "config.toml:4:16: `idle_timeout` must be a length of time such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"2d\", not the number 5",
                "config.toml:5:12: `base_url` begins with http:// or https://, not \"localhost\"",
            ],
        ),
        (
            "[secrets]\nx = []\n[notify]\n[ui]\ntheme = \"drak\"\n",
            vec![
                "config.toml:2:5: `x` names no program; write `[\"program\", \"argument\"]`",
                "config.toml:3:1: `command` is missing; write `command = [\"notify-send\", \"Stepwell\"]`",
                "config.toml:5:9: `theme` is one of \"auto\", \"light\", \"dark\", \"none\", not \"drak\"; did you mean \"dark\"?",
            ],
        ),
    ] {
        assert_eq!(mistakes(text), wanted, "{text}");
    }
}

#[test]
fn the_environment_is_laid_over_the_file() {
    let mut settings = parse("config.toml", "[models]\ndefault = \"openai/a\"\n").unwrap();
    lay_environment(&mut settings, |name| match name {
        "STEPWELL_MODEL" => Some("ollama/b".to_owned()),
        "NO_COLOR" => Some("1".to_owned()),
        _ => None,
    });
    assert_eq!(settings.models["default"].model, "ollama/b");
    assert_eq!(settings.ui.theme, Theme::None);
}

#[test]
fn a_default_of_the_config_takes_the_place_of_the_definition_s() {
    let settings = parse("c", "[defaults.t]\nn = 5\ngone = 1\n").unwrap();
    let field = Field {
        name: "n".into(),
        kind: FieldType::Integer,
        required: true,
        max: Some(crate::core::form::Bound::Float(9.0)),
        ..Field::default()
    };
    let laid = settings.overlay("t", std::slice::from_ref(&field)).unwrap();
    assert_eq!((laid[0].default.clone(), laid[0].required), (Some(5.into()), false));
    assert_eq!(settings.overlay("other", std::slice::from_ref(&field)).unwrap()[0], field);
    let settings = parse("c", "[defaults.t]\nn = 50\n").unwrap();
    assert_eq!(
        settings.overlay("t", &[field]).unwrap_err(),
        ["[defaults.t] n: expected a number of at most 9, not 50",]
    );
}

#[test]
fn a_config_that_is_a_folder_is_no_empty_config() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::under(folder.path());
    assert_eq!(load(&paths).unwrap().models.len(), parse("", "").unwrap().models.len());
    std::fs::create_dir(&paths.config_file).unwrap();
    assert_eq!(load(&paths).unwrap_err().code(), ErrorCode::InvalidDefinition);
}

#[test]
fn a_config_without_end_is_refused() {
    let error = text_of(Path::new("/dev/zero")).unwrap_err();
    assert!(error.to_string().contains("larger than 4 MB"), "{error}");
}

#[test]
fn how_models_are_asked_is_set_on_roles_and_providers() {
    let text = r#"
[models]
default = { model = "az/gpt", top_p = 0.5, stop = "END", thinking = 2000 }
[providers.az]
kind = "openai"
temperature = 0.3
reasoning_effort = "low"
extra_body = { user = "me", nested = { n = 1 } }
prices."gpt" = { input = 1, output = 2, cached = 0.1 }
headers = { api-key = "env:AZURE_KEY" }
[providers.local]
kind = "ollama"
num_ctx = 9000
keep_alive = -1
thinking = false
[providers.claude]
kind = "anthropic"
prompt_caching = true
"#;
    let settings = parse("config.toml", text).unwrap();
    let role = &settings.models["default"].defaults.tuning;
    assert_eq!(
        (role.top_p, &role.stop, &role.thinking),
        (Some(0.5), &vec!["END".to_owned()], &Some(Thinking::Tokens(2_000)))
    );
    let az = &settings.providers["az"];
    assert_eq!((az.defaults.temperature, az.defaults.tuning.reasoning_effort.as_deref()), (Some(0.3), Some("low")));
    assert_eq!(az.defaults.tuning.extra_body["nested"]["n"], 1);
    assert_eq!(az.price_of("gpt").unwrap().cached, Some(0.1));
    assert_eq!(az.price_of("other"), None);
    let local = &settings.providers["local"];
    assert_eq!((local.num_ctx, local.keep_alive.clone()), (Some(9_000), Some((-1).into())));
    assert!(settings.providers["claude"].prompt_caching);
    for (wrong, says) in [
        ("[providers.p]\nkind = \"openai\"\nnum_ctx = 9\n", "kind \"ollama\""),
        ("[providers.p]\nkind = \"ollama\"\nprompt_caching = true\n", "kind \"anthropic\""),
        ("[providers.p]\nkind = \"openai\"\ntop_p = 3\n", "from 0 to 1"),
        ("[providers.p]\nkind = \"openai\"\nthinking = \"much\"\n", "true, false, a number of tokens"),
        ("[providers.p]\nkind = \"openai\"\nextra_body = 3\n", "is a table"),
    ] {
        let mistakes = parse("config.toml", wrong).unwrap_err();
        assert!(mistakes[0].to_string().contains(says), "{wrong}: {}", mistakes[0]);
    }
}
