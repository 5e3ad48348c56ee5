//! Texts are shown as they are written, and that is kept for the task.

use super::*;

fn sea() -> Story {
    let output = json!("# The sea\n\n**Dark** water.");
    Story::new("poem", "the sea", TaskKind::Workflow)
        .start("write", 1, None)
        .finish("write", 1, output)
        .review("write", 1, None)
}

fn alt_r() -> Message {
    Message::Key(KeyEvent::new(KeyCode::Char('r'), KeyModifiers::ALT))
}

fn kept(orders: &[Order]) -> Vec<String> {
    let kept = orders.iter().find_map(|order| match order {
        Order::Backend(Request::Errand(Errand::KeepAsWritten(tasks))) => Some(tasks),
        _ => None,
    });
    kept.expect("it is kept").iter().cloned().collect()
}

#[test]
fn a_key_shows_the_signs_of_a_text_and_takes_them_away_again() {
    let mut interface = on(sea());
    assert!(!look(&mut interface).contains("**Dark**"));
    assert_eq!(kept(&tell(&mut interface, alt_r())), ["poem"]);
    let shown = look(&mut interface);
    assert!(
        shown.contains("# The sea") && shown.contains("**Dark** water.") && shown.contains("as written"),
        "{shown}"
    );
    assert_eq!(kept(&tell(&mut interface, alt_r())), Vec::<String>::new());
    assert!(!look(&mut interface).contains("**Dark**"));
}

#[test]
fn what_was_kept_holds_for_the_task_and_no_other() {
    let mut interface = on(sea());
    tell(&mut interface, Message::AsWritten(vec!["poem".into(), "email".into()]));
    assert!(look(&mut interface).contains("**Dark** water."));
    let mut other = sea();
    other.run.task = "guide".into();
    let mut interface = on(other);
    tell(&mut interface, Message::AsWritten(vec!["poem".into()]));
    assert!(!look(&mut interface).contains("**Dark**"));
}

#[test]
fn it_holds_in_the_inbox_and_in_the_exact_prompt_there() {
    let mut interface = inbox(sea());
    tell(&mut interface, alt_r());
    assert!(look(&mut interface).contains("**Dark** water."));
    press(&mut interface, &["p"]);
    assert_eq!(kept(&tell(&mut interface, alt_r())), Vec::<String>::new());
    press(&mut interface, &["Esc"]);
    assert!(!look(&mut interface).contains("**Dark**"));
}
