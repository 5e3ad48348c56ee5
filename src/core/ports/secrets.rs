//! Secrets by reference.

use crate::core::failure::Failure;
use crate::core::id::RunId;
use crate::core::secret::{Redactor, Secret, SecretRef};

/// Secrets by reference: the `config` module.
pub trait Secrets: Send + Sync {
    /// The value. `None` for one that must be typed and has not been in this process.
    ///
    /// # Errors
    /// When the environment lacks the name or the command failed.
    fn resolve(&self, run: RunId, name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure>;

    /// Keeps a typed value for the life of this process.
    fn provide(&self, run: RunId, name: &str, value: Secret);

    /// A redactor that knows every value resolved so far.
    fn redactor(&self) -> Redactor;
}
