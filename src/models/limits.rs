//! Requests and tokens per minute: what is above a provider's limit waits here.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_mins(1);

/// The limits of one provider, and what was sent in the last minute.
pub(super) struct Limits {
    requests: Option<u32>,
    tokens: Option<u64>,
    state: Mutex<LastMinute>,
}

#[derive(Default)]
struct LastMinute {
    sent: VecDeque<Sent>,
    next: u64,
    /// The provider asked to be left alone until then.
    not_before: Option<Instant>,
}

struct Sent {
    ticket: u64,
    at: Instant,
    tokens: u64,
}

/// Names a request, so that its true size can be told later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(u64);

impl Limits {
    pub(super) fn new(requests: Option<u32>, tokens: Option<u64>) -> Self {
        Self { requests, tokens, state: Mutex::default() }
    }

    /// Books a request of about `tokens` now, or says when to ask again.
    pub(super) fn book(&self, tokens: u64) -> Result<Ticket, Instant> {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = state.not_before.filter(|at| *at > now) {
            return Err(at);
        }
        while state.sent.front().is_some_and(|sent| now >= sent.at + MINUTE) {
            state.sent.pop_front();
        }
        let used: u64 = state.sent.iter().map(|sent| sent.tokens).sum();
        let full = self.requests.is_some_and(|limit| state.sent.len() >= limit.max(1) as usize)
            || self.tokens.is_some_and(|limit| used.saturating_add(tokens) > limit);
        match state.sent.front() {
            // A request that is larger than the limit itself goes when nothing else does.
            Some(oldest) if full => return Err(oldest.at + MINUTE),
            _ => {}
        }
        let ticket = state.next;
        state.next += 1;
        if self.requests.is_some() || self.tokens.is_some() {
            state.sent.push_back(Sent { ticket, at: now, tokens });
        }
        Ok(Ticket(ticket))
    }

    /// Tells what a request really took.
    pub(super) fn settle(&self, ticket: Ticket, tokens: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = state.sent.iter_mut().find(|sent| sent.ticket == ticket.0) {
            sent.tokens = tokens;
        }
    }

    /// The provider asked everyone to wait: nothing is booked before then.
    pub(super) fn hold(&self, until: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.not_before = state.not_before.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn booked_after(limits: &Limits, tokens: u64) -> u64 {
        let start = Instant::now();
        while let Err(at) = limits.book(tokens) {
            tokio::time::sleep_until(at).await;
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_third_request_waits_where_two_a_minute_are_allowed() {
        let limits = Limits::new(Some(2), None);
        assert_eq!(booked_after(&limits, 1).await, 0);
        assert_eq!(booked_after(&limits, 1).await, 0);
        assert_eq!(booked_after(&limits, 1).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_count_as_reported_and_a_giant_still_goes() {
        let limits = Limits::new(None, Some(100));
        let ticket = limits.book(90).unwrap();
        assert!(limits.book(20).is_err());
        limits.settle(ticket, 30);
        assert!(limits.book(20).is_ok());
        assert_eq!(booked_after(&limits, 1000).await, 60);
        assert!(limits.book(1).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_retry_after_holds_everyone() {
        let limits = Limits::new(None, None);
        limits.hold(Instant::now() + Duration::from_secs(5));
        assert_eq!(booked_after(&limits, 1).await, 5);
        assert_eq!(booked_after(&limits, 1).await, 0);
    }
}
