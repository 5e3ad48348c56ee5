//! A long conversation costs a turn as much as a short one, the request itself aside: work is counted, not time.

use super::*;
use crate::flow::effort::spent;

#[test]
fn a_turn_of_a_long_conversation_costs_as_much_as_one_of_a_short_one() {
    let cost = |turns: usize| {
        let mut world = World::start(plain(), json!({ "about": "the sky" }));
        for turn in 0..turns {
            world.answers(&Turn::Say { text: format!("answer {turn}").into() });
            world.says("and then?");
        }
        let mut session = world.flow.open(&world.run);
        session.feed(&[]);
        spent();
        let wants = session.feed(&[Event::MessageAdded { text: "go on".into(), by: "ana".into() }]);
        assert_eq!(wants.calls.len(), 1);
        spent()
    };
    assert_eq!(cost(3), cost(30));
}
