//! Where the links of a text lead: addresses that may be given to the terminal, and which part of a laid out line each
//! belongs to.
//!
//! Promises: an [`Address`] begins with `http://`, `https://` or `mailto:` and has nothing in it but visible ASCII, so
//! whoever wrote it, it cannot end the sequence that it is sent in. What is shown of a text is the same with and without
//! its links.
//!
//! A span of ratatui has a style and nothing else. So between the layout and the lines that are kept, a link travels as
//! the colour of its underline, which nothing else here sets, and which is taken off before anything is painted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ratatui::style::{Color, Style};

/// An address is longer than any that is meant.
const LONGEST: usize = 2_000;

/// As many addresses as a text may have; those after them lead nowhere.
const MOST: usize = 10_000;

/// What an address may begin with.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// An address that a link may lead to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// The address, if it is one that may be followed. What is not ASCII in it is escaped as addresses do.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let scheme = SCHEMES.iter().find(|scheme| begins(text, scheme))?;
        if text.len() == scheme.len()
            || text.len() > LONGEST
            || text.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return None;
        }
        let mut safe = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'!'..=b'~' => safe.push(char::from(byte)),
                _ => {
                    let _ = write!(safe, "%{byte:02X}");
                }
            }
        }
        Some(Self(safe.into()))
    }

    /// It.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn begins(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// A text in pieces, each with the address that it is, if it is one.
#[must_use]
pub fn pieces(text: &str) -> Vec<(&str, Option<Address>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = next(rest, from) {
        let end = at + length(&rest[at..]);
        // Within a word it is a part of that.
        let apart = rest[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        match Address::new(&rest[at..end]).filter(|_| apart) {
            Some(address) => {
                if at > 0 {
                    pieces.push((&rest[..at], None));
                }
                pieces.push((&rest[at..end], Some(address)));
                (rest, from) = (&rest[end..], 0);
            }
            None => from = at + 1,
        }
    }
    if !rest.is_empty() {
        pieces.push((rest, None));
    }
    pieces
}

/// Where the next address may begin, from a place on.
fn next(text: &str, from: usize) -> Option<usize> {
    let mut colons = text.get(from..)?.match_indices(':').map(|(at, _)| from + at);
    let scheme = |colon: usize| {
        SCHEMES.iter().find_map(|scheme| {
            let start = colon.checked_sub(scheme.find(':')?).filter(|start| *start >= from)?;
            begins(text.get(start..)?, scheme).then_some(start)
        })
    };
    colons.find_map(scheme)
}

/// How long the address is that a text begins with: to the next space, without what only ends the sentence around it.
/// What is longer than any address is not looked at to its end.
fn length(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '`' | '|');
    let mut address = &text[..text.floor_char_boundary(LONGEST + 1)];
    address = &address[..address.find(ends).unwrap_or(address.len())];
    let count = |c: char| address.matches(c).count();
    let mut round = (count('('), count(')'));
    let mut square = (count('['), count(']'));
    loop {
        let last = address.chars().next_back();
        let drops = match last {
            Some('.' | ',' | ';' | ':' | '!' | '?' | '\'' | '*' | '_' | '…' | '。' | '，' | '、') => true,
            Some(')') => round.1 > round.0,
            Some(']') => square.1 > square.0,
            _ => false,
        };
        if !drops {
            return address.len();
        }
        round.1 -= usize::from(last == Some(')'));
        square.1 -= usize::from(last == Some(']'));
        address = &address[..address.len() - last.map_or(0, char::len_utf8)];
    }
}

/// The addresses of a text that is laid out, each with its number.
#[derive(Debug, Default)]
pub struct Links(RefCell<Known>);

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<Address>,
    numbers: HashMap<Address, u16>,
}

impl Links {
    /// A style with a link to that address.
    #[must_use]
    pub fn mark(&self, style: Style, address: &Address) -> Style {
        let mut known = self.0.borrow_mut();
        let number = known.numbers.get(address).copied().or_else(|| {
            let number = u16::try_from(known.addresses.len()).ok().filter(|number| usize::from(*number) < MOST)?;
            known.addresses.push(address.clone());
            known.numbers.insert(address.clone(), number);
            Some(number)
        });
        let Some(number) = number else { return style };
        let [high, low] = number.to_be_bytes();
        style.underline_color(Color::Rgb(high, low, 0))
    }

    /// The address of a link that a style has.
    #[must_use]
    pub fn of(&self, style: Style) -> Option<Address> {
        let Some(Color::Rgb(high, low, _)) = style.underline_color else { return None };
        self.0.borrow().addresses.get(usize::from(u16::from_be_bytes([high, low]))).cloned()
    }
}

/// A style as it is painted.
#[must_use]
pub fn painted(style: Style) -> Style {
    Style { underline_color: None, ..style }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testing::cpu_time;

    fn addresses(text: &str) -> Vec<String> {
        let pieces = pieces(text);
        let whole: String = pieces.iter().map(|(text, _)| *text).collect();
        assert_eq!(whole, text, "nothing is lost");
        pieces.into_iter().filter_map(|(_, address)| Some(address?.as_str().to_owned())).collect()
    }

    #[test]
    fn an_address_in_a_text_ends_where_a_reader_ends_it() {
        for (text, found) in [
            ("see https://example.org/a_b?q=1#x, then", "https://example.org/a_b?q=1#x"),
            ("(https://en.wikipedia.org/wiki/Tide_(ocean))", "https://en.wikipedia.org/wiki/Tide_(ocean)"),
            ("HTTP://EXAMPLE.org.", "HTTP://EXAMPLE.org"),
            ("write to mailto:ana@example.org!", "mailto:ana@example.org"),
            ("<https://example.org>", "https://example.org"),
            ("siehe https://example.org/straße", "https://example.org/stra%C3%9Fe"),
            ("\"https://example.org\"", "https://example.org"),
        ] {
            assert_eq!(addresses(text), [found], "{text}");
        }
        assert_eq!(addresses("https://a.example http://b.example"), ["https://a.example", "http://b.example"]);
    }

    #[test]
    fn what_is_no_address_leads_nowhere() {
        for text in [
            "",
            "https://",
            "http",
            "ahttps://example.org",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ftp://x.example",
        ] {
            assert_eq!(addresses(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(Address::new(&format!("https://example.org/{}", "x".repeat(LONGEST))), None);
    }

    #[test]
    fn no_address_can_end_the_sequence_that_it_is_told_in() {
        for text in
            ["https://example.org/\u{1b}\\\u{1b}]52;c;ZXZpbA==\u{7}", "https://a\u{9c}b", "mailto:a b", "http://a\nb"]
        {
            assert_eq!(Address::new(text), None, "{text:?}");
        }
        for c in (0..=0x2FF).filter_map(char::from_u32) {
            if let Some(address) = Address::new(&format!("https://example.org/{c}")) {
                assert!(address.as_str().bytes().all(|byte| (b'!'..=b'~').contains(&byte)), "{c:?}");
            }
        }
    }

    #[test]
    fn a_text_that_is_all_address_is_read_once() {
        let size = 1_000_000;
        let texts = [
            format!("https://x.example/{}", ")".repeat(size)),
            "https://x.example/a ".repeat(size / 20),
            "https:".repeat(size / 6),
            format!("https://x.example/{}", "](".repeat(size / 2)),
        ];
        for text in texts {
            let took = cpu_time(|| {
                let whole: usize = pieces(&text).iter().map(|(text, _)| text.len()).sum();
                assert_eq!(whole, text.len());
            });
            assert!(took < std::time::Duration::from_secs(10), "{}: {took:?}", &text[..30]);
        }
    }

    #[test]
    fn what_is_more_than_a_text_may_have_leads_nowhere_and_never_elsewhere() {
        let links = Links::default();
        let address = |n: usize| Address::new(&format!("https://example.org/{n}")).unwrap();
        for n in 0..MOST + 10 {
            let found = links.of(links.mark(Style::new(), &address(n)));
            assert_eq!(found, (n < MOST).then(|| address(n)), "{n}");
        }
        assert_eq!(links.of(links.mark(Style::new(), &address(7))), Some(address(7)));
    }

    #[test]
    fn a_link_comes_back_from_the_style_that_it_travelled_in() {
        let links = Links::default();
        let address = |n: usize| Address::new(&format!("https://example.org/{n}")).unwrap();
        for n in [0, 1, 300, 1, 0] {
            let style = links.mark(Style::new(), &address(n));
            assert_eq!(links.of(style), Some(address(n)));
            assert_eq!(painted(style), Style::new());
        }
        assert_eq!(links.of(Style::new()), None);
    }
}
