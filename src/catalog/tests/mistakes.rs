//! Every mistake is told with its place, what is wrong and what would be right.

use proptest::prelude::*;

use super::mistakes;
use crate::core::task::Kind;
use crate::core::testing::cpu_time;

/// What stands before the steps of each text below: five lines.
const HEAD: &str = "id = \"w\"\nname = \"W\"\ninputs = [{ name = \"topic\" }, { name = \"n\", type = \"integer\", default = 3 }, { name = \"key\", type = \"secret\", required = false }, { name = \"notes\", type = \"file\", required = false }]\n\n\n";

fn workflow(steps: &str) -> Vec<String> {
    mistakes(
        Kind::Workflow,
        &format!("{HEAD}{steps}"),
        &[("p.md", "One.\nTwo {{ inputs.topik }}.\n"), ("s.json", "{\n  \"type\": 1x\n}")],
    )
}

/// A step and what is said of it.
fn table(rows: &[(&str, &[&str])]) {
    for (text, wanted) in rows {
        assert_eq!(workflow(text), *wanted, "{text}");
    }
}

#[test]
fn a_correct_definition_has_no_mistakes() {
    let files = [("prompts/write.md", "Write {{ item.subject }}."), ("schemas/stanza.json", r#"{"type":"object"}"#)];
    assert_eq!(mistakes(Kind::Workflow, include_str!("every_key.toml"), &files), Vec::<String>::new());
}

#[test]
fn keys_and_values_that_do_not_fit() {
    table(&[
        (
            "[[steps]]\nid = \"a\"\npromt = \"x\"\n",
            &[
                "w.toml:6:1: step `a` asks nothing; add `prompt = \"…\"` or `prompt_file = \"prompts/a.md\"`",
                "w.toml:8:1: unknown key `promt`; did you mean `prompt`?",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\ntimeout = 30\n",
            &[
                "w.toml:9:11: `timeout` must be a length of time such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"2d\", not the number 30",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nargv = [\"ls\"]\n",
            &[
                "w.toml:9:1: `argv` belongs to a step of `kind = \"command\"`; this one has no `kind`, so it is a \"prompt\"",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nkind = \"comand\"\nargv = [\"ls\"]\n",
            &[
                "w.toml:8:8: `kind` is one of \"prompt\", \"command\", \"http\", \"tool\", \"ask\", \"workflow\", \"transform\", \"switch\", \"group\", not \"comand\"; did you mean \"command\"?",
                "w.toml:9:1: `argv` belongs to a step of `kind = \"command\"`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nreview = \"allways\"\n",
            &["w.toml:9:10: `review` is not \"allways\"; did you mean \"always\"?"],
        ),
        (
            "[[steps]]\nid = \"a b\"\nprompt = \"x\"\n",
            &["w.toml:7:6: `a b` is no id; an id is a letter or `_`, then letters, digits, `_` or `-`"],
        ),
        ("[[steps]]\nprompt = \"x\"\n", &["w.toml:6:1: `id` is missing; write `id = \"write\"`"]),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nprompt = \"y\"\n",
            &["w.toml:9:1: this key is here a second time; keep one of the two"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = { type = \"objekt\" }\n",
            &["w.toml:9:19: `objekt` is no type of a JSON Schema; did you mean `object`?"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\none_by_one = true\non_timeout = \"skip\"\n",
            &[
                "w.toml:9:14: `one_by_one` says how a list is worked through; add `for_each = \"EXPR\"`",
                "w.toml:10:14: `on_timeout` answers a gate whose time is up; add `decide_within = \"2d\"`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nkind = \"ask\"\ndecide_within = \"1d\"\non_timeout = \"accept\"\n[[steps.fields]]\nname = \"n\"\ntype = \"integer\"\n[[steps.fields]]\nname = \"m\"\ndefault = \"x\"\n",
            &[
                "w.toml:10:1: `on_timeout = \"accept\"` answers a form with its defaults; give `n` a `default`, or write \"skip\" or \"fail\"",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nkind = \"command\"\nargv = [\"ls\"]\ndecide_within = \"1d\"\non_timeout = \"accept\"\n",
            &[
                "w.toml:11:1: `on_timeout = \"accept\"` accepts an output, and this step waits for its approval, which only a person gives; write \"skip\" or \"fail\"",
            ],
        ),
        // A review can be accepted, of an effect too.
        (
            "[[steps]]\nid = \"a\"\nkind = \"command\"\nargv = [\"ls\"]\nreview = \"always\"\ndecide_within = \"1d\"\non_timeout = \"accept\"\n[[steps]]\nid = \"b\"\nkind = \"command\"\napprove = \"never\"\nargv = [\"ls\"]\ndecide_within = \"1d\"\non_timeout = \"accept\"\n",
            &[],
        ),
        (
            "[retry]\nattempts = 0\non = [\"timeouts\"]\n",
            &[
                "w.toml:7:12: `attempts` must be a whole number from 1 to 4294967295, not the number 0",
                "w.toml:8:7: `on` is one of \"auth\", \"rate_limit\", \"server\", \"network\", \"timeout\", \"bad_request\", \"bad_output\", \"refused\", \"too_long\", \"command\", \"definition\", \"denied\", \"tool\", \"turns\", not \"timeouts\"; did you mean \"timeout\"?",
            ],
        ),
        ("flow = \"main.js\"\n", &["w.toml:6:8: there is no file `main.js` in the definition's folder"]),
        (
            "[[steps]]\nid = \"a\"\nprompt_file = \"prompts/a.md\"\noutput_file = \"../s.json\"\n",
            &[
                "w.toml:8:15: there is no file `prompts/a.md` in the definition's folder",
                "w.toml:9:15: `../s.json` leads out of the definition's folder; keep the file in it and name it from there",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput_file = \"s.json\"\n",
            &["s.json:2:12: this is not JSON: expected `,` or `}`"],
        ),
    ]);
}

#[test]
fn a_file_that_is_not_toml() {
    assert_eq!(workflow("[[steps\n"), ["w.toml:6:8: this is not TOML: unclosed array table, expected `]]`"]);
    assert_eq!(
        mistakes(Kind::Workflow, "", &[]),
        [
            "w.toml:1:1: `id` is missing; write `id = \"my_task\"`",
            "w.toml:1:1: `name` is missing; write `name = \"What the menu shows\"`",
        ]
    );
}

#[test]
fn fields_that_do_not_fit() {
    let input = |keys: &str| {
        mistakes(Kind::Instruct, &format!("id = \"t\"\nname = \"T\"\n[[inputs]]\nname = \"a\"\n{keys}"), &[])
    };
    for (keys, wanted) in [
        (
            "type = \"txt\"\n",
            "w.toml:5:8: `type` is one of \"text\", \"multiline\", \"integer\", \"number\", \"boolean\", \"choice\", \"choices\", \"date\", \"file\", \"files\", \"image\", \"images\", \"secret\", \"json\", not \"txt\"; did you mean \"text\"?",
        ),
        (
            "type = \"integer\"\ndefault = 20\nmax = 12\n",
            "w.toml:6:11: the default does not fit: expected a number of at most 12, not 20",
        ),
        ("type = \"choice\"\n", "w.toml:3:1: `a` has nothing to choose from; add `choices = [\"one\", \"other\"]`"),
        ("choices = [\"x\"]\n", "w.toml:5:11: `choices` belongs to a field of type \"choice\" or \"choices\""),
        ("pattern = \"[a\"\n", "w.toml:5:11: the pattern `[a` is not a regular expression: unclosed character class"),
        ("min = 3\nmax = 1\n", "w.toml:3:1: `min` (3) is greater than `max` (1)"),
        (
            "[[inputs]]\nname = \"a\"\n",
            "w.toml:5:1: there is another field `a` in this form; give one of them another name",
        ),
    ] {
        assert_eq!(input(keys), [wanted], "{keys}");
    }
    assert_eq!(
        mistakes(Kind::Instruct, "id = \"t\"\nname = \"T\"\nsteps = []\ninstruction = \"{{ topic }}\"\n", &[]),
        [
            "w.toml:3:1: `steps` belongs to a workflow (`workflows/ID/workflow.toml`)",
            "w.toml:4:19: there is no name `topic`; there is `inputs`, `run`",
        ]
    );
}

#[test]
fn names_that_do_not_exist() {
    table(&[
        // Inside a text of several lines the line is that of the file.
        (
            "[[steps]]\nid = \"a\"\nprompt = \"\"\"\nOne.\nTwo {{ inputs.topik }}.\n\\\n  Three {{ topic }}\n\"\"\"\n",
            &[
                "w.toml:10:15: `inputs` has no `topik`; did you mean `topic`?",
                "w.toml:12:12: there is no name `topic`; the input is `inputs.topic`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt_file = \"p.md\"\n",
            &["p.md:2:15: `inputs` has no `topik`; did you mean `topic`?"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"\\u00e4\\\"{{ steps.b.output }}\"\n",
            &["w.toml:8:28: there is no step `b`"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"{{ inputs.topic\"\n",
            &["w.toml:8:21: unexpected end of input, expected end of variable block"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nwhen = \"inputs.n >\"\n",
            &["w.toml:9:18: unexpected end of input, expected expression"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = { type = \"array\", items = { type = \"object\", properties = { title = { type = \"string\" } } } }\n[[steps]]\nid = \"b\"\nfor_each = \"steps.a.output\"\nprompt = \"{{ item.titel }} {{ steps.a.output[0].titel }} {{ steps.a.output.title }} {{ steps.a.output[0].title.x }}\"\n",
            &[
                "w.toml:13:19: `item` has no `titel`; did you mean `title`?",
                "w.toml:13:49: `steps.a.output[…]` has no `titel`; did you mean `title`?",
                "w.toml:13:76: `steps.a.output` is a list and has no `title`; take an item of it, `steps.a.output[0].title`, or a loop",
                "w.toml:13:112: `steps.a.output[…].title` is a text and has no `x`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nfor_each = \"[1, 2]\"\nprompt = \"x\"\n[[steps]]\nid = \"b\"\nprompt = \"{{ steps.a.output }}{{ steps.a.outputs | join }}\"\n[[steps]]\nid = \"c\"\nprompt = \"{{ steps.b.outputs }}\"\n",
            &[
                "w.toml:12:22: `steps.a` works through a list (`for_each`): it has `outputs`, a list, and no `output`",
                "w.toml:15:22: `steps.b` has no `outputs`, which only a step with `for_each` has; it has `output`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"{{ item }}{{ earlier }}{{ previous }}{{ failure }}{{ output }}\"\n",
            &[
                "w.toml:8:14: `item` is not known here: it is an item of a list, in a step with `for_each` or in a group that has one",
                "w.toml:8:24: `earlier` is not known here: it is what came before, in a step with `for_each` and `one_by_one = true`",
                "w.toml:8:37: `previous` is not known here: it is what a step with `repeat` has",
                "w.toml:8:51: `failure` is not known here: it is what a step handles that another names as its `on_failure`",
                "w.toml:8:64: `output` is not known here: a step's own output is there in `checks`, `review`, `until`, `stop_when`, `set_state` and `document`; another's is `steps.ID.output`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nkind = \"command\"\nargv = [\"curl\", \"{{ inputs.key }}\"]\nenv = { KEY = \"{{ inputs.key }}\" }\n",
            &[
                "w.toml:9:21: `inputs.key` is a secret; it goes only into a command's `env` or `stdin`, a request's `headers`, `json` or `body`, or a tool's `args`",
            ],
        ),
        (
            "[[steps]]\nid = \"g\"\nkind = \"group\"\n[[steps.steps]]\nid = \"inner\"\nprompt = \"x\"\n[[steps]]\nid = \"b\"\nprompt = \"{{ steps.inner.output }}{{ steps['g'].output }}\"\n",
            &["w.toml:14:20: `inner` is inside the group `g`; from outside only `g` is visible"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"{{ inputs.topic.upper() }}{{ run.cwdd }}{% for x in inputs.notes.text %}{{ x.y }}{% endfor %}\"\n",
            &[
                "w.toml:8:27: `inputs.topic` has no method `upper`; filters do such work: `inputs.topic | …`",
                "w.toml:8:44: `run` has no `cwdd`; did you mean `cwd`?",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nafter = [\"bb\"]\non_failure = \"contine\"\nhistory = [\"a\"]\n",
            &[
                "w.toml:9:10: there is no step `bb`",
                "w.toml:10:14: there is no step `contine` (or \"stop\", \"continue\")",
                "w.toml:11:12: `history` of step `a` names the step itself",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nkind = \"switch\"\ncases = [{ when = \"true\", to = [\"x\"] }]\ndefault = [\"y\"]\n",
            &["w.toml:9:33: there is no step `x`", "w.toml:10:12: there is no step `y`"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n[[actions]]\nid = \"a\"\ninstruction = \"x\"\n",
            &[
                "w.toml:10:6: the id `a` is taken in line 7; ids are unique in the whole file",
                "w.toml:13:6: the id `a` is taken in line 7; ids are unique in the whole file",
            ],
        ),
    ]);
}

#[test]
fn a_mistake_inside_a_schema_is_told_with_its_own_line() {
    table(&[
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\n[steps.output]\ntype = \"object\"\n[steps.output.properties]\ntitle = { type = \"string\" }\nlines = { type = \"array\", items = { type = \"txt\" } }\n",
            &[
                "w.toml:13:44: `txt` is no type of a JSON Schema; there is `string`, `number`, `integer`, `boolean`, `array`, `object`, `null`",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\n[steps.output]\ntype = \"array\"\nminItems = -1\n",
            &["w.toml:11:12: this is not a JSON Schema: -1 is less than the minimum of 0"],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = { type = \"string\", pattern = \"[a\" }\n",
            &["w.toml:9:39: this JSON Schema cannot be used: \"[a\" is not a \"regex\""],
        ),
    ]);
    let file = "{\n  \"type\": \"object\",\n  \"properties\": {\n    \"a/b\": { \"type\": \"sting\" }\n  }\n}\n";
    let text = format!("{HEAD}[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput_file = \"s.json\"\n");
    assert_eq!(
        mistakes(Kind::Workflow, &text, &[("s.json", file)]),
        ["s.json:4:22: `sting` is no type of a JSON Schema; did you mean `string`?"]
    );
}

#[test]
fn keys_that_do_nothing_where_they_stand() {
    table(&[
        (
            "[[steps]]\nid = \"g\"\nkind = \"group\"\nreview = \"always\"\ntimeout = \"2m\"\n[[steps.steps]]\nid = \"i\"\nprompt = \"x\"\n",
            &[
                "w.toml:9:1: `review` has no effect in a step of `kind = \"group\"`: a group has no call of its own; put it on the steps inside",
                "w.toml:10:1: `timeout` has no effect in a step of `kind = \"group\"`: a group has no call of its own; put it on the steps inside",
            ],
        ),
        (
            "[[steps]]\nid = \"s\"\nkind = \"switch\"\ncases = []\ndefault = []\napprove = \"always\"\n",
            &[
                "w.toml:11:1: `approve` has no effect in a step of `kind = \"switch\"`: a switch is decided by its conditions alone",
            ],
        ),
        (
            "[[steps]]\nid = \"c\"\nkind = \"workflow\"\nworkflow = \"w\"\nreview = \"never\"\n",
            &[
                "w.toml:10:1: `review` has no effect in a step of `kind = \"workflow\"`: a child workflow has no call of its own; put it on the steps of `w`",
            ],
        ),
        (
            "[[steps]]\nid = \"c\"\nkind = \"command\"\nargv = [\"date\"]\ncache = \"1d\"\n[[steps]]\nid = \"t\"\nkind = \"transform\"\nexpr = \"1\"\ncache = \"1d\"\n",
            &[
                "w.toml:10:1: `cache` has no effect in a step of `kind = \"command\"`: only what a prompt or a transform gave is taken from earlier runs",
            ],
        ),
        (
            "[[steps]]\nid = \"q\"\nkind = \"ask\"\nfields = [{ name = \"a\" }]\nchecks = [{ expr = \"output.a\" }]\n",
            &[
                "w.toml:10:1: `checks` has no effect in a step of `kind = \"ask\"`: the answer is a person's, and its fields say what fits",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nsummarize_over = { tokens = 9 }\nfor_each = \"[1]\"\none_by_one = true\nmax_parallel = 2\n",
            &[
                "w.toml:9:18: `summarize_over` condenses a long history; add `history = [\"ID\"]`, \"all\" or `{ runs = 3 }`",
                "w.toml:12:16: `max_parallel` has no effect together with `one_by_one = true`; keep one of the two",
            ],
        ),
    ]);
}

#[test]
fn a_step_is_named_in_brackets_as_well() {
    table(&[
        (
            "[[steps]]\nid = \"a-b\"\nprompt = \"x\"\n[[steps]]\nid = \"c\"\nprompt = \"{{ steps['a-b'].output }}{{ steps['a-b'].outputs }}{{ steps['a-c'].output }}{{ steps[inputs.topic] }}\"\n",
            &[
                "w.toml:11:52: `steps.a-b` has no `outputs`, which only a step with `for_each` has; it has `output`",
                "w.toml:11:70: there is no step `a-c`; did you mean `a-b`?",
                "w.toml:11:90: name a step by its id, `steps.ID`, so that it is known what waits for what",
            ],
        ),
        // It is a dependency all the same.
        (
            "[[steps]]\nid = \"a-b\"\nprompt = \"{{ steps.c.output }}\"\n[[steps]]\nid = \"c\"\nprompt = \"{{ steps['a-b'].output }}\"\n",
            &["w.toml:7:6: `a-b` waits for `c`, which waits for `a-b`: none can ever start"],
        ),
    ]);
}

#[test]
fn a_join_or_a_handler_that_cannot_be() {
    let switch = "[[steps]]\nid = \"s\"\nkind = \"switch\"\ncases = [{ when = \"inputs.n > 1\", to = [\"x\"] }]\ndefault = [\"y\"]\n[[steps]]\nid = \"x\"\nprompt = \"x\"\n[[steps]]\nid = \"y\"\nprompt = \"x\"\n[[steps]]\nid = \"both\"\nprompt = \"{{ steps.x.output }}{{ steps.y.output }}\"\n";
    let unreachable = "w.toml:18:6: nothing can reach step `both`: it waits for steps of which the switch `s` never chooses all; `join = \"any\"` takes the one that ran";
    for (join, wanted) in [
        ("", vec![unreachable]),
        ("join = \"any\"\n", vec![]),
        ("join = \"first\"\n", vec![]),
        ("join = \"ended\"\n", vec![]),
    ] {
        assert_eq!(workflow(&format!("{switch}{join}")), wanted, "{join}");
    }
    // What takes whichever comes first of steps that can never run cannot run either.
    let late =
        format!("{switch}[[steps]]\nid = \"late\"\nprompt = \"{{{{ steps.both.output }}}}\"\njoin = \"first\"\n");
    assert_eq!(workflow(&late), [unreachable]);
    table(&[(
        "[[steps]]\nid = \"a\"\nprompt = \"x\"\non_failure = \"h\"\n[[steps]]\nid = \"b\"\nprompt = \"x\"\non_failure = \"h\"\n[[steps]]\nid = \"h\"\nprompt = \"{{ failure.message }}\"\n",
        &["w.toml:13:14: `h` handles the failures of `a` already; each step has a handler of its own"],
    )]);
}

#[test]
fn a_long_definition_is_checked_in_a_time_that_grows_with_its_length() {
    use std::fmt::Write as _;
    let checked = |count: usize| {
        let mut text = HEAD.to_owned();
        for step in 0..count {
            let before = if step == 0 { "inputs.topic".to_owned() } else { format!("steps.s{}.output", step - 1) };
            write!(
                text,
                "[[steps]]\nid = \"s{step}\"\nprompt = \"{{{{ {before} }}}}\"\nset_state = {{ n{step} = \"output\" }}\n"
            )
            .unwrap();
        }
        // The best of three: other tests run beside this one.
        let time = |_| cpu_time(|| assert_eq!(mistakes(Kind::Workflow, &text, &[]), Vec::<String>::new()));
        (0..3).map(time).min().unwrap()
    };
    let (short, long) = (checked(300), checked(3_000));
    assert!(long < short * 40, "300 steps take {short:?}, 3,000 take {long:?}");
}

#[test]
fn an_order_that_cannot_be() {
    table(&[
        (
            "[[steps]]\nid = \"a\"\nprompt = \"{{ steps.b.output }}\"\n[[steps]]\nid = \"b\"\nprompt = \"x\"\nafter = [\"c\"]\n[[steps]]\nid = \"c\"\nprompt = \"{{ steps.a.output }}\"\n",
            &["w.toml:7:6: `a` waits for `b`, which waits for `c`, which waits for `a`: none can ever start"],
        ),
        (
            "[[steps]]\nid = \"g\"\nkind = \"group\"\n[[steps.steps]]\nid = \"i\"\nprompt = \"{{ steps.g.output }}\"\n",
            &["w.toml:7:6: `g` waits for itself, so it can never start"],
        ),
        (
            "[[steps]]\nid = \"s\"\nkind = \"switch\"\ncases = [{ when = \"inputs.n > 1\", to = [\"x\"] }]\ndefault = [\"y\"]\n[[steps]]\nid = \"x\"\nprompt = \"x\"\n[[steps]]\nid = \"y\"\nprompt = \"x\"\n[[steps]]\nid = \"z\"\nprompt = \"x\"\nafter = [\"x\", \"y\"]\n[[steps]]\nid = \"fine\"\nprompt = \"x\"\nafter = [\"x\", \"y\"]\njoin = \"any\"\n[[steps]]\nid = \"last\"\nprompt = \"{{ steps.z.output }}\"\n",
            &[
                "w.toml:18:6: nothing can reach step `z`: it waits for steps of which the switch `s` never chooses all; `join = \"any\"` takes the one that ran",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\non_failure = \"h\"\n[[steps]]\nid = \"h\"\nprompt = \"{{ failure.message }}\"\n[[steps]]\nid = \"b\"\nprompt = \"x\"\nafter = [\"a\", \"h\"]\n",
            &[
                "w.toml:14:6: nothing can reach step `b`: it waits for `a` and for what runs only when `a` fails; `join = \"any\"` takes the one that ran",
            ],
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nset_state = { s = \"output\" }\n[[steps]]\nid = \"b\"\nprompt = \"x\"\nset_state = { s = \"output\" }\n[[steps]]\nid = \"c\"\nprompt = \"x\"\nafter = [\"a\", \"b\"]\nset_state = { s = \"output\" }\n",
            &["w.toml:13:15: `a` writes `state.s` too, and neither waits for the other; add `after = [\"a\"]` to `b`"],
        ),
        (
            "[[steps]]\nid = \"s\"\nkind = \"switch\"\ncases = [{ when = \"inputs.n > 1\", to = [\"x\"] }]\ndefault = [\"y\"]\n[[steps]]\nid = \"x\"\nprompt = \"x\"\nset_state = { s = \"output\" }\n[[steps]]\nid = \"y\"\nprompt = \"x\"\nset_state = { s = \"output\" }\n",
            &[],
        ),
    ]);
}

#[test]
fn a_script_may_hand_its_steps_any_name() {
    let text = "id = \"w\"\nname = \"W\"\nflow = \"main.js\"\n[[steps]]\nid = \"a\"\nprompt = \"{{ stanza }} {{ inputs.x }}\"\n";
    assert_eq!(mistakes(Kind::Workflow, text, &[("main.js", "")]), ["w.toml:6:34: `inputs` has no `x`"]);
}

#[test]
fn what_code_decides_is_not_passed_over_on_its_steps() {
    let text = |flow: &str, keys: &str| {
        let text = format!("id = \"w\"\nname = \"W\"\nflow = {flow}\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n{keys}");
        mistakes(Kind::Workflow, &text, &[("main.js", ""), ("main.py", "")])
    };
    for (keys, wanted) in [
        (
            "when = \"true\"\n",
            "w.toml:7:1: `when` is for a graph; here `main.js` decides that: if (…) await run.step(\"a\", …)",
        ),
        (
            "for_each = \"[1]\"\n",
            "w.toml:7:1: `for_each` is for a graph; here `main.js` decides that: Promise.all(list.map((item) => run.step(\"a\", { item })))",
        ),
        (
            "on_failure = \"continue\"\n",
            "w.toml:7:1: `on_failure` is for a graph; here `main.js` decides that: try { await run.step(\"a\", …) } catch (error) { … }",
        ),
        (
            "set_state = { n = \"output\" }\n",
            "w.toml:7:1: `set_state` is for a graph; here `main.js` decides that: run.state.NAME = …",
        ),
        (
            "[result]\nbody = \"x\"\n",
            "w.toml:7:1: `[result]` is for a graph; here `main.js` decides that: return { title, body }",
        ),
        (
            "[[steps]]\nid = \"g\"\nkind = \"group\"\n[[steps.steps]]\nid = \"b\"\nprompt = \"x\"\n",
            "w.toml:8:6: a group is for a graph; here `main.js` decides that, in its own words",
        ),
    ] {
        assert_eq!(text("\"main.js\"", keys), [wanted], "{keys}");
    }
    let every = "after = [\"b\"]\njoin = \"any\"\nrepeat = { until = \"output != ''\" }\nstop_when = \"output != ''\"\nhistory = \"all\"\ndocument = { name = \"d\", body = \"x\" }\nfor_each = \"[1]\"\none_by_one = false\nmax_parallel = 2\n[[steps]]\nid = \"b\"\nprompt = \"x\"\n";
    let said = text("[\"python3\", \"main.py\"]", every);
    let keys: Vec<&str> = said.iter().map(|line| line.split('`').nth(1).unwrap()).collect();
    let wanted =
        ["after", "join", "repeat", "stop_when", "history", "document", "for_each", "one_by_one", "max_parallel"];
    assert_eq!(keys, wanted);
    assert!(said.iter().all(|line| line.contains("here `python3 main.py` decides that: ")), "{said:#?}");
    let works = "review = \"never\"\napprove = \"never\"\nretry = { attempts = 2 }\ntimeout = \"1m\"\npriority = 2\ncache = \"1d\"\non_crash = \"ask\"\nidempotent = true\ndecide_within = \"1d\"\non_timeout = \"fail\"\nchecks = [{ expr = \"output != ''\" }]\n";
    assert_eq!(text("\"main.js\"", works), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_stops_the_check(text in "[ -~\n\täß€😀]{0,200}") {
        mistakes(Kind::Workflow, &text, &[]);
        mistakes(Kind::Instruct, &text, &[]);
    }

    #[test]
    fn no_damage_to_a_good_definition_stops_the_check(at in 0usize..4000, removed in 0usize..40, put in "[\\]\\[\"'{}=\n.a# ]{0,5}") {
        let mut text: Vec<char> = include_str!("every_key.toml").chars().collect();
        let at = at.min(text.len());
        let end = (at + removed).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        for line in mistakes(Kind::Workflow, &text, &[("prompts/write.md", "x"), ("schemas/stanza.json", "{}")]) {
            prop_assert!(!line.is_empty());
        }
    }
}

/// The mistakes of a command with this `argv`, as it is written in the file, that a shell runs.
fn in_shell(argv: &str) -> Vec<String> {
    let text = format!(
        "id = \"w\"\nname = \"W\"\n[[inputs]]\nname = \"topic\"\n[[steps]]\nid = \"p\"\nprompt = \"x\"\n[[steps]]\nid = \"c\"\nkind = \"command\"\nshell = true\nargv = {argv}\n"
    );
    mistakes(Kind::Workflow, &text, &[])
}

#[test]
fn a_value_inside_quotes_of_a_shell_command_is_named_with_what_to_write_instead() {
    assert_eq!(
        in_shell("[\"echo \\\"{{ steps.p.output }}\\\"\"]"),
        [
            "w.toml:12:17: `{{ steps.p.output }}` is inside double quotes of a shell command, where its contents would run: leave the quotes out, as `{{ steps.p.output }}` is one word whatever it contains, or hand it over with `env = { P = \"{{ steps.p.output }}\" }` and write `\"$P\"`"
        ]
    );
    assert_eq!(
        in_shell("[\"cat <<EOF\\n{{ inputs.topic }}\\nEOF\"]"),
        [
            "w.toml:12:21: `{{ inputs.topic }}` is in a here document of a shell command, where its contents would run: hand it over with `env = { TOPIC = \"{{ inputs.topic }}\" }` and write `\"$TOPIC\"`, without quoting its end"
        ]
    );
    // The elements are one text: what one opens, another closes.
    let split = in_shell("[\"echo 'a\", \"{{ inputs.topic }}'\"]");
    assert!(split.len() == 1 && split[0].contains("`{{ inputs.topic }}` is inside single quotes"), "{split:?}");
    let script = in_shell("['sh', '-c', '{{ inputs.topic }}']");
    assert!(script.len() == 1 && script[0].contains("`sh -c 'echo \"$1\"' sh {{ inputs.topic }}`"), "{script:?}");
}

#[test]
fn a_shell_command_is_followed_through_every_way_that_its_template_may_go() {
    let refused = |argv: &str, why: &str| {
        let said = in_shell(argv);
        let place = format!("w.toml:12:{}: ", "argv = ".len() + argv.find("{{").unwrap() + 1);
        assert!(said.len() == 1 && said[0].starts_with(&place) && said[0].contains(why), "{argv}: {said:?}");
    };
    refused("['echo {% if inputs.topic %}\"{% endif %}{{ inputs.topic }}']", "inside double quotes");
    refused("['echo {% for x in [1, 2] %}{{ inputs.topic }} \"{% endfor %}']", "inside double quotes");
    refused("['{% for x in [1] %}{% if x %}{% break %}{% endif %}\"{% endfor %} {{ inputs.topic }}']", "double");
    refused("['echo \\ {{- inputs.topic }}']", "after a backslash");
    // A template loses the line break at its end.
    refused("[\"{# x #}# a comment\\n\", '{{ inputs.topic }}']", "in a comment");
    refused("['{% for x in [1, 2] %}$(echo {% endfor %}{{ inputs.topic }}']", "cannot be determined after a loop");
    for accepted in [
        "['echo {{ inputs.topic }} | tr a b > \"$HOME/x\"']",
        "['{{ inputs.topic }}', 'x']",
        "['echo {% for x in [1, 2] %}\"$HOME\" {{ inputs.topic }}{% else %}none{% endfor %}']",
        "['{% set quoted %}\"{{ inputs.topic }}\"{% endset %}echo {{ quoted }}']",
        "['echo {% raw %}\"{{ no value }}\"{% endraw %} {{ inputs.topic }}']",
        "['echo {# it is\" #}{{ inputs.topic }}']",
        "['sh', '-c', \"'echo \\\"$1\\\"'\", 'sh', '{{ inputs.topic }}']",
    ] {
        assert_eq!(in_shell(accepted), Vec::<String>::new(), "{accepted}");
    }
    // There is no shell, so there are no quotes.
    let plain = "id = \"w\"\nname = \"W\"\ninputs = [{ name = \"a\" }]\n[[steps]]\nid = \"c\"\nkind = \"command\"\nargv = ['echo', '\"{{ inputs.a }}\"']\n";
    assert_eq!(mistakes(Kind::Workflow, plain, &[]), Vec::<String>::new());
}
