//! What the sequences mean that a terminal sends for keys, the mouse and the focus. All others mean nothing here: they
//! answer a question that another program has asked.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::layout::latin;

/// A key that is no character. Tab with Shift is a key of its own.
pub fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
    let code = if code == KeyCode::Tab && modifiers.contains(KeyModifiers::SHIFT) { KeyCode::BackTab } else { code };
    Event::Key(KeyEvent::new(code, modifiers))
}

/// A key that types `c`; `shifted` with Shift, `base` on the Latin layout, as far as the terminal says so.
///
/// With Ctrl or Alt it is a command, and commands are named after the Latin layout: a letter of another alphabet counts
/// as the one that lies there. What a Latin layout types is its own, wherever it lies.
pub fn typed(c: char, shifted: Option<char>, base: Option<char>, modifiers: KeyModifiers) -> Event {
    let shift = modifiers.contains(KeyModifiers::SHIFT);
    let c = if !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        if shift { shifted.unwrap_or_else(|| upper(c)) } else { c }
    } else if !c.is_ascii() {
        base.filter(char::is_ascii).or_else(|| latin(c)).unwrap_or(c)
    } else if shift && !c.is_ascii_alphabetic() {
        shifted.unwrap_or(c)
    } else {
        c.to_ascii_lowercase()
    };
    Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
}

fn upper(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// What an event types, where a line of text is asked for: nothing, if it is a command or moves something.
#[must_use]
pub fn text(event: &Event) -> Option<String> {
    match event {
        Event::Paste(text) => Some(text.clone()),
        Event::Key(KeyEvent { code, modifiers, .. })
            if !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
        {
            match code {
                KeyCode::Char(c) => Some(c.to_string()),
                KeyCode::Tab => Some("\t".to_owned()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What follows `ESC O`.
pub fn ss3(letter: u8) -> Option<Event> {
    let code = match letter {
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => named(letter)?,
    };
    Some(key(code, KeyModifiers::NONE))
}

fn named(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        // `R` would be F3, and is where the cursor is.
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}

fn numbered(number: u32) -> Option<KeyCode> {
    let function = |from: u32, first: u8| u8::try_from(number - from).ok().map(|n| KeyCode::F(first + n));
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(11, 1),
        17..=21 => function(17, 6),
        23..=26 => function(23, 11),
        28..=29 => function(28, 15),
        31..=34 => function(31, 17),
        _ => None,
    }
}

/// What a sequence means: `ESC [`, these parameters, this letter.
pub fn sequence(parameters: &[u8], last: u8) -> Option<Event> {
    if let (Some((b'<', rest)), b'M' | b'm') = (parameters.split_first(), last) {
        return mouse(&numbers(rest)?, last == b'm');
    }
    let fields = fields(parameters)?;
    let field = |at: usize, part: usize| fields.get(at).and_then(|field: &Vec<_>| field.get(part)).copied().flatten();
    let (modifiers, kind) = modifiers(field(1, 0), field(1, 1));
    let event = match (last, field(0, 0)) {
        (b'I', None) => return Some(Event::FocusGained),
        (b'O', None) => return Some(Event::FocusLost),
        (b'Z', _) => key(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT),
        (b'M', Some(button)) => return mouse(&[button.checked_sub(32)?, field(1, 0)?, field(2, 0)?], false),
        (b'~', Some(27)) => of_code(field(2, 0)?, None, None, modifiers)?,
        (b'~', Some(number)) => key(numbered(number)?, modifiers),
        (b'u', Some(code)) => of_code(code, field(0, 1), field(0, 2), modifiers)?,
        (letter, None | Some(1)) => key(named(letter)?, modifiers),
        _ => return None,
    };
    match event {
        Event::Key(event) => Some(Event::Key(KeyEvent { kind, ..event })),
        other => Some(other),
    }
}

/// The numbers of a sequence, each with its parts; `None` when it is made of something else.
fn fields(parameters: &[u8]) -> Option<Vec<Vec<Option<u32>>>> {
    let part = |part: &str| if part.is_empty() { Some(None) } else { part.parse().ok().map(Some) };
    let text = std::str::from_utf8(parameters).ok()?;
    text.split(';').map(|field| field.split(':').map(part).collect()).collect()
}

fn numbers(parameters: &[u8]) -> Option<Vec<u32>> {
    std::str::from_utf8(parameters).ok()?.split(';').map(|number| number.parse().ok()).collect()
}

/// Whether Caps Lock or Num Lock is on says nothing about a command.
fn modifiers(sent: Option<u32>, kind: Option<u32>) -> (KeyModifiers, KeyEventKind) {
    let bits = sent.unwrap_or(1).saturating_sub(1);
    let all = [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ];
    let held = all.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect();
    let kind = match kind {
        Some(2) => KeyEventKind::Repeat,
        Some(3) => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    (held, kind)
}

/// A key by its code point; the higher ones are the number pad's and others that type nothing.
fn of_code(code: u32, shifted: Option<u32>, base: Option<u32>, modifiers: KeyModifiers) -> Option<Event> {
    const PAD: [char; 18] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.', '/', '*', '-', '+', '\r', '=', ','];
    const BEYOND: [KeyCode; 10] = [
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Insert,
        KeyCode::Delete,
    ];
    let named = match code {
        9 => KeyCode::Tab,
        13 | 57414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        57376..=57398 => KeyCode::F(u8::try_from(code - 57376).ok()? + 13),
        57399..=57416 => KeyCode::Char(PAD[usize::try_from(code - 57399).ok()?]),
        57417..=57426 => BEYOND[usize::try_from(code - 57417).ok()?],
        57344..=63743 => return None,
        _ => {
            let c = char::from_u32(code).filter(|c| !c.is_control())?;
            return Some(typed(c, shifted.and_then(char::from_u32), base.and_then(char::from_u32), modifiers));
        }
    };
    Some(key(named, modifiers))
}

/// The mouse as old terminals send it: each number in a byte, from 32.
pub fn mouse_of_old(button: u8, column: u8, row: u8) -> Option<Event> {
    mouse(&[button, column, row].map(|number| u32::from(number.saturating_sub(32))), false)
}

fn mouse(numbers: &[u32], released: bool) -> Option<Event> {
    let &[sent, column, row] = numbers else { return None };
    let modifiers = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers = modifiers.into_iter().filter(|(bit, _)| sent & bit != 0).map(|(_, modifier)| modifier).collect();
    let drags = sent & 32 != 0;
    let button = match sent & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (sent & 0xc0, button) {
        (0, Some(button)) if released => MouseEventKind::Up(button),
        (0, Some(button)) if drags => MouseEventKind::Drag(button),
        (0, Some(button)) => MouseEventKind::Down(button),
        (0, None) if drags => MouseEventKind::Moved,
        (0, None) => MouseEventKind::Up(MouseButton::Left),
        (64, _) => match sent & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        _ => return None,
    };
    let cell = |number: u32| u16::try_from(number.saturating_sub(1)).unwrap_or(u16::MAX);
    Some(Event::Mouse(MouseEvent { kind, column: cell(column), row: cell(row), modifiers }))
}
