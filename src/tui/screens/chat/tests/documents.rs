//! The document of a conversation: its versions as pages, and edits of them that were not saved.

use super::*;
use crate::tui::drafts::Slot;

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
fn what_is_done_with_the_version_that_counts_says_so_on_an_earlier_one() {
    for name in ["r", "c", "f"] {
        let mut screen = open(delivered());
        press(&mut screen, &["Tab", "Left"]);
        assert_eq!(press(&mut screen, &[name]), [], "{name}");
        assert!(shown(&mut screen).contains("a takes it"), "{name}: {}", shown(&mut screen));
    }
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

/// What an effect opens above the screen.
fn above(effects: &[Effect]) -> Above {
    let [Effect::Go(Go::Above(above))] = effects else { panic!("{effects:?}") };
    above.as_ref().clone()
}

fn typed(above: &mut Above, text: &str) {
    text.chars().for_each(|c| drop(above.update(Message::Key(key(&c.to_string())))));
}

fn task_with_an_action() -> Arc<Task> {
    let action = crate::core::task::Action { id: "formal".into(), name: "More formal".into(), ..Default::default() };
    Arc::new(Task { actions: vec![action], ..Task::clone(&letter()) })
}

#[test]
fn what_is_to_change_may_be_ones_own_words() {
    let mut screen = open_with(&delivered(), Some(task_with_an_action()));
    let run = screen.run.id;
    let mut choice = above(&press(&mut screen, &["Tab", "c"]));
    typed(&mut choice, "pirate speech");
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| choice.view(canvas, area));
    assert!(picture.contains("Ask for: pirate speech"), "{picture}");
    let said = choice.update(Message::Key(key("Enter"))).effects;
    assert_eq!(said, [Effect::Change(Change::Message(run, "pirate speech".into()))]);
    // What is declared comes first, and is found as before.
    let mut choice = above(&press(&mut screen, &["c"]));
    typed(&mut choice, "formal");
    let picked = choice.update(Message::Key(key("Enter"))).effects;
    assert!(matches!(&picked[..], [Effect::Change(Change::Act { action, .. })] if action == "formal"), "{picked:?}");
    // Nothing is asked for where nothing was typed or picked.
    let mut choice = above(&press(&mut screen, &["c"]));
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| choice.view(canvas, area));
    assert!(!picture.contains("Ask for:"), "{picture}");
    typed(&mut choice, "   ");
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| choice.view(canvas, area));
    assert!(!picture.contains("Ask for:"), "{picture}");
}

#[test]
fn a_document_is_written_again_with_an_instruction_or_without() {
    for (instruction, says) in [("warmer", "warmer"), ("", crate::tui::layers::ask::WRITE_AGAIN)] {
        let mut screen = open_with(&delivered(), Some(letter()));
        let run = screen.run.id;
        let mut ask = above(&press(&mut screen, &["Tab", "r"]));
        typed(&mut ask, instruction);
        let said = ask.update(Message::Key(key("Enter"))).effects;
        assert_eq!(said, [Effect::Change(Change::Message(run, says.into()))]);
    }
    // Of an earlier version it would say something else than what is on screen.
    let mut screen = open_with(&delivered(), Some(letter()));
    assert_eq!(press(&mut screen, &["Tab", "Left", "r"]), []);
    // A task without actions has no list to pick from: the same question is asked.
    let mut screen = open_with(&delivered(), Some(letter()));
    above(&press(&mut screen, &["Tab", "c"]));
}

#[test]
fn any_two_versions_are_compared() {
    let story = written(delivered(), 3, "Dear Ana, Friday at ten.", "model");
    let mut screen = open(story);
    let mut compared = above(&press(&mut screen, &["Tab", "d"]));
    let title = |compared: &Above| {
        frame((100, 24), Depth::None, |canvas, area| compared.view(canvas, area)).0.lines().next().unwrap().to_owned()
    };
    assert!(title(&compared).contains("version 2 (mine) → version 3 (model)"), "{}", title(&compared));
    compared.update(Message::Key(key("[")));
    assert!(title(&compared).contains("version 1 (model) → version 3 (model)"), "{}", title(&compared));
    compared.update(Message::Key(key("Left")));
    assert!(title(&compared).contains("version 1 (model) → version 2 (mine)"), "{}", title(&compared));
    compared.update(Message::Key(key("Right")));
    assert!(title(&compared).contains("version 2 (mine) → version 3 (model)"), "{}", title(&compared));
}

#[test]
fn the_question_mark_is_help_wherever_no_text_is_typed() {
    let mut screen = open(delivered());
    let help = |screen: &ChatScreen| command(key("?"), &screen.situation()) == Some(Id::Help);
    assert!(!help(&screen), "it belongs to the message");
    press(&mut screen, &["Tab"]);
    assert!(help(&screen));
    press(&mut screen, &["e"]);
    assert!(!help(&screen), "it belongs to the document");
}

#[test]
fn saving_accepts_only_where_there_is_something_to_accept() {
    let mut screen = open(delivered());
    press(&mut screen, &["Tab", "e"]);
    let offers =
        |screen: &ChatScreen| commands::hints(&screen.situation()).iter().any(|hint| hint.id == Id::SaveAccept);
    assert!(!offers(&screen), "a version is kept, and nothing waits for it");
    assert_eq!(press(&mut screen, &["Alt-Enter"]), [], "a new line, as in every text");
    assert!(screen.unsaved().pop().unwrap().text.unwrap().starts_with('\n'));
    let mut screen = open_with(&asks(), Some(letter()));
    press(&mut screen, &["Tab", "e"]);
    assert!(offers(&screen), "it ends the conversation");
}

#[test]
fn what_one_has_typed_of_a_change_comes_back_and_is_no_message_while_the_model_answers() {
    let mut screen = open_with(&delivered(), Some(task_with_an_action()));
    let run = screen.run.id;
    let mut choice = above(&press(&mut screen, &["Tab", "c"]));
    typed(&mut choice, "formal");
    assert_eq!(choice.unsaved()[0].text, None, "it only finds what is declared");
    typed(&mut choice, " as a pirate");
    let kept = choice.unsaved().remove(0);
    let Slot::Run(of, name) = kept.slot.clone() else { panic!("{kept:?}") };
    assert_eq!((of, kept.text.as_deref()), (run, Some("formal as a pirate")));
    let mut again = above(&press(&mut screen, &["c"]));
    again.offer(run, &name, "formal as a pirate");
    let said = again.update(Message::Key(key("Enter"))).effects;
    assert_eq!(said, [Effect::Change(Change::Message(run, "formal as a pirate".into()))]);

    let answering = super::said(delivered(), "shorter").start("reply#2", 1, None);
    let mut screen = open_with(&answering, Some(task_with_an_action()));
    assert_eq!(press(&mut screen, &["Tab", "c"]), []);
}
