//! The modules of a script: its pinned sources, and nothing else; and places in them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module, Result};

/// The pinned sources of a script, by their path in its folder.
#[derive(Clone, Default)]
pub struct Sources {
    files: Arc<BTreeMap<String, String>>,
    /// Where an import failed, and why.
    refused: Arc<Mutex<Option<(String, String)>>>,
}

impl Sources {
    /// These files.
    #[must_use]
    pub fn new(files: &BTreeMap<String, String>) -> Self {
        Self { files: Arc::new(files.clone()), refused: Arc::default() }
    }

    /// The text of a file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&String> {
        self.files.get(name)
    }

    /// Where an import was refused, and why.
    #[must_use]
    pub fn refusal(&self) -> Option<(String, String)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same in one line.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.refusal().map(|(place, why)| self.say(&place, &why))
    }

    /// The first place of a stack that lies in one of the files, as `main.js:3:20`.
    #[must_use]
    pub fn place(&self, stack: &str) -> Option<String> {
        stack.lines().find_map(|frame| {
            let inner = frame.rsplit('(').next().unwrap_or(frame).trim_end_matches(')');
            let place = inner.trim().trim_start_matches("at ").trim();
            let mut parts = place.rsplitn(3, ':');
            let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
            let known = column.parse::<u32>().is_ok() && line.parse::<u32>().is_ok() && self.files.contains_key(file);
            known.then(|| place.to_owned())
        })
    }

    /// Where `needle` stands first in a file.
    #[must_use]
    pub fn find(&self, file: &str, needle: &str) -> Option<String> {
        let text = self.files.get(file)?;
        Some(Self::place_at(file, &text[..text.find(needle)?]))
    }

    /// Where a value without a place of its own was probably thrown: the first `throw` that makes no Error.
    #[must_use]
    pub fn thrown(&self) -> Option<String> {
        let throws = |text: &str| {
            text.match_indices("throw ")
                .find(|(at, found)| !text[at + found.len()..].starts_with("new "))
                .map(|(at, _)| at)
        };
        let at = |(file, text): (&String, &String)| throws(text).map(|at| Self::place_at(file, &text[..at]));
        self.files.iter().find_map(at).or_else(|| self.main())
    }

    /// Where the script's function begins.
    #[must_use]
    pub fn main(&self) -> Option<String> {
        self.files.keys().find_map(|file| self.find(file, "export default"))
    }

    /// That what the script returned is not JSON.
    #[must_use]
    pub fn returned(&self, why: &str) -> String {
        let at = self.files.keys().find_map(|file| self.find(file, "return ")).or_else(|| self.main());
        self.say(&at.unwrap_or_default(), &format!("{why}; a script returns text, or {{ title, body }}"))
    }

    fn place_at(file: &str, before: &str) -> String {
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        format!("{file}:{line}:{column}")
    }

    /// A message with its place and the line there.
    #[must_use]
    pub fn say(&self, place: &str, message: &str) -> String {
        const LONGEST: usize = 120;
        let mut parts = place.rsplitn(3, ':').skip(1);
        let line = parts.next().and_then(|line| line.parse::<usize>().ok());
        let text = parts.next().and_then(|file| self.files.get(file));
        let shown = line.zip(text).and_then(|(line, text)| text.lines().nth(line.checked_sub(1)?)).map(str::trim);
        match shown.filter(|line| !line.is_empty()) {
            Some(line) if line.chars().count() > LONGEST => {
                let cut: String = line.chars().take(LONGEST).collect();
                format!("{place}: {message}, in the line `{cut}…`")
            }
            Some(line) => format!("{place}: {message}, in the line `{line}`"),
            None => format!("{place}: {message}"),
        }
    }

    fn refuse(&self, base: &str, name: &str, why: &str) -> Error {
        let place = [format!("\"{name}\""), format!("'{name}'"), format!("`{name}`")]
            .iter()
            .find_map(|quoted| self.find(base, quoted))
            .unwrap_or_else(|| format!("{base}:1:1"));
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((place, why.to_owned()));
        Error::new_resolving_message(base, name, why)
    }
}

/// `name` as seen from `base`; `None` when that lies outside of the folder.
fn resolve(base: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl Resolver for Sources {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if !name.starts_with("./") && !name.starts_with("../") {
            let why =
                format!("`{name}` cannot be imported: only modules beside the script can, such as \"./{name}.js\"");
            return Err(self.refuse(base, name, &why));
        }
        match resolve(base, name) {
            Some(path) if self.files.contains_key(&path) => Ok(path),
            Some(path) => Err(self.refuse(base, name, &format!("there is no module `{path}` in the script's folder"))),
            None => Err(self.refuse(base, name, &format!("`{name}` is outside of the script's folder"))),
        }
    }
}

impl Loader for Sources {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        let source = self.files.get(name).cloned().unwrap_or_default();
        Module::declare(ctx.clone(), name, source)
    }
}
