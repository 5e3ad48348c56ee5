//! Items that move in their list take their results along: an accepted result of the same step for the same work counts at
//! the new index.

use crate::core::call::Call;
use crate::core::event::Event;
use crate::flow::Want;
use crate::flow::evaluation::Evaluation;
use crate::flow::memo::Asked;

/// Notes that an accepted result counts at this index, if its item has moved here; whether it has.
pub fn note(asked: &Asked<'_>, want: &Want, evaluation: &mut Evaluation<'_>) -> bool {
    if asked.item.is_none() {
        return false;
    }
    let Some(from) = evaluation
        .standing_for(&want.fingerprint)
        .find(|from| *from != asked.key && evaluation.run.call(from).is_some_and(|call| has_left(call, asked)))
    else {
        return false;
    };
    let Some(standing) = evaluation.run.call(from).and_then(|call| call.standing.as_ref()) else { return false };
    let event = Event::CallMoved {
        key: asked.key.clone(),
        from: from.clone(),
        attempt: standing.attempt,
        version: standing.version,
        fingerprint: want.fingerprint.clone(),
    };
    evaluation.note(event);
    true
}

/// Whether the item that a call of the same step was made for is not at that call's index any more.
fn has_left(call: &Call, asked: &Asked<'_>) -> bool {
    let (theirs, ours) = (call.key.segments(), asked.key.segments());
    let same_step = theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|(a, b)| a.id == b.id && a.iteration == b.iteration)
        && theirs[..theirs.len() - 1] == ours[..ours.len() - 1];
    let at = call.key.last().item.and_then(|item| asked.list.get(item as usize));
    same_step && at.is_none_or(|now| call.item.as_ref() != Some(now))
}
