//! Cuts the body of an answer into frames: server-sent events, JSON documents, or a mixture of both.
//!
//! What a body is shows in its bytes, not in its content type: servers send events as `application/json`, and one whole
//! document as `text/event-stream`. Lenient where servers differ: CRLF, a byte order mark, no space after `data:`, no
//! `data:` at all, comments, documents over several lines or several in one, a last frame without its end, broken UTF-8
//! (replaced). It keeps no more than one unfinished frame, and refuses one that never ends.

use std::borrow::Cow;

/// The longest frame that is taken, in bytes: an image in an answer fits, a line without end does not.
const LONGEST: usize = 16 * 1024 * 1024;

/// Of text that is no frame, as much is kept as a person reads.
const LONGEST_STRAY: usize = 2_000;

/// A frame longer than any server has reason to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Takes chunks as they arrive and gives frames as they are complete.
#[derive(Default)]
pub(super) struct Frames {
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
    /// The `data:` lines of the event under way.
    event: Vec<u8>,
    /// A JSON document that stands by itself, as far as it has arrived.
    document: Vec<u8>,
    nesting: Nesting,
    /// What came and is no frame.
    stray: Vec<u8>,
    begun: bool,
}

/// Where in a JSON document its bytes so far lead.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    /// Goes through more of a document. Gives how many of these bytes are its last ones; `None` when more must come.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

impl Frames {
    /// Takes a chunk and calls `each` with every frame that it completes, until one says stop (`false`).
    pub(super) fn feed(&mut self, chunk: &[u8], each: &mut dyn FnMut(&str) -> bool) -> Result<(), TooLong> {
        let mut rest = chunk;
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
        self.line.extend_from_slice(rest);
        if self.line.len() + self.event.len() + self.document.len() > LONGEST { Err(TooLong) } else { Ok(()) }
    }

    /// The body ended: gives what is left.
    pub(super) fn end(&mut self, each: &mut dyn FnMut(&str) -> bool) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && !self.line(&line, each) {
            return;
        }
        let document = std::mem::take(&mut self.document);
        if frame(&document, each) {
            self.event(each);
        }
    }

    /// What came and is no frame: a server that says in plain text why it has no answer.
    pub(super) fn stray(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stray)
    }

    fn line(&mut self, line: &[u8], each: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if !self.document.is_empty() {
            self.document.push(b'\n');
            return self.bare(line, each);
        }
        if line.is_empty() {
            return self.event(each);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.event.is_empty() {
                self.event.push(b'\n');
            }
            self.event.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            return true;
        }
        match line.trim_ascii_start() {
            // `[DONE]` without its `data:`, not a list.
            [b'[', b'A'..=b'Z', ..] => frame(line, each),
            start @ [b'{' | b'[', ..] => self.bare(start, each),
            // The other fields of an event say nothing that its data does not say; comments say nothing at all.
            [b':', ..] | [] => true,
            other if [&b"event:"[..], b"id:", b"retry:"].iter().any(|field| other.starts_with(field)) => true,
            other => {
                let kept = other.len().min(LONGEST_STRAY.saturating_sub(self.stray.len()));
                self.stray.extend_from_slice(&other[..kept]);
                self.stray.push(b' ');
                true
            }
        }
    }

    /// Takes more of a document that stands by itself; what follows its end is a line of its own.
    fn bare(&mut self, line: &[u8], each: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some(end) = self.nesting.end(line) else {
            self.document.extend_from_slice(line);
            return true;
        };
        let mut document = std::mem::take(&mut self.document);
        document.extend_from_slice(&line[..end]);
        let go_on = frame(&document, each);
        document.clear();
        self.document = document;
        self.nesting = Nesting::default();
        let rest = line[end..].trim_ascii();
        go_on && (rest.is_empty() || self.line(rest, each))
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

    fn frames(chunks: &[&[u8]]) -> Vec<String> {
        let mut got = Vec::new();
        let mut frames = Frames::default();
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
            assert_eq!(frames(&[body.as_bytes()]), ["{\"a\":1}", "{\"b\":2}"], "{body:?}");
        }
        assert_eq!(frames(&[b"data: a\ndata: b\n\n"]), ["a\nb"]);
        assert_eq!(frames(&[b"{}\r\n\n[1", b"]\n{\"last\":1}"]), ["{}", "[1]", "{\"last\":1}"]);
        assert_eq!(frames(&[b"{\n", b"}"]), ["{\n}"]);
        assert_eq!(
            frames(&[b"{\"a\":\"}\\\"{\"}{\"b\":[", b"]}\ndata: [DONE]\n"]),
            ["{\"a\":\"}\\\"{\"}", "{\"b\":[]}", "[DONE]"]
        );
        assert_eq!(frames(&[b"[PING]\n{\"a\":1}\n[DONE]"]), ["[PING]", "{\"a\":1}", "[DONE]"]);
        assert_eq!(frames(&[b"[{\"a\":1},\n{}]"]), ["[{\"a\":1},\n{}]"]);
    }

    #[test]
    fn broken_utf8_is_replaced_and_a_split_character_is_not() {
        assert_eq!(frames(&[b"data: \xffx\n"]), ["\u{fffd}x"]);
        let (head, tail) = "data: é\n\n".as_bytes().split_at(7);
        assert_eq!(frames(&[head, tail]), ["é"]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut frames = Frames::default();
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
        Frames::default().feed(b"{}\n{}\n{}\n", &mut stop).unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn what_is_no_frame_is_kept_to_be_said() {
        let mut frames = Frames::default();
        frames.feed(b"upstream said no\nretry: 3\n: ping\n", &mut |_| false).unwrap();
        assert_eq!(frames.stray(), "upstream said no ");
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_makes_no_difference(body in "(data: ?[a-zé]{0,9}\r?\n|\n|: c\n|\\{\"a\":\n?\"é\"\\}\n?){0,12}", cut in 0usize..80) {
            let bytes = body.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(frames(&[&bytes[..cut], &bytes[cut..]]), frames(&[bytes]));
        }
    }
}
