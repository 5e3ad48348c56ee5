//! A text field of one line, with the keys of a shell. A paste that is long or has line breaks is shown as a chip and stays
//! whole; the line break at its end, which comes along when a line is copied, is none of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;

use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::text::{thousands, width};

/// A paste of more characters becomes a chip.
const LONG_PASTE: usize = 200;

/// Stands in the text for the first chip; the next characters for the next chips. Plane 15 is for private use, and
/// what comes in is freed of it.
const CHIP: u32 = 0xF_0000;

/// The text, the caret, and the pastes that are shown as chips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineInput {
    text: String,
    /// A byte offset into `text`, at the boundary of a grapheme.
    caret: usize,
    chips: Vec<String>,
    /// Nobody touched the text yet: what is typed or pasted takes its place.
    offered: bool,
    /// What was erased last, for Ctrl-Y.
    erased: String,
    /// The text and the caret before each change, the newest last.
    before: Vec<(String, usize)>,
    /// The same of what was undone.
    after: Vec<(String, usize)>,
    /// The last change typed a character: those of one word are undone together.
    typing: bool,
}

/// As many changes can be undone.
const MOST_CHANGES: usize = 200;

impl LineInput {
    /// A field that holds `text`, with the caret at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut input = Self::default();
        input.paste(text);
        input.before.clear();
        input
    }

    /// A field that offers `text`: it stands if nothing else is typed, and gives way to the first thing that is.
    #[must_use]
    pub fn offering(text: &str) -> Self {
        Self { offered: !text.is_empty(), ..Self::new(text) }
    }

    /// What was typed and pasted.
    #[must_use]
    pub fn value(&self) -> String {
        let mut value = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            match self.chip(c) {
                Some(chip) => value.push_str(chip),
                None => value.push(c),
            }
        }
        value
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether nothing stands after the caret.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.caret == self.text.len()
    }

    /// Takes a paste; it never submits anything.
    pub fn paste(&mut self, text: &str) {
        self.give_way();
        let before = (self.text.clone(), self.caret);
        let text: String = text.replace("\r\n", "\n").replace('\r', "\n");
        let line = text.trim_end_matches('\n');
        let text = if line.contains('\n') || line.is_empty() { text } else { line.to_owned() };
        if text.contains('\n') || text.len() > LONG_PASTE {
            let mark = u32::try_from(self.chips.len()).ok().and_then(|n| char::from_u32(CHIP + n));
            if let Some(mark) = mark {
                self.chips.push(text);
                self.put(mark);
            }
        } else {
            text.chars().for_each(|c| self.insert(c));
        }
        self.typing = false;
        self.changed(before, false);
    }

    /// Takes a key. Gives whether it meant something here.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let types = matches!(key.code, KeyCode::Char(_)) && !control && !alt;
        if types {
            self.give_way();
        }
        match key.code {
            KeyCode::Char('_' | '7' | '/') if control => return self.undo(),
            KeyCode::Char('u') if alt => return self.undo(),
            KeyCode::Char('r') if alt => return self.redo(),
            _ => {}
        }
        let before = (self.text.clone(), self.caret);
        let typing = std::mem::replace(&mut self.typing, types);
        let taken = self.take(key, control, alt, types);
        self.offered &= !taken;
        if self.text != before.0 {
            self.changed(before, typing && types && key.code != KeyCode::Char(' '));
        }
        taken
    }

    fn take(&mut self, key: KeyEvent, control: bool, alt: bool, types: bool) -> bool {
        match key.code {
            KeyCode::Char('a') if control => self.caret = 0,
            KeyCode::Char('e') if control => self.caret = self.text.len(),
            KeyCode::Char('k') if control => self.erase(self.caret, self.text.len()),
            KeyCode::Char('u') if control => self.erase(0, self.caret),
            KeyCode::Char('w') if control => self.erase(self.word_start(), self.caret),
            KeyCode::Backspace if alt || control => self.erase(self.word_start(), self.caret),
            KeyCode::Delete if alt || control => self.erase(self.caret, self.word_end()),
            KeyCode::Char('d') if alt => self.erase(self.caret, self.word_end()),
            KeyCode::Char('y') if control => {
                self.text.insert_str(self.caret, &self.erased);
                self.caret += self.erased.len();
            }
            KeyCode::Char('b') if alt => self.caret = self.word_start(),
            KeyCode::Char('f') if alt => self.caret = self.word_end(),
            KeyCode::Char('b') if control => self.caret = self.before(),
            KeyCode::Char('f') if control => self.caret = self.after(),
            KeyCode::Char('d') if control => self.remove(self.caret, self.after()),
            KeyCode::Char('h') if control => self.remove(self.before(), self.caret),
            KeyCode::Char(c) if types => self.insert(c),
            KeyCode::Backspace => self.remove(self.before(), self.caret),
            KeyCode::Delete => self.remove(self.caret, self.after()),
            KeyCode::Left if control || alt => self.caret = self.word_start(),
            KeyCode::Right if control || alt => self.caret = self.word_end(),
            KeyCode::Left => self.caret = self.before(),
            KeyCode::Right => self.caret = self.after(),
            KeyCode::Home => self.caret = 0,
            KeyCode::End => self.caret = self.text.len(),
            _ => return false,
        }
        true
    }

    /// It was otherwise before; a change that continues the last one is undone with it.
    fn changed(&mut self, before: (String, usize), continues: bool) {
        if !continues {
            if self.before.len() == MOST_CHANGES {
                self.before.remove(0);
            }
            self.before.push(before);
        }
        self.after.clear();
    }

    fn undo(&mut self) -> bool {
        if let Some((text, caret)) = self.before.pop() {
            self.after.push((std::mem::replace(&mut self.text, text), std::mem::replace(&mut self.caret, caret)));
        }
        self.typing = false;
        true
    }

    fn redo(&mut self) -> bool {
        if let Some((text, caret)) = self.after.pop() {
            self.before.push((std::mem::replace(&mut self.text, text), std::mem::replace(&mut self.caret, caret)));
        }
        true
    }

    /// An offer that nobody touched is gone.
    fn give_way(&mut self) {
        if std::mem::take(&mut self.offered) {
            *self = Self::default();
        }
    }

    fn chip(&self, c: char) -> Option<&String> {
        self.chips.get(usize::try_from(u32::from(c).checked_sub(CHIP)?).ok()?)
    }

    fn insert(&mut self, c: char) {
        if u32::from(c) < CHIP {
            self.put(c);
        }
    }

    fn put(&mut self, c: char) {
        self.text.insert(self.caret, c);
        self.caret += c.len_utf8();
    }

    /// Removes what can be put in again.
    fn erase(&mut self, from: usize, to: usize) {
        if from < to {
            self.text[from..to].clone_into(&mut self.erased);
        }
        self.remove(from, to);
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.caret = from;
    }

    fn before(&self) -> usize {
        self.text[..self.caret].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.caret..].graphemes(true).next().map_or(self.caret, |grapheme| self.caret + grapheme.len())
    }

    fn word_start(&self) -> usize {
        let before = self.text[..self.caret].trim_end();
        before.rfind(char::is_whitespace).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))
    }

    fn word_end(&self) -> usize {
        let rest = &self.text[self.caret..];
        let blank = rest.len() - rest.trim_start().len();
        rest[blank..].find(char::is_whitespace).map_or(self.text.len(), |at| self.caret + blank + at)
    }

    /// Paints the field into the first line of `area`, with the caret when `focused`. `mask` hides what is typed.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool, mask: bool) {
        let mut spans: Vec<Span<'static>> = Vec::new();
        let style = if self.offered && focused { canvas.theme.selection } else { canvas.theme.text };
        let mut column = 0;
        let mut caret = 0;
        for (at, grapheme) in self.text.grapheme_indices(true) {
            if at == self.caret {
                caret = column;
            }
            let span = match grapheme.chars().next().and_then(|c| self.chip(c)) {
                Some(chip) => {
                    let text = format!("[pasted {} characters]", thousands(chip.chars().count() as u64));
                    Span::styled(text, canvas.theme.accent)
                }
                None if mask => Span::styled("•", style),
                None => Span::styled(Untrusted::from(grapheme).line().into_owned(), style),
            };
            column += width(&span.content);
            spans.push(span);
        }
        if self.is_at_end() {
            caret = column;
        }
        // The caret is always in view: what lies left of it is scrolled away as far as needed.
        let room = usize::from(area.width).max(1);
        let mut skip = (caret + 1).saturating_sub(room);
        let mut x = area.x;
        for span in spans {
            let cells = width(&span.content);
            if skip > 0 {
                skip = skip.saturating_sub(cells);
                caret -= cells.min(caret);
                continue;
            }
            if x >= area.right() {
                break;
            }
            x = canvas.buf.set_span(x, area.y, &span, area.right() - x).0;
        }
        if focused {
            let caret = u16::try_from(caret).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
            canvas.frame.caret = Some(Position { x: area.x + caret, y: area.y });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(input: &mut LineInput, keys: &str) {
        keys.chars().for_each(|c| assert!(input.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))));
    }

    fn control(input: &mut LineInput, c: char) {
        assert!(input.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)));
    }

    #[test]
    fn the_keys_of_a_shell_edit_it() {
        let mut input = LineInput::default();
        typed(&mut input, "the dark sea");
        control(&mut input, 'w');
        assert_eq!(input.value(), "the dark ");
        control(&mut input, 'a');
        typed(&mut input, "in ");
        assert_eq!(input.value(), "in the dark ");
        control(&mut input, 'u');
        assert_eq!(input.value(), "the dark ");
        control(&mut input, 'k');
        assert!(input.is_empty());
    }

    #[test]
    fn what_is_offered_gives_way_to_what_is_typed_and_stays_where_it_is_edited() {
        let mut input = LineInput::offering("3");
        typed(&mut input, "12");
        assert_eq!(input.value(), "12");
        let mut input = LineInput::offering("3");
        input.key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
        typed(&mut input, "2");
        assert_eq!(input.value(), "32");
        let mut input = LineInput::offering("quiet");
        input.paste("loud");
        assert_eq!(input.value(), "loud");
        let mut input = LineInput::offering("quiet");
        input.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        assert_eq!(input.value(), "quie");
    }

    #[test]
    fn a_large_paste_is_one_character_to_the_keys_and_whole_in_the_value() {
        let mut input = LineInput::new("see: ");
        let paste = "line\r\n".repeat(1_000_000);
        input.paste(&paste);
        typed(&mut input, "!");
        assert_eq!(input.value().len(), 5 + 5_000_000 + 1);
        for _ in 0..2 {
            input.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        }
        assert_eq!(input.value(), "see: ");
    }

    #[test]
    fn the_caret_moves_by_what_a_person_sees_as_one_character() {
        let mut input = LineInput::new("e\u{301}日");
        input.key(KeyEvent::new(KeyCode::Left, KeyModifiers::NONE));
        input.key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE));
        assert_eq!(input.value(), "日");
    }

    fn press(input: &mut LineInput, code: KeyCode, modifiers: KeyModifiers) {
        assert!(input.key(KeyEvent::new(code, modifiers)), "{code:?}");
    }

    #[test]
    fn what_was_changed_can_be_undone_and_what_was_erased_put_in_again() {
        let mut input = LineInput::new("the dark sea");
        control(&mut input, 'w');
        control(&mut input, 'a');
        control(&mut input, 'y');
        assert_eq!(input.value(), "seathe dark ");
        control(&mut input, '_');
        control(&mut input, '7');
        assert_eq!(input.value(), "the dark sea");
        typed(&mut input, " at night");
        press(&mut input, KeyCode::Char('u'), KeyModifiers::ALT);
        assert_eq!(input.value(), "the dark sea at", "a word at a time");
        press(&mut input, KeyCode::Char('u'), KeyModifiers::ALT);
        press(&mut input, KeyCode::Char('r'), KeyModifiers::ALT);
        assert_eq!(input.value(), "the dark sea at");
        input.paste("loud");
        for _ in 0..9 {
            control(&mut input, '_');
        }
        assert_eq!(input.value(), "the dark sea", "not further than it was given");
    }

    #[test]
    fn words_are_walked_and_erased() {
        let mut input = LineInput::new("one two three");
        press(&mut input, KeyCode::Char('b'), KeyModifiers::ALT);
        press(&mut input, KeyCode::Left, KeyModifiers::ALT);
        press(&mut input, KeyCode::Char('d'), KeyModifiers::ALT);
        assert_eq!(input.value(), "one  three");
        press(&mut input, KeyCode::Delete, KeyModifiers::CONTROL);
        assert_eq!(input.value(), "one ");
        press(&mut input, KeyCode::Backspace, KeyModifiers::CONTROL);
        assert_eq!(input.value(), "");
        input.paste("one two");
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('f'), KeyModifiers::ALT);
        typed(&mut input, "!");
        assert_eq!(input.value(), "one! two");
    }

    #[test]
    fn a_picture_of_several_code_points_is_one_character() {
        for one in ["👩\u{200d}🚀", "🇩🇪", "👍🏽"] {
            let mut input = LineInput::new(&format!("a{one}b"));
            press(&mut input, KeyCode::Left, KeyModifiers::NONE);
            press(&mut input, KeyCode::Backspace, KeyModifiers::NONE);
            assert_eq!(input.value(), "ab", "{one}");
        }
    }

    #[test]
    fn a_paste_that_ends_in_a_line_break_shows_its_text() {
        for paste in ["the sea\n", "the sea\r\n", "the sea\r"] {
            let mut input = LineInput::default();
            input.paste(paste);
            assert_eq!((input.value().as_str(), input.chips.len()), ("the sea", 0), "{paste:?}");
        }
        let mut input = LineInput::default();
        input.paste("the sea\nthe tide\n");
        assert_eq!((input.value().as_str(), input.chips.len()), ("the sea\nthe tide\n", 1), "of several it is a part");
    }
}
