//! What an expression uses and gives, as far as its form tells without a value: for checks before a run.

use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, Expr, UnaryOpKind};

use super::functions::{FILTERS, TESTS};
use crate::core::diagnostic::did_you_mean;

/// What a source uses, as far as its form tells, for checks. Places are bytes of the source.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Filters, by name, and where each stands.
    pub filters: Vec<(String, usize)>,
    /// Tests likewise.
    pub tests: Vec<(String, usize)>,
    /// What a condition asks whether it is true.
    pub asked: Vec<Range<usize>>,
    /// Both sides of each `<`, `<=`, `>`, `>=`.
    pub orderings: Vec<(Operand, Operand)>,
}

impl Usage {
    /// The filters and tests that there are not: the byte of each, and what is wrong.
    #[must_use]
    pub fn unknown(&self) -> Vec<(usize, String)> {
        let of = |kind: &str, known: &[&str], used: &[(String, usize)]| -> Vec<(usize, String)> {
            let unknown = used.iter().filter(|(name, _)| !known.contains(&name.as_str()));
            let message =
                |name: &str| format!("there is no {kind} `{name}`{}", did_you_mean(name, known.iter().copied()));
            unknown.map(|(name, at)| (*at, message(name))).collect()
        };
        [of("filter", &FILTERS, &self.filters), of("test", &TESTS, &self.tests)].concat()
    }
}

/// A side of a comparison.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Where it is.
    pub range: Range<usize>,
    /// What it gives, where its form tells.
    pub gives: Option<Gives>,
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A text.
    Text,
    /// A number.
    Number,
}

/// Filters that give a number, and those that give a text.
const NUMBERS: [&str; 6] = ["length", "count", "int", "float", "abs", "round"];
const TEXTS: [&str; 12] = [
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "string",
    "replace",
    "join",
    "format",
    "indent",
    "tojson",
    "urlencode",
];

impl Gives {
    pub(super) fn of(expr: &Expr<'_>) -> Option<Self> {
        match expr {
            Expr::Const(constant) if constant.value.as_str().is_some() => Some(Self::Text),
            Expr::Const(constant) if constant.value.is_number() => Some(Self::Number),
            Expr::UnaryOp(unary) if matches!(unary.op, UnaryOpKind::Neg) => Some(Self::Number),
            Expr::Filter(filter) if NUMBERS.contains(&filter.name) => Some(Self::Number),
            Expr::Filter(filter) if TEXTS.contains(&filter.name) => Some(Self::Text),
            Expr::BinOp(binary) => match binary.op {
                BinOpKind::Concat => Some(Self::Text),
                BinOpKind::Sub | BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Rem | BinOpKind::Pow => {
                    Some(Self::Number)
                }
                _ => None,
            },
            _ => None,
        }
    }
}
