//! Cuts a stream of bytes into frames: server-sent events, or one JSON document a line.
//!
//! Lenient where servers differ: CRLF, a byte order mark, no space after `data:`, comments, a last frame without its
//! end, broken UTF-8 (replaced). It keeps no more than one unfinished frame, and refuses one that never ends.

use std::borrow::Cow;

/// The longest frame that is taken, in bytes: an image in an answer fits, a line without end does not.
const LONGEST: usize = 16 * 1024 * 1024;

/// A frame longer than any server has reason to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// How a body is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `data:` lines, ended by an empty line.
    Sse,
    /// One frame a line.
    Ndjson,
    /// The whole body: a server that does not stream.
    Whole,
}

/// Takes chunks as they arrive and gives frames as they are complete.
pub(super) struct Frames {
    framing: Framing,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    /// The `data:` lines of the event under way.
    event: Vec<u8>,
    begun: bool,
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, line: Vec::new(), event: Vec::new(), begun: false }
    }

    /// Whether the whole body is one frame.
    pub(super) fn is_whole(&self) -> bool {
        self.framing == Framing::Whole
    }

    /// Takes a chunk and calls `each` with every frame that it completes, until one says stop (`false`).
    pub(super) fn feed(&mut self, chunk: &[u8], each: &mut dyn FnMut(&str) -> bool) -> Result<(), TooLong> {
        let mut rest = chunk;
        if self.framing != Framing::Whole {
            while let Some(end) = memchr::memchr(b'\n', rest) {
                let (line, after) = (&rest[..end], &rest[end + 1..]);
                rest = after;
                let go_on = if self.line.is_empty() {
                    self.line(line, each)
                } else {
                    let mut whole = std::mem::take(&mut self.line);
                    whole.extend_from_slice(line);
                    let go_on = self.line(&whole, each);
                    whole.clear();
                    self.line = whole;
                    go_on
                };
                if !go_on {
                    return Ok(());
                }
            }
        }
        self.line.extend_from_slice(rest);
        if self.line.len() + self.event.len() > LONGEST { Err(TooLong) } else { Ok(()) }
    }

    /// The body ended: gives what is left.
    pub(super) fn end(&mut self, each: &mut dyn FnMut(&str) -> bool) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && !self.line(&line, each) {
            return;
        }
        self.event(each);
    }

    fn line(&mut self, line: &[u8], each: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if self.framing != Framing::Sse {
            return frame(line, each);
        }
        if line.is_empty() {
            return self.event(each);
        }
        // Other fields (`event:`, `id:`, comments) say nothing that the data does not say.
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.event.is_empty() {
                self.event.push(b'\n');
            }
            self.event.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        true
    }

    fn event(&mut self, each: &mut dyn FnMut(&str) -> bool) -> bool {
        let go_on = frame(&self.event, each);
        self.event.clear();
        go_on
    }
}

fn frame(bytes: &[u8], each: &mut dyn FnMut(&str) -> bool) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let text = text.trim();
    text.is_empty() || each(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(framing: Framing, chunks: &[&[u8]]) -> Vec<String> {
        let mut got = Vec::new();
        let mut frames = Frames::new(framing);
        let mut each = |frame: &str| {
            got.push(frame.to_owned());
            true
        };
        for chunk in chunks {
            frames.feed(chunk, &mut each).unwrap();
        }
        frames.end(&mut each);
        got
    }

    #[test]
    fn servers_that_differ_are_read_alike() {
        for body in [
            "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n",
            "data:{\"a\":1}\r\n\r\ndata:{\"b\":2}\r\n\r\n",
            "\u{feff}event: x\ndata: {\"a\":1}\nid: 7\n\n: ping\n\ndata:\n\ndata: {\"b\":2}",
        ] {
            assert_eq!(frames(Framing::Sse, &[body.as_bytes()]), ["{\"a\":1}", "{\"b\":2}"], "{body:?}");
        }
        assert_eq!(frames(Framing::Sse, &[b"data: a\ndata: b\n\n"]), ["a\nb"]);
        assert_eq!(frames(Framing::Ndjson, &[b"{}\r\n\n[1", b"]\n{\"last\":1}"]), ["{}", "[1]", "{\"last\":1}"]);
        assert_eq!(frames(Framing::Whole, &[b"{\n", b"}"]), ["{\n}"]);
    }

    #[test]
    fn broken_utf8_is_replaced_and_a_split_character_is_not() {
        assert_eq!(frames(Framing::Ndjson, &[b"\xffx\n"]), ["\u{fffd}x"]);
        let (head, tail) = "data: é\n\n".as_bytes().split_at(7);
        assert_eq!(frames(Framing::Sse, &[head, tail]), ["é"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut frames = Frames::new(Framing::Sse);
        let chunk = vec![b'x'; LONGEST / 2 + 1];
        assert_eq!(frames.feed(&chunk, &mut |_| true), Ok(()));
        assert_eq!(frames.feed(&chunk, &mut |_| true), Err(TooLong));
    }

    #[test]
    fn nothing_is_read_after_the_end_was_said() {
        let mut count = 0;
        let mut stop = |_: &str| {
            count += 1;
            false
        };
        Frames::new(Framing::Ndjson).feed(b"1\n2\n3\n", &mut stop).unwrap();
        assert_eq!(count, 1);
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_makes_no_difference(body in "(data: ?[a-zé]{0,9}\r?\n|\n|: c\n){0,12}", cut in 0usize..80) {
            let bytes = body.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(frames(Framing::Sse, &[&bytes[..cut], &bytes[cut..]]), frames(Framing::Sse, &[bytes]));
        }
    }
}
