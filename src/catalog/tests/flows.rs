//! What `check` says of steps that run at the same time, of handlers, of schemas with templates, of what has no steps.

use super::mistakes;
use crate::core::task::Kind;

/// What is said of a workflow with these steps, without the file's name.
fn said(steps: &str) -> Vec<String> {
    let head = "id = \"w\"\nname = \"W\"\ninputs = [{ name = \"n\", type = \"integer\" }, { name = \"key\", type = \"secret\" }]\n";
    mistakes(Kind::Workflow, &format!("{head}{steps}"), &[("s.json", r#"{ "minItems": "{{ inputs.m }}" }"#)])
}

#[track_caller]
fn one(steps: &str, place: &str, words: &[&str]) {
    let said = said(steps);
    let [only] = said.as_slice() else { panic!("{said:?}") };
    assert!(only.contains(place) && words.iter().all(|word| only.contains(word)), "{only}");
}

#[test]
fn a_workflow_without_steps_is_a_mistake() {
    one("", "w.toml:1:1", &["has no steps", "[[steps]]"]);
    let script = mistakes(Kind::Workflow, "id = \"w\"\nname = \"W\"\nflow = \"main.js\"\n", &[("main.js", "")]);
    assert!(!script.iter().any(|line| line.contains("has no steps")), "a script may declare none: {script:?}");
}

#[test]
fn items_that_run_at_the_same_time_may_not_write_one_name_of_the_state() {
    let count = "kind = \"transform\"\nexpr = \"1\"\nset_state = { total = \"output\" }\n";
    let list = "for_each = \"[1, 2]\"\n";
    one(&format!("[[steps]]\nid = \"a\"\n{list}{count}"), "w.toml:9", &["`a`", "state.total", "one_by_one = true"]);
    one(
        &format!("[[steps]]\nid = \"g\"\nkind = \"group\"\n{list}[[steps.steps]]\nid = \"a\"\n{count}"),
        "state.total",
        &["`g`", "one_by_one = true"],
    );
    let one_by_one = format!("[[steps]]\nid = \"a\"\n{list}one_by_one = true\n{count}");
    assert_eq!(said(&one_by_one), Vec::<String>::new());
    let repeat = format!("[[steps]]\nid = \"a\"\nrepeat = {{ until = \"true\", max = 3 }}\n{count}");
    assert_eq!(said(&repeat), Vec::<String>::new());
    let handler = format!(
        "[[steps]]\nid = \"t\"\n{list}kind = \"transform\"\nexpr = \"1\"\non_failure = \"fix\"\n[[steps]]\nid = \"fix\"\n{count}"
    );
    one(&handler, "state.total", &["`fix`", "`t`"]);
}

#[test]
fn the_handler_of_a_list_has_outputs_and_that_of_a_step_an_output() {
    let steps = |list: &str, name: &str| {
        format!(
            "[[steps]]\nid = \"t\"\n{list}kind = \"transform\"\nexpr = \"1\"\non_failure = \"fix\"\n\
             [[steps]]\nid = \"fix\"\nkind = \"transform\"\nexpr = \"failure.class\"\n\
             [[steps]]\nid = \"end\"\nkind = \"transform\"\njoin = \"ended\"\nexpr = \"steps.fix.{name}\"\n"
        )
    };
    let list = "for_each = \"[1, 2]\"\n";
    assert_eq!(said(&steps(list, "outputs")), Vec::<String>::new());
    assert_eq!(said(&steps("", "output")), Vec::<String>::new());
    one(&steps(list, "output"), "w.toml", &["`outputs`"]);
    one(&steps("", "outputs"), "w.toml", &["`output`"]);
}

#[test]
fn templates_of_a_schema_see_the_inputs_and_are_checked() {
    let step = |schema: &str| format!("[[steps]]\nid = \"a\"\nprompt = \"x\"\n{schema}\n");
    let fine =
        "output = { type = \"array\", minItems = \"{{ inputs.n }}\", items = { enum = [\"{{ inputs.n }}\", \"b\"] } }";
    assert_eq!(said(&step(fine)), Vec::<String>::new());
    one(&step("output = { minItems = \"{{ inputs.m }}\" }"), "w.toml:7:34", &["inputs"]);
}

#[test]
fn a_schema_that_names_anything_but_inputs_is_a_mistake() {
    let step = |schema: &str| {
        format!("[[steps]]\nid = \"b\"\nprompt = \"x\"\n[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = {schema}\n")
    };
    one(
        &step("{ minItems = \"{{ steps.b.output | length }}\" }"),
        "w.toml:10:27",
        &["`steps` is not known here", "`checks`"],
    );
    one(&step("{ title = \"{{ run.title }}\" }"), "w.toml:10", &["`run` is not known here"]);
    one(&step("{ title = \"{{ item }}\" }"), "w.toml:10", &["`item` is not known here"]);
    let script = "id = \"w\"\nname = \"W\"\nflow = \"main.js\"\n[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = { minItems = \"{{ n }}\" }\n";
    let said = mistakes(Kind::Workflow, script, &[("main.js", "")]);
    assert!(said[0].contains("`n` is not known here"), "what a script hands over is not there yet: {said:?}");
}
