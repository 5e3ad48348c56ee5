//! How the frame around a conversation is worded, and that its wording decides nothing.

use super::*;

#[test]
fn what_a_reply_may_be_changes_nothing_of_what_was_asked() {
    // As version 0.1.0 computed it.
    let world = World::start(email(), json!({ "about": "x", "tone": "" }));
    let Work::Prompt(prompt) = world.wants.calls[0].work.as_ref() else { panic!() };
    let mut prompt = PromptWork { schema: Some(turn::schema()), ..prompt.clone() };
    let Body::Instruct(task) = email().body else { panic!() };
    let [first, now] = [Wording::First, Wording::Current].map(|wording| turn::protocol(&task, None, wording));
    prompt.messages[0].text = prompt.messages[0].text.replace(now.trim(), first.trim());
    let before = Work::Prompt(prompt);
    assert_eq!(world.wants.calls[0].fingerprint, Fingerprint::of(&(REPLY, &before)).unwrap());
}

#[test]
fn a_model_is_told_the_current_words_of_the_frame() {
    let task = email();
    let Body::Instruct(instruct) = &task.body else { panic!() };
    let [first, now] = [Wording::First, Wording::Current].map(|wording| turn::protocol(instruct, None, wording));
    assert_ne!(first, now);
    let world = World::start(task, json!({ "about": "x", "tone": "" }));
    let Work::Prompt(prompt) = world.wants.calls[0].work.as_ref() else { panic!() };
    assert!(prompt.messages[0].text.contains(now.trim()), "the model is told the current words");
}
