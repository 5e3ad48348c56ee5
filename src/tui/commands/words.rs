//! The words by which the palette finds a command: its word in the footer, and what other programs call it.
//!
//! The footer's word comes first for the command that shows it: a person reads it there and types it. A synonym comes
//! next. Words may be shared, as long as no footer of one situation shows the same word twice; a test goes through all
//! situations.

use super::{Id, TABLE};

/// A word of the footer as it is typed: without what it only says by a sign.
#[must_use]
pub fn plain(short: &str) -> String {
    short.trim_end_matches('…').trim().to_lowercase()
}

/// The words that footers show for a command, wherever they do.
pub fn footer_words(id: Id) -> impl Iterator<Item = String> {
    TABLE
        .iter()
        .filter(move |command| command.id == id && !command.short.is_empty())
        .map(|command| plain(command.short))
}

/// What else a command is called.
#[must_use]
pub fn synonyms(id: Id) -> &'static [&'static str] {
    match id {
        Id::Accept => &["approve", "ok", "take", "agree", "done"],
        Id::Approve => &["approve", "permit", "run it", "yes"],
        Id::Deny => &["deny", "reject", "refuse", "no"],
        Id::Answer => &["answer", "reply", "fill in"],
        Id::Worked => &["succeeded", "done", "worked"],
        Id::Keep => &["keep", "stale"],
        Id::Again => &["retry", "again", "rerun", "repeat", "redo", "restart"],
        Id::RaiseBudget => &["budget", "limit", "spend", "cost"],
        Id::Edit | Id::FieldEdit => &["edit", "change", "write", "modify"],
        Id::Retry => &["retry", "again", "instruction", "redo", "revise", "reject", "feedback"],
        Id::OtherModel => &["model", "provider", "switch"],
        Id::GiveKey => &["key", "token", "password", "login"],
        Id::Compare | Id::CompareRuns => &["compare", "diff", "difference", "versions"],
        Id::Skip => &["skip", "ignore", "leave out", "omit"],
        Id::Fork => &["fork", "branch", "split", "clone", "duplicate"],
        Id::Reopen => &["reopen", "back", "redo", "change"],
        Id::Restore => &["restore", "revert", "version"],
        Id::Prompt => &["prompt", "request", "input"],
        Id::Copy => &["copy", "yank", "clipboard"],
        Id::WriteFile => &["export", "save", "write", "download", "file"],
        Id::FollowUp => &["next", "continue", "follow", "use", "translate", "send"],
        Id::RunAgain => &["rerun", "again", "repeat", "restart"],
        Id::Mark => &["mark", "select", "tick"],
        Id::AcceptMarked => &["accept all", "all"],
        Id::Stop => &["stop", "cancel", "abort", "kill", "interrupt"],
        Id::Pause => &["pause", "stop", "halt", "suspend"],
        Id::GoOn => &["resume", "continue", "go on", "unpause"],
        Id::Change => &["change", "rewrite", "shorter", "action"],
        Id::NextWaiting => &["next", "waiting", "pending"],
        Id::Zoom => &["zoom", "fullscreen", "maximize", "bigger"],
        Id::AsWritten => &["raw", "source", "markdown", "signs", "as written"],
        Id::Filter => &["filter", "find", "search"],
        Id::Alike => &["alike", "same", "fold", "group"],
        Id::Focus => &["focus", "pane", "read", "switch"],
        Id::External => &["editor", "vim", "nano", "external"],
        Id::Open => &["open", "show", "start", "enter", "run"],
        Id::Actions => &["actions", "menu", "more", "export", "delete", "rename", "archive"],
        Id::Start => &["start", "run", "submit", "send", "go"],
        Id::NextField => &["next", "field"],
        Id::PreviousField => &["previous", "field"],
        Id::LastValues => &["last", "previous", "values", "again", "fill"],
        Id::Send => &["send", "submit", "say"],
        Id::Thoughts => &["thoughts", "thinking", "reasoning"],
        Id::Document => &["document", "result", "text"],
        Id::WriteAnyway => &["write", "anyway", "skip"],
        Id::Chips => &["filter", "narrow", "status", "task"],
        Id::Clear => &["clear", "reset", "any"],
        Id::Rename => &["rename", "title", "name"],
        Id::Archive => &["archive", "dismiss", "hide", "remove", "clean", "delete"],
        Id::EditDefinition => &["edit", "definition", "prompt", "customize", "editor", "toml"],
        Id::UndoLast => &["undo", "revert", "take back", "unarchive"],
        Id::Inbox => &["inbox", "waiting", "pending", "reviews", "todo"],
        Id::History => &["history", "search", "past", "runs", "results", "find"],
        Id::Models => &["connect", "model", "provider", "ollama", "openai", "key", "login", "roles"],
        Id::SwitchRun => &["switch", "runs", "next run", "tab"],
        Id::Help => &["help", "keys", "shortcuts", "?"],
        Id::Quit | Id::Leave => &["quit", "exit", "leave", "close", "bye"],
        Id::Suspend => &["suspend", "background", "shell"],
        _ => &[],
    }
}
