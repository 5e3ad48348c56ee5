//! Each attempt is named with the model that made it, whichever is chosen since.

use super::*;
use crate::core::model::Delta;

fn rejected(story: Story, attempt: u32) -> Story {
    story.then(Event::AttemptRejected {
        key: "write".parse().unwrap(),
        attempt,
        instruction: String::new(),
        scope: InstructionScope::This,
        by: "ana@host".into(),
    })
}

fn two_models() -> Story {
    let story = Story::new("poem", "poem", Kind::Workflow).start("write", 1, None);
    let story = story.finish_by("write", 1, json!("One."), "server/fake-1").review("write", 1, None);
    let story = rejected(story, 1).start("write", 2, None);
    story.finish_by("write", 2, json!("Two."), "demo/recorded").review("write", 2, None)
}

/// The first line and the title of the output.
fn head(screen: &mut RunScreen) -> (String, String) {
    let picture = look(screen, (120, 40));
    let mut lines = picture.lines().map(str::to_owned);
    (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
}

#[test]
fn an_attempt_is_named_with_the_model_that_made_it() {
    let mut screen = open(two_models());
    let (header, title) = head(&mut screen);
    assert!(header.contains("demo/recorded") && title.contains("demo, not a model's answer"), "{header}\n{title}");
    press(&mut screen, &["Left"]);
    let (header, title) = head(&mut screen);
    assert!(header.contains("server/fake-1") && !title.contains("demo"), "{header}\n{title}");
    // The other way round: what the demo wrote stays a demo's.
    let story = rejected(two_models(), 2).start("write", 3, None);
    let mut screen = open(story.finish_by("write", 3, json!("Three."), "server/fake-1").review("write", 3, None));
    assert!(!head(&mut screen).1.contains("demo"));
    press(&mut screen, &["Left"]);
    let (header, title) = head(&mut screen);
    assert!(header.contains("demo/recorded") && title.contains("demo"), "{header}\n{title}");
}

#[test]
fn the_header_names_the_model_that_is_being_asked() {
    let mut screen = open(rejected(two_models(), 2).start("write", 3, None));
    let (header, title) = head(&mut screen);
    assert!(!header.contains("demo") && !title.contains("demo"), "it is not known yet: {header}\n{title}");
    let (run, key) = (screen.run().id, "write".parse().unwrap());
    screen.update(Message::Delta { run, key, attempt: 3, delta: Delta::Asks("server/smollm2:135m".to_owned()) });
    assert!(head(&mut screen).0.contains("server/smollm2:135m"));
    // It falls back to another.
    let (run, key) = (screen.run().id, "write".parse().unwrap());
    screen.update(Message::Delta { run, key, attempt: 3, delta: Delta::Asks("server/big".to_owned()) });
    assert!(head(&mut screen).0.contains("server/big"));
}

#[test]
fn a_result_is_a_demos_only_where_its_text_was_accepted() {
    let completed = |story: Story| {
        let completed = Event::RunCompleted { title: "t".into(), body: "Three.".into() };
        let mut screen = open(story.then(completed));
        press(&mut screen, &["End", "G", "j", "j"]);
        head(&mut screen).1
    };
    let by = |model: &str| {
        let story = rejected(two_models(), 2).start("write", 3, None);
        completed(story.finish_by("write", 3, json!("Three."), model).review("write", 3, None).accept("write", 3))
    };
    assert!(by("demo/recorded").contains("demo"));
    assert!(!by("server/fake-1").contains("demo"), "a rejected attempt is no part of it");
}
