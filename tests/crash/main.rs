//! What a crash may not do. A person drives a run in a process of its own, which is killed (`kill -9`) at every write
//! point of the engine and at random times; another process takes the run up and brings it to its end. Nothing that
//! was shown as saved may be lost, no effect may happen twice without a person having said so, and the result is the
//! same.
//!
//! Needs the points: `cargo test --features failpoints --test crash`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may fail loudly, its helpers too, and tells what it killed"
)]

mod action;
mod check;
#[path = "../engine/harness.rs"]
mod harness;
mod person;
mod sandbox;
mod tools;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sandbox::{End, Sandbox};

/// Points that are reached again and again are killed at, at most so many times, evenly spread.
const MOST: u32 = 24;

/// The other process. It does nothing unless one of the tests below starts it.
#[test]
#[ignore = "the process that the tests here start and kill"]
fn a_person_at_work() {
    if let Some(sandbox) = Sandbox::given() {
        person::work(&sandbox);
    }
}

/// What a person does, and what must hold when they are done.
#[derive(Clone, Copy)]
struct Story {
    env: &'static [(&'static str, &'static str)],
    check: fn(&Sandbox),
}

/// Everything that can be decided of a run and its fork.
const WHOLE: Story = Story { env: &[], check: check::check };

/// A decision is taken back, and made otherwise.
const UNDO: Story = Story { env: &[("CRASH_UNDO", "1")], check: check::undone };

/// A model calls tools, some of which may be called twice and some of which may not.
const TOOLS: Story = Story { env: &[("CRASH_TOOLS", "1")], check: check::tools };

/// A document is changed by actions and by hand.
const ACTION: Story = Story { env: &[("CRASH_ACTION", "1")], check: check::actions };

impl Story {
    fn work(self, sandbox: &Sandbox, more: &[(&str, &str)]) -> End {
        sandbox.work(&[self.env, more].concat())
    }
}

/// How often each point is reached by a person whom nothing kills.
fn points(story: Story) -> BTreeMap<String, u32> {
    let sandbox = Sandbox::new();
    let log = sandbox.file("points");
    assert!(matches!(story.work(&sandbox, &[("STEPWELL_FAILPOINT_LOG", log.to_str().unwrap())]), End::Done));
    (story.check)(&sandbox);
    let mut points = BTreeMap::new();
    for line in std::fs::read_to_string(sandbox.file("points")).unwrap().lines() {
        *points.entry(line.to_owned()).or_default() += 1;
    }
    points
}

/// Does `each` on two threads, so that one process writes while another starts.
fn on_two_threads<T: Send>(list: Vec<T>, each: impl Fn(T) + Sync) {
    let list = Mutex::new(list);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = list.lock().unwrap().pop();
                    let Some(next) = next else { return };
                    each(next);
                }
            });
        }
    });
}

#[test]
fn a_run_killed_at_any_write_point_goes_on_to_the_same_result() {
    let points = points(WHOLE);
    for name in ["create.before", "commit.after", "begin.before", "outcome.received", "decision.after", "append.before"]
    {
        assert!(points.contains_key(name), "`{name}` is never reached: {points:?}");
    }
    kill_everywhere(WHOLE, &points);
}

#[test]
fn a_decision_that_is_taken_back_is_so_or_is_not_wherever_the_process_is_killed() {
    let points = points(UNDO);
    for name in ["decision.before", "decision.after", "commit.before", "commit.after"] {
        assert!(points.contains_key(name), "`{name}` is never reached: {points:?}");
    }
    kill_everywhere(UNDO, &points);
}

#[test]
fn no_tool_is_called_twice_unasked_wherever_the_process_is_killed() {
    let points = points(TOOLS);
    for name in ["call.before", "call.after", "outcome.received", "commit.before", "commit.after", "begin.before"] {
        assert!(points.contains_key(name), "`{name}` is never reached: {points:?}");
    }
    kill_everywhere(TOOLS, &points);
}

#[test]
fn an_action_on_a_document_is_done_once_wherever_the_process_is_killed() {
    let points = points(ACTION);
    for name in ["append.before", "append.after", "begin.before", "outcome.received", "commit.before", "commit.after"] {
        assert!(points.contains_key(name), "`{name}` is never reached: {points:?}");
    }
    kill_everywhere(ACTION, &points);
}

/// Kills a person at each point, and has another one do what is left.
fn kill_everywhere(story: Story, points: &BTreeMap<String, u32>) {
    let mut kills = Vec::new();
    for (name, count) in points {
        let step = count.div_ceil(MOST);
        kills.extend((1..=*count).step_by(step as usize).map(|at| format!("{name}:{at}")));
    }
    let killed = Mutex::new(BTreeMap::<String, u32>::new());
    on_two_threads(kills.clone(), |at| {
        let sandbox = Sandbox::new();
        if matches!(story.work(&sandbox, &[("STEPWELL_FAILPOINT", &at)]), End::Killed) {
            let name = at.split(':').next().unwrap().to_owned();
            *killed.lock().unwrap().entry(name).or_default() += 1;
            assert!(matches!(story.work(&sandbox, &[]), End::Done), "the run that was killed at {at} goes on");
        }
        (story.check)(&sandbox);
    });
    let killed = killed.into_inner().unwrap();
    let count: u32 = killed.values().sum();
    println!("{count} kills at {} points: {killed:?}", killed.len());
    // How calls that run at the same time share their commits differs from run to run, so the last hits may be missing.
    assert!(points.keys().all(|name| killed.contains_key(name)), "no kill at some point: {killed:?} of {points:?}");
    assert!(count as usize * 10 >= kills.len() * 9, "only {count} of {} kills happened", kills.len());
}

#[test]
fn a_run_killed_while_it_recovers_goes_on_to_the_same_result() {
    let firsts = ["begin.before:1", "begin.after:4", "outcome.received:6", "commit.after:9", "decision.after:5"];
    let seconds = ["recovery.before:1", "recovery.taken:1", "recovery.staged:1", "commit.before:1", "commit.after:1"];
    let both = firsts.iter().flat_map(|first| seconds.iter().map(move |second| (*first, *second)));
    on_two_threads(both.collect(), |(first, second)| {
        let sandbox = Sandbox::new();
        assert!(matches!(sandbox.work(&[("STEPWELL_FAILPOINT", first)]), End::Killed), "killed at {first}");
        assert!(matches!(sandbox.work(&[("STEPWELL_FAILPOINT", second)]), End::Killed), "killed at {first}, {second}");
        assert!(matches!(sandbox.work(&[]), End::Done));
        check::check(&sandbox);
    });
}

#[test]
fn a_run_killed_again_and_again_at_any_time_goes_on_to_the_same_result() {
    let sandbox = Sandbox::new();
    let start = Instant::now();
    sandbox.work(&[]);
    let whole = start.elapsed();
    let mut random = seed();
    let deadline = Instant::now() + Duration::from_secs(8);
    let (mut runs, mut kills) = (0, 0);
    while Instant::now() < deadline {
        let sandbox = Sandbox::new();
        for _ in 0..12 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = u32::try_from(random >> 40).unwrap_or(u32::MAX);
            let after = whole.mul_f64(0.7 * f64::from(share) / f64::from(1 << 24));
            match sandbox.kill_after(after) {
                End::Killed => kills += 1,
                End::Done => break,
            }
        }
        assert!(matches!(sandbox.work(&[]), End::Done));
        check::check(&sandbox);
        runs += 1;
    }
    println!("{kills} kills in {runs} runs; one that nothing kills takes {whole:?}");
    assert!(kills >= 5, "{kills} kills in {runs} runs");
}

/// Printed, so that a failure can be looked at again; the times of a machine differ all the same.
fn seed() -> u64 {
    let seed = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(42);
    println!("CRASH_SEED={seed}");
    seed
}

#[test]
fn the_text_that_had_streamed_before_a_crash_is_in_the_history() {
    let sandbox = Sandbox::new();
    let partial = sandbox.kill_when_spooled();
    assert_eq!(partial, person::STREAMED);
    assert!(matches!(sandbox.work(&[("STEPWELL_FAILPOINT", "commit.before:1"), ("CRASH_STREAM", "1")]), End::Killed));
    assert!(matches!(sandbox.work(&[("CRASH_STREAM", "2")]), End::Done));
    check::streamed(&sandbox);
}
