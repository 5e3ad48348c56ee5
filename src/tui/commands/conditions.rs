//! Conditions under which commands can be given, as far as several rows of the table share them. Each reads a
//! [`Situation`] alone.

use crate::core::gate::GateKind;
use crate::tui::situation::{Behind, Layer, Screen, Selected, Situation};

/// On a run or in the inbox, with nothing above.
pub(super) fn on_run(s: &Situation) -> bool {
    matches!(s.screen, Screen::Run | Screen::Inbox) && s.layer == Layer::None
}

pub(super) fn gate(s: &Situation, kind: GateKind) -> bool {
    on_run(s) && s.selected == Selected::Gate(kind)
}

pub(super) fn on(s: &Situation, screen: Screen) -> bool {
    s.screen == screen && s.layer == Layer::None
}

pub(super) fn reads(s: &Situation) -> bool {
    let compares = matches!(s.layer, Layer::Compare | Layer::CompareRuns);
    compares
        || matches!(
            s.layer,
            Layer::Prompt | Layer::Calls | Layer::Document | Layer::Found | Layer::Preview | Layer::Help
        )
}

/// A layer that is no question of one line, and no list of commands itself: help can be asked for there too.
pub(super) fn layered(s: &Situation) -> bool {
    !matches!(s.layer, Layer::None | Layer::Ask | Layer::Confirm | Layer::Palette | Layer::Help)
}

/// Another version of the document of a conversation is shown than the one that counts.
pub(super) fn earlier_document(s: &Situation) -> bool {
    s.layer == Layer::Document && s.acceptable
}

/// It waits to be allowed: an effect, or tools that have changed.
pub(super) fn allows(s: &Situation) -> bool {
    gate(s, GateKind::Approval) || gate(s, GateKind::Tools)
}

/// The arguments of a tool call are edited before it is allowed.
pub(super) fn edits_arguments(s: &Situation) -> bool {
    let edits = matches!(s.layer, Layer::Edit | Layer::Fields);
    matches!(s.screen, Screen::Run | Screen::Inbox) && edits && s.selected == Selected::Gate(GateKind::Approval)
}

/// The call has ended, well or not: what came of it, or of an earlier attempt, is shown.
pub(super) fn rests_at(s: &Situation) -> bool {
    s.selected == Selected::Accepted || ended(s) || instead_of(s, Behind::Accepted)
}

/// In a conversation, an answer is under way.
pub(super) fn answers(s: &Situation) -> bool {
    on(s, Screen::Chat) && s.selected == Selected::Running
}

/// The call failed: it waits for nothing, and yet a person may say how the run continues from it.
pub(super) fn failed(s: &Situation) -> bool {
    on_run(s) && matches!(s.selected, Selected::Failed | Selected::Keyless)
}

/// The call ended, and did not do well.
pub(super) fn ended(s: &Situation) -> bool {
    failed(s) || on_run(s) && s.selected == Selected::Ended
}

/// In a conversation, the answer waits for a decision about a tool call, or about tools that changed.
pub(super) fn holds_up_answer(s: &Situation) -> bool {
    on(s, Screen::Chat) && s.tool && !s.rests
}

/// In a conversation, the last answer failed.
pub(super) fn answer_failed(s: &Situation) -> bool {
    on(s, Screen::Chat) && matches!(s.selected, Selected::Failed | Selected::Keyless | Selected::Ended)
}

/// It runs again without a question: no model is there that could be told what to do differently.
pub(super) fn runs_again(s: &Situation) -> bool {
    gate(s, GateKind::InDoubt) || gate(s, GateKind::Stale) || ended(s)
}

/// An earlier attempt or another version is shown instead of that.
pub(super) fn instead_of(s: &Situation, behind: Behind) -> bool {
    on_run(s) && s.selected == Selected::Earlier(behind)
}

/// There is room for the list alone, and the text of the selected row is a key away.
pub(super) fn is_listed_only(s: &Situation) -> bool {
    on_run(s) && !s.output && matches!(s.selected, Selected::Accepted | Selected::Result | Selected::Document)
}

/// There is a text that may leave the screen. What an approval shows is answered by other keys only.
pub(super) fn takes_along(s: &Situation) -> bool {
    let asks = matches!(s.selected, Selected::Gate(GateKind::Approval | GateKind::Tools) | Selected::Unread);
    on_run(s) && s.output && !asks
}

/// The arrows move in a list: everywhere but in a text of several lines.
pub(super) fn moves(s: &Situation) -> bool {
    match s.layer {
        Layer::None => !matches!(s.screen, Screen::Form | Screen::Chat),
        Layer::Palette | Layer::Fields | Layer::Others => true,
        _ => reads(s),
    }
}

/// There is more than a screen of it: pages, the beginning and the end are ways to go.
pub(super) fn pages(s: &Situation) -> bool {
    moves(s) && !matches!(s.layer, Layer::Fields | Layer::Others)
}

/// The arrows move, and letters are not text.
pub(super) fn moves_by_letter(s: &Situation) -> bool {
    moves(s) && !s.takes_text()
}

/// What is edited can be accepted: the output of a call. A document is what its newest version is.
pub(super) fn accepts_edit(s: &Situation) -> bool {
    let document = matches!(s.selected, Selected::Result | Selected::Document | Selected::Earlier(Behind::Document));
    s.screen != Screen::Chat && matches!(s.layer, Layer::Edit | Layer::Fields) && !document && !edits_arguments(s)
}

/// The arrows page through versions.
pub(super) fn has_versions(s: &Situation) -> bool {
    matches!(s.layer, Layer::Compare | Layer::Document) && s.several || s.layer == Layer::Preview && s.acceptable
}
