//! A structured value as a person edits it.

use crossterm::event::{KeyCode, KeyModifiers};
use serde_json::json;

use super::*;
use crate::tui::canvas::Extent;

const SEEN: Extent = Extent { lines: 9, height: 9 };

fn stanzas() -> TreeEditor {
    let schema = json!({"type": "array", "items": {"type": "object", "required": ["subject"],
        "properties": {"subject": {"type": "string"}, "lines": {"type": "integer", "minimum": 4}}}});
    TreeEditor::new(json!([{"subject": "The tide", "lines": 4}, {"subject": "The storm", "lines": 6}]), Some(schema))
}

fn typed(tree: &mut TreeEditor, text: &str) {
    tree.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    text.chars().for_each(|c| tree.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    tree.commit();
}

#[test]
fn items_are_added_moved_and_removed() {
    let mut tree = stanzas();
    tree.change(Change::Add);
    // The first row is an object that lacks nothing, so an item follows it.
    assert_eq!(tree.value()[1], json!({"subject": "", "lines": 4}));
    tree.change(Change::Move(2));
    assert_eq!(tree.value()[2]["subject"], "The tide");
    tree.change(Change::Remove);
    assert_eq!(tree.value().as_array().unwrap().len(), 2);
}

fn picture(tree: &TreeEditor, size: (u16, u16)) -> String {
    let depth = crate::tui::theme::Depth::None;
    crate::tui::testing::frame(size, depth, |canvas, area| tree.paint(canvas, area, true)).0
}

#[test]
fn a_value_that_its_row_cuts_is_shown_whole_beneath_the_tree_also_while_it_is_typed() {
    let long = "coming upon a lighthouse keeper who hates the sea and has never told anybody of it";
    let mut tree = TreeEditor::new(json!([{"subject": long, "lines": 4}, {"subject": "short"}]), None);
    assert!(!picture(&tree, (50, 12)).contains("anybody"), "the item is no text");
    tree.step(1, SEEN);
    let shown = picture(&tree, (50, 12));
    assert!(
        shown.contains("…") && shown.split_whitespace().collect::<Vec<_>>().join(" ").contains("told anybody of it"),
        "{shown}"
    );
    tree.change(Change::Edit);
    "!!".chars().for_each(|c| tree.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    let shown = picture(&tree, (50, 12));
    assert!(shown.matches("of it!!").count() > 1, "in its row and beneath: {shown}");
    tree.cancel();
    tree.step(3, SEEN);
    assert!(!picture(&tree, (50, 12)).contains("───"), "a short one is in its row");
    for size in [(1, 1), (4, 2), (300, 3), (12, 5)] {
        picture(&tree, size);
    }
}

#[test]
fn a_value_that_does_not_parse_says_why_and_is_kept() {
    let mut tree = stanzas();
    tree.step(2, SEEN);
    tree.change(Change::Edit);
    typed(&mut tree, "many");
    assert!(tree.is_typing());
    assert!(tree.problem().unwrap().contains("`many`"));
    typed(&mut tree, "8");
    assert!(!tree.is_typing());
    assert_eq!(tree.value()[0]["lines"], 8);
}

#[test]
fn a_text_stays_a_text_whatever_is_typed() {
    let mut tree = stanzas();
    tree.step(1, SEEN);
    tree.change(Change::Edit);
    typed(&mut tree, "42");
    assert_eq!(tree.value()[0]["subject"], "42");
}

/// Types into the selected field, and leaves it with Esc.
fn left(tree: &mut TreeEditor, text: &str) {
    tree.change(Change::Edit);
    tree.key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL));
    text.chars().for_each(|c| tree.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
    tree.cancel();
}

#[test]
fn a_value_that_is_left_while_it_is_typed_is_kept_and_opens_again() {
    let mut tree = stanzas();
    assert_eq!(tree.unfinished(), None);
    tree.step(1, SEEN);
    left(&mut tree, "The ebb");
    assert_eq!(tree.value()[0]["subject"], "The tide", "it was not put in");
    // It is there after a restart, and goes along with its item.
    let kept = tree.unfinished().unwrap();
    let mut tree = stanzas();
    tree.restore(&kept);
    tree.change(Change::Move(1));
    assert_eq!(tree.value()[1]["subject"], "The tide");
    tree.change(Change::Edit);
    tree.commit();
    assert_eq!(tree.value()[1]["subject"], "The ebb");
    assert_eq!(tree.unfinished(), None);
}

#[test]
fn what_is_typed_is_kept_before_it_is_left_and_what_was_not_changed_is_not() {
    let mut tree = stanzas();
    tree.step(2, SEEN);
    tree.change(Change::Edit);
    assert_eq!(tree.unfinished(), None);
    tree.key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE));
    assert!(tree.unfinished().unwrap().contains("4x"), "also what cannot be put in");
    tree.cancel();
    tree.step(-1, SEEN);
    tree.change(Change::Remove);
    assert!(tree.unfinished().is_some(), "another field is gone");
    tree.step(-1, SEEN);
    tree.change(Change::Remove);
    assert_eq!(tree.unfinished(), None, "it went with its item");
}
