//! The log under way: what happened in a run, on its way to the flow and into the journal.
//!
//! What always holds: the folded run is the journal up to [`Log::committed`] with [`Log::staged`] on top of it; and of all
//! these events the flow's session is fed each once, in order. What was committed before it was fed waits in front of what
//! is staged, of which the first `fed` are known to the session: then nothing waits there.

use crate::core::event::Event;

/// What happened since the run was taken over.
#[derive(Default)]
pub struct Log {
    /// The newest event that the journal has.
    committed: u64,
    /// Folded, not committed.
    staged: Vec<Event>,
    /// For each of them, whether it is a fact that must outlive a conflict.
    facts: Vec<bool>,
    /// So many of them are fed.
    fed: usize,
    /// Committed, not fed.
    unfed: Vec<Event>,
    /// How often others were faster.
    rebased: u64,
}

impl Log {
    /// The log of a run whose journal is at event `head`, which its session knows.
    pub fn at(head: u64) -> Self {
        Self { committed: head, ..Self::default() }
    }

    /// The newest event that the journal has.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// What is folded and not committed.
    pub fn staged(&self) -> &[Event] {
        &self.staged
    }

    /// How often others were faster: another number means that what was staged before may be gone.
    pub fn rebased(&self) -> u64 {
        self.rebased
    }

    /// Stages an event that was folded. A `fact` is staged again when others were faster; the rest is derived again.
    pub fn stage(&mut self, event: Event, fact: bool) {
        self.staged.push(event);
        self.facts.push(fact);
    }

    /// Feeds the session what it does not know.
    pub fn feed<T>(&mut self, session: impl FnOnce(&[Event]) -> T) -> T {
        let fed = if self.unfed.is_empty() {
            session(&self.staged[self.fed..])
        } else {
            self.unfed.extend_from_slice(&self.staged[self.fed..]);
            session(&self.unfed)
        };
        self.is_known();
        fed
    }

    /// A session was opened on the folded run: it knows all of it.
    pub fn is_known(&mut self) {
        self.fed = self.staged.len();
        self.unfed.clear();
    }

    /// Takes what is staged, to be committed: [`Log::commits`] or [`Log::gives_back`] says what came of it.
    pub fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.staged)
    }

    /// What was taken is committed.
    pub fn commits(&mut self, taken: &[Event]) {
        self.unfed.extend_from_slice(&taken[self.fed..]);
        self.fed = 0;
        self.facts.clear();
        self.committed += taken.len() as u64;
    }

    /// What was taken is not committed: others were faster.
    pub fn gives_back(&mut self, taken: Vec<Event>) {
        self.staged = taken;
    }

    /// Others were faster; their events come next.
    pub fn falls_behind(&mut self) {
        self.rebased += 1;
    }

    /// Takes in what others committed, and was folded, while nothing was staged.
    pub fn takes_in(&mut self, event: Event) {
        self.unfed.push(event);
        self.committed += 1;
    }

    /// The run was folded again from its journal, which is at event `head`, and a session was opened on it. What is staged
    /// is no part of either any more, and is to be staged again as far as it counts ([`Log::unstage`]).
    pub fn begins_again(&mut self, head: u64) {
        self.committed = head;
        self.unfed.clear();
    }

    /// Takes what was staged before, each with whether it is a fact.
    pub fn unstage(&mut self) -> impl Iterator<Item = (Event, bool)> + use<> {
        self.fed = 0;
        std::mem::take(&mut self.staged).into_iter().zip(std::mem::take(&mut self.facts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64) -> Event {
        Event::Logged { text: number.to_string().into() }
    }

    /// What a session is fed, and the log that feeds it.
    #[derive(Default)]
    struct Fed(Vec<Event>);

    impl Fed {
        fn feed(&mut self, log: &mut Log) {
            log.feed(|events| self.0.extend_from_slice(events));
        }
    }

    #[test]
    fn every_event_is_fed_once_and_in_order_whenever_it_is_committed() {
        // Each bit says whether what is staged is fed, or committed, after that event.
        for pattern in 0..1_u32 << 10 {
            let (mut log, mut fed) = (Log::at(7), Fed::default());
            for number in 0..5 {
                log.stage(event(number), false);
                if (pattern >> (2 * number)) & 1 == 1 {
                    fed.feed(&mut log);
                }
                if (pattern >> (2 * number + 1)) & 1 == 1 {
                    let taken = log.take();
                    log.commits(&taken);
                    assert_eq!((log.committed(), log.staged().len()), (8 + number, 0));
                }
            }
            fed.feed(&mut log);
            assert_eq!(fed.0, (0..5).map(event).collect::<Vec<_>>(), "{pattern:b}");
            fed.feed(&mut log);
            assert_eq!(fed.0.len(), 5);
        }
    }

    #[test]
    fn when_others_were_faster_facts_are_staged_again_and_fed_to_the_session_that_is_opened_then() {
        let (mut log, mut fed) = (Log::at(3), Fed::default());
        log.stage(event(1), true);
        log.stage(event(2), false);
        fed.feed(&mut log);
        let taken = log.take();
        log.gives_back(taken);
        log.falls_behind();
        log.begins_again(9);
        assert_eq!((log.committed(), log.rebased(), log.staged().len()), (9, 1, 2));
        let facts: Vec<Event> = log.unstage().filter_map(|(event, fact)| fact.then_some(event)).collect();
        assert_eq!((facts.clone(), log.staged().len()), (vec![event(1)], 0));
        for fact in facts {
            log.stage(fact, true);
        }
        let mut opened = Fed::default();
        opened.feed(&mut log);
        assert_eq!(opened.0, [event(1)]);
    }

    #[test]
    fn what_others_wrote_while_nothing_was_staged_is_fed_before_what_is_staged_then() {
        let (mut log, mut fed) = (Log::at(3), Fed::default());
        log.falls_behind();
        log.takes_in(event(4));
        log.stage(event(5), false);
        fed.feed(&mut log);
        assert_eq!((fed.0, log.committed()), (vec![event(4), event(5)], 4));
    }
}
