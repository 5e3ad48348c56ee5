//! The command line as it is typed. Names, values and help are a contract; what they do is in the other modules.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::core::event::InstructionScope;
use crate::core::run::Status;
use crate::export;

mod document;
mod history;
mod review;
mod tools;

pub use document::DocumentArgs;
pub use history::{HistoryArgs, Since};
pub use review::ReviewArgs;
pub use tools::{ToolCallArgs, ToolsArgs, ToolsCommand};

/// Work that a language model does in steps and a person signs off.
#[derive(Debug, Parser)]
#[command(name = "stepwell", version, about, max_term_width = 100)]
pub struct Cli {
    /// Lines of plain text only, never the full-screen interface
    #[arg(long, global = true)]
    pub plain: bool,
    /// What to do; without a command, the terminal interface
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Start a task and drive it until it waits or ends
    Run(RunArgs),
    /// Answer what a run waits for, then drive it on
    Review(ReviewArgs),
    /// Go on with a run; a failed one gets a fresh set of attempts
    Resume(ResumeArgs),
    /// Stop a run for good
    Cancel {
        /// A piece of its id, or `last`
        run: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Take back your newest decision in a run: accept, skip, keep, edit, rename, archive
    Undo {
        /// A piece of its id, or `last`
        run: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Put runs away: they leave every list until something happens in them
    Archive {
        /// A piece of each one's id, or `last`
        #[arg(required = true)]
        runs: Vec<String>,
        /// Bring them back
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Start the task of a run again, nothing taken over
    Rerun(RerunArgs),
    /// Start a new run from a point in another: what does not depend on that call is taken over
    Fork(ForkArgs),
    /// Take up an accepted call again
    Reopen {
        /// A piece of the run's id, or `last`
        run: String,
        /// The call, as `show` names it
        key: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Show a run
    Show {
        /// A piece of its id, or `last`
        run: String,
        /// As one JSON object
        #[arg(long, conflicts_with = "events")]
        json: bool,
        /// Its journal, one JSON object a line
        #[arg(long)]
        events: bool,
    },
    /// List runs, or search everything that runs ever held
    History(HistoryArgs),
    /// Read a document of a run, edit it, or restore a version of it
    Document(DocumentArgs),
    /// Compare two runs, calls, attempts or documents word by word: `RUN`, `RUN:KEY`, `RUN:KEY#ATTEMPT`, `RUN:NAME#VERSION`
    Diff {
        /// The older one
        a: String,
        /// The newer one
        b: String,
        #[command(flatten)]
        json: JsonArg,
    },
    /// What was learned for later runs
    Learned {
        /// Of this task only
        task: Option<String>,
        /// Change a lesson
        #[arg(long, num_args = 2, value_names = ["ID", "TEXT"], conflicts_with_all = ["remove", "task"])]
        edit: Option<Vec<String>>,
        /// Forget a lesson
        #[arg(long, value_name = "ID", conflicts_with = "task")]
        remove: Option<i64>,
    },
    /// Write a run to a file
    Export {
        /// A piece of its id, or `last`
        run: String,
        /// md, json, html, pdf or csv; else what the file's name ends with, md for stdout
        #[arg(long, value_parser = format)]
        format: Option<export::Format>,
        /// result, full, steps or log
        #[arg(long, default_value = "result", value_parser = scope_of_export)]
        scope: export::ExportScope,
        /// The file; else stdout
        #[arg(short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        json: JsonArg,
    },
    /// List what can be started
    Tasks {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        dir: DirArg,
    },
    /// List the tools of the configured servers, or call one
    Tools(ToolsArgs),
    /// Find every mistake in definitions
    Check {
        /// Files, folders, or ids as `run` takes them; else all that `tasks` lists
        paths: Vec<PathBuf>,
        #[command(flatten)]
        dir: DirArg,
    },
    /// Allow a definition from elsewhere to run, as it is now
    Trust {
        /// A task's file, a workflow's folder, or a folder of them
        path: PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Begin a definition of your own
    New {
        /// What it is
        kind: NewKind,
        /// Its id, which is also the name of its file
        id: String,
        /// What to begin with: graph, script, python, or the id of a task to copy
        #[arg(long, value_name = "graph|script|python|TASK")]
        from: Option<String>,
        #[command(flatten)]
        dir: DirArg,
    },
    /// Which models can answer
    Models,
    /// What would answer and why, and what is missing
    Doctor {
        /// Make the lists and the search anew from the journal
        #[arg(long)]
        rebuild: bool,
        /// Also ask every configured model for one word, which may cost something
        #[arg(long, conflicts_with = "rebuild")]
        r#try: bool,
    },
    /// Where everything lies
    Paths,
    /// Completions for a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
    /// Drives a run in a session of its own
    #[command(name = "drive-detached", hide = true)]
    DriveDetached {
        /// The run
        run: String,
        #[command(flatten)]
        dir: DirArg,
        #[command(flatten)]
        after: AfterArgs,
        /// For the process that holds the other end of stdin, from this event on
        #[arg(long, value_name = "SEQ")]
        relayed: Option<u64>,
        #[command(flatten)]
        drive: DriveArgs,
    },
}

impl CliCommand {
    /// Whether a program reads its stdout.
    #[must_use]
    pub fn is_json(&self) -> bool {
        match self {
            Self::Run(RunArgs { drive, .. })
            | Self::Resume(ResumeArgs { drive, .. })
            | Self::Rerun(RerunArgs { drive, .. })
            | Self::Fork(ForkArgs { drive, .. })
            | Self::DriveDetached { drive, .. } => drive.json,
            Self::Review(ReviewArgs { json, .. })
            | Self::History(HistoryArgs { json, .. })
            | Self::Document(DocumentArgs { json, .. })
            | Self::Tools(
                ToolsArgs { call: Some(ToolsCommand::Call(ToolCallArgs { json, .. })), .. } | ToolsArgs { json, .. },
            )
            | Self::Show { json, .. }
            | Self::Tasks { json, .. }
            | Self::Cancel { json: JsonArg { json }, .. }
            | Self::Undo { json: JsonArg { json }, .. }
            | Self::Archive { json: JsonArg { json }, .. }
            | Self::Reopen { json: JsonArg { json }, .. }
            | Self::Export { json: JsonArg { json }, .. }
            | Self::Diff { json: JsonArg { json }, .. }
            | Self::Trust { json: JsonArg { json }, .. } => *json,
            Self::Learned { .. }
            | Self::Check { .. }
            | Self::New { .. }
            | Self::Models
            | Self::Doctor { .. }
            | Self::Paths
            | Self::Completions { .. } => false,
        }
    }
}

/// Whether a program reads stdout.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct JsonArg {
    /// JSON objects on stdout, one a line; the last says what went wrong
    #[arg(long)]
    pub json: bool,
}

/// Where to look for definitions beside the usual places.
#[derive(Clone, Debug, Default, Args)]
pub struct DirArg {
    /// A folder that holds `tasks` and `workflows`
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

impl DirArg {
    /// The flag that says it again, quoted for a shell, with a space before it; nothing where none was given.
    #[must_use]
    pub fn flag(&self) -> String {
        let dir = self.dir.as_ref().map(|dir| super::out::quoted(&dir.display().to_string()));
        dir.map(|dir| format!(" --dir {dir}")).unwrap_or_default()
    }
}

/// Who answers reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Review {
    /// You, line by line
    Ask,
    /// What passes its schema and checks is accepted
    Accept,
    /// Nobody: the run waits
    Stop,
}

/// Who answers approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// You; without a terminal the run waits
    Ask,
    /// Every effect is allowed
    All,
    /// No effect is allowed
    Deny,
}

/// How a run is driven.
#[derive(Clone, Debug, Default, Args)]
pub struct DriveArgs {
    /// Who answers reviews; `ask` on a terminal, else `stop`
    #[arg(long, value_enum)]
    pub review: Option<Review>,
    /// Who allows effects
    #[arg(long, value_enum)]
    pub approve: Option<Approve>,
    /// One JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Write the results into this folder, too
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// What a run may spend.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct BudgetArg {
    /// What it may spend in all, in US dollars
    #[arg(long, value_name = "USD", value_parser = usd, allow_negative_numbers = true)]
    pub budget: Option<f64>,
}

/// Values for a task's inputs.
#[derive(Clone, Debug, Default, Args)]
pub struct InputArgs {
    /// An input; `@FILE` takes a file, `@-` stdin, `@@…` a text that begins with `@`
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// All inputs as a JSON object
    #[arg(long, value_name = "FILE|-")]
    pub inputs: Option<String>,
    /// The first required text input
    #[arg(long, value_name = "TEXT|-", allow_hyphen_values = true)]
    pub prompt: Option<String>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The task's id
    pub task: String,
    #[command(flatten)]
    pub inputs: InputArgs,
    /// A role of the config or PROVIDER/MODEL, in the place of the task's
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    /// Share state and history with the other runs of this session
    #[arg(long, value_name = "NAME", value_parser = session)]
    pub session: Option<String>,
    #[command(flatten)]
    pub dir: DirArg,
    /// Go on in a process of its own, to the next time that it waits; prints the run's id
    #[arg(long)]
    pub detach: bool,
    #[command(flatten)]
    pub after: AfterArgs,
    #[command(flatten)]
    pub budget: BudgetArg,
    #[command(flatten)]
    pub drive: DriveArgs,
}

/// What is done about the workflows that follow a run.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct AfterArgs {
    /// Start up to N workflows that follow
    #[arg(long, value_name = "N")]
    pub autoruns: Option<u32>,
    /// Print what would follow; with `--json` one object a line
    #[arg(long)]
    pub next: bool,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// A piece of its id, or `last`
    pub run: String,
    /// Go on with today's definition
    #[arg(long)]
    pub update: bool,
    /// Have a role of the config or PROVIDER/MODEL do all that is left
    #[arg(long, value_name = "M")]
    pub model: Option<String>,
    #[command(flatten)]
    pub dir: DirArg,
    #[command(flatten)]
    pub budget: BudgetArg,
    #[command(flatten)]
    pub drive: DriveArgs,
}

/// `rerun`.
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// A piece of the run's id, or `last`
    pub run: String,
    #[command(flatten)]
    pub inputs: InputArgs,
    /// With the definition that the run keeps, not today's
    #[arg(long)]
    pub pinned: bool,
    #[command(flatten)]
    pub dir: DirArg,
    #[command(flatten)]
    pub budget: BudgetArg,
    #[command(flatten)]
    pub drive: DriveArgs,
}

/// `fork`.
#[derive(Debug, Args)]
pub struct ForkArgs {
    /// A piece of the run's id, or `last`
    pub run: String,
    /// The call at which the new run leaves the old one
    #[arg(long, value_name = "KEY")]
    pub at: String,
    /// With the definition that the run keeps, not today's
    #[arg(long)]
    pub pinned: bool,
    #[command(flatten)]
    pub dir: DirArg,
    #[command(flatten)]
    pub budget: BudgetArg,
    #[command(flatten)]
    pub drive: DriveArgs,
}

/// What `new` begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NewKind {
    /// A short conversation that ends in a document
    #[value(alias = "task")]
    Instruct,
    /// Step after step
    Workflow,
}

fn usd(text: &str) -> Result<f64, String> {
    let number: f64 =
        text.trim_start_matches('$').parse().map_err(|_| "expected US dollars, such as 2.50".to_owned())?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("it is not below 0".to_owned()) }
}

/// A name that is nothing would share state with every other run that was given none by mistake.
fn session(name: &str) -> Result<String, String> {
    if name.trim().is_empty() {
        Err("enter a name for the session, or leave the flag out".to_owned())
    } else {
        Ok(name.to_owned())
    }
}

fn one_of<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn format(text: &str) -> Result<export::Format, String> {
    one_of(text, &export::Format::ALL, export::Format::name)
}

fn scope_of_export(text: &str) -> Result<export::ExportScope, String> {
    one_of(text, &export::ExportScope::ALL, export::ExportScope::name)
}

fn status(text: &str) -> Result<Status, String> {
    one_of(text, &Status::ALL, Status::name)
}

/// Reads the name of an instruction's scope.
///
/// # Errors
/// When there is no such scope.
pub fn scope_of_instruction(text: &str) -> Result<InstructionScope, String> {
    one_of(
        text,
        &[InstructionScope::This, InstructionScope::Remaining, InstructionScope::Always],
        |scope| match scope {
            InstructionScope::This => "this",
            InstructionScope::Remaining => "remaining",
            InstructionScope::Always => "always",
        },
    )
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn the_declaration_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn review_takes_an_edit_with_accept_and_nothing_else_in_pairs() {
        let read = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(read("stepwell review last --edit x --accept").is_ok());
        assert!(read("stepwell review last write[1] --deny").is_ok());
        assert!(read("stepwell review last --approve").is_ok());
        assert!(read("stepwell review last --accept --approve all").is_ok());
        assert!(read("stepwell review last --accept --budget 2").is_ok());
        for wrong in ["--accept --skip", "--retry x --accept", "", "--keep --again"] {
            assert!(read(&format!("stepwell review last {wrong}").trim_end().replace("  ", " ")).is_err(), "{wrong}");
        }
    }
}
