//! The one table of characters that a terminal obeys, or that a reader does not see.

use unicode_width::UnicodeWidthChar as _;

/// What a character is to a reader and to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is seen as what it is.
    Plain,
    /// C0 and DEL, which have pictures.
    Control,
    /// A terminal or a program obeys it, or nothing at all is seen of it, and no script needs it.
    Hidden,
    /// Joins what is around it, or keeps it apart: emoji, Arabic, the scripts of India.
    Joiner,
    /// Picks a form of the character before it.
    Selector,
    /// Spells the name of a region after a flag.
    Tag,
    /// Where a word may be divided.
    SoftHyphen,
    /// The direction of what is around it, in texts that are read from right to left.
    Direction,
    /// A space that is not the usual one.
    Space,
    /// It belongs to the character before it.
    Mark,
    /// It looks like what stands here for a character that is not seen.
    Picture,
}

/// Looks a character up.
pub fn class(c: char) -> Class {
    match u32::from(c) {
        0x00..=0x1f | 0x7f => Class::Control,
        0x20..=0x7e => Class::Plain,
        0xad => Class::SoftHyphen,
        0x200c..=0x200d => Class::Joiner,
        0x61c | 0x200e..=0x200f => Class::Direction,
        0x180b..=0x180d | 0x180f | 0xfe00..=0xfe0f | 0xe0100..=0xe01ef => Class::Selector,
        0xe0020..=0xe007f => Class::Tag,
        0xa0 | 0x1680 | 0x2000..=0x200a | 0x202f | 0x205f | 0x2800 | 0x3000 => Class::Space,
        // ⟨ and ⟩ around a number, ⟦ and ⟧ around a secret, the pictures of controls and of a blank.
        0x2400..=0x2426 | 0x27e6..=0x27e9 => Class::Picture,
        0x80..=0x9f
        | 0x34f
        | 0x115f..=0x1160
        | 0x17b4..=0x17b5
        | 0x180e
        | 0x200b
        | 0x2028..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfdd0..=0xfdef
        | 0xfeff
        | 0xffa0
        | 0xfff0..=0xfffb
        | 0x13430..=0x1343f
        | 0x1bca0..=0x1bca3
        | 0x1d159
        | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff => Class::Hidden,
        // The last two of each plane are no characters.
        code if code & 0xfffe == 0xfffe => Class::Hidden,
        _ if c.width() == Some(0) => Class::Mark,
        _ => Class::Plain,
    }
}

/// Whether it is a letter of a script that is read from right to left.
pub fn is_right_to_left(c: char) -> bool {
    let code = u32::from(c);
    c.is_alphabetic()
        && matches!(code, 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfefc | 0x10800..=0x10fff | 0x1e800..=0x1efff)
}
