//! A text editor of several lines. Ctrl-S, Alt-Enter, Esc and Ctrl-G are the screen's and never arrive here; the keys
//! of a shell (Ctrl-A E K U W N P) belong to the text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;

/// A longer text is not wrapped but scrolled sideways: the widget wraps all of it again at each key.
const LONGEST_WRAPPED: usize = 256 * 1024;

/// A text that is being edited.
#[derive(Clone, Debug)]
pub struct Editor {
    area: TextArea<'static>,
}

impl Default for Editor {
    fn default() -> Self {
        Self::new("")
    }
}

impl Editor {
    /// An editor that holds `text`, with the caret at its beginning.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut area = TextArea::new(text.split('\n').map(str::to_owned).collect());
        area.set_cursor_line_style(Style::default());
        // The terminal's own cursor stands at the caret, where input methods look for it.
        area.set_cursor_style(Style::default());
        area.set_max_histories(1_000);
        let mut editor = Self { area };
        editor.set_wrap(text.len());
        editor
    }

    /// The same, with the caret at the end.
    #[must_use]
    pub fn at_end(text: &str) -> Self {
        let mut editor = Self::new(text);
        editor.area.move_cursor(CursorMove::Bottom);
        editor.area.move_cursor(CursorMove::End);
        editor
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.area.is_empty()
    }

    /// Takes a paste of any size; it never submits anything.
    pub fn paste(&mut self, text: &str) {
        let bytes = self.area.lines().iter().map(|line| line.len() + 1).sum::<usize>() + text.len();
        self.set_wrap(bytes);
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
    }

    fn set_wrap(&mut self, bytes: usize) {
        let mode = if bytes > LONGEST_WRAPPED { WrapMode::None } else { WrapMode::WordOrGlyph };
        self.area.set_wrap_mode(mode);
    }

    /// Takes a key. Gives whether the text changed.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            // In a shell Ctrl-U erases to the beginning of the line; undo is Ctrl-_ as in emacs, or Alt-U.
            KeyCode::Char('u') if control => self.area.delete_line_by_head(),
            KeyCode::Char('_' | '7' | '/') if control => self.area.undo(),
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::ALT) => self.area.undo(),
            KeyCode::Char('r') if key.modifiers.contains(KeyModifiers::ALT) => self.area.redo(),
            // Shift-Enter and Ctrl-J are new lines wherever Enter means something else.
            KeyCode::Char('j') if control => {
                self.area.insert_newline();
                true
            }
            _ => self.area.input(key),
        }
    }

    /// Takes a click at a place within the area that it was painted in.
    pub fn click(&mut self, column: u16, row: u16) {
        let (top, left) = self.area.scroll_offset();
        let place = self.area.screen_to_data(usize::from(row + top), usize::from(column + left));
        let (row, column) = (u16::try_from(place.0), u16::try_from(place.1));
        if let (Ok(row), Ok(column)) = (row, column) {
            self.area.move_cursor(CursorMove::Jump(row, column));
        }
    }

    /// Whether the caret is in the first line.
    #[must_use]
    pub fn is_at_top(&self) -> bool {
        self.area.cursor().0 == 0
    }

    /// Paints the text, with the caret when `focused`.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
        if area.is_empty() {
            return;
        }
        (&self.area).render(area, canvas.buf);
        make_safe(canvas, area);
        if focused {
            let cursor = self.area.screen_cursor();
            let (top, left) = self.area.scroll_offset();
            let x = u16::try_from(cursor.col).unwrap_or(u16::MAX).saturating_sub(left).min(area.width - 1);
            let y = u16::try_from(cursor.row).unwrap_or(u16::MAX).saturating_sub(top).min(area.height - 1);
            canvas.seen.caret = Some(Position { x: area.x + x, y: area.y + y });
        }
    }
}

/// The text being edited may be a model's: what could act or hide is shown as a replacement character in its cell.
fn make_safe(canvas: &mut Canvas<'_>, area: Rect) {
    for position in area.positions() {
        if let Some(cell) = canvas.buf.cell_mut(position)
            && !cell.symbol().is_ascii()
            && Untrusted::from(cell.symbol()).line() != cell.symbol()
        {
            cell.set_symbol("\u{fffd}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
