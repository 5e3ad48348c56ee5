//! What a run of a task is expected to cost, before it is started: where prices are known.

use crate::core::ports::Models;
use crate::core::step::Does;
use crate::core::task::{Body, Task};
use crate::core::usage::estimate_tokens;
use crate::tui::text::dollars;

/// The cost of a run, in words; `last` is what the task's last run cost in US dollars. `None` where no price is known.
///
/// Without an earlier run it is what its prompts cost as they are written and answered at the usual length, each once: what
/// is put into them, and the items of a list, come on top.
#[must_use]
pub fn expected(task: &Task, last: Option<f64>, models: &dyn Models) -> Option<String> {
    if let Some(last) = last.filter(|usd| *usd > 0.0) {
        return Some(format!("the last run cost {}", dollars(last)));
    }
    let name = |model: Option<&String>| model.or(task.model.as_ref()).cloned().into_iter().collect::<Vec<_>>();
    let once = |models_of: &[String], text: &str, max| models.estimate(models_of, estimate_tokens(text), max).usd;
    let usd: f64 = match &task.body {
        Body::Instruct(instruct) => once(&name(None), &instruct.instruction, None),
        Body::Workflow(workflow) => {
            let steps = workflow.all_steps();
            let prompts = steps.iter().filter_map(|step| match &step.does {
                Does::Prompt(prompt) => Some(prompt),
                _ => None,
            });
            let cost = |prompt: &crate::core::step::Prompt| {
                let text = format!("{}{}", prompt.prompt, prompt.system.as_deref().unwrap_or_default());
                once(&name(prompt.model.as_ref()), &text, prompt.max_tokens)
            };
            prompts.map(cost).sum()
        }
    };
    (usd > 0.0).then(|| format!("expected to cost {} or more", dollars(usd)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::core::failure::{Failure, FailureClass};
    use crate::core::model::{Completion, DeltaSink, ModelChoice, ModelFailure, ModelRequest};
    use crate::core::ports::BoxFuture;
    use crate::core::usage::Usage;
    use crate::tui::testing::workflow;

    /// A thousandth of a dollar for each answer of the model `dear`; no price is known of any other.
    struct Priced;

    impl Models for Priced {
        fn complete(
            &self,
            _: ModelRequest,
            _: DeltaSink,
            _: CancellationToken,
        ) -> BoxFuture<'static, Result<Completion, ModelFailure>> {
            unreachable!("nothing is asked")
        }

        fn choice(&self, _: Option<&str>) -> Result<ModelChoice, Failure> {
            Err(Failure::new(FailureClass::Definition, "none".to_owned()))
        }

        fn lane(&self, _: &[String]) -> Option<(String, usize)> {
            None
        }

        fn estimate(&self, models: &[String], _: u64, _: Option<u32>) -> Usage {
            Usage { usd: if models == ["dear"] { 0.01 } else { 0.0 }, ..Usage::default() }
        }
    }

    #[test]
    fn a_run_is_expected_to_cost_what_its_prompts_do_or_what_the_last_one_did() {
        let prompt = |id: &str, model: &str| json!({"id": id, "does": {"kind": "prompt", "prompt": "x", "model": model}, "rules": {}});
        let task = |model| workflow(&json!([prompt("a", model), prompt("b", model), prompt("c", "free")]));
        assert_eq!(expected(&task("dear"), None, &Priced).unwrap(), "expected to cost $0.020 or more");
        assert_eq!(expected(&task("dear"), Some(0.5), &Priced).unwrap(), "the last run cost $0.50");
        assert_eq!(expected(&task("free"), Some(0.0), &Priced), None, "no price is known");
    }
}
