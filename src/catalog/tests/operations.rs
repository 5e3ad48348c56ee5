//! What templates and expressions do with values that cannot be meant.

use super::mistakes;
use crate::core::task::Kind;

/// The mistakes of a workflow with these steps; the steps begin in line 1.
fn steps(steps: &str) -> Vec<String> {
    let head = "id = \"w\"\nname = \"W\"\n\n[[inputs]]\nname = \"topic\"\n[[inputs]]\nname = \"n\"\ntype = \"integer\"\n[[inputs]]\nname = \"doc\"\ntype = \"file\"\n[[inputs]]\nname = \"photo\"\ntype = \"image\"\n\n";
    let before = head.matches('\n').count();
    let found = mistakes(Kind::Workflow, &format!("{head}{steps}"), &[]);
    let place = |mistake: String| {
        let (_, rest) = mistake.split_once(':').unwrap();
        let (line, rest) = rest.split_once(':').unwrap();
        format!("{}:{rest}", line.parse::<usize>().unwrap() - before)
    };
    found.into_iter().map(place).collect()
}

#[test]
fn filters_and_tests_that_do_not_exist_are_named_with_their_place() {
    let found = steps(
        "[[steps]]\nid = \"a\"\nprompt = \"{{ inputs.topic | uper }} {% if inputs.topic is uppr %}x{% endif %}\"\nwhen = \"inputs.topic | lenght > 2\"\n",
    );
    assert_eq!(
        found,
        [
            "3:29: there is no filter `uper`; did you mean `upper`?",
            "3:59: there is no test `uppr`; did you mean `upper`?",
            "4:24: there is no filter `lenght`; did you mean `length`?",
        ]
    );
    let instruct = "id = \"t\"\nname = \"T\"\ninstruction = \"{{ inputs | tojsn }}\"\n";
    assert_eq!(
        mistakes(Kind::Instruct, instruct, &[]),
        ["w.toml:3:28: there is no filter `tojsn`; did you mean `tojson`?"]
    );
    for fine in
        ["inputs.topic is matching('[a-z]+')", "inputs.topic | search('x') is none", "inputs.topic | d('x') | bool"]
    {
        assert_eq!(steps(&format!("[[steps]]\nid = \"a\"\nprompt = \"x\"\nwhen = \"{fine}\"\n")), [""; 0], "{fine}");
    }
}

#[test]
fn a_condition_that_is_the_bare_text_of_a_step_is_a_mistake_that_shows_bool() {
    let judge = "[[steps]]\nid = \"judge\"\nprompt = \"x\"\n[[steps]]\nid = \"say\"\nkind = \"command\"\nargv = [\"x\"]\n[[steps]]\nid = \"data\"\nprompt = \"x\"\noutput = { type = \"boolean\" }\n";
    let with = |keys: &str| steps(&format!("{judge}[[steps]]\nid = \"go\"\nprompt = \"x\"\n{keys}\n"));
    for (keys, place) in [
        ("when = \"steps.judge.output\"", "15:9"),
        ("when = \"not steps.judge.output\"", "15:13"),
        ("when = \"inputs.n > 2 and steps.say.output\"", "15:26"),
        ("when = \"(steps.say.output or inputs.topic) and true\"", "15:10"),
        ("review = \"output\"", "15:11"),
        ("approve = \"steps.judge.output\"", "15:12"),
        ("stop_when = \"output\"", "15:14"),
        ("repeat = { until = \"not output\" }", "15:25"),
        ("checks = [{ expr = \"output\" }]", "15:21"),
    ] {
        let found = with(keys);
        assert_eq!(found.len(), 1, "{keys}: {found:?}");
        assert!(found[0].starts_with(place) && found[0].contains("| bool"), "{keys}: {found:?}");
    }
    let switch = steps(&format!(
        "{judge}[[steps]]\nid = \"way\"\nkind = \"switch\"\ncases = [{{ when = \"steps.judge.output\", to = [\"x\"] }}]\ndefault = []\n[[steps]]\nid = \"x\"\nprompt = \"x\"\n"
    ));
    assert!(switch.len() == 1 && switch[0].starts_with("15:20"), "{switch:?}");
    for fine in [
        "when = \"inputs.topic\"",
        "when = \"not inputs.topic\"",
        "when = \"steps.judge.output | bool\"",
        "when = \"not steps.judge.output | bool\"",
        "when = \"steps.judge.output == 'yes'\"",
        "when = \"steps.judge.output != ''\"",
        "when = \"steps.data.output\"",
        "when = \"steps.judge.status == 'accepted'\"",
        "checks = [{ expr = \"output | length > 3\" }]",
        "prompt_extra = \"x\"",
    ] {
        let found = with(fine);
        assert!(found.is_empty() || fine.starts_with("prompt_extra"), "{fine}: {found:?}");
    }
}

#[test]
fn an_ordering_of_a_number_and_a_text_is_a_mistake_where_their_types_are_known() {
    let with = |when: &str| {
        steps(&format!(
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\noutput = {{ type = \"object\", properties = {{ score = {{ type = \"string\" }} }} }}\n[[steps]]\nid = \"b\"\nprompt = \"x\"\nwhen = \"{when}\"\n"
        ))
    };
    for wrong in [
        "steps.a.output.score > 5",
        "5 <= steps.a.output.score",
        "inputs.topic < 3",
        "inputs.n >= '7'",
        "1 < inputs.topic < 'x'",
        "inputs.topic | trim > inputs.n",
        "inputs.n > 2 and inputs.n < steps.a.output.score",
    ] {
        let found = with(wrong);
        assert!(found.len() == 1 && found[0].contains("| int"), "{wrong}: {found:?}");
    }
    for fine in [
        "steps.a.output.score | int > 5",
        "inputs.topic | length > 5",
        "inputs.topic < 'm'",
        "inputs.n > 3.5",
        "steps.a.output.score == 5",
        "state.n > 'x'",
    ] {
        assert_eq!(with(fine), [""; 0], "{fine}");
    }
}

#[test]
fn attach_takes_pictures() {
    let with = |attach: &str| steps(&format!("[[steps]]\nid = \"a\"\nprompt = \"x\"\nattach = [\"{attach}\"]\n"));
    for wrong in ["inputs.topic", "inputs.n", "inputs.doc", "inputs.doc.text", "run.id"] {
        let found = with(wrong);
        assert!(
            found.len() == 1 && found[0].starts_with("4:11: ") && found[0].contains("picture"),
            "{wrong}: {found:?}"
        );
    }
    for fine in ["inputs.photo", "[inputs.photo]", "state.pictures"] {
        assert_eq!(with(fine), [""; 0], "{fine}");
    }
}

#[test]
fn classes_that_are_never_tried_again_are_named() {
    let found = steps(
        "[[steps]]\nid = \"a\"\nprompt = \"x\"\nretry = { on = [\"server\", \"bad_output\", \"denied\", \"definition\"] }\n",
    );
    assert_eq!(found.len(), 3, "{found:?}");
    for (mistake, place, word) in
        [(&found[0], "4:27", "bad_output"), (&found[1], "4:41", "denied"), (&found[2], "4:51", "definition")]
    {
        assert!(mistake.starts_with(place) && mistake.contains(word), "{mistake}");
    }
    let http =
        "[[steps]]\nid = \"a\"\nkind = \"http\"\nurl = \"https://example.org\"\nretry = { on = [\"bad_output\"] }\n";
    assert_eq!(steps(http), [""; 0]);
}

#[test]
fn two_steps_do_not_write_one_document() {
    let document = "document = { name = \"notes\", body = \"{{ output }}\" }\n";
    let two =
        format!("[[steps]]\nid = \"a\"\nprompt = \"x\"\n{document}[[steps]]\nid = \"b\"\nprompt = \"x\"\n{document}");
    let found = steps(&two);
    assert!(found.len() == 1 && found[0].starts_with("8:21: `a` writes a document `notes` too"), "{found:?}");
    // Only one of the two is chosen.
    let either = format!(
        "[[steps]]\nid = \"way\"\nkind = \"switch\"\ncases = [{{ when = \"inputs.n > 1\", to = [\"a\"] }}]\ndefault = [\"b\"]\n{two}"
    );
    assert_eq!(steps(&either), [""; 0]);
    let each = "[[steps]]\nid = \"a\"\nfor_each = \"[1, 2]\"\nprompt = \"x\"\ndocument = { name = \"{{ item }}\", body = \"{{ output }}\" }\n";
    assert_eq!(steps(each), [""; 0]);
}

#[test]
fn a_byte_order_mark_in_a_file_is_no_part_of_it() {
    let text = "id = \"w\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nprompt_file = \"p.md\"\noutput_file = \"s.json\"\n";
    let files = [("p.md", "\u{feff}Write."), ("s.json", "\u{feff}{\"type\": \"array\"}")];
    let (draft, found) = super::read(Kind::Workflow, text, &files);
    assert_eq!(found, [""; 0]);
    let crate::core::task::Body::Workflow(workflow) = draft.unwrap().task.body else { panic!("a workflow") };
    let crate::core::step::Does::Prompt(prompt) = &workflow.steps[0].does else { panic!("a prompt") };
    assert_eq!(prompt.prompt, "Write.");
    assert_eq!(workflow.steps[0].rules.output, Some(serde_json::json!({"type": "array"})));
    assert_eq!(mistakes(Kind::Workflow, &format!("\u{feff}{text}"), &files), [""; 0]);
}
