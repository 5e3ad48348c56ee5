//! What of a script is no JavaScript, without running any of it.

use std::collections::BTreeMap;

use rquickjs::{Context, Ctx, Exception, Module, Runtime};

use super::javascript::{BuiltIns, MOST_MEMORY, MOST_STACK, stack};
use super::modules::Sources;

/// A mistake in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxMistake {
    /// The module, by its path in the folder.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// The first mistake in the form of the script `entry` and of what it imports.
#[must_use]
pub fn mistake(entry: &str, sources: &BTreeMap<String, String>) -> Option<SyntaxMistake> {
    let source = sources.get(entry)?;
    let sources = Sources::new(sources);
    let (place, message) = read(entry, source, &sources)
        .unwrap_or_else(|error| Some((String::new(), format!("the script cannot be read: {error}"))))?;
    let mut parts = place.rsplitn(3, ':');
    let mut number = || parts.next().and_then(|number| number.parse().ok()).unwrap_or(1);
    let (column, line) = (number(), number());
    let file = parts.next().filter(|file| !file.is_empty()).unwrap_or(entry).to_owned();
    Some(SyntaxMistake { file, line, column, message })
}

fn read(entry: &str, source: &str, sources: &Sources) -> rquickjs::Result<Option<(String, String)>> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MOST_MEMORY);
    runtime.set_max_stack_size(MOST_STACK);
    runtime.set_loader(sources.clone(), sources.clone());
    let context = Context::custom::<BuiltIns>(&runtime)?;
    Ok(context.with(|ctx| match Module::declare(ctx.clone(), entry, source) {
        Err(error) => Some(sources.refusal().unwrap_or_else(|| said(&ctx, &error, sources))),
        // What has no such word exports nothing of that name.
        Ok(_) if !source.contains("default") => {
            let message = "the script must `export default async function (run, inputs) { … }`";
            Some((format!("{entry}:1:1"), message.to_owned()))
        }
        Ok(_) => None,
    }))
}

fn said(ctx: &Ctx<'_>, error: &rquickjs::Error, sources: &Sources) -> (String, String) {
    let thrown = ctx.catch();
    let place = sources.place(&stack(&thrown)).unwrap_or_default();
    let message = thrown.as_exception().and_then(Exception::message);
    (place, message.map_or_else(|| error.to_string(), |message| format!("this is no JavaScript: {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: &str = "import { b } from \"./lib/b.js\";\nexport default async function (run) { return b; }\n";

    fn found(files: &[(&str, &str)]) -> Option<(String, usize, usize, String)> {
        let sources = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let found = mistake("main.js", &sources)?;
        Some((found.file, found.line, found.column, found.message))
    }

    #[test]
    fn a_mistake_is_found_with_its_place_and_nothing_runs() {
        assert_eq!(found(&[("main.js", FINE), ("lib/b.js", "export const b = 1;")]), None);
        let loops = "while (true) {}\nexport default async function () {}";
        assert_eq!(found(&[("main.js", loops)]), None, "it would never end");
        let (file, line, column, message) =
            found(&[("main.js", "export default async function (run) {\n  const x = ;\n}\n")]).unwrap();
        assert_eq!((file.as_str(), line), ("main.js", 2));
        assert!(column > 9 && message.starts_with("this is no JavaScript: "), "{column} {message}");
    }

    #[test]
    fn what_it_imports_is_looked_at_too_and_what_it_does_not_is_left_alone() {
        let (file, line, ..) =
            found(&[("main.js", FINE), ("lib/b.js", "export const a = 1;\nexport const b = (;")]).unwrap();
        assert_eq!((file.as_str(), line), ("lib/b.js", 2));
        let (file, line, _, message) = found(&[("main.js", FINE)]).unwrap();
        assert_eq!((file.as_str(), line), ("main.js", 1));
        assert!(message.contains("there is no module `lib/b.js`"), "{message}");
        let alone = "export default async function () {}";
        assert_eq!(found(&[("main.js", alone), ("old.js", "not (a module")]), None);
    }

    #[test]
    fn a_script_without_its_function_is_a_mistake_and_a_deep_one_overflows_nothing() {
        let (.., message) = found(&[("main.js", "export const a = 1;")]).unwrap();
        assert!(message.contains("export default async function"), "{message}");
        assert!(found(&[("main.js", &format!("export default {}", "[".repeat(1_000_000)))]).is_some());
    }
}
