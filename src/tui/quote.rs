//! An instruction that is about an earlier attempt: the text of that goes with it, since a model sees only the newest.

use crate::core::call::Call;
use crate::core::text::{Untrusted, output_text};
use crate::tui::shown::Page;

/// An earlier attempt or version that the next attempt is to start from.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// Which.
    pub page: Page,
    text: Untrusted,
}

impl Quote {
    /// A page of a call, where it has an output.
    #[must_use]
    pub fn of(call: &Call, page: Page) -> Option<Self> {
        let version = call.attempt(page.attempt)?.version(page.version)?;
        Some(Self { page, text: output_text(&version.output) })
    }

    /// An instruction with what it is about.
    #[must_use]
    pub fn with(&self, instruction: &str) -> String {
        let Page { attempt, version } = self.page;
        let text = format!("{instruction}\n\nStart from attempt {attempt}, version {version}:\n\n{}", self.text.data());
        text.trim_start().to_owned()
    }
}
