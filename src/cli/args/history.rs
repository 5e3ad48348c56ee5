//! `history` as it is typed.

use clap::Args;

use super::status;
use crate::core::run::Status;

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Words to find in inputs, outputs, instructions, messages and documents
    #[arg(trailing_var_arg = false)]
    pub query: Vec<String>,
    /// Runs of this task only
    #[arg(long, value_name = "T")]
    pub task: Option<String>,
    /// running, waiting, paused, completed, failed or cancelled
    #[arg(long, value_name = "S", value_parser = status)]
    pub status: Vec<Status>,
    /// Changed within this time (2d, 12h) or since this day (2026-11-20)
    #[arg(long, value_name = "D", value_parser = since)]
    pub since: Option<Since>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one, allow_negative_numbers = true)]
    pub limit: usize,
    /// Those that were archived, which are in no other list
    #[arg(long)]
    pub archived: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// A beginning of time for a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(std::time::Duration),
    /// That day, local time.
    Day(chrono::NaiveDate),
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

fn since(text: &str) -> Result<Since, String> {
    if let Ok(day) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Since::Day(day));
    }
    crate::core::step::Timespan::parse(text)
        .map(|span| Since::Ago(span.duration()))
        .ok_or_else(|| "expected a time such as 12h or 2d, or a day such as 2026-11-20".to_owned())
}
