//! The examples under `tests/examples`: each is run by the real engine, and keeps what it promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

#[path = "examples/killed.rs"]
mod killed;
#[path = "examples/promises.rs"]
mod promises;
#[path = "examples/runner.rs"]
mod runner;
mod support;

use runner::examples;
use stepwell::catalog::{Catalog, SearchPaths};

/// The ids of all examples.
fn all() -> Vec<String> {
    let folders = std::fs::read_dir(examples().join("workflows")).unwrap();
    let mut ids: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    ids.sort();
    ids
}

#[test]
fn every_example_is_without_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let search_paths = SearchPaths { state: folder.path().to_owned(), ..SearchPaths::default() };
    let checked = Catalog::check_path(&search_paths, &examples()).unwrap();
    assert_eq!(checked.len(), all().len());
    for definition in checked {
        assert_eq!(definition.mistakes, [], "{}", definition.path.display());
    }
}

#[test]
fn every_example_is_a_lesson_and_is_listed_in_the_docs() {
    let docs = std::fs::read_to_string("docs/examples.md").unwrap();
    for id in all() {
        let text = std::fs::read_to_string(examples().join("workflows").join(&id).join("workflow.toml")).unwrap();
        assert!(text.starts_with("# "), "{id} begins with what it teaches");
        assert!(text.lines().all(|line| line.chars().count() <= 180), "{id} has a line that is too long");
        assert!(docs.contains(&format!("`{id}`")), "{id} is not in docs/examples.md");
    }
}
