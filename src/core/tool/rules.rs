//! What a tool may do without asking: patterns over names, and the strictest of several rules.

use serde::{Deserialize, Serialize};

use crate::core::step::Timespan;

/// When a person is asked before a tool is called. Greater is stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolApproval {
    /// Not at all.
    Never,
    /// Before the first call with these arguments.
    Once,
    /// Before each call.
    #[default]
    Always,
}

impl ToolApproval {
    /// The words of definitions and the config.
    pub const WORDS: [(&str, Self); 3] = [("always", Self::Always), ("once", Self::Once), ("never", Self::Never)];

    /// What a step says that says nothing of its tools: their own rules decide.
    pub(super) fn never() -> Self {
        Self::Never
    }

    /// Whether nobody is asked.
    #[must_use]
    pub fn is_never(&self) -> bool {
        *self == Self::Never
    }

    /// The name in definitions and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::Always => "always",
        }
    }
}

/// What governs the calls of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRules {
    /// When a person is asked first.
    pub approve: ToolApproval,
    /// It may be called again after a crash without asking.
    pub idempotent: bool,
    /// The longest wait for what it returns; `None`: no limit.
    pub timeout: Option<Timespan>,
}

/// A pattern over names of tools: `*` stands for any characters, everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether a name is of this pattern.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// How many of its characters stand for themselves: of several patterns that match, the one with most counts.
    #[must_use]
    pub fn literal(&self) -> usize {
        self.0.chars().filter(|c| *c != '*').count()
    }
}

/// Of the patterns that match a name, what the one says of which most is literal. Of two that are alike the later one.
#[must_use]
pub fn matching<'a, T>(patterns: impl IntoIterator<Item = &'a (Pattern, T)>, name: &str) -> Option<&'a T> {
    let matches = patterns.into_iter().filter(|(pattern, _)| pattern.matches(name));
    matches.max_by_key(|(pattern, _)| pattern.literal()).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, matches) in [
            ("read_*", "read_file", true),
            ("read_*", "read_", true),
            ("read_*", "thread_x", false),
            ("*", "", true),
            ("*", "anything", true),
            ("read", "read", true),
            ("read", "reads", false),
            ("*_file", "read_file", true),
            ("*_file", "read_files", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("files/*", "files/read", true),
            ("", "", true),
            ("", "x", false),
            ("è*", "été", false),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn of_several_patterns_the_most_literal_one_counts() {
        let rule = |pattern: &str, approve| (Pattern(pattern.to_owned()), approve);
        let rules = [
            rule("*", ToolApproval::Always),
            rule("read_*", ToolApproval::Never),
            rule("read_secret", ToolApproval::Once),
        ];
        for (name, approve) in
            [("write", ToolApproval::Always), ("read_file", ToolApproval::Never), ("read_secret", ToolApproval::Once)]
        {
            assert_eq!(matching(&rules, name), Some(&approve), "{name}");
        }
        assert_eq!(matching(&rules[1..], "write"), None);
    }
}
