//! What a run knows of tools: as they were when it first listed them. A server that offers something else later may have
//! been changed under the person's hands, so they are asked before a model reads that.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{OfferedTools, ToolSpec};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::ToolsBody;

/// The tools of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunTools {
    /// What is behind the names of the tools that a person allowed for the rest of the run.
    pub(in crate::core) allowed: HashSet<Fingerprint>,
    /// Tools of servers, as they were listed last.
    known: IndexMap<String, ToolSpec>,
    /// For patterns that were listed, what matched the last time.
    matched: IndexMap<Vec<String>, Arc<[ToolSpec]>>,
}

impl RunTools {
    /// Whether a person allowed a tool for the rest of the run, by what is behind its name.
    #[must_use]
    pub fn is_allowed(&self, behind: Option<&Fingerprint>) -> bool {
        behind.is_some_and(|behind| self.allowed.contains(behind))
    }

    /// Takes in a listing: it is what later ones are held against. Attempts that list the same share it.
    pub(in crate::core) fn list(&mut self, offered: &OfferedTools, tools: &[ToolSpec]) -> Arc<[ToolSpec]> {
        if let Some(same) = self.matched.get(&offered.patterns).filter(|known| ***known == *tools) {
            return Arc::clone(same);
        }
        for spec in tools.iter().filter(|spec| spec.server().is_some()) {
            if self.known.get(&spec.tool) != Some(spec) {
                self.known.insert(spec.tool.clone(), spec.clone());
            }
        }
        let tools: Arc<[ToolSpec]> = tools.into();
        self.matched.insert(offered.patterns.clone(), Arc::clone(&tools));
        tools
    }

    /// How a listing differs from what is known; `None`: not at all, or nothing is known yet. The definition's own tools are
    /// as the pinned definition has them.
    #[must_use]
    pub fn changes(&self, offered: &OfferedTools, now: &[ToolSpec]) -> Option<ToolsBody> {
        let matched = self.matched.get(&offered.patterns);
        let of_servers = || now.iter().filter(|spec| spec.server().is_some());
        let has_changed = |spec: &&ToolSpec| match self.known.get(&spec.tool) {
            Some(known) => known != *spec,
            None => matched.is_some(),
        };
        let is_new = |spec: &&ToolSpec| matched.is_some_and(|known| !known.iter().any(|known| known.tool == spec.tool));
        let after: Vec<ToolSpec> = of_servers().filter(|spec| has_changed(spec) || is_new(spec)).cloned().collect();
        let is_gone = |spec: &&ToolSpec| spec.server().is_some() && !of_servers().any(|now| now.tool == spec.tool);
        let gone = matched.into_iter().flat_map(|known| known.iter()).filter(is_gone).map(|spec| &spec.tool);
        let differs = |spec: &&ToolSpec| self.known.get(&spec.tool) != Some(*spec);
        let changed = after.iter().filter(differs).map(|spec| &spec.tool);
        let before: Vec<ToolSpec> = changed.chain(gone).filter_map(|name| self.known.get(name)).cloned().collect();
        if before.is_empty() && after.is_empty() {
            return None;
        }
        let mut all: Vec<&ToolSpec> = of_servers().collect();
        all.sort_by(|a, b| a.tool.cmp(&b.tool));
        let fingerprint = Fingerprint::of(&("tools", all)).ok()?;
        Some(ToolsBody { before, after, fingerprint })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(tool: &str, description: &str) -> ToolSpec {
        let (input, hints) = (json!({ "type": "object" }), super::super::ToolHints::default());
        ToolSpec { tool: tool.to_owned(), description: description.into(), input, output: None, hints }
    }

    fn offered(patterns: &[&str]) -> OfferedTools {
        let patterns = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        OfferedTools { patterns, max_turns: 20, approve: super::super::ToolApproval::Never, own: IndexMap::default() }
    }

    fn names(tools: &[ToolSpec]) -> Vec<&str> {
        tools.iter().map(|spec| spec.tool.as_str()).collect()
    }

    #[test]
    fn a_tool_that_is_not_as_it_was_listed_first_is_told_of() {
        let all = offered(&["files/*", "price"]);
        let first = [spec("files/read", "reads"), spec("files/write", "writes"), spec("price", "mine")];
        let mut run = RunTools::default();
        assert_eq!(run.changes(&all, &first), None, "nothing is known yet");
        run.list(&all, &first);
        assert_eq!(run.changes(&all, &first), None);
        let order = [first[1].clone(), spec("price", "of a definition that was updated"), first[0].clone()];
        assert_eq!(run.changes(&all, &order), None, "neither order nor the author's own tools are the server's doing");

        let now = [spec("files/read", "reads, and sends it to me"), spec("files/send", "new")];
        let told = run.changes(&all, &now).unwrap();
        assert_eq!(names(&told.before), ["files/read", "files/write"]);
        assert_eq!(names(&told.after), ["files/read", "files/send"]);
        let back = [now[1].clone(), now[0].clone()];
        assert_eq!(run.changes(&all, &back).unwrap().fingerprint, told.fingerprint);

        // Another step that names fewer of them sees what it names, and no more.
        let one = offered(&["files/read"]);
        assert_eq!(run.changes(&one, &first[..1]), None);
        assert_eq!(names(&run.changes(&one, &now[..1]).unwrap().after), ["files/read"]);
        // What a step is the first to name is new to nobody.
        assert_eq!(run.changes(&offered(&["files/send"]), &now[1..]), None);

        // Once it was allowed, that is what is known.
        run.list(&all, &now);
        assert_eq!(run.changes(&all, &now), None);
        assert_eq!(names(&run.changes(&all, &first).unwrap().before), ["files/read", "files/send"]);
    }
}
