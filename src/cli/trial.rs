//! Tries a model: asks it for a word, and waits for no more than the first token.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::core::failure::FailureClass;
use crate::core::model::{Delta, DeltaSink, Message, ModelRequest, Role};
use crate::core::ports::Models;

/// As much as a trial lets a model say, should it not be stopped in time: some refuse to be asked for less.
const TRIAL_TOKENS: u32 = 16;

/// Whether a model answers.
///
/// # Errors
/// Why it does not.
pub async fn answers(models: &dyn Models, name: &str) -> Result<(), String> {
    let mut most = Some(TRIAL_TOKENS);
    loop {
        let enough = CancellationToken::new();
        let heard = enough.clone();
        let trial = ModelRequest {
            models: vec![name.to_owned()],
            messages: vec![Message::new(Role::User, "Say yes.")],
            max_tokens: most,
            ..ModelRequest::default()
        };
        let deltas: DeltaSink = Arc::new(move |delta| {
            if matches!(delta, Delta::Text(_)) {
                heard.cancel();
            }
        });
        match models.complete(trial, deltas, enough).await {
            Ok(_) => return Ok(()),
            Err(failed) if !failed.partial.is_empty() => return Ok(()),
            // A model that thinks before it speaks may refuse to be cut so short.
            Err(failed) if failed.failure.class == FailureClass::BadRequest && most.is_some() => most = None,
            Err(failed) => return Err(failed.failure.message),
        }
    }
}
