//! The work of a command, the values of a shell's text handed to it as parameters.
//!
//! Promises: no value is a part of the text that a shell reads; a value that would be read as code all the same is not
//! run. The fingerprint is that of version 0.1.0, which put the values into the text, quoted.

use serde_json::Value;

use super::{Resolved, shorten, text, texts};
use crate::core::shell::Line;
use crate::core::template::{Piece, Template, TemplateError, to_json};
use crate::core::work::{CommandWork, Work};
use crate::flow::mistake::Mistake;
use crate::flow::names::Names;
use crate::flow::plan::{CommandPlan, Node};

/// Renders the work of a command.
///
/// # Errors
/// A template that does not work out.
pub fn resolve(
    plan: &CommandPlan,
    node: &Node,
    names: &Names,
    context: &minijinja::Value,
    schema: Option<Value>,
) -> Result<Resolved, Mistake> {
    let argv = if plan.spec.shell {
        Vec::new()
    } else {
        plan.argv.iter().map(|arg| text("argv", arg, context)).collect::<Result<_, _>>()?
    };
    let (stdin, stdin_before) = if let Some(stdin) = &plan.stdin {
        (text("stdin", stdin, context)?, None)
    } else {
        let contract = to_json(&names.small_contract(&node.step)).map_err(|message| {
            let error = TemplateError { message, line: 1, column: 1 };
            Mistake::of("stdin", None, "(what the step depends on)", &error)
        })?;
        let (all, open) = (contract.to_string(), names.without_secrets(&contract));
        match open {
            Some(open) => (open.to_string(), Some(all)),
            None => (all, None),
        }
    };
    let mut work = CommandWork {
        argv,
        cwd: plan.cwd.as_ref().map(|cwd| text("cwd", cwd, context)).transpose()?,
        env: texts("env", &plan.env, context)?,
        stdin,
        parse: plan.spec.parse,
        shell: plan.spec.shell,
        asks: plan.spec.asks,
        schema,
        ..CommandWork::default()
    };
    let mut identity = work.clone();
    if plan.spec.shell {
        identity.argv = vec![quoted(plan, context)?];
        let Line { text, parameters, misplaced } = line(plan, context)?;
        work = CommandWork { argv: vec![text], parameters, misplaced, ..work };
    }
    // Version 0.1.0 put secrets on the stdin that it made up.
    identity.stdin = stdin_before.unwrap_or(identity.stdin);
    let same = identity == work;
    Ok(Resolved { work: Work::Command(work), identity: (!same).then_some(Work::Command(identity)) })
}

/// The text for `sh -c` with every value in it, quoted.
fn quoted(plan: &CommandPlan, context: &minijinja::Value) -> Result<String, Mistake> {
    let words: Vec<String> = each(plan, |arg| arg.render_quoted(context))?;
    Ok(words.join(" "))
}

fn each<T>(plan: &CommandPlan, render: impl Fn(&Template) -> Result<T, TemplateError>) -> Result<Vec<T>, Mistake> {
    let rendered = plan.argv.iter().map(|arg| match arg {
        Ok(arg) => render(arg).map_err(|error| Mistake::of("argv", Some(arg.source()), &shorten(arg.source()), &error)),
        Err(error) => Err(Mistake::of("argv", None, "(it does not parse)", error)),
    });
    rendered.collect()
}

/// The text for `sh -c`, which refers to its values by name.
fn line(plan: &CommandPlan, context: &minijinja::Value) -> Result<Line, Mistake> {
    let words = each(plan, |arg| arg.render_pieces(context))?;
    let Some(words) = words.into_iter().collect::<Option<Vec<_>>>() else {
        let misplaced = Some("a value is in a text that a filter of the template changes".to_owned());
        return Ok(Line { misplaced, ..Line::default() });
    };
    let words = words.into_iter().enumerate();
    let pieces = words.flat_map(|(at, word)| (at > 0).then(|| Piece::Text(" ".to_owned())).into_iter().chain(word));
    Ok(Line::of(pieces))
}
