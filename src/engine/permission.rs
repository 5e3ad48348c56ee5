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
use crate::core::tool::{DeclaredTools, OwnTool, ToolApproval, ToolRules, server_of};
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
    pub(super) fn permission(&self, want: &Want, used: &ToolUse, call: &ToolCall, attempt: u32) -> Permission {
        let (tool, arguments) = (call.asked.tool.as_str(), call.arguments());
        if let Err(problem) = used.takes(tool, arguments) {
            return Permission::Refused(Failure::new(FailureClass::Tool, problem));
        }
        let rule = self.rules_of(want, tool).approve;
        let own = own_tool(&want.work, tool).cloned().map(Box::new);
        let work = Work::Tool { tool: tool.to_owned(), args: (**arguments).clone(), own, schema: None };
        let behind = behind(&self.config.declared(want.workflow.as_deref()), want.workflow.as_deref(), tool);
        let Some(bytes) = ready::bytes(&work, behind.as_ref(), &self.run) else {
            return Permission::Refused(Failure::new(FailureClass::Tool, "the call has no JSON form"));
        };
        let given = match rule {
            ToolApproval::Never => true,
            ToolApproval::Once => self.run.approved.contains(&bytes),
            ToolApproval::Always => false,
        };
        if given || self.run.tools.is_allowed(behind.as_ref()) {
            return Permission::Given;
        }
        let body = ApprovalBody {
            step: want.step.clone(),
            work: Arc::new(work),
            bytes,
            behind,
            fingerprint: want.fingerprint.clone(),
            title: want.approval_text.title.clone(),
            message: want.approval_text.message.clone(),
        };
        let allowed = vec![Answer::Approve, Answer::Answer, Answer::Deny, Answer::Skip];
        let (key, workflow, call) = (want.key.clone(), want.workflow.clone(), Some(call.asked.call));
        let body = GateBody::Approval(body);
        Permission::Asks(Box::new(Gate { key, workflow, call, attempt, version: 0, body, allowed }))
    }

    /// What governs the calls of a tool: its own rules and those of the step.
    pub(super) fn rules_of(&self, want: &Want, tool: &str) -> ToolRules {
        let own = own_tool(want.work.as_ref(), tool);
        let rules = self.engine.shared.ports.executor.tool_rules(&self.tool_scope(want), tool, own);
        want.work.offers().map_or(rules, |offered| offered.rules(rules))
    }

    /// What a person is asked before a wanted call; of a step that calls a tool its own rule or the tool's, the stricter.
    pub(super) fn asks_first(&self, want: &Want) -> Asks {
        let Work::Tool { tool, own, .. } = &*want.work else {
            return Asks { approval: want.approval.clone(), behind: None };
        };
        let scope = self.tool_scope(want);
        let rules = self.engine.shared.ports.executor.tool_rules(&scope, tool, own.as_deref());
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
        Asks { approval, behind: behind(&scope.declared, want.workflow.as_deref(), tool) }
    }

    /// What becomes of an attempt that has begun and has no outcome: as the step says, else as its tool's rules do.
    pub(super) fn on_crash(&self, want: &Want) -> OnCrash {
        let repeats = || match &*want.work {
            Work::Tool { tool, own, .. } => {
                let scope = self.tool_scope(want);
                self.engine.shared.ports.executor.tool_rules(&scope, tool, own.as_deref()).idempotent
            }
            _ => false,
        };
        want.on_crash.unwrap_or_else(|| if repeats() { OnCrash::Rerun } else { OnCrash::Ask })
    }

    pub(super) fn tool_scope(&self, want: &Want) -> ToolScope {
        ToolScope { cwd: self.run.cwd.clone(), declared: self.config.declared(want.workflow.as_deref()) }
    }

    /// Whether a tool that an attempt has called may be called again without asking.
    pub(super) fn may_repeat(&self, call: &Call, attempt: &Attempt, tool: &str) -> bool {
        may_repeat(&self.engine.shared.ports, &self.run, &self.config, (call, attempt), tool)
    }
}

/// The tool of that name, where it is the definition's own.
pub(super) fn own_tool<'a>(work: &'a Work, tool: &str) -> Option<&'a OwnTool> {
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

/// Which tool a name is: the definition that calls it, and what it declares under that name.
fn behind(declared: &DeclaredTools, workflow: Option<&str>, tool: &str) -> Option<Fingerprint> {
    let declared = declared.get(server_of(tool).unwrap_or(tool));
    Fingerprint::of(&("tool", workflow, tool, declared)).ok()
}
