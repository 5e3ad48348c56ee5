//! Language models.

use tokio_util::sync::CancellationToken;

use super::BoxFuture;
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::{Completion, DeltaSink, Inspected, ModelChoice, ModelFailure, ModelRequest};
use crate::core::secret::Secret;
use crate::core::usage::Usage;

/// Language models: the `models` module.
pub trait Models: Send + Sync {
    /// Asks, streams, and gives the whole answer. Falls back as the request says. Obeys `cancel` within 200 ms.
    fn complete(
        &self,
        request: ModelRequest,
        deltas: DeltaSink,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Completion, ModelFailure>>;

    /// Which model would answer for a role or `PROVIDER/MODEL` (`None`: the default role), and why. Asks no network.
    ///
    /// # Errors
    /// When no such role or provider is configured: what was asked for and what there is.
    fn choice(&self, name: Option<&str>) -> Result<ModelChoice, Failure>;

    /// What a request is expected to use: for budgets.
    fn estimate(&self, models: &[String], prompt_tokens: u64, max_tokens: Option<u32>) -> Usage;

    /// What a request used whose answer is lost, from estimates of what was sent and of what had arrived.
    fn spent(&self, _models: &[String], prompt_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens: prompt_tokens, output_tokens, usd: 0.0, estimated: true }
    }

    /// The provider that would answer, and how many requests it takes at the same time.
    fn lane(&self, models: &[String]) -> Option<(String, usize)>;

    /// Every model that can be named without knowing more than the config: its roles, then what was found.
    fn choices(&self) -> Vec<ModelChoice> {
        Vec::new()
    }

    /// Looks whether a local server answers that nothing configured, so that `choice` can name it. To be called after
    /// the first frame, or where no person waits for one; it takes at most half a second.
    fn probe(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Asks every configured provider which models it has; no model is asked.
    fn inspect(&self) -> BoxFuture<'static, Vec<Inspected>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    /// A person asks for something again: where nothing more was sent because a key was not taken, one request finds out
    /// whether that is still so. Keys are looked up again.
    fn ask_again(&self) {}

    /// Takes a key that a person typed, for the life of this process, in the place of the configured one; requests go to
    /// that provider again. It is held in memory only, and sent nowhere but there.
    ///
    /// # Errors
    /// When there is no such provider, or it takes no key.
    fn give_key(&self, provider: &str, _key: Secret) -> Result<(), Failure> {
        Err(Failure::new(FailureClass::Definition, format!("the provider `{provider}` takes no key")))
    }

    /// The person agreed that a provider that was only found is used: `ask_first` is no longer set for it.
    fn agree(&self, _provider: &str) {}
}
