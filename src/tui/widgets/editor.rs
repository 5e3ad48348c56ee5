//! A text editor of several lines. Ctrl-S, Alt-Enter, Esc and Ctrl-G are the screen's and never arrive here; the keys
//! of a shell (Ctrl-A E K U W N P) belong to the text.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use tui_textarea::{CursorMove, TextArea, WrapMode};

use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;

/// As many bytes as lie in the widget above or below the caret's line at most: it lays all that it has out anew at each
/// key, and counts rows in sixteen bits.
const MOST: usize = 32 * 1024;

/// As many as are put there when a long text is parted.
const HALF: usize = 16 * 1024;

/// As many as must be there while there are more.
const LEAST: usize = 4 * 1024;

/// What is in the widget and longer, in one line that is, is not wrapped but scrolled sideways.
const LONGEST_WRAPPED: usize = 256 * 1024;

/// A text that is being edited.
///
/// Of a long one only the lines around the caret are in the widget; the others wait above and below, and move in as the
/// caret moves. What can be undone ends where they last did.
#[derive(Clone, Debug)]
pub struct Editor {
    above: Vec<String>,
    area: TextArea<'static>,
    /// The nearest last.
    below: Vec<String>,
    /// Where it was painted last.
    place: Cell<Rect>,
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
        let mut below: Vec<String> = plain(text).split('\n').map(str::to_owned).collect();
        below.reverse();
        let first = below.pop().unwrap_or_default();
        let mut editor = Self { above: Vec::new(), area: widget(vec![first]), below, place: Cell::default() };
        editor.part();
        editor
    }

    /// The same, with the caret at the end.
    #[must_use]
    pub fn at_end(text: &str) -> Self {
        let mut editor = Self::new(text);
        editor.go_to_end();
        editor
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.lines().map(|line| line.len() + 1).sum());
        for (at, line) in self.lines().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            text.push_str(line);
        }
        text
    }

    fn lines(&self) -> impl Iterator<Item = &String> {
        self.above.iter().chain(self.area.lines()).chain(self.below.iter().rev())
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.above.is_empty() && self.area.is_empty() && self.below.is_empty()
    }

    /// Takes a paste of any size; it never submits anything.
    pub fn paste(&mut self, text: &str) {
        let text = plain(text);
        if text.len() <= MOST {
            self.area.insert_str(text);
        } else {
            self.insert_long(&text);
        }
        self.settle();
    }

    /// Puts a long text at the caret past the widget, which keeps a copy of whatever it is given to undo it.
    fn insert_long(&mut self, text: &str) {
        if self.area.selection_range().is_some() {
            self.area.cut();
        }
        let (row, column) = caret(&self.area);
        let mut lines = std::mem::take(&mut self.area).into_lines();
        self.below.extend(lines.drain(row + 1..).rev());
        let mut line = lines.pop().unwrap_or_default();
        self.above.append(&mut lines);
        let at = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        let rest = line.split_off(at);
        for piece in text.split_inclusive('\n') {
            line.push_str(piece.strip_suffix('\n').unwrap_or(piece));
            if piece.ends_with('\n') {
                self.above.push(std::mem::take(&mut line));
            }
        }
        let column = line.chars().count();
        line.push_str(&rest);
        self.area = widget(vec![line]);
        jump(&mut self.area, 0, column);
        self.part();
    }

    /// Sees to it that there are lines around the caret, and not too many.
    fn settle(&mut self) {
        let (row, _) = caret(&self.area);
        let lines = self.area.lines();
        let (over, under) = (bytes(&lines[..row]), bytes(&lines[row + 1..]));
        let lacks = over < LEAST && !self.above.is_empty() || under < LEAST && !self.below.is_empty();
        if lacks || over > MOST || under > MOST {
            self.part();
        }
    }

    /// Puts as many lines into the widget as there should be around the caret. What is on screen stays where it is.
    fn part(&mut self) {
        let (row, column) = caret(&self.area);
        let (top, _) = self.area.scroll_offset();
        let last = usize::from(self.place.get().height).saturating_sub(1);
        let shown = self.area.screen_cursor().row.saturating_sub(top.into()).min(last);
        let mut lines = std::mem::take(&mut self.area).into_lines();
        let mut under = lines.split_off(row + 1);
        let line = lines.pop().unwrap_or_default();
        self.above.append(&mut lines);
        under.reverse();
        self.below.append(&mut under);
        let over = nearest(&mut self.above);
        let row = over.len();
        let mut lines: Vec<String> = over.into_iter().rev().collect();
        lines.push(line);
        lines.append(&mut nearest(&mut self.below));
        self.area = widget(lines);
        jump(&mut self.area, row, column);
        let place = self.place.get();
        if !place.is_empty() {
            // Where the widget scrolls to is known once it was painted.
            (&self.area).render(place, &mut Buffer::empty(place));
            let wanted = self.area.screen_cursor().row.saturating_sub(shown);
            let (top, _) = self.area.scroll_offset();
            let by = i16::try_from(wanted).unwrap_or(i16::MAX).saturating_sub_unsigned(top);
            self.area.scroll((by, 0));
        }
    }

    fn go_to_start(&mut self) {
        self.area.move_cursor(CursorMove::Top);
        if !self.above.is_empty() {
            let text = self.text();
            *self = Self { place: self.place.clone(), ..Self::new(&text) };
        }
    }

    fn go_to_end(&mut self) {
        self.area.move_cursor(CursorMove::Bottom);
        self.area.move_cursor(CursorMove::End);
        if !self.below.is_empty() {
            let mut lines = std::mem::take(&mut self.area).into_lines();
            self.above.append(&mut lines);
            self.below.reverse();
            self.above.append(&mut self.below);
            let last = self.above.pop().unwrap_or_default();
            let column = last.chars().count();
            self.area = widget(vec![last]);
            jump(&mut self.area, 0, column);
            self.part();
        }
    }

    /// Takes a key. Gives whether the text changed.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let changed = self.take(key);
        self.settle();
        changed
    }

    fn take(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            // The widget knows only what is in it.
            KeyCode::Char('<') if alt => {
                self.go_to_start();
                false
            }
            KeyCode::Char('>') if alt => {
                self.go_to_end();
                false
            }
            // In a shell Ctrl-U erases to the beginning of the line; undo is Ctrl-_ as in emacs, or Alt-U.
            KeyCode::Char('u') if control => self.area.delete_line_by_head(),
            KeyCode::Char('_' | '7' | '/') if control => self.area.undo(),
            KeyCode::Char('u') if alt => self.area.undo(),
            KeyCode::Char('r') if alt => self.area.redo(),
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
        self.settle();
    }

    /// Whether the caret is in the first line.
    #[must_use]
    pub fn is_at_top(&self) -> bool {
        self.above.is_empty() && self.area.cursor().0 == 0
    }

    /// Paints the text, with the caret when `focused`.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
        if area.is_empty() {
            return;
        }
        self.place.set(area);
        (&self.area).render(area, canvas.buf);
        make_safe(canvas, area);
        if focused {
            let cursor = self.area.screen_cursor();
            let (top, left) = self.area.scroll_offset();
            let x = u16::try_from(cursor.col).unwrap_or(u16::MAX).saturating_sub(left).min(area.width - 1);
            let y = u16::try_from(cursor.row).unwrap_or(u16::MAX).saturating_sub(top).min(area.height - 1);
            canvas.frame.caret = Some(Position { x: area.x + x, y: area.y + y });
        }
    }
}

/// A widget with these lines.
fn widget(lines: Vec<String>) -> TextArea<'static> {
    let long = bytes(&lines) > LONGEST_WRAPPED;
    let mut area = TextArea::new(lines);
    area.set_cursor_line_style(Style::default());
    // The terminal's own cursor stands at the caret, where input methods look for it.
    area.set_cursor_style(Style::default());
    area.set_max_histories(1_000);
    area.set_wrap_mode(if long { WrapMode::None } else { WrapMode::WordOrGlyph });
    area
}

/// The caret's line and character in the widget.
fn caret(area: &TextArea<'_>) -> (usize, usize) {
    let place = area.cursor();
    (place.0, place.1)
}

fn jump(area: &mut TextArea<'_>, row: usize, column: usize) {
    let short = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
    area.move_cursor(CursorMove::Jump(short(row), short(column)));
}

/// Takes the last lines off, the last first, as many as are to lie on one side of the caret.
fn nearest(lines: &mut Vec<String>) -> Vec<String> {
    let mut taken = Vec::new();
    let mut room = HALF;
    while room > 0
        && let Some(line) = lines.pop()
    {
        room = room.saturating_sub(line.len() + 1);
        taken.push(line);
    }
    taken
}

fn bytes(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + 1).sum()
}

fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
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
}
