//! One tag of a page: its name, its attributes, how long it is.

/// A tag as it is written.
pub struct Tag<'h> {
    /// In lower case.
    pub name: String,
    /// It is an end tag.
    pub ends: bool,
    /// In bytes, with its brackets.
    pub length: usize,
    /// What is between its name and its end.
    inside: &'h str,
}

impl<'h> Tag<'h> {
    /// The tag that `html` begins with.
    pub fn read(html: &'h str) -> Self {
        let ends = html.starts_with("</");
        let name_at = if ends { 2 } else { 1 };
        let after = html.get(name_at..).unwrap_or_default();
        let name_length =
            after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != ':').unwrap_or(after.len());
        let length = tag_length(html);
        let inside = html.get(name_at + name_length..length).unwrap_or_default();
        Self {
            name: after[..name_length].to_ascii_lowercase(),
            ends,
            length,
            inside: inside.strip_suffix('>').unwrap_or(inside),
        }
    }

    /// The decoded value of an attribute; empty for one without a value.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.inside;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let name_end =
                rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/')).unwrap_or(rest.len()).max(1);
            let name_end = rest.ceil_char_boundary(name_end);
            let (found, after) = rest.split_at(name_end);
            let (value, after) = match after.trim_start().strip_prefix('=') {
                Some(value) => attribute_value(value.trim_start()),
                None => ("", after),
            };
            if found.eq_ignore_ascii_case(name) {
                return Some(html_escape::decode_html_entities(value).into_owned());
            }
            rest = after;
        }
    }
}

/// The value that a text begins with, and what follows it.
fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// Whether `text` begins with `open` and `name`.
pub fn is_name(text: &str, open: &str, name: &str) -> bool {
    let Some(after) = text.strip_prefix(open) else { return false };
    after.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        && !after[name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
}

/// Whether markup begins here.
pub fn begins_tag(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('!' | '?') => true,
        Some('/') => chars.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some(c) => c.is_ascii_alphabetic(),
        None => false,
    }
}

/// The length of the tag that `text` begins with; a `>` in a quoted attribute does not end it.
fn tag_length(text: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return place + 1,
            // Only after `=`: an apostrophe elsewhere is a slip.
            (None, '"' | '\'') if before == '=' => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    text.len()
}
