//! A template taken apart, as minijinja takes it apart: the text that it gives, the values that it puts in, and the
//! statements that say which of both, and how often.
//!
//! It is for checks that must know what surrounds a value. It evaluates nothing; what it cannot follow is an error, never a
//! guess.

use super::names::code_end;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'s> {
    /// Text, as it is given.
    Text(&'s str),
    /// A value, with its source and where that begins, in bytes.
    Value(&'s str, usize),
    /// One of several, or none: `if`.
    Choice(Vec<Vec<Part<'s>>>),
    /// Any number of times, and instead of no time the second: `for`.
    Loop(Vec<Part<'s>>, Vec<Part<'s>>),
    /// The rest of the loop's body is left out.
    Break,
    /// The same, and the loop goes on.
    Continue,
}

/// The template cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear;

/// Takes a template apart that is not one expression alone.
///
/// # Errors
/// When its statements do not fit each other, as far as is known here.
pub fn parts(source: &str) -> Result<Vec<Part<'_>>, Unclear> {
    // One line break at the end is not a part of it.
    let source = source.strip_suffix('\n').unwrap_or(source);
    let source = source.strip_suffix('\r').unwrap_or(source);
    let tokens = tokens(source);
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let parts = reader.until(&[])?;
    if reader.at == tokens.len() { Ok(parts) } else { Err(Unclear) }
}

#[derive(Clone, Debug)]
enum Token<'s> {
    Text(&'s str),
    Value(&'s str, usize),
    /// Its code, and where its mark begins.
    Statement(&'s str, usize),
}

/// Cuts a source at its marks, and white space where a mark says so.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut trims = false;
    while at < source.len() {
        let open = ["{{", "{%", "{#"].iter().filter_map(|mark| source[at..].find(mark)).min();
        let open = open.map_or(source.len(), |found| at + found);
        let mut text = &source[at..open];
        if trims {
            text = text.trim_start();
        }
        if source[open..].get(2..).is_some_and(|rest| rest.starts_with('-')) {
            text = text.trim_end();
        }
        if !text.is_empty() {
            tokens.push(Token::Text(text));
        }
        if open == source.len() {
            break;
        }
        let mark = source.as_bytes()[open + 1];
        let begin = open + 2;
        let (close, end) = match mark {
            b'#' => ("#}", source[begin..].find("#}").map_or(source.len(), |found| begin + found)),
            b'%' => ("%}", code_end(source, begin, "%}")),
            _ => ("}}", code_end(source, begin, "}}")),
        };
        let code = &source[begin..end];
        trims = code.ends_with('-');
        at = (end + close.len()).min(source.len());
        let inner = code.strip_prefix(['-', '+']).unwrap_or(code);
        let inner = inner.strip_suffix(['-', '+']).unwrap_or(inner).trim();
        match mark {
            b'#' => {}
            b'%' if inner == "raw" => (at, trims) = raw(source, at, trims, &mut tokens),
            b'%' => tokens.push(Token::Statement(inner, open)),
            _ => tokens.push(Token::Value(&source[open..at], open)),
        }
    }
    tokens
}

/// What stands between `{% raw %}` and its end is text. Gives where it goes on, and whether white space there counts.
fn raw<'s>(source: &'s str, begin: usize, trims: bool, tokens: &mut Vec<Token<'s>>) -> (usize, bool) {
    let mut look = begin;
    while let Some(open) = source[look..].find("{%").map(|found| look + found) {
        let Some(end) = source[open..].find("%}").map(|found| open + found) else { break };
        let code = &source[open + 2..end];
        if code.trim_matches(['-', '+']).trim() == "endraw" {
            let mut text = &source[begin..open];
            if trims {
                text = text.trim_start();
            }
            if code.starts_with('-') {
                text = text.trim_end();
            }
            if !text.is_empty() {
                tokens.push(Token::Text(text));
            }
            return (end + 2, code.ends_with('-'));
        }
        look = open + 2;
    }
    (source.len(), false)
}

struct Reader<'t, 's> {
    tokens: &'t [Token<'s>],
    at: usize,
}

impl<'s> Reader<'_, 's> {
    /// Reads up to one of the statements in `ends`, which is not taken.
    fn until(&mut self, ends: &[&str]) -> Result<Vec<Part<'s>>, Unclear> {
        let mut parts = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Text(text) => parts.push(Part::Text(text)),
                Token::Value(source, offset) => parts.push(Part::Value(source, *offset)),
                Token::Statement(statement, offset) => {
                    let name = first_word(statement);
                    if ends.contains(&name) {
                        return Ok(parts);
                    }
                    self.at += 1;
                    self.statement(name, statement, *offset, &mut parts)?;
                    continue;
                }
            }
            self.at += 1;
        }
        if ends.is_empty() { Ok(parts) } else { Err(Unclear) }
    }

    /// Takes the statement that was read up to.
    fn end(&mut self) -> Result<&'s str, Unclear> {
        let Some(Token::Statement(statement, _)) = self.tokens.get(self.at) else { return Err(Unclear) };
        self.at += 1;
        Ok(first_word(statement))
    }

    fn statement(
        &mut self,
        name: &str,
        statement: &'s str,
        offset: usize,
        parts: &mut Vec<Part<'s>>,
    ) -> Result<(), Unclear> {
        let rest = statement[name.len()..].trim_start();
        match name {
            "if" => {
                let mut ways = Vec::new();
                let mut otherwise = false;
                loop {
                    ways.push(self.until(&["elif", "else", "endif"])?);
                    match self.end()? {
                        "endif" => break,
                        found => otherwise |= found == "else",
                    }
                }
                if !otherwise {
                    ways.push(Vec::new());
                }
                parts.push(Part::Choice(ways));
            }
            "for" => {
                let body = self.until(&["else", "endfor"])?;
                let otherwise = match self.end()? {
                    "else" => {
                        let otherwise = self.until(&["endfor"])?;
                        self.end()?;
                        otherwise
                    }
                    _ => Vec::new(),
                };
                parts.push(Part::Loop(body, otherwise));
            }
            "break" => parts.push(Part::Break),
            "continue" => parts.push(Part::Continue),
            "with" | "autoescape" | "block" => {
                let end = ["endwith", "endautoescape", "endblock"].into_iter().find(|end| end[3..] == *name);
                parts.extend(self.until(&[end.ok_or(Unclear)?])?);
                self.end()?;
            }
            // What they give is one value, whatever is in them.
            "filter" | "call" => {
                self.until(&[if name == "filter" { "endfilter" } else { "endcall" }])?;
                self.end()?;
                parts.push(Part::Value(statement, offset));
            }
            // They give nothing where they are.
            "macro" => {
                self.until(&["endmacro"])?;
                self.end()?;
            }
            "set" => {
                let target = rest.find(['=', '|']).map_or(rest, |at| &rest[at..]);
                if !target.starts_with('=') {
                    self.until(&["endset"])?;
                    self.end()?;
                }
            }
            "do" => {}
            _ => return Err(Unclear),
        }
        Ok(())
    }
}

fn first_word(statement: &str) -> &str {
    statement.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a template may give, with `·` for a value: without its loops' bodies, and with each once.
    fn flat(parts: &[Part<'_>], loops: bool) -> String {
        let ways = |ways: &[Vec<Part<'_>>]| ways.iter().map(|way| flat(way, loops)).collect::<Vec<_>>().join("|");
        let text = |part: &Part<'_>| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Value(..) => "·".to_owned(),
            Part::Choice(choice) => format!("[{}]", ways(choice)),
            Part::Loop(body, otherwise) => {
                if loops {
                    flat(body, loops)
                } else {
                    flat(otherwise, loops)
                }
            }
            Part::Break => "<".to_owned(),
            Part::Continue => ">".to_owned(),
        };
        parts.iter().map(text).collect()
    }

    #[test]
    fn a_template_is_taken_apart_as_it_is_rendered() {
        for (source, with, without) in [
            ("a {{ b }} c", "a · c", "a · c"),
            ("a {{- b -}} c\n", "a·c", "a·c"),
            ("a {#- x -#} b", "ab", "ab"),
            ("{{ '}}' ~ \"{{\" }}!", "·!", "·!"),
            ("{% if a %}x{% elif b %}y{{ c }}{% else %}z{% endif %}", "[x|y·|z]", "[x|y·|z]"),
            ("{% if a -%} x {%- endif %}", "[x|]", "[x|]"),
            ("{% for x in y %}<{{ x }}>{% else %}none{% endfor %}", "<·>", "none"),
            ("{% for x in y %}{% if x %}{% break %}{% endif %}a{% endfor %}", "[<|]a", ""),
            ("{% set a = 1 %}{% set b %}\"{{ a }}{% endset %}{{ b }}", "·", "·"),
            ("{% set c | upper %}x{% endset %}", "", ""),
            ("{% macro m(x) %}'{{ x }}'{% endmacro %}{{ m(1) }}", "·", "·"),
            ("{% filter upper %}'{{ x }}'{% endfilter %}", "·", "·"),
            ("{% with a = 1 %}'{{ a }}'{% endwith %}", "'·'", "'·'"),
            ("{% raw -%} {{ x }} {% y %}{%- endraw %}{{ z }}", "{{ x }} {% y %}·", "{{ x }} {% y %}·"),
        ] {
            let parts = parts(source).unwrap_or_else(|_| panic!("{source}"));
            assert_eq!((flat(&parts, true).as_str(), flat(&parts, false).as_str()), (with, without), "{source}");
        }
        for source in ["{% if a %}x", "x{% endif %}", "{% nothing %}", "{% for a in b %}{% endif %}"] {
            assert_eq!(parts(source), Err(Unclear), "{source}");
        }
    }

    #[test]
    fn a_value_says_where_it_begins() {
        let parts = parts("ä {{ b }}").unwrap();
        assert_eq!(parts[1], Part::Value("{{ b }}", 3));
    }
}
