//! What an attempt has beside its output: the text that had arrived, answers that were not taken, and the model's
//! thoughts. It was paid for, so whoever shows an attempt can show it, and none of it is ever an output.

use super::call::Attempt;
use super::text::Untrusted;

/// One such text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside<'a> {
    /// What it is.
    pub kind: AsideKind,
    /// Why it is no output, in the words of the program or a server; empty where the kind says it.
    pub why: &'a str,
    /// The text.
    pub text: &'a Untrusted,
}

/// What a text beside an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsideKind {
    /// What had arrived when the attempt failed or was stopped.
    Partial,
    /// An answer that was not taken.
    Discarded,
    /// The model's reasoning.
    Thoughts,
}

impl Aside<'_> {
    /// A heading for it; from outside as far as [`Aside::why`] is.
    #[must_use]
    pub fn heading(&self) -> Untrusted {
        match self.kind {
            AsideKind::Partial => "What had arrived".into(),
            AsideKind::Discarded => format!("Not used: {}", self.why).into(),
            AsideKind::Thoughts => "The model's thoughts".into(),
        }
    }

    /// How many words it has.
    #[must_use]
    pub fn words(&self) -> usize {
        self.text.data().split_whitespace().count()
    }
}

impl Attempt {
    /// What it has beside its output, in the order in which a person asks for it.
    #[must_use]
    pub fn asides(&self) -> Vec<Aside<'_>> {
        let partial = Some(&self.partial).filter(|_| self.versions.is_empty());
        let partial = partial.map(|text| Aside { kind: AsideKind::Partial, why: "", text });
        let each = self.measured.discarded.iter();
        let discarded = each.map(|kept| Aside { kind: AsideKind::Discarded, why: &kept.why, text: &kept.text });
        let thoughts = Aside { kind: AsideKind::Thoughts, why: "", text: &self.measured.thinking };
        partial.into_iter().chain(discarded).chain([thoughts]).filter(|aside| !aside.text.is_empty()).collect()
    }
}
