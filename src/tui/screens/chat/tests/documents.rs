//! The document of a conversation: its versions as pages, and edits of them that were not saved.

use super::*;

/// The page of the document that is on screen, as its marker says it.
fn shown(screen: &mut ChatScreen) -> String {
    look(screen, (80, 24))
}

fn draft(screen: &mut ChatScreen, name: &str, text: &str) {
    let run = screen.run.id;
    screen.update(Message::Draft { run, name: name.to_owned(), text: text.to_owned() });
}

#[test]
fn the_ends_of_the_versions_are_said() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "Right"]);
    assert!(shown(&mut screen).contains("this is the newest"));
    press(&mut screen, &["Left", "Left"]);
    let picture = shown(&mut screen);
    assert!(picture.contains("this is the first") && picture.contains("version 1 of 2 (model)"), "{picture}");
}

#[test]
fn the_version_that_counts_is_shown_where_a_newer_one_is_only_proposed() {
    let late = Event::DocumentWritten {
        name: "result".into(),
        version: 3,
        title: "The meeting moved".into(),
        body: "Dear Ana, it came too late.".into(),
        by: "model".into(),
        proposed: true,
        action: None,
    };
    let mut screen = open(delivered().then(late));
    press(&mut screen, &["Tab"]);
    assert!(shown(&mut screen).contains("version 2 of 3 (mine)"), "{}", shown(&mut screen));
    assert!(!screen.situation().acceptable, "it counts already");
    press(&mut screen, &["Right"]);
    assert!(screen.situation().acceptable, "{}", shown(&mut screen));
    let effects = press(&mut screen, &["a"]);
    assert!(
        matches!(&effects[..], [Effect::Change(Change::EditDocument { version: 2, body, draft: None, .. })] if body.contains("too late")),
        "{effects:?}"
    );
}

#[test]
fn an_unsaved_edit_of_any_version_is_found_said_and_marked() {
    let mut screen = open(delivered());
    draft(&mut screen, "document 1", "My own words.");
    let picture = shown(&mut screen);
    assert!(picture.contains("your unsaved edit of version 1 is here: Tab, ← to it, then e"), "{picture}");
    press(&mut screen, &["Tab"]);
    assert!(shown(&mut screen).contains("version 2 of 2 (mine) · draft of 1"), "{}", shown(&mut screen));
    press(&mut screen, &["Left"]);
    assert!(shown(&mut screen).contains("version 1 of 2 (model) · draft "), "{}", shown(&mut screen));
    press(&mut screen, &["e"]);
    let picture = shown(&mut screen);
    assert!(picture.contains("▮y own words."), "{picture}");
    // Saved, it is done with.
    let effects = press(&mut screen, &["^s"]);
    let forgotten = |effect: &Effect| matches!(effect, Effect::Change(Change::KeepDraft { name, text: None, .. }) if name == "document 1");
    assert!(effects.iter().any(forgotten), "{effects:?}");
    assert!(!shown(&mut screen).contains("draft"), "{}", shown(&mut screen));
}

#[test]
fn what_was_written_before_the_model_delivered_opens_with_the_first_version() {
    let mut screen = open(delivered());
    draft(&mut screen, "document 0", "My beginning.");
    assert!(shown(&mut screen).contains("your unsaved edit of version 1 is here"), "{}", shown(&mut screen));
    press(&mut screen, &["Tab", "Left", "e"]);
    assert!(shown(&mut screen).contains("▮y beginning."), "{}", shown(&mut screen));
    let effects = press(&mut screen, &["^s"]);
    let forgotten: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Change(Change::KeepDraft { name, text: None, .. }) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(forgotten, ["document 1", "document 0"]);
}

#[test]
fn a_marker_without_room_gives_up_its_end_and_not_which_version_it_is() {
    let body = "A line.\n\n".repeat(40);
    let story = written(delivered(), 3, &body, "ana@host");
    for width in [60, 66, 72, 80, 100] {
        let mut screen = open(written(delivered(), 3, &body, "ana@host"));
        press(&mut screen, &["Tab"]);
        draft(&mut screen, "document 1", "x");
        press(&mut screen, &["g"]);
        let picture = look(&mut screen, (width, 24));
        assert!(picture.contains("3 of 3"), "{width}: {picture}");
    }
    let mut screen = open(story);
    press(&mut screen, &["Tab", "PgDn"]);
    let picture = look(&mut screen, (120, 24));
    assert!(
        picture.contains("version 3 of 3 (mine)") && picture.contains("more ↓ ·") && picture.contains("more ↑"),
        "{picture}"
    );
}
