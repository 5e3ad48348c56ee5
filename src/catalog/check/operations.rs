//! What templates and expressions do with values: filters and tests that do not exist, comparisons that cannot mean anything,
//! conditions that a text decides by being there, attachments that are no pictures.

use std::ops::Range;

use super::shape::Shape;
use super::snippets::Names;
use crate::catalog::decode::{Snippet, SnippetForm, TemplateScope};
use crate::core::diagnostic::Report;
use crate::core::names::ChainPart;
use crate::core::step::{Does, Parse};
use crate::core::template::{Gives, Operand, usage_of_expr, usage_of_text};

/// Checks what a snippet that parses does.
pub(super) fn check(names: &Names<'_>, snippet: &Snippet, report: &Report) {
    let source = snippet.text.value.as_str();
    let usage = match snippet.form {
        SnippetForm::Template => usage_of_text(source),
        form => usage_of_expr(source, form == SnippetForm::Condition),
    };
    let Ok(usage) = usage else { return };
    let error = |at: usize, message: String| {
        report.error_at(&snippet.text.span.source, snippet.text.offset_in_file(at), message);
    };
    for (at, message) in usage.unknown() {
        error(at, message);
    }
    for (left, right) in &usage.orderings {
        let gives = [left, right].map(|side| gives(names, snippet, side));
        if let [Some(one), Some(other)] = gives
            && one != other
        {
            let text = if one == Gives::Text { left } else { right };
            let piece = source.get(text.range.clone()).unwrap_or_default();
            let message = format!(
                "this compares a text with a number, which says nothing of either; write `{piece} | int` or `{piece} | float`"
            );
            error(left.range.start, message);
        }
    }
    for asked in &usage.asked {
        if is_text_of_a_step(names, snippet, asked) {
            let piece = source.get(asked.clone()).unwrap_or_default();
            let message = format!(
                "`{piece}` is a text, and any text but an empty one counts as true, `false` too; write `{piece} | bool` to read yes or no, or compare it: `{piece} != \"\"`"
            );
            error(asked.start, message);
        }
    }
}

fn gives(names: &Names<'_>, snippet: &Snippet, side: &Operand) -> Option<Gives> {
    if side.gives.is_some() {
        return side.gives;
    }
    match names.shape_of(snippet, snippet.text.value.get(side.range.clone())?)?.1 {
        Shape::Plain("a number") => Some(Gives::Number),
        Shape::Plain(text) if text.starts_with("a text") => Some(Gives::Text),
        _ => None,
    }
}

/// Whether it is the bare text that a prompt or a command gave: `steps.X.output`, or `output` where a step is judged.
fn is_text_of_a_step(names: &Names<'_>, snippet: &Snippet, asked: &Range<usize>) -> bool {
    let Some(piece) = snippet.text.value.get(asked.clone()) else { return false };
    let Some((chain, _)) = names.shape_of(snippet, piece) else { return false };
    let step = match (chain.root.as_str(), chain.parts.as_slice()) {
        ("output", []) if snippet.scope == TemplateScope::Judge => snippet.step,
        ("steps", [ChainPart::Name(id), ChainPart::Name(output)]) if output == "output" => match snippet.step {
            Some(group) if snippet.scope == TemplateScope::Inside => names.tree.visible_inside(group, id).ok(),
            Some(step) => names.tree.visible(step, id).ok(),
            None => names.tree.visible_on_top(id).ok(),
        },
        _ => None,
    };
    step.is_some_and(|step| gives_text(names, step))
}

fn gives_text(names: &Names<'_>, step: usize) -> bool {
    let declared = names.tree.nodes[step].step;
    match &declared.does {
        _ if declared.rules.output.is_some() => false,
        Does::Prompt(_) => true,
        Does::Command(command) => command.parse == Parse::Text,
        Does::Group { output: None, .. } => names
            .tree
            .inside(step)
            .last()
            .is_some_and(|last| names.tree.nodes[last].step.rules.for_each.is_none() && gives_text(names, last)),
        _ => false,
    }
}

/// Notes what `attach` names that can never be a picture.
pub(super) fn attached(names: &Names<'_>, report: &Report) {
    for (step, text) in &names.draft.notes.attached {
        let snippet = Snippet {
            text: text.clone(),
            form: SnippetForm::Expr,
            step: Some(*step),
            scope: TemplateScope::Work,
            secrets: false,
        };
        let Some((_, shape)) = names.shape_of(&snippet, text.value.trim()) else { continue };
        if !may_be_picture(&shape) {
            let message = format!(
                "`{}` can never be a picture, and `attach` sends pictures: inputs of `type = \"image\"` or `\"images\"`; the text of a file goes into the prompt, `{{{{ inputs.NAME.text }}}}`",
                text.value.trim()
            );
            report.error(&text.span, message);
        }
    }
}

fn may_be_picture(shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::Plain(_) => false,
        Shape::List(item) => may_be_picture(item),
        Shape::Object(fields) => fields.iter().any(|(name, _)| name == "base64"),
    }
}
