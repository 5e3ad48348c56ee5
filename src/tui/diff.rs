//! Compares two texts word by word, as lines to be shown: what only the later has is marked as added, what only the
//! earlier has as removed. JSON values are compared as they are printed.

use std::time::{Duration, Instant};

use ratatui::style::Style;
use ratatui::text::Line;
use serde_json::Value;
use similar::{ChangeTag, DiffTag, TextDiff};

use super::text::wrap::{Piece, expand_tabs, wrap};
use super::theme::Theme;
use crate::core::text::{Untrusted, exact, json};

/// Past this, the comparison gets coarser instead of slower.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lines with less in common than this are shown one after the other.
const ALIKE: f32 = 0.5;

/// A comparison: pieces of text in order, each equal, added or removed. Independent of width and theme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    pieces: Vec<(ChangeTag, String)>,
}

impl Comparison {
    /// Compares two texts.
    #[must_use]
    pub fn of_texts(old: &Untrusted, new: &Untrusted) -> Self {
        // What is not seen may be all that changed.
        let (old, new) = (exact(old.data()), exact(new.data()));
        let until = Instant::now() + PATIENCE;
        let diff = TextDiff::configure().deadline(until).diff_lines(old.as_ref(), new.as_ref());
        let mut pieces = Pieces::default();
        for op in diff.ops() {
            let before = op.old_range().filter_map(|at| diff.old_slice(at)).collect::<String>();
            let after = op.new_range().filter_map(|at| diff.new_slice(at)).collect::<String>();
            match op.tag() {
                DiffTag::Equal => pieces.push(ChangeTag::Equal, &after),
                DiffTag::Delete => pieces.push(ChangeTag::Delete, &before),
                DiffTag::Insert => pieces.push(ChangeTag::Insert, &after),
                DiffTag::Replace => pieces.replaced(&before, &after, until),
            }
        }
        Self { pieces: pieces.done }
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

/// The pieces of a comparison as they come.
#[derive(Default)]
struct Pieces {
    done: Vec<(ChangeTag, String)>,
}

impl Pieces {
    fn push(&mut self, tag: ChangeTag, text: &str) {
        match self.done.last_mut() {
            _ if text.is_empty() => {}
            Some((last, before)) if *last == tag => before.push_str(text),
            _ => self.done.push((tag, text.to_owned())),
        }
    }

    /// Lines that others stand in the place of: word by word when they are much alike, else one after the other, because
    /// two texts with every other word changed cannot be read.
    fn replaced(&mut self, before: &str, after: &str, until: Instant) {
        let words = TextDiff::configure().deadline(until).diff_words(before, after);
        if words.ratio() < ALIKE {
            self.push(ChangeTag::Delete, before);
            if !before.ends_with('\n') && !after.is_empty() {
                // The last line of a text has no end of its own.
                self.push(ChangeTag::Delete, "\n");
            }
            self.push(ChangeTag::Insert, after);
            return;
        }
        let (mut gone, mut come, mut gap) = (String::new(), String::new(), String::new());
        for change in words.iter_all_changes() {
            let text = change.value();
            if change.tag() == ChangeTag::Equal {
                // A blank between two changes belongs to both: they are one.
                let between = text.trim().is_empty() && !text.contains('\n') && !gone.is_empty() && !come.is_empty();
                if between && gap.is_empty() {
                    gap.push_str(text);
                } else {
                    self.changed(&mut gone, &mut come);
                    self.push(ChangeTag::Equal, &std::mem::take(&mut gap));
                    self.push(ChangeTag::Equal, text);
                }
                continue;
            }
            let gap = std::mem::take(&mut gap);
            gone.push_str(&gap);
            come.push_str(&gap);
            if change.tag() == ChangeTag::Delete { gone.push_str(text) } else { come.push_str(text) }
        }
        self.changed(&mut gone, &mut come);
        self.push(ChangeTag::Equal, &gap);
    }

    fn changed(&mut self, gone: &mut String, come: &mut String) {
        self.push(ChangeTag::Delete, &std::mem::take(gone));
        self.push(ChangeTag::Insert, &std::mem::take(come));
    }
}

/// An output as a person reads it: a text as it is, another value as indented JSON.
#[must_use]
pub fn printed(value: &Value) -> Untrusted {
    match value {
        Value::String(text) => Untrusted::from(text.as_str()),
        other => Untrusted::new(format!("{other:#}")),
    }
}

/// A value as it is opened for editing: as it is printed, with an escape for each character that an editor would not show.
/// Read again it is the same value. A text that is no JSON, and has to become some, is opened in the same way.
#[must_use]
pub fn editable(value: &Value) -> String {
    json(printed(value).data()).into_owned()
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
    fn a_line_that_was_written_anew_stands_below_the_one_before() {
        let old = Untrusted::from("One\nI had not thought of the sea for days\nEnd");
        let new = Untrusted::from("One\nThe calendar said nothing\nEnd");
        let shown = shown(&Comparison::of_texts(&old, &new));
        assert_eq!(shown, ["One", "[-I had not thought of the sea for days-]", "{+The calendar said nothing+}", "End"]);
    }

    #[test]
    fn the_last_line_that_was_written_anew_stands_below_the_one_before() {
        let old = Untrusted::from("One\nI had not thought of the sea for days");
        let new = Untrusted::from("One\nThe calendar said nothing");
        let shown = shown(&Comparison::of_texts(&old, &new));
        assert_eq!(shown, ["One", "[-I had not thought of the sea for days-]", "{+The calendar said nothing+}"]);
    }

    #[test]
    fn words_changed_in_a_row_are_one_change() {
        let old = Untrusted::from("we saw the old boats come home late");
        let new = Untrusted::from("we saw two ships come home late");
        assert_eq!(shown(&Comparison::of_texts(&old, &new)), ["we saw [-the old boats-]{+two ships+} come home late"]);
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
