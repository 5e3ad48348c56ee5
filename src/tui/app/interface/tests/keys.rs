//! What the table of commands says can be done is done: each key that it shows changes what is on screen or has an
//! effect, on every screen and layer.

use super::*;

/// The keys of a command as the table names them, as what the terminal sends.
fn sent(name: &str) -> KeyEvent {
    let (rest, modifiers) = match (name.strip_prefix("Ctrl-"), name.strip_prefix("Alt-")) {
        (Some(rest), _) => (rest.to_lowercase(), KeyModifiers::CONTROL),
        (_, Some(rest)) if rest.chars().count() == 1 => (rest.to_lowercase(), KeyModifiers::ALT),
        (_, Some(rest)) => (rest.to_owned(), KeyModifiers::ALT),
        _ if name == "Shift-Enter" => ("Enter".to_owned(), KeyModifiers::SHIFT),
        _ => (name.to_owned(), KeyModifiers::NONE),
    };
    let code = match rest.as_str() {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "Shift-Tab" => KeyCode::BackTab,
        "Space" => KeyCode::Char(' '),
        "↑" => KeyCode::Up,
        "↓" => KeyCode::Down,
        "←" => KeyCode::Left,
        "→" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Backspace" => KeyCode::Backspace,
        "Del" | "Delete" => KeyCode::Delete,
        "F1" => KeyCode::F(1),
        "F2" => KeyCode::F(2),
        "F3" => KeyCode::F(3),
        "F4" => KeyCode::F(4),
        one if one.chars().count() == 1 => KeyCode::Char(one.chars().next().unwrap()),
        other => panic!("no key is called {other}"),
    };
    KeyEvent::new(code, modifiers)
}

#[test]
fn every_key_that_is_shown_does_something_where_it_is_shown() {
    // Whether a command did anything, by screen and layer: in one of the worlds it must.
    let mut did: BTreeMap<String, bool> = BTreeMap::new();
    for (name, world) in worlds() {
        let mut before = world();
        let picture = look(&mut before);
        let situation = before.situation();
        for (id, _, keys) in possible(&situation) {
            for shown in keys.split(' ') {
                let mut interface = world();
                let (effects, _) = UiModel::update(&mut interface, Message::Key(sent(shown)));
                let changed = !effects.is_empty() || look(&mut interface) != picture;
                let place = format!("{:?} {:?} {id:?} {shown}", situation.screen, situation.layer);
                let known = did.entry(place).or_default();
                *known |= changed;
                // What decides must do so wherever it is shown.
                let decides =
                    matches!(id, Id::Accept | Id::Approve | Id::Deny | Id::Retry | Id::Skip | Id::Keep | Id::Again);
                assert!(changed || !decides, "{shown} ({id:?}) does nothing in: {name}");
            }
        }
    }
    let dead: Vec<&String> = did.iter().filter(|(_, did)| !**did).map(|(place, _)| place).collect();
    assert!(dead.is_empty(), "shown, but without effect: {dead:#?}");
}

#[test]
fn every_command_is_met_in_some_world() {
    let mut met = std::collections::HashSet::new();
    for (_, world) in worlds() {
        met.extend(possible(&world().situation()).into_iter().map(|(id, ..)| id));
    }
    let missing: Vec<Id> =
        crate::tui::commands::TABLE.iter().map(|command| command.id).filter(|id| !met.contains(id)).collect();
    assert!(missing.is_empty(), "no world shows {missing:?}");
}
