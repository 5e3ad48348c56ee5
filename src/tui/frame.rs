//! When to draw: only when something changed, at once after a pause or a key, and else so seldom that a flood of
//! changes becomes few frames. Pure: it is told the time.

use std::time::{Duration, Instant};

/// The least time between two frames that nobody's key asked for: as often as most displays show one.
const GAP: Duration = Duration::from_micros(16_667);

/// Decides when the next frame is drawn.
#[derive(Debug, Default)]
pub struct Frames {
    wanted: Option<Want>,
    /// The end of the last frame, and what it took.
    last: Option<(Instant, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Soon,
    Now,
}

impl Frames {
    /// Something changed by itself.
    pub fn request(&mut self) {
        self.wanted = self.wanted.or(Some(Want::Soon));
    }

    /// The person did something: no waiting.
    pub fn request_now(&mut self) {
        self.wanted = Some(Want::Now);
    }

    /// How long to wait for the next frame; `None` when none is wanted.
    #[must_use]
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let want = self.wanted?;
        let Some((end, cost)) = self.last.filter(|_| want == Want::Soon) else { return Some(Duration::ZERO) };
        // A frame that is costly to lay out may take no more than a third of the time.
        let gap = GAP.max(cost * 2);
        Some((end + gap).saturating_duration_since(now))
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, begin: Instant, end: Instant) {
        self.wanted = None;
        self.last = Some((end, end.saturating_duration_since(begin)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_drawn_unless_something_changed() {
        let frames = Frames::default();
        assert_eq!(frames.due_in(Instant::now()), None);
    }

    #[test]
    fn the_first_frame_after_a_pause_is_immediate_and_later_ones_wait() {
        let start = Instant::now();
        let mut frames = Frames::default();
        frames.request();
        assert_eq!(frames.due_in(start), Some(Duration::ZERO));
        frames.drawn(start, start + MS);
        assert_eq!(frames.due_in(start + MS), None);
        frames.request();
        assert_eq!(frames.due_in(start + 2 * MS), Some(GAP.checked_sub(MS).unwrap()));
        assert_eq!(frames.due_in(start + 100 * MS), Some(Duration::ZERO));
    }

    #[test]
    fn text_that_comes_in_a_hundred_pieces_a_second_is_drawn_sixty_times() {
        let start = Instant::now();
        let (mut frames, mut drawn) = (Frames::default(), 0);
        let mut free = start;
        for piece in 0..1_200u32 {
            let now = start + piece * 10 * MS;
            // What was due since the piece before.
            while let Some(wait) = frames.due_in(free).filter(|wait| free + *wait < now) {
                free = free + wait + MS / 2;
                frames.drawn(free.checked_sub(MS / 2).unwrap(), free);
                drawn += 1;
            }
            frames.request();
            free = free.max(now);
        }
        assert!((600..=720).contains(&drawn), "{drawn} frames");
    }

    #[test]
    fn a_key_never_waits_for_a_frame() {
        let start = Instant::now();
        let mut frames = Frames::default();
        frames.drawn(start, start + MS);
        frames.request_now();
        frames.request();
        assert_eq!(frames.due_in(start + MS), Some(Duration::ZERO));
    }

    #[test]
    fn costly_frames_leave_two_thirds_of_the_time_to_others() {
        let start = Instant::now();
        let mut frames = Frames::default();
        frames.drawn(start, start + 30 * MS);
        frames.request();
        assert_eq!(frames.due_in(start + 30 * MS), Some(60 * MS));
    }
}
