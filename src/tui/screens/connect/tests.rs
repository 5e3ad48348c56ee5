//! Connecting a model as a person does it.

use super::*;
use serde_json::json;

use crate::core::settings::ProviderKind;
use crate::tui::testing::{SIZES, at, frame, key};
use crate::tui::theme::Depth;

fn groq() -> Found {
    let connection = Connection {
        provider: "groq".into(),
        kind: ProviderKind::OpenAi,
        base_url: Some("https://api.groq.com/openai/v1".into()),
        api_key_env: Some("GROQ_API_KEY".into()),
        model: "llama".into(),
    };
    Found { connection, why: "GROQ_API_KEY is set".into() }
}

fn screen() -> ConnectScreen {
    let mut screen = ConnectScreen::new();
    screen.update(Message::Roles(vec![(DEFAULT_ROLE.to_owned(), local())]));
    screen.update(Message::Found(vec![groq()]));
    look(&mut screen, (80, 24));
    screen
}

fn local() -> Connection {
    Connection {
        provider: "local".into(),
        kind: ProviderKind::Ollama,
        base_url: Some("http://127.0.0.1:11434".into()),
        model: "qwen3:8b".into(),
        ..Connection::default()
    }
}

fn look(screen: &mut ConnectScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

fn press(screen: &mut ConnectScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(screen.update(Message::Key(key(name))).0);
        look(screen, (80, 24));
    }
    effects
}

/// Down to the provider of that name.
fn go_to(screen: &mut ConnectScreen, name: &str) {
    while !matches!(screen.selected(), Some(ModelRow::Known(at)) if KNOWN[at].name == name) {
        press(screen, &["Down"]);
    }
}

#[test]
fn roles_what_was_found_and_every_known_provider_are_there() {
    for size in SIZES {
        insta::assert_snapshot!(format!("connect_{}x{}", size.0, size.1), look(&mut screen(), size));
    }
    for size in [(1, 1), (12, 5), (300, 6)] {
        look(&mut screen(), size);
    }
    assert!(look(&mut ConnectScreen::new(), (80, 24)).contains("looking for more"));
    let picture = look(&mut screen(), (80, 60));
    for known in KNOWN {
        assert!(picture.contains(known.label), "{} is missing: {picture}", known.label);
    }
    let mut screen = screen();
    for known in KNOWN {
        go_to(&mut screen, known.name);
        assert!(look(&mut screen, (80, 24)).contains(known.base_url), "the address of {}", known.label);
    }
}

#[test]
fn what_was_found_is_tried_and_a_failure_is_said() {
    let mut screen = screen();
    let trial = Arc::new(Trial { connection: groq().connection, role: DEFAULT_ROLE.to_owned(), key: None });
    assert_eq!(press(&mut screen, &["Down", "Enter"]), [Effect::Go(Go::Try(Arc::clone(&trial)))]);
    screen.tries(&trial);
    assert!(look(&mut screen, (80, 24)).contains("Asking groq/llama for one token"));
    assert_eq!(press(&mut screen, &["Enter"]), [], "it is being tried already");
    screen.update(Message::Failed("the key was refused".into()));
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
}

#[test]
fn what_was_found_since_the_last_frame_is_not_tried_unseen() {
    let mut screen = ConnectScreen::new();
    look(&mut screen, (80, 24));
    screen.update(Message::Found(vec![groq()]));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0, []);
    look(&mut screen, (80, 24));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0.len(), 1);
}

/// What the server of a known provider is asked for, and what comes when it says this.
fn picked(name: &str, says: Result<Vec<String>, String>) -> Effect {
    let mut screen = screen();
    go_to(&mut screen, name);
    let asked = press(&mut screen, &["Enter"]);
    let [Effect::Errand(Errand::ListServer(connection))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(connection.provider, name);
    assert!(look(&mut screen, (80, 24)).contains(&format!("Asking {name} which models it has")));
    let mut effects = screen.update(Message::Served { connection: Arc::clone(connection), models: says }).0;
    assert_eq!(effects.len(), 1, "{effects:?}");
    effects.remove(0)
}

#[test]
fn the_models_of_a_provider_are_read_from_its_server() {
    let models = vec!["gpt-5".to_owned(), "gpt-5-mini".to_owned()];
    let Effect::Go(Go::Above(mut above)) = picked("openai", Ok(models)) else { panic!("nothing to choose from") };
    let (picture, info) = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area));
    above.set_last_frame(info);
    assert!(picture.contains("openai/gpt-5-mini") && picture.contains("Another model, address or key"), "{picture}");
    above.update(Message::Paste("mini".into()));
    let effects = above.update(Message::Key(key("Enter"))).effects;
    let [Effect::Go(Go::Try(trial))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((trial.connection.name().as_str(), trial.role.as_str()), ("openai/gpt-5-mini", DEFAULT_ROLE));
}

#[test]
fn where_a_server_has_no_model_the_form_says_what_to_do() {
    let why = "127.0.0.1 answers, and has no model yet: ollama pull qwen3:8b";
    let Effect::Go(Go::Describe(connection, role, problem)) = picked("ollama", Err(why.to_owned())) else {
        panic!("no form")
    };
    let mut form = form("Connect Ollama", &connection, &role, &problem, at(0));
    let (picture, info) = frame((80, 24), Depth::None, |canvas, area| form.view(canvas, area));
    form.set_last_frame(info);
    assert!(picture.contains("ollama pull qwen3:8b"), "{picture}");
}

#[test]
fn a_role_is_switched_to_another_model_of_its_server() {
    let mut screen = ConnectScreen::new();
    screen.update(Message::Roles(vec![(DEFAULT_ROLE.to_owned(), local()), ("careful".to_owned(), local())]));
    look(&mut screen, (80, 24));
    let asked = press(&mut screen, &["Down", "Enter"]);
    let [Effect::Errand(Errand::ListServer(connection))] = asked.as_slice() else { panic!("{asked:?}") };
    let models = Ok(vec!["llama3:8b".to_owned(), "qwen3:8b".to_owned()]);
    let mut effects = screen.update(Message::Served { connection: Arc::clone(connection), models }).0;
    let Effect::Go(Go::Above(mut above)) = effects.remove(0) else { panic!("nothing to choose from") };
    let (picture, info) = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area));
    above.set_last_frame(info);
    assert!(picture.contains("Which model answers for `careful`?") && picture.contains("now"), "{picture}");
    let effects = above.update(Message::Key(key("Enter"))).effects;
    let [Effect::Go(Go::Try(trial))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((trial.connection.name().as_str(), trial.role.as_str()), ("local/llama3:8b", "careful"));
}

#[test]
fn a_provider_whose_address_only_the_person_knows_has_a_form_at_once() {
    let mut screen = screen();
    go_to(&mut screen, "azure");
    let effects = press(&mut screen, &["Enter"]);
    let [Effect::Go(Go::Describe(connection, ..))] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(connection.base_url.as_deref().is_some_and(|url| url.contains("RESOURCE")));
}

#[test]
fn another_server_is_described_in_a_form_that_stays_while_it_is_tried() {
    let mut screen = screen();
    press(&mut screen, &["End"]);
    assert_eq!(press(&mut screen, &["Enter"]), [Effect::Go(Go::OtherServer)]);
    let mut form = other_server(at(0));
    let (picture, info) = frame((80, 24), Depth::None, |canvas, area| form.view(canvas, area));
    form.set_last_frame(info);
    insta::assert_snapshot!(picture);
    form.update(Message::Paste("http://box:8080/v1".into()));
    form.update(Message::Key(key("Tab")));
    form.update(Message::Paste("m".into()));
    let effects = form.update(Message::Key(key("^s"))).0;
    let [Effect::Go(Go::Try(trial))] = effects.as_slice() else { panic!("the form went away: {effects:?}") };
    form.tries(trial);
    form.update(Message::Failed("nothing answers there".into()));
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| form.view(canvas, area));
    assert!(picture.contains("nothing answers there") && picture.contains("server"), "{picture}");
}

#[test]
fn what_the_form_says_is_what_is_tried() {
    let values = json!({"kind": "ollama", "base_url": "http://10.0.0.2:11434/", "model": " m ", "provider": "box"});
    let Trial { connection, role, key } = described(&values, None);
    assert_eq!((connection.name(), connection.kind), ("box/m".to_owned(), ProviderKind::Ollama));
    assert_eq!(connection.base_url.as_deref(), Some("http://10.0.0.2:11434"));
    assert_eq!((connection.api_key_env, role.as_str(), key), (None, DEFAULT_ROLE, None));
    let values = json!({"kind": "openai", "model": "m", "provider": "p", "key": "env:MY_KEY", "role": "careful"});
    let trial = described(&values, None);
    assert_eq!((trial.connection.api_key_env.as_deref(), trial.role.as_str()), (Some("MY_KEY"), "careful"));
}
