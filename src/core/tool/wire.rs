//! The names by which models are offered tools: what providers take is narrower than what a tool may be called.

use std::collections::HashMap;

use super::ToolSpec;
use crate::core::fingerprint::Fingerprint;

/// The longest name that every provider takes.
const LONGEST: usize = 64;

/// How much of a hash is put in the place of what was cut.
const HASH: usize = 8;

/// The tools of one request and the names that they have on the wire, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireNames {
    /// Of each tool, in the order in which they are offered.
    names: Vec<String>,
    tools: HashMap<String, String>,
}

impl WireNames {
    /// The names of these tools: `server__tool`, with `_` in the place of what providers refuse, cut to 64 characters.
    /// Where something was cut, or two would have one name, a hash of the tool's own name is part of it.
    #[must_use]
    pub fn of(tools: &[ToolSpec]) -> Self {
        let plain: Vec<String> = tools.iter().map(|spec| plain(&spec.tool)).collect();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for name in &plain {
            *seen.entry(name.as_str()).or_default() += 1;
        }
        let name = |(spec, name): (&ToolSpec, &String)| {
            if seen[name.as_str()] == 1 && name.len() <= LONGEST { name.clone() } else { hashed(name, &spec.tool) }
        };
        let names: Vec<String> = tools.iter().zip(&plain).map(name).collect();
        let tools = names.iter().cloned().zip(tools.iter().map(|spec| spec.tool.clone())).collect();
        Self { names, tools }
    }

    /// In the order of the tools.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The tool that a model means. A model that writes the tool's own name, or cuts the server off where that leaves no
    /// doubt, is understood.
    #[must_use]
    pub fn tool(&self, wire: &str) -> Option<&str> {
        let wire = wire.trim();
        if let Some(tool) = self.tools.get(wire) {
            return Some(tool);
        }
        let own = |tool: &&String| tool.as_str() == wire;
        let bare = |tool: &&String| tool.split_once('/').is_some_and(|(_, name)| name == wire);
        let mut bare = self.tools.values().filter(bare);
        let found = self.tools.values().find(own).or_else(|| bare.next().filter(|_| bare.next().is_none()));
        found.map(String::as_str)
    }

    /// A name that providers take for what is no tool of these: a model wrote it, and reads it again.
    #[must_use]
    pub fn safe(name: &str) -> String {
        let plain = plain(name);
        if plain.is_empty() { "unknown".to_owned() } else { plain.chars().take(LONGEST).collect() }
    }

    /// The name of a tool on the wire.
    #[must_use]
    pub fn wire(&self, tool: &str) -> Option<&str> {
        self.names.iter().find(|name| self.tools[*name] == tool).map(String::as_str)
    }
}

fn plain(tool: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    tool.replace('/', "__").chars().map(allowed).collect()
}

fn hashed(name: &str, tool: &str) -> String {
    let hash = Fingerprint::of_bytes(tool.as_bytes());
    let kept = name.len().min(LONGEST - HASH - 1);
    format!("{}_{}", &name[..kept], &hash.as_str()[..HASH])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::tool::ToolHints;

    fn spec(tool: &str) -> ToolSpec {
        let hints = ToolHints::default();
        ToolSpec { tool: tool.to_owned(), description: "".into(), input: json!({}), output: None, hints }
    }

    #[test]
    fn every_tool_has_a_name_that_providers_take_and_is_found_by_it() {
        let long = format!("files/{}", "read_a_very_long_name_".repeat(4));
        let tools = ["files/read", "price", "a/b c", "a/b_c", "été/ls", &long, &format!("{long}x")].map(spec);
        let names = WireNames::of(&tools);
        assert_eq!(names.names()[..2], ["files__read", "price"]);
        let taken: std::collections::HashSet<&String> = names.names().iter().collect();
        assert_eq!(taken.len(), tools.len(), "{:?}", names.names());
        for (spec, name) in tools.iter().zip(names.names()) {
            assert!(
                name.len() <= LONGEST && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
                "{name}"
            );
            assert_eq!((names.tool(name), names.wire(&spec.tool)), (Some(spec.tool.as_str()), Some(name.as_str())));
        }
        assert_eq!(names, WireNames::of(&tools), "the same tools have the same names");
    }

    #[test]
    fn a_model_that_is_careless_with_names_is_understood_where_there_is_no_doubt() {
        let names = WireNames::of(&["files/read", "web/read", "web/get"].map(spec));
        assert_eq!(names.tool(" web__get "), Some("web/get"));
        assert_eq!(names.tool("web/get"), Some("web/get"));
        assert_eq!(names.tool("get"), Some("web/get"));
        assert_eq!(names.tool("read"), None, "two are called so");
        assert_eq!(names.tool("write"), None);
    }
}
