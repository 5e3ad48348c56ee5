//! Workflows that are written as code: the keys by which a graph orders its steps would be passed over there, since the
//! code itself says what comes next. Each is told with what to write instead.

use super::tree::Tree;
use crate::catalog::decode::Draft;
use crate::core::diagnostic::Report;
use crate::core::step::Does;
use crate::core::task::FlowKind;

/// A key of a step in a graph, and what stands for it in JavaScript and in Python. `ID` is the step's.
const INSTEAD: [(&str, &str, &str); 14] = [
    ("when", "if (…) await run.step(\"ID\", …)", "if …: await run.step(\"ID\", …)"),
    ("after", "await the other call first", "await the other call first"),
    ("join", "Promise.all([…]), Promise.race([…])", "asyncio.gather(…), asyncio.wait(…)"),
    (
        "for_each",
        "Promise.all(list.map((item) => run.step(\"ID\", { item })))",
        "asyncio.gather(*(run.step(\"ID\", {\"item\": item}) for item in list))",
    ),
    (
        "one_by_one",
        "for (const item of list) done.push(await run.step(\"ID\", { item, earlier: done }))",
        "for item in list: done.append(await run.step(\"ID\", {\"item\": item, \"earlier\": done}))",
    ),
    ("max_parallel", "await them in portions; or `max_concurrency` of the workflow", "asyncio.Semaphore(…)"),
    (
        "repeat",
        "do { draft = await run.step(\"ID\", { previous: draft }) } while (…)",
        "while …: draft = await run.step(\"ID\", {\"previous\": draft})",
    ),
    (
        "on_failure",
        "try { await run.step(\"ID\", …) } catch (error) { … }",
        "try: await run.step(\"ID\", …); except stepwell.CallFailed as error: …",
    ),
    ("stop_when", "if (…) return { title, body }", "if …: return {\"title\": …, \"body\": …}"),
    ("set_state", "run.state.NAME = …", "run.state[\"NAME\"] = …"),
    ("document", "run.document(name, { title, body })", "run.document(name, {\"title\": …, \"body\": …})"),
    (
        "history",
        "run.step(\"ID\", { earlier }), and `{{ earlier }}` in the prompt",
        "run.step(\"ID\", {\"earlier\": earlier}), and `{{ earlier }}` in the prompt",
    ),
    ("summarize_over", "run.step of a step that condenses", "run.step of a step that condenses"),
    ("[result]", "return { title, body }", "return {\"title\": …, \"body\": …}"),
];

/// Notes every key that the code of a workflow stands for.
pub(super) fn check(draft: &Draft, tree: &Tree<'_>, flow: &FlowKind, report: &Report) {
    let instead = |key: &str| INSTEAD.iter().find(|(known, ..)| *known == key);
    let (script, name) = match flow {
        FlowKind::Script { entry, .. } => (true, entry.clone()),
        FlowKind::Process { argv, .. } => (false, argv.join(" ")),
        FlowKind::Graph => return,
    };
    let say = |key: &str, id: &str| {
        let (_, javascript, python) = instead(key)?;
        let words = if script { javascript } else { python }.replace("ID", id);
        Some(format!("`{key}` is for a graph; here `{name}` decides that: {words}"))
    };
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        let id = node.step.id.as_str();
        for key in keys {
            if let Some(message) = say(&key.value, id) {
                report.error(&key.span, message);
            }
        }
        if matches!(node.step.does, Does::Switch { .. } | Does::Group { .. }) {
            let kind = node.step.does.kind();
            report.error(node.span, format!("a {kind} is for a graph; here `{name}` decides that, in its own words"));
        }
    }
    if let Some(place) = &draft.notes.result
        && let Some(message) = say("[result]", "")
    {
        report.error(place, message);
    }
}
