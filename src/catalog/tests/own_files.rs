//! `@/FILE` in the `argv` of a command: what `check` says of it, and what a run keeps.

use std::fs;

use super::mistakes;
use crate::catalog::{Catalog, SearchPaths};
use crate::core::fingerprint::Fingerprint;
use crate::core::step::Does;
use crate::core::task::{Body, Kind};

fn said(argv: &str) -> Vec<String> {
    let text = format!(
        "id = \"w\"\nname = \"W\"\n[[inputs]]\nname = \"x\"\n[[steps]]\nid = \"a\"\nkind = \"command\"\n{argv}\n"
    );
    mistakes(Kind::Workflow, &text, &[("lib/price.py", "print(1)")])
}

#[test]
fn a_file_that_is_not_there_or_not_written_out_is_a_mistake_with_its_place() {
    assert_eq!(said("argv = [\"python3\", \"@/lib/price.py\", \"{{ inputs.x }}\"]"), Vec::<String>::new());
    assert_eq!(
        said("argv = [\"python3\", \"@/lib/prize.py\"]"),
        [
            "w.toml:8:20: `@/lib/prize.py` is a file of the definition's folder: there is no file `lib/prize.py` in the definition's folder; `{{ '@/' }}lib/prize.py` is a text that begins with `@/`"
        ]
    );
    let outside = said("argv = [\"python3\", \"@/../price.py\"]");
    assert!(outside[0].contains("leads out of the definition's folder"), "{outside:?}");
    let computed = said("argv = [\"python3\", \"@/{{ inputs.x }}.py\"]");
    assert!(
        computed[0].starts_with("w.toml:8:20: ") && computed[0].contains("its name is written out"),
        "{computed:?}"
    );
    assert_eq!(said("argv = [\"curl\", \"-d\", \"{{ '@/' }}tmp/body\", \"{{ inputs.x }}\"]"), Vec::<String>::new());
}

#[test]
fn in_a_shell_command_it_is_a_word_and_in_quotes_it_is_a_mistake() {
    let shell = |argv: &str| said(&format!("shell = true\nargv = {argv}"));
    assert_eq!(shell("[\"sh\", \"@/lib/price.py\", \"{{ inputs.x }}\", \"| head\"]"), Vec::<String>::new());
    assert_eq!(shell("[\"@/lib/price.py\", \"{{ inputs.x }}\"]"), Vec::<String>::new());
    let quoted = shell("[\"echo '\", \"@/lib/price.py\", \"'\"]");
    assert!(quoted[0].starts_with("w.toml:9:19: `@/lib/price.py` is inside quotes"), "{quoted:?}");
}

#[test]
fn a_run_keeps_the_whole_folder_and_the_hash_of_what_is_named() {
    let all = tempfile::tempdir().unwrap();
    let folder = all.path().join("own/workflows/w");
    fs::create_dir_all(folder.join("lib")).unwrap();
    let steps = "[[steps]]\nid = \"g\"\nkind = \"group\"\n[[steps.steps]]\nid = \"a\"\nkind = \"command\"\nargv = [\"python3\", \"@/lib/price.py\"]\n";
    fs::write(folder.join("workflow.toml"), format!("id = \"w\"\nname = \"W\"\n{steps}")).unwrap();
    fs::write(folder.join("lib/price.py"), "import rates").unwrap();
    fs::write(folder.join("lib/rates.py"), "R = 1").unwrap();
    fs::write(folder.join("logo.png"), [0xff, 0]).unwrap();
    let paths =
        SearchPaths { own: Some(all.path().join("own")), state: all.path().join("state"), ..SearchPaths::default() };
    let pin = || Catalog::load(&paths).pin("w").unwrap();
    let pinned = pin();
    let Body::Workflow(workflow) = &pinned.task.body else { panic!("a workflow") };
    let kept: Vec<&String> = workflow.files.texts.keys().chain(workflow.files.binary.keys()).collect();
    assert_eq!(kept, ["lib/price.py", "lib/rates.py", "workflow.toml", "logo.png"]);
    let steps = workflow.all_steps();
    let Does::Command(command) = &steps[1].does else { panic!("a command") };
    assert_eq!(command.files["lib/price.py"], Fingerprint::of_bytes(b"import rates"));
    // What it loads is a part of the definition, too.
    fs::write(folder.join("lib/rates.py"), "R = 2").unwrap();
    assert_ne!(pin().hash().unwrap(), pinned.hash().unwrap());
    // A definition that names none keeps none.
    fs::write(folder.join("workflow.toml"), "id = \"w\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n")
        .unwrap();
    let plain = serde_json::to_value(pin().task).unwrap();
    assert!(plain["body"]["workflow"].get("files").is_none(), "{plain}");
}
