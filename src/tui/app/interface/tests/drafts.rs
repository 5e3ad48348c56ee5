//! What was typed and not given: it is kept while it is typed and on every way out, and is there again.

use super::*;
use crate::tui::drafts::EVERY;

/// What is kept of drafts: each with its name.
fn kept(orders: &[Order]) -> Vec<(String, Option<String>)> {
    let draft = |order: &Order| match order {
        Order::Backend(Request::Change(Change::KeepDraft { name, text, .. })) => Some((name.clone(), text.clone())),
        Order::Backend(Request::Change(Change::KeepForm { task, text })) => {
            Some((format!("form {task}"), text.clone()))
        }
        _ => None,
    };
    orders.iter().filter_map(draft).collect()
}

fn typed(interface: &mut Interface, text: &str) -> Vec<Order> {
    text.chars().flat_map(|c| tell(interface, Message::Key(KeyEvent::from(KeyCode::Char(c))))).collect()
}

fn tick(interface: &mut Interface) -> Vec<(String, Option<String>)> {
    kept(&tell(interface, Message::Tick(at(500))))
}

fn some(name: &str, text: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(text.to_owned()))
}

fn asks_to_push() -> Story {
    gate(GateKind::Approval, vec![Answer::Approve, Answer::Deny])
}

fn in_doubt() -> Story {
    gate(GateKind::InDoubt, vec![Answer::Again, Answer::Answer, Answer::Skip])
}

/// The form for a server that was not found.
fn server() -> Interface {
    let mut interface = home();
    interface.follow(Effect::Go(crate::tui::effect::Go::OtherServer), &mut Vec::new());
    look(&mut interface);
    interface
}

/// The name of a draft, and its text.
type Kept = (String, Option<String>);

/// Each place where a person types, what they type there, and what is kept of it.
fn places() -> Vec<(Interface, &'static str, Kept)> {
    vec![
        (form(), "ellow", some("form poem", r#"{"topic":"x","mood":"yellow"}"#)),
        (chat(0), "on Friday", some("message", "on Friday")),
        (then(on(review()), &["r"]), "softer", some("retry write[0]", "softer")),
        (then(inbox(review()), &["r"]), "softer", some("retry write[0]", "softer")),
        (
            then(on(gate(GateKind::Input, vec![Answer::Answer])), &["Enter"]),
            "blue",
            some("answer push", r#"{"room":"blue"}"#),
        ),
        (then(on(asks_to_push()), &["n"]), "not today", some("refuse push", "not today")),
        (then(inbox(asks_to_push()), &["n"]), "not today", some("refuse push", "not today")),
        (then(on(in_doubt()), &["Enter"]), "{}", some("worked push", "{}")),
        (then(inbox(in_doubt()), &["Enter"]), "{}", some("worked push", "{}")),
        (server(), "tiny", some("form :models server", r#"{"base_url":"tiny"}"#)),
    ]
}

#[test]
fn what_is_typed_is_kept_while_it_is_typed_and_not_at_each_key() {
    for (mut interface, text, draft) in places() {
        assert_eq!(kept(&typed(&mut interface, text)), [], "{draft:?}");
        assert_eq!(interface.next_tick(), Some(EVERY), "{draft:?}");
        assert_eq!(tick(&mut interface), std::slice::from_ref(&draft));
        assert_eq!(tick(&mut interface), [], "it is kept already: {draft:?}");
        assert_ne!(interface.next_tick(), Some(EVERY), "nothing more is to be kept: {draft:?}");
    }
}

#[test]
fn what_is_typed_is_kept_on_every_way_out() {
    for (mut interface, text, draft) in places() {
        typed(&mut interface, text);
        let changes: Vec<Order> = interface.unsaved().into_iter().map(Order::from).collect();
        assert_eq!(kept(&changes), std::slice::from_ref(&draft), "the end of the program");
    }
    for (mut interface, text, draft) in places() {
        typed(&mut interface, text);
        let orders = tell(&mut interface, Message::Key(key("Esc")));
        assert_eq!(kept(&orders), std::slice::from_ref(&draft), "Esc");
    }
}

#[test]
fn what_is_typed_is_kept_before_another_program_has_the_terminal() {
    for keys in ["^g", "^z"] {
        let mut interface = then(on(review()), &["r", "x"]);
        let orders = tell(&mut interface, Message::Key(key(keys)));
        assert_eq!(kept(&orders), [some("retry write[0]", "x")], "{keys}");
        assert!(matches!(orders.last(), Some(Order::Terminal(_))), "{orders:?}");
    }
}

#[test]
fn what_was_erased_again_is_forgotten() {
    let mut interface = chat(0);
    typed(&mut interface, "on");
    tick(&mut interface);
    press(&mut interface, &["^u"]);
    assert_eq!(tick(&mut interface), [("message".to_owned(), None)]);
}

#[test]
fn an_edit_is_kept_where_it_differs_from_what_was_edited() {
    let mut interface = then(on(review()), &["e"]);
    press(&mut interface, &["Down"]);
    assert_eq!(tick(&mut interface), [], "nothing was changed yet");
    typed(&mut interface, "new ");
    let edited = tick(&mut interface);
    assert!(
        matches!(&edited[..], [(name, Some(text))] if name == "edit write[0] 2" && text.contains("new ")),
        "{edited:?}"
    );
    (0..4).for_each(|_| press(&mut interface, &["Backspace"]));
    assert_eq!(tick(&mut interface), [("edit write[0] 2".to_owned(), None)], "it is as it was");
}

#[test]
fn the_open_field_of_a_tree_is_kept_too_and_esc_does_not_lose_it() {
    let mut interface = then(on(structured()), &["e", "Down", "Enter", "^u"]);
    typed(&mut interface, "The ebb");
    let open = tick(&mut interface);
    assert!(
        matches!(&open[..], [(name, Some(text))] if name == "fields of edit divide 1" && text.contains("The ebb")),
        "{open:?}"
    );
    press(&mut interface, &["Esc"]);
    assert!(look(&mut interface).contains("not put in: The ebb"));
    // Killed here, it is there when the person is back.
    let Some((name, Some(text))) = open.into_iter().next() else { panic!("kept") };
    let mut interface = home();
    let opened = Opened { run: Arc::new(structured().run), task: None, drafts: vec![(name, text)], asks: None };
    show(&mut interface, Ready::Run(Box::new(opened)));
    assert!(look(&mut interface).contains("your unsaved edit is here: e opens it"));
    press(&mut interface, &["e", "Enter"]);
    assert!(look(&mut interface).contains("The ebb"));
    press(&mut interface, &["Enter"]);
    let orders = tell(&mut interface, Message::Key(key("^s")));
    let names: Vec<String> =
        kept(&orders).into_iter().filter(|(_, text)| text.is_none()).map(|(name, _)| name).collect();
    assert_eq!(names, ["edit divide 1", "fields of edit divide 1"], "saved, both are done with");
}

#[test]
fn a_form_that_was_left_is_filled_in_again_and_done_with_when_it_starts() {
    let mut interface = home();
    let draft = Some(r#"{"mood":"calm, with gulls"}"#.to_owned());
    let form = FormOf { task: task(), given: json!({}), last: None, cost: None, draft, from: None };
    show(&mut interface, Ready::Form(Box::new(form)));
    let shown = look(&mut interface);
    assert!(shown.contains("calm, with gulls") && shown.contains("what you had typed is here again"), "{shown}");
    assert_eq!(tick(&mut interface), []);
    press(&mut interface, &["x", "^s"]);
    let ticket = interface.ticket;
    let opened = Opened { run: Arc::new(review().run), task: None, drafts: vec![], asks: None };
    let orders = tell(&mut interface, Message::Ready(ticket, Ready::Run(Box::new(opened))));
    assert_eq!(kept(&orders), [("form poem".to_owned(), None)]);
}

#[test]
fn an_instruction_of_before_is_offered_where_it_is_asked_for_unless_something_else_was_typed() {
    let run = review().run.id;
    let found = || Message::Draft { run, name: "retry write[0]".into(), text: "much softer".into() };
    let mut interface = inbox(review());
    let orders = tell(&mut interface, Message::Key(key("r")));
    assert!(orders.contains(&Order::Backend(Request::Errand(Errand::FindDrafts(run)))), "{orders:?}");
    tell(&mut interface, found());
    assert!(look(&mut interface).contains("much softer"));
    let orders = tell(&mut interface, Message::Key(key("Enter")));
    assert_eq!(kept(&orders), [("retry write[0]".to_owned(), None)], "given, it is done with");
    let mut interface = then(inbox(review()), &["r", "x"]);
    tell(&mut interface, found());
    assert!(!look(&mut interface).contains("much softer"));
}

#[test]
fn an_answer_that_was_not_taken_is_kept() {
    let mut interface = then(on(gate(GateKind::Input, vec![Answer::Answer])), &["Enter", "b"]);
    let orders = tell(&mut interface, Message::Key(key("^s")));
    assert_eq!(kept(&orders), [], "given, nothing of it is unsaved");
    let request = orders.into_iter().find_map(|order| match order {
        Order::Backend(request @ Request::Change(Change::Decide(..))) => Some(Box::new(request)),
        _ => None,
    });
    let orders = tell(&mut interface, Message::NotDone { request: request.unwrap(), why: "the disk is full".into() });
    assert_eq!(kept(&orders), [some("answer push", r#"{"room":"b"}"#)]);
}

#[test]
fn a_secret_is_in_no_draft() {
    let secret = then(on(gate(GateKind::Secret, vec![Answer::Answer])), &["Enter"]);
    let a_key = then(on(failed(FailureClass::Auth)), &["i"]);
    for mut interface in [secret, a_key] {
        typed(&mut interface, "sk-of-today");
        assert_eq!(tick(&mut interface), []);
        assert_eq!(interface.unsaved(), []);
        assert_eq!(kept(&tell(&mut interface, Message::Key(key("Esc")))), []);
    }
    let field = |name: &str, kind| Field { name: name.into(), kind, ..Field::default() };
    let inputs =
        vec![field("token", crate::core::form::FieldType::Secret), field("topic", crate::core::form::FieldType::Text)];
    let task = Task { inputs, ..Task::clone(&task()) };
    let mut interface = home();
    let form = FormOf { task: Arc::new(task), given: json!({}), last: None, cost: None, draft: None, from: None };
    show(&mut interface, Ready::Form(Box::new(form)));
    typed(&mut interface, "sk-of-today");
    press(&mut interface, &["Tab"]);
    typed(&mut interface, "sea");
    assert_eq!(tick(&mut interface), [some("form poem", r#"{"topic":"sea"}"#)]);
}

#[test]
fn a_reason_and_a_result_are_there_again_and_done_with_when_they_are_given() {
    let cases = [
        (asks_to_push(), "refuse push", "not today", "n", "your unsaved reason is here: n opens it"),
        (in_doubt(), "worked push", "7 files", "Enter", "your unsaved result is here: Enter opens it"),
    ];
    for (story, name, text, opens, says) in cases {
        let mut interface = home();
        let drafts = vec![(name.to_owned(), text.to_owned())];
        let opened = Opened { run: Arc::new(story.run.clone()), task: None, drafts, asks: None };
        show(&mut interface, Ready::Run(Box::new(opened)));
        let shown = look(&mut interface);
        assert!(shown.contains(says), "{shown}");
        press(&mut interface, &[opens]);
        assert!(look(&mut interface).contains(text), "{name}");
        let orders = tell(&mut interface, Message::Key(key("Enter")));
        assert_eq!(kept(&orders), [(name.to_owned(), None)]);
        // In the inbox it is looked for, and offered.
        let mut interface = inbox(Story { run: story.run.clone() });
        let orders = tell(&mut interface, Message::Key(key(opens)));
        let run = story.run.id;
        assert!(orders.contains(&Order::Backend(Request::Errand(Errand::FindDrafts(run)))), "{orders:?}");
        tell(&mut interface, Message::Draft { run, name: name.to_owned(), text: text.to_owned() });
        assert!(look(&mut interface).contains(text), "{name}");
    }
}

#[test]
fn the_description_of_a_server_is_there_again_until_its_model_has_answered() {
    let mut out = Vec::new();
    let mut interface = home();
    interface.follow(Effect::Go(crate::tui::effect::Go::OtherServer), &mut out);
    let name = ":models server".to_owned();
    assert!(out.contains(&Order::Backend(Request::Errand(Errand::FindForm(name.clone())))), "{out:?}");
    let text = r#"{"model":"tiny","base_url":"http://box:8080/v1"}"#.to_owned();
    tell(&mut interface, Message::FormDraft { name, text });
    let shown = look(&mut interface);
    assert!(shown.contains("tiny") && shown.contains("http://box:8080/v1"), "{shown}");
    assert!(shown.contains("what you had typed is here again"), "{shown}");
    assert_eq!(tick(&mut interface), [], "it is kept already");
    let orders = tell(&mut interface, Message::Connected("server/tiny answers".to_owned()));
    assert_eq!(kept(&orders), [("form :models server".to_owned(), None)]);
    assert!(look(&mut interface).contains("server/tiny answers"));
}

/// What is asked for when an edit is saved, and then refused: what the screen shows of it.
fn refused(mut interface: Interface, keys: &[&str]) -> (Vec<(String, Option<String>)>, String) {
    press(&mut interface, keys);
    let orders = tell(&mut interface, Message::Key(key("^s")));
    let request = orders.into_iter().find_map(|order| match order {
        Order::Backend(request @ Request::Change(Change::EditDocument { .. })) => Some(Box::new(request)),
        _ => None,
    });
    let why = "version 2 was seen, but version 3 counts now".to_owned();
    let orders = tell(&mut interface, Message::NotDone { request: request.unwrap(), why });
    (kept(&orders), look(&mut interface))
}

#[test]
fn an_edit_of_a_document_that_was_refused_is_kept_under_the_version_that_it_was_made_from() {
    // Each with the version that counts as it was seen, and an earlier one.
    for (interface, keys, name, at) in [
        (chat(2), &["Tab", "Left", "e", "x"][..], "document 1", "of version 1 is here: ← to it, then e"),
        (on(edited_result()), &["Left", "e", "x"][..], "result 1", "of version 1 is here: ← to it, then e"),
        (chat(2), &["Tab", "e", "x"][..], "document 2", "is here: e opens it"),
        (on(edited_result()), &["e", "x"][..], "result 2", "is here: e opens it"),
    ] {
        let (drafts, shown) = refused(interface, keys);
        assert!(matches!(&drafts[..], [(kept, Some(text))] if kept == name && text.starts_with('x')), "{drafts:?}");
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let says = format!("version 2 was seen, but version 3 counts now · your unsaved edit {at}");
        assert!(shown.contains(&says), "{name}: {shown}");
    }
}

#[test]
fn a_version_that_could_not_be_taken_is_no_draft() {
    for (mut interface, keys) in [(chat(2), &["Tab", "Left"][..]), (on(edited_result()), &["Left"][..])] {
        press(&mut interface, keys);
        let orders = tell(&mut interface, Message::Key(key("a")));
        let [Order::Backend(request)] = &orders[..] else { panic!("{orders:?}") };
        let why = "version 2 was seen, but version 3 counts now".to_owned();
        let orders = tell(&mut interface, Message::NotDone { request: Box::new(request.clone()), why });
        assert_eq!(kept(&orders), [], "it is there as it was");
    }
}

#[test]
fn what_was_typed_for_what_waits_and_was_not_taken_is_kept_and_opens_again() {
    let waiting = || on(tools::waiting());
    for (mut interface, opens, text, gives, name) in [
        (waiting(), "i", "the notes", "Enter", "worked tidy 1 2.0"),
        (waiting(), "i", r#"{"written":true}"#, "Enter", "worked tidy 1 2.0"),
        (waiting(), "n", "not there", "Enter", "refuse tidy 1 2.0"),
        (inbox(tools::waiting()), "i", "the notes", "Enter", "worked tidy 1 2.0"),
        (inbox(tools::waiting()), "n", "not there", "Enter", "refuse tidy 1 2.0"),
        (on(in_doubt()), "Enter", "7 files", "Enter", "worked push"),
        (inbox(in_doubt()), "Enter", "7 files", "Enter", "worked push"),
    ] {
        press(&mut interface, &[opens]);
        typed(&mut interface, text);
        let (drafts, _) = not_taken(&mut interface, gives);
        assert_eq!(drafts, [some(name, text)], "{opens}");
    }
    let mut interface = waiting();
    press(&mut interface, &["e", "Enter"]);
    typed(&mut interface, "x");
    press(&mut interface, &["Enter"]);
    let (drafts, shown) = not_taken(&mut interface, "^s");
    let [(name, Some(text))] = &drafts[..] else { panic!("{drafts:?}") };
    assert_eq!(name, "edit tidy 1 call 2.0");
    assert!(text.contains("notes.mdx"), "{text}");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("your unsaved edit of the arguments is here: e opens it"), "{shown}");
    press(&mut interface, &["e"]);
    assert!(look(&mut interface).contains("notes.mdx"));
}

/// What is kept of a decision that could not be kept, and what the screen shows then.
fn not_taken(interface: &mut Interface, gives: &str) -> (Vec<Kept>, String) {
    let orders = tell(interface, Message::Key(key(gives)));
    let request = orders.into_iter().find_map(|order| match order {
        Order::Backend(request @ Request::Change(Change::Decide(..))) => Some(Box::new(request)),
        _ => None,
    });
    let orders = tell(interface, Message::NotDone { request: request.unwrap(), why: "the disk is full".into() });
    (kept(&orders).into_iter().filter(|(_, text)| text.is_some()).collect(), look(interface))
}
