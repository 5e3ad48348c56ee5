//! What the pieces of a line of code are: comments, literals, numbers, words of the language. Enough to see the shape of
//! a snippet, for the languages that models write most. Real grammars cost more memory than all the rest of the program
//! (measured: `docs/performance.md`).
//!
//! Promises: the pieces of a line are the line; linear in its length; a language that is not known gives nothing.

/// What a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// Names, signs, blanks.
    Plain,
    /// A comment.
    Comment,
    /// A literal text.
    Text,
    /// A number.
    Number,
    /// A word of the language, a key of JSON, a place in a diff.
    Word,
    /// A line that was added.
    Added,
    /// A line that was removed.
    Removed,
}

/// What is known of a language.
#[derive(Debug)]
struct Language {
    /// As a fence calls it.
    names: &'static [&'static str],
    /// Begins a comment that ends with the line.
    comment: &'static [&'static str],
    /// Begins and ends a longer one.
    block: Option<(&'static str, &'static str)>,
    quotes: &'static str,
    /// Begins and ends a literal of several lines.
    long: &'static [&'static str],
    /// Space between the words of the language.
    words: &'static str,
}

const C_LIKE: Language =
    Language { names: &[], comment: &["//"], block: Some(("/*", "*/")), quotes: "\"'", long: &[], words: "" };

static LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "rs"],
        // A quote alone begins a lifetime.
        quotes: "\"",
        words: "as async await break const continue crate dyn else enum extern false fn for if impl in let loop \
                match mod move mut pub ref return self Self static struct super trait true type unsafe use where \
                while",
        ..C_LIKE
    },
    Language {
        names: &["js", "javascript", "jsx", "ts", "typescript", "tsx", "mjs"],
        long: &["`"],
        words: "as async await break case catch class const continue default delete do else enum export extends \
                false finally for from function if import in instanceof interface let new null of return static \
                super switch this throw true try type typeof undefined var void while yield",
        ..C_LIKE
    },
    Language {
        names: &[
            "c", "h", "cpp", "c++", "cc", "hpp", "java", "kotlin", "kt", "swift", "cs", "csharp", "go", "php", "scala",
        ],
        words: "abstract auto bool boolean break byte case catch chan char class const continue data default defer \
                delete do double else enum explicit extends false final finally float for func fun go goto if \
                implements import int interface internal let long map namespace new nil null nullptr object override \
                package private protected public range return select short signed sizeof static string struct super \
                switch template this throw throws true try type typedef typename union unsigned using val var \
                virtual void volatile when while",
        ..C_LIKE
    },
    Language {
        names: &["python", "py", "python3"],
        comment: &["#"],
        block: None,
        long: &["\"\"\"", "'''"],
        words: "and as assert async await break case class continue def del elif else except False finally for from \
                global if import in is lambda match None nonlocal not or pass raise return self True try while with \
                yield",
        ..C_LIKE
    },
    Language {
        names: &["sh", "bash", "zsh", "shell", "console", "fish"],
        comment: &["#"],
        block: None,
        words: "case do done elif else esac exit export fi for function if in local return set then while",
        ..C_LIKE
    },
    Language {
        names: &["ruby", "rb"],
        comment: &["#"],
        block: None,
        words: "and begin break case class def do else elsif end ensure false for if in module next nil not or \
                require rescue return self super then true unless until when while yield",
        ..C_LIKE
    },
    Language {
        names: &["toml", "ini", "yaml", "yml", "conf"],
        comment: &["#"],
        block: None,
        long: &["\"\"\"", "'''"],
        words: "false null true",
        ..C_LIKE
    },
    Language { names: &["json", "jsonc", "json5", "ndjson"], quotes: "\"", words: "false null true", ..C_LIKE },
    Language {
        names: &["sql"],
        comment: &["--"],
        words: "all alter and as asc begin between by case create cross delete desc distinct drop else end exists \
                foreign from full group having in index inner insert into is join key left like limit not null \
                offset on or order outer primary references right select set table then union unique update values \
                view when where with",
        ..C_LIKE
    },
    Language {
        names: &["lua"],
        comment: &["--"],
        block: None,
        words: "and break do else elseif end false for function if in local nil not or repeat return then true until \
                while",
        ..C_LIKE
    },
];

/// A text of code, line after line.
#[derive(Debug)]
pub struct Code {
    language: Option<&'static Language>,
    /// What ends the comment or literal that the line before left open.
    open: Option<(Token, &'static str)>,
    /// The lines of a diff are set in by so many spaces; none is a diff any more once one is not.
    inset: usize,
}

impl Code {
    /// Code in a language as a fence names it; `None` when it is not known.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let name = name.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
        let language = LANGUAGES.iter().find(|language| language.names.contains(&name.as_str()));
        (language.is_some() || matches!(name.as_str(), "diff" | "patch")).then_some(Self {
            language,
            open: None,
            inset: 0,
        })
    }

    /// A text in no language, in which the lines from here on may be a diff that is set in, as what an approval shows: the
    /// code for them, if this line and the two after it begin one.
    #[must_use]
    pub fn of_inset_diff(lines: &[&str]) -> Option<Self> {
        let [old, new, hunk, ..] = lines else { return None };
        let inset = old.len() - old.trim_start_matches(' ').len();
        let begins = |line: &str, sign| line.get(inset..).is_some_and(|rest| rest.starts_with(sign));
        let diff = begins(old, "--- ") && begins(new, "+++ ") && begins(hunk, "@@ ");
        diff.then_some(Self { language: None, open: None, inset })
    }

    /// Whether a line is a part of the diff that is set in.
    #[must_use]
    pub fn has(&self, line: &str) -> bool {
        line.bytes().take(self.inset).all(|byte| byte == b' ')
    }

    /// The pieces of the next line.
    pub fn line<'a>(&mut self, line: &'a str) -> Vec<(Token, &'a str)> {
        let Some(language) = self.language else {
            return vec![(of_diff(line.get(self.inset..).unwrap_or_default()), line)];
        };
        let mut pieces = Vec::new();
        let mut rest = line;
        let mut plain = 0;
        while plain < rest.len() {
            let (token, length) = match self.open {
                Some((token, end)) => {
                    let at = rest.find(end);
                    if at.is_some() {
                        self.open = None;
                    }
                    (token, at.map_or(rest.len(), |at| at + end.len()))
                }
                None => self.next(language, rest, plain),
            };
            if token == Token::Plain {
                plain += length;
                continue;
            }
            if plain > 0 {
                pieces.push((Token::Plain, &rest[..plain]));
                rest = &rest[plain..];
                plain = 0;
            }
            pieces.push((token, &rest[..length]));
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            pieces.push((Token::Plain, rest));
        }
        pieces
    }

    /// What stands at `at`, and how long it is.
    fn next(&mut self, language: &'static Language, line: &str, at: usize) -> (Token, usize) {
        let rest = &line[at..];
        let first = rest.chars().next().unwrap_or(' ');
        if language.comment.iter().any(|comment| rest.starts_with(comment)) {
            // `a#b` of a shell and `#` within an address are no comments.
            let apart = first != '#' || line[..at].chars().next_back().is_none_or(char::is_whitespace);
            if apart {
                return (Token::Comment, rest.len());
            }
        }
        let long = language.long.iter().find(|long| rest.starts_with(**long)).map(|long| (Token::Text, *long, *long));
        let block = language.block.filter(|(begin, _)| rest.starts_with(begin));
        if let Some((token, begin, end)) = long.or(block.map(|(begin, end)| (Token::Comment, begin, end))) {
            let inner = &rest[begin.len()..];
            let Some(found) = inner.find(end) else {
                self.open = Some((token, end));
                return (token, rest.len());
            };
            return (token, begin.len() + found + end.len());
        }
        if language.quotes.contains(first) {
            let length = quoted(rest, first);
            // The keys of JSON are what is looked for in it.
            let key = language.names.contains(&"json") && rest[length..].trim_start().starts_with(':');
            return (if key { Token::Word } else { Token::Text }, length);
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if !word(first) {
            return (Token::Plain, first.len_utf8());
        }
        let length = rest.find(|c: char| !(word(c) || first.is_ascii_digit() && c == '.')).unwrap_or(rest.len());
        let name = &rest[..length];
        let is_word = || {
            language
                .words
                .split_ascii_whitespace()
                .any(|known| known == name || language.names.contains(&"sql") && known.eq_ignore_ascii_case(name))
        };
        let token = if first.is_ascii_digit() {
            Token::Number
        } else if is_word() {
            Token::Word
        } else {
            Token::Plain
        };
        (token, length)
    }
}

/// How long a literal is that begins with `quote`; to the end of the line when it is not closed.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn of_diff(line: &str) -> Token {
    match line.as_bytes().first() {
        _ if line.starts_with("+++") || line.starts_with("---") => Token::Comment,
        Some(b'+') => Token::Added,
        Some(b'-') => Token::Removed,
        Some(b'@') => Token::Word,
        Some(b' ') | None => Token::Plain,
        Some(_) => Token::Comment,
    }
}

#[cfg(test)]
mod tests {
    use super::Token::{Added, Comment, Number, Plain, Removed, Text, Word};
    use super::*;

    fn tokens(name: &str, text: &str) -> Vec<(Token, String)> {
        let mut code = Code::of(name).unwrap();
        let lines = text.lines().flat_map(|line| {
            let pieces = code.line(line);
            assert_eq!(pieces.iter().map(|(_, piece)| *piece).collect::<String>(), line);
            pieces.into_iter().map(|(token, piece)| (token, piece.trim().to_owned())).collect::<Vec<_>>()
        });
        lines.filter(|(token, piece)| *token != Plain && !piece.is_empty()).collect()
    }

    fn owned(pieces: &[(Token, &str)]) -> Vec<(Token, String)> {
        pieces.iter().map(|(token, piece)| (*token, (*piece).to_owned())).collect()
    }

    #[test]
    fn comments_literals_numbers_and_words_are_told_apart() {
        let shown = tokens("rust", "let a: &'a str = \"x // y\\\"\"; // z\nlet b = 1.5;");
        assert_eq!(
            shown,
            owned(&[(Word, "let"), (Text, "\"x // y\\\"\""), (Comment, "// z"), (Word, "let"), (Number, "1.5")])
        );
        let shown = tokens("sh", "echo a#b # c");
        assert_eq!(shown, owned(&[(Comment, "# c")]));
    }

    #[test]
    fn what_is_left_open_goes_on_in_the_next_line() {
        let shown = tokens("python", "x = \"\"\"one\ntwo\"\"\" # three\nreturn");
        assert_eq!(shown, owned(&[(Text, "\"\"\"one"), (Text, "two\"\"\""), (Comment, "# three"), (Word, "return")]));
        let shown = tokens("c", "/* a\n   b */ int x");
        assert_eq!(shown, owned(&[(Comment, "/* a"), (Comment, "b */"), (Word, "int")]));
    }

    #[test]
    fn json_shows_its_keys_and_a_diff_its_lines() {
        let shown = tokens("json", "{\"a\": [\"b\", 1, true]}");
        assert_eq!(shown, owned(&[(Word, "\"a\""), (Text, "\"b\""), (Number, "1"), (Word, "true")]));
        let shown = tokens("diff", "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same");
        let kinds: Vec<Token> = shown.iter().map(|(token, _)| *token).collect();
        assert_eq!(kinds, [Comment, Comment, Word, Removed, Added]);
    }

    #[test]
    fn a_diff_that_is_set_into_a_text_is_known_by_its_first_three_lines() {
        let lines = ["    --- a/x", "    +++ b/x", "    @@ -1,2 +1,2 @@", "     same", "    -old", "    +new"];
        let mut code = Code::of_inset_diff(&lines).unwrap();
        let kinds: Vec<Token> = lines.iter().map(|line| code.line(line)[0].0).collect();
        assert_eq!(kinds, [Comment, Comment, Word, Plain, Removed, Added]);
        assert!(code.has("    +new") && code.has("") && !code.has("in: /here"));
        assert!(Code::of_inset_diff(&["--- a", "  +++ b", "@@ -1 +1 @@"]).is_none());
        assert!(Code::of_inset_diff(&["--- a"]).is_none());
    }

    #[test]
    fn a_language_that_is_not_known_gives_nothing_and_no_line_breaks_it() {
        assert!(Code::of("").is_none() && Code::of("klingon").is_none());
        assert!(Code::of("Rust,ignore").is_some());
        for line in ["\"", "'", "/*", "日本\"語", "\"\\", "\u{1f469}\u{200d}\u{1f680}1"] {
            for name in ["rust", "js", "py", "json", "sql", "diff"] {
                assert_eq!(
                    Code::of(name).unwrap().line(line).iter().map(|(_, piece)| *piece).collect::<String>(),
                    line
                );
            }
        }
    }
}
