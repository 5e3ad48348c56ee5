//! What an attempt has beside its output, on a screen: folded to a few words, and in full.

use crate::core::aside::{Aside, AsideKind};
use crate::core::call::Attempt;
use crate::core::text::{Untrusted, counted};
use crate::tui::markdown::Document;

/// In a few words, such as `its thoughts (12 words)`; `None` when there is nothing. What had arrived is left out: where
/// there is no output it is the content itself.
fn folded(attempt: &Attempt) -> Option<String> {
    let each: Vec<String> = besides(attempt)
        .map(|aside| match aside.kind {
            AsideKind::Thoughts => format!("its thoughts ({})", counted(aside.words(), "word")),
            _ => format!("an answer that was not used ({})", counted(aside.words(), "word")),
        })
        .collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// The same in full, each under its heading, as Markdown that nothing in it can leave.
fn unfolded(attempt: &Attempt) -> Untrusted {
    Untrusted::new(besides(attempt).map(|aside| in_full(&aside)).collect::<String>())
}

/// One of them, under its heading.
#[must_use]
pub fn in_full(aside: &Aside<'_>) -> String {
    let lines = aside.text.data().lines().map(|line| format!("    {line}\n"));
    format!("\n**{}**\n\n{}", aside.heading().data(), lines.collect::<String>())
}

/// Both, the latter laid out; `None` when there is nothing.
#[must_use]
pub fn of(attempt: &Attempt) -> Option<(String, Document)> {
    Some((folded(attempt)?, Document::new(&unfolded(attempt))))
}

fn besides(attempt: &Attempt) -> impl Iterator<Item = Aside<'_>> {
    attempt.asides().into_iter().filter(|aside| aside.kind != AsideKind::Partial)
}
