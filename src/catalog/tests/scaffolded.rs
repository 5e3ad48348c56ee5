//! What `stepwell new` writes.

use std::fs;

use crate::catalog::library::Library;
use crate::catalog::scaffold::{Origin, create};
use crate::catalog::{Catalog, SearchPaths};
use crate::core::code::ErrorCode;
use crate::core::task::Kind;

const LIBRARY: Library = &[
    ("tasks/email.toml", b"# My id is not id = \"email\".\nname = \"Email\"\nid = 'email'\n"),
    (
        "workflows/poem/workflow.toml",
        b"id = \"poem\"\nname = \"Poem\"\n[[steps]]\nid = \"a\"\nprompt_file = \"prompts/a.md\"\n",
    ),
    ("workflows/poem/prompts/a.md", b"Write MY_ID."),
];

#[test]
fn what_is_new_has_no_mistakes_and_the_id_that_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let search_paths = SearchPaths { own: Some(home.path().to_owned()), ..SearchPaths::default() };
    let catalog = Catalog::load_from(LIBRARY, &search_paths);
    let kinds = [
        (Kind::Instruct, "a1", None),
        (Kind::Workflow, "a2", None),
        (Kind::Workflow, "a3", Some("script")),
        (Kind::Workflow, "a4", Some("python")),
        (Kind::Instruct, "a5", Some("email")),
        (Kind::Workflow, "a6", Some("poem")),
    ];
    for (kind, id, from) in kinds {
        let file = create(home.path(), kind, id, from.map(Origin::parse).as_ref(), &catalog).unwrap();
        let catalog = Catalog::load_from(LIBRARY, &search_paths);
        let entry = catalog.get(id).unwrap();
        assert_eq!((entry.path.clone(), catalog.check(entry)), (file, vec![]), "{id}");
        assert!(catalog.pin(id).is_ok());
    }
    let copied = fs::read_to_string(home.path().join("tasks/a5.toml")).unwrap();
    assert_eq!(copied, "# My id is not id = \"email\".\nname = \"Email\"\nid = \"a5\"\n");
    assert_eq!(fs::read_to_string(home.path().join("workflows/a6/prompts/a.md")).unwrap(), "Write MY_ID.");
}

#[test]
fn nothing_is_written_over_or_outside() {
    let home = tempfile::tempdir().unwrap();
    let catalog = Catalog::load_from(LIBRARY, &SearchPaths::default());
    let new =
        |kind, id: &str, from: Option<&str>| create(home.path(), kind, id, from.map(Origin::parse).as_ref(), &catalog);
    new(Kind::Workflow, "w", None).unwrap();
    for (kind, id, from, code, names) in [
        (Kind::Workflow, "w", None, ErrorCode::Exists, "workflows/w"),
        (Kind::Instruct, "../x", None, ErrorCode::Usage, "`../x`"),
        (Kind::Instruct, "x", Some("script"), ErrorCode::Usage, "`stepwell new workflow …`"),
        (Kind::Instruct, "x", Some("poem"), ErrorCode::Usage, "`stepwell new workflow …`"),
        (Kind::Workflow, "x", Some("peom"), ErrorCode::Usage, "`poem`"),
    ] {
        let error = new(kind, id, from).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(names), "{error}");
    }
    assert!(!home.path().join("tasks").exists());
}
