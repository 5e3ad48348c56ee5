//! What is found where, what may run, and what a run keeps of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::folders::DefinitionFolders;
use crate::catalog::library::Library;
use crate::catalog::trust::{Trust, TrustStore};
use crate::catalog::{Catalog, DefinitionSource, PinError, SearchPaths};
use crate::core::bytes::Bytes;
use crate::core::code::ErrorCode;
use crate::core::ports::Folders as _;
use crate::core::task::{Body, FlowKind};

const LIBRARY: Library = &[
    ("tasks/email.toml", b"id = \"email\"\nname = \"Built-in email\"\n"),
    ("tasks/note.txt", b"not a task"),
    (
        "workflows/poem/workflow.toml",
        b"id = \"poem\"\nname = \"Poem\"\n[[steps]]\nid = \"a\"\nprompt_file = \"prompts/a.md\"\n",
    ),
    ("workflows/poem/prompts/a.md", b"Write."),
];

struct Folders {
    _all: tempfile::TempDir,
    search_paths: SearchPaths,
}

impl Folders {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        let at = |name: &str| Some(all.path().join(name));
        let search_paths = SearchPaths {
            own: at("own"),
            project: at("project"),
            dir: at("dir"),
            state: all.path().join("state"),
            tools: None,
        };
        Self { _all: all, search_paths }
    }

    fn catalog(&self) -> Catalog {
        Catalog::load_from(LIBRARY, &self.search_paths)
    }

    fn trust(&self, path: &Path) {
        let store = TrustStore::new(&self.search_paths.state);
        for offer in store.offers(path).unwrap() {
            store.trust(&offer).unwrap();
        }
    }
}

fn write(root: Option<&PathBuf>, name: &str, text: &str) -> PathBuf {
    let path = root.unwrap().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn email(name: &str) -> String {
    format!("id = \"email\"\nname = \"{name}\"\n")
}

#[test]
fn later_places_shadow_earlier_ones_by_id() {
    let folders = Folders::new();
    let search_paths = folders.search_paths.clone();
    let said = |catalog: &Catalog| (catalog.get("email").unwrap().name.clone(), catalog.get("email").unwrap().source);
    assert_eq!(said(&folders.catalog()), ("Built-in email".to_owned(), DefinitionSource::Builtin));
    write(search_paths.own.as_ref(), "tasks/mail.toml", &email("Mine"));
    assert_eq!(said(&folders.catalog()), ("Mine".to_owned(), DefinitionSource::User));
    write(search_paths.project.as_ref(), "tasks/email.toml", &email("The project's"));
    assert_eq!(said(&folders.catalog()), ("The project's".to_owned(), DefinitionSource::Project));
    write(search_paths.dir.as_ref(), "workflows/email/workflow.toml", &email("A workflow"));
    assert_eq!(said(&folders.catalog()), ("A workflow".to_owned(), DefinitionSource::Dir));
    assert_eq!(folders.catalog().entries.len(), 2);
}

#[test]
fn one_folder_under_two_names_stays_the_person_s_own() {
    let mut folders = Folders::new();
    write(folders.search_paths.own.as_ref(), "tasks/x.toml", "id = \"x\"\nname = \"X\"\n");
    folders.search_paths.dir = folders.search_paths.own.clone();
    let catalog = folders.catalog();
    let entry = catalog.get("x").unwrap();
    assert_eq!((entry.source, entry.trust), (DefinitionSource::User, Trust::Trusted));
}

#[test]
fn a_broken_definition_is_listed_with_its_mistakes_and_stops_nothing() {
    let folders = Folders::new();
    write(folders.search_paths.own.as_ref(), "tasks/broken.toml", "id = \"broken\"\nname = 3\n");
    fs::write(folders.search_paths.own.as_ref().unwrap().join("tasks/bytes.toml"), b"id = \"\xff\"").unwrap();
    let catalog = folders.catalog();
    assert!(catalog.get("email").unwrap().task.is_ok());
    let broken = catalog.get("broken").unwrap();
    let mistake = &broken.task.as_ref().unwrap_err()[0];
    assert!(mistake.line == 2 && mistake.message.contains("`name`"), "{mistake}");
    assert!(catalog.get("bytes").unwrap().task.as_ref().unwrap_err()[0].message.contains("UTF-8"));
    assert_eq!(catalog.pin("broken").unwrap_err().code(), ErrorCode::InvalidDefinition);
}

#[test]
fn two_definitions_of_one_place_cannot_have_one_id() {
    let folders = Folders::new();
    write(folders.search_paths.own.as_ref(), "tasks/a.toml", "id = \"x\"\nname = \"X\"\n");
    write(folders.search_paths.own.as_ref(), "tasks/b.toml", "id = \"x\"\nname = \"X\"\n");
    let catalog = folders.catalog();
    let wrong: Vec<String> = catalog.entries.iter().flat_map(|entry| catalog.check(entry)).map(|d| d.message).collect();
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].contains("`x`") && wrong[0].contains("a.toml"), "{wrong:?}");
}

#[test]
fn an_unknown_id_names_the_one_that_is_meant() {
    let error = Folders::new().catalog().get("emial").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Usage);
    let text = error.to_string();
    assert!(text.contains("`emial`") && text.contains("`email`") && text.contains("stepwell tasks"), "{text}");
}

#[test]
fn a_built_in_workflow_is_pinned_with_its_files() {
    let pinned = Folders::new().catalog().pin("poem").unwrap();
    assert!(format!("{:?}", pinned.task.body).contains("Write."));
    assert_eq!(pinned.folder, None);
}

#[test]
fn a_definition_from_outside_runs_only_once_it_is_trusted_and_as_it_was_then() {
    let folders = Folders::new();
    let search_paths = folders.search_paths.clone();
    let text = "id = \"w\"\nname = \"W\"\nflow = \"main.js\"\n";
    let file = write(search_paths.dir.as_ref(), "workflows/w/workflow.toml", text);
    write(search_paths.dir.as_ref(), "workflows/w/main.js", "export default async () => 1;\n");
    let error = folders.catalog().pin("w").unwrap_err();
    assert_eq!(error.code(), ErrorCode::Untrusted);
    assert!(error.to_string().contains("stepwell trust "), "{error}");

    folders.trust(file.parent().unwrap());
    let pinned = folders.catalog().pin("w").unwrap();
    let Body::Workflow(workflow) = &pinned.task.body else { panic!("a workflow") };
    let FlowKind::Script { sources, .. } = &workflow.flow else { panic!("a script") };
    assert_eq!(sources["main.js"], "export default async () => 1;\n");
    assert_eq!(pinned.folder.as_deref(), file.parent());

    // One byte, in any file, and a file more.
    write(search_paths.dir.as_ref(), "workflows/w/main.js", "export default async () => 2;\n");
    assert_eq!(folders.catalog().get("w").unwrap().trust, Trust::Changed);
    let offers = TrustStore::new(&search_paths.state).offers(&search_paths.dir.clone().unwrap()).unwrap();
    assert!(offers[0].difference.contains("-export default async () => 1;\n+export default async () => 2;\n"));
    assert!(matches!(folders.catalog().pin("w"), Err(PinError::Untrusted { trust: Trust::Changed, .. })));
    write(search_paths.dir.as_ref(), "workflows/w/main.js", "export default async () => 1;\n");
    assert!(folders.catalog().pin("w").is_ok());
    let more = write(search_paths.dir.as_ref(), "workflows/w/more.js", "");
    assert!(folders.catalog().pin("w").is_err());
    fs::remove_file(more).unwrap();
    assert!(folders.catalog().pin("w").is_ok());
}

#[test]
fn what_was_shown_is_what_is_trusted() {
    let folders = Folders::new();
    let file = write(folders.search_paths.dir.as_ref(), "tasks/t.toml", "id = \"t\"\nname = \"T\"\n");
    let store = TrustStore::new(&folders.search_paths.state);
    let offers = store.offers(&file).unwrap();
    assert_eq!((offers.len(), offers[0].trust), (1, Trust::Untrusted));
    assert!(offers[0].difference.contains("+id = \"t\""));
    fs::write(&file, "id = \"t\"\nname = \"Evil\"\n").unwrap();
    store.trust(&offers[0]).unwrap();
    assert_eq!(folders.catalog().get("t").unwrap().trust, Trust::Changed);
}

#[test]
fn what_is_trusted_is_kept_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folders = Folders::new();
    let file = write(folders.search_paths.dir.as_ref(), "tasks/t.toml", "id = \"t\"\nname = \"T\"\n");
    folders.trust(&file);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let records = folders.search_paths.state.join("trust");
    let kept: Vec<PathBuf> = fs::read_dir(&records).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!((kept.len(), mode(&kept[0]), mode(&records)), (1, 0o600, 0o700));
    fs::write(&kept[0], "{").unwrap();
    assert_eq!(folders.catalog().get("t").unwrap().trust, Trust::Untrusted, "half a record trusts nothing");
}

#[test]
fn links_and_paths_do_not_lead_out_of_a_definition_s_folder() {
    let folders = Folders::new();
    let secret = write(folders.search_paths.own.as_ref(), "secret.md", "private");
    let text = "id = \"w\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nprompt_file = \"a.md\"\n";
    for root in [&folders.search_paths.own, &folders.search_paths.dir] {
        write(root.as_ref(), "workflows/w/workflow.toml", text);
        std::os::unix::fs::symlink(&secret, root.as_ref().unwrap().join("workflows/w/a.md")).unwrap();
    }
    let said = |catalog: &Catalog| catalog.get("w").unwrap().task.as_ref().unwrap_err()[0].message.clone();
    assert!(said(&folders.catalog()).contains("`a.md`"));
    let own = SearchPaths { dir: None, ..folders.search_paths.clone() };
    assert!(said(&Catalog::load_from(LIBRARY, &own)).contains("`a.md`"));
    let offered = TrustStore::new(&own.state).offers(&folders.search_paths.dir.clone().unwrap());
    assert_eq!(offered.unwrap_err().code(), ErrorCode::PathRefused);
}

#[test]
fn workflows_that_are_named_have_to_exist_and_take_what_they_are_given() {
    let folders = Folders::new();
    let own = &folders.search_paths.own;
    write(
        own.as_ref(),
        "workflows/c/workflow.toml",
        "id = \"c\"\nname = \"C\"\ninputs = [{ name = \"topic\" }]\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n",
    );
    write(
        own.as_ref(),
        "workflows/p/workflow.toml",
        "id = \"p\"\nname = \"P\"\n[[steps]]\nid = \"a\"\nkind = \"workflow\"\nworkflow = \"c\"\ninputs = { topik = \"x\" }\n[[then]]\nworkflow = \"cc\"\n[[follow_ups]]\ntask = \"c\"\ninput = \"text\"\n[[steps]]\nid = \"b\"\nkind = \"workflow\"\nworkflow = \"email\"\n",
    );
    let catalog = folders.catalog();
    let mistakes = catalog.check(catalog.get("p").unwrap());
    let said: Vec<String> = mistakes.iter().map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect();
    assert_eq!(
        said,
        [
            "6:12: the workflow `c` requires the input `topic`; add it to `inputs`",
            "7:12: the workflow `c` has no input `topik`; did you mean `topic`?",
            "9:12: there is no workflow `cc`; did you mean `c`?",
            "12:9: the task `c` has no input `text`; there is `topic`",
            "16:12: `email` is an instruct task; expected a workflow",
        ]
    );
}

#[test]
fn workflows_nest_ten_deep_and_never_in_a_circle() {
    let folders = Folders::new();
    let chain = |id: usize, child: usize| {
        let text = format!(
            "id = \"w{id}\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nkind = \"workflow\"\nworkflow = \"w{child}\"\n"
        );
        write(folders.search_paths.own.as_ref(), &format!("workflows/w{id}/workflow.toml"), &text);
    };
    for id in 0..11 {
        chain(id, id + 1);
    }
    write(
        folders.search_paths.own.as_ref(),
        "workflows/w11/workflow.toml",
        "id = \"w11\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n",
    );
    assert_eq!(folders.catalog().pin("w1").unwrap().children.len(), 10);
    assert_eq!(folders.catalog().children("w8"), ["w9", "w10", "w11"]);
    let error = folders.catalog().pin("w0").unwrap_err().to_string();
    assert!(error.contains("w0 → w1 → "), "{error}");
    chain(3, 1);
    let error = folders.catalog().pin("w1").unwrap_err().to_string();
    assert!(error.contains("6:12: ") && error.contains("w1 → w2 → w3 → w1"), "{error}");
    assert_eq!(folders.catalog().children("w1"), ["w2", "w3"]);
}

#[test]
fn a_path_is_checked_with_what_lies_beside_it() {
    let folders = Folders::new();
    let dir = folders.search_paths.dir.clone();
    write(dir.as_ref(), "workflows/c/workflow.toml", "id = \"c\"\nname = \"C\"\n");
    let text = "id = \"p\"\nname = \"P\"\n[[steps]]\nid = \"a\"\nkind = \"workflow\"\nworkflow = \"c\"\n";
    let file = write(dir.as_ref(), "workflows/p/workflow.toml", text);
    write(dir.as_ref(), "tasks/t.toml", "id = \"t\"\nnam = \"T\"\n");
    let elsewhere = SearchPaths { dir: None, ..folders.search_paths.clone() };
    let check = |path: &Path| Catalog::check_path(&elsewhere, path).unwrap();
    assert_eq!(check(&file)[0].mistakes, []);
    let all = check(&dir.unwrap());
    assert_eq!((all.len(), all[0].mistakes.len()), (3, 2));
    assert!(all[0].mistakes[1].to_string().contains("tasks/t.toml:2:1: "));
    let nothing = Catalog::check_path(&elsewhere, Path::new("/no/such")).unwrap_err();
    assert_eq!(nothing.code(), ErrorCode::Usage);
    assert!(nothing.to_string().contains("/no/such"), "{nothing}");
}

#[test]
fn what_is_built_in_has_no_mistakes() {
    let folders = Folders::new();
    let catalog = Catalog::load(&folders.search_paths);
    for entry in &catalog.entries {
        assert_eq!(catalog.check(entry), [], "{}", entry.path.display());
    }
}

#[test]
fn a_program_s_whole_folder_is_kept_but_for_what_tools_make_again() {
    let folders = Folders::new();
    let own = folders.search_paths.own.as_ref();
    write(own, "workflows/w/workflow.toml", "id = \"w\"\nname = \"W\"\nflow = [\"python3\", \"main.py\"]\n");
    let main = write(own, "workflows/w/main.py", "import stepwell\n");
    write(own, "workflows/w/lib/util.py", "x = 1\n");
    write(own, "workflows/w/.git/config", "x");
    write(own, "workflows/w/.hidden", "x");
    write(own, "workflows/w/lib/__pycache__/util.pyc", "x");
    std::fs::write(main.with_file_name("logo.png"), [0xff, 0]).unwrap();
    write(own, "workflows/w/node_modules/a.js", "x");
    std::os::unix::fs::symlink(&main, main.with_file_name("link.py")).unwrap();
    let pinned = folders.catalog().pin("w").unwrap();
    let Body::Workflow(workflow) = &pinned.task.body else { panic!("a workflow") };
    let FlowKind::Process { sources, binary, whole, .. } = &workflow.flow else { panic!("a program") };
    assert_eq!(
        sources.keys().collect::<Vec<_>>(),
        [".hidden", "lib/util.py", "link.py", "main.py", "node_modules/a.js", "workflow.toml"]
    );
    assert_eq!(binary, &BTreeMap::from([("logo.png".to_owned(), Bytes(vec![0xff, 0]))]));
    assert!(whole);
}

#[test]
fn a_folder_that_a_run_cannot_keep_is_a_mistake_that_names_what_is_biggest() {
    let folders = Folders::new();
    let own = folders.search_paths.own.as_ref();
    write(own, "workflows/w/workflow.toml", "id = \"w\"\nname = \"W\"\nflow = [\"python3\", \"main.py\"]\n");
    write(own, "workflows/w/main.py", "import stepwell\n");
    for n in 0..2_000 {
        write(own, &format!("workflows/w/venv/{n}.py"), "x");
    }
    let said = |catalog: &Catalog| {
        catalog.check(catalog.get("w").unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let many = said(&folders.catalog());
    assert!(many.contains("2002 files") && many.contains("`venv`"), "{many}");
    std::fs::remove_dir_all(own.unwrap().join("workflows/w/venv")).unwrap();
    let large = write(own, "workflows/w/data/model.bin", "");
    std::fs::File::options().write(true).open(large).unwrap().set_len(33 << 20).unwrap();
    let large = said(&folders.catalog());
    assert!(large.contains("35 MB") && large.contains("`data`"), "{large}");
}

#[test]
fn what_an_old_run_did_not_keep_is_found_only_while_it_is_trusted() {
    let folders = Folders::new();
    let dir = folders.search_paths.dir.clone();
    let file = write(
        dir.as_ref(),
        "workflows/w/workflow.toml",
        "id = \"w\"\nname = \"W\"\nflow = [\"python3\", \"main.py\"]\n",
    );
    write(dir.as_ref(), "workflows/w/main.py", "import stepwell\n");
    let folder = file.parent().unwrap();
    let definitions = DefinitionFolders::new(folders.search_paths.own.as_deref(), &folders.search_paths.state);
    let kept = std::collections::BTreeSet::from(["workflow.toml", "main.py"]);
    let others = || definitions.others(folder, &kept).map(|files| files.into_keys().collect::<Vec<_>>());
    assert_eq!(others(), Ok(vec![]), "nothing is there that was not kept");
    std::fs::write(folder.join("logo.png"), [0xff, 0]).unwrap();
    assert!(others().unwrap_err().contains("`logo.png`"));
    folders.trust(folder);
    assert_eq!(others(), Ok(vec!["logo.png".to_owned()]));
    std::fs::write(folder.join("asyncio.py"), "x").unwrap();
    assert!(others().unwrap_err().contains("`asyncio.py`"));
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(others(), Ok(vec![]), "what is gone runs nothing");
}

#[test]
fn what_cannot_be_shown_whole_is_named_before_it_is_trusted() {
    let folders = Folders::new();
    let dir = folders.search_paths.dir.clone();
    let file = write(
        dir.as_ref(),
        "workflows/w/workflow.toml",
        "id = \"w\"\nname = \"W\"\nflow = [\"python3\", \"main.py\"]\n",
    );
    let folder = file.parent().unwrap();
    std::fs::write(folder.join("logo.png"), [0xff, 0]).unwrap();
    write(dir.as_ref(), "workflows/w/main.py", &"x = 1\n".repeat(60_000));
    let store = TrustStore::new(&folders.search_paths.state);
    let shown = || store.offers(folder).unwrap()[0].difference.clone();
    let first = shown();
    assert!(
        first.contains(
            "logo.png: new, 2 bytes, not text, SHA-256 ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f"
        ),
        "{first}"
    );
    assert!(first.contains("main.py: new, 360000 bytes, text, SHA-256"), "{first}");
    folders.trust(folder);
    std::fs::write(folder.join("logo.png"), [0xff, 1]).unwrap();
    let then = shown();
    assert!(then.contains("logo.png: changed, 2 bytes") && !then.contains("main.py"), "{then}");
}

#[test]
fn a_record_that_cannot_be_written_is_a_path_that_is_refused() {
    let folders = Folders::new();
    let dir = folders.search_paths.dir.clone();
    let file = write(dir.as_ref(), "workflows/w/workflow.toml", "id = \"w\"\nname = \"W\"\n");
    let blocked = folders.search_paths.state.join("blocked");
    std::fs::create_dir_all(&folders.search_paths.state).unwrap();
    std::fs::write(&blocked, "a file").unwrap();
    let store = TrustStore::new(&blocked);
    let offers = store.offers(file.parent().unwrap()).unwrap();
    assert_eq!(store.trust(&offers[0]).unwrap_err().code(), ErrorCode::PathRefused);
}
