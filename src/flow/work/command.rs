//! The work of a command, the values of a shell's text handed to it as parameters.
//!
//! Promises: no value is a part of the text that a shell reads; a value that would be read as code all the same is not
//! run. The fingerprint is that of version 0.1.0, which put the values into the text, quoted.

use serde_json::Value;

use super::{Resolved, Sight, shorten, text};
use crate::core::shell::{Line, LinePart};
use crate::core::step::{Command, ENDS_OPTIONS};
use crate::core::template::{Piece, Template, TemplateError, to_json};
use crate::core::work::{CommandWork, OwnFile, Work};
use crate::flow::mistake::Mistake;
use crate::flow::plan::{CommandPlan, Node};

/// Renders the work of a command.
///
/// # Errors
/// A template that does not work out.
pub(super) fn work(
    plan: &CommandPlan,
    node: &Node,
    sight: &Sight<'_>,
    schema: Option<Value>,
) -> Result<CommandWork, Mistake> {
    let stdin = stdin(plan, node, sight)?;
    let line = match (plan.spec.shell, sight.before) {
        (true, true) => Line { text: quoted(plan, &sight.open)?, ..Line::default() },
        (true, false) => line(plan, &sight.open)?,
        (false, _) => Line::default(),
    };
    rest(plan, sight, schema, stdin, line)
}

/// Renders the work of a shell in a run without secrets. Only the text for the shell is made twice: as it is run, and as
/// version 0.1.0 made it.
///
/// # Errors
/// As [`work`].
pub(super) fn of_a_shell(
    plan: &CommandPlan,
    node: &Node,
    sight: &Sight<'_>,
    schema: Option<Value>,
) -> Result<Resolved, Mistake> {
    let stdin = stdin(plan, node, sight)?;
    let before = quoted(plan, &sight.open)?;
    let line = line(plan, &sight.open)?;
    let work = rest(plan, sight, schema, stdin, line)?;
    let before = CommandWork {
        argv: vec![before],
        parameters: Vec::new(),
        misplaced: None,
        speaks: None,
        options: Vec::new(),
        ..work.clone()
    };
    let identity = (before != work).then_some(Work::Command(before));
    Ok(Resolved { work: Work::Command(work), identity })
}

/// What a command reads.
fn stdin(plan: &CommandPlan, node: &Node, sight: &Sight<'_>) -> Result<String, Mistake> {
    match &plan.stdin {
        Some(stdin) => sight.text("stdin", stdin),
        None => contract(node, sight),
    }
}

/// The work of a command of which what it reads, and the text for a shell if it is for one, are rendered.
fn rest(
    plan: &CommandPlan,
    sight: &Sight<'_>,
    schema: Option<Value>,
    stdin: String,
    line: Line,
) -> Result<CommandWork, Mistake> {
    let context = &sight.open;
    // Version 0.1.0, which did not note whether a command speaks, took a list for one text.
    let before = sight.before || plan.spec.speaks.is_none();
    let elements: Vec<Vec<String>> = match (plan.spec.shell, before) {
        (true, _) => Vec::new(),
        (false, true) => each(plan, |arg| arg.render(context).map(|text| vec![text]))?,
        (false, false) => each(plan, |arg| arg.render_each(context))?,
    };
    let options = match (sight.before, plan.spec.shell) {
        (true, _) => Vec::new(),
        (false, true) => line.parameters.iter().filter(|value| value.starts_with('-')).cloned().collect(),
        (false, false) => options(plan, &elements, context),
    };
    let files = placed(files(plan), &elements);
    Ok(CommandWork {
        argv: if plan.spec.shell { vec![line.text] } else { elements.concat() },
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
        schema,
        files,
        options,
    })
}

/// The arguments that are options only because of the value that they begin with. `elements` are those of each element of
/// `argv`.
fn options(plan: &CommandPlan, elements: &[Vec<String>], context: &minijinja::Value) -> Vec<String> {
    let arguments = elements.iter().zip(&plan.argv).skip(1);
    let before = arguments
        .take_while(|(_, template)| !matches!(template, Ok(Template::Plain(text)) if ENDS_OPTIONS.contains(&&**text)));
    let by_a_value = |template: &Template| {
        let pieces = template.render_pieces(context).ok().flatten().unwrap_or_default();
        let first = pieces.iter().find(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        !matches!(template, Template::Plain(_)) && !matches!(first, Some(Piece::Text(_)))
    };
    let by_values = before.filter(|(_, template)| template.as_ref().is_ok_and(by_a_value));
    by_values.flat_map(|(arguments, _)| arguments).filter(|argument| argument.starts_with('-')).cloned().collect()
}

/// The files, each by the argument that it is: a list before it makes several arguments of one element.
fn placed(files: Vec<OwnFile>, elements: &[Vec<String>]) -> Vec<OwnFile> {
    let at = |element: usize| elements.get(..element).map_or(element, |before| before.iter().map(Vec::len).sum());
    files.into_iter().map(|file| OwnFile { element: at(file.element), ..file }).collect()
}

/// The elements of `argv` that are files of the definition's folder. In what version 0.1.0 pinned there are none.
fn files(plan: &CommandPlan) -> Vec<OwnFile> {
    let elements = plan.spec.argv.iter().enumerate();
    let own = |(element, arg): (usize, &String)| {
        let name = Command::file(arg)?;
        let hash = plan.spec.files.get(name)?.clone();
        Some(OwnFile { element, name: name.to_owned(), hash })
    };
    elements.filter_map(own).collect()
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
    let files = files(plan);
    let parts = words.into_iter().enumerate().flat_map(|(at, word)| {
        let space = (at > 0).then(|| Piece::Text(" ".to_owned()).into());
        let word = match files.iter().find(|file| file.element == at) {
            Some(file) => vec![LinePart::File(file.name.clone())],
            None => word.into_iter().map(LinePart::from).collect(),
        };
        space.into_iter().chain(word)
    });
    Ok(Line::of(parts))
}
