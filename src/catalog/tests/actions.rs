//! Actions, requests, counts and inputs of which one is enough, as a definition writes them.

use super::{mistakes, read};
use crate::core::step::OnCut;
use crate::core::task::{Asks, Body, Kind};

const HEAD: &str = "id = \"w\"\nname = \"W\"\n[[inputs]]\nname = \"topic\"\n[[steps]]\nid = \"note\"\nfor_each = \"['a']\"\nprompt = \"x\"\n[[actions]]\nid = \"more\"\n";
const CHAT: &str =
    "id = \"t\"\nname = \"T\"\ninstruction = \"x\"\n[[inputs]]\nname = \"topic\"\n[[actions]]\nid = \"more\"\n";

fn of(kind: Kind, head: &str, keys: &str) -> Vec<String> {
    mistakes(kind, &format!("{head}{keys}\n"), &[("prompts/more.md", "{{ document.body }}")])
}

#[test]
fn the_prompt_of_an_action_may_name_the_document_and_what_a_result_may_name() {
    for fine in [
        "prompt = \"{{ document.title }} {{ document.version }} {{ steps.note.outputs | join }} {{ run.date }} {{ inputs.topic }}\"",
        "prompt_file = \"prompts/more.md\"\nsystem = \"{{ document.name }}\"\nmodel = \"careful\"\ntemperature = 0.2\non_cut = \"continue\"",
        "instruction = \"More about {{ inputs.topic }} than {{ document.body }}.\"",
    ] {
        assert_eq!(of(Kind::Workflow, HEAD, fine), [""; 0], "{fine}");
    }
    for fine in ["prompt = \"{{ document.body }} {{ inputs.topic }}\"", "instruction = \"More {{ inputs.topic }}.\""] {
        assert_eq!(of(Kind::Instruct, CHAT, fine), [""; 0], "{fine}");
    }
}

#[test]
fn what_an_action_cannot_see_or_use_is_named_with_its_place() {
    for (keys, wrong) in [
        ("prompt = \"{{ document.text }}\"", "`document` has no `text`"),
        ("prompt = \"{{ steps.notes.outputs }}\"", "there is no step `notes`; did you mean `note`?"),
        ("prompt = \"{{ steps.note.output }}\"", "`steps.note` works through a list"),
        ("prompt = \"{{ output }}\"", "`output` is not known here"),
        (
            "prompt = \"x\"\ninstruction = \"x\"",
            "9:1: action `more` has one of `instruction`, `prompt` and `prompt_file`",
        ),
        ("name = \"More\"", "action `more` asks nothing"),
        ("prompt_file = \"prompts/none.md\"", "none.md"),
        ("prompt = \"x\"\non_cut = \"ask\"", "nobody reviews an action"),
    ] {
        let found = of(Kind::Workflow, HEAD, keys);
        assert!(found.len() == 1 && found[0].contains(wrong), "{keys}: {found:?}");
    }
    for (keys, wrong) in [
        ("prompt = \"{{ steps.note.outputs }}\"", "there is no step `note`"),
        ("instruction = \"{{ document.body }}\"", "there is no name `document`"),
        ("instruction = \"x\"\ntemperature = 0.1", "`temperature` has no effect here"),
    ] {
        let found = of(Kind::Instruct, CHAT, keys);
        assert!(found.len() == 1 && found[0].contains(wrong), "{keys}: {found:?}");
    }
    let reply = CHAT.replace("\"more\"", "\"reply\"");
    assert!(of(Kind::Instruct, &reply, "prompt = \"x\"")[0].contains("`reply` names the answers"));
    assert_eq!(of(Kind::Instruct, &reply, "instruction = \"x\""), [""; 0], "as in older definitions");
}

#[test]
fn an_action_is_kept_as_it_is_written() {
    let keys = "prompt_file = \"prompts/more.md\"\nmodel = \"careful\"\non_cut = \"accept\"\nmax_tokens = 99\n";
    let (draft, found) = read(Kind::Workflow, &format!("{HEAD}{keys}"), &[("prompts/more.md", "{{ document.body }}")]);
    assert_eq!(found, [""; 0]);
    let action = draft.unwrap().task.actions.remove(0);
    assert_eq!((action.prompt.as_deref(), action.name.as_str()), (Some("{{ document.body }}"), "more"));
    assert_eq!((action.on_cut, action.settings.max_tokens), (Some(OnCut::Accept), Some(99)));
}

#[test]
fn a_conversation_may_write_its_request_count_its_parts_and_ask_one_by_one() {
    let head = "id = \"t\"\nname = \"T\"\ninstruction = \"x\"\nrequest = \"Do {{ inputs.topic | fenced }} on {{ run.date }}\"\nasks = \"one_by_one\"\n[[inputs]]\nname = \"topic\"\n[result]\nparts = \"{{ inputs.topic }}\"\n";
    let (draft, found) = read(Kind::Instruct, head, &[]);
    assert_eq!(found, [""; 0]);
    let Body::Instruct(instruct) = draft.unwrap().task.body else { panic!() };
    assert_eq!(
        (instruct.asks, instruct.result.unwrap().parts.as_deref()),
        (Asks::OneByOne, Some("{{ inputs.topic }}"))
    );
    let needs = format!("{head}[[needs]]\nname = \"who\"\n");
    assert!(mistakes(Kind::Instruct, &needs, &[])[0].starts_with("w.toml:9:9: `parts` counts what the first turn"));
    let unknown = head.replace("run.date", "steps.x");
    assert_eq!(mistakes(Kind::Instruct, &unknown, &[]).len(), 1);
}

#[test]
fn an_input_that_another_makes_optional_names_it() {
    let form = |keys: &str| {
        let text = format!(
            "id = \"w\"\nname = \"W\"\n[[inputs]]\nname = \"file\"\nrequired = false\n[[inputs]]\nname = \"text\"\n{keys}\n[[steps]]\nid = \"a\"\nprompt = \"x\"\n"
        );
        mistakes(Kind::Workflow, &text, &[])
    };
    assert_eq!(form("unless = [\"file\"]"), [""; 0]);
    assert_eq!(
        form("unless = [\"fil\"]"),
        ["w.toml:6:1: `unless` of `text` names no other field of this form: `fil`; did you mean `file`?"]
    );
    assert_eq!(form("unless = [\"text\"]").len(), 1, "not itself");
    assert!(form("required = false\nunless = [\"file\"]")[0].contains("this one is not required"));
}
