//! What `check` knows of a workflow that another one runs as a step.

use std::fs;

use crate::catalog::{Catalog, SearchPaths};

/// What is said of the workflow `w` with these steps; `kid` and `grandkid` are beside it.
fn said(steps: &str) -> Vec<String> {
    let all = tempfile::tempdir().unwrap();
    let write = |id: &str, rest: &str| {
        let folder = all.path().join("own/workflows").join(id);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("workflow.toml"), format!("id = \"{id}\"\nname = \"N\"\n{rest}")).unwrap();
    };
    let list = "kind = \"prompt\"\nprompt = \"x\"\noutput = { type = \"array\", items = { type = \"object\", properties = { title = { type = \"string\" } } } }\n";
    write(
        "kid",
        &format!(
            "[[steps]]\nid = \"list\"\n{list}[result]\ntitle = \"t\"\nbody = \"b\"\noutput = \"steps.list.output\"\n"
        ),
    );
    let count = "kind = \"transform\"\nexpr = \"1\"\nset_state = { total = \"output\" }\n";
    write("counts", &format!("[[steps]]\nid = \"one\"\n{count}"));
    write("deeper", "[[steps]]\nid = \"down\"\nkind = \"workflow\"\nworkflow = \"counts\"\n");
    write("w", steps);
    let paths =
        SearchPaths { own: Some(all.path().join("own")), state: all.path().join("state"), ..SearchPaths::default() };
    let catalog = Catalog::load(&paths);
    let said = catalog.check(catalog.get("w").unwrap());
    said.iter().map(|mistake| format!("{}:{}: {}", mistake.line, mistake.column, mistake.message)).collect()
}

fn child(id: &str, workflow: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\nkind = \"workflow\"\nworkflow = \"{workflow}\"\n{more}")
}

#[test]
fn a_misspelt_field_of_what_a_child_gives_is_a_mistake() {
    let uses = |workflow: &str, expr: &str| {
        said(&format!("{}[[steps]]\nid = \"use\"\nkind = \"transform\"\nexpr = \"{expr}\"\n", child("k", workflow, "")))
    };
    assert_eq!(uses("counts", "steps.k.output.body"), Vec::<String>::new());
    assert_eq!(
        uses("counts", "steps.k.output.boddy"),
        ["10:24: `steps.k.output` has no `boddy`; did you mean `body`?"]
    );
    assert_eq!(uses("kid", "steps.k.output[0].title"), Vec::<String>::new());
    assert_eq!(
        uses("kid", "steps.k.output[0].titel"),
        ["10:27: `steps.k.output[…]` has no `titel`; did you mean `title`?"]
    );
    assert!(uses("kid", "steps.k.output.title")[0].contains("`steps.k.output` is a list and has no `title`"));
}

#[test]
fn children_that_write_one_name_of_the_state_in_no_order_are_a_mistake() {
    let both = said(&format!("{}{}", child("a", "counts", ""), child("b", "counts", "")));
    assert_eq!(
        both,
        [
            "8:6: `a` (in its workflow `counts`) writes `state.total` too, as `b` does (in its workflow `counts`), and neither waits for the other; add `after = [\"a\"]` to `b`"
        ]
    );
    let ordered = said(&format!("{}{}", child("a", "counts", ""), child("b", "counts", "after = [\"a\"]\n")));
    assert_eq!(ordered, Vec::<String>::new());
    let own = "[[steps]]\nid = \"own\"\nkind = \"transform\"\nexpr = \"1\"\nset_state = { total = \"output\" }\n";
    let with_own = said(&format!("{own}{}", child("b", "deeper", "")));
    assert_eq!(with_own.len(), 1, "{with_own:?}");
    assert!(
        with_own[0].starts_with("9:6: `own` writes `state.total` too, as `b` does (in its workflow `deeper`)"),
        "{with_own:?}"
    );
    let each = said(&child("a", "deeper", "for_each = \"[1, 2]\"\n"));
    assert!(each[0].contains("the items of `a` run at the same time and each writes `state.total`"), "{each:?}");
    assert_eq!(said(&child("a", "deeper", "for_each = \"[1, 2]\"\none_by_one = true\n")), Vec::<String>::new());
}
