//! Puts the text of a page together: white space collapsed, blocks apart, links and cells of tables marked.

use crate::core::text::one_line;

/// Between two cells of a table.
const CELL: &str = " | ";
/// A longer cell keeps its lines, in bytes: then it is not one of a table that is read in rows.
const LONGEST_CELL: usize = 300;

/// The text so far, and what has to be before the next.
#[derive(Default)]
pub struct TextWriter {
    out: String,
    /// Line breaks before the next text, at least.
    breaks: usize,
    /// White space before the next text.
    space: bool,
    /// What the next text begins with: a list mark, a heading mark.
    mark: String,
    /// In so many `pre` elements.
    preformatted: usize,
    row: Row,
    link: Option<Link>,
}

/// The row of a table that is being written.
#[derive(Default)]
struct Row {
    /// The table has cells that are headings: then empty cells count.
    has_headings: bool,
    has_cells: bool,
    has_text: bool,
    /// Separators before the next text.
    separators: usize,
    cell: Cell,
}

/// The cell that is being written.
#[derive(Clone, Copy, Default)]
enum Cell {
    #[default]
    None,
    Empty,
    /// Its text begins here.
    From(usize),
}

/// A link that has begun.
struct Link {
    address: String,
    /// Where its text begins, once there is any.
    start: Option<usize>,
}

impl TextWriter {
    /// The whole text.
    pub fn finish(mut self) -> String {
        self.end_link();
        self.out
    }

    pub fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.preformatted > 0 && c == '\n' {
                self.breaks += 1;
            } else if c.is_whitespace() && (self.preformatted == 0 || c == '\r') {
                self.space = true;
            } else {
                self.push(c);
            }
        }
    }

    /// Text that stands by itself, such as a picture's.
    pub fn word(&mut self, word: &str) {
        self.space = true;
        self.text(word);
        self.space = true;
    }

    fn push(&mut self, c: char) {
        if self.out.is_empty() || (self.row.has_text && self.row.separators > 0) {
            self.breaks = 0;
        }
        let within_row = self.row.has_text && self.row.separators > 0;
        if self.breaks > 0 {
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space && self.mark.is_empty() && !self.out.is_empty() && !within_row {
            self.out.push(' ');
        }
        self.separators();
        self.breaks = 0;
        self.space = false;
        self.out.push_str(&self.mark);
        self.mark.clear();
        let here = self.out.len();
        if let Some(link) = &mut self.link {
            link.start.get_or_insert(here);
        }
        match self.row.cell {
            Cell::None => {}
            Cell::Empty => (self.row.cell, self.row.has_text) = (Cell::From(here), true),
            Cell::From(_) => self.row.has_text = true,
        }
        self.out.push(c);
    }

    fn separators(&mut self) {
        let count = std::mem::take(&mut self.row.separators);
        // Tables that only arrange a page have empty cells that mean nothing.
        let count = match (self.row.has_headings, self.row.has_text) {
            (true, _) => count,
            (false, true) => count.min(1),
            (false, false) => 0,
        };
        for at in 0..count {
            let begins = at == 0 && !self.row.has_text;
            self.out.push_str(if begins { CELL.trim_start() } else { CELL });
        }
    }

    fn apart(&mut self, breaks: usize) {
        // A block at the beginning of a cell is in its row.
        if self.row.has_headings && matches!(self.row.cell, Cell::Empty) {
            return;
        }
        self.breaks = self.breaks.max(breaks);
    }

    pub fn begin(&mut self, name: &str) {
        match name {
            "br" => self.breaks = (self.breaks + 1).min(2),
            "td" | "th" => {
                self.row.has_headings |= name == "th";
                self.row.separators += usize::from(self.row.has_cells);
                (self.row.has_cells, self.row.cell) = (true, Cell::Empty);
            }
            "tr" => {
                self.row = Row { has_headings: self.row.has_headings, ..Row::default() };
                self.apart(1);
            }
            "table" => {
                self.row = Row::default();
                self.apart(2);
            }
            "li" => {
                self.apart(1);
                "- ".clone_into(&mut self.mark);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.apart(2);
                let level = name[1..].parse().unwrap_or(1);
                self.mark = format!("{} ", "#".repeat(level));
            }
            "pre" => {
                self.apart(2);
                self.preformatted += 1;
            }
            name => self.apart(breaks_around(name)),
        }
    }

    pub fn end(&mut self, name: &str) {
        match name {
            "pre" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.breaks = 0;
                self.space = false;
            }
            "td" | "th" => self.end_cell(),
            "tr" | "table" => self.row = Row { has_headings: self.row.has_headings && name == "tr", ..Row::default() },
            _ => {}
        }
        let breaks = match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" => 2,
            "li" => 1,
            name => breaks_around(name),
        };
        if breaks > 0 {
            self.apart(breaks);
            // An item without text leaves no mark.
            self.mark.clear();
        }
    }

    /// Of a table with headings, a cell is one line.
    fn end_cell(&mut self) {
        let Cell::From(start) = std::mem::take(&mut self.row.cell) else { return };
        if !self.row.has_headings {
            return;
        }
        let cell = self.out.get(start..).unwrap_or_default();
        if cell.len() <= LONGEST_CELL && cell.contains('\n') {
            self.end_link();
            let cell = self.out.split_off(start);
            self.out.push_str(&one_line(&cell));
        }
    }

    /// A link begins, which ends one that has not.
    pub fn begin_link(&mut self, address: Option<String>) {
        self.end_link();
        self.link = address.map(|address| Link { address, start: None });
    }

    /// A link ends: its address follows its text.
    pub fn end_link(&mut self) {
        let Some(Link { address, start: Some(start) }) = self.link.take() else { return };
        let text = self.out.get(start..).unwrap_or_default();
        if text == address || text.is_empty() {
            return;
        }
        if text.contains('\n') {
            // It spans several blocks.
            self.out.extend([" <", &address, ">"]);
        } else {
            self.out.insert(start, '[');
            self.out.extend(["](", &address, ")"]);
        }
    }
}

/// How far an element is set apart, in line breaks.
fn breaks_around(name: &str) -> usize {
    match name {
        "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "hr" | "section" | "article" | "main" | "header"
        | "footer" | "figure" | "form" | "body" | "aside" => 2,
        "div" | "tr" | "dt" | "dd" | "figcaption" | "caption" | "address" | "summary" | "details" | "option" => 1,
        _ => 0,
    }
}
