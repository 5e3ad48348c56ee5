//! Text measured in cells: widths, cuts and wrapping by grapheme. What comes in here has been made safe already.

pub mod code;
pub mod fuzzy;
pub mod matches;
pub mod partial_json;
pub mod wrap;

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Prose is laid out at most this wide, however wide the pane is.
pub const PROSE: u16 = 80;

/// How many cells `text` takes; a text without line breaks.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// `text`, or as much of it as fits `cells` with an ellipsis at the end.
#[must_use]
pub fn fit(text: &str, cells: usize) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let mut cut = String::with_capacity(cells + 3);
    cut.push_str(take(text, cells - 1));
    cut.push('…');
    Cow::Owned(cut)
}

/// The longest beginning of `text` that fits `cells`; never cuts a grapheme.
#[must_use]
pub fn take(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += width(grapheme);
        if used > cells {
            return &text[..at];
        }
    }
    text
}

/// `text` with spaces up to `cells`, or cut to fit.
#[must_use]
pub fn pad(text: &str, cells: usize) -> String {
    let cut = fit(text, cells);
    let missing = cells.saturating_sub(width(&cut));
    let mut padded = cut.into_owned();
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}

/// `1204` as `1,204`.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Milliseconds as `0:07`, `2:14` or `1:02:14`.
#[must_use]
pub fn clock(millis: u64) -> String {
    let seconds = millis / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// US dollars with as many digits as tell something: `$0.003`, `$1.20`, `$0` for nothing.
#[must_use]
pub fn dollars(usd: f64) -> String {
    if usd <= 0.0 {
        "$0".to_owned()
    } else if usd < 0.001 {
        "<$0.001".to_owned()
    } else if usd < 0.1 {
        format!("${usd:.3}")
    } else {
        format!("${usd:.2}")
    }
}

/// How long ago, in the largest unit: `now`, `5 min`, `3 h`, `2 d`.
#[must_use]
pub fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => "now".to_owned(),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_what_a_person_sees_as_one_character() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello!", 5), "hell…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("e\u{301}te\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("x", 0), "");
        assert_eq!(take("👩\u{200d}🚀 go", 1), "");
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn numbers_read_at_a_glance() {
        assert_eq!((thousands(0), thousands(999), thousands(1_204)), ("0".into(), "999".into(), "1,204".into()));
        assert_eq!((clock(7_900), clock(134_000), clock(3_734_000)), ("0:07".into(), "2:14".into(), "1:02:14".into()));
        assert_eq!((dollars(0.003), dollars(1.2), dollars(0.0)), ("$0.003".into(), "$1.20".into(), "$0".into()));
        assert_eq!((ago(3), ago(300), ago(90_000)), ("now".into(), "5 min".into(), "1 d".into()));
    }
}
