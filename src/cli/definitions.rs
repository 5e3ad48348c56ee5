//! Definitions: what can be started, what is wrong with it, whom it is trusted from, and new ones.

use super::out::Put as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{DirArg, NewKind};
use super::line::{forget_typed, read_line};
use super::problem::{Exit, Problem};
use super::{App, out};
use crate::catalog::scaffold::{self, Origin};
use crate::catalog::trust::{Trust, TrustStore};
use crate::catalog::{Catalog, Checked};
use crate::core::code::ErrorCode;
use crate::core::task::Kind;
use crate::core::text::{counted, visible};
use crate::export::wire;

/// `tasks`.
///
/// # Errors
/// When `--dir` is no folder.
pub fn tasks(app: &App, json: bool, dir: &DirArg) -> Result<Exit, Problem> {
    let catalog = app.catalog(dir)?;
    let mut text = String::new();
    if json {
        for entry in &catalog.entries {
            let object = json!({
                "id": entry.id,
                "kind": entry.kind,
                "name": entry.name,
                "description": entry.description,
                "tags": entry.tags,
                "source": entry.source,
                "trusted": entry.is_trusted(),
                "inputs": entry.inputs,
            });
            text.put(format_args!("{object}\n"));
        }
        out::json(&text);
        return Ok(Exit::Done);
    }
    for (kind, heading) in [(Kind::Instruct, "tasks"), (Kind::Workflow, "workflows")] {
        text.put(format_args!("{heading}\n"));
        for entry in catalog.entries.iter().filter(|entry| entry.kind == kind) {
            let state = match (&entry.task, entry.trust) {
                (Err(_), _) => "  (has mistakes: stepwell check)",
                (_, Trust::Trusted) => "",
                (_, Trust::Untrusted) => "  (not trusted yet)",
                (_, Trust::Changed) => "  (changed since it was trusted)",
            };
            let (id, name) = (visible(&entry.id, false), visible(&entry.name, false));
            text.put(format_args!("  {id:<22} {name}{state}\n"));
            if !entry.description.is_empty() {
                text.put(format_args!("  {:<22} {}\n", "", visible(&entry.description, false)));
            }
        }
        text.push('\n');
    }
    text.push_str("start one: stepwell run ID\n");
    out::page(&text);
    Ok(Exit::Done)
}

/// `check`.
///
/// # Errors
/// When there is no definition at a path.
pub fn check(app: &App, paths: &[PathBuf], dir: &DirArg) -> Result<Exit, Problem> {
    let mut looked: Vec<Checked> = Vec::new();
    let mut config = None;
    if paths.is_empty() {
        let catalog = app.catalog(dir)?;
        looked.extend(catalog.entries.iter().map(|entry| catalog.look_at(entry)));
        // The config is a definition of its own: a mistake in it stops every run.
        config = app.settings().err();
    } else {
        let search_paths = app.search_paths(dir);
        let catalog = app.catalog(dir)?;
        for path in paths {
            // What is there as a file is meant as one; else it is an id, as `run` takes it.
            let named = catalog.entries.iter().find(|entry| Path::new(&entry.id) == path);
            if let Some(entry) = named.filter(|_| !path.exists()) {
                looked.push(catalog.look_at(entry));
                continue;
            }
            looked.extend(Catalog::check_path(&search_paths, path)?);
        }
    }
    let mut lines: Vec<String> = looked.iter().flat_map(|checked| &checked.mistakes).map(ToString::to_string).collect();
    lines.extend(config.iter().flat_map(|wrong| wrong.message.lines().map(str::to_owned)));
    let mistakes = lines.len();
    let warnings = looked.iter().flat_map(|checked| &checked.warnings);
    lines.extend(warnings.map(|warning| format!("warning: {warning}")));
    let warnings = match lines.len() - mistakes {
        0 => String::new(),
        some => format!(", {}", counted(some, "warning")),
    };
    if !lines.is_empty() {
        out::page(&lines.join("\n"));
    }
    let looked_at = counted(looked.len(), "definition");
    if mistakes == 0 {
        out::say(&format!("{looked_at}, no mistakes{warnings}"));
        return Ok(Exit::Done);
    }
    let and = if config.is_some() { " and the config" } else { "" };
    out::say(&format!("{} in {looked_at}{and}{warnings}", counted(mistakes, "mistake")));
    Ok(Exit::Invalid)
}

/// `trust`: shows what it is about, asks on a terminal, and keeps it.
///
/// # Errors
/// When there is no definition, or it cannot be kept.
pub fn trust(app: &App, path: &Path, json: bool) -> Result<Exit, Problem> {
    let store = TrustStore::new(&app.paths.state);
    let search_paths = app.search_paths(&DirArg::default());
    let offers = store.offers(path)?;
    for offer in offers {
        let name = offer.path.display();
        if offer.trust == Trust::Trusted {
            out::say(&format!("{name} is trusted already"));
            continue;
        }
        for checked in Catalog::check_path(&search_paths, &offer.path).unwrap_or_default() {
            for mistake in checked.mistakes {
                out::say(&format!("it has a mistake and will not run before that is repaired: {mistake}"));
            }
        }
        let what = if offer.trust == Trust::Changed { "changed since it was trusted:" } else { "can run this:" };
        out::say(&format!("{name} {what}\n{}", offer.difference));
        // Without a terminal the command itself is the person's word.
        if out::can_ask() && !super::wait_for(app, agreed(&name.to_string()))? {
            return Err(Problem::refused(ErrorCode::Denied, format!("{name} is not trusted")));
        }
        store.trust(&offer)?;
        if json {
            out::json(&wire::done("trusted", &json!({ "path": offer.path })));
        } else {
            out::line(&format!("trusted: {name}"));
        }
    }
    Ok(Exit::Done)
}

async fn agreed(name: &str) -> Result<bool, Problem> {
    forget_typed();
    loop {
        match read_line(&format!("Trust {name} as it is? yes/no > ")).await.as_deref().map(str::trim) {
            Some("yes") => return Ok(true),
            Some("") => {}
            _ => return Ok(false),
        }
    }
}

/// `new`.
///
/// # Errors
/// When the id is no id, the file is there already, or it cannot be written.
pub fn begin(app: &App, kind: NewKind, id: &str, from: Option<&str>, dir: &DirArg) -> Result<Exit, Problem> {
    let catalog = app.catalog(&DirArg::default())?;
    let root = dir.dir.as_deref().unwrap_or_else(|| app.paths.own());
    let kind = match kind {
        NewKind::Instruct => Kind::Instruct,
        NewKind::Workflow => Kind::Workflow,
    };
    let from = from.map(Origin::parse);
    let file = scaffold::create(root, kind, id, from.as_ref(), &catalog)?;
    out::page(&file.display().to_string());
    if let Some(earlier) = catalog.entries.iter().find(|entry| entry.id == id) {
        out::say(&format!("it takes the place of {}", earlier.path.display()));
    }
    let dir = dir.dir.as_deref().map(|dir| dir.display().to_string());
    let dir = dir.map(|dir| shlex::try_quote(&dir).map_or_else(|_| dir.clone(), String::from));
    let dir = dir.map(|dir| format!(" --dir {dir}")).unwrap_or_default();
    out::say(&format!(
        "write in it what it does; `stepwell check {id}{dir}` finds mistakes, `stepwell run {id}{dir}` starts it"
    ));
    Ok(Exit::Done)
}
