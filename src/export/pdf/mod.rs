//! A plain PDF of Markdown: A4, one column, the fonts that every reader has and no file brings along. They have the
//! letters of western Europe and some signs; a text with others is refused, because half of it would be lost.

mod flow;
mod letters;

use pdf_writer::{Content, Name, Pdf, Rect, Ref, Str, TextStr};

use self::flow::{Block, Piece};
use self::letters::{Font, Glyph};
use super::ExportError;

/// A4, in points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 62.0;
/// From one line to the next, in sizes of the font.
const LEADING: f32 = 1.38;

/// The file.
///
/// # Errors
/// When the text has a letter that the fonts lack.
pub(super) fn file(title: &str, markdown: &str) -> Result<Vec<u8>, ExportError> {
    let pieces = flow::read(markdown).map_err(ExportError::Letter)?;
    let mut pages = Pages { done: Vec::new(), page: Content::new(), at: HEIGHT - MARGIN };
    for piece in &pieces {
        match piece {
            Piece::Rule => pages.rule(),
            Piece::Block(block) => pages.block(block),
        }
    }
    pages.turn();
    Ok(assembled(title, pages.done))
}

/// Pages in the making.
struct Pages {
    done: Vec<Vec<u8>>,
    page: Content,
    /// Where the next line ends, from below.
    at: f32,
}

impl Pages {
    fn turn(&mut self) {
        let page = std::mem::replace(&mut self.page, Content::new());
        self.done.push(page.finish().into_vec());
        self.at = HEIGHT - MARGIN;
    }

    /// Makes room for a line of that height.
    fn room(&mut self, height: f32) {
        if self.at - height < MARGIN {
            self.turn();
        }
        self.at -= height;
    }

    fn rule(&mut self) {
        self.room(10.0);
        self.page.set_line_width(0.5).move_to(MARGIN, self.at).line_to(WIDTH - MARGIN, self.at).stroke();
    }

    fn block(&mut self, block: &Block) {
        if self.at < HEIGHT - MARGIN {
            self.at -= block.size * 0.6;
        }
        let width = (WIDTH - 2.0 * MARGIN - block.indent) * 1000.0 / block.size;
        let lines = block.lines.iter().flat_map(|line| broken(line, width, block.is_code));
        for (at, line) in lines.enumerate() {
            self.room(block.size * LEADING);
            let left = MARGIN + block.indent;
            if at == 0 {
                let marker = measured(&block.marker) * block.size / 1000.0;
                self.row(&block.marker, left - marker - 5.0, block.size);
            }
            self.row(line, left, block.size);
        }
    }

    fn row(&mut self, row: &[Glyph], mut left: f32, size: f32) {
        for run in row.chunk_by(|one, next| one.font == next.font) {
            let codes: Vec<u8> = run.iter().map(|glyph| glyph.code).collect();
            self.page.begin_text().set_font(Name(run[0].font.name()), size);
            self.page.next_line(left, self.at).show(Str(&codes)).end_text();
            left += measured(run) * size / 1000.0;
        }
    }
}

fn measured(row: &[Glyph]) -> f32 {
    row.iter().map(|glyph| f32::from(glyph.width)).sum()
}

/// A line as the lines that fit: broken after spaces, or anywhere where there is none. Code is broken anywhere.
fn broken(line: &[Glyph], width: f32, is_code: bool) -> Vec<&[Glyph]> {
    let mut rows = Vec::new();
    let (mut begin, mut space, mut long) = (0, None, 0.0);
    for (at, glyph) in line.iter().enumerate() {
        long += f32::from(glyph.width);
        if glyph.code == b' ' {
            space = Some(at + 1);
        } else if long > width && at > begin {
            let end = space.filter(|space| !is_code && *space > begin).unwrap_or(at);
            rows.push(&line[begin..end]);
            begin = end;
            space = None;
            long = measured(&line[begin..=at]);
        }
    }
    rows.push(&line[begin..]);
    rows
}

/// The pages as a file.
fn assembled(title: &str, pages: Vec<Vec<u8>>) -> Vec<u8> {
    let mut next = 0;
    let mut new = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, info) = (new(), new(), new());
    let fonts = Font::ALL.map(|font| (font, new()));
    let pages: Vec<(Ref, Ref, Vec<u8>)> = pages.into_iter().map(|page| (new(), new(), page)).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.document_info(info).title(TextStr(title)).producer(TextStr("Stepwell"));
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(pages.iter().map(|(page, ..)| *page)).count(count);
    for (font, id) in fonts {
        let mut written = pdf.type1_font(id);
        written.base_font(Name(font.base()));
        if font.is_latin() {
            written.encoding_predefined(Name(b"WinAnsiEncoding"));
        }
    }
    for (id, content, bytes) in pages {
        let mut page = pdf.page(id);
        page.parent(tree).media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).contents(content);
        let mut resources = page.resources();
        let mut named = resources.fonts();
        for (font, id) in fonts {
            named.pair(Name(font.name()), id);
        }
        drop(named);
        drop(resources);
        drop(page);
        pdf.stream(content, &bytes);
    }
    pdf.finish()
}
