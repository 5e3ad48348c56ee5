//! Fuzzy search: how well a text matches what was typed.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// What was typed, ready to be matched with many texts.
pub struct Fuzzy {
    pattern: Pattern,
    matcher: Matcher,
    chars: Vec<char>,
}

impl Fuzzy {
    /// Looks for `wanted`: its words in any order, the letters of each in theirs.
    #[must_use]
    pub fn new(wanted: &str) -> Self {
        let pattern = Pattern::parse(wanted, CaseMatching::Smart, Normalization::Smart);
        Self { pattern, matcher: Matcher::new(Config::DEFAULT), chars: Vec::new() }
    }

    /// How well `text` matches, more being better; `None` when it does not.
    pub fn score(&mut self, text: &str) -> Option<u32> {
        self.pattern.score(Utf32Str::new(text, &mut self.chars), &mut self.matcher)
    }
}
