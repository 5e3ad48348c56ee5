//! Links, told to the terminal (OSC 8): it makes what it shows of them something to be clicked.
//!
//! Each cell of a link has the whole sequence, its own end included. So a frame that changes some cells of a link leaves
//! the others what they were, no link runs on into what is painted after it, and a link that leads elsewhere under the same
//! letters is written again. The sequence takes no cell, and the cell says so to whoever compares frames.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU16;

use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::Rect;

use crate::tui::markdown::links::Address;
use crate::tui::text::width;

/// Whether a terminal takes links. Those that do not know them pass them over, but for these.
pub fn takes_links(term: Option<&str>) -> bool {
    !matches!(term, None | Some("" | "dumb" | "linux"))
}

/// Puts the links of a frame into its cells.
pub fn put(buf: &mut Buffer, links: &[(Rect, Address)]) {
    for (place, address) in links {
        let place = place.intersection(buf.area);
        for y in place.top()..place.bottom() {
            let mut x = place.left();
            while x < place.right() {
                x += link(buf, x, y, address);
            }
        }
    }
}

/// Makes a cell a part of a link. Gives how many cells it takes.
fn link(buf: &mut Buffer, x: u16, y: u16, address: &Address) -> u16 {
    let Some(cell) = buf.cell_mut((x, y)) else { return 1 };
    let symbol = cell.symbol().to_owned();
    let cells = NonZeroU16::new(u16::try_from(width(&symbol)).unwrap_or(1)).unwrap_or(NonZeroU16::MIN);
    // What is within one link already is not within another.
    if !symbol.contains('\x1b') {
        let (id, address) = (id(address), address.as_str());
        cell.set_symbol(&format!("\x1b]8;id={id:x};{address}\x1b\\{symbol}\x1b]8;;\x1b\\"));
        cell.set_diff_option(CellDiffOption::ForcedWidth(cells));
    }
    cells.get()
}

/// By this a terminal knows cells that belong together, though a line break or a frame lies between them.
fn id(address: &Address) -> u32 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    u32::try_from(hasher.finish() & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use ratatui::backend::CrosstermBackend;
    use ratatui::style::Style;
    use ratatui::{Terminal, TerminalOptions, Viewport};

    use super::*;

    /// What is written to it is kept.
    struct Out<'a>(&'a RefCell<Vec<u8>>);

    impl Write for Out<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    /// Where a link begins, how many cells it takes, and where it leads.
    type Link = (u16, u16, &'static str);

    /// The bytes of each frame, and what a terminal shows after all of them.
    fn drawn(frames: &[(&str, &[Link])]) -> (Vec<String>, String) {
        let area = Rect::new(0, 0, 20, 1);
        let (written, mut ends) = (RefCell::new(Vec::new()), Vec::new());
        let backend = CrosstermBackend::new(Out(&written));
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(backend, options).unwrap();
        for (text, links) in frames {
            let links: Vec<(Rect, Address)> =
                links.iter().map(|(x, cells, to)| (Rect::new(*x, 0, *cells, 1), address(to))).collect();
            terminal
                .draw(|frame| {
                    frame.buffer_mut().set_string(0, 0, text, Style::new());
                    put(frame.buffer_mut(), &links);
                })
                .unwrap();
            ends.push(written.borrow().len());
        }
        drop(terminal);
        let bytes = written.into_inner();
        let mut parser = vt100::Parser::new(NonZeroU16::new(1).unwrap(), NonZeroU16::new(20).unwrap(), 0);
        parser.process(&bytes);
        let mut from = 0;
        let of = |end: usize| String::from_utf8(bytes[std::mem::replace(&mut from, end)..end].to_vec()).unwrap();
        (ends.into_iter().map(of).collect(), parser.screen().contents().trim_end().to_owned())
    }

    #[test]
    fn a_link_is_told_cell_by_cell_and_takes_no_cells_of_its_own() {
        let to = "https://example.org/tide";
        let (frames, screen) = drawn(&[("a 海辺 link here", &[(2, 9, to)])]);
        assert_eq!(screen, "a 海辺 link here");
        let id = id(&address(to));
        for symbol in ["海", "辺", " ", "l", "i", "n", "k"] {
            let told = format!("\x1b]8;id={id:x};{to}\x1b\\{symbol}\x1b]8;;\x1b\\");
            assert!(frames[0].contains(&told), "{symbol}: {:?}", frames[0]);
        }
        assert!(!frames[0].contains(&format!("{to}\x1b\\h")), "the link is at its end");
    }

    #[test]
    fn what_changes_of_a_link_is_told_again_and_nothing_else() {
        let (one, other) = ("https://example.org/1", "https://example.org/2");
        let (frames, screen) = drawn(&[
            ("see link here", &[(4, 4, one)]),
            ("see link here", &[(4, 4, one)]),
            ("see link here", &[(4, 4, other)]),
            ("see line here", &[(4, 4, other)]),
            ("see line here", &[]),
        ]);
        assert_eq!(screen, "see line here");
        let opened = |frame: &String| frame.matches("\x1b]8;id=").count();
        assert_eq!(frames.iter().map(opened).collect::<Vec<_>>(), [4, 0, 4, 1, 0]);
        assert!(frames[4].contains("line"), "what is no link any more is written as that: {:?}", frames[4]);
        for frame in &frames {
            assert_eq!(opened(frame), frame.matches("\x1b]8;;\x1b\\").count(), "every link ends");
        }
    }

    #[test]
    fn a_terminal_that_would_show_the_sequence_is_told_none() {
        assert!(takes_links(Some("xterm-256color")) && takes_links(Some("tmux-256color")));
        assert!(!takes_links(Some("linux")) && !takes_links(Some("dumb")) && !takes_links(None));
    }
}
