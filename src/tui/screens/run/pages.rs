//! The attempts and versions of a call as pages: what there is to page through, what a page shows, and what taking it is.
//!
//! The page that is shown without paging is what waits, what was accepted, or what is under way ([`current`]); any other
//! is *earlier*, whichever way it lies in time. What waits is then not on screen, so that no key answers it but the one
//! that takes what is.

use super::rows::RowId;
use crate::core::actor::Actor;
use crate::core::call::{Attempt, Call, CallStatus};
use crate::core::decide::{DecisionKind, Taken, decide};
use crate::core::gate::{Gate, GateKind};
use crate::core::run::Run;
use crate::tui::shown::{Page, ShownGate, Target};
use crate::tui::situation::Behind;

/// The page of a call or a document that the person has gone to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged {
    /// Its row.
    pub row: RowId,
    /// The page.
    pub page: Page,
}

/// The page that is shown of a call that waits at `gate`, or at none: what waits, what was accepted, else the newest.
pub fn current(call: &Call, gate: Option<&Gate>) -> Page {
    let newest = || call.newest().map(|attempt| (attempt.number, attempt.newest().map_or(0, |(version, _)| version)));
    let output = || call.output().map(|(attempt, version, _)| (attempt, version));
    let shown = match (gate, call.status) {
        (Some(gate), _) => Some((gate.attempt, gate.version)),
        // Of what was skipped, only that is shown.
        (None, CallStatus::Running | CallStatus::Skipped) => call.newest().map(|attempt| (attempt.number, 0)),
        (None, CallStatus::Failed | CallStatus::Cancelled | CallStatus::Pending) => newest().or_else(output),
        (None, _) => call.standing.as_ref().map(|stands| (stands.attempt, stands.version)).or_else(output),
    };
    let (attempt, version) = shown.unwrap_or_default();
    Page { attempt, version }
}

/// Every page of a call, oldest first.
pub fn pages(call: &Call, gate: Option<&Gate>) -> Vec<Page> {
    let of = |attempt: &Attempt| {
        let versions = u32::try_from(attempt.versions.len()).unwrap_or(u32::MAX);
        let number = attempt.number;
        (versions.min(1)..=versions).map(move |version| Page { attempt: number, version })
    };
    let mut pages: Vec<Page> = call.attempts.iter().flat_map(of).collect();
    let now = current(call, gate);
    if !pages.contains(&now) {
        let at = pages.iter().rposition(|page| page.attempt <= now.attempt).map_or(0, |at| at + 1);
        pages.insert(at, now);
    }
    pages
}

/// The page that many pages after `from`; the first and the last are the ends.
pub fn step(call: &Call, gate: Option<&Gate>, from: Page, by: isize) -> Page {
    let pages = pages(call, gate);
    let at = pages.iter().position(|page| *page == from).unwrap_or(pages.len());
    let to = at.saturating_add_signed(by).min(pages.len().saturating_sub(1));
    pages.get(to).copied().unwrap_or(from)
}

/// Which page of how many it is: `attempt 2 of 3, version 1`. Empty while there is one.
pub fn name(call: &Call, page: Page) -> String {
    let attempts = call.attempts.len();
    let versions = call.attempt(page.attempt).map_or(0, |attempt| attempt.versions.len());
    let version = call.attempt(page.attempt).and_then(|attempt| attempt.version(page.version));
    let undone = if version.is_some_and(|version| version.withdrawn) { ", undone" } else { "" };
    let of_versions = if versions > 1 { format!(" of {versions}{undone}") } else { undone.to_owned() };
    match (attempts > 1, page.version) {
        (true, 0) => format!("attempt {} of {attempts}", page.attempt.max(1)),
        (true, version) => format!("attempt {} of {attempts}, version {version}{of_versions}", page.attempt),
        (false, version) if version > 0 && versions > 1 => format!("version {version}{of_versions}"),
        (false, _) => String::new(),
    }
}

/// The same where there is little room: `2 of 3, v1`.
pub fn short_name(call: &Call, page: Page) -> String {
    let attempts = call.attempts.len();
    match (attempts > 1, page.version) {
        (true, 0) => format!("{} of {attempts}", page.attempt.max(1)),
        (true, version) => format!("{} of {attempts}, v{version}", page.attempt),
        (false, _) => name(call, page),
    }
}

/// What is said when there is no page in that direction.
pub fn end(by: isize) -> &'static str {
    if by < 0 { "this is the first" } else { "this is the newest" }
}

/// What an earlier page of a call is shown instead of.
pub fn behind(call: &Call, gate: Option<&Gate>) -> Behind {
    match gate.map(Gate::kind) {
        Some(GateKind::Review) => Behind::Review,
        None if call.failed_work().is_some() => Behind::Failed,
        None if call.status == CallStatus::Accepted => Behind::Accepted,
        _ => Behind::Other,
    }
}

/// What a page of a call is taken instead of, as it is now.
pub fn target(run: &Run, call: &Call, gate: Option<&Gate>) -> Target {
    gate.map_or_else(|| Target::of(run, call), |gate| Target::Gate(ShownGate::of(run, gate)))
}

/// Taking a page.
pub fn take(page: Page) -> DecisionKind {
    DecisionKind::Take { take: Taken { attempt: page.attempt, version: Some(page.version) } }
}

/// Whether an earlier page may be taken instead of what waits: asked of the rule itself.
pub fn may_take(run: &Run, call: &Call, gate: Option<&Gate>, page: Page) -> bool {
    let decision = target(run, call, gate).decision(take(page));
    // Who decides makes no difference to whether it can be taken.
    page.version > 0 && decide(run, &decision, &Actor::Flow).is_ok()
}

/// What a person should know before a page is taken, a line each: it was made for something else, or fails its checks.
pub fn before_taking(run: &Run, call: &Call, gate: Option<&Gate>, page: Page) -> Vec<String> {
    let decision = target(run, call, gate).decision(take(page));
    let Some(attempt) = call.attempt(page.attempt) else { return Vec::new() };
    let failed = attempt.version(page.version).map(|version| version.failed.as_slice()).unwrap_or_default();
    let mut lines: Vec<String> = failed.iter().map(|check| format!("It fails a check: {check}.")).collect();
    if decision.takes_from_elsewhere(run).is_some() {
        lines.push(format!(
            "Attempt {} was made before an input of this call changed: it is taken as it is, and kept.",
            page.attempt
        ));
    }
    lines
}
