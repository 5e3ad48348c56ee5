//! What a line of Markdown begins with.

use super::{Definition, label};

/// A line without what makes it part of a list or a quotation.
pub(super) fn content(line: &str) -> &str {
    let mut rest = line.trim_start();
    loop {
        let inner = if let Some(quoted) = rest.strip_prefix('>') { Some(quoted) } else { after_marker(rest) };
        match inner {
            Some(inner) => rest = inner.trim_start(),
            None => return rest,
        }
    }
}

/// A line without spaces and signs of quotation before it.
pub(super) fn unquoted(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '>'])
}

/// Whether a line is an item of a list.
pub(super) fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    line.len() == 1 && line.starts_with(['-', '*', '+']) || after_marker(line).is_some()
}

/// The number of an item as it is written, `1912.` or `3)`; `item` is its text.
#[must_use]
pub fn number(item: &str) -> Option<&str> {
    let item = item.trim_start();
    let digits = item.bytes().take_while(u8::is_ascii_digit).count();
    let ends = digits > 0 && matches!(item.as_bytes().get(digits), Some(b'.' | b')'));
    ends.then(|| &item[..=digits])
}

fn after_marker(line: &str) -> Option<&str> {
    let after = line.strip_prefix(['-', '*', '+']).or_else(|| line.strip_prefix(number(line)?));
    after.filter(|after| after.starts_with([' ', '\t']))
}

/// A line that defines a link, `[label]: address`. One that does not lead anywhere, as a line of a conversation does not,
/// has an empty address.
pub(super) fn definition(line: &str, start: usize) -> Option<Definition> {
    let content = content(line);
    let at = start + line.len() - content.len();
    let (name, rest) = content.strip_prefix('[')?.split_once("]:")?;
    if name.trim().is_empty() || name.contains(['[', ']']) {
        return None;
    }
    let rest = rest.trim();
    let (address, title) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let address = address.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(address);
    let leads =
        address.contains(['/', '#']) || address.starts_with("mailto:") || address.trim_end_matches('.').contains('.');
    let titled = title.trim().is_empty() || title.trim_start().starts_with(['"', '\'', '(']);
    let url = if leads && titled && !name.starts_with('^') { address } else { "" };
    Some(Definition { label: label(name), url: url.to_owned(), start: at })
}
