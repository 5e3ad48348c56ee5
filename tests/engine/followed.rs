//! Runs that are followed: every event once and in order, whoever wrote it and however badly it was told.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use stepwell::app::follow::Follower;
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason};
use stepwell::core::id::RunId;
use stepwell::core::model::Delta;
use stepwell::core::run::{Run, Status};
use stepwell::engine::{Engine, Feed, StopReason, Update};

use crate::harness::{Act, Harness, PATIENCE, prompt, shout};

/// A run with two steps, driven to its end, and its journal.
async fn finished(harness: &Harness) -> (RunId, Vec<Update>) {
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    harness.drive(run).await;
    harness.decide(run, "a", DecisionKind::Accept).await;
    harness.decide(run, "b", DecisionKind::Accept).await;
    let events = harness.engine.events(run, 0).unwrap();
    (run, events.into_iter().map(Update::Event).collect())
}

/// The run as it was when it was created.
fn created(run: RunId, events: &[Update]) -> Run {
    let Update::Event(first) = &events[0] else { panic!("{events:?}") };
    Run::fold(run, std::slice::from_ref(first)).unwrap()
}

/// What comes next, in time.
async fn next(follower: &mut Follower) -> Update {
    tokio::time::timeout(PATIENCE, follower.next()).await.expect("it comes in time").unwrap()
}

/// The numbers of the events that come until the run stops or has come to this event; the fold has each of them.
async fn until(follower: &mut Follower, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|seq| *seq < last) {
        if let Update::Event(recorded) = next(follower).await {
            assert_eq!(follower.run().seq, recorded.seq, "it is in the fold when it is given");
            seen.push(recorded.seq);
        }
    }
    seen
}

/// The run as the journal has it says nothing else than the one that was followed.
fn same(engine: &Engine, follower: &Follower) {
    let now = engine.load(follower.run().id).unwrap();
    assert_eq!(stepwell::export::json::show(follower.run()), stepwell::export::json::show(&now));
    assert_eq!(follower.run().seq, now.seq);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_feed_leaves_out_is_read_from_the_journal_before_what_comes_next() {
    let harness = Harness::new(shout);
    let (run, events) = finished(&harness).await;
    let all: Vec<u64> = (2..=events.len() as u64).collect();
    // The feed carries only every n-th event, from each place on.
    for told in 1..5 {
        for first in 1..=told {
            let feed = Feed::default();
            let mut follower = Follower::over(&harness.engine, created(run, &events), feed.subscribe());
            for update in events.iter().skip(first).step_by(told) {
                feed.publish(std::slice::from_ref(update));
            }
            feed.publish(&[Update::Stopped(StopReason::Over)]);
            assert_eq!(until(&mut follower, all.len() as u64 + 1).await, all, "from {first}, every {told}");
            same(&harness.engine, &follower);
            assert_eq!(next(&mut follower).await, Update::Stopped(StopReason::Over));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_twice_or_late_is_given_once_and_a_stop_comes_after_all_that_went_before_it() {
    let harness = Harness::new(shout);
    let (run, events) = finished(&harness).await;
    let feed = Feed::default();
    let mut follower = Follower::over(&harness.engine, created(run, &events), feed.subscribe());
    let half = events.len() / 2;
    // Two readers of one journal tell of it, one behind the other.
    feed.publish(&events[half..half + 2]);
    feed.publish(&events[..=half]);
    feed.publish(&events[half..half + 2]);
    feed.publish(&[Update::Stopped(StopReason::Over)]);
    let mut seen = Vec::new();
    while let Update::Event(recorded) = next(&mut follower).await {
        seen.push(recorded.seq);
    }
    assert_eq!(seen, (2..=events.len() as u64).collect::<Vec<_>>());
    same(&harness.engine, &follower);
    assert_eq!(follower.try_next().await.unwrap(), None, "nothing comes twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_on_its_way_comes_between_the_events_as_it_came() {
    let harness = Harness::new(shout);
    let (run, events) = finished(&harness).await;
    let feed = Feed::default();
    let mut follower = Follower::over(&harness.engine, created(run, &events), feed.subscribe());
    let delta = Update::Delta { key: "a".parse().unwrap(), attempt: 1, delta: Delta::Text("hel".into()) };
    feed.publish(&events[1..3]);
    feed.publish(&[delta.clone(), Update::Locked(true)]);
    // The one before it is missing.
    feed.publish(&events[4..5]);
    let mut came = Vec::new();
    for _ in 0..6 {
        came.push(match next(&mut follower).await {
            Update::Event(recorded) => recorded.seq.to_string(),
            Update::Delta { .. } => "text".to_owned(),
            Update::Locked(_) => "locked".to_owned(),
            _ => "stopped".to_owned(),
        });
    }
    assert_eq!(came, ["2", "3", "text", "locked", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_gets_what_happened_since_and_then_what_happens() {
    let harness = Harness::new(shout);
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = harness.start(&steps, json!({}));
    let before = harness.drive(run).await.seq;
    for after in [0, 1, before - 1, before, before + 7] {
        let mut follower = Follower::open_after(&harness.engine, run, after).unwrap();
        let known: Vec<u64> = (after + 1..=before).collect();
        let mut seen = Vec::new();
        while let Some(update) = follower.try_next().await.unwrap() {
            if let Update::Event(recorded) = update {
                assert_eq!(follower.run().seq, recorded.seq);
                seen.push(recorded.seq);
            }
        }
        assert_eq!(seen, known, "after {after}");
        same(&harness.engine, &follower);
    }
    let mut follower = Follower::open_after(&harness.engine, run, 1).unwrap();
    harness.decide(run, "a", DecisionKind::Accept).await;
    let now = harness.engine.load(run).unwrap().seq;
    assert!(now > before);
    assert_eq!(until(&mut follower, now).await, (2..=now).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_follow_a_run_that_another_process_drives_see_the_same() {
    let here = Harness::new(shout);
    let there = here.neighbour();
    let steps = json!([prompt("a", "hello", json!({})), prompt("b", "{{ steps.a.output }}", json!({}))]);
    let run = here.start(&steps, json!({}));
    let mut early = Follower::open(&here.engine, run).unwrap();
    there.drive(run).await;
    // It comes in the middle: both read the same journal for the same mailboxes.
    let mut late = Follower::open(&here.engine, run).unwrap();
    let known = late.run().seq;
    there.decide(run, "a", DecisionKind::Accept).await;
    let end = there.decide(run, "b", DecisionKind::Accept).await;
    assert_eq!(end.status, Status::Completed);
    assert_eq!(until(&mut early, end.seq).await, (2..=end.seq).collect::<Vec<_>>());
    assert_eq!(until(&mut late, end.seq).await, (known + 1..=end.seq).collect::<Vec<_>>());
    same(&here.engine, &early);
    same(&here.engine, &late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_that_is_given_up_loses_nothing() {
    let harness = Harness::new(shout);
    let (run, events) = finished(&harness).await;
    let feed = Feed::default();
    let mut follower = Follower::over(&harness.engine, created(run, &events), feed.subscribe());
    // All but the last are missing, and whoever waits is called away as soon as anything has to be read.
    feed.publish(&events[events.len() - 1..]);
    let mut seen = Vec::new();
    for _ in 0..8 {
        let mut waits = pin!(follower.next());
        if let Poll::Ready(update) = poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await {
            let Update::Event(recorded) = update.unwrap() else { panic!("only events were told of") };
            seen.push(recorded.seq);
        }
    }
    let last = events.len() as u64;
    if seen.last() != Some(&last) {
        seen.extend(until(&mut follower, last).await);
    }
    assert_eq!(seen, (2..=last).collect::<Vec<_>>());
    same(&harness.engine, &follower);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_appended_where_nobody_drives_is_seen_at_once_when_it_is_looked_for() {
    let harness = Harness::new(|_| Act::Hang("so far"));
    let run = harness.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let mut follower = Follower::open(&harness.engine, run).unwrap();
    harness.neighbour().engine.rename(run, "Another name").await.unwrap();
    follower.look().await.unwrap();
    let Some(Update::Event(renamed)) = follower.try_next().await.unwrap() else { panic!("it is there") };
    assert!(matches!(renamed.event, Event::RunRenamed { .. }), "{renamed:?}");
    assert_eq!(follower.run().title, "Another name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_hears_that_whoever_drove_the_run_elsewhere_does_so_no_more() {
    let here = Harness::new(|_| Act::Hang("so far"));
    let there = here.neighbour();
    let run = here.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    there.engine.drive(run).unwrap();
    let mut follower = Follower::open(&here.engine, run).unwrap();
    while follower.run().under_way() == 0 {
        next(&mut follower).await;
    }
    assert!(there.engine.pause(run, PauseReason::ByYou) && !here.engine.pause(run, PauseReason::ByYou));
    while next(&mut follower).await != Update::Stopped(StopReason::DriverGone) {}
    assert_eq!(follower.run().status, Status::Paused, "what it wrote last was given before");
    same(&here.engine, &follower);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_run_that_was_driven_here_hears_what_others_do_once_it_rests() {
    let here = Harness::new(|_| Act::Hang("so far"));
    let run = here.start(&json!([prompt("a", "hello", json!({}))]), json!({}));
    let mut follower = Follower::open(&here.engine, run).unwrap();
    here.engine.drive(run).unwrap();
    while follower.run().under_way() == 0 {
        next(&mut follower).await;
    }
    here.engine.pause(run, PauseReason::ByYou);
    while next(&mut follower).await != Update::Stopped(StopReason::Paused) {}
    here.neighbour().engine.rename(run, "Another name").await.unwrap();
    let Update::Event(renamed) = next(&mut follower).await else { panic!("it is told of") };
    assert!(matches!(renamed.event, Event::RunRenamed { .. }), "{renamed:?}");
}
