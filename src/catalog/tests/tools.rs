//! Tools that a definition declares, offers to models and calls.

use super::{Draft, Kind, read, said_with};
use crate::core::diagnostic::{Report, SourceText};
use crate::core::step::Does;
use crate::core::task::Body;
use crate::core::toml_reader;
use crate::core::tool::{self, DeclaredTool, DeclaredTools};

const OWN: &str = r#"
[tools.price]
description = "The price of a thing."
input = { type = "object", properties = { of = { type = "string" }, at = { type = "integer" } }, required = ["of"], additionalProperties = false }
argv = ["python3", "@/price.py"]
"#;

/// What the config declares: a server and a tool.
fn config() -> DeclaredTools {
    let text = "[tools.files]\ncommand = [\"files\"]\n[tools.now]\ndescription = \"The time.\"\nargv = [\"date\"]\n";
    let source = std::sync::Arc::new(SourceText { name: "config.toml".into(), text: text.into() });
    let report = Report::default();
    let tools = toml_reader::read(&source, &report, |root| tool::read(root, None, &report)).unwrap();
    assert!(report.is_empty());
    tools
}

fn workflow(text: &str) -> Vec<String> {
    let text = format!("id = \"w\"\nname = \"W\"\n{text}");
    said_with(Kind::Workflow, &text, &[("price.py", "print(1)")], Some(&config())).0
}

fn draft(kind: Kind, text: &str) -> Draft {
    let (draft, mistakes) = read(kind, &format!("id = \"w\"\nname = \"W\"\n{text}"), &[("price.py", "")]);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    draft.unwrap()
}

#[test]
fn a_prompt_may_offer_tools_of_the_definition_and_of_the_config() {
    let step = "[[steps]]\nid = \"a\"\nprompt = \"x\"\ntools = [\"files/*\", \"price\", \"now\", \"*\", \"fi*\"]\nmax_turns = 5\napprove = \"once\"\n";
    assert_eq!(workflow(&format!("{step}{OWN}")), Vec::<String>::new());
    let Body::Workflow(workflow) = draft(Kind::Workflow, &format!("{step}{OWN}")).task.body else { panic!() };
    let Does::Prompt(prompt) = &workflow.steps[0].does else { panic!() };
    assert_eq!((prompt.tools.len(), prompt.max_turns), (5, Some(5)));
}

#[test]
fn a_task_offers_what_it_names_or_all_that_it_declares() {
    let offers = |text: &str| {
        let Body::Instruct(instruct) = draft(Kind::Instruct, text).task.body else { panic!() };
        instruct.tools
    };
    let own = "[tools.one]\ndescription = \"d\"\nexpr = \"1\"\n[tools.web]\nurl = \"http://127.0.0.1:1\"\n";
    assert_eq!(offers("tools = [\"files/*\"]\n"), ["files/*"]);
    assert_eq!(offers(own), ["one", "web/*"]);
    assert_eq!(offers(&format!("may_call = [\"one\", \"files/*\"]\n{own}")), ["one", "files/*"]);
    assert_eq!(offers(""), [""; 0]);
}

#[test]
fn every_tool_that_there_is_not_is_said_with_its_place_and_what_there_is() {
    let prompt = |tools: &str| format!("[[steps]]\nid = \"a\"\nprompt = \"x\"\ntools = {tools}\n{OWN}");
    let call = |call: &str| format!("[[steps]]\nid = \"a\"\nkind = \"tool\"\n{call}\n{OWN}");
    for (text, wanted) in [
        (prompt("[\"prise\"]"), "w.toml:6:10: no tool matches `prise`; did you mean `price`?"),
        (
            prompt("[\"fils/*\"]"),
            "w.toml:6:10: there is no server `fils`; did you mean `files`?; declare it in the config or here",
        ),
        (prompt("[\"price/*\"]"), "w.toml:6:10: `price` is one tool and no server; name it alone: `price`"),
        (prompt("[\"x*\"]"), "w.toml:6:10: no tool matches `x*`"),
        (prompt("[\"files/\"]"), "w.toml:6:10: \"files/\" names no tool"),
        (prompt("\"price\""), "w.toml:6:9: `tools` must be a list"),
        (prompt("[\"price\"]\napprove = \"inputs.x\""), "w.toml:7:"),
        (call("tool = \"prise\"\nargs = {}"), "w.toml:6:8: there is no tool `prise`; did you mean `price`?"),
        (call("tool = \"files\"\nargs = {}"), "w.toml:6:8: `files` is a server; its tools are called `files/NAME`"),
        (call("tool = \"a b\"\nargs = {}"), "w.toml:6:8: `tool` is \"server/name\", or the name of a tool"),
        (call("tool = \"price\""), "w.toml:6:8: `args` does not fit what `price` takes: "),
        (call("tool = \"price\"\nargs = { of = 3 }"), "w.toml:7:8: `args` does not fit what `price` takes: "),
        (
            call("tool = \"price\"\nargs = { of = \"{{ run.id }}\", att = 1 }"),
            "w.toml:7:8: `args` does not fit what `price` takes: it takes no `att`; did you mean `at`?",
        ),
        (
            call("tool = \"price\"\nargs = { at = \"{{ run.id }}\" }"),
            "w.toml:7:8: `args` does not fit what `price` takes: `of` is missing",
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\nmax_turns = 3\n".to_owned(),
            "w.toml:6:13: `max_turns` is about a model that calls tools",
        ),
        (
            "[[steps]]\nid = \"a\"\nprompt = \"x\"\n[tools.files]\ncommand = [\"x\"]\n".to_owned(),
            "w.toml:6:8: the config declares `[tools.files]` too",
        ),
        (
            "tools = [\"files/*\"]\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n".to_owned(),
            "w.toml:3:9: here `[tools.NAME]` declares tools",
        ),
    ] {
        let said = workflow(&text);
        assert!(said.iter().any(|said| said.starts_with(wanted)), "{text}\n{said:#?}");
    }
    assert_eq!(workflow(&call("tool = \"price\"\nargs = { of = \"{{ run.id }}\" }")), Vec::<String>::new());
    assert_eq!(workflow(&call("tool = \"files/read\"\nargs = { path = \"x\" }")), Vec::<String>::new());
}

#[test]
fn a_task_is_one_file_so_that_its_tools_name_none() {
    let text = format!("id = \"w\"\nname = \"W\"\n{OWN}");
    let (mistakes, _) = said_with(Kind::Instruct, &text, &[], None);
    assert!(mistakes.len() == 1 && mistakes[0].contains("`@/` names a file of a workflow's folder"), "{mistakes:?}");
    let missing = said_with(Kind::Workflow, &format!("{text}[[steps]]\nid = \"a\"\nprompt = \"x\"\n"), &[], None).0;
    assert!(missing.len() == 1 && missing[0].contains("there is no file `price.py`"), "{missing:?}");
}

#[test]
fn where_the_config_is_not_known_its_servers_are_not_looked_up() {
    let text = "id = \"w\"\nname = \"W\"\n[[steps]]\nid = \"a\"\nkind = \"tool\"\ntool = \"files/read\"\n";
    assert_eq!(said_with(Kind::Workflow, text, &[], None).0, Vec::<String>::new());
    assert!(matches!(config()["now"], DeclaredTool::Own(_)));
}
