//! The tools of a step: what a prompt offers to its model, and which tool of the definition's own a call is of.

use crate::core::step::{Approve, Prompt, Rules};
use crate::core::tool::{DeclaredTool, DeclaredTools, OfferedTools, OwnTool, ToolApproval};

/// The tools that a prompt offers to its model. A word for `approve` is about their calls.
pub fn offered(spec: &Prompt, rules: &Rules, declared: &DeclaredTools) -> Option<Box<OfferedTools>> {
    let approve = match rules.approve {
        Some(Approve::Always | Approve::When(_)) => Some(ToolApproval::Always),
        Some(Approve::Once) => Some(ToolApproval::Once),
        Some(Approve::Never) | None => None,
    };
    OfferedTools::of(&spec.tools, spec.max_turns, approve, declared)
}

/// The tool of that name, where the definition declares it.
pub fn own(tool: &str, declared: &DeclaredTools) -> Option<Box<OwnTool>> {
    match declared.get(tool) {
        Some(DeclaredTool::Own(own)) => Some(Box::new(own.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::task::Task;
    use crate::core::tool::MAX_TURNS;
    use crate::core::work::Work;
    use crate::flow::Approval;
    use crate::flow::testing::{Sim, prompt, workflow_with};

    fn declared(expr: &str) -> Value {
        json!({
            "price": { "own": { "description": "The price.", "input": { "type": "object" }, "does": { "expr": expr }, "approve": "never" } },
            "other": { "own": { "description": "Another.", "does": { "expr": "1" } } },
            "files": { "server": { "reach": { "program": { "command": ["files"] } } } },
        })
    }

    fn work(task: Task, key: &str) -> (Fingerprint, Work, Approval) {
        let wants = Sim::first_wants(task, json!({}));
        let want = wants.calls.iter().find(|want| want.key.to_string() == key).unwrap();
        (want.fingerprint.clone(), (*want.work).clone(), want.approval.clone())
    }

    fn offering(rules: &Value, expr: &str) -> Task {
        let mut step = prompt("p", "x", rules);
        step["does"]["tools"] = json!(["files/*", "pri*"]);
        let mut task = workflow_with(&json!([step]), &json!({}));
        task.tools = serde_json::from_value(declared(expr)).unwrap();
        task
    }

    fn tools(work: &Work) -> &OfferedTools {
        work.offers().unwrap()
    }

    #[test]
    fn a_prompt_says_what_it_offers_and_the_definition_s_own_tools_that_it_names() {
        let (_, made, approval) = work(offering(&json!({}), "2"), "p");
        let offered = tools(&made);
        assert_eq!(
            (offered.patterns.as_slice(), offered.max_turns),
            (&["files/*".to_owned(), "pri*".to_owned()][..], MAX_TURNS)
        );
        assert_eq!(offered.own.keys().collect::<Vec<_>>(), ["price"]);
        assert_eq!((offered.approve, approval), (ToolApproval::Never, Approval::None));
    }

    #[test]
    fn another_tool_behind_a_name_is_another_piece_of_work_and_a_server_s_are_not_in_it() {
        let fingerprint = |task| work(task, "p").0;
        let one = fingerprint(offering(&json!({}), "2"));
        assert_ne!(one, fingerprint(offering(&json!({}), "3")));
        let mut elsewhere = offering(&json!({}), "2");
        elsewhere.tools.shift_remove("files");
        elsewhere.tools.shift_remove("other");
        assert_eq!(one, fingerprint(elsewhere), "what is not named, and where a server is, changes nothing");
    }

    #[test]
    fn approve_of_a_prompt_with_tools_is_about_their_calls_and_not_about_the_prompt() {
        let (_, made, approval) = work(offering(&json!({ "approve": "always" }), "2"), "p");
        assert_eq!((tools(&made).approve, approval), (ToolApproval::Always, Approval::None));
    }

    #[test]
    fn arguments_that_do_not_fit_a_tool_of_one_s_own_fail_before_anybody_is_asked() {
        let step = |of: &str| json!({ "id": "t", "does": { "kind": "tool", "tool": "price", "args": { "of": of } } });
        let outcome = |of: &str| {
            let mut task = workflow_with(&json!([step(of)]), &json!({ "result": { "title": "t", "body": "b" } }));
            let mut tools = declared("2");
            tools["price"]["own"]["input"] = json!({ "type": "object", "properties": { "of": { "type": "integer" } } });
            tools["price"]["own"]["idempotent"] = json!(true);
            task.tools = serde_json::from_value(tools).unwrap();
            Sim::new(task, json!({}))
        };
        let (key, failure) = outcome("{{ 'x' }}").failure();
        assert_eq!(key, "t");
        assert!(failure.message.starts_with("`args` does not fit what the tool `price` takes: "), "{failure}");
        let fits = outcome("{{ 1 + 1 }}");
        assert_eq!(fits.performed, ["t"]);
    }

    #[test]
    fn a_tool_step_is_asked_about_as_the_tool_s_rules_say_unless_it_says_so_itself() {
        let step = |rules: &Value| json!({ "id": "t", "does": { "kind": "tool", "tool": "price", "args": { "of": "{{ 1 + 1 }}" } }, "rules": rules });
        let called = |rules: &Value| {
            let mut task = workflow_with(&json!([step(rules)]), &json!({}));
            task.tools = serde_json::from_value(declared("2")).unwrap();
            work(task, "t")
        };
        let (_, made, approval) = called(&json!({ "output": { "type": "integer" } }));
        assert_eq!(approval, Approval::Tool);
        assert_eq!(made.schema(), Some(&json!({ "type": "integer" })));
        let Work::Tool { args, own: Some(own), .. } = made else { panic!("{made:?}") };
        assert_eq!((args, own.description.as_str()), (json!({ "of": 2 }), "The price."));
        assert_eq!(called(&json!({ "approve": "once" })).2, Approval::Once);
    }
}
