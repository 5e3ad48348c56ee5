//! Markdown as blocks of letters: what stands on a page, before it is laid out.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

use super::letters::{Font, Glyph, glyph};
use crate::core::markdown;

/// How far a list or a quotation is set in, in points.
const STEP: f32 = 16.0;

/// A paragraph, a heading, an item of a list, a block of code.
#[derive(Debug)]
pub(super) struct Block {
    /// The lines that must be; each is broken where it is too long. A line is a row of letters.
    pub lines: Vec<Vec<Glyph>>,
    /// In points.
    pub size: f32,
    pub indent: f32,
    /// What stands before the first line: a bullet, a number.
    pub marker: Vec<Glyph>,
    /// Broken anywhere, spaces kept.
    pub is_code: bool,
}

/// What follows what.
#[derive(Debug)]
pub(super) enum Piece {
    Block(Block),
    /// A line across the page.
    Rule,
}

/// Reads Markdown whose text has been made visible already.
///
/// # Errors
/// The first letter that no font here has.
pub(super) fn read(text: &str) -> Result<Vec<Piece>, char> {
    let mut flow = Flow::new(text);
    for (event, range) in markdown::events(text) {
        flow.take(event, range)?;
    }
    flow.end_block();
    Ok(flow.pieces)
}

const TEXT: f32 = 10.5;

struct Flow<'t> {
    text: &'t str,
    pieces: Vec<Piece>,
    lines: Vec<Vec<Glyph>>,
    marker: Vec<Glyph>,
    size: f32,
    indent: f32,
    is_code: bool,
    bold: u32,
    italic: u32,
    /// Where links lead to.
    links: Vec<String>,
    is_first_cell: bool,
}

impl<'t> Flow<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            pieces: Vec::new(),
            lines: vec![Vec::new()],
            marker: Vec::new(),
            size: TEXT,
            indent: 0.0,
            is_code: false,
            bold: 0,
            italic: 0,
            links: Vec::new(),
            is_first_cell: true,
        }
    }

    fn take(&mut self, event: Event<'_>, range: Range<usize>) -> Result<(), char> {
        match event {
            Event::Start(tag) => return self.start(tag, range),
            Event::End(tag) => return self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => return self.text(&text, self.font()),
            Event::Code(text) => return self.text(&text, Font::Mono),
            Event::SoftBreak | Event::HardBreak => self.lines.push(Vec::new()),
            Event::Rule => {
                self.end_block();
                self.pieces.push(Piece::Rule);
            }
            Event::TaskListMarker(done) => return self.text(if done { "[x] " } else { "[ ] " }, Font::Mono),
            Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) -> Result<(), char> {
        match tag {
            Tag::Heading { level, .. } => {
                self.end_block();
                self.bold += 1;
                self.size = match level {
                    HeadingLevel::H1 => 19.0,
                    HeadingLevel::H2 => 15.0,
                    HeadingLevel::H3 => 12.5,
                    _ => 11.0,
                };
            }
            Tag::CodeBlock(_) => {
                self.end_block();
                self.is_code = true;
                self.size = TEXT - 1.5;
            }
            Tag::BlockQuote(_) | Tag::List(_) => {
                self.end_block();
                self.indent += STEP;
            }
            Tag::Item => {
                let number = self.text.get(range).and_then(markdown::number);
                self.marker = letters(number.unwrap_or("•"), Font::Regular)?;
            }
            Tag::Emphasis => self.italic += 1,
            Tag::Strong => self.bold += 1,
            Tag::TableHead => {
                self.bold += 1;
                self.is_first_cell = true;
            }
            Tag::TableRow => self.is_first_cell = true,
            Tag::TableCell if !std::mem::take(&mut self.is_first_cell) => return self.text("  |  ", self.font()),
            Tag::Link { dest_url, .. } => self.links.push(dest_url.into_string()),
            Tag::Image { dest_url, .. } => {
                self.links.push(dest_url.into_string());
                return self.text("[image] ", self.font());
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), char> {
        match tag {
            TagEnd::Paragraph | TagEnd::Item | TagEnd::HtmlBlock | TagEnd::TableRow => self.end_block(),
            TagEnd::Heading(_) | TagEnd::CodeBlock => {
                self.bold -= u32::from(!self.is_code);
                self.end_block();
                self.is_code = false;
                self.size = TEXT;
            }
            TagEnd::TableHead => {
                self.bold -= 1;
                self.end_block();
            }
            TagEnd::BlockQuote(_) | TagEnd::List(_) => {
                self.end_block();
                self.indent -= STEP;
            }
            TagEnd::Emphasis => self.italic -= 1,
            TagEnd::Strong => self.bold -= 1,
            // On paper nobody clicks.
            TagEnd::Link | TagEnd::Image => {
                let address = self.links.pop().unwrap_or_default();
                let stands = |line: &[Glyph]| line.iter().map(|glyph| char::from(glyph.code)).collect::<String>();
                let shown = address.trim_start_matches("mailto:");
                if !shown.is_empty() && !self.lines.last().is_some_and(|line| stands(line).ends_with(shown)) {
                    return self.text(&format!(" ({address})"), self.font());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn font(&self) -> Font {
        match (self.is_code, self.bold > 0, self.italic > 0) {
            (true, ..) => Font::Mono,
            (_, false, false) => Font::Regular,
            (_, true, false) => Font::Bold,
            (_, false, true) => Font::Italic,
            (_, true, true) => Font::BoldItalic,
        }
    }

    fn text(&mut self, text: &str, font: Font) -> Result<(), char> {
        for (at, line) in text.split('\n').enumerate() {
            if at > 0 {
                self.lines.push(Vec::new());
            }
            let letters = letters(line, font)?;
            if let Some(last) = self.lines.last_mut() {
                last.extend(letters);
            }
        }
        Ok(())
    }

    fn end_block(&mut self) {
        let mut lines = std::mem::replace(&mut self.lines, vec![Vec::new()]);
        while lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        if lines.is_empty() {
            return;
        }
        let marker = std::mem::take(&mut self.marker);
        let (size, indent, is_code) = (self.size, self.indent, self.is_code);
        self.pieces.push(Piece::Block(Block { lines, size, indent, marker, is_code }));
    }
}

fn letters(text: &str, font: Font) -> Result<Vec<Glyph>, char> {
    let mut row = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => row.extend(glyph(' ', font).into_iter().cycle().take(4)),
            // How control characters were made visible: no font here has those pictures.
            '\u{2400}'..='\u{241f}' => {
                let letter = char::from_u32(u32::from(letter) - 0x2400 + 0x40).unwrap_or('?');
                row.extend(glyph('^', font).into_iter().chain(glyph(letter, font)));
            }
            letter => row.push(glyph(letter, font).ok_or(letter)?),
        }
    }
    Ok(row)
}
