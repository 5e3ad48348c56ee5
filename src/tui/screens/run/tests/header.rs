//! What the line at the top and the title say of time and progress.

use super::*;
use crate::core::pinned::Pinned;
use crate::tui::testing::workflow;

fn steps() -> serde_json::Value {
    let prompt = |id: &str, rules: serde_json::Value| json!({"id": id, "does": {"kind": "prompt", "prompt": "x"}, "rules": rules});
    json!([
        prompt("divide", json!({"decide_within": 120_000, "on_timeout": "skip"})),
        prompt("write", json!({"for_each": {"list": "steps.divide.output"}})),
        {"id": "count", "does": {"kind": "transform", "expr": "1"}, "rules": {}},
        prompt("title", json!({})),
        prompt("check", json!({})),
    ])
}

fn on(story: Story) -> RunScreen {
    let mut screen = RunScreen::new(Arc::new(story.run), Some(Arc::new(workflow(&steps()))), at(134));
    look(&mut screen, (80, 24));
    screen
}

#[test]
fn the_header_says_which_step_of_how_many_the_run_is_at() {
    let begun = || Story::new("poem", "poem · the sea", Kind::Workflow).start("divide", 1, None);
    let planned = || begun().finish("divide", 1, json!(["a", "b"])).review("divide", 1, None).accept("divide", 1);
    let written =
        |story: Story, key: &str| story.start(key, 1, Some(json!("a"))).finish(key, 1, json!("x")).accept(key, 1);
    let head = |story: Story| look(&mut on(story), (80, 24)).lines().next().unwrap_or_default().to_owned();
    assert!(head(begun()).contains("step 1 of 4"), "what is computed is no step that a person waits for");
    assert!(head(planned()).contains("step 2 of 4"));
    assert!(head(written(planned(), "write[0]")).contains("step 2 of 4"), "one of two items");
    let all = written(written(planned(), "write[0]"), "write[1]");
    assert!(head(all).contains("step 3 of 4"));
    // Where the steps are not known beforehand nothing is said.
    let mut screen = open(begun());
    assert!(!look(&mut screen, (80, 24)).contains("step 1"));
}

#[test]
fn a_list_says_of_a_run_what_its_header_says() {
    let task = workflow(&steps());
    let begun = || Story::new("poem", "poem · the sea", Kind::Workflow).start("divide", 1, None);
    let planned = || begun().finish("divide", 1, json!(["a", "b"])).review("divide", 1, None).accept("divide", 1);
    for (known, says) in [(Some(&task), "step 2 of 4"), (None, "1 of 2 done")] {
        let run = planned().start("write[0]", 1, Some(json!("a"))).run;
        let glance = crate::tui::glance::Glance::of(&run, known, 0);
        assert_eq!(glance.progress.map(Progress::says).as_deref(), Some(says));
        let mut screen = RunScreen::new(Arc::new(run), known.cloned().map(Arc::new), at(134));
        assert!(look(&mut screen, (120, 40)).lines().next().unwrap_or_default().contains(says), "{says}");
    }
}

#[test]
fn the_header_says_saved_only_of_what_is() {
    let story = || Story::new("poem", "poem", Kind::Workflow).start("divide", 1, None);
    let mut screen = open(story());
    let head = |screen: &mut RunScreen| look(screen, (80, 24)).lines().next().unwrap_or_default().to_owned();
    assert!(head(&mut screen).contains("saved ✓"));
    let run = Some(screen.run().id);
    screen.update(Message::Locked { run, locked: true });
    let waits = head(&mut screen);
    assert!(waits.contains("not saved yet") && !waits.contains("saved ✓"), "{waits}");
    screen.update(Message::Locked { run, locked: false });
    assert!(head(&mut screen).contains("saved ✓"));
}

#[test]
fn the_clock_of_the_header_counts_work_and_not_reading() {
    // One attempt of three seconds, accepted long after.
    let story = Story::new("poem", "poem", Kind::Workflow).start("divide", 1, None);
    let story = story.finish("divide", 1, json!("x")).review("divide", 1, None);
    let mut screen = RunScreen::new(Arc::new(story.run), None, at(5_000));
    let head = look(&mut screen, (80, 24)).lines().next().unwrap_or_default().to_owned();
    assert!(head.contains("0:03"), "{head}");
}

#[test]
fn a_deadline_that_passes_while_it_is_looked_at_says_so_and_what_will_be_done() {
    let story = Story::new("poem", "poem", Kind::Workflow).start("divide", 1, None);
    let mut run = story.finish("divide", 1, json!("x")).review("divide", 1, None).run;
    let pinned: Pinned = serde_json::from_value(json!({"task": workflow(&steps())})).unwrap();
    run.learn(&pinned);
    let mut screen = RunScreen::new(Arc::new(run), None, at(60));
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("deadline 20") && picture.contains("will skip"), "{picture}");
    assert!(screen.ticks(), "the clock is looked at while one may pass");
    let (_, changed) = screen.update(Message::Tick(at(600)));
    assert!(changed);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("deadline passed: will skip"), "{picture}");
    assert!(!screen.ticks());
}

/// The plan failed, so that there was nothing to be written.
fn plan_failed() -> Story {
    use crate::core::event::SkipCause;
    use crate::core::failure::{Failure, FailureClass};
    let error = Failure::new(FailureClass::Server, "the server is down");
    let story = Story::new("poem", "poem · the sea", Kind::Workflow).start("divide", 1, None);
    let story = story.fail("divide", 1, "the server is down").then(Event::CallFailed {
        call: None,
        key: "divide".parse().unwrap(),
        step: "divide".into(),
        fingerprint: crate::tui::testing::fingerprint(),
        error: error.clone(),
        failed: Vec::new(),
        by: "engine".into(),
    });
    let skipped = |story: Story, step: &str, of: SkipCause| {
        story.then(Event::CallSkipped {
            key: step.parse().unwrap(),
            call: None,
            step: step.into(),
            because: "divide failed".into(),
            cause: Some(of),
            by: "engine".into(),
        })
    };
    let story = skipped(story, "write", SkipCause::DependencyFailed("divide".into()));
    let story = skipped(story, "title", SkipCause::DependencySkipped("write".into()));
    story.then(Event::RunFailed { key: Some("divide".parse().unwrap()), error })
}

#[test]
fn a_run_is_at_the_step_that_failed_and_what_was_left_out_because_of_that_is_not_done() {
    let head = |screen: &mut RunScreen| look(screen, (120, 40)).lines().next().unwrap_or_default().to_owned();
    assert!(head(&mut on(plan_failed())).contains("step 1 of 4"));
    let again = Event::CallRequested { call: None, key: "divide".parse().unwrap(), by: "ana@host".into() };
    let again = || plan_failed().then(again.clone()).start("divide", 2, None);
    assert!(head(&mut on(again())).contains("step 1 of 4"), "it is tried again");
    let planned = again().finish("divide", 2, json!(["a", "b", "c"])).review("divide", 2, None).accept("divide", 2);
    let planned = planned.start("write[0]", 1, Some(json!("a")));
    let mut screen = on(planned);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.lines().next().unwrap().contains("step 2 of 4"), "{picture}");
    let list = picture.lines().find(|line| line.contains("▾ write")).unwrap();
    assert!(list.contains("0/3"), "three stanzas, none of them done: {list}");
}

#[test]
fn a_run_that_continues_after_a_failure_is_at_what_it_continues_with() {
    let story = plan_failed().start("check", 1, None);
    let head = look(&mut on(story), (120, 40)).lines().next().unwrap_or_default().to_owned();
    assert!(head.contains("step 4 of 4"), "{head}");
}
