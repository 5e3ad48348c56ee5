//! What a person looks for, and where in a text it was found: the piece of text around it, with the match between
//! `\u{2}` and `\u{3}`.

/// Bytes of what a person types that are looked for.
const LONGEST: usize = 1_024;

/// Words of it.
const PIECES: usize = 32;

/// Characters shown before a match.
const BEFORE: usize = 40;

/// Characters shown in all.
const SHOWN: usize = 160;

/// What marks the match begins and ends with.
const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// As much of what a person typed as is looked for.
pub(super) fn looked_for(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].replace('\0', " ")
}

/// The pieces of [`looked_for`] that have to be found, each of them.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    text.split_whitespace().take(PIECES).collect()
}

/// Whether a piece is looked for inside of words, sign by sign, wherever it is.
pub(super) fn is_within_words(piece: &str) -> bool {
    without_spaces(piece) || is_exact(piece)
}

/// One line of `text` around the first of `wanted` that it holds, and whether it holds all of them.
pub(super) fn snippet(text: &str, wanted: &[&str]) -> (String, bool) {
    let folded: Vec<char> = text.chars().map(fold).collect();
    let places: Vec<Option<(usize, usize)>> = wanted.iter().map(|piece| find(&folded, piece)).collect();
    let all = places.iter().all(Option::is_some);
    let Some((start, end)) = places.into_iter().flatten().next() else { return (line(text.chars(), SHOWN), all) };
    let from = start.saturating_sub(BEFORE);
    let before = line(text.chars().skip(from).take(start - from), BEFORE);
    let matched = line(text.chars().skip(start).take(end - start), SHOWN);
    let after = line(text.chars().skip(end), SHOWN - BEFORE);
    let cut = if from > 0 { "…" } else { "" };
    (format!("{cut}{before}{}{matched}{}{after}", MARKS[0], MARKS[1]), all)
}

/// Whether `text` is of a script that puts no spaces between words.
fn without_spaces(text: &str) -> bool {
    text.chars().any(|c| {
        matches!(u32::from(c),
            0x0e00..=0x0eff       // Thai, Lao
            | 0x1000..=0x109f     // Myanmar
            | 0x1780..=0x17ff     // Khmer
            | 0x2e80..=0x9fff     // Kana, Han and their symbols
            | 0xac00..=0xd7af     // Hangul: its particles hang on the words
            | 0xf900..=0xfaff
            | 0xff66..=0xff9f
            | 0x20000..=0x3ffff)
    })
}

/// Whether a piece is looked for sign by sign: it begins or ends with a sign that is part of a name, as in `C++`, `C#`,
/// `@ana`, `$HOME`. In the middle of a word, as in `multi-agent`, a sign only divides words.
fn is_exact(piece: &str) -> bool {
    let sign = |c: Option<char>| c.is_some_and(|c| "+#@$%&*=~^|<>\\/".contains(c));
    let mut chars = piece.chars();
    let (first, last) = (chars.next(), chars.next_back());
    piece.chars().any(char::is_alphanumeric) && (sign(first) || sign(last))
}

/// Where `piece` is in `folded`: at the beginning of a word if it is there at all.
fn find(folded: &[char], piece: &str) -> Option<(usize, usize)> {
    let whole: Vec<char> = piece.chars().map(fold).collect();
    // A piece such as `multi-agent` is found as `multi agent` too; then its first word is marked.
    let first: Vec<char> =
        whole.iter().copied().skip_while(|c| !c.is_alphanumeric()).take_while(|c| c.is_alphanumeric()).collect();
    let begins = |at: usize| at == 0 || !folded[at - 1].is_alphanumeric();
    let all = |piece: &[char]| -> Option<(usize, usize)> {
        let mut inside = None;
        for (at, window) in folded.windows(piece.len().max(1)).enumerate() {
            if window == piece {
                if begins(at) {
                    return Some((at, at + piece.len()));
                }
                inside.get_or_insert((at, at + piece.len()));
            }
        }
        inside
    };
    let divided = !first.is_empty() && first != whole && !is_exact(piece);
    all(&whole).or_else(|| if divided { all(&first) } else { None })
}

/// The characters on one line, none of which can be taken for a mark.
fn line(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for c in chars {
        let c = if c.is_whitespace() { ' ' } else { c };
        if MARKS.contains(&c) || (c == ' ' && line.ends_with(' ')) {
            continue;
        }
        if count == most {
            line.push('…');
            break;
        }
        line.push(c);
        count += 1;
    }
    line
}

/// A text without case and accents, as the search compares them.
pub(super) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// A character without case and accent, as the search compares them.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let lower = c.to_lowercase().next().unwrap_or(c);
    match lower {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ĥ' => 'h',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ŵ' => 'w',
        'ý' | 'ÿ' | 'ŷ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}
