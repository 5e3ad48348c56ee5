//! How the answer of an http request is read.

use serde::{Deserialize, Serialize};

/// How an answer is read; where nothing says so, by its content type. In JSON it is its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Expect {
    /// One JSON value.
    Json,
    /// The text as it is.
    Text,
    /// The readable text of a page.
    Page,
    /// What a script asked for that there is no such reading of: its request fails when it is made.
    Unknown(String),
}

impl Expect {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Page => "page",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for Expect {
    fn from(name: String) -> Self {
        match name.as_str() {
            "json" => Self::Json,
            "text" => Self::Text,
            "page" => Self::Page,
            _ => Self::Unknown(name),
        }
    }
}

impl From<&str> for Expect {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<Expect> for String {
    fn from(expect: Expect) -> Self {
        expect.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_and_written_as_it_was() {
        for name in ["json", "text", "page", "anything else"] {
            let read: Expect = serde_json::from_value(name.into()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), name);
            assert_eq!(matches!(read, Expect::Unknown(_)), name == "anything else");
        }
    }
}
