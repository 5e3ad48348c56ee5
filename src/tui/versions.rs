//! Two versions of a call or of a document, compared word by word: any of them with any other.

use std::sync::Arc;

use serde_json::Value;

use super::diff::Comparison;
use super::shown::Page;
use super::widgets::scroll::Scroll;
use crate::core::actor::Actor;
use crate::core::call::Call;
use crate::core::document::{Document as Written, DocumentVersion};

/// Two of the versions of a call or a document, compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Every version: attempt, version, by whom.
    versions: Vec<(u32, u32, Actor, Arc<Value>)>,
    /// The later one.
    at: usize,
    /// What it is compared with, an earlier one.
    with: usize,
    /// The comparison.
    pub comparison: Comparison,
    /// Where it is scrolled to.
    pub scroll: Scroll,
}

impl Compare {
    /// Compares what is on screen. Without paging that is `now`, with the output before it: the model's with the person's,
    /// when the person edited it. An earlier page, `shown`, is compared with `now`. `None` with fewer than two outputs.
    #[must_use]
    pub fn of(call: &Call, shown: Option<Page>, now: Page) -> Option<Self> {
        let versions: Vec<_> = call
            .attempts
            .iter()
            .flat_map(|attempt| {
                (1..).zip(&attempt.versions).map(|(n, v)| (attempt.number, n, v.by.clone(), v.output.clone()))
            })
            .collect();
        let place = |page: Page| versions.iter().position(|(a, v, ..)| (*a, *v) == (page.attempt, page.version));
        let last = versions.len().checked_sub(1).filter(|last| *last > 0)?;
        let now = place(now).unwrap_or(last);
        let (with, at) = match shown.and_then(place).filter(|shown| *shown != now) {
            Some(shown) => (shown.min(now), shown.max(now)),
            None => (now.saturating_sub(1), now.max(1)),
        };
        let comparison = Comparison::of_values(&versions[with].3, &versions[at].3);
        Some(Self { versions, at, with, comparison, scroll: Scroll::at_start() })
    }

    /// Compares the version of a document that counts with another: the one that is shown instead, the one that is
    /// proposed, or else the one before it. `None` where there is no other.
    #[must_use]
    pub fn of_document(document: &Written, shown: Option<Page>) -> Option<Self> {
        let titled = document.versions.iter().any(|version| version.title != document.versions[0].title);
        let text = |version: &DocumentVersion| {
            let (title, body) = (version.title.data(), version.body.data());
            Arc::new(Value::String(if titled { format!("{title}\n\n{body}") } else { body.to_owned() }))
        };
        let versions: Vec<_> =
            (1..).zip(&document.versions).map(|(number, v)| (0, number, v.by.clone(), text(v))).collect();
        let (counts, _) = document.current()?;
        let proposed = document.gate.as_ref().map(|gate| gate.version);
        let before = if counts > 1 { counts - 1 } else { 2 };
        let other = shown.map(|page| page.version).or(proposed).unwrap_or(before);
        let place = |number: u32| (number as usize).checked_sub(1);
        let (with, at) = (place(counts.min(other))?, place(counts.max(other))?);
        let comparison = Comparison::of_values(&versions.get(with)?.3, &versions.get(at)?.3);
        (with < at).then_some(Self { versions, at, with, comparison, scroll: Scroll::at_start() })
    }

    /// The version before or after, each with the one before it.
    pub fn step(&mut self, by: isize) {
        let at = self.at.saturating_add_signed(by).clamp(1, self.versions.len() - 1);
        self.pair(at - 1, at);
    }

    /// Compares with an earlier or a later one than before.
    pub fn against(&mut self, by: isize) {
        self.pair(self.with.saturating_add_signed(by).min(self.at - 1), self.at);
    }

    fn pair(&mut self, with: usize, at: usize) {
        if (with, at) != (self.with, self.at) {
            (self.with, self.at) = (with, at);
            self.comparison = Comparison::of_values(&self.versions[with].3, &self.versions[at].3);
            self.scroll = Scroll::at_start();
        }
    }

    /// How many versions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.versions.len()
    }

    /// What is compared with what.
    #[must_use]
    pub fn title(&self) -> String {
        let name = |at: usize| {
            let (attempt, version, by, _) = &self.versions[at];
            let by = if by.is_person() { "mine" } else { by.as_str() };
            if *attempt == 0 {
                format!("version {version} ({by})")
            } else if *version > 1 {
                format!("attempt {attempt}, version {version} ({by})")
            } else {
                format!("attempt {attempt} ({by})")
            }
        };
        format!("{} → {}", name(self.with), name(self.at))
    }
}
