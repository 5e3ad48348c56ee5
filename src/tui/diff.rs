//! Compares two texts word by word, as lines to be shown: what only the later has is marked as added, what only the
//! earlier has as removed. JSON values are compared as they are printed.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::Line;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::text::wrap::{Piece, expand_tabs, wrap};
use super::theme::Theme;
use crate::core::text::Untrusted;

/// Past this, the comparison gets coarser instead of slower.
const PATIENCE: Duration = Duration::from_millis(100);

/// A comparison: pieces of text in order, each equal, added or removed. Independent of width and theme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pieces: Vec<(ChangeTag, String)>,
}

impl Comparison {
    /// Compares two texts.
    #[must_use]
    pub fn of_texts(old: &Untrusted, new: &Untrusted) -> Self {
        let (old, new) = (old.block(), new.block());
        let diff = TextDiff::configure().timeout(PATIENCE).diff_words(old.as_ref(), new.as_ref());
        let mut pieces: Vec<(ChangeTag, String)> = Vec::new();
        for change in diff.iter_all_changes() {
            match pieces.last_mut() {
                Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
                _ => pieces.push((change.tag(), change.value().to_owned())),
            }
        }
        Self { pieces }
    }

    /// Compares two outputs: texts as they are, other values as they are printed.
    #[must_use]
    pub fn of_values(old: &Value, new: &Value) -> Self {
        Self::of_texts(&printed(old), &printed(new))
    }

    /// Whether the two are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.pieces.iter().all(|(tag, _)| *tag == ChangeTag::Equal)
    }

    /// Words added and words removed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let count = |wanted| {
            let changed = self.pieces.iter().filter(|(tag, _)| *tag == wanted);
            changed.map(|(_, text)| text.split_whitespace().count()).sum()
        };
        (count(ChangeTag::Insert), count(ChangeTag::Delete))
    }

    /// The comparison as lines, and which of them begin a change.
    #[must_use]
    pub fn lines(&self, cells: u16, theme: &Theme) -> (Vec<Line<'static>>, Vec<usize>) {
        let mut lines = Vec::new();
        let mut changes = Vec::new();
        let mut row: Vec<(String, Style)> = Vec::new();
        let mut changed = false;
        for (tag, text) in &self.pieces {
            let (style, open, close) = match tag {
                ChangeTag::Equal => (theme.text, "", ""),
                ChangeTag::Insert => (theme.added, "{+", "+}"),
                ChangeTag::Delete => (theme.removed, "[-", "-]"),
            };
            for (at, part) in text.split('\n').enumerate() {
                if at > 0 {
                    end_row(&mut row, &mut changed, cells, &mut lines, &mut changes);
                }
                if part.is_empty() {
                    // An added or removed line break shows itself.
                    changed |= *tag != ChangeTag::Equal;
                    continue;
                }
                changed |= *tag != ChangeTag::Equal;
                let part = expand_tabs(part);
                let signed = if theme.signs { format!("{open}{part}{close}") } else { part.into_owned() };
                row.push((signed, style));
            }
        }
        end_row(&mut row, &mut changed, cells, &mut lines, &mut changes);
        (lines, changes)
    }
}

fn end_row(
    row: &mut Vec<(String, Style)>,
    changed: &mut bool,
    cells: u16,
    lines: &mut Vec<Line<'static>>,
    changes: &mut Vec<usize>,
) {
    if std::mem::take(changed) {
        changes.push(lines.len());
    }
    let pieces: Vec<Piece<'_>> = row.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    lines.extend(wrap(&pieces, cells.into()));
    row.clear();
}

/// An output as a person reads it: a text as it is, another value as indented JSON.
#[must_use]
pub fn printed(value: &Value) -> Untrusted {
    match value {
        Value::String(text) => Untrusted::from(text.as_str()),
        other => Untrusted::new(format!("{other:#}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tui::theme::{Depth, Ground};

    fn shown(comparison: &Comparison) -> Vec<String> {
        let theme = Theme::new(Ground::Dark, Depth::None);
        comparison.lines(60, &theme).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_that_changed_stand_beside_each_other() {
        let old = Untrusted::from("The lamps lean out\nacross the tide");
        let new = Untrusted::from("The lamps reach out\nacross the dark tide");
        let comparison = Comparison::of_texts(&old, &new);
        assert_eq!(shown(&comparison), ["The lamps [-lean-]{+reach+} out", "across the {+dark +}tide"]);
        assert_eq!(comparison.counts(), (2, 1));
        assert_eq!(comparison.lines(60, &Theme::new(Ground::Dark, Depth::Sixteen)).1, [0, 1]);
    }

    #[test]
    fn values_are_compared_as_they_are_printed() {
        let comparison = Comparison::of_values(&json!({"title": "Sea", "n": 1}), &json!({"title": "Sea", "n": 2}));
        assert!(!comparison.is_same());
        assert!(shown(&comparison).iter().any(|line| line.contains("[-1-]{+2+}")));
        assert!(Comparison::of_values(&json!([1]), &json!([1])).is_same());
    }

    #[test]
    fn control_characters_in_a_compared_text_do_nothing() {
        let comparison = Comparison::of_texts(&Untrusted::from("a"), &Untrusted::from("\u{1b}[2J"));
        assert!(shown(&comparison).concat().contains("␛[2J"));
    }
}
