//! Server-sent events, as a server of tools sends them: each event's data is one message, and may be large.

use super::incoming::{Arriving, Raw, TooMuch};

/// The longest name or id that is taken, in bytes.
const LONGEST_FIELD: usize = 1_000;

/// Takes the bytes of a stream and gives what they say.
#[derive(Default)]
pub struct Events {
    at: At,
    /// The data of the event under way.
    data: Arriving,
    /// The newest id: what came after it is sent again to whoever names it.
    pub last_id: Option<String>,
    /// How long the server asks to wait before that, in milliseconds.
    pub retry: Option<u64>,
    /// The last byte was a carriage return: a line feed after it ends the same line.
    after_return: bool,
}

/// Where in a line the stream is.
enum At {
    /// In the name of a field.
    Name(Vec<u8>),
    /// In the data; whether its first byte, which may be a space, is past.
    Data { begun: bool },
    /// In another field's value.
    Value(Field, Vec<u8>),
}

#[derive(Clone, Copy)]
enum Field {
    Id,
    Retry,
    Other,
}

impl Default for At {
    fn default() -> Self {
        Self::Name(Vec::new())
    }
}

impl Events {
    /// Those of a stream that goes on where another one broke off.
    pub fn after(last_id: Option<String>, retry: Option<u64>) -> Self {
        Self { last_id, retry, ..Self::default() }
    }

    /// Takes more, and gives the messages that are whole.
    ///
    /// # Errors
    /// A message is too much.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Raw>, TooMuch> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let piece = &rest[..end.unwrap_or(rest.len())];
            self.piece(piece)?;
            let Some(end) = end else { break };
            self.after_return = rest[end] == b'\r';
            messages.extend(self.line_end());
            rest = &rest[end + 1..];
        }
        Ok(messages)
    }

    /// A piece of a line.
    fn piece(&mut self, piece: &[u8]) -> Result<(), TooMuch> {
        let mut piece = piece;
        if let At::Name(name) = &mut self.at {
            let colon = memchr::memchr(b':', piece);
            let part = &piece[..colon.unwrap_or(piece.len())];
            name.extend_from_slice(&part[..part.len().min(LONGEST_FIELD - name.len().min(LONGEST_FIELD))]);
            let Some(colon) = colon else { return Ok(()) };
            piece = &piece[colon + 1..];
            let name = name.strip_prefix("\u{feff}".as_bytes()).unwrap_or(name);
            self.at = match name {
                b"data" => {
                    if !self.data.is_empty() {
                        self.data.push(b"\n")?;
                    }
                    At::Data { begun: false }
                }
                b"id" => At::Value(Field::Id, Vec::new()),
                b"retry" => At::Value(Field::Retry, Vec::new()),
                _ => At::Value(Field::Other, Vec::new()),
            };
        }
        match &mut self.at {
            At::Name(_) | At::Value(Field::Other, _) => {}
            At::Value(_, value) => {
                value.extend_from_slice(&piece[..piece.len().min(LONGEST_FIELD.saturating_sub(value.len()))]);
            }
            At::Data { begun } => {
                if !std::mem::replace(begun, *begun || !piece.is_empty()) {
                    piece = piece.strip_prefix(b" ").unwrap_or(piece);
                }
                self.data.push(piece)?;
            }
        }
        Ok(())
    }

    /// The end of a line; that of an empty one ends the event.
    fn line_end(&mut self) -> Option<Raw> {
        match std::mem::take(&mut self.at) {
            At::Name(name) if name.is_empty() => (!self.data.is_empty()).then(|| self.data.take()),
            At::Value(field, value) => {
                let value = String::from_utf8_lossy(&value).trim().to_owned();
                match field {
                    Field::Id if !value.is_empty() => self.last_id = Some(value),
                    Field::Retry => self.retry = value.parse().ok().or(self.retry),
                    Field::Id | Field::Other => {}
                }
                None
            }
            At::Name(_) | At::Data { .. } => None,
        }
    }

    /// The stream ended: what lacks its empty line is taken all the same.
    pub fn end(&mut self) -> Option<Raw> {
        self.line_end().or_else(|| (!self.data.is_empty()).then(|| self.data.take()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, size: usize) -> (Vec<String>, Option<String>) {
        let mut events = Events::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            found.extend(events.feed(piece).unwrap());
        }
        found.extend(events.end());
        let text = |raw| match raw {
            Raw::Small(bytes) => String::from_utf8(bytes).unwrap(),
            Raw::Large { length, .. } => format!("{length} bytes"),
        };
        (found.into_iter().map(text).collect(), events.last_id)
    }

    #[test]
    fn events_are_read_however_they_are_cut_and_whatever_their_lines_end_with() {
        let stream = "\u{feff}id: 1\ndata: \n\n: a comment\nevent: message\nid:2\ndata: {\"a\":\ndata:1}\nretry: 50\n\ndata: {}\n\n\nid\ndata:  x\n\ndata: last";
        for end in ["\n", "\r\n", "\r"] {
            let stream = stream.replace('\n', end);
            for size in 1..stream.len() {
                let (found, id) = read(&stream, size);
                assert_eq!(found, ["{\"a\":\n1}", "{}", " x", "last"], "{end:?} {size}");
                assert_eq!(id.as_deref(), Some("2"));
            }
        }
    }

    #[test]
    fn an_id_is_no_longer_than_a_field_may_be_however_it_is_cut() {
        let stream = format!("id: {}\ndata: x\n\n", "7".repeat(3 * LONGEST_FIELD));
        for size in [1, 700, stream.len()] {
            assert!(read(&stream, size).1.unwrap().len() <= LONGEST_FIELD, "{size}");
        }
    }

    #[test]
    fn an_event_of_any_size_is_one_message() {
        let text = "x".repeat(5_000_000);
        assert_eq!(read(&format!("data: {text}\n\n"), 65_536).0, ["5000000 bytes"]);
    }
}
