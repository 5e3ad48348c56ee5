//! What a call is asked to do now, as the engine is given it: its work, rendered, with the rules that hold for it.

use std::sync::Arc;

use super::Asked;
use crate::core::model::Message;
use crate::core::step::{Approve, OnCrash};
use crate::core::template::Template;
use crate::core::text::Untrusted;
use crate::core::work::Work;
use crate::flow::evaluation::Evaluation;
use crate::flow::feedback;
use crate::flow::mistake::Mistake;
use crate::flow::plan::Parsed;
use crate::flow::work::{Resolved, condition, resolve, text};
use crate::flow::{Approval, ApprovalText, Want};

/// The want of a call.
///
/// # Errors
/// A mistake of the definition that shows only now.
pub(super) fn make(asked: &Asked<'_>, turns: Vec<Message>, evaluation: &Evaluation<'_>) -> Result<Want, Mistake> {
    let node = asked.node;
    let rules = &node.step.rules;
    let resolved = resolve(node, asked.names, asked.model, turns)?;
    let rejected = feedback::rejected(evaluation.run.call(asked.key));
    let Resolved { work, identity } = feedback::told(resolved, node, rejected);
    let fingerprint = evaluation.fingerprint(&node.step.id, identity.as_ref().unwrap_or(&work));
    let approval = match &rules.approve {
        // It is about the calls of its tools.
        _ if work.offers().is_some() => Approval::None,
        Some(Approve::Always) => Approval::Each,
        Some(Approve::Once) => match unnamed_host(&work) {
            Some(host) => Approval::Host { host, once: true },
            None => Approval::Once,
        },
        Some(Approve::When(_)) => match &node.approve {
            Some(expr) => match condition("approve", expr, &asked.names.value()) {
                Ok(false) => Approval::None,
                Ok(true) => Approval::Each,
                // What has begun keeps to the rule that it began with: it is asked about.
                Err(_) if evaluation.run.call(asked.key).is_some_and(|call| !call.attempts.is_empty()) => {
                    Approval::Each
                }
                Err(mistake) => return Err(mistake),
            },
            None => Approval::None,
        },
        Some(Approve::Never) => Approval::None,
        None => match &work {
            Work::Tool { .. } => Approval::Tool,
            work if work.has_effect() => Approval::Each,
            work => unnamed_host(work).map_or(Approval::None, |host| Approval::Host { host, once: false }),
        },
    };
    let usual = if rules.idempotent { Some(OnCrash::Rerun) } else { work.usual_on_crash() };
    let approval_text = if approval == Approval::None { ApprovalText::default() } else { approval_text(asked)? };
    Ok(Want {
        key: asked.key.clone(),
        workflow: asked.workflow.map(str::to_owned),
        step: node.step.id.clone(),
        fingerprint,
        work: Arc::new(work),
        item: asked.item.cloned().or_else(|| asked.names.handed_item()),
        vars: asked.names.vars.clone(),
        depends: asked.depends.iter().map(|source| source.key.clone()).collect(),
        approval,
        approval_text,
        retry: rules.retry.clone().unwrap_or_else(|| asked.retry.clone()),
        timeout: rules.timeout,
        on_crash: rules.on_crash.or(usual),
        priority: rules.priority,
        lanes: asked.lanes.to_vec(),
        cache: rules.cache,
    })
}

/// What the definition says to the person who is asked.
fn approval_text(asked: &Asked<'_>) -> Result<ApprovalText, Mistake> {
    let [title, message] = &asked.node.approve_texts;
    let names = asked.names.value();
    let said = |key, template: Option<&Parsed<Template>>| {
        template.map(|template| text(key, template, &names).map(Untrusted::from)).transpose()
    };
    Ok(ApprovalText {
        title: said("approve_title", title.as_ref())?,
        message: said("approve_message", message.as_ref())?,
    })
}

/// The host of a request that only reads, if nobody has named it.
fn unnamed_host(work: &Work) -> Option<String> {
    match work {
        Work::Http(request) if request.is_safe() => request.unnamed_host(),
        _ => None,
    }
}
