//! Forms that name their columns first and have a caption a row: Advanced `SubStation` (`.ass`, `.ssa`), and the tables of
//! `whisper`.

use super::time::{Moment, moment};
use super::{SpokenLine, lines_of, markup, trimmed};

/// The columns of `SubStation` where a file does not say them.
const COLUMNS: &str = "Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text";

/// Reads the rows; `None` for a text of another form.
pub fn read(text: &str) -> Option<Vec<SpokenLine>> {
    let lines: Vec<&str> = lines_of(text).filter(|line| !line.is_empty()).collect();
    let (first, rows) = lines.split_first()?;
    if *first == "start\tend\ttext" {
        return table(rows);
    }
    let is_script = first.starts_with("[Script Info]") || *first == "[Events]";
    (is_script && rows.iter().any(|row| row.starts_with("Dialogue:"))).then(|| script(&lines))
}

/// Times are in milliseconds. A row that is none makes it another text.
fn table(rows: &[&str]) -> Option<Vec<SpokenLine>> {
    let rows = rows.iter().map(|row| {
        let mut cells = row.splitn(3, '\t');
        let mut time = || cells.next()?.parse().ok().map(Moment);
        let times = SpokenLine { start: Some(time()?), end: Some(time()?), ..SpokenLine::default() };
        Some(caption(&[cells.next().unwrap_or_default()], None, &times))
    });
    Some(rows.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

fn script(lines: &[&str]) -> Vec<SpokenLine> {
    let mut columns: Vec<String> = names(COLUMNS);
    let mut is_events = false;
    let mut spoken: Vec<(Moment, Vec<SpokenLine>)> = Vec::new();
    for line in lines {
        if line.starts_with('[') {
            is_events = *line == "[Events]";
        } else if let (true, Some(format)) = (is_events, line.strip_prefix("Format:")) {
            columns = names(format);
        } else if let Some(row) = line.strip_prefix("Dialogue:") {
            let cells: Vec<&str> = row.splitn(columns.len(), ',').map(trimmed).collect();
            let cell = |name: &str| columns.iter().position(|column| column == name).and_then(|at| cells.get(at));
            let time = |name| cell(name).and_then(|text| moment(text)).map(|(moment, _)| moment);
            let times = SpokenLine { start: time("start"), end: time("end"), ..SpokenLine::default() };
            // What is drawn, and the letters that an effect moves about, are no words.
            let text = cell("text").copied().unwrap_or_default();
            if draws(text) || cell("effect").is_some_and(|effect| effect.eq_ignore_ascii_case("fx")) {
                continue;
            }
            let text = text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ");
            let speaker = cell("name").or_else(|| cell("actor")).filter(|name| !name.is_empty());
            let lines: Vec<&str> = text.split('\n').map(trimmed).filter(|line| !line.is_empty()).collect();
            spoken.push((times.start.unwrap_or_default(), caption(&lines, speaker.copied(), &times)));
        }
    }
    // Captions are in any order, and one that has a shadow is there twice.
    spoken.sort_by_key(|(start, _)| *start);
    spoken.dedup();
    spoken.into_iter().flat_map(|(_, lines)| lines).collect()
}

fn names(format: &str) -> Vec<String> {
    format.split(',').map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn caption(lines: &[&str], speaker: Option<&str>, times: &SpokenLine) -> Vec<SpokenLine> {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let mut spoken = markup::spoken(&lines, times);
    for line in spoken.iter_mut().filter(|line| line.speaker.is_none()) {
        line.speaker = speaker.map(str::to_owned);
    }
    spoken
}

/// Whether a caption begins to draw: `{\p1}`, among other things.
fn draws(text: &str) -> bool {
    let overrides = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
    overrides.flat_map(|(inner, _)| inner.split('\\')).any(|order| {
        let scale = order.strip_prefix('p').and_then(|scale| scale.trim().parse::<u32>().ok());
        scale.is_some_and(|scale| scale > 0)
    })
}
