//! `document` as it is typed.

use clap::Args;

/// `document`.
#[derive(Debug, Args)]
pub struct DocumentArgs {
    /// A piece of the run's id, or `last`
    pub run: String,
    /// The document; else the result
    pub name: Option<String>,
    /// List its versions
    #[arg(long, conflicts_with_all = ["edit", "restore"])]
    pub versions: bool,
    /// Write a version of your own
    #[arg(long, value_name = "FILE|-", conflicts_with = "restore")]
    pub edit: Option<String>,
    /// Make the text of a version the newest
    #[arg(long, value_name = "N")]
    pub restore: Option<u32>,
    /// Have an action of the definition make a new version
    #[arg(long, value_name = "ID", conflicts_with_all = ["versions", "edit", "restore"])]
    pub action: Option<String>,
    /// Have it changed as these words say, as a new version
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["versions", "edit", "restore", "action"])]
    pub change: Option<String>,
    /// JSON on stdout
    #[arg(long)]
    pub json: bool,
}
