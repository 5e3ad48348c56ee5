//! Values that a program may read as options of its own: a whole element of `argv` that begins with a dash only because of
//! what was put into it (`tar {{ inputs.name }}` with `--to-command=…`).
//!
//! Where a person allows the command, the approval points such a value out. Where nobody is asked it is said here, as a
//! warning: whether a program takes options at that place only its own documentation tells.

use super::tree::Tree;
use crate::catalog::decode::Draft;
use crate::core::diagnostic::Report;
use crate::core::form::{Field, FieldType};
use crate::core::names::{ChainPart, in_text};
use crate::core::pieces::{Part, parts};
use crate::core::shell::is_shell;
use crate::core::step::{Approve, Command, ENDS_OPTIONS};
use crate::core::template::Template;

/// Warns of each value that stands for a whole argument, or begins one, of a command that nobody is asked about.
pub(super) fn check(draft: &Draft, tree: &Tree<'_>, report: &Report) {
    for (step, argv) in &draft.notes.commands {
        let Some(node) = tree.nodes.get(*step) else { continue };
        if !matches!(node.step.rules.approve, Some(Approve::Never | Approve::When(_))) {
            continue;
        }
        let Some(program) = argv.first().filter(|program| Command::file(&program.value).is_none()) else { continue };
        let mut script = false;
        for (at, element) in argv.iter().enumerate().skip(1) {
            // What comes after these is no option of that program; its own files are the definition's to write.
            if script || ENDS_OPTIONS.contains(&element.value.as_str()) || Command::file(&element.value).is_some() {
                break;
            }
            script = is_shell(&program.value) && at > 1 && argv[at - 1].value == "-c";
            if let Some(value) = begins_with_a_value(&element.value).filter(|value| may_be_dashed(value, draft)) {
                let program = &program.value;
                let message = format!(
                    "nobody is asked before this runs, and `{value}` may begin with a dash: then `{program}` reads it as an \
                     option. Put \"--\" before it, or join it to what it belongs to (`--name={value}`)"
                );
                report.warn(&element.span, message);
            }
        }
    }
}

/// The value that an element begins with, if it may begin with one, as it is written: `{{ … }}`.
fn begins_with_a_value(source: &str) -> Option<String> {
    match Template::parse(source).ok()? {
        Template::Plain(_) => None,
        Template::Single(_) => Some(source.trim().to_owned()),
        // Of statements that cannot be followed nothing is said.
        Template::Mixed(_) => first_value(&parts(source).ok()?).0.map(str::to_owned),
    }
}

/// The value that may come first, and whether there is text before whatever follows.
fn first_value<'s>(parts: &[Part<'s>]) -> (Option<&'s str>, bool) {
    for part in parts {
        match part {
            Part::Text("") => {}
            Part::Text(_) | Part::Break | Part::Continue => return (None, true),
            Part::Value(source, _) => return (Some(source), true),
            Part::Choice(ways) => {
                let mut decided = true;
                for way in ways {
                    let (value, begun) = first_value(way);
                    if value.is_some() {
                        return (value, true);
                    }
                    decided &= begun;
                }
                if decided {
                    return (None, true);
                }
            }
            Part::Loop(body, otherwise) => {
                if let Some(value) = first_value(body).0.or(first_value(otherwise).0) {
                    return (Some(value), true);
                }
            }
        }
    }
    (None, false)
}

/// Whether a value may begin with a dash, as far as what is declared tells.
fn may_be_dashed(value: &str, draft: &Draft) -> bool {
    if value.trim_start_matches(['{', '-', ' ']).starts_with(['"', '\'']) {
        return false;
    }
    let chains = in_text(value);
    let Some(chain) = chains.first() else { return false };
    match (chain.root.as_str(), chain.parts.as_slice()) {
        ("index" | "iteration", []) => false,
        ("run", [ChainPart::Name(name)]) => !matches!(name.as_str(), "id" | "date"),
        ("inputs", [ChainPart::Name(name)]) => {
            draft.task.inputs.iter().find(|field| field.name == *name).is_none_or(may_hold_a_dash)
        }
        _ => true,
    }
}

fn may_hold_a_dash(field: &Field) -> bool {
    match field.kind {
        FieldType::Boolean | FieldType::Date => false,
        FieldType::Choice => field.choices.iter().any(|choice| choice.starts_with('-')),
        _ => true,
    }
}
