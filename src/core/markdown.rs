//! Markdown as it is shown, on a screen, in a page, on paper: one reading for all of them.
//!
//! A person signs what is shown, so that it may never be less than what is written. Where the rules of Markdown take signs
//! away that are no markup, or replace them (a list's numbers, an `&amp;`), they are put back here: [`events`] gives the
//! events of the parser, and what they hold is cut out of the text itself.
//!
//! What is taken for markup, beside what Markdown says:
//!
//! - A backslash is one only before a sign that would be markup without it, and not in a path or a pattern.
//! - Emphasis is what `emphasis` takes for it; `-` beneath a text makes no heading; a `#` that ends a heading is its own.
//! - The indentation of each line of a paragraph is kept, as a text of spaces before it.
//! - Definitions of links are shown where they are written.
//! - Between wide letters `**` needs no space.

mod emphasis;
mod indent;
mod line;
mod mask;

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

pub use self::line::number;
use indent::Indent;

use super::text::one_line;

/// A definition of a link: `[label]: url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The label, as [`label`] makes it.
    pub label: String,
    /// The address.
    pub url: String,
    /// Where in the text it begins.
    pub start: usize,
}

/// What a text is read as.
#[derive(Debug, Default)]
pub struct Reading<'t> {
    /// Its events, each with the part of the text that it is of.
    pub events: Vec<(Event<'t>, Range<usize>)>,
    /// The definitions of links in it.
    pub definitions: Vec<Definition>,
    /// Labels that look like links and are defined nowhere, each with where it begins.
    pub undefined: Vec<(usize, String)>,
}

/// A link's label as labels are compared.
#[must_use]
pub fn label(text: &str) -> String {
    one_line(text).to_lowercase()
}

/// Reads a whole text.
#[must_use]
pub fn events(text: &str) -> Vec<(Event<'_>, Range<usize>)> {
    read(text, |_| None).events
}

/// Reads `text`. `known` gives the address of a label that is defined outside of it.
pub fn read(text: &str, known: impl Fn(&str) -> Option<String>) -> Reading<'_> {
    let (masked, definitions) = mask::mask(text);
    let mut urls: HashMap<&str, &str> = HashMap::new();
    for definition in &definitions {
        urls.entry(&definition.label).or_insert(&definition.url);
    }
    let mut undefined = Vec::new();
    let on_broken = |link: BrokenLink<'_>| {
        let label = label(&link.reference);
        let url = known(&label).or_else(|| urls.get(label.as_str()).map(|url| (*url).to_owned()));
        if url.is_none() {
            undefined.push((link.span.start, label));
        }
        url.map(|url| (CowStr::from(url), CowStr::from("")))
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let parser = Parser::new_with_broken_link_callback(&masked, options, Some(on_broken)).into_offset_iter();
    let events = Reader::new(text, &masked).read(parser);
    Reading { events, definitions, undefined }
}

/// What is open and was begun in another way than its end says.
enum Open {
    /// Emphasis whose signs, so many at each end, are to be read.
    Signs(usize),
    /// An address of mail between `<` and `>`, which are to be read.
    Mail,
    /// As it is.
    Plain,
}

struct Reader<'t, 'm> {
    text: &'t str,
    masked: &'m str,
    events: Vec<(Event<'t>, Range<usize>)>,
    indent: Indent<'t>,
    /// Emphasis and links.
    open: Vec<Open>,
    /// The last cell of the row of a table ends there.
    cell_end: usize,
}

impl<'t, 'm> Reader<'t, 'm> {
    fn new(text: &'t str, masked: &'m str) -> Self {
        Self { text, masked, events: Vec::new(), indent: Indent::new(text), open: Vec::new(), cell_end: 0 }
    }

    fn read<'p>(
        mut self,
        mut parser: impl Iterator<Item = (Event<'p>, Range<usize>)>,
    ) -> Vec<(Event<'t>, Range<usize>)> {
        while let Some((event, range)) = parser.next() {
            let spaces = self.indent.before(&event, &range);
            if spaces > 0 {
                self.add(Event::Text(" ".repeat(spaces).into()), range.start..range.start);
            }
            match event {
                Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, .. })
                    if self.is_call(&dest_url, &range) =>
                {
                    self.add_text(range);
                    skip(&mut parser);
                }
                Event::Start(tag) => self.start(tag, range),
                Event::End(end) => self.end(end, range),
                Event::Text(text) => {
                    let text = self.text_of(&text, &range);
                    self.add(Event::Text(text), range);
                }
                Event::Html(text) => {
                    let text = self.text_of(&text, &range);
                    self.add(Event::Html(text), range);
                }
                Event::InlineHtml(text) => {
                    let text = self.text_of(&text, &range);
                    self.add(Event::InlineHtml(text), range);
                }
                Event::Code(text) => {
                    let text = self.uncovered(&text, &range);
                    self.add(Event::Code(text), range);
                }
                other => self.add(other.into_static(), range),
            }
        }
        indent::join_verse(self.text, self.events)
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::Emphasis => self.begin_emphasis(tag, range, 1),
            Tag::Strong => self.begin_emphasis(tag, range, 2),
            Tag::Strikethrough => {
                let length = 1 + usize::from(self.text[range.start..].starts_with("~~"));
                self.begin_emphasis(tag, range, length);
            }
            Tag::Link { link_type, dest_url, title, id } => {
                let is_mail = link_type == LinkType::Email;
                self.open.push(if is_mail { Open::Mail } else { Open::Plain });
                if is_mail {
                    self.add_text(range.start..range.start + 1);
                }
                let (dest_url, title) = (self.address(&dest_url, &range), self.address(&title, &range));
                self.add(Event::Start(Tag::Link { link_type, dest_url, title, id: id.into_static() }), range);
            }
            Tag::Image { link_type, dest_url, title, id } => {
                let (dest_url, title) = (self.address(&dest_url, &range), self.address(&title, &range));
                self.add(Event::Start(Tag::Image { link_type, dest_url, title, id: id.into_static() }), range);
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let info = self.address(&info, &range);
                // More than the name of a language is there to be read.
                if info.contains([' ', '\t']) {
                    let place = range.start..range.start;
                    self.add(Event::Start(Tag::Paragraph), place.clone());
                    self.add(Event::Text(info.clone()), place.clone());
                    self.add(Event::End(TagEnd::Paragraph), place);
                }
                self.add(Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))), range);
            }
            tag => {
                self.cell_end = range.start;
                self.add(Event::Start(tag.into_static()), range);
            }
        }
    }

    fn end(&mut self, end: TagEnd, range: Range<usize>) {
        match end {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => match self.open.pop() {
                Some(Open::Signs(length)) => self.add_text(range.end.saturating_sub(length)..range.end),
                _ => self.add(Event::End(end), range),
            },
            TagEnd::Link => {
                let last = range.end.saturating_sub(1)..range.end;
                self.add(Event::End(end), range);
                if let Some(Open::Mail) = self.open.pop() {
                    self.add_text(last);
                }
            }
            TagEnd::TableCell => {
                self.cell_end = range.end;
                self.add(Event::End(end), range);
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                self.excess_cells(range.end);
                self.add(Event::End(end), range);
            }
            _ => self.add(Event::End(end), range),
        }
    }

    fn begin_emphasis(&mut self, tag: Tag<'_>, range: Range<usize>, length: usize) {
        if emphasis::is_markup(self.text, &range, length) {
            self.open.push(Open::Plain);
            self.add(Event::Start(tag.into_static()), range);
        } else {
            self.open.push(Open::Signs(length));
            self.add_text(range.start..range.start + length);
        }
    }

    /// A row that has more cells than the head of its table shows them too.
    fn excess_cells(&mut self, end: usize) {
        let Some(rest) = self.text.get(self.cell_end..end) else { return };
        for cell in rest.split('|').map(str::trim).filter(|cell| !cell.is_empty()) {
            let place = self.cell_end..self.cell_end;
            self.add(Event::Start(Tag::TableCell), place.clone());
            self.add(Event::Text(cell.into()), place.clone());
            self.add(Event::End(TagEnd::TableCell), place);
        }
    }

    /// Whether what looks like a link is an element of a list that is called: `handlers[0](event)`.
    fn is_call(&self, address: &str, range: &Range<usize>) -> bool {
        let before = self.text[..range.start].chars().next_back();
        let glued = before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ')' | ']'));
        let leads = address.contains("://") || address.starts_with(['/', '#', '.']) || address.starts_with("mailto:");
        glued && !leads
    }

    fn add(&mut self, event: Event<'t>, range: Range<usize>) {
        self.events.push((event, range));
    }

    /// A part of the text, as it is.
    fn add_text(&mut self, range: Range<usize>) {
        let text = self.text.get(range.clone()).unwrap_or_default();
        self.add(Event::Text(text.into()), range);
    }

    /// What a part of the text says. Spaces that a tab becomes are in no text; the name of a sign, `&amp;`, is as it is.
    fn text_of(&self, text: &str, range: &Range<usize>) -> CowStr<'t> {
        let (written, masked) = (self.text.get(range.clone()), self.masked.get(range.clone()));
        // A heading's last part has the tab after it in its range.
        let named = written.map(str::trim).filter(|written| written.starts_with('&') && written.ends_with(';'));
        match written.filter(|_| masked == Some(text)).or(named) {
            Some(written) => written.into(),
            None => text.to_owned().into(),
        }
    }

    /// The text of code without what was covered in it. It is a part of `range`, with line breaks as spaces.
    fn uncovered(&self, text: &str, range: &Range<usize>) -> CowStr<'t> {
        let mut shown = String::with_capacity(text.len());
        let mut places = self.masked.get(range.clone()).unwrap_or_default().char_indices();
        let written = self.text.get(range.clone()).unwrap_or_default();
        for c in text.chars() {
            let place = places.find(|(_, other)| *other == c || c == ' ' && *other == '\n');
            let letter = place.and_then(|(at, _)| written[at..].chars().next()).filter(|letter| *letter != '\n');
            shown.push(letter.unwrap_or(c));
        }
        shown.into()
    }

    /// An address, a title, the name of a language: without what was covered in it.
    fn address(&self, address: &str, range: &Range<usize>) -> CowStr<'t> {
        let masked = self.masked.get(range.clone()).unwrap_or_default();
        let place = masked.rfind(address).map(|at| range.start + at..range.start + at + address.len());
        match place.and_then(|place| self.text.get(place)) {
            Some(written) => written.into(),
            None => address.to_owned().into(),
        }
    }
}

/// Takes what is left of what was begun.
fn skip<'p>(parser: &mut impl Iterator<Item = (Event<'p>, Range<usize>)>) {
    let mut depth = 1;
    while depth > 0 {
        match parser.next() {
            Some((Event::Start(_), _)) => depth += 1,
            Some((Event::End(_), _)) => depth -= 1,
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
