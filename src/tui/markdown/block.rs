//! Markdown as blocks: the events of [`core::markdown`](crate::core::markdown) gathered into a tree that can be laid out
//! for any width.

use std::ops::Range;

use pulldown_cmark::{Alignment, CodeBlockKind, Event, LinkType, Tag, TagEnd};

use super::links::Address;
use crate::core::markdown::{Definition, Reading, number, read};

/// Containers deeper than this are taken as if they were not nested, so that a flood of `>` cannot exhaust the stack.
const MAX_DEPTH: usize = 24;

/// How a piece of inline text is marked. Several marks may hold at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each mark is independent of the others")]
pub struct Marks {
    /// `*so*`
    pub emphasis: bool,
    /// `**so**`
    pub strong: bool,
    /// `~~so~~`
    pub strike: bool,
    /// `` `so` ``
    pub code: bool,
    /// The text of a link.
    pub link: bool,
    /// Beside the text proper: a link's address, an image's.
    pub aside: bool,
}

/// A piece of inline text. `"\n"` alone is a hard line break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline {
    /// The text, without line breaks of its own.
    pub text: String,
    /// Its marks.
    pub marks: Marks,
    /// Where it leads.
    pub to: Option<Address>,
}

impl Inline {
    /// A text that leads nowhere.
    #[must_use]
    pub fn new(text: impl Into<String>, marks: Marks) -> Self {
        Self { text: text.into(), marks, to: None }
    }
}

/// An item of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// What it is marked with, as it is written: `1912.`, `+`. A bullet when there is nothing.
    pub sign: Option<String>,
    /// Of a task list: whether it is ticked.
    pub task: Option<bool>,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading and its level, from 1.
    Heading(u8, Vec<Inline>),
    /// A paragraph.
    Paragraph(Vec<Inline>),
    /// Code, fenced or indented, or raw HTML: kept as written.
    Code {
        /// The language, as the fence names it; empty when it names none.
        language: String,
        /// The code.
        text: String,
    },
    /// A quotation.
    Quote(Vec<Block>),
    /// Blocks that belong to the paragraph above them.
    Indent(Vec<Block>),
    /// A list.
    List(Vec<Item>),
    /// A table.
    Table(Table),
    /// A line across.
    Rule,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// How each column is aligned.
    pub align: Vec<Alignment>,
    /// The first row is the head.
    pub rows: Vec<Vec<Vec<Inline>>>,
}

/// What a text parses to.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The blocks at the top, each with where it begins.
    pub blocks: Vec<(usize, Block)>,
    /// The definitions of links in it.
    pub definitions: Vec<Definition>,
    /// Labels that look like links and are defined nowhere, each with where it stands.
    pub unresolved: Vec<(usize, String)>,
}

/// Parses `text`. `known` gives the address of a label that is defined outside of it.
pub fn parse(text: &str, known: impl Fn(&str) -> Option<String>) -> Parsed {
    let Reading { events, definitions, undefined } = read(text, known);
    let mut builder = Builder { text, ..Builder::default() };
    for (event, range) in events {
        builder.take(event, range);
    }
    Parsed { blocks: builder.finish(), definitions, unresolved: undefined }
}

/// A container that is open.
enum Open {
    Quote(Vec<Block>),
    List(Vec<Item>),
    Item(Item),
}

#[derive(Default)]
struct Builder<'t> {
    text: &'t str,
    top: Vec<(usize, Block)>,
    open: Vec<Open>,
    /// Containers that are not taken as such, because they lie too deep.
    flattened: usize,
    block_start: usize,
    depth: usize,
    inlines: Vec<Inline>,
    marks: Marks,
    /// The address of each open link or image, its title, and where its text begins.
    links: Vec<(String, String, usize)>,
    /// The language and the text of the code that is open.
    code: Option<(String, String)>,
    table: Option<Table>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, range: Range<usize>) {
        if self.depth == 0 {
            self.block_start = range.start;
        }
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.start(tag, range);
            }
            Event::End(end) => {
                self.depth -= 1;
                self.end(end);
            }
            Event::Text(text) | Event::Html(text) if self.code.is_some() => {
                if let Some((_, code)) = &mut self.code {
                    code.push_str(&text);
                }
            }
            Event::Text(text) | Event::FootnoteReference(text) => self.text(&text, self.marks),
            Event::Code(text)
            | Event::InlineHtml(text)
            | Event::Html(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text) => self.text(&text, Marks { code: true, ..self.marks }),
            // A model that ends a line means it: verses, addresses, lists without bullets.
            Event::SoftBreak | Event::HardBreak => {
                self.inlines.push(Inline::new("\n", self.marks));
            }
            Event::Rule => {
                self.close_loose();
                self.add(Block::Rule);
            }
            Event::TaskListMarker(done) => {
                if let Some(Open::Item(item)) = self.open.last_mut() {
                    item.task = Some(done);
                }
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        match tag {
            Tag::BlockQuote(_) => self.enter(Open::Quote(Vec::new())),
            Tag::List(_) => {
                self.close_loose();
                self.enter(Open::List(Vec::new()));
            }
            Tag::Item => {
                let item = self.text.get(range).unwrap_or_default();
                let plus = item.trim_start().starts_with('+').then_some("+");
                let sign = number(item).or(plus).map(str::to_owned);
                self.enter(Open::Item(Item { sign, ..Item::default() }));
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(language)) => {
                self.close_loose();
                self.code = Some((language.into_string(), String::new()));
            }
            Tag::CodeBlock(CodeBlockKind::Indented) | Tag::HtmlBlock => {
                self.close_loose();
                self.code = Some(Default::default());
            }
            Tag::Table(align) => self.table = Some(Table { align, rows: Vec::new() }),
            Tag::TableHead | Tag::TableRow => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            Tag::Emphasis => self.marks.emphasis = true,
            Tag::Strong => self.marks.strong = true,
            Tag::Strikethrough => self.marks.strike = true,
            Tag::Link { dest_url, link_type, title, .. } => {
                let url = if matches!(link_type, LinkType::Email) { String::new() } else { dest_url.into_string() };
                self.links.push((url, title.into_string(), self.inlines.len()));
                self.marks.link = true;
            }
            Tag::Image { dest_url, title, .. } => {
                self.text("image: ", Marks { aside: true, ..Marks::default() });
                self.links.push((dest_url.into_string(), title.into_string(), self.inlines.len()));
            }
            _ => {}
        }
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::Paragraph => {
                let inlines = std::mem::take(&mut self.inlines);
                self.add(Block::Paragraph(inlines));
            }
            TagEnd::Heading(level) => {
                let inlines = std::mem::take(&mut self.inlines);
                self.add(Block::Heading(level as u8, inlines));
            }
            TagEnd::CodeBlock | TagEnd::HtmlBlock => {
                if let Some((language, text)) = self.code.take() {
                    self.add(Block::Code { language, text });
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item => self.leave(),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.inlines);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.add(Block::Table(table));
                }
            }
            TagEnd::Emphasis => self.marks.emphasis = false,
            TagEnd::Strong => self.marks.strong = false,
            TagEnd::Strikethrough => self.marks.strike = false,
            TagEnd::Link | TagEnd::Image => self.end_link(),
            _ => {}
        }
    }

    /// The address follows the text, unless the text is the address.
    fn end_link(&mut self) {
        self.marks.link = false;
        let Some((url, title, from)) = self.links.pop() else { return };
        let shown: String = self.inlines.iter().skip(from).map(|inline| inline.text.as_str()).collect();
        let title = if title.is_empty() { title } else { format!(" \"{title}\"") };
        if !url.is_empty() && url != shown && url.trim_start_matches("mailto:") != shown {
            self.text(&format!(" ({url}{title})"), Marks { aside: true, ..Marks::default() });
        } else if !title.is_empty() {
            self.text(&title, Marks { aside: true, ..Marks::default() });
        }
    }

    fn text(&mut self, text: &str, marks: Marks) {
        let to = self.links.last().and_then(|(url, ..)| Address::new(url));
        match self.inlines.last_mut() {
            Some(last) if (last.marks, &last.to) == (marks, &to) && last.text != "\n" && self.links.is_empty() => {
                last.text.push_str(text);
            }
            _ => self.inlines.push(Inline { to, ..Inline::new(text.replace('\n', " "), marks) }),
        }
    }

    fn enter(&mut self, container: Open) {
        if self.open.len() >= MAX_DEPTH || self.flattened > 0 {
            self.flattened += 1;
        } else {
            self.open.push(container);
        }
    }

    fn leave(&mut self) {
        self.close_loose();
        if self.flattened > 0 {
            self.flattened -= 1;
            return;
        }
        match self.open.pop() {
            Some(Open::Quote(blocks)) => self.add(Block::Quote(blocks)),
            Some(Open::List(items)) => self.add(Block::List(items)),
            Some(Open::Item(item)) => {
                if let Some(Open::List(items)) = self.open.last_mut() {
                    items.push(item);
                }
            }
            None => {}
        }
    }

    /// The text of a tight list's item comes without a paragraph around it.
    fn close_loose(&mut self) {
        if !self.inlines.is_empty() && self.table.is_none() {
            let inlines = std::mem::take(&mut self.inlines);
            self.add(Block::Paragraph(inlines));
        }
    }

    fn add(&mut self, block: Block) {
        match self.open.last_mut() {
            Some(Open::Quote(blocks)) => blocks.push(block),
            Some(Open::Item(item)) => item.blocks.push(block),
            Some(Open::List(items)) => items.push(Item { blocks: vec![block], ..Item::default() }),
            None => self.top.push((self.block_start, block)),
        }
    }

    fn finish(mut self) -> Vec<(usize, Block)> {
        self.close_loose();
        self.top
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_quotes_is_flat_below_some_depth() {
        let text = format!("{} deep", ">".repeat(10_000));
        let parsed = parse(&text, |_| None);
        assert_eq!(parsed.blocks.len(), 1);
    }

    #[test]
    fn a_link_shows_where_it_leads_once() {
        let shown = |text: &str| match &parse(text, |_| None).blocks[0].1 {
            Block::Paragraph(inlines) => inlines.iter().map(|i| i.text.clone()).collect::<String>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown("[docs](https://x.y)"), "docs (https://x.y)");
        assert_eq!(shown("<https://x.y>"), "https://x.y");
        assert_eq!(shown("[a]\n\n[a]: http://z"), "a (http://z)");
        assert_eq!(shown("see [1]"), "see [1]");
    }
}
