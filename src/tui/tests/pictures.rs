//! The pictures of the README: screens drawn into SVG from their own cells, as a terminal would draw them.
//!
//! The test compares them with `docs/pictures`. Where the program draws something else now, it leaves what it draws beside
//! the picture, as `*.svg.new`: look at it, and rename it when it is right.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use serde_json::json;

use crate::catalog::{Catalog, SearchPaths};
use crate::core::event::{Event, InstructionScope};
use crate::core::task::Kind;
use crate::tui::canvas::{Canvas, FrameInfo};
use crate::tui::screens::run::RunScreen;
use crate::tui::testing::{Story, at};
use crate::tui::text::width;
use crate::tui::theme::{Depth, Ground, Theme};

/// Cells across and down.
const SIZE: (u16, u16) = (110, 18);

/// A cell, and what lies around all of them, in the units of the picture.
const CELL: (u16, u16) = (8, 17);
const MARGIN: u16 = 14;

const FIRST: &str = "The tide comes in without a sound\nand lays its silver on the sand;\n\
    it takes the footprints that it found\nand smooths them with an even hand.";
const SECOND: &str = "The lamps lean out across the tide\nand count the boats that come home late;\n\
    the harbour keeps its ledger wide\nfor every name, for every weight.";

/// The shipped poem: one stanza is accepted, the second waits in its second attempt, two more are to come.
fn poem() -> RunScreen {
    let item = |subject: &str| Some(json!({"subject": subject}));
    let plan: Vec<_> =
        ["The tide", "The harbour at night", "The storm", "The calm"].map(|subject| json!({"subject": subject})).into();
    let story = Story::new("poem", "the sea", Kind::Workflow)
        .start("divide", 1, None)
        .finish("divide", 1, json!(plan))
        .accept("divide", 1)
        .start("write[0]", 1, item("The tide"))
        .finish("write[0]", 1, json!(FIRST))
        .accept("write[0]", 1)
        .start("write[1]", 1, item("The harbour at night"))
        .finish("write[1]", 1, json!("The lamps are lit."))
        .review("write[1]", 1, None)
        .then(Event::AttemptRejected {
            key: "write[1]".parse().unwrap(),
            attempt: 1,
            instruction: "make it rhyme".to_owned(),
            scope: InstructionScope::This,
            by: "ana@host".into(),
        })
        .start("write[1]", 2, item("The harbour at night"))
        .finish("write[1]", 2, json!(SECOND))
        .review("write[1]", 2, None);
    let catalog = Catalog::load(&SearchPaths::default());
    let task = catalog.entries.iter().find(|entry| entry.id == "poem").and_then(|entry| entry.task.as_ref().ok());
    RunScreen::new(Arc::new(story.run), task.map(Arc::clone), at(134))
}

/// What a terminal of that ground shows of a screen.
fn drawn(ground: Ground, view: impl FnOnce(&mut Canvas<'_>, Rect)) -> String {
    let area = Rect { x: 0, y: 0, width: SIZE.0, height: SIZE.1 };
    let (mut buf, mut frame) = (Buffer::empty(area), FrameInfo::default());
    let theme = Theme::new(ground, Depth::True);
    view(&mut Canvas { buf: &mut buf, theme: &theme, frame: &mut frame, as_written: false }, area);
    svg(&buf, ground)
}

fn svg(buf: &Buffer, ground: Ground) -> String {
    let (paper, ink) = match ground {
        Ground::Dark => ("#16191d", "#d8dce0"),
        Ground::Light => ("#fcfcfd", "#24292f"),
    };
    let (wide, high) = (SIZE.0 * CELL.0 + 2 * MARGIN, SIZE.1 * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13\" fill=\"{ink}\">\n<rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"{paper}\"/>\n",
    );
    for y in 0..SIZE.1 {
        grounds(&mut svg, buf, y);
        lines(&mut svg, buf, y, ink);
        texts(&mut svg, buf, y);
    }
    svg.push_str("</svg>\n");
    svg
}

fn hex(colour: Color) -> Option<String> {
    match colour {
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        _ => None,
    }
}

fn left(x: u16) -> u16 {
    MARGIN + x * CELL.0
}

fn top(y: u16) -> u16 {
    MARGIN + y * CELL.1
}

/// The cells of a row in runs of what they have in common.
fn runs<T: PartialEq>(buf: &Buffer, y: u16, of: impl Fn(&Cell) -> T) -> Vec<(u16, u16, T)> {
    let mut runs: Vec<(u16, u16, T)> = Vec::new();
    for x in 0..SIZE.0 {
        let what = of(&buf[(x, y)]);
        match runs.last_mut() {
            Some((_, end, last)) if *last == what => *end = x + 1,
            _ => runs.push((x, x + 1, what)),
        }
    }
    runs
}

fn grounds(svg: &mut String, buf: &Buffer, y: u16) {
    for (from, to, colour) in runs(buf, y, |cell| hex(cell.bg)) {
        if let Some(colour) = colour {
            let (x, y, wide, high) = (left(from), top(y), (to - from) * CELL.0, CELL.1);
            let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" fill=\"{colour}\"/>");
        }
    }
}

/// Which ways a line leaves the middle of its cell: to the left, to the right, up, down.
fn ways(symbol: &str) -> Option<[bool; 4]> {
    let ways = match symbol {
        "─" => "lr",
        "│" => "ud",
        "┌" => "rd",
        "┐" => "ld",
        "└" => "ru",
        "┘" => "lu",
        "├" => "rud",
        "┤" => "lud",
        "┬" => "lrd",
        "┴" => "lru",
        "┼" => "lrud",
        _ => return None,
    };
    Some(['l', 'r', 'u', 'd'].map(|way| ways.contains(way)))
}

/// Lines are drawn as such: no font has them meet.
fn lines(svg: &mut String, buf: &Buffer, y: u16, ink: &str) {
    let of = |cell: &Cell| ways(cell.symbol()).map(|_| hex(cell.fg).unwrap_or_else(|| ink.to_owned()));
    for (from, to, colour) in runs(buf, y, of) {
        let Some(colour) = colour else { continue };
        let mut path = String::new();
        for x in from..to {
            let [to_left, to_right, up, down] = ways(buf[(x, y)].symbol()).unwrap_or_default();
            let (middle, centre) = (left(x) + CELL.0 / 2, top(y) + CELL.1 / 2);
            if to_left || to_right {
                let begin = if to_left { left(x) } else { middle };
                let end = if to_right { left(x + 1) } else { middle };
                let joined = path.rsplit_once('H').is_some_and(|(_, last)| last == begin.to_string());
                if joined {
                    path.truncate(path.len() - begin.to_string().len());
                    let _ = write!(path, "{end}");
                } else {
                    let _ = write!(path, "M{begin} {centre}.5H{end}");
                }
            }
            if up || down {
                let begin = if up { top(y) } else { centre };
                let end = if down { top(y + 1) } else { centre };
                // The dot keeps what comes next from being joined to it.
                let _ = write!(path, "M{middle} {begin}V{end}.5");
            }
        }
        let _ = writeln!(svg, "<path d=\"{path}\" stroke=\"{colour}\" fill=\"none\"/>");
    }
}

fn texts(svg: &mut String, buf: &Buffer, y: u16) {
    let is_line = |cell: &Cell| ways(cell.symbol()).is_some();
    for (from, to, (fg, modifier, line)) in runs(buf, y, |cell| (hex(cell.fg), cell.modifier, is_line(cell))) {
        let symbols: Vec<&str> = (from..to).map(|x| buf[(x, y)].symbol()).collect();
        let blank = |symbol: &&str| symbol.trim().is_empty();
        let (Some(first), false) = (symbols.iter().position(|symbol| !blank(symbol)), line) else { continue };
        let text = symbols[first..].concat();
        let text = text.trim_end();
        let x = left(from + u16::try_from(first).unwrap());
        let wide = u16::try_from(width(text)).unwrap() * CELL.0;
        let mut style = fg.map(|colour| format!(" fill=\"{colour}\"")).unwrap_or_default();
        for (has, attribute) in [
            (Modifier::BOLD, " font-weight=\"bold\""),
            (Modifier::ITALIC, " font-style=\"italic\""),
            (Modifier::UNDERLINED, " text-decoration=\"underline\""),
            (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
        ] {
            if modifier.contains(has) {
                style.push_str(attribute);
            }
        }
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{}\" textLength=\"{wide}\" xml:space=\"preserve\"{style}>{text}</text>",
            top(y) + CELL.1 - 4,
        );
    }
}

#[test]
fn the_pictures_of_the_readme_are_what_the_program_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for (ground, name) in [(Ground::Dark, "run-dark"), (Ground::Light, "run-light")] {
        let screen = poem();
        let drawn = drawn(ground, |canvas, area| screen.view(canvas, area));
        let file = root.join("docs/pictures").join(name).with_extension("svg");
        if std::fs::read_to_string(&file).unwrap_or_default() != drawn {
            std::fs::write(file.with_extension("svg.new"), &drawn).unwrap();
            panic!("{} is not what the program draws; look at the .new beside it", file.display());
        }
        assert!(readme.contains(&format!("docs/pictures/{name}.svg")), "{name} is not in the README");
    }
}
