//! A text editor of several lines. Ctrl-S, Alt-Enter, Esc and Ctrl-G are the screen's and never arrive here; the keys
//! of a shell (Ctrl-A E K U W Y N P, Alt-B F D) belong to the text. What a person sees as one character is one to the keys.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use tui_textarea::{CursorMove, TextArea, WrapMode};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};
use unicode_width::UnicodeWidthChar as _;

use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::text::width;

/// As many bytes as lie in the widget before or after the caret at most: it lays all that it has out again at each key,
/// and counts rows in sixteen bits.
const MOST: usize = 32 * 1024;

/// As many as are put there when a long text is parted.
const HALF: usize = 16 * 1024;

/// As many as must be there while there are more.
const LEAST: usize = 4 * 1024;

/// A text that is being edited.
///
/// Of a long one only what is around the caret is in the widget; the rest waits above and below, and moves in as the caret
/// moves. A long line is cut like a long text. What can be undone ends where they last did.
#[derive(Clone, Debug)]
pub struct Editor {
    above: Vec<String>,
    /// The beginning of the widget's first line.
    left: String,
    area: TextArea<'static>,
    /// The end of the widget's last line.
    right: String,
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

impl PartialEq for Editor {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Editor {
    /// An editor that holds `text`, with the caret at its beginning.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut below: Vec<String> = plain(text).split('\n').map(str::to_owned).collect();
        below.reverse();
        let first = below.pop().unwrap_or_default();
        let mut editor = Self {
            above: Vec::new(),
            left: String::new(),
            area: widget(Vec::new()),
            right: String::new(),
            below,
            place: Cell::default(),
        };
        editor.put_around(&first, 0);
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
        let lines = || self.above.iter().chain(self.area.lines()).chain(self.below.iter().rev());
        let cut = self.left.len() + self.right.len();
        let mut text = String::with_capacity(cut + lines().map(|line| line.len() + 1).sum::<usize>());
        let (first, last) = (self.above.len(), self.above.len() + self.area.lines().len() - 1);
        for (at, line) in lines().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            if at == first {
                text.push_str(&self.left);
            }
            text.push_str(line);
            if at == last {
                text.push_str(&self.right);
            }
        }
        text
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let beyond = self.above.is_empty() && self.left.is_empty() && self.right.is_empty() && self.below.is_empty();
        beyond && self.area.is_empty()
    }

    /// How many rows of so many cells the text takes, at least one and at most `most`.
    #[must_use]
    pub fn rows(&self, cells: u16, most: usize) -> usize {
        let beyond = self.above.len() + self.below.len() + self.area.lines().len();
        if beyond >= most || !self.left.is_empty() || !self.right.is_empty() {
            return most;
        }
        let cells = usize::from(cells).max(1);
        let rows = |line: &String| if line.len() > cells * most * 4 { most } else { width(line) / cells + 1 };
        let lines = self.above.iter().chain(self.area.lines()).chain(&self.below);
        lines.map(rows).sum::<usize>().clamp(1, most.max(1))
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
        let (mut line, at) = self.gather();
        let rest = line.split_off(at);
        for piece in text.split_inclusive('\n') {
            line.push_str(piece.strip_suffix('\n').unwrap_or(piece));
            if piece.ends_with('\n') {
                self.above.push(std::mem::take(&mut line));
            }
        }
        let at = line.len();
        line.push_str(&rest);
        self.put_around(&line, at);
    }

    /// Sees to it that there is text around the caret, and not too much. The caret is between two characters as a person
    /// sees them.
    fn settle(&mut self) {
        let (row, at) = self.caret();
        let lines = self.area.lines();
        let over = bytes(&lines[..row]) + at;
        let under = bytes(&lines[row + 1..]) + lines[row].len() - at;
        let (more_over, more_under) =
            (!self.above.is_empty() || !self.left.is_empty(), !self.below.is_empty() || !self.right.is_empty());
        let lacks = over < LEAST && more_over || under < LEAST && more_under;
        if lacks || over > MOST || under > MOST {
            self.part();
        }
        self.snap();
    }

    /// Puts as much into the widget as there should be around the caret. What is on screen stays where it is.
    fn part(&mut self) {
        let (top, _) = self.area.scroll_offset();
        let last = usize::from(self.place.get().height).saturating_sub(1);
        let shown = self.area.screen_cursor().row.saturating_sub(top.into()).min(last);
        let yanked = self.area.yank_text();
        let (line, at) = self.gather();
        self.put_around(&line, at);
        self.area.set_yank_text(yanked);
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

    /// The line that the caret is in, whole, and where in it the caret is. All others are above and below then, and
    /// nothing is in the widget.
    fn gather(&mut self) -> (String, usize) {
        let (row, at) = self.caret();
        let mut lines = std::mem::take(&mut self.area).into_lines();
        let at = if row == 0 { at + self.left.len() } else { at };
        if let Some(last) = lines.last_mut() {
            last.push_str(&std::mem::take(&mut self.right));
        }
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &std::mem::take(&mut self.left));
        }
        self.below.extend(lines.drain(row + 1..).rev());
        let line = lines.pop().unwrap_or_default();
        self.above.append(&mut lines);
        (line, at)
    }

    /// Fills the widget with what is around the caret, which is in this line.
    fn put_around(&mut self, line: &str, at: usize) {
        let from = if at > HALF + LEAST { self.cut(line, at - HALF) } else { 0 };
        let to = if line.len() - at > HALF + LEAST { self.cut(line, at + HALF) } else { line.len() };
        let mut lines = Vec::new();
        line[..from].clone_into(&mut self.left);
        if from == 0 {
            let mut space = HALF.saturating_sub(at);
            while space > 0
                && self.left.is_empty()
                && let Some(mut line) = self.above.pop()
            {
                if line.len() > space + LEAST {
                    let tail = line.split_off(self.cut(&line, line.len() - space));
                    self.left = std::mem::replace(&mut line, tail);
                }
                space = space.saturating_sub(line.len() + 1);
                lines.push(line);
            }
            lines.reverse();
        }
        let (row, column) = (lines.len(), line[from..at].chars().count());
        lines.push(line[from..to].to_owned());
        line[to..].clone_into(&mut self.right);
        if to == line.len() {
            let mut space = HALF.saturating_sub(line.len() - at);
            while space > 0
                && self.right.is_empty()
                && let Some(mut line) = self.below.pop()
            {
                if line.len() > space + LEAST {
                    self.right = line.split_off(self.cut(&line, space));
                }
                space = space.saturating_sub(line.len() + 1);
                lines.push(line);
            }
        }
        self.area = widget(lines);
        jump(&mut self.area, row, column);
    }

    /// Where to cut a line, near that byte: between two characters, and where a row of the screen is full if they are all
    /// of one cell.
    fn cut(&self, line: &str, near: usize) -> usize {
        let columns = usize::from(self.place.get().width).max(1);
        let near = line.floor_char_boundary(near - near % columns);
        let mut cursor = GraphemeCursor::new(near, line.len(), true);
        match cursor.is_boundary(line, 0) {
            Ok(false) => cursor.prev_boundary(line, 0).ok().flatten().unwrap_or(near),
            _ => near,
        }
    }

    fn go_to_start(&mut self) {
        let (line, _) = self.gather();
        self.above.push(line);
        self.below.extend(self.above.drain(..).rev());
        let first = self.below.pop().unwrap_or_default();
        self.put_around(&first, 0);
    }

    fn go_to_end(&mut self) {
        let (line, _) = self.gather();
        self.above.push(line);
        self.above.extend(self.below.drain(..).rev());
        let last = self.above.pop().unwrap_or_default();
        self.put_around(&last, last.len());
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
            KeyCode::Char('<') if alt => self.moves(Self::go_to_start),
            KeyCode::Char('>') if alt => self.moves(Self::go_to_end),
            KeyCode::Home if control => self.moves(Self::go_to_start),
            KeyCode::End if control => self.moves(Self::go_to_end),
            KeyCode::Char('a') if control && self.is_cut_before() => self.moves(|editor| editor.go_within(false)),
            KeyCode::Home if self.is_cut_before() => self.moves(|editor| editor.go_within(false)),
            KeyCode::Char('e') if control && self.is_cut_after() => self.moves(|editor| editor.go_within(true)),
            KeyCode::End if self.is_cut_after() => self.moves(|editor| editor.go_within(true)),
            // In a shell Ctrl-U erases to the beginning of the line; undo is Ctrl-_ as in emacs, or Alt-U.
            KeyCode::Char('u') if control && self.is_cut_before() => self.erase_within(false),
            KeyCode::Char('k') if control && self.is_cut_after() => self.erase_within(true),
            KeyCode::Char('u') if control => self.area.delete_line_by_head(),
            KeyCode::Char('_' | '7' | '/') if control => self.area.undo(),
            KeyCode::Char('u') if alt => self.area.undo(),
            KeyCode::Char('r') if alt => self.area.redo(),
            // A new line wherever Enter means something else.
            KeyCode::Char('j') if control => {
                self.area.insert_newline();
                true
            }
            KeyCode::Backspace if control || alt => self.area.delete_word(),
            KeyCode::Delete if control || alt => self.area.delete_next_word(),
            KeyCode::Left | KeyCode::Right if alt => {
                let code = if key.code == KeyCode::Left { KeyCode::Left } else { KeyCode::Right };
                self.area.input(KeyEvent::new(code, (key.modifiers - KeyModifiers::ALT) | KeyModifiers::CONTROL))
            }
            KeyCode::Left | KeyCode::Char('b') if control == (key.code != KeyCode::Left) && !alt => {
                self.again(key, self.before())
            }
            KeyCode::Right | KeyCode::Char('f') if control == (key.code != KeyCode::Right) && !alt => {
                self.again(key, self.after())
            }
            KeyCode::Backspace => self.erase(true),
            KeyCode::Char('h') if control && !alt => self.erase(true),
            KeyCode::Delete => self.erase(false),
            KeyCode::Char('d') if control && !alt => self.erase(false),
            _ => self.area.input(key),
        }
    }

    fn moves(&mut self, to: impl FnOnce(&mut Self)) -> bool {
        to(self);
        false
    }

    /// As many times as one character has code points.
    fn again(&mut self, key: KeyEvent, times: usize) -> bool {
        (0..times).fold(false, |changed, _| self.area.input(key) || changed)
    }

    /// Erases one character.
    fn erase(&mut self, before: bool) -> bool {
        let length = if before { self.before() } else { self.after() };
        if length < 2 || self.area.selection_range().is_some() {
            return if before { self.area.delete_char() } else { self.area.delete_next_char() };
        }
        if before {
            (0..length).for_each(|_| self.area.move_cursor(CursorMove::Back));
        }
        self.area.delete_str(length)
    }

    fn is_cut_before(&self) -> bool {
        !self.left.is_empty() && self.area.cursor().0 == 0
    }

    fn is_cut_after(&self) -> bool {
        !self.right.is_empty() && self.area.cursor().0 + 1 == self.area.lines().len()
    }

    /// To the beginning or the end of a line that is cut.
    fn go_within(&mut self, end: bool) {
        let (line, _) = self.gather();
        self.put_around(&line, if end { line.len() } else { 0 });
    }

    /// Erases a line that is cut, from the caret to its beginning or end. It can be put back as any other.
    fn erase_within(&mut self, end: bool) -> bool {
        let (mut line, at) = self.gather();
        let rest = line.split_off(at);
        let (kept, erased, at) = if end { (line, rest, at) } else { (rest, line, 0) };
        self.put_around(&kept, at);
        self.area.set_yank_text(erased);
        true
    }

    /// The line of the widget that the caret is in, and the byte in it.
    fn caret(&self) -> (usize, usize) {
        let place = self.area.cursor();
        let line = &self.area.lines()[place.0];
        (place.0, line.char_indices().nth(place.1).map_or(line.len(), |(at, _)| at))
    }

    /// How many code points the character before the caret has; 1 at the beginning of a line.
    fn before(&self) -> usize {
        let (row, at) = self.caret();
        self.area.lines()[row][..at].graphemes(true).next_back().map_or(1, |before| before.chars().count())
    }

    fn after(&self) -> usize {
        let (row, at) = self.caret();
        self.area.lines()[row][at..].graphemes(true).next().map_or(1, |after| after.chars().count())
    }

    /// Leads the caret out of the middle of a character.
    fn snap(&mut self) {
        let (row, at) = self.caret();
        let line = &self.area.lines()[row];
        if line.is_ascii() || self.area.selection_range().is_some() {
            return;
        }
        let mut cursor = GraphemeCursor::new(at, line.len(), true);
        if cursor.is_boundary(line, 0) == Ok(false)
            && let Ok(Some(boundary)) = cursor.prev_boundary(line, 0)
        {
            let back = line[boundary..at].chars().count();
            (0..back).for_each(|_| self.area.move_cursor(CursorMove::Back));
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
        self.above.is_empty() && self.left.is_empty() && self.area.cursor().0 == 0
    }

    /// Whether the caret is in the last line.
    #[must_use]
    pub fn is_at_bottom(&self) -> bool {
        self.below.is_empty() && self.right.is_empty() && self.area.cursor().0 + 1 == self.area.lines().len()
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
            let column = cursor.col.saturating_sub(self.joined(cursor.col));
            let x = u16::try_from(column).unwrap_or(u16::MAX).saturating_sub(left).min(area.width - 1);
            let y = u16::try_from(cursor.row).unwrap_or(u16::MAX).saturating_sub(top).min(area.height - 1);
            canvas.frame.caret = Some(Position { x: area.x + x, y: area.y + y });
        }
    }

    /// By how many cells what is before the caret in its row, of so many cells by its code points, is narrower because
    /// some of them are one character.
    fn joined(&self, cells: usize) -> usize {
        let (row, at) = self.caret();
        let before = &self.area.lines()[row][..at];
        let mut counted = 0;
        let begin = before.char_indices().rev().find(|(_, c)| {
            counted += c.width().unwrap_or(0);
            counted >= cells
        });
        let in_row = begin.map_or(before, |(begin, _)| &before[begin..]);
        if in_row.is_ascii() {
            return 0;
        }
        let parts: usize = in_row.chars().map(|c| c.width().unwrap_or(0)).sum();
        parts.saturating_sub(width(in_row))
    }
}

/// A widget with these lines.
fn widget(lines: Vec<String>) -> TextArea<'static> {
    let mut area = TextArea::new(lines);
    area.set_cursor_line_style(Style::default());
    // The terminal's own cursor stands at the caret, where input methods look for it.
    area.set_cursor_style(Style::default());
    area.set_max_histories(1_000);
    area.set_wrap_mode(WrapMode::WordOrGlyph);
    area
}

fn jump(area: &mut TextArea<'_>, row: usize, column: usize) {
    let short = |place: usize| u16::try_from(place).unwrap_or(u16::MAX);
    area.move_cursor(CursorMove::Jump(short(row), short(column)));
}

fn bytes(lines: &[String]) -> usize {
    lines.iter().map(|line| line.len() + 1).sum()
}

fn plain(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The text being edited may be a model's: what could act or hide is shown as a replacement character in its cell. What has
/// no width has no cell: JSON is opened with escapes for it (`diff::editable`).
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
mod tests;
