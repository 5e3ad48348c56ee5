//! The gates of a call that are open.

use chrono::{DateTime, Utc};

use super::{Gate, GateKind};
use crate::core::tool_call::ToolCallId;

/// The open gates of a call: at most one of the call as a whole, and one for each tool call of its attempt that waits.
///
/// A gate takes the place of the one that is open for the same; gates for different things are open at the same time,
/// and closing one leaves the others. That of the call as a whole comes first, then those of tool calls in the order in
/// which they were opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenGates(Vec<Open>);

#[derive(Clone, Debug, PartialEq)]
struct Open {
    gate: Gate,
    since: DateTime<Utc>,
    /// The event that opened it as it is.
    seq: u64,
}

impl OpenGates {
    /// The gate that comes first.
    #[must_use]
    pub fn first(&self) -> Option<&Gate> {
        self.0.first().map(|open| &open.gate)
    }

    /// The gate of the call as a whole.
    #[must_use]
    pub fn own(&self) -> Option<&Gate> {
        self.of(None)
    }

    /// The gate of a tool call; `None`: of the call as a whole.
    #[must_use]
    pub fn of(&self, call: Option<ToolCallId>) -> Option<&Gate> {
        self.iter().find(|gate| gate.call == call)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Gate> {
        self.0.iter().map(|open| &open.gate)
    }

    /// All of them, each with the time since when it waits: the same thing in another version waits no shorter.
    pub fn since(&self) -> impl Iterator<Item = (&Gate, DateTime<Utc>)> {
        self.0.iter().map(|open| (&open.gate, open.since))
    }

    /// For how long the gate of a tool call has been open, in milliseconds; `None` for the call: of the call as a whole.
    #[must_use]
    pub fn open_for(&self, call: Option<ToolCallId>, now: DateTime<Utc>) -> u64 {
        let since = self.since().find(|(gate, _)| gate.call == call).map_or(now, |(_, since)| since);
        u64::try_from((now - since).num_milliseconds()).unwrap_or(0)
    }

    /// The event that opened the gate of a tool call as it is; `None` for the call: of the call as a whole.
    #[must_use]
    pub fn opened(&self, call: Option<ToolCallId>) -> Option<u64> {
        self.0.iter().find(|open| open.gate.call == call).map(|open| open.seq)
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What events make of them.
impl OpenGates {
    pub(in crate::core) fn open(&mut self, gate: &Gate, seq: u64, at: DateTime<Utc>) {
        let Some(open) = self.0.iter_mut().find(|open| open.gate.call == gate.call) else {
            let place = if gate.call.is_none() { 0 } else { self.0.len() };
            self.0.insert(place, Open { gate: gate.clone(), since: at, seq });
            return;
        };
        if open.gate.kind() != gate.kind() || open.gate.attempt != gate.attempt {
            open.since = at;
        }
        open.gate = gate.clone();
        open.seq = seq;
    }

    pub(in crate::core) fn own_mut(&mut self) -> Option<&mut Gate> {
        self.0.iter_mut().map(|open| &mut open.gate).find(|gate| gate.call.is_none())
    }

    /// Closes the gate of a tool call; `None`: of the call as a whole. Whether it was open.
    pub(in crate::core) fn close(&mut self, call: Option<ToolCallId>) -> bool {
        let before = self.len();
        self.0.retain(|open| open.gate.call != call);
        self.len() < before
    }

    /// Closes all of a kind.
    pub(in crate::core) fn close_kind(&mut self, kind: GateKind) {
        self.retain(|gate| gate.kind() != kind);
    }

    /// Closes all but those.
    pub(in crate::core) fn retain(&mut self, stays: impl Fn(&Gate) -> bool) {
        self.0.retain(|open| stays(&open.gate));
    }

    pub(in crate::core) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests;
