//! Which pairs of `*`, `_` and `~` are there to be markup, and not to be read.
//!
//! The rules of Markdown take many that are not: `2*3*4`, `src/*.c and lib/*.c`, `__init__`, `~5 to 6~`. A pair that is in
//! doubt is shown as it is written: a reader may see a star too much, and never a letter too little.

use std::ops::Range;

/// Of a longer text nothing more is looked at, so that a flood of signs within signs costs no more than its length.
const LONGEST: usize = 2_000;

/// Whether the signs at both ends of `range`, `length` of them at each, are markup.
pub(super) fn is_markup(text: &str, range: &Range<usize>, length: usize) -> bool {
    let Some(inner) = text.get(range.start + length..range.end.saturating_sub(length)) else { return false };
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    match text.as_bytes().get(range.start) {
        Some(b'~') => length == 2,
        Some(b'_') => of_underscores(inner, length, before, &text[range.end..]),
        _ => {
            let in_path = |next: Option<char>| next.is_some_and(|next| matches!(next, '/' | '\\'));
            let within_word =
                before.is_some_and(|c| c.is_ascii_alphanumeric()) && inner.starts_with(|c: char| c.is_ascii());
            let glued = within_word || in_path(before);
            let ends_path = in_path(after) || length == 1 && in_path(inner.chars().next_back());
            !glued && !ends_path && is_whole(inner)
        }
    }
}

fn of_underscores(inner: &str, length: usize, before: Option<char>, after: &str) -> bool {
    let is_name = inner.len() < LONGEST && inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let named = is_name && (length == 2 || inner.contains('_'));
    let glued = before.is_some_and(|before| "/\\@#$.=".contains(before));
    let goes_on = after.starts_with(['/', '\\', '(', '=', '@'])
        || after.strip_prefix('.').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_alphanumeric()));
    !named && !glued && !goes_on && is_whole(inner)
}

/// Whether something stands between the signs, and is no piece cut out of `f(*) + g(*)`.
fn is_whole(inner: &str) -> bool {
    if inner.len() > LONGEST {
        return true;
    }
    let says = inner.chars().any(|c| c.is_alphanumeric() || !c.is_ascii());
    let (mut open, mut closed) = (0, 0);
    for c in inner.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' if open > 0 => open -= 1,
            ')' | ']' | '}' => closed += 1,
            _ => {}
        }
    }
    says && !(open > 0 && closed > 0)
}
