//! What may be made of a result: the choice, and a row for each.

use super::*;
use crate::tui::effect::Go;

fn task() -> crate::core::task::Task {
    let workflow = json!({ "version": 1, "flow": "graph", "max_concurrency": 1, "max_calls": 9, "steps": [] });
    serde_json::from_value(json!({
        "id": "poem", "name": "Poem", "body": { "workflow": workflow },
        "actions": [{ "id": "plainer", "name": "Plainer words", "prompt": "{{ document.body }}" }],
    }))
    .unwrap()
}

fn written(story: Story, version: u32, action: Option<&str>) -> Story {
    story.then(Event::DocumentWritten {
        name: "result".to_owned(),
        version,
        title: "The sea".into(),
        body: format!("Text {version}.").as_str().into(),
        by: "model".into(),
        proposed: false,
        action: action.map(|key| key.parse().unwrap()),
    })
}

fn done(story: Story) -> Story {
    story.then(Event::RunCompleted { title: "The sea".into(), body: "Text.".into() })
}

fn requested(story: Story) -> Story {
    story.then(Event::ActionRequested {
        key: "plainer#0".parse().unwrap(),
        action: "plainer".to_owned(),
        document: "result".to_owned(),
        version: 1,
        instruction: None,
        by: "ana@host".into(),
    })
}

fn finished() -> Story {
    done(written(Story::new("poem", "the sea", Kind::Workflow), 1, None))
}

fn screen(story: Story) -> RunScreen {
    let mut screen = RunScreen::new(Arc::new(story.run), Some(Arc::new(task())), at(134));
    look(&mut screen, (80, 24));
    screen
}

#[test]
fn c_offers_what_the_workflow_can_make_of_its_result() {
    let mut screen = screen(finished());
    assert!(look(&mut screen, (80, 24)).contains("c change…"));
    let effects = press(&mut screen, &["c"]);
    let [Effect::Go(Go::Above(above))] = &effects[..] else { panic!("{effects:?}") };
    let shown = format!("{above:?}");
    assert!(shown.contains("Plainer words") && shown.contains("Act {"), "{shown}");
}

#[test]
fn an_action_is_a_row_under_the_result_that_says_which_version_it_made() {
    let begun = requested(finished()).start("plainer#0", 1, None);
    assert!(look(&mut screen(begun), (80, 24)).contains("Plainer words"));
    let story = requested(finished()).start("plainer#0", 1, None).finish("plainer#0", 1, json!("Text 2."));
    let story = done(written(story.accept("plainer#0", 1), 2, Some("plainer#0")));
    let mut screen = screen(story);
    assert!(look(&mut screen, (120, 40)).contains("The sea · version 2 of 2"), "the run opens on its result");
    press(&mut screen, &["Down"]);
    let picture = look(&mut screen, (120, 40));
    assert!(picture.contains("Plainer words: version 2") && picture.contains("Text 2."), "{picture}");
}

#[test]
fn what_is_to_change_may_be_ones_own_words_also_where_the_workflow_declares_nothing() {
    for declares in [true, false] {
        let task = if declares { task() } else { crate::core::task::Task { actions: Vec::new(), ..task() } };
        let mut screen = RunScreen::new(Arc::new(finished().run), Some(Arc::new(task)), at(134));
        assert!(look(&mut screen, (80, 24)).contains("c change…"));
        let effects = press(&mut screen, &["c"]);
        let [Effect::Go(Go::Above(above))] = &effects[..] else { panic!("{effects:?}") };
        let mut above = above.as_ref().clone();
        "pirate speech"
            .chars()
            .for_each(|c| drop(above.update(Message::Key(key(&c.to_string().replace(' ', "Space"))))));
        let (picture, _) = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area));
        assert!(picture.contains("Ask for: pirate speech"), "{picture}");
        let picked = above.update(Message::Key(key("Enter"))).effects;
        let words = |instruction: &str| instruction == "pirate speech";
        assert!(
            matches!(&picked[..], [Effect::Change(Change::ActInWords { document, version: 1, instruction, .. })] if document == "result" && words(instruction)),
            "{picked:?}"
        );
    }
    // It is a row as any other, by what was said.
    let story = finished().then(Event::ActionRequested {
        key: "change#0".parse().unwrap(),
        action: "change".to_owned(),
        document: "result".to_owned(),
        version: 1,
        instruction: Some("pirate speech".to_owned()),
        by: "ana@host".into(),
    });
    assert!(look(&mut screen(story.start("change#0", 1, None)), (120, 40)).contains("pirate speech"));
}
