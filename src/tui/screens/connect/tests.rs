//! Connecting a model as a person does it.

use super::*;
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
    let mut screen = ConnectScreen::default();
    screen.update(Message::Found(vec![groq()]));
    look(&mut screen, (80, 24));
    screen
}

fn look(screen: &mut ConnectScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

#[test]
fn what_was_found_is_offered_with_the_lines_that_will_be_written() {
    for size in SIZES {
        insta::assert_snapshot!(format!("connect_{}x{}", size.0, size.1), look(&mut screen(), size));
    }
    for size in [(1, 1), (12, 5), (300, 6)] {
        look(&mut screen(), size);
    }
    assert!(look(&mut ConnectScreen::default(), (80, 24)).contains("looking for more"));
}

#[test]
fn enter_tries_it_and_a_failure_is_told() {
    let mut screen = screen();
    let effects = screen.update(Message::Key(key("Enter"))).0;
    let connection = Arc::new(groq().connection);
    assert_eq!(effects, [Effect::Go(Go::Try(Arc::clone(&connection)))]);
    screen.tries(&connection);
    assert!(look(&mut screen, (80, 24)).contains("Asking groq/llama for one token"));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0, [], "it is being tried already");
    screen.update(Message::Failed("the key was refused".into()));
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
}

#[test]
fn what_was_found_since_the_last_frame_is_not_tried_unseen() {
    let mut screen = ConnectScreen::default();
    look(&mut screen, (80, 24));
    screen.update(Message::Found(vec![groq()]));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0, []);
    look(&mut screen, (80, 24));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0.len(), 1);
}

#[test]
fn another_server_is_described_in_a_form() {
    let mut screen = screen();
    screen.update(Message::Key(key("Down")));
    look(&mut screen, (80, 24));
    assert_eq!(screen.update(Message::Key(key("Enter"))).0, [Effect::Go(Go::OtherServer)]);
    let mut form = other_server(at(0));
    let (picture, info) = frame((80, 24), Depth::None, |canvas, area| form.view(canvas, area));
    form.set_last_frame(info);
    insta::assert_snapshot!(picture);
    let values = json!({"kind": "ollama", "base_url": "http://10.0.0.2:11434/", "model": " m ", "provider": "box"});
    let connection = described(&values);
    assert_eq!((connection.name(), connection.kind), ("box/m".to_owned(), ProviderKind::Ollama));
    assert_eq!(connection.base_url.as_deref(), Some("http://10.0.0.2:11434"));
    assert_eq!(connection.api_key_env, None);
}
