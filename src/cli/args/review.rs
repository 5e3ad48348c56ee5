//! `review` as it is typed.

use std::path::PathBuf;

use clap::Args;

use super::{Review, scope_of_instruction, usd};
use crate::core::decide::Taken;
use crate::core::event::InstructionScope;
use crate::core::tool_call::ToolCallId;

/// `review`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the contract")]
#[command(group = clap::ArgGroup::new("answer").required(true).multiple(true))]
pub struct ReviewArgs {
    /// A piece of the run's id, or `last`
    pub run: String,
    /// The call; needed when more than one waits
    pub key: Option<String>,
    /// The tool call; needed when several of one call wait
    #[arg(long, value_name = "TURN.INDEX", conflicts_with_all = ["all", "decisions"])]
    pub call: Option<ToolCallId>,
    /// The document, where none of the calls waits but a text that you edited
    #[arg(long, value_name = "NAME", conflicts_with_all = ["key", "call", "all", "decisions", "attempt"])]
    pub document: Option<String>,
    /// The attempt that you saw
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
    /// Take it
    #[arg(long, group = "answer", conflicts_with_all = ["retry", "skip", "deny", "give", "again", "keep", "decisions"])]
    pub accept: bool,
    /// Take an earlier attempt, or version V of it, instead of what waits
    #[arg(long, value_name = "N[.V]", value_parser = taken, group = "answer", conflicts_with_all = ["accept", "edit", "retry", "skip", "deny", "give", "again", "keep", "decisions", "all"])]
    pub take: Option<Taken>,
    /// Record your own version; with --accept, take it
    #[arg(long, value_name = "FILE|-", group = "answer", conflicts_with_all = ["retry", "skip", "deny", "give", "again", "keep", "decisions", "all"])]
    pub edit: Option<String>,
    /// Have it tried again
    #[arg(long, value_name = "INSTRUCTION", group = "answer", allow_hyphen_values = true, conflicts_with_all = ["skip", "deny", "give", "again", "keep", "decisions"])]
    pub retry: Option<String>,
    /// How far the instruction reaches
    #[arg(long, value_name = "this|remaining|always", value_parser = scope_of_instruction)]
    pub scope: Option<InstructionScope>,
    /// Have a role of the config or PROVIDER/MODEL try it again, and as far as the scope reaches
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// Go on without it
    #[arg(long, group = "answer", conflicts_with_all = ["deny", "give", "again", "keep", "decisions"])]
    pub skip: bool,
    /// Allow the effect; with `ask`, `all` or `deny` it says who allows those that follow
    #[arg(long = "approve", value_name = "ask|all|deny", num_args = 0..=1, default_missing_value = "", group = "answer")]
    pub approve_it: Option<String>,
    /// Of a tool: allow its calls for the rest of the run
    #[arg(long, requires = "approve_it", conflicts_with_all = ["all", "decisions"])]
    pub for_run: bool,
    /// Of a tool call: allow it with these arguments instead, a JSON object
    #[arg(long, value_name = "FILE|-", group = "answer", conflicts_with_all = ["accept", "take", "edit", "retry", "skip", "deny", "give", "again", "keep", "decisions", "all"])]
    pub arguments: Option<String>,
    /// Refuse the effect
    #[arg(long, value_name = "REASON", num_args = 0..=1, default_missing_value = "", group = "answer", conflicts_with_all = ["give", "again", "keep", "decisions"])]
    pub deny: Option<String>,
    /// Give what is asked for; in a conversation a message, as a JSON text
    #[arg(long = "answer", id = "give", value_name = "JSON", group = "answer", allow_hyphen_values = true, conflicts_with_all = ["again", "keep", "decisions"])]
    pub give: Option<String>,
    /// Run it again
    #[arg(long, group = "answer", conflicts_with_all = ["keep", "decisions"])]
    pub again: bool,
    /// Keep a stale result
    #[arg(long, group = "answer", conflicts_with_all = ["decisions"])]
    pub keep: bool,
    /// Let the run spend so much in all, in US dollars; it may stand beside another answer
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true, group = "answer", conflicts_with_all = ["decisions"])]
    pub budget: Option<f64>,
    /// Answer all that wait and take this answer; reviews: those that pass
    #[arg(long, conflicts_with_all = ["key", "decisions", "attempt"])]
    pub all: bool,
    /// Of this step only; a child workflow's is CHILD/ID
    #[arg(long, value_name = "[CHILD/]ID", requires = "all")]
    pub step: Option<String>,
    /// Decisions, one JSON object a line
    #[arg(long, value_name = "FILE|-", group = "answer", conflicts_with = "key")]
    pub decisions: Option<String>,
    /// Who answers later reviews; `ask` on a terminal, else `stop`
    #[arg(long, value_enum)]
    pub review: Option<Review>,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Write the results into this folder, too
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn taken(text: &str) -> Result<Taken, String> {
    let number = |text: &str| {
        let number: Option<u32> = text.parse().ok();
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| "enter an attempt, as in 2, or its version, as in 2.1".to_owned())
    };
    match text.split_once('.') {
        Some((attempt, version)) => Ok(Taken { attempt: number(attempt)?, version: Some(number(version)?) }),
        None => Ok(Taken { attempt: number(text)?, version: None }),
    }
}
