//! `tools` as it is typed.

use clap::{Args, Subcommand};

/// `tools`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ToolsArgs {
    /// One server, or one tool of your own, with the arguments of its tools; else all
    pub name: Option<String>,
    /// One JSON object a server on stdout
    #[arg(long)]
    pub json: bool,
    /// What else
    #[command(subcommand)]
    pub call: Option<ToolsCommand>,
}

/// What is done with a tool.
#[derive(Debug, Subcommand)]
pub enum ToolsCommand {
    /// Call a tool once, outside any run; asks first
    Call(ToolCallArgs),
}

/// `tools call`.
#[derive(Debug, Args)]
pub struct ToolCallArgs {
    /// `SERVER/NAME`, or the name of a tool of your own
    pub tool: String,
    /// An argument: its text, `@FILE` for a file's, `@-` for stdin; where no text is expected, JSON. May be repeated
    #[arg(short, long = "argument", value_name = "NAME=VALUE")]
    pub arguments: Vec<String>,
    /// Do not ask first
    #[arg(long)]
    pub yes: bool,
    /// The result as a JSON object on stdout
    #[arg(long)]
    pub json: bool,
}
