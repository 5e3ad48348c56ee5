//! What a search looks for, by the rules of [`Runs::history`](crate::core::ports::Runs::history).

use crate::store::snippet;

/// What a person looks for.
pub(super) struct Wanted<'a> {
    pieces: Vec<&'a str>,
    /// The words of each piece that has any, unless they are looked for inside of words.
    phrases: Vec<Vec<String>>,
    /// The last word may be the beginning of one.
    is_begun: bool,
}

impl<'a> Wanted<'a> {
    /// In what [`snippet::looked_for`] took of a query.
    pub(super) fn of(text: &'a str) -> Self {
        let pieces = snippet::pieces(text);
        let in_words = !pieces.iter().any(|piece| snippet::is_within_words(piece));
        let worded = || pieces.iter().filter(|piece| in_words && piece.chars().any(char::is_alphanumeric));
        let phrases = worded().map(|piece| words(piece)).collect();
        let is_begun = worded().next_back().is_some_and(|piece| piece.chars().count() > 1);
        Self { pieces, phrases, is_begun }
    }

    /// Each of them has to be found.
    pub(super) fn pieces(&self) -> &[&'a str] {
        &self.pieces
    }

    /// Which of these texts match: those that have the words, or where none has, those with the pieces anywhere.
    pub(super) fn matching<'t>(&self, mut texts: impl Iterator<Item = &'t String>) -> impl Fn(&str) -> bool {
        let as_words = !self.phrases.is_empty() && texts.any(|text| self.is_in_words_of(text));
        move |text| if as_words { self.is_in_words_of(text) } else { self.is_within(text) }
    }

    fn is_in_words_of(&self, text: &str) -> bool {
        let words = words(text);
        let last = self.phrases.len().saturating_sub(1);
        self.phrases.iter().enumerate().all(|(at, phrase)| {
            let Some((end, before)) = phrase.split_last() else { return true };
            words.windows(phrase.len()).any(|window| {
                let Some((word, others)) = window.split_last() else { return false };
                let ends = if self.is_begun && at == last { word.starts_with(end) } else { word == end };
                ends && others == before
            })
        })
    }

    fn is_within(&self, text: &str) -> bool {
        let text = snippet::folded(text);
        self.pieces.iter().all(|piece| text.contains(&snippet::folded(piece)))
    }
}

/// The words of a text, without case and accents.
fn words(text: &str) -> Vec<String> {
    let is_mark = |c: char| ('\u{300}'..='\u{36f}').contains(&c);
    let text: String = snippet::folded(text).chars().filter(|c| !is_mark(*c)).collect();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
