//! The work of a command, the values of a shell's text handed to it as parameters.
//!
//! Promises: no value is a part of the text that a shell reads; a value that would be read as code all the same is not
//! run. The fingerprint is that of version 0.1.0, which put the values into the text, quoted.

use super::{Sight, shorten, text};
use crate::core::shell::Line;
use crate::core::template::{Piece, Template, TemplateError, to_json};
use crate::core::work::CommandWork;
use crate::flow::mistake::Mistake;
use crate::flow::plan::{CommandPlan, Node};

/// Renders the work of a command.
///
/// # Errors
/// A template that does not work out.
pub(super) fn work(plan: &CommandPlan, node: &Node, sight: &Sight<'_>) -> Result<CommandWork, Mistake> {
    let context = &sight.open;
    let stdin = match &plan.stdin {
        Some(stdin) => sight.text("stdin", stdin)?,
        None => contract(node, sight)?,
    };
    let line = match (plan.spec.shell, sight.before) {
        (true, true) => Line { text: quoted(plan, context)?, ..Line::default() },
        (true, false) => line(plan, context)?,
        (false, _) => Line::default(),
    };
    let argv = if plan.spec.shell {
        vec![line.text]
    } else {
        plan.argv.iter().map(|arg| text("argv", arg, context)).collect::<Result<_, _>>()?
    };
    Ok(CommandWork {
        argv,
        parameters: line.parameters,
        misplaced: line.misplaced,
        cwd: plan.cwd.as_ref().map(|cwd| text("cwd", cwd, context)).transpose()?,
        env: sight.texts("env", &plan.env)?,
        stdin,
        parse: plan.spec.parse,
        shell: plan.spec.shell,
        asks: plan.spec.asks,
        // It is in no fingerprint.
        speaks: plan.spec.speaks.filter(|_| !sight.before),
        schema: node.step.rules.output.clone(),
    })
}

/// What a command reads where its definition does not say. Version 0.1.0 put secrets into it.
fn contract(node: &Node, sight: &Sight<'_>) -> Result<String, Mistake> {
    let contract = to_json(&sight.names.small_contract(&node.step)).map_err(|message| {
        let error = TemplateError { message, line: 1, column: 1 };
        Mistake::of("stdin", None, "(what the step depends on)", &error)
    })?;
    let open = if sight.before { None } else { sight.names.without_secrets(&contract) };
    Ok(open.unwrap_or(contract).to_string())
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
