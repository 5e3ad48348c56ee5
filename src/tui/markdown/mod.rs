//! Markdown that streams in: a stable prefix that is laid out once, and a live tail that is laid out again.
//!
//! A [`Document`] keeps the source and lays it out for the width at hand. Promises: however the text arrives, the
//! layout is that of the whole text laid out at once; a layout is kept until the text, the width or the theme changes,
//! so scrolling costs only the visible lines. Nothing reaches a line but what [`Untrusted::block`] made safe.
//!
//! What makes the prefix stable, and so what must hold:
//!
//! 1. The tail begins at the start of a line before which the line is blank, and that line begins the *last* block at
//!    the top. Later text can only go on with the last block or begin new ones.
//! 2. No definition of a link stands in or after the tail: while one does, its address may still grow, so nothing new
//!    becomes stable. Definitions before the tail are fixed and known to it.
//! 3. The last block begins with what no later text takes back, as a line feed does with the carriage return before it.
//! 4. When the tail defines a label that the prefix shows as undefined, everything is laid out anew.
//!
//! The same text can be shown as it is written ([`Look::as_written`]): each of its lines wrapped, and nothing else done to
//! it. A text that is a diff is no Markdown: its lines are wrapped, too, in the colours of what they add and remove.
//!
//! One exception, for the sake of the keys: while a text grows, a block longer than `LONGEST_TAIL` is laid out in
//! pieces. Once complete it is a document of its own and has one layout.

pub mod block;
pub mod layout;
pub mod links;
mod packed;
mod table;
mod value;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::text::code::Code;
use super::text::wrap::{expand_tabs, wrap, wrap_text};
use crate::core::diff_text::is_diff;
use crate::core::text::Untrusted;
use crate::tui::canvas::Canvas;
use crate::tui::theme::Theme;
use block::{Parsed, parse};
use layout::{Frame, lay_out};
use links::Links;
use packed::Packed;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// So many bytes are laid out again with each piece that arrives, at most.
const LONGEST_TAIL: usize = 64 * 1024;

/// How a text is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look<'t> {
    /// The palette.
    pub theme: &'t Theme,
    /// As it is written, with all its signs, rather than laid out.
    pub as_written: bool,
}

impl<'t> From<&'t Theme> for Look<'t> {
    fn from(theme: &'t Theme) -> Self {
        Self { theme, as_written: false }
    }
}

/// A text in Markdown that may still grow.
#[derive(Debug, Default)]
pub struct Document {
    source: StreamedText,
    /// What is laid out in the place of the source: see [`Document::of_value`].
    value: Option<Vec<block::Block>>,
    laid: RefCell<Option<Laid>>,
}

impl Document {
    /// A complete text.
    #[must_use]
    pub fn new(text: &Untrusted) -> Self {
        let mut document = Self::default();
        document.push(text);
        document
    }

    /// An output: a text as Markdown, any other value as nested lists of its fields, whose texts are Markdown.
    #[must_use]
    pub fn of_value(value: &serde_json::Value) -> Self {
        let mut document = Self::new(&crate::tui::diff::printed(value));
        if !value.is_string() {
            document.value = Some(value::blocks(value));
        }
        document
    }

    /// More of the same text.
    pub fn push(&mut self, more: &Untrusted) {
        self.source.push(more);
        if let Some(laid) = self.laid.get_mut() {
            laid.fresh = false;
        }
    }

    /// The whole text as it came, for the clipboard and for editing.
    #[must_use]
    pub fn raw(&self) -> &Untrusted {
        &self.source.raw
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.raw.is_empty()
    }

    /// How many lines it has at that width.
    #[must_use]
    pub fn height<'t>(&self, width: u16, look: impl Into<Look<'t>>) -> usize {
        self.with_laid(width, look.into(), |laid| laid.stable.len() + laid.tail.len())
    }

    /// Paints the lines from `top` on into `area`.
    pub fn paint<'t>(&self, area: Rect, buf: &mut Buffer, top: usize, look: impl Into<Look<'t>>) {
        self.with_laid(area.width, look.into(), |laid| {
            for (y, (part, at)) in (area.y..area.bottom()).zip(laid.from(top)) {
                buf.set_line(area.x, y, &part.line(at), area.width);
            }
        });
    }

    /// The same on a canvas, which hears where the links are.
    pub fn show<'t>(&self, canvas: &mut Canvas<'_>, area: Rect, top: usize, look: impl Into<Look<'t>>) {
        let look = look.into();
        self.paint(area, canvas.buf, top, look);
        self.with_laid(area.width, look, |laid| {
            for (y, (part, at)) in (area.y..area.bottom()).zip(laid.from(top)) {
                for (from, cells, address) in part.links(at, &laid.links) {
                    let short = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
                    let place = Rect { x: area.x.saturating_add(short(from)), y, width: short(cells), height: 1 };
                    canvas.link(place.intersection(area), address);
                }
            }
        });
    }

    /// How it was laid out last: tells one layout from another by its width, whether it is as written, and how much text
    /// it is of.
    #[must_use]
    pub fn laid_as(&self) -> Option<(u16, bool, usize)> {
        self.laid.borrow().as_ref().map(|laid| (laid.width, laid.as_written, self.source.raw.data().len()))
    }

    /// Its lines as they were laid out last; none before it was painted.
    #[must_use]
    pub fn laid_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(laid) = &*self.laid.borrow() {
            for part in [&laid.stable, &laid.tail] {
                lines.extend((0..part.len()).map(|at| part.line(at).to_string()));
            }
        }
        lines
    }

    fn with_laid<T>(&self, width: u16, look: Look<'_>, f: impl FnOnce(&Laid) -> T) -> T {
        let mut laid = self.laid.borrow_mut();
        let laid = match &mut *laid {
            Some(laid) if laid.is_for(width, look) => laid,
            other => other.insert(Laid::new(width, look)),
        };
        if !laid.fresh {
            let diff = !look.as_written && self.value.is_none() && is_diff(&self.source.shown);
            if laid.diff != diff {
                // Only now has enough of it come to tell.
                *laid = Laid { diff, ..Laid::new(width, look) };
            }
            match &self.value {
                _ if laid.as_written || laid.diff => laid.wrap(&self.source.shown),
                Some(blocks) => laid.fix(blocks),
                None => laid.refresh(&self.source.shown, self.source.sure()),
            }
        }
        f(laid)
    }

    #[cfg(test)]
    fn lines(&self, width: u16, theme: &Theme) -> Vec<ratatui::text::Line<'static>> {
        use ratatui::text::Span;
        self.with_laid(width, theme.into(), |laid| {
            let lines = [&laid.stable, &laid.tail].into_iter().flat_map(|part| (0..part.len()).map(|at| part.line(at)));
            let owned = |span: Span<'_>| Span::styled(span.content.into_owned(), span.style);
            lines.map(|line| line.spans.into_iter().map(owned).collect()).collect()
        })
    }
}

/// The text as it came, and made safe. What is made safe of a stream must be what is made safe of its whole, so the
/// end from the last ASCII character on (a carriage return apart) is made safe again when more arrives: marks, joiners
/// and line ends look no further than that.
#[derive(Debug, Default)]
struct StreamedText {
    raw: Untrusted,
    /// So much of `raw` is in `shown` for good …
    raw_fixed: usize,
    shown: String,
    /// … as so much of `shown`.
    shown_fixed: usize,
}

impl StreamedText {
    fn push(&mut self, more: &Untrusted) {
        self.raw.push(more);
        self.shown.truncate(self.shown_fixed);
        let data = self.raw.data();
        let open = &data[self.raw_fixed..];
        let fixed = open.rfind(|c: char| c.is_ascii() && c != '\r').map_or(0, |at| at + 1);
        self.shown.push_str(&Untrusted::from(&open[..fixed]).block());
        self.shown_fixed = self.shown.len();
        self.shown.push_str(&Untrusted::from(&open[fixed..]).block());
        self.raw_fixed += fixed;
    }

    /// So much of `shown` is there whatever follows: a carriage return at the end may be half of a line end.
    fn sure(&self) -> usize {
        let half = if self.raw.data().ends_with('\r') { self.shown.chars().next_back() } else { None };
        self.shown.len() - half.map_or(0, char::len_utf8)
    }
}

/// A layout for one width and theme.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says something else of how it was laid out")]
struct Laid {
    width: u16,
    theme: Theme,
    as_written: bool,
    diff: bool,
    fresh: bool,
    /// It was laid out before: the text grows.
    grows: bool,
    /// The lines of the text up to `offset`.
    stable: Packed,
    offset: usize,
    /// Whether there is a block in it; one without lines counts too.
    begun: bool,
    /// The lines of the rest.
    tail: Packed,
    /// Links that are defined in the stable part.
    definitions: HashMap<String, String>,
    /// Labels that the stable part shows as undefined.
    unresolved: HashSet<String>,
    /// Where its links lead.
    links: Links,
}

impl Laid {
    fn new(width: u16, look: Look<'_>) -> Self {
        Self {
            width,
            theme: *look.theme,
            as_written: look.as_written,
            diff: false,
            fresh: false,
            grows: false,
            stable: Packed::default(),
            offset: 0,
            begun: false,
            tail: Packed::default(),
            definitions: HashMap::new(),
            unresolved: HashSet::new(),
            links: Links::default(),
        }
    }

    /// Its lines from `top` on: the part that each is in, and its place there.
    fn from(&self, top: usize) -> impl Iterator<Item = (&Packed, usize)> {
        let stable = self.stable.len();
        let part = move |at: usize| at.checked_sub(stable).map_or((&self.stable, at), |at| (&self.tail, at));
        (top..stable + self.tail.len()).map(part)
    }

    fn is_for(&self, width: u16, look: Look<'_>) -> bool {
        self.width == width && self.theme == *look.theme && self.as_written == look.as_written
    }

    /// Lays out what has come since; `sure` bytes of the text will not change.
    fn refresh(&mut self, text: &str, sure: usize) {
        if std::mem::replace(&mut self.grows, true) {
            self.shorten(text);
        }
        let mut parsed = self.parse_rest(text);
        if parsed.definitions.iter().any(|definition| self.unresolved.contains(&definition.label)) {
            let theme = self.theme;
            *self = Self::new(self.width, (&theme).into());
            parsed = self.parse_rest(text);
        }
        let rest = &text[self.offset..];
        let cut = cut(rest, &parsed, sure.saturating_sub(self.offset));
        let at = parsed.blocks.partition_point(|(start, _)| *start < cut);
        let (before, after) = parsed.blocks.split_at(at);
        self.keep(before);
        self.tail = Packed::default();
        self.tail.extend(lay_out(after.iter().map(|(_, block)| block), self.frame(), self.begun));
        if cut > 0 {
            self.pass(cut, &parsed);
        }
        self.fresh = true;
    }

    /// Lays out the beginning of a tail that has become too long as if nothing came after it.
    fn shorten(&mut self, text: &str) {
        let rest = &text[self.offset..];
        if rest.len() <= LONGEST_TAIL {
            return;
        }
        let most = rest.floor_char_boundary(rest.len() - LONGEST_TAIL / 2);
        let end = rest[..most].rfind('\n').map_or(most, |at| at + 1);
        let parsed = parse(&rest[..end], |label| self.definitions.get(label).cloned());
        self.keep(&parsed.blocks);
        self.pass(end, &parsed);
    }

    fn frame(&self) -> Frame<'_> {
        Frame { width: self.width.max(1), theme: &self.theme, links: &self.links }
    }

    /// Lays out blocks for good.
    fn keep(&mut self, blocks: &[(usize, block::Block)]) {
        let lines = lay_out(blocks.iter().map(|(_, block)| block), self.frame(), self.begun);
        self.stable.extend(lines);
        self.begun |= !blocks.is_empty();
    }

    /// The next `bytes` of the text are laid out for good.
    fn pass(&mut self, bytes: usize, parsed: &Parsed) {
        self.offset += bytes;
        for definition in &parsed.definitions {
            self.definitions.entry(definition.label.clone()).or_insert_with(|| definition.url.clone());
        }
        let undefined = parsed.unresolved.iter().filter(|(at, _)| *at < bytes);
        self.unresolved.extend(undefined.map(|(_, label)| label.clone()));
    }

    /// Wraps the lines of a text that is shown as it is written, or is a diff. Only its last line may still grow.
    fn wrap(&mut self, text: &str) {
        let whole = text.rfind('\n').map_or(0, |at| at + 1).max(self.offset);
        let (stable, tail) = (self.wrapped(&text[self.offset..whole]), self.wrapped(&text[whole..]));
        self.stable.extend(stable);
        self.offset = whole;
        self.tail = Packed::default();
        self.tail.extend(tail);
        self.fresh = true;
    }

    fn wrapped(&self, lines: &str) -> Vec<ratatui::text::Line<'static>> {
        let cells = self.width.max(1).into();
        let Some(mut code) = Code::of("diff").filter(|_| self.diff) else {
            return wrap_text(lines, self.theme.text, cells);
        };
        let coloured = lines.lines().flat_map(|line| {
            let line = expand_tabs(line);
            let pieces = code.line(&line).into_iter().map(|(token, text)| (text, self.theme.token(token)));
            wrap(&pieces.collect::<Vec<_>>(), cells)
        });
        coloured.collect()
    }

    /// Lays out what does not grow.
    fn fix(&mut self, blocks: &[block::Block]) {
        let lines = lay_out(blocks, self.frame(), false);
        self.stable = Packed::default();
        self.stable.extend(lines);
        self.fresh = true;
    }

    fn parse_rest(&self, text: &str) -> Parsed {
        parse(&text[self.offset..], |label| self.definitions.get(label).cloned())
    }
}

/// Where the tail begins: see the promises of this module.
fn cut(rest: &str, parsed: &Parsed, sure: usize) -> usize {
    let Some((last, block)) = parsed.blocks.last().filter(|(last, _)| *last < sure) else { return 0 };
    // What stands after a list may turn out to be a part of it, with what its line has yet to say: `* **` is a rule so far.
    let before = parsed.blocks.iter().rev().nth(1).map(|(_, block)| block);
    if matches!((before, block), (Some(block::Block::List(_)), block::Block::List(_) | block::Block::Rule)) {
        return 0;
    }
    let line = rest[..*last].rfind('\n').map_or(0, |at| at + 1);
    let above = rest[..line].strip_suffix('\n').unwrap_or_default();
    let blank_above = above[above.rfind('\n').map_or(0, |at| at + 1)..].trim().is_empty();
    let open_definition = parsed.definitions.iter().any(|definition| definition.start >= line);
    if blank_above && !open_definition { line } else { 0 }
}

#[cfg(test)]
mod tests;
