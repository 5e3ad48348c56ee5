//! What takes the screen while the person types: their keys go where they were meant to go, and nothing opens over what
//! they have begun since.

use super::*;
use crate::core::model::ModelChoice;
use crate::tui::effect::Opening;

/// What the backend is asked to open.
pub(super) fn asked(orders: &[Order]) -> Vec<&Opening> {
    let opening = |order| match order {
        &Order::Backend(Request::Open(_, ref opening)) => Some(opening),
        _ => None,
    };
    orders.iter().filter_map(opening).collect()
}

pub(super) fn typed(interface: &mut Interface, keys: &[&str]) -> Vec<Order> {
    keys.iter().flat_map(|name| tell(interface, Message::Key(key(name)))).collect()
}

/// The ticket of what was asked for last is answered.
fn answer(interface: &mut Interface, ready: Ready) -> Vec<Order> {
    let ticket = interface.ticket;
    tell(interface, Message::Ready(ticket, ready))
}

fn poem_form() -> Ready {
    Ready::Form(Box::new(FormOf { task: task(), given: json!({}), last: None, cost: None, draft: None, from: None }))
}

fn poem_run() -> Ready {
    Ready::Run(Box::new(Opened { run: Arc::new(review().run), task: None, drafts: vec![], asks: None }))
}

/// Home, where a task was picked and is not open yet.
fn picked() -> Interface {
    let mut interface = home();
    let orders = typed(&mut interface, &["p", "o", "e", "m", "Enter"]);
    assert_eq!(asked(&orders), [&Opening::Task("poem".into())]);
    interface
}

#[test]
fn what_is_typed_ahead_of_a_form_is_typed_into_it() {
    let mut interface = picked();
    assert_eq!(typed(&mut interface, &["s", "e", "a", "Tab"]), []);
    tell(&mut interface, Message::Paste("calm".into()));
    assert!(look(&mut interface).contains("Esc cancels"), "they see that it is not there yet");
    answer(&mut interface, poem_form());
    let shown = look(&mut interface);
    assert!(shown.contains("sea") && shown.contains("calm"), "{shown}");
    assert!(!shown.contains("Esc cancels"), "{shown}");
}

#[test]
fn a_key_that_starts_a_run_starts_one_however_often_it_is_pressed() {
    let mut interface = form();
    let orders = typed(&mut interface, &["^s", "^s", "^s"]);
    assert_eq!(asked(&orders).len(), 1, "{orders:?}");
    let orders = answer(&mut interface, poem_run());
    assert_eq!(asked(&orders).len(), 0, "{orders:?}");
    assert!(look(&mut interface).contains("Steps"));
}

#[test]
fn a_key_that_was_pressed_before_a_run_was_there_decides_nothing_in_it() {
    let mut interface = form();
    typed(&mut interface, &["^s", "a"]);
    assert_eq!(answer(&mut interface, poem_run()).iter().filter(|order| is_change(order)).count(), 0);
    // Once it was seen, it does.
    look(&mut interface);
    assert_eq!(typed(&mut interface, &["a"]).iter().filter(|order| is_change(order)).count(), 1);
}

fn is_change(order: &Order) -> bool {
    matches!(order, Order::Backend(Request::Change(_)))
}

#[test]
fn what_was_given_up_opens_over_nothing() {
    let mut interface = picked();
    typed(&mut interface, &["x", "Esc"]);
    let before = look(&mut interface);
    assert!(before.contains("poem"), "the search is as it was: {before}");
    answer(&mut interface, poem_form());
    assert_eq!(look(&mut interface), before);
    // Nor does what was asked for first take the place of what was asked for later.
    let first = interface.ticket;
    typed(&mut interface, &["Enter", "Esc", "Enter"]);
    tell(&mut interface, Message::Ready(first, poem_run()));
    assert_eq!(look(&mut interface), before);
    answer(&mut interface, poem_form());
    assert_ne!(look(&mut interface), before);
}

#[test]
fn a_question_is_answered_by_no_key_that_was_pressed_before_it_was_asked() {
    let mut interface = form();
    typed(&mut interface, &["^s", "Y"]);
    let choice = ModelChoice {
        model: "ollama/qwen3:8b".into(),
        why: "it answers".into(),
        demo: false,
        ask_first: true,
        config_lines: String::new(),
    };
    let then = Box::new(Opening::Task("poem".into()));
    assert_eq!(answer(&mut interface, Ready::Consent { choice, then: then.clone() }), []);
    assert!(look(&mut interface).contains("Use it from now on?"));
    let agreed = Opening::Agreed { provider: "ollama".into(), then };
    assert_eq!(asked(&typed(&mut interface, &["Y"])), [&agreed]);
}

#[test]
fn what_was_typed_for_something_that_does_not_open_goes_nowhere_else() {
    let mut interface = picked();
    typed(&mut interface, &["s", "e", "a"]);
    let request = Box::new(Request::Open(interface.ticket, Opening::Task("poem".into())));
    tell(&mut interface, Message::NotDone { request, why: "it has errors".into() });
    let shown = look(&mut interface);
    assert!(shown.contains("it has errors") && !shown.contains("sea"), "{shown}");
    typed(&mut interface, &["s"]);
    assert!(look(&mut interface).contains("poems"), "the keys are the screen's again");
}

#[test]
fn whoever_waits_may_leave() {
    let mut interface = picked();
    assert_eq!(typed(&mut interface, &["^c"]), []);
    assert!(look(&mut interface).contains("Ctrl-C again leaves"));
    assert_eq!(typed(&mut interface, &["^c"]), [Order::Quit]);
}

#[test]
fn a_decision_of_the_inbox_that_was_not_taken_waits_there_again() {
    let mut interface = inbox(review());
    let waiting = look(&mut interface);
    let orders = typed(&mut interface, &["a"]);
    let [Order::Backend(Request::Change(change))] = orders.as_slice() else { panic!("{orders:?}") };
    assert_ne!(look(&mut interface), waiting);
    let request = Box::new(Request::Change(change.clone()));
    tell(&mut interface, Message::NotDone { request, why: "another attempt waits".into() });
    let again = look(&mut interface);
    assert!(again.contains("another attempt waits"), "{again}");
    let rows = |shown: &str| shown.matches("write[").count();
    assert_eq!(rows(&again), rows(&waiting), "{again}");
}

#[test]
fn a_model_that_is_not_known_is_asked_for_again_with_what_was_typed_and_what_is_wrong() {
    let mut interface = on(review());
    let run = interface.top().run().unwrap();
    let pick = Opening::PickModel { run, key: "write[0]".parse().unwrap(), model: "gpt-9".into(), typed: true };
    interface.open(pick.clone(), &mut Vec::new());
    let request = Box::new(Request::Open(interface.ticket, pick));
    let why = format!("`gpt-9` is no role and no PROVIDER/MODEL; {}", "known are these and more; ".repeat(5));
    tell(&mut interface, Message::NotDone { request, why: format!("{why} the end") });
    let shown = look(&mut interface);
    assert!(shown.contains("gpt-9") && shown.contains("is no role") && shown.contains("the end"), "{shown}");
    let orders = typed(&mut interface, &["Backspace", "5", "Enter"]);
    assert!(matches!(asked(&orders)[..], [Opening::PickModel { model, .. }] if model == "gpt-5"), "{orders:?}");
}

#[test]
fn why_a_model_of_the_list_cannot_be_taken_is_said_and_no_name_is_asked_for() {
    let mut interface = on(review());
    let run = interface.top().run().unwrap();
    let pick = Opening::PickModel { run, key: "write[0]".parse().unwrap(), model: "fast".into(), typed: false };
    interface.open(pick.clone(), &mut Vec::new());
    let request = Box::new(Request::Open(interface.ticket, pick));
    tell(&mut interface, Message::NotDone { request, why: "another process has the store locked".into() });
    let shown = look(&mut interface);
    assert!(shown.contains("another process has the store locked"), "{shown}");
    assert!(!shown.contains("PROVIDER/MODEL"), "{shown}");
}

#[test]
fn a_run_that_would_ask_a_model_nobody_agreed_to_is_shown_and_the_person_is_asked_before_it_goes_on() {
    let choice = ModelChoice {
        model: "openai/large".into(),
        why: "OPENAI_API_KEY is set".into(),
        demo: false,
        ask_first: true,
        config_lines: String::new(),
    };
    let mut interface = form();
    typed(&mut interface, &["^s", "y"]);
    let run = Arc::new(review().run);
    let id = run.id;
    let opened = Opened { run, task: None, drafts: vec![], asks: Some(choice) };
    let orders = answer(&mut interface, Ready::Run(Box::new(opened)));
    assert_eq!(asked(&orders).len(), 0, "a key from before the question answers nothing: {orders:?}");
    let shown = look(&mut interface);
    assert!(shown.contains("openai/large would answer, because OPENAI_API_KEY is set."), "{shown}");
    let orders = typed(&mut interface, &["y"]);
    let then = Box::new(Opening::Run(id));
    assert_eq!(asked(&orders), [&Opening::Agreed { provider: "openai".into(), then }]);
}
