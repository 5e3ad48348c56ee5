//! What may begin without a person, and what they are asked about a tool first: of the step's rule, the tool's and the
//! config's the strictest holds. A tool is known by the definition that calls it and by what is behind its name there, so
//! that what a person allowed of one tool never reaches another one of the same name.

use std::sync::Arc;

use crate::core::call::{Attempt, Call, ToolCall, ToolUse};
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, ApprovalBody, Gate, GateBody};
use crate::core::ports::ToolScope;
use crate::core::run::Run;
use crate::core::step::OnCrash;
use crate::core::tool::{OwnTool, ToolApproval, ToolRules, server_of};
use crate::core::work::Work;
use crate::engine::Ports;
use crate::engine::ready::{self, Asks};
use crate::engine::run_loop::{RunConfig, RunLoop};
use crate::flow::{Approval, Want};

/// Whether a tool call may begin.
pub(super) enum Permission {
    Given,
    /// A person is asked.
    Asks(Box<Gate>),
    /// It cannot be made: the model reads why, and nobody is asked.
    Refused(Failure),
}

impl RunLoop {
    /// Whether a call that a model asks for may begin.
    pub(super) fn permission(&self, want: &Want, used: &ToolUse, asked: &ToolCall) -> Permission {
        let tool = asked.asked.tool.as_str();
        if let Err(problem) = used.takes(tool, asked.arguments()) {
            return Permission::Refused(Failure::new(FailureClass::Tool, problem));
        }
        let gate = self.run.call(&want.key).and_then(|call| self.asks_about(call, call.newest()?, asked));
        let Some((gate, approval)) = gate.as_ref().and_then(|gate| Some((gate, gate.approval()?))) else {
            return Permission::Refused(Failure::new(FailureClass::Tool, "the call has no JSON form"));
        };
        let given = match self.rules_of(want.workflow.as_deref(), &want.work, tool).approve {
            ToolApproval::Never => true,
            ToolApproval::Once => self.run.approved.contains(&approval.bytes),
            ToolApproval::Always => false,
        };
        if given || self.run.tools.is_allowed(approval.behind.as_ref()) {
            return Permission::Given;
        }
        Permission::Asks(Box::new(gate.clone()))
    }

    /// Whether a call that a person allowed is not what they allowed any more: the config declares another tool since.
    pub(super) fn is_another(&self, call: &Call, attempt: &Attempt, asked: &ToolCall) -> bool {
        let now = || self.asks_about(call, attempt, asked)?.approval().map(|approval| approval.bytes.clone());
        asked.approved.as_ref().is_some_and(|approved| now().as_ref() != Some(approved))
    }

    /// The question to a person whether a tool call may begin.
    pub(super) fn asks_about(&self, call: &Call, attempt: &Attempt, asked: &ToolCall) -> Option<Gate> {
        let (workflow, tool) = (call.workflow.as_deref(), asked.asked.tool.as_str());
        let own = self.own_tool(workflow, attempt.work.as_deref()?, tool);
        let behind = self.behind(workflow, tool, own.as_ref());
        let (tool, args) = (tool.to_owned(), (**asked.arguments()).clone());
        let work = Work::Tool { tool, args, own: own.map(Box::new), schema: None };
        let body = GateBody::Approval(ApprovalBody {
            step: call.step.clone(),
            bytes: ready::bytes(&work, behind.as_ref(), &self.run)?,
            work: Arc::new(work),
            behind,
            fingerprint: attempt.fingerprint.clone(),
            title: None,
            message: None,
        });
        let allowed = vec![Answer::Approve, Answer::Answer, Answer::Deny, Answer::Skip];
        let (key, workflow, attempt) = (call.key.clone(), call.workflow.clone(), attempt.number);
        Some(Gate { key, workflow, call: Some(asked.asked.call), attempt, version: 0, body, allowed })
    }

    /// What governs the calls of a tool: its own rules and those of the step.
    pub(super) fn rules_of(&self, workflow: Option<&str>, work: &Work, tool: &str) -> ToolRules {
        let own = own_tool(work, tool);
        let rules = self.engine.shared.ports.executor.tool_rules(&self.tool_scope(workflow), tool, own);
        work.offers().map_or(rules, |offered| offered.rules(rules))
    }

    /// What a person is asked before a wanted call; of a step that calls a tool its own rule or the tool's, the stricter.
    pub(super) fn asks_first(&self, want: &Want) -> Asks {
        let Work::Tool { tool, args, own, schema } = &*want.work else {
            return Asks { approval: want.approval.clone(), behind: None, shown: Arc::clone(&want.work) };
        };
        let (executor, workflow) = (&self.engine.shared.ports.executor, want.workflow.as_deref());
        let scope = self.tool_scope(workflow);
        let rules = executor.tool_rules(&scope, tool, own.as_deref());
        let step = match want.approval {
            Approval::Each => ToolApproval::Always,
            Approval::Once => ToolApproval::Once,
            Approval::None | Approval::Tool | Approval::Host { .. } => ToolApproval::Never,
        };
        let approval = match rules.approve.max(step) {
            ToolApproval::Always => Approval::Each,
            ToolApproval::Once => Approval::Once,
            ToolApproval::Never => Approval::None,
        };
        let of_config = if own.is_none() { executor.own_tool(&scope, tool) } else { None };
        let behind = self.behind(workflow, tool, of_config.as_ref());
        let shown = match of_config {
            Some(own) => {
                let (tool, args, schema) = (tool.clone(), args.clone(), schema.clone());
                Arc::new(Work::Tool { tool, args, own: Some(Box::new(own)), schema })
            }
            None => Arc::clone(&want.work),
        };
        Asks { approval, behind, shown }
    }

    /// What becomes of an attempt that has begun and has no outcome: as the step says, else as its tool's rules do.
    pub(super) fn on_crash(&self, want: &Want) -> OnCrash {
        let repeats = || match &*want.work {
            Work::Tool { tool, own, .. } => {
                let scope = self.tool_scope(want.workflow.as_deref());
                self.engine.shared.ports.executor.tool_rules(&scope, tool, own.as_deref()).idempotent
            }
            _ => false,
        };
        want.on_crash.unwrap_or_else(|| if repeats() { OnCrash::Rerun } else { OnCrash::Ask })
    }

    pub(super) fn tool_scope(&self, workflow: Option<&str>) -> ToolScope {
        ToolScope { cwd: self.run.cwd.clone(), declared: self.config.declared(workflow) }
    }

    /// The author's own tool of that name: of the definition, or of the config.
    pub(super) fn own_tool(&self, workflow: Option<&str>, work: &Work, tool: &str) -> Option<OwnTool> {
        let of_config = || self.engine.shared.ports.executor.own_tool(&self.tool_scope(workflow), tool);
        own_tool(work, tool).cloned().or_else(of_config)
    }

    /// Which tool a name is: the definition that calls it, and what is declared under that name.
    fn behind(&self, workflow: Option<&str>, tool: &str, own: Option<&OwnTool>) -> Option<Fingerprint> {
        let declared = self.config.declared(workflow);
        let declared = declared.get(server_of(tool).unwrap_or(tool));
        Fingerprint::of(&("tool", workflow, tool, declared, own)).ok()
    }

    /// Whether a tool that an attempt has called may be called again without asking.
    pub(super) fn may_repeat(&self, call: &Call, attempt: &Attempt, tool: &str) -> bool {
        may_repeat(&self.engine.shared.ports, &self.run, &self.config, (call, attempt), tool)
    }
}

/// The tool of that name, where it is the definition's own.
fn own_tool<'a>(work: &'a Work, tool: &str) -> Option<&'a OwnTool> {
    work.offers()?.own.get(tool)
}

/// Whether a tool that an attempt has called may be called again without asking.
pub(super) fn may_repeat(
    ports: &Ports,
    run: &Run,
    config: &RunConfig,
    (call, attempt): (&Call, &Attempt),
    tool: &str,
) -> bool {
    let scope = ToolScope { cwd: run.cwd.clone(), declared: config.declared(call.workflow.as_deref()) };
    let own = attempt.work.as_deref().and_then(|work| own_tool(work, tool));
    ports.executor.tool_rules(&scope, tool, own).idempotent
}
