//! What is typed into a text of several lines, short and long.

use super::*;
use crate::tui::canvas::FrameInfo;
use crate::tui::theme::{Depth, Ground, Theme};

fn key(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) {
    editor.key(KeyEvent::new(code, modifiers));
}

#[test]
fn the_keys_of_a_shell_belong_to_the_text() {
    let mut editor = Editor::at_end("one two");
    key(&mut editor, KeyCode::Char('w'), KeyModifiers::CONTROL);
    assert_eq!(editor.text(), "one ");
    key(&mut editor, KeyCode::Char('u'), KeyModifiers::CONTROL);
    assert!(editor.is_empty());
    key(&mut editor, KeyCode::Char('_'), KeyModifiers::CONTROL);
    assert_eq!(editor.text(), "one ");
}

#[test]
fn a_paste_with_line_breaks_is_text_and_nothing_else() {
    let mut editor = Editor::default();
    editor.paste("a\r\nb\rc");
    assert_eq!(editor.text(), "a\nb\nc");
}

#[test]
fn a_new_line_can_be_typed_where_enter_means_something_else() {
    let mut editor = Editor::at_end("a");
    key(&mut editor, KeyCode::Char('j'), KeyModifiers::CONTROL);
    key(&mut editor, KeyCode::Char('b'), KeyModifiers::NONE);
    assert_eq!(editor.text(), "a\nb");
}

const PLACE: Rect = Rect { x: 0, y: 0, width: 60, height: 10 };

/// What is on screen, and the line that the caret is in.
fn painted(editor: &Editor) -> (Vec<String>, usize) {
    let mut buffer = Buffer::empty(PLACE);
    let (mut info, theme) = (FrameInfo::default(), Theme::new(Ground::Dark, Depth::None));
    editor.paint(&mut Canvas { buf: &mut buffer, theme: &theme, frame: &mut info, as_written: false }, PLACE, true);
    let row = |y| (0..PLACE.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    ((0..PLACE.height).map(row).collect(), info.caret.unwrap().y.into())
}

fn numbered(lines: usize) -> String {
    (0..lines).map(|line| format!("line {line} of a text that is long")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_long_text_is_walked_through_line_by_line_as_a_short_one() {
    let text = numbered(5_000);
    let mut editor = Editor::new(&text);
    for line in 0..5_000_usize {
        let (shown, caret) = painted(&editor);
        assert_eq!(shown[caret], format!("line {line} of a text that is long"));
        // It scrolls by one line at a time, whatever moves in and out of the widget.
        assert_eq!(caret, line.min(9), "line {line}");
        key(&mut editor, KeyCode::Down, KeyModifiers::NONE);
    }
    for line in (0..5_000_usize).rev() {
        let (shown, caret) = painted(&editor);
        assert_eq!(shown[caret], format!("line {line} of a text that is long"));
        assert_eq!(caret, line.saturating_sub(4_990), "line {line}");
        key(&mut editor, KeyCode::Up, KeyModifiers::NONE);
    }
    assert!(editor.is_at_top());
    assert_eq!(editor.text(), text);
}

#[test]
fn what_is_typed_and_pasted_into_a_long_text_is_where_it_was_typed() {
    let mut editor = Editor::at_end(&numbered(5_000));
    editor.paste("\nlast");
    key(&mut editor, KeyCode::Char('<'), KeyModifiers::ALT);
    assert!(editor.is_at_top());
    let long = "x\n".repeat(3 << 20);
    editor.paste(&long);
    key(&mut editor, KeyCode::Char('y'), KeyModifiers::NONE);
    let text = editor.text();
    assert!(text == format!("{long}y{}\nlast", numbered(5_000)), "{} bytes", text.len());
    key(&mut editor, KeyCode::Char('>'), KeyModifiers::ALT);
    key(&mut editor, KeyCode::Char('!'), KeyModifiers::NONE);
    assert!(editor.text().ends_with("\nlast!"));
    assert_eq!(painted(&editor).0.last().unwrap(), "last!");
}

#[test]
fn a_selection_is_replaced_by_a_long_paste() {
    let mut editor = Editor::new("one two");
    key(&mut editor, KeyCode::End, KeyModifiers::SHIFT);
    let long = "z".repeat(100_000);
    editor.paste(&long);
    assert!(editor.text() == long);
}

#[test]
fn what_a_person_sees_as_one_character_is_one_to_the_keys() {
    for one in ["👩\u{200d}🚀", "🇩🇪", "e\u{301}", "👍🏽", "1\u{fe0f}\u{20e3}"] {
        let mut editor = Editor::at_end(&format!("a{one}b{one}"));
        key(&mut editor, KeyCode::Backspace, KeyModifiers::NONE);
        assert_eq!(editor.text(), format!("a{one}b"));
        key(&mut editor, KeyCode::Left, KeyModifiers::NONE);
        key(&mut editor, KeyCode::Left, KeyModifiers::NONE);
        key(&mut editor, KeyCode::Char('x'), KeyModifiers::NONE);
        assert_eq!(editor.text(), format!("ax{one}b"));
        key(&mut editor, KeyCode::Delete, KeyModifiers::NONE);
        assert_eq!(editor.text(), "axb", "{one}");
        key(&mut editor, KeyCode::Char('_'), KeyModifiers::CONTROL);
        assert_eq!(editor.text(), format!("ax{one}b"), "it comes back whole");
    }
    let mut flags = Editor::at_end("🇩🇪🇫🇷🇬🇧");
    key(&mut flags, KeyCode::Char('b'), KeyModifiers::CONTROL);
    key(&mut flags, KeyCode::Char('h'), KeyModifiers::CONTROL);
    assert_eq!(flags.text(), "🇩🇪🇬🇧");
}

#[test]
fn the_caret_is_behind_a_character_that_is_made_of_several() {
    for (text, column) in [("👩\u{200d}🚀", 2), ("a🇩🇪b", 4), ("日本", 4), ("👩\u{200d}🚀 👩\u{200d}🚀", 5)]
    {
        let editor = Editor::at_end(text);
        let mut buffer = Buffer::empty(PLACE);
        let (mut info, theme) = (FrameInfo::default(), Theme::new(Ground::Dark, Depth::None));
        editor.paint(&mut Canvas { buf: &mut buffer, theme: &theme, frame: &mut info, as_written: false }, PLACE, true);
        assert_eq!(info.caret.unwrap().x, column, "{text}");
    }
}

#[test]
fn words_are_walked_and_erased_with_the_keys_of_every_program() {
    let mut editor = Editor::at_end("one two three");
    for (code, modifiers) in [(KeyCode::Char('b'), KeyModifiers::ALT), (KeyCode::Left, KeyModifiers::ALT)] {
        key(&mut editor, code, modifiers);
    }
    key(&mut editor, KeyCode::Char('|'), KeyModifiers::NONE);
    assert_eq!(editor.text(), "one |two three");
    key(&mut editor, KeyCode::Char('d'), KeyModifiers::ALT);
    assert_eq!(editor.text(), "one | three");
    key(&mut editor, KeyCode::Delete, KeyModifiers::CONTROL);
    assert_eq!(editor.text(), "one |");
    key(&mut editor, KeyCode::Backspace, KeyModifiers::CONTROL);
    key(&mut editor, KeyCode::Backspace, KeyModifiers::ALT);
    assert_eq!(editor.text(), "");
    key(&mut editor, KeyCode::Char('y'), KeyModifiers::CONTROL);
    assert_eq!(editor.text(), "one ");
}

#[test]
fn a_long_line_is_walked_through_and_changed_as_a_short_one() {
    let word = |n: usize| format!("{n:07} ");
    let long: String = (0..125_000).map(word).collect();
    let mut editor = Editor::new(&format!("first\n{long}\nlast"));
    assert_eq!(editor.text().len(), 1_000_000 + 11);
    key(&mut editor, KeyCode::Down, KeyModifiers::NONE);
    key(&mut editor, KeyCode::End, KeyModifiers::NONE);
    key(&mut editor, KeyCode::Char('!'), KeyModifiers::NONE);
    assert!(editor.text() == format!("first\n{long}!\nlast"));
    for _ in 0..=3_000 {
        key(&mut editor, KeyCode::Left, KeyModifiers::CONTROL);
    }
    key(&mut editor, KeyCode::Char('x'), KeyModifiers::NONE);
    let (before, after) = long.split_at(long.len() - 8 * 3_000);
    assert!(editor.text() == format!("first\n{before}x{after}!\nlast"));
    assert!(editor.area.lines().iter().map(String::len).sum::<usize>() < 2 * MOST, "the widget has what is near");
    key(&mut editor, KeyCode::Char('k'), KeyModifiers::CONTROL);
    assert!(editor.text() == format!("first\n{before}x\nlast"));
    key(&mut editor, KeyCode::Char('y'), KeyModifiers::CONTROL);
    assert!(editor.text() == format!("first\n{before}x{after}!\nlast"));
    key(&mut editor, KeyCode::Char('u'), KeyModifiers::CONTROL);
    assert!(editor.text() == "first\n\nlast", "{}", editor.text().len());
    assert!(!editor.is_at_top() && !editor.is_at_bottom());
}

#[test]
fn a_long_line_that_is_pasted_is_all_there_and_the_caret_is_behind_it() {
    let mut editor = Editor::new("ab");
    key(&mut editor, KeyCode::Right, KeyModifiers::NONE);
    let long = "日".repeat(400_000);
    editor.paste(&long);
    key(&mut editor, KeyCode::Char('|'), KeyModifiers::NONE);
    assert!(editor.text() == format!("a{long}|b"));
    key(&mut editor, KeyCode::Char('a'), KeyModifiers::CONTROL);
    key(&mut editor, KeyCode::Char('|'), KeyModifiers::NONE);
    assert!(editor.text() == format!("|a{long}|b"));
    assert!(editor.is_at_top());
}
