//! Today's definition of a run's task, for what is made from an old run.
//!
//! Promises: it is looked for where the run's own came from, so that what was begun from another folder needs that named no
//! second time. May not: drive or change a run.

use crate::catalog::{Catalog, PinError, SearchPaths};
use crate::core::code::ErrorCode;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::engine::{Engine, EngineError};

/// Why there is no definition of today.
#[derive(Debug, thiserror::Error)]
pub enum NoDefinition {
    /// There is none any more, it is not trusted, or something is wrong with it.
    #[error(transparent)]
    Today(#[from] PinError),
    /// The run's own, which says where it came from, cannot be read.
    #[error(transparent)]
    Kept(#[from] EngineError),
}

impl NoDefinition {
    /// Its code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Today(error) => error.code(),
            Self::Kept(error) => error.code(),
        }
    }
}

/// Today's definition of a run's task: of the folder `search_paths.dir` where a person named one, else of where the run's
/// came from, if that is there.
///
/// # Errors
/// When there is none any more, it is not trusted, or something is wrong with it; when the store cannot be used.
pub fn today(engine: &Engine, search_paths: &SearchPaths, old: &Run) -> Result<Pinned, NoDefinition> {
    let mut places = search_paths.clone();
    if places.dir.is_none() {
        let kept = engine.definition(old)?;
        let came_from = kept.root().filter(|root| places.own.as_deref() != Some(*root) && root.is_dir());
        places.dir = came_from.map(std::path::Path::to_owned);
    }
    Ok(Catalog::load(&places).pin(&old.task)?)
}
