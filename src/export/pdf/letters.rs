//! The letters of a PDF: the fonts that every reader has, what each can show, and how wide that is.

use encoding_rs::WINDOWS_1252;

/// A font that no file has to bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Font {
    Regular,
    Bold,
    Italic,
    BoldItalic,
    Mono,
    Symbols,
    Dingbats,
}

impl Font {
    pub const ALL: [Self; 7] =
        [Self::Regular, Self::Bold, Self::Italic, Self::BoldItalic, Self::Mono, Self::Symbols, Self::Dingbats];

    /// The name by which readers know it.
    pub fn base(self) -> &'static [u8] {
        match self {
            Self::Regular => b"Helvetica",
            Self::Bold => b"Helvetica-Bold",
            Self::Italic => b"Helvetica-Oblique",
            Self::BoldItalic => b"Helvetica-BoldOblique",
            Self::Mono => b"Courier",
            Self::Symbols => b"Symbol",
            Self::Dingbats => b"ZapfDingbats",
        }
    }

    /// Its name in a page.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Regular => b"R",
            Self::Bold => b"B",
            Self::Italic => b"I",
            Self::BoldItalic => b"J",
            Self::Mono => b"M",
            Self::Symbols => b"S",
            Self::Dingbats => b"D",
        }
    }

    /// Whether its codes are those of Windows-1252.
    pub fn is_latin(self) -> bool {
        !matches!(self, Self::Symbols | Self::Dingbats)
    }
}

/// A letter as a page has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Glyph {
    pub font: Font,
    pub code: u8,
    /// In thousandths of the font's size.
    pub width: u16,
}

/// Signs that the Latin fonts lack: the font, the code there, the width.
const SIGNS: [(char, Font, u8, u16); 37] = [
    ('←', Font::Symbols, 0xac, 987),
    ('↑', Font::Symbols, 0xad, 603),
    ('→', Font::Symbols, 0xae, 987),
    ('↓', Font::Symbols, 0xaf, 603),
    ('↔', Font::Symbols, 0xab, 1042),
    ('⇐', Font::Symbols, 0xdc, 987),
    ('⇒', Font::Symbols, 0xde, 987),
    ('⇔', Font::Symbols, 0xdb, 1042),
    ('−', Font::Symbols, 0x2d, 549),
    ('≤', Font::Symbols, 0xa3, 549),
    ('≥', Font::Symbols, 0xb3, 549),
    ('≠', Font::Symbols, 0xb9, 549),
    ('≈', Font::Symbols, 0xbb, 549),
    ('≡', Font::Symbols, 0xba, 549),
    ('∞', Font::Symbols, 0xa5, 713),
    ('√', Font::Symbols, 0xd6, 549),
    ('∑', Font::Symbols, 0xe5, 713),
    ('∈', Font::Symbols, 0xce, 713),
    ('Δ', Font::Symbols, 0x44, 612),
    ('Σ', Font::Symbols, 0x53, 592),
    ('Ω', Font::Symbols, 0x57, 768),
    ('α', Font::Symbols, 0x61, 631),
    ('β', Font::Symbols, 0x62, 549),
    ('γ', Font::Symbols, 0x67, 411),
    ('δ', Font::Symbols, 0x64, 494),
    ('ε', Font::Symbols, 0x65, 439),
    ('λ', Font::Symbols, 0x6c, 549),
    ('μ', Font::Symbols, 0x6d, 576),
    ('π', Font::Symbols, 0x70, 549),
    ('σ', Font::Symbols, 0x73, 603),
    ('✓', Font::Dingbats, 0x33, 755),
    ('✔', Font::Dingbats, 0x34, 846),
    ('✗', Font::Dingbats, 0x37, 760),
    ('✘', Font::Dingbats, 0x38, 760),
    ('★', Font::Dingbats, 0x48, 816),
    ('●', Font::Dingbats, 0x6c, 791),
    ('■', Font::Dingbats, 0x6e, 761),
];

/// A letter in `font`, or in the one that has it; `None`: no font here has it.
pub(super) fn glyph(letter: char, font: Font) -> Option<Glyph> {
    // Spaces and hyphens that only differ in where a line may break.
    let letter = match letter {
        '\u{2007}' | '\u{2009}' | '\u{200a}' | '\u{202f}' => ' ',
        '\u{2010}' | '\u{2011}' => '-',
        other => other,
    };
    if letter < ' ' {
        return None;
    }
    let mut bytes = [0; 4];
    let (encoded, _, unknown) = WINDOWS_1252.encode(letter.encode_utf8(&mut bytes));
    if let ([code], false) = (&*encoded, unknown) {
        return Some(Glyph { font, code: *code, width: width(letter, font) });
    }
    let (_, font, code, width) = SIGNS.into_iter().find(|(sign, ..)| *sign == letter)?;
    Some(Glyph { font, code, width })
}

/// The widths of the letters from the space to `~`.
const REGULAR: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
];
const BOLD: [u16; 95] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611,
    556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389,
    280, 389, 584,
];

/// Letters that are as wide as the first of their row.
const AS_WIDE: [&str; 22] = [
    "AÀÁÂÃÄÅ",
    "CÇ",
    "DÐ",
    "EÈÉÊË",
    "IÌÍÎÏ",
    "NÑ",
    "OÒÓÔÕÖØ",
    "SŠ",
    "UÙÚÛÜ",
    "YÝŸ",
    "ZŽ",
    "aàáâãäå",
    "cç",
    "eèéêë",
    "iìíîï",
    "nñ",
    "oòóôõöø",
    "sš",
    "uùúûü",
    "yýÿ",
    "zž",
    "!¡",
];

fn width(letter: char, font: Font) -> u16 {
    let widths = match font {
        Font::Mono => return 600,
        Font::Bold | Font::BoldItalic => &BOLD,
        _ => &REGULAR,
    };
    let plain = AS_WIDE.iter().find(|row| row.contains(letter)).and_then(|row| row.chars().next()).unwrap_or(letter);
    if let Some(width) = u32::from(plain).checked_sub(32).and_then(|at| widths.get(at as usize)) {
        return *width;
    }
    match letter {
        '…' | '—' | '™' | '‰' | 'Æ' | 'Œ' => 1000,
        'œ' => 944,
        'æ' => 889,
        '¼' | '½' | '¾' => 834,
        '©' | '®' => 737,
        '±' | '×' | '÷' | '¬' => 584,
        '°' => 400,
        '·' | '\u{a0}' => 278,
        '•' => 350,
        '‘' | '’' | '‚' => widths[7],
        '“' | '”' | '„' => widths[2],
        '¨' | '¯' | '²' | '³' | '´' | '¸' | '¹' | 'ˆ' | '˜' | '‹' | '›' => 333,
        _ => 556,
    }
}
