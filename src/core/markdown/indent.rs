//! How far the lines of a paragraph are set in: verses, addresses, columns of figures.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

/// Measures the indentation of each line while the events of its text go by.
pub(super) struct Indent<'t> {
    text: &'t str,
    open: Vec<Container>,
    /// The next inline text is the first of a line.
    begins: bool,
}

/// What lines are set in for another reason.
enum Container {
    Quote,
    /// An item of a list, with the column at which its text begins, once that is known.
    Item(Option<usize>),
}

impl<'t> Indent<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, open: Vec::new(), begins: false }
    }

    /// How many spaces belong before an event.
    pub(super) fn before(&mut self, event: &Event<'_>, range: &Range<usize>) -> usize {
        if let Some(Container::Item(None)) = self.open.last()
            && !matches!(event, Event::End(_))
        {
            let column = columns(self.prefix(range.start));
            self.open.pop();
            self.open.push(Container::Item(Some(column)));
        }
        match event {
            Event::Start(Tag::BlockQuote(_)) => self.open.push(Container::Quote),
            Event::Start(Tag::Item) => {
                self.open.push(Container::Item(None));
                self.begins = true;
            }
            Event::End(TagEnd::BlockQuote(_) | TagEnd::Item) => {
                self.open.pop();
            }
            Event::Start(Tag::Paragraph) | Event::SoftBreak | Event::HardBreak => self.begins = true,
            Event::Start(Tag::Heading { .. } | Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::Table(_)) => {
                self.begins = false;
            }
            Event::Text(_) | Event::Code(_) | Event::InlineHtml(_) | Event::Start(_)
                if std::mem::take(&mut self.begins) =>
            {
                // A backslash that keeps a sign from being markup comes before its text.
                let before = self.prefix(range.start);
                let before = before.strip_suffix('\\').unwrap_or(before);
                let within = match self.open.last() {
                    Some(Container::Item(Some(column))) => *column,
                    _ => 0,
                };
                if before.trim().is_empty() {
                    return columns(before).saturating_sub(within);
                }
            }
            _ => {}
        }
        0
    }

    /// What stands before a place in its line, from the last sign of a quotation on.
    fn prefix(&self, at: usize) -> &'t str {
        let before = self.text.get(..at).unwrap_or_default();
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        if !self.open.iter().any(|open| matches!(open, Container::Quote)) {
            return line;
        }
        match line.rsplit_once('>') {
            Some((_, after)) => after.strip_prefix(' ').unwrap_or(after),
            None => line,
        }
    }
}

/// The width of what stands before a text.
fn columns(before: &str) -> usize {
    before.chars().fold(0, |column, c| if c == '\t' { (column / 4 + 1) * 4 } else { column + 1 })
}

/// A stanza whose first lines are set in so far that they read as code is one with the lines beneath.
pub(super) fn join_verse<'t>(text: &str, events: Vec<(Event<'t>, Range<usize>)>) -> Vec<(Event<'t>, Range<usize>)> {
    let is_code = |event: &Event<'_>| matches!(event, Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)));
    if !events.iter().any(|(event, _)| is_code(event)) {
        return events;
    }
    let mut joined: Vec<(Event<'t>, Range<usize>)> = Vec::with_capacity(events.len());
    let mut code = None;
    for (event, range) in events {
        match (code, &event) {
            (_, event) if is_code(event) => code = Some(joined.len()),
            (Some(from), Event::Start(Tag::Paragraph))
                if joined.last().is_some_and(|(last, _)| matches!(last, Event::End(TagEnd::CodeBlock)))
                    && !is_parted(text, range.start) =>
            {
                verse(&mut joined, from);
                code = None;
                continue;
            }
            (Some(_), Event::Text(_) | Event::End(TagEnd::CodeBlock)) => {}
            _ => code = None,
        }
        joined.push((event, range));
    }
    joined
}

/// Whether the line above a place is empty.
fn is_parted(text: &str, at: usize) -> bool {
    let above = text[..at].rfind('\n').map_or("", |end| &text[..end]);
    above[above.rfind('\n').map_or(0, |at| at + 1)..].trim().is_empty()
}

/// Makes lines of a paragraph of the code that begins at `from` and is the last there.
fn verse(events: &mut Vec<(Event<'_>, Range<usize>)>, from: usize) {
    let code: Vec<_> = events.drain(from..).collect();
    for (event, range) in code {
        match event {
            Event::Start(_) => events.push((Event::Start(Tag::Paragraph), range)),
            Event::Text(text) => {
                for line in text.split_inclusive('\n') {
                    let words = line.trim_end_matches('\n');
                    events.push((Event::Text(format!("    {words}").into()), range.clone()));
                    if words.len() < line.len() {
                        events.push((Event::SoftBreak, range.clone()));
                    }
                }
            }
            _ => {}
        }
    }
}
