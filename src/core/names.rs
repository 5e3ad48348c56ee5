//! Where a template or expression names what: the dotted chains in its text, each with its place.
//!
//! minijinja tells which names a template uses, but neither where nor what stands behind a bracket
//! (`steps['a-b'].output`, `steps.x.outputs[0].title`). This reads the text for that, lexically: which chains are
//! names of the outside, and which of a loop of the template, only minijinja knows, so its answer decides.

/// A part of a chain after its first name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainPart {
    /// `.name` or `['name']`.
    Name(String),
    /// `[0]`, `[index]`, `[1:]`: an item, whichever.
    Item,
}

/// A name and what is reached through it: `steps.divide.output[0].title`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The first name.
    pub root: String,
    /// What follows.
    pub parts: Vec<ChainPart>,
    /// Where each name and part begins, in bytes from the beginning of the source; the root's first.
    pub offsets: Vec<usize>,
    /// What is reached may be missing: `| default(…)` or `is defined` follows.
    pub optional: bool,
    /// It is called: the last name is a function or a method.
    pub call: bool,
    /// How many of the parts are dotted, from the first on: so far minijinja follows.
    dotted: usize,
}

impl Chain {
    /// The chain of a dotted name as minijinja gives it, at the beginning of the source.
    #[must_use]
    pub fn of_dotted(name: &str) -> Self {
        let mut names = name.split('.').map(str::to_owned);
        let root = names.next().unwrap_or_default();
        let parts: Vec<ChainPart> = names.map(ChainPart::Name).collect();
        let (offsets, dotted) = (vec![0; parts.len() + 1], parts.len());
        Self { root, parts, offsets, optional: false, call: false, dotted }
    }

    /// The chain as far as minijinja follows it, as it writes it.
    #[must_use]
    pub fn tracked(&self) -> String {
        let mut name = self.root.clone();
        for part in self.parts.iter().take(self.dotted) {
            if let ChainPart::Name(part) = part {
                name.push('.');
                name.push_str(part);
            }
        }
        name
    }

    /// The chain as far as it is made of constant names, dotted.
    #[must_use]
    pub fn constant(&self) -> String {
        let mut name = self.root.clone();
        for part in &self.parts {
            let ChainPart::Name(part) = part else { break };
            name.push('.');
            name.push_str(part);
        }
        name
    }
}

/// Every chain in an expression.
#[must_use]
pub fn in_expr(source: &str) -> Vec<Chain> {
    let mut chains = Vec::new();
    Scanner { source, at: 0 }.code(source.len(), &mut chains);
    chains
}

/// Every chain in a template's `{{ … }}` and `{% … %}`.
#[must_use]
pub fn in_text(source: &str) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find('{').map(|found| at + found) {
        at = open + 1;
        let close = match source.as_bytes().get(at) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                at = source[at..].find("#}").map_or(source.len(), |end| at + end + 2);
                continue;
            }
            _ => continue,
        };
        at += 1;
        let statement = source[at..].trim_start_matches(['-', '+', ' ', '\t', '\n', '\r']);
        if close == "%}" && statement.starts_with("raw") && !statement[3..].starts_with(|c: char| c.is_alphanumeric()) {
            at = source[at..].find("endraw").map_or(source.len(), |end| at + end);
            continue;
        }
        let end = code_end(source, at, close);
        Scanner { source, at }.code(end, &mut chains);
        at = end;
    }
    chains
}

/// Where the code that begins at `at` is closed, outside of its strings.
pub(super) fn code_end(source: &str, at: usize, close: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (offset, c) in source[at..].char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if source[at + offset..].starts_with(close) => return at + offset,
            _ => {}
        }
    }
    source.len()
}

struct Scanner<'s> {
    source: &'s str,
    at: usize,
}

impl Scanner<'_> {
    /// Reads code up to `end`.
    fn code(&mut self, end: usize, chains: &mut Vec<Chain>) {
        // What stands before a name tells whether it is one of the outside: not after `.` (of a call's result).
        let mut before = ' ';
        while self.at < end {
            let Some(c) = self.peek() else { break };
            if c == '"' || c == '\'' {
                self.string();
                before = c;
            } else if c.is_alphabetic() || c == '_' {
                let start = self.at;
                let word = self.word();
                if before != '.' && before != '|' {
                    self.chain(word, start, end, chains);
                }
                before = 'a';
            } else if c.is_ascii_digit() {
                self.number();
                before = '0';
            } else {
                self.at += c.len_utf8();
                if !c.is_whitespace() {
                    before = c;
                }
            }
        }
    }

    fn chain(&mut self, root: String, start: usize, end: usize, chains: &mut Vec<Chain>) {
        let mut chain =
            Chain { root, parts: Vec::new(), offsets: vec![start], optional: false, call: false, dotted: 0 };
        let mut bracket = false;
        loop {
            let resume = self.at;
            self.spaces();
            match self.peek() {
                Some('.') if self.at < end => {
                    self.at += 1;
                    self.spaces();
                    let place = self.at;
                    match self.peek() {
                        Some(c) if c.is_alphabetic() || c == '_' => {
                            chain.parts.push(ChainPart::Name(self.word()));
                            chain.dotted += usize::from(!bracket);
                        }
                        Some(c) if c.is_ascii_digit() => {
                            self.digits();
                            bracket = true;
                            chain.parts.push(ChainPart::Item);
                        }
                        _ => break,
                    }
                    chain.offsets.push(place);
                }
                Some('[') if self.at < end => {
                    let place = self.at;
                    bracket = true;
                    chain.parts.push(self.bracket(end, chains));
                    chain.offsets.push(place);
                }
                Some('(') if self.at < end => {
                    chain.call = true;
                    break;
                }
                _ => {
                    self.at = resume;
                    break;
                }
            }
        }
        let rest = self.source.get(self.at..end).unwrap_or_default().trim_start();
        let filter = rest.strip_prefix('|').map(str::trim_start).unwrap_or_default();
        let test = rest.strip_prefix("is").filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim_start);
        let test = test.map(|test| test.strip_prefix("not").unwrap_or(test).trim_start()).unwrap_or_default();
        chain.optional = ["default(", "default ", "d("].iter().any(|name| filter.starts_with(name))
            || ["defined", "undefined"].iter().any(|name| test.starts_with(name));
        chains.push(chain);
    }

    /// What stands in a bracket; chains inside count on their own.
    fn bracket(&mut self, end: usize, chains: &mut Vec<Chain>) -> ChainPart {
        let open = self.at;
        self.at += 1;
        self.spaces();
        if matches!(self.peek(), Some('"' | '\'')) {
            let start = self.at + 1;
            self.string();
            let name = self.source.get(start..self.at.saturating_sub(1)).unwrap_or_default().to_owned();
            self.spaces();
            if self.peek() == Some(']') {
                self.at += 1;
                return ChainPart::Name(name);
            }
        }
        let mut depth = 1;
        let mut close = open + 1;
        while depth > 0 && close < end {
            let rest = &self.source[close..];
            let c = rest.chars().next().unwrap_or(']');
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                '"' | '\'' => {
                    let mut inner = Scanner { source: self.source, at: close };
                    inner.string();
                    close = inner.at;
                    continue;
                }
                _ => {}
            }
            close += c.len_utf8();
        }
        let inside = if depth == 0 { close - 1 } else { close };
        Scanner { source: self.source, at: open + 1 }.code(inside, chains);
        self.at = close;
        ChainPart::Item
    }

    fn peek(&self) -> Option<char> {
        self.source.get(self.at..)?.chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            self.at += c.len_utf8();
        }
        self.source[start..self.at].to_owned()
    }

    fn spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn word(&mut self) -> String {
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    fn digits(&mut self) {
        self.take_while(|c| c.is_ascii_digit());
    }

    fn number(&mut self) {
        self.take_while(|c| c.is_alphanumeric() || c == '.' || c == '_');
    }

    fn string(&mut self) {
        let quote = self.peek();
        self.at += 1;
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == '\\' {
                self.at += self.peek().map_or(0, char::len_utf8);
            } else if Some(c) == quote {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(chains: &[Chain]) -> Vec<String> {
        chains
            .iter()
            .map(|chain| {
                let parts = chain.parts.iter().map(|part| match part {
                    ChainPart::Name(name) => format!(".{name}"),
                    ChainPart::Item => "[]".to_owned(),
                });
                let call = if chain.call { "()" } else { "" };
                format!("{}{}{call}{}", chain.root, parts.collect::<String>(), if chain.optional { "?" } else { "" })
            })
            .collect()
    }

    #[test]
    fn chains_are_read_with_their_brackets() {
        for (source, wanted) in [
            ("steps.divide.output", vec!["steps.divide.output"]),
            ("steps['a-b'].output[0].title", vec!["steps.a-b.output[].title"]),
            ("steps.x.outputs[index + 1].t == 'steps.y'", vec!["index", "steps.x.outputs[].t"]),
            ("output | length == inputs.n", vec!["output", "inputs.n"]),
            ("output.title | default('x')", vec!["output.title?"]),
            ("inputs.a is not defined and b", vec!["inputs.a?", "is", "not", "defined", "and", "b"]),
            ("inputs.name.split(',')[0]", vec!["inputs.name.split()"]),
            ("x.0.y + 1.5e3", vec!["x[].y"]),
            ("{'a': item.b, 'c': [d]}", vec!["item.b", "d"]),
        ] {
            assert_eq!(shown(&in_expr(source)), wanted, "{source}");
        }
    }

    #[test]
    fn only_code_counts_in_a_template() {
        let source =
            "steps.a {# steps.b #} {{ '}}' ~ steps.c }} {% raw %}{{ steps.d }}{% endraw %} {%- if item.e %}{% endif %}";
        let chains = in_text(source);
        // The words of statements are no names of the outside, and minijinja does not give them.
        assert_eq!(shown(&chains), ["steps.c", "if", "item.e", "endif"]);
        let steps = chains.iter().find(|chain| chain.root == "steps").unwrap();
        assert_eq!(&source[steps.offsets[0]..][..7], "steps.c");
        assert_eq!(steps.tracked(), "steps.c");
    }

    proptest! {
        #[test]
        fn no_text_stops_the_reading(source in "[ -~ä{}%#'\"\\[\\].|\\\\\n]{0,60}") {
            for chain in in_text(&source).into_iter().chain(in_expr(&source)) {
                prop_assert!(source.is_char_boundary(chain.offsets[0]));
                prop_assert!(chain.offsets.len() > chain.parts.len());
            }
        }
    }
}
