//! The architecture: which module may know which, what only one module may use, how long a file may be, what may not be
//! written anywhere, and that what is shipped passes its own check.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly, its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use stepwell::catalog::{Catalog, SearchPaths};

const MOST_LINES: usize = 600;

/// What each module may import besides itself. `main.rs` and `lib.rs` wire them together.
const ARROWS: [(&str, &[&str]); 13] = [
    ("process", &[]),
    ("core", &[]),
    ("flow", &["core", "process"]),
    ("steps", &["core", "flow", "process"]),
    ("models", &["core", "flow"]),
    ("tools", &["core", "process"]),
    ("store", &["core", "flow"]),
    ("catalog", &["core", "flow"]),
    ("export", &["core", "flow"]),
    ("config", &["core", "process"]),
    ("engine", &["core", "flow"]),
    ("app", &["engine", "core", "catalog", "export", "config"]),
    ("tui", &["app", "engine", "core", "catalog", "export", "config"]),
];

/// What `cli` may import; it also opens the interface.
const CLI: &[&str] = &["app", "engine", "core", "catalog", "export", "config", "tui"];

/// Libraries that only some modules may know.
const LIBRARIES: [(&str, &[&str]); 6] = [
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("tui_textarea", &["tui"]),
    ("rusqlite", &["store"]),
    ("reqwest", &["models", "steps", "tools"]),
    ("clap", &["cli"]),
];

/// What ends a program, or writes where nobody asked for it.
const FORBIDDEN: [&str; 10] = [
    ".unwrap()",
    ".expect(\"",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "println!(",
    "print!(",
    "eprintln!(",
    "eprint!(",
    "dbg!(",
];

struct SourceFile {
    path: String,
    /// The folder or file of `src/` that it belongs to.
    module: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources(folder: &str) -> Vec<SourceFile> {
    let mut files = Vec::new();
    rust_files(&root().join(folder), &mut files);
    files.sort();
    let sources = files.into_iter().map(|file| {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let module = path.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs").to_owned();
        SourceFile { path, module, text: fs::read_to_string(file).unwrap() }
    });
    sources.collect()
}

/// The lines of a file that are shipped, with their numbers: no comments, no tests.
fn shipped(source: &SourceFile) -> Vec<(usize, &str)> {
    let is_test = source.path.split('/').any(|part| ["tests", "tests.rs", "testing", "testing.rs"].contains(&part));
    if is_test {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().collect();
    let mut kept = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if line.trim() == "#[cfg(test)]" {
            at += item_length(&lines[at..]);
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        kept.push((at + 1, code));
        at += 1;
    }
    kept
}

/// How many lines the item takes that begins with an attribute: to its `;`, or to the brace that closes it.
fn item_length(lines: &[&str]) -> usize {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let depth = indent(lines[0]);
    for (at, line) in lines.iter().enumerate().skip(1) {
        let ends = line.trim_end().ends_with(';') || line.trim_end().ends_with(',') || line.trim() == "}";
        if ends && indent(line) == depth {
            return at + 1;
        }
    }
    lines.len()
}

/// The names that follow `prefix` in a line as paths: `crate::core::x` and `crate::{core, flow::Want}` for `crate::`.
fn named<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let word = |text: &'a str| {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        &text[..end]
    };
    let mut found = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let rest = &line[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group.split(',').map(|name| word(name.trim()))),
            None => found.push(word(rest)),
        }
    }
    found
}

/// Whether a line uses a library: its name as the first part of a path.
fn uses(line: &str, library: &str) -> bool {
    line.match_indices(&format!("{library}::")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

fn none(what: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{what}:\n{}", offenders.join("\n"));
}

#[test]
fn arrows_point_down_only() {
    let modules: Vec<&str> = ARROWS.iter().map(|(module, _)| *module).chain(["cli"]).collect();
    let mut offenders = Vec::new();
    for source in sources("src") {
        let allowed = match ARROWS.iter().find(|(module, _)| *module == source.module) {
            Some((_, allowed)) => *allowed,
            None if source.module == "cli" => CLI,
            // These wire the modules together.
            None if ["main", "lib", "embed", "wiring"].contains(&source.module.as_str()) => continue,
            None => panic!("{} is in no module of the design", source.path),
        };
        for (number, line) in shipped(&source) {
            for name in named(line, "crate::") {
                if modules.contains(&name) && name != source.module && !allowed.contains(&name) {
                    offenders.push(format!("{}:{number}: {} imports {name}", source.path, source.module));
                }
            }
        }
    }
    none("a module knows one that it may not", &offenders);
}

#[test]
fn a_library_is_known_to_its_rooms_only() {
    let mut offenders = Vec::new();
    for source in sources("src").into_iter().filter(|source| source.module != "main") {
        for (number, line) in shipped(&source) {
            for (library, modules) in LIBRARIES {
                if uses(line, library) && !modules.contains(&source.module.as_str()) {
                    offenders.push(format!("{}:{number}: {library}", source.path));
                }
            }
        }
    }
    none("a library is used outside its modules", &offenders);
}

#[test]
fn no_file_is_longer_than_one_subject() {
    let all = ["src", "tests", "benches"].into_iter().flat_map(sources);
    let long = all.filter_map(|source| {
        let lines = source.text.lines().count();
        (lines >= MOST_LINES).then(|| format!("{}: {lines} lines", source.path))
    });
    none("files of 600 lines and more", &long.collect::<Vec<_>>());
    assert!(fs::read_to_string(root().join("src/main.rs")).unwrap().lines().count() < 60, "main.rs only wires modules");
}

#[test]
fn nothing_that_is_shipped_panics_or_prints() {
    let mut offenders = Vec::new();
    for source in sources("src").into_iter().filter(|source| source.module != "main") {
        for (number, line) in shipped(&source) {
            let found = FORBIDDEN.iter().find(|forbidden| {
                line.match_indices(*forbidden).any(|(at, _)| {
                    forbidden.starts_with('.') || !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            });
            if let Some(found) = found {
                offenders.push(format!("{}:{number}: {found}", source.path));
            }
        }
    }
    none("code that may end the program or prints by itself", &offenders);
}

#[test]
fn what_is_shipped_is_built_in_and_passes_its_own_check() {
    let search_paths = SearchPaths::default();
    let checked = Catalog::check_path(&search_paths, root()).unwrap();
    let built_in = Catalog::load(&search_paths);
    let mut count = 0;
    for entry in ["tasks", "workflows"].iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap()) {
        let path = entry.unwrap().path();
        let id = path.file_stem().unwrap().to_str().unwrap();
        assert!(built_in.get(id).is_ok(), "{} is not in the binary", path.display());
        count += 1;
    }
    assert_eq!(checked.len(), count, "something that is shipped is not found");
    let mistakes = checked.iter().flat_map(|one| &one.mistakes).map(|mistake| format!("{mistake:?}"));
    none("mistakes in what is shipped", &mistakes.collect::<Vec<_>>());
}

#[test]
fn the_map_names_only_rooms_and_files_that_are_there() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let named: Vec<&str> = map
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "rs"))
        .collect();
    assert!(named.len() > 10, "the map names its files in another way");
    let there = |name: &str| root().join("src").join(name).exists() || root().join(name).exists();
    let lost: Vec<String> = named.into_iter().filter(|name| !there(name)).map(str::to_owned).collect();
    none("files of the map that are not there", &lost);
}

#[test]
fn the_arrows_are_read_as_they_are_written() {
    assert_eq!(named("use crate::core::run::Run;", "crate::"), ["core"]);
    assert_eq!(named("use crate::{core::run::Run, flow};", "crate::"), ["core", "flow"]);
    assert_eq!(named("let x: crate::store::SqliteStore = crate::tui::y();", "crate::"), ["store", "tui"]);
    assert!(uses("use rusqlite::Connection;", "rusqlite") && !uses("crate::rusqlite::x", "rusqlite"));
    let text = "#[cfg(test)]\nmod tests {\n    x.unwrap()\n}\nfn f() {} // y.unwrap()\n".to_owned();
    let source = SourceFile { path: "src/core/x.rs".into(), module: "core".into(), text };
    assert_eq!(shipped(&source), [(5, "fn f() {} ")]);
}

/// The documents that walk through the source name files and functions: those are there.
#[test]
fn what_the_walks_name_is_there() {
    let walks = fs::read_to_string(root().join("docs/house.md")).unwrap();
    let file = regex::Regex::new("`([a-z_/]+\\.rs)`").unwrap();
    let function = regex::Regex::new("`([a-z_/]+\\.rs)`, `(?:[A-Za-z]+::)?([a-z_]+)`").unwrap();
    let all = sources("src");
    let find = |name: &str| {
        let end = format!("/{name}");
        all.iter().filter(|source| source.path.ends_with(&end)).map(|source| &source.text).collect::<Vec<_>>()
    };
    let mut missing = Vec::new();
    for name in file.captures_iter(&walks).map(|found| found[1].to_owned()) {
        if find(&name).is_empty() {
            missing.push(name);
        }
    }
    for found in function.captures_iter(&walks) {
        let (name, function) = (&found[1], format!("fn {}", &found[2]));
        if !find(name).iter().any(|text| text.contains(&function)) {
            missing.push(format!("{name}: {function}"));
        }
    }
    none("docs/house.md names what is not there", &missing);
}
