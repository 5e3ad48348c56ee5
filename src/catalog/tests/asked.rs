//! What `check` says of what a person is asked: the schema of an input, the bounds of a number, the words of an approval.

use super::{mistakes, said_of};
use crate::core::task::Kind;

fn said(rest: &str) -> Vec<String> {
    mistakes(Kind::Workflow, &format!("id = \"w\"\nname = \"W\"\n{rest}"), &[])
}

const STEP: &str = "[[steps]]\nid = \"a\"\nprompt = \"{{ inputs.x }}\"\n";

fn input(keys: &str) -> Vec<String> {
    said(&format!("[[inputs]]\nname = \"x\"\n{keys}\n{STEP}"))
}

#[test]
fn the_schema_of_a_json_input_is_checked_and_so_is_its_default() {
    let schema = "type = \"json\"\nschema = { type = \"array\", items = { type = \"integer\" } }\n";
    assert_eq!(input(schema), Vec::<String>::new());
    assert_eq!(input(&format!("{schema}default = [1]")), Vec::<String>::new());
    assert_eq!(
        input(&format!("{schema}default = [\"a\"]")),
        ["w.toml:7:11: the default does not fit: it does not fit its schema: `[0]`: expected integer, found a string"]
    );
    assert_eq!(
        input("type = \"json\"\nschema = { type = \"lst\" }\ndefault = [1]"),
        [
            "w.toml:6:19: `lst` is no type of a JSON Schema; there is `string`, `number`, `integer`, `boolean`, `array`, `object`, `null`"
        ]
    );
    assert_eq!(input("schema = { type = \"array\" }"), ["w.toml:5:10: `schema` belongs to a field of type \"json\""]);
    let template = input("type = \"json\"\nschema = { minItems = \"{{ inputs.n }}\" }");
    assert!(template[0].starts_with("w.toml:6:10: ") && template[0].contains("has no templates"), "{template:?}");
    // What is in it is known in templates.
    let known = "type = \"json\"\nschema = { type = \"object\", properties = { days = { type = \"integer\" } } }\n";
    let misspelt = said(&format!(
        "[[inputs]]\nname = \"x\"\n{known}[[steps]]\nid = \"a\"\nprompt = \"{{{{ inputs.x.dayz }}}}\"\n"
    ));
    assert_eq!(misspelt, ["w.toml:9:23: `inputs.x` has no `dayz`; did you mean `days`?"]);
}

#[test]
fn bounds_are_compared_as_they_are_written() {
    let number = |keys: &str| input(&format!("type = \"integer\"\n{keys}"));
    assert_eq!(
        number("min = 9007199254740993\nmax = 9007199254740993\ndefault = 9007199254740993"),
        Vec::<String>::new()
    );
    assert_eq!(
        number("min = 9007199254740993\nmax = 9007199254740992"),
        ["w.toml:3:1: `min` (9007199254740993) is greater than `max` (9007199254740992)"]
    );
    let outside = number("max = 9007199254740992\ndefault = 9007199254740993");
    assert!(outside[0].contains("expected a number of at most 9007199254740992, not 9007199254740993"), "{outside:?}");
}

#[test]
fn words_of_an_approval_that_nobody_is_asked_for_are_a_mistake() {
    let step = |keys: &str| said(&format!("[[steps]]\nid = \"a\"\n{keys}\n"));
    let words = "approve_title = \"Send it\"\napprove_message = \"To all of {{ run.title }}.\"";
    assert_eq!(step(&format!("kind = \"command\"\nargv = [\"ls\"]\n{words}")), Vec::<String>::new());
    assert_eq!(step(&format!("prompt = \"x\"\napprove = \"always\"\n{words}")), Vec::<String>::new());
    for keys in ["prompt = \"x\"", "kind = \"command\"\nargv = [\"ls\"]\napprove = \"never\""] {
        let said = step(&format!("{keys}\n{words}"));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("`approve_title` is for the person who allows the step, and nobody is asked"),
            "{said:?}"
        );
    }
    let missing = step("kind = \"command\"\nargv = [\"ls\"]\napprove_message = \"{{ steps.b.output }}\"");
    assert!(missing[0].contains("there is no step `b`"), "{missing:?}");
}

const INPUTS: &str = "[[inputs]]\nname = \"x\"\n[[inputs]]\nname = \"ok\"\ntype = \"boolean\"\n[[inputs]]\nname = \"size\"\ntype = \"choice\"\nchoices = [\"s\", \"l\"]\n[[inputs]]\nname = \"sign\"\ntype = \"choice\"\nchoices = [\"+\", \"-\"]\n";

#[test]
fn a_value_that_a_program_may_read_as_an_option_is_warned_of_where_nobody_is_asked() {
    let of = |argv: &str, approve: &str| {
        let model = "[[steps]]\nid = \"m\"\nprompt = \"x\"\n";
        let text = format!(
            "id = \"w\"\nname = \"W\"\n{INPUTS}{model}[[steps]]\nid = \"a\"\nkind = \"command\"\nargv = {argv}\n{approve}\n"
        );
        let (wrong, warned) = said_of(Kind::Workflow, &text, &[("own.sh", "")]);
        assert_eq!(wrong, Vec::<String>::new(), "{argv}");
        warned
    };
    let never = "approve = \"never\"";
    for (argv, warned) in [
        (r#"["tar", "{{ inputs.x }}"]"#, true),
        (r#"["tar", "{{ steps.m.output }}.tar"]"#, true),
        (r#"["tar", "-f", "{{ steps.m.output | trim }}"]"#, true),
        (r#"["tar", "{% if inputs.ok %}{{ inputs.x }}{% else %}plain{% endif %}"]"#, true),
        (r#"["tar", "{% for part in [inputs.x] %}{{ part }}{% endfor %}"]"#, true),
        (r#"["date", "{{ inputs.sign }}"]"#, true),
        (r#"["sh", "{{ inputs.x }}"]"#, true),
        (r#"["tar", "--", "{{ inputs.x }}"]"#, false),
        (r#"["git", "log", "--end-of-options", "{{ inputs.x }}"]"#, false),
        (r#"["tar", "--file={{ inputs.x }}", "./{{ steps.m.output }}"]"#, false),
        (r#"["tar", "{{ './' ~ inputs.x }}"]"#, false),
        (r#"["tar", "{% if inputs.x %}--verbose{% endif %}", "--plain"]"#, false),
        (r#"["tar", "{{ inputs.ok }}", "{{ inputs.size }}", "{{ run.date }}"]"#, false),
        (r#"["{{ inputs.size }}"]"#, false),
        (r#"["sh", "-c", "echo \"$1\"", "sh", "{{ inputs.x }}"]"#, false),
        (r#"["python3", "@/own.sh", "{{ inputs.x }}"]"#, false),
        (r#"["@/own.sh", "{{ inputs.x }}"]"#, false),
    ] {
        let said = of(argv, never);
        assert_eq!(!said.is_empty(), warned, "{argv}: {said:?}");
        assert_eq!(of(argv, "approve = \"inputs.ok\"").len(), said.len(), "whoever is not asked each time");
        // Who is asked is shown it.
        for asked in ["", "approve = \"always\"", "approve = \"once\""] {
            assert_eq!(of(argv, asked), Vec::<String>::new(), "{argv}");
        }
    }
    let said = of(r#"["tar", "{{ inputs.x }}"]"#, never);
    assert!(
        said[0].starts_with("w.toml:22:16: nobody is asked before this runs, and `{{ inputs.x }}` may begin"),
        "{said:?}"
    );
    assert!(said[0].contains("Put \"--\" before it"), "{said:?}");
}
