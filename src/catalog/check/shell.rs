//! Values in the text of a shell command: they may be put in where the shell reads words, and nowhere else.
//!
//! A template may say one text or another (`{% if %}`, `{% for %}`), so what is followed is every state in which the shell
//! may be at a place ([`crate::core::shell`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::decode::Draft;
use crate::core::diagnostic::Report;
use crate::core::names::ChainPart as Name;
use crate::core::names::in_text;
use crate::core::pieces::{Part, parts};
use crate::core::shell::{Misplaced, Quotes, Shell, file_word};
use crate::core::step::Command;
use crate::core::template::Template;

/// So many states of the shell are followed at one place.
const MOST: usize = 200;
/// So often a loop is followed.
const ROUNDS: usize = 8;

/// Notes every value that is put where it would be read as shell text.
pub(super) fn check(draft: &Draft, report: &Report) {
    for argv in &draft.notes.shells {
        let mut walk = Walk { states: BTreeSet::from([Shell::default()]), ..Walk::default() };
        for (at, text) in argv.iter().enumerate() {
            walk.at = at;
            match Command::file(&text.value) {
                Some(name) => walk.file(&text.value, name),
                None => walk.element(&text.value),
            }
            walk.text(" ");
        }
        walk.each(Shell::end);
        walk.caught();
        if let Some((element, source)) = walk.misplaced_file
            && let Some(text) = argv.get(element)
        {
            let message = format!(
                "`{source}` is inside quotes, a here document or a comment of a shell command: leave them out, as its path is one word whatever it contains"
            );
            report.error(&text.span, message);
        }
        for ((element, offset), (value, why)) in walk.found {
            if let Some(text) = argv.get(element) {
                report.error_at(&text.span.source, text.offset_in_file(offset), said(why, &value));
            }
        }
    }
}

/// A command being followed.
#[derive(Default)]
struct Walk {
    states: BTreeSet<Shell>,
    /// The states at which a loop was left, and at which its body was begun again.
    left: BTreeSet<Shell>,
    again: BTreeSet<Shell>,
    /// The element of `argv` that is followed.
    at: usize,
    /// The values, by the order in which they were first met: where they begin, and their sources.
    values: Vec<((usize, usize), String)>,
    /// The values that may not be where they are, by the element and where they begin.
    found: BTreeMap<(usize, usize), (String, Misplaced)>,
    /// The first file of the definition's folder that is where the shell reads no words, by its element.
    misplaced_file: Option<(usize, String)>,
}

impl Walk {
    /// An element of `argv`.
    fn element(&mut self, source: &str) {
        match Template::parse(source) {
            Ok(Template::Plain(text)) => self.text(&text),
            Ok(Template::Single(_)) => {
                let begins = source.find("{{").unwrap_or_default();
                self.value(source.trim(), begins);
            }
            Ok(Template::Mixed(_)) => match parts(source) {
                Ok(parts) => self.parts(&parts),
                Err(_) => self.lose("statements of the template"),
            },
            // It is a mistake of its own.
            Err(_) => self.lose("a template that does not parse"),
        }
    }

    /// A file of the definition's folder.
    fn file(&mut self, source: &str, name: &str) {
        if !self.states.iter().all(Shell::reads_words) {
            self.misplaced_file = self.misplaced_file.take().or(Some((self.at, source.to_owned())));
        }
        self.text(&file_word(name));
    }

    fn parts(&mut self, parts: &[Part<'_>]) {
        for part in parts {
            match part {
                Part::Text(text) => self.text(text),
                Part::Value(source, offset) => self.value(source, *offset),
                Part::Choice(ways) => {
                    let before = std::mem::take(&mut self.states);
                    let mut after = BTreeSet::new();
                    for way in ways {
                        self.states.clone_from(&before);
                        self.parts(way);
                        after.append(&mut self.states);
                    }
                    self.states = after;
                }
                Part::Loop(body, otherwise) => self.repeat(body, otherwise),
                Part::Break => self.left.append(&mut self.states),
                Part::Continue => self.again.append(&mut self.states),
            }
            if self.states.len() > MOST {
                self.lose("too many ways through the template");
            }
        }
    }

    fn repeat(&mut self, body: &[Part<'_>], otherwise: &[Part<'_>]) {
        let (left, again) = (std::mem::take(&mut self.left), std::mem::take(&mut self.again));
        let before = self.states.clone();
        self.parts(otherwise);
        let mut after = std::mem::replace(&mut self.states, before.clone());
        let mut known = before;
        for round in 0.. {
            self.parts(body);
            self.states.append(&mut self.again);
            self.states.retain(|state| known.insert(state.clone()));
            if self.states.is_empty() {
                break;
            }
            if round == ROUNDS {
                self.lose("a loop of the template that does not close what it opens");
                known.append(&mut self.states);
                break;
            }
        }
        after.append(&mut known);
        after.append(&mut self.left);
        self.states = after;
        (self.left, self.again) = (left, again);
    }

    fn text(&mut self, text: &str) {
        self.each(|state| state.text(text));
        self.caught();
    }

    fn lose(&mut self, why: &'static str) {
        self.each(|state| state.lose(why));
    }

    fn value(&mut self, source: &str, offset: usize) {
        let place = (self.at, offset);
        let known = self.values.iter().position(|(at, _)| *at == place);
        let id = known.unwrap_or_else(|| {
            self.values.push((place, source.to_owned()));
            self.values.len() - 1
        });
        let mut wrong = None;
        self.each(|state| {
            let why = match state.value(id) {
                Ok(Quotes::None) => None,
                Ok(Quotes::Double) => Some(Misplaced::DoubleQuotes),
                Ok(Quotes::Single) => Some(Misplaced::SingleQuotes),
                Err(why) => Some(why),
            };
            wrong = wrong.max(why);
        });
        if let Some(why) = wrong {
            self.found.entry(place).or_insert_with(|| (source.to_owned(), why));
        }
    }

    /// Notes the values of which it turned out later what becomes of them.
    fn caught(&mut self) {
        let mut caught = Vec::new();
        self.each(|state| caught.extend(state.caught()));
        for (id, why) in caught {
            if let Some((place, source)) = self.values.get(id) {
                self.found.entry(*place).or_insert_with(|| (source.clone(), why));
            }
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut Shell)) {
        let states = std::mem::take(&mut self.states);
        self.states = states
            .into_iter()
            .map(|mut state| {
                change(&mut state);
                state
            })
            .collect();
    }
}

/// What is wrong, and what to write instead.
fn said(why: Misplaced, value: &str) -> String {
    let name = variable(value);
    let variable = format!("hand it over with `env = {{ {name} = \"{value}\" }}` and write `\"${name}\"`");
    let bare = format!("leave the quotes out, as `{value}` is one word whatever it contains, or {variable}");
    let stdin = "hand it over on the command's `stdin`, and let a program read it there".to_owned();
    let instead = match why {
        Misplaced::DoubleQuotes | Misplaced::SingleQuotes => bare,
        Misplaced::Backticks => format!("write `$(…)` in their place, or {variable}"),
        Misplaced::HereDocument => format!("{variable}, without quoting its end"),
        Misplaced::Comment => "leave the comment out".to_owned(),
        Misplaced::Backslash => "leave the backslash out".to_owned(),
        Misplaced::Dollar | Misplaced::Braces | Misplaced::Arithmetic | Misplaced::Evaluated => variable,
        Misplaced::Script => format!("hand it over as a parameter, `sh -c 'echo \"$1\"' sh {value}`, or {variable}"),
        Misplaced::Code => "hand it over as an argument after the code, and let the code read it there".to_owned(),
        Misplaced::Elsewhere | Misplaced::Piped | Misplaced::Later => stdin,
        Misplaced::Unnamed => "write the command's name".to_owned(),
        Misplaced::Unclear(what) => {
            return format!(
                "whether `{value}` is read as code cannot be determined after {what} in a shell command; {variable}"
            );
        }
    };
    format!("`{value}` is {}, where its contents would run: {instead}", why.place())
}

/// A name for the variable that hands a value over: the last word that names it.
fn variable(value: &str) -> String {
    let chains = in_text(value);
    let mut words = chains.first().into_iter().flat_map(|chain| {
        let parts = chain.parts.iter().filter_map(|part| match part {
            Name::Name(name) => Some(name.as_str()),
            Name::Item => None,
        });
        std::iter::once(chain.root.as_str()).chain(parts)
    });
    let word = words.rfind(|word| !matches!(*word, "output" | "outputs" | "steps" | "inputs" | "state"));
    let name: String = word
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_uppercase()) { name } else { "VALUE".to_owned() }
}
