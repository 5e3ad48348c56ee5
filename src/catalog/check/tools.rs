//! Tools: whether those that a definition names are declared somewhere, by it or by the person's config, and whether what
//! they are called with can fit.
//!
//! What a server offers is known once it is asked, so of its tools only the server is looked up.

use serde_json::Value;

use super::tree::Tree;
use crate::catalog::decode::Draft;
use crate::core::diagnostic::{Report, did_you_mean};
use crate::core::schema::{Schema, has_templates};
use crate::core::step::{Approve, Does};
use crate::core::toml_reader::TomlString;
use crate::core::tool::{DeclaredTool, DeclaredTools, OwnTool, Pattern, server_of};

/// Notes every tool that there is not. `config`: what the person's config declares, where it is known.
pub(super) fn check(draft: &Draft, tree: &Tree<'_>, config: Option<&DeclaredTools>, report: &Report) {
    let known = Known { own: &draft.task.tools, config };
    for name in &draft.notes.declared {
        if config.is_some_and(|config| config.contains_key(&name.value)) {
            let message = format!(
                "the config declares `[tools.{0}]` too, and `{0}` can be only one of them; give one another name",
                name.value
            );
            report.error(&name.span, message);
        }
    }
    for pattern in &draft.notes.offered {
        known.offered(pattern, report);
    }
    for (_, tool) in &draft.notes.called {
        known.called(tool, report);
    }
    for (step, tool) in &draft.notes.called {
        let Some(DeclaredTool::Own(own)) = known.tool(&tool.value) else { continue };
        let Some(Does::Tool { args, .. }) = tree.nodes.get(*step).map(|node| &node.step.does) else { continue };
        if let Err(problem) = fits(own, args) {
            let written = draft.notes.arguments.iter().find(|(of, _)| of == step).map(|(_, span)| span);
            report.error(
                written.unwrap_or(&tool.span),
                format!("`args` does not fit what `{}` takes: {problem}", tool.value),
            );
        }
    }
    for (node, keys) in tree.nodes.iter().zip(&draft.notes.keys) {
        let offers = matches!(&node.step.does, Does::Prompt(prompt) if !prompt.tools.is_empty());
        if let Some(key) = keys.iter().find(|key| offers && key.value == "approve")
            && matches!(node.step.rules.approve, Some(Approve::When(_)))
        {
            let message = "what the model calls is known when it does: for a prompt with `tools`, `approve` is \"always\", \"once\" or \"never\", \
                           before each call of one (rules of the tool itself may be stricter)";
            report.error(&key.span, message);
        }
    }
}

struct Known<'k> {
    own: &'k DeclaredTools,
    config: Option<&'k DeclaredTools>,
}

impl<'k> Known<'k> {
    fn all(&self) -> impl Iterator<Item = (&'k String, &'k DeclaredTool)> + use<'k> {
        self.own.iter().chain(self.config.into_iter().flatten())
    }

    fn tool(&self, name: &str) -> Option<&'k DeclaredTool> {
        self.own.get(name).or_else(|| self.config?.get(name))
    }

    /// Every name that may be written: the author's own tools, and the servers with what stands for their tools.
    fn hint(&self, meant: &str, of_servers: &str) -> String {
        let name = |(name, tool): (&String, &DeclaredTool)| match tool {
            DeclaredTool::Server(_) => format!("{name}{of_servers}"),
            DeclaredTool::Own(_) => name.clone(),
        };
        let names: Vec<String> = self.all().map(name).collect();
        if names.is_empty() {
            return "; none is declared, here (`[tools.NAME]`) or in the config".to_owned();
        }
        did_you_mean(meant, names.iter().map(String::as_str))
    }

    fn offered(&self, pattern: &TomlString, report: &Report) {
        match server_of(&pattern.value) {
            Some(server) if server.contains('*') => {}
            Some(server) => self.server(server, pattern, report),
            None => {
                let matches = Pattern(pattern.value.clone());
                // A star may reach over the name of a server.
                let before = pattern.value.split('*').next().unwrap_or_default();
                let reached = |(name, tool): (&String, &DeclaredTool)| match tool {
                    DeclaredTool::Own(_) => matches.matches(name),
                    DeclaredTool::Server(_) => {
                        before.len() < pattern.value.len() && format!("{name}/").starts_with(before)
                    }
                };
                if !self.all().any(reached) {
                    let hint = self.hint(&pattern.value, "/*");
                    report.error(&pattern.span, format!("no tool matches `{}`{hint}", pattern.value));
                }
            }
        }
    }

    fn called(&self, tool: &TomlString, report: &Report) {
        match server_of(&tool.value) {
            Some(server) => self.server(server, tool, report),
            None => match self.tool(&tool.value) {
                Some(DeclaredTool::Own(_)) => {}
                Some(DeclaredTool::Server(_)) => {
                    let message = format!("`{0}` is a server; its tools are called `{0}/NAME`", tool.value);
                    report.error(&tool.span, message);
                }
                None => {
                    let hint = self.hint(&tool.value, "/…");
                    report.error(&tool.span, format!("there is no tool `{}`{hint}", tool.value));
                }
            },
        }
    }

    fn server(&self, server: &str, named: &TomlString, report: &Report) {
        match self.tool(server) {
            Some(DeclaredTool::Server(_)) => {}
            Some(DeclaredTool::Own(_)) => {
                report.error(&named.span, format!("`{server}` is one tool and no server; name it alone: `{server}`"));
            }
            // Without a config nobody knows which there are.
            None if self.config.is_none() => {}
            None => {
                let servers = self.all().filter(|(_, tool)| matches!(tool, DeclaredTool::Server(_)));
                let names: Vec<&str> = servers.map(|(name, _)| name.as_str()).collect();
                let hint = did_you_mean(server, names);
                report.error(
                    &named.span,
                    format!("there is no server `{server}`{hint}; declare it in the config or here, `[tools.{server}]` with `command` or `url`"),
                );
            }
        }
    }
}

/// Whether arguments can be what a tool takes, as far as that is known before its templates are rendered.
fn fits(own: &OwnTool, args: &Value) -> Result<(), String> {
    let input = own.spec("").input;
    if !has_templates(args) {
        // A schema that is none is said where it is.
        return Schema::compile(&input).map_or(Ok(()), |schema| schema.judge(args));
    }
    let given = |name: &str| args.get(name).is_some();
    let required = input.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let missing: Vec<String> =
        required.filter(|name| !given(name)).map(|name| format!("`{name}` is missing")).collect();
    if !missing.is_empty() {
        return Err(missing.join(", "));
    }
    let properties = input.get("properties").and_then(Value::as_object);
    let (Some(properties), Some(false)) = (properties, input.get("additionalProperties").and_then(Value::as_bool))
    else {
        return Ok(());
    };
    let names = args.as_object().into_iter().flatten().map(|(name, _)| name);
    let unknown = names
        .filter(|name| !properties.contains_key(*name))
        .map(|name| format!("it takes no `{name}`{}", did_you_mean(name, properties.keys().map(String::as_str))));
    let unknown: Vec<String> = unknown.collect();
    if unknown.is_empty() { Ok(()) } else { Err(unknown.join(", ")) }
}
