//! Where something that is looked for is in a text that is laid out: on which lines, and which part of each, so that it
//! can be marked whatever the layout made of the source.
//!
//! Matches are of letters, whatever the case. Any white space is one space, a line break too, so that a phrase is found
//! however the lines break it.

/// As many matches are kept as anybody goes through.
pub const MOST: usize = 10_000;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What was typed, as a whole.
    Phrase(String),
    /// Each word of it: what a search in many texts found them by.
    Words(String),
}

impl Wanted {
    /// Each text that makes a match, as it is compared; none where nothing is looked for.
    fn needles(&self) -> Vec<String> {
        let (Self::Phrase(typed) | Self::Words(typed)) = self;
        let words = typed.split_whitespace().map(str::to_lowercase);
        match self {
            Self::Words(_) => words.collect(),
            Self::Phrase(_) => {
                Some(words.collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty()).into_iter().collect()
            }
        }
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let (Self::Phrase(typed) | Self::Words(typed)) = self;
        typed.trim().is_empty()
    }
}

/// A part of a match that lies in one line, as bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// The line.
    pub line: usize,
    /// From there …
    pub start: usize,
    /// … to there.
    pub end: usize,
}

/// Every match in lines that were broken to fit, first to last; each with a piece in every line that it goes over.
#[must_use]
pub fn matches(lines: &[String], wanted: &Wanted) -> Vec<Vec<Piece>> {
    let needles = wanted.needles();
    if needles.is_empty() {
        return Vec::new();
    }
    let flat = Flat::of(lines);
    let mut found: Vec<Vec<Piece>> = needles.iter().flat_map(|needle| flat.find(needle)).collect();
    if needles.len() > 1 {
        found.sort();
        found.dedup();
        found.truncate(MOST);
    }
    found
}

/// Lines as one text to look through.
struct Flat {
    text: String,
    /// For each character of the text: where it begins, and what it comes from.
    chars: Vec<(usize, Piece)>,
}

impl Flat {
    fn of(lines: &[String]) -> Self {
        let mut flat = Self { text: String::new(), chars: Vec::new() };
        for (line, words) in lines.iter().enumerate() {
            let end = words.len();
            let each = words.char_indices().map(|(at, c)| (c, Piece { line, start: at, end: at + c.len_utf8() }));
            for (c, piece) in each.chain([(' ', Piece { line, start: end, end })]) {
                if !c.is_whitespace() {
                    c.to_lowercase().for_each(|lower| flat.push(lower, piece));
                } else if !flat.text.ends_with(' ') {
                    flat.push(' ', piece);
                }
            }
        }
        flat
    }

    fn push(&mut self, c: char, piece: Piece) {
        self.chars.push((self.text.len(), piece));
        self.text.push(c);
    }

    fn find(&self, needle: &str) -> impl Iterator<Item = Vec<Piece>> {
        let place = |byte: usize| self.chars.partition_point(|(start, _)| *start < byte);
        let of = move |start: usize| pieces(&self.chars[place(start)..place(start + needle.len())]);
        self.text.match_indices(needle).take(MOST).map(move |(start, _)| of(start))
    }
}

/// Characters that follow each other, as one piece a line.
fn pieces(chars: &[(usize, Piece)]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (_, piece) in chars {
        match pieces.last_mut().filter(|last| last.line == piece.line) {
            Some(last) => last.end = piece.end,
            None => pieces.push(*piece),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str], wanted: &Wanted) -> Vec<Vec<String>> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let text = |piece: &Piece| lines[piece.line][piece.start..piece.end].to_owned();
        matches(&lines, wanted).iter().map(|pieces| pieces.iter().map(text).collect()).collect()
    }

    fn phrase(lines: &[&str], wanted: &str) -> Vec<Vec<String>> {
        found(lines, &Wanted::Phrase(wanted.to_owned()))
    }

    #[test]
    fn a_text_is_found_across_the_line_that_broke_it_and_whatever_its_case() {
        let lines = ["  The lamps lean out", "  across the Tide", "", "- the tide"];
        assert_eq!(phrase(&lines, "LEAN out across"), [vec!["lean out", "across"]]);
        assert_eq!(phrase(&lines, "the  tide"), [vec!["the Tide"], vec!["the tide"]]);
        assert_eq!(phrase(&lines, "storm"), Vec::<Vec<String>>::new());
        assert_eq!(phrase(&lines, "  "), Vec::<Vec<String>>::new());
    }

    #[test]
    fn letters_of_every_script_are_found_whole() {
        let lines = ["größe STRASSE", "日本語 текст İstanbul"];
        assert_eq!(phrase(&lines, "GRÖSSE"), Vec::<Vec<String>>::new());
        assert_eq!(phrase(&lines, "GRÖßE"), [vec!["größe"]]);
        assert_eq!(phrase(&lines, "本語 ТЕКСТ"), [vec!["本語 текст"]]);
        assert_eq!(phrase(&lines, "istanbul"), Vec::<Vec<String>>::new(), "a dotted capital is another letter");
    }

    #[test]
    fn each_word_is_found_where_it_is_and_in_the_order_of_the_text() {
        let lines = ["of 海辺 and C++ and lamps", "The Lamps, c++"];
        let words = |typed: &str| found(&lines, &Wanted::Words(typed.to_owned()));
        assert_eq!(words("LAMPS c++"), [vec!["C++"], vec!["lamps"], vec!["Lamps"], vec!["c++"]]);
        assert_eq!(words("海辺 storm"), [vec!["海辺"]]);
        assert_eq!(words(" "), Vec::<Vec<String>>::new());
        assert_eq!(words("lamps lamps").len(), 2, "the same place counts once");
    }
}
