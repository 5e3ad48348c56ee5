//! Something that events say anew from time to time, with what they said before: so that what came after an event can be
//! taken back, and what was then is there again.

use std::ops::Deref;

/// What the newest event says, and what earlier ones said.
#[derive(Clone, Debug, PartialEq)]
pub struct Revised<T> {
    newest: (u64, T),
    /// Oldest first.
    earlier: Vec<(u64, T)>,
}

impl<T> Revised<T> {
    /// As event `seq` says.
    #[must_use]
    pub fn new(seq: u64, value: T) -> Self {
        Self { newest: (seq, value), earlier: Vec::new() }
    }

    /// From event `seq` on it is this.
    pub fn revise(&mut self, seq: u64, value: T) {
        self.earlier.push(std::mem::replace(&mut self.newest, (seq, value)));
    }

    /// Makes it what it was when event `seq` came. False: nothing had been said then.
    pub fn go_back_to(&mut self, seq: u64) -> bool {
        while self.newest.0 > seq {
            let Some(earlier) = self.earlier.pop() else { return false };
            self.newest = earlier;
        }
        true
    }

    /// The newest value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.newest.1
    }

    /// The event that says it.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.newest.0
    }
}

impl<T> Deref for Revised<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_again_what_it_was_when_an_event_came() {
        let mut said = Revised::new(3, "a");
        said.revise(5, "b");
        said.revise(9, "c");
        assert_eq!((*said, said.seq()), ("c", 9));
        assert!(said.go_back_to(9));
        assert_eq!(*said, "c");
        assert!(said.go_back_to(8));
        assert_eq!((*said, said.seq()), ("b", 5));
        assert!(said.go_back_to(3));
        assert_eq!(*said, "a");
        assert!(!said.go_back_to(2));
    }
}
