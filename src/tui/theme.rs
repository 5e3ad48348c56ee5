//! The palette: one style for each meaning, in a light and a dark variant, in 16 colours, true colour or none.
//!
//! A screen never names a colour. It asks for what a piece of text *means* here, so that a meaning looks the same
//! everywhere and survives `NO_COLOR`, where only attributes (bold, dim, reversed, underlined) are left.

use ratatui::style::{Color, Modifier, Style};

use super::text::code::Token;

/// What the terminal's background is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Attributes only.
    None,
    /// The terminal's own 16 colours.
    #[default]
    Sixteen,
    /// 24 bits.
    True,
}

impl Depth {
    /// What the environment says the terminal can show. `var` gives the value of a variable.
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        if var("NO_COLOR").is_some_and(|value| !value.is_empty()) || var("TERM").is_some_and(|term| term == "dumb") {
            return Self::None;
        }
        match var("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::True,
            _ => Self::Sixteen,
        }
    }
}

impl Ground {
    /// What `COLORFGBG` says (`15;0` is light on dark); dark when it says nothing.
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let ground = var("COLORFGBG").and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok());
        match ground {
            Some(7 | 9..=15) => Self::Light,
            _ => Self::Dark,
        }
    }
}

/// The styles of every meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Plain text.
    pub text: Style,
    /// What matters less: times, counts, hints.
    pub muted: Style,
    /// What can be pressed or followed: keys in the footer, links.
    pub accent: Style,
    /// A title.
    pub title: Style,
    /// A heading in Markdown.
    pub heading: Style,
    /// The row that the next key is about.
    pub selection: Style,
    /// The selected row of a pane that has not the focus.
    pub selection_dim: Style,
    /// Lines around panes.
    pub border: Style,
    /// Lines around the pane with the focus.
    pub border_focus: Style,
    /// Accepted, saved, passed.
    pub accepted: Style,
    /// Waits for the person.
    pub waiting: Style,
    /// Under way.
    pub running: Style,
    /// Failed, wrong.
    pub failed: Style,
    /// Stale, paused, in doubt: not wrong, but not settled.
    pub unsettled: Style,
    /// Code in Markdown, exact bytes.
    pub code: Style,
    /// The words of a language, in code.
    pub word: Style,
    /// Literals in code.
    pub literal: Style,
    /// Numbers in code.
    pub number: Style,
    /// Quoted text.
    pub quote: Style,
    /// Words that a comparison found only in the later text.
    pub added: Style,
    /// Words that a comparison found only in the earlier text.
    pub removed: Style,
    /// A line of a diff in code that was removed.
    pub gone: Style,
    /// Where a search matched.
    pub hit: Style,
    /// Colours are missing, so what only colour would tell is written out.
    pub signs: bool,
}

impl Theme {
    /// The palette for a ground and a depth.
    #[must_use]
    pub fn new(ground: Ground, depth: Depth) -> Self {
        match depth {
            Depth::None => Self::plain(),
            Depth::Sixteen => Self::coloured(&Hues::sixteen(ground)),
            Depth::True => Self::coloured(&Hues::full(ground)),
        }
    }

    /// The palette of what is beside the matter: all of it in the style of what matters less.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { text: self.muted, code: self.muted, ..*self }
    }

    /// The style of a piece of code.
    #[must_use]
    pub fn token(&self, token: Token) -> Style {
        match token {
            Token::Plain => self.text,
            Token::Comment => self.muted,
            Token::Text => self.literal,
            Token::Number => self.number,
            Token::Word => self.word,
            Token::Added => self.accepted,
            Token::Removed => self.gone,
        }
    }

    fn plain() -> Self {
        let none = Style::new();
        let bold = none.add_modifier(Modifier::BOLD);
        let dim = none.add_modifier(Modifier::DIM);
        Self {
            text: none,
            muted: dim,
            accent: bold,
            title: bold,
            heading: bold,
            selection: none.add_modifier(Modifier::REVERSED),
            selection_dim: none.add_modifier(Modifier::UNDERLINED),
            border: dim,
            border_focus: none,
            accepted: none,
            waiting: bold,
            running: none,
            failed: bold.add_modifier(Modifier::UNDERLINED),
            unsettled: none.add_modifier(Modifier::ITALIC),
            code: none,
            word: none,
            literal: none,
            number: none,
            quote: dim,
            added: bold.add_modifier(Modifier::UNDERLINED),
            removed: dim.add_modifier(Modifier::CROSSED_OUT),
            gone: none,
            hit: bold.add_modifier(Modifier::UNDERLINED),
            signs: true,
        }
    }

    fn coloured(hues: &Hues) -> Self {
        let of = |colour: Color| Style::new().fg(colour);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        Self {
            text: Style::new(),
            muted: of(hues.grey),
            accent: of(hues.blue),
            title: bold,
            heading: of(hues.blue).add_modifier(Modifier::BOLD),
            selection: hues.selection.add_modifier(Modifier::BOLD),
            selection_dim: hues.selection_dim,
            border: of(hues.line),
            border_focus: of(hues.blue),
            accepted: of(hues.green),
            waiting: of(hues.yellow).add_modifier(Modifier::BOLD),
            running: of(hues.blue),
            failed: of(hues.red).add_modifier(Modifier::BOLD),
            unsettled: of(hues.magenta),
            code: of(hues.cyan),
            word: of(hues.magenta),
            literal: of(hues.green),
            number: of(hues.cyan),
            quote: of(hues.grey).add_modifier(Modifier::ITALIC),
            added: of(hues.green).add_modifier(Modifier::UNDERLINED),
            removed: of(hues.red).add_modifier(Modifier::CROSSED_OUT),
            gone: of(hues.red),
            hit: of(hues.yellow).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            signs: false,
        }
    }
}

/// The colours that a coloured palette is made of.
struct Hues {
    grey: Color,
    line: Color,
    blue: Color,
    green: Color,
    yellow: Color,
    red: Color,
    magenta: Color,
    cyan: Color,
    selection: Style,
    selection_dim: Style,
}

impl Hues {
    /// The terminal's own colours: whatever the person chose for them fits the ground.
    fn sixteen(ground: Ground) -> Self {
        // The colours of what is in the row would each get a ground of their own.
        let reversed = Style::new().fg(Color::Reset).add_modifier(Modifier::REVERSED);
        let (yellow, selection) = match ground {
            Ground::Dark => (Color::Yellow, reversed),
            // Yellow on white cannot be read in most palettes.
            Ground::Light => (Color::Magenta, reversed),
        };
        Self {
            grey: Color::DarkGray,
            line: Color::DarkGray,
            blue: Color::Blue,
            green: Color::Green,
            yellow,
            red: Color::Red,
            magenta: Color::Magenta,
            cyan: Color::Cyan,
            selection,
            selection_dim: Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    fn full(ground: Ground) -> Self {
        let rgb = |hex: u32| Color::from_u32(hex);
        match ground {
            Ground::Dark => Self {
                grey: rgb(0x8a_91_99),
                line: rgb(0x4a_50_58),
                blue: rgb(0x7a_b0_f0),
                green: rgb(0x8c_c8_80),
                yellow: rgb(0xe8_c0_60),
                red: rgb(0xf0_7c_78),
                magenta: rgb(0xc8_a0_e8),
                cyan: rgb(0x80_c8_c8),
                selection: Style::new().bg(rgb(0x2e_3a_4a)),
                selection_dim: Style::new().bg(rgb(0x26_2c_34)),
            },
            Ground::Light => Self {
                grey: rgb(0x6a_70_78),
                line: rgb(0xb8_bc_c4),
                blue: rgb(0x1c_5c_b0),
                green: rgb(0x2a_78_2c),
                yellow: rgb(0x98_60_00),
                red: rgb(0xb8_28_28),
                magenta: rgb(0x80_3c_a0),
                cyan: rgb(0x10_70_78),
                selection: Style::new().bg(rgb(0xd8_e4_f4)),
                selection_dim: Style::new().bg(rgb(0xe8_ec_f2)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn no_color_wins_over_a_terminal_that_could() {
        assert_eq!(Depth::detect(env(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")])), Depth::None);
        assert_eq!(Depth::detect(env(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")])), Depth::True);
        assert_eq!(Depth::detect(env(&[("TERM", "dumb")])), Depth::None);
        assert_eq!(Depth::detect(env(&[("TERM", "xterm-256color")])), Depth::Sixteen);
    }

    #[test]
    fn the_ground_is_read_where_the_terminal_says_it() {
        assert_eq!(Ground::detect(env(&[("COLORFGBG", "0;15")])), Ground::Light);
        assert_eq!(Ground::detect(env(&[("COLORFGBG", "15;default;0")])), Ground::Dark);
        assert_eq!(Ground::detect(env(&[])), Ground::Dark);
    }

    #[test]
    fn without_colour_no_style_names_one() {
        let shown = format!("{:?}", Theme::new(Ground::Light, Depth::None));
        assert!(!shown.contains("fg") && !shown.contains("bg"), "{shown}");
    }
}
