//! What a definition wrote, as it is handed to minijinja.
//!
//! minijinja's operators cannot be replaced, but three things have to be otherwise than it does them: `none` joins by `~` as
//! empty text, what a text or list grows to by `~`, `+` and `*` is counted ([`super::functions`]), and a condition does not
//! take the text `false` for true ([`super::truth`]). So a call of an inner filter is written behind the operands that are
//! concerned. The tree of minijinja's own parser says where they are; every place in the result leads back to the place in
//! the source, so that errors name what the person wrote.

use std::cell::OnceCell;
use std::ops::Range;

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::{Token, parse, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::usage::{Gives, Operand, Usage};
use super::{TemplateError, bounds};

/// Inner filters: what is joined, what is added, a product, a condition, what a name is set to.
pub(super) const JOINED: &str = "__joined";
pub(super) const ADDED: &str = "__added";
pub(super) const TIMES: &str = "__times";
pub(super) const HOLDS: &str = "__holds";
pub(super) const KEPT: &str = "__kept";

/// A source as minijinja gets it.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// What it uses.
    pub usage: Usage,
    /// The text.
    pub text: String,
    /// Insertions, in order: where they begin in the text, how much longer than what they replace they are, and the place in
    /// the source that they speak of.
    marks: Vec<Mark>,
    /// The longest piece of plain text inside something whose output is kept as a value.
    pub longest_captured: usize,
}

#[derive(Clone, Debug)]
struct Mark {
    at: usize,
    inserted: usize,
    replaced: usize,
    about: usize,
}

impl Rewritten {
    /// The place in the source of a place in the text.
    #[must_use]
    pub fn origin(&self, at: usize) -> usize {
        let mut shift = 0;
        for mark in &self.marks {
            if at < mark.at {
                break;
            }
            if at < mark.at + mark.inserted {
                return mark.about;
            }
            shift += mark.inserted - mark.replaced;
        }
        at - shift
    }
}

/// Rewrites an expression; in a condition what is asked whether it is true is judged by [`super::truth`].
///
/// # Errors
/// When it does not parse.
pub fn expression(source: &str, condition: bool) -> Result<Rewritten, TemplateError> {
    bounds::check(source, true)?;
    bounds::with_stack(|| {
        let tree = parse_expr(source).map_err(|error| TemplateError::of(source, &error))?;
        let mut writer = Writer::new(source, true, condition);
        writer.expr(&tree, condition);
        Ok(writer.finish())
    })
}

/// Rewrites a template.
///
/// # Errors
/// When it does not parse.
pub fn text(source: &str) -> Result<Rewritten, TemplateError> {
    bounds::check(source, false)?;
    bounds::with_stack(|| {
        let tree =
            parse(source, "<template>", SyntaxConfig::default()).map_err(|error| TemplateError::of(source, &error))?;
        let mut writer = Writer::new(source, false, false);
        writer.statement(&tree, false);
        Ok(writer.finish())
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Open,
    Close,
    Times,
    Other,
}

struct Edit {
    /// What is replaced; empty: nothing.
    range: Range<usize>,
    text: String,
    about: usize,
}

struct Writer<'s> {
    source: &'s str,
    is_expr: bool,
    condition: bool,
    /// Read when they are asked for: most expressions have neither brackets nor products.
    tokens: OnceCell<Vec<(Kind, Range<usize>)>>,
    edits: Vec<Edit>,
    usage: Usage,
    longest_captured: usize,
}

impl<'s> Writer<'s> {
    fn new(source: &'s str, is_expr: bool, condition: bool) -> Self {
        let (tokens, edits, usage) = (OnceCell::new(), Vec::new(), Usage::default());
        Self { source, is_expr, condition, tokens, edits, usage, longest_captured: 0 }
    }

    fn tokens(&self) -> &[(Kind, Range<usize>)] {
        self.tokens.get_or_init(|| {
            let tokens = tokenize(self.source, self.is_expr, SyntaxConfig::default()).map_while(Result::ok);
            let placed = tokens.map(|(token, span)| {
                let kind = match token {
                    Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => Kind::Open,
                    Token::ParenClose | Token::BracketClose | Token::BraceClose => Kind::Close,
                    Token::Mul => Kind::Times,
                    _ => Kind::Other,
                };
                (kind, span.start_offset as usize..span.end_offset as usize)
            });
            placed.collect()
        })
    }

    fn finish(mut self) -> Rewritten {
        self.edits.sort_by_key(|edit| edit.range.start);
        let (mut text, mut marks, mut at) = (String::with_capacity(self.source.len()), Vec::new(), 0);
        for edit in self.edits {
            text.push_str(self.source.get(at..edit.range.start).unwrap_or_default());
            marks.push(Mark {
                at: text.len(),
                inserted: edit.text.len(),
                replaced: edit.range.len(),
                about: edit.about,
            });
            text.push_str(&edit.text);
            at = edit.range.end;
        }
        text.push_str(self.source.get(at..).unwrap_or_default());
        Rewritten { usage: self.usage, text, marks, longest_captured: self.longest_captured }
    }

    fn insert(&mut self, at: usize, text: impl Into<String>, about: usize) {
        self.edits.push(Edit { range: at..at, text: text.into(), about });
    }

    /// A range that has as many opening brackets as closing ones.
    fn balanced(&self, range: Range<usize>) -> Range<usize> {
        if !self.source.contains(['(', '[', '{', ')', ']', '}']) {
            return range;
        }
        let tokens = self.tokens();
        let first = tokens.partition_point(|(_, token)| token.start < range.start);
        let end = tokens.partition_point(|(_, token)| token.start < range.end);
        let (mut depth, mut missing) = (0_usize, 0_usize);
        for (kind, _) in &tokens[first..end] {
            match kind {
                Kind::Open => depth += 1,
                Kind::Close if depth == 0 => missing += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
        }
        let mut whole = range;
        for (kind, token) in tokens[..first].iter().rev() {
            if missing == 0 {
                break;
            }
            missing -= usize::from(*kind == Kind::Open);
            whole.start = token.start;
        }
        for (kind, token) in &tokens[end..] {
            if depth == 0 {
                break;
            }
            depth -= usize::from(*kind == Kind::Close);
            whole.end = token.end;
        }
        whole
    }

    /// Writes an inner filter behind an operand.
    fn wrap(&mut self, operand: &Expr<'_>, range: &Range<usize>, filter: &str) {
        if is_operand(operand) {
            self.insert(range.end, format!("|{filter}"), range.start);
        } else {
            self.insert(range.start, "(", range.start);
            self.insert(range.end, format!(")|{filter}"), range.start);
        }
    }

    /// Rewrites what is inside an expression, and gives where it is. `truth`: it is asked whether it is true.
    fn expr(&mut self, expr: &Expr<'_>, truth: bool) -> Range<usize> {
        let truth = truth && self.condition;
        let range = self.inside(expr, truth);
        if truth && !is_truth_value(expr) {
            self.usage.asked.push(range.clone());
            self.wrap(expr, &range, HOLDS);
        }
        range
    }

    /// As [`Writer::expr`], where it does not matter where it is.
    fn visit(&mut self, expr: &Expr<'_>) {
        self.expr(expr, false);
    }

    fn inside(&mut self, expr: &Expr<'_>, truth: bool) -> Range<usize> {
        let span = expr.span();
        let own = span.start_offset as usize..span.end_offset as usize;
        // What an expression is made of tells better where it begins than minijinja's spans, some of which begin late.
        let (start, end) = match expr {
            Expr::Var(_) | Expr::Const(_) => return own,
            Expr::List(list) => {
                list.items.iter().for_each(|item| self.visit(item));
                return own;
            }
            Expr::Tuple(tuple) => {
                let places: Vec<_> = tuple.items.iter().map(|item| self.expr(item, false)).collect();
                let first = places.first().map_or(own.start, |place| place.start.min(own.start));
                return self.balanced(first..own.end);
            }
            Expr::Map(map) => {
                map.keys.iter().chain(&map.values).for_each(|item| self.visit(item));
                return own;
            }
            Expr::UnaryOp(unary) => {
                let asks = matches!(unary.op, UnaryOpKind::Not);
                (own.start, self.expr(&unary.expr, asks).end)
            }
            Expr::BinOp(binary) => return self.binary(binary.op, &binary.left, &binary.right, truth),
            Expr::Compare(compare) => {
                let first = self.expr(&compare.expr, false);
                let (start, mut last) = (first.start, Operand { range: first, gives: Gives::of(&compare.expr) });
                for op in &compare.ops {
                    let next = Operand { range: self.expr(&op.expr, false), gives: Gives::of(&op.expr) };
                    if matches!(op.op, CompareOpKind::Lt | CompareOpKind::Lte | CompareOpKind::Gt | CompareOpKind::Gte)
                    {
                        self.usage.orderings.push((last, next.clone()));
                    }
                    last = next;
                }
                (start, last.range.end)
            }
            Expr::IfExpr(choice) => {
                let start = self.expr(&choice.true_expr, truth).start;
                let test = self.expr(&choice.test_expr, true).end;
                (start, choice.false_expr.as_ref().map_or(test, |other| self.expr(other, truth).end))
            }
            Expr::Filter(filter) => {
                self.usage.filters.push((filter.name.split_whitespace().collect(), own.start));
                let start = filter.expr.as_ref().map_or(own.start, |inner| self.expr(inner, false).start);
                self.args(&filter.args);
                (start, own.end)
            }
            Expr::Test(test) => {
                self.usage.tests.push((test.name.split_whitespace().collect(), own.start));
                let start = self.expr(&test.expr, false).start;
                self.args(&test.args);
                (start, own.end)
            }
            Expr::GetAttr(access) => (self.expr(&access.expr, false).start, own.end),
            Expr::GetItem(access) => {
                let start = self.expr(&access.expr, false).start;
                self.expr(&access.subscript_expr, false);
                (start, own.end)
            }
            Expr::Slice(slice) => {
                let start = self.expr(&slice.expr, false).start;
                let bounds = [&slice.start, &slice.stop, &slice.step];
                bounds.into_iter().flatten().for_each(|bound| self.visit(bound));
                (start, own.end)
            }
            Expr::Call(call) => {
                let start = self.expr(&call.expr, false).start;
                self.args(&call.args);
                (start, own.end)
            }
        };
        self.balanced(start..end.max(start))
    }

    fn args(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            match arg {
                CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    self.expr(expr, false);
                }
            }
        }
    }

    fn binary(&mut self, op: BinOpKind, left: &Expr<'_>, right: &Expr<'_>, truth: bool) -> Range<usize> {
        let asks = truth && matches!(op, BinOpKind::ScAnd | BinOpKind::ScOr);
        let (first, second) = (self.expr(left, asks), self.expr(right, asks));
        let range = self.balanced(first.start..second.end);
        match op {
            // A chain is counted at its ends: what stands between is a text, or a number, already.
            BinOpKind::Concat => {
                for (operand, place) in [(left, &first), (right, &second)] {
                    if !matches!(operand, Expr::BinOp(inner) if matches!(inner.op, BinOpKind::Concat)) {
                        self.wrap(operand, place, JOINED);
                    }
                }
            }
            BinOpKind::Add => {
                for (operand, place) in [(left, &first), (right, &second)] {
                    if is_operand(operand) && !is_number(operand) {
                        self.wrap(operand, place, ADDED);
                    }
                }
            }
            BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte => {
                let [left, right] = [(left, first), (right, second)]
                    .map(|(operand, range)| Operand { range, gives: Gives::of(operand) });
                self.usage.orderings.push((left, right));
            }
            BinOpKind::Mul if !(is_number(left) && is_number(right)) => {
                self.times(left, &range, first.end, second.start);
            }
            _ => {}
        }
        range
    }

    /// `left * right` becomes `(left)|__times(right)`.
    fn times(&mut self, left: &Expr<'_>, range: &Range<usize>, from: usize, to: usize) {
        let between =
            self.tokens().iter().find(|(kind, token)| *kind == Kind::Times && token.start >= from && token.end <= to);
        let Some(operator) = between.map(|(_, token)| token.clone()) else { return };
        let about = range.start;
        let is_product = matches!(left, Expr::BinOp(inner) if matches!(inner.op, BinOpKind::Mul));
        let bracket = if is_operand(left) || is_product {
            ""
        } else {
            self.insert(range.start, "(", about);
            ")"
        };
        self.edits.push(Edit { range: operator, text: format!("{bracket}|{TIMES}("), about });
        self.insert(range.end, ")", about);
    }

    /// `captured`: its text becomes a value.
    fn statement(&mut self, statement: &Stmt<'_>, captured: bool) {
        match statement {
            Stmt::Template(template) => self.body(&template.children, captured),
            Stmt::EmitExpr(emit) => self.visit(&emit.expr),
            Stmt::EmitRaw(raw) => {
                if captured {
                    self.longest_captured = self.longest_captured.max(raw.raw.len());
                }
            }
            Stmt::ForLoop(each) => {
                self.expr(&each.iter, false);
                each.filter_expr.iter().for_each(|filter| self.visit(filter));
                self.body(&each.body, captured);
                self.body(&each.else_body, captured);
            }
            Stmt::IfCond(choice) => {
                self.expr(&choice.expr, false);
                self.body(&choice.true_body, captured);
                self.body(&choice.false_body, captured);
            }
            Stmt::WithBlock(with) => {
                for (_, value) in &with.assignments {
                    self.kept(value);
                }
                self.body(&with.body, captured);
            }
            Stmt::Set(set) => self.kept(&set.expr),
            Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.visit(filter));
                self.body(&set.body, true);
            }
            Stmt::AutoEscape(escape) => self.body(&escape.body, captured),
            Stmt::FilterBlock(filter) => {
                self.visit(&filter.filter);
                self.body(&filter.body, true);
            }
            Stmt::Block(block) => self.body(&block.body, captured),
            Stmt::Macro(function) => {
                function.defaults.iter().for_each(|default| self.visit(default));
                self.body(&function.body, true);
            }
            Stmt::CallBlock(block) => {
                self.args(&block.call.args);
                self.body(&block.macro_decl.body, true);
            }
            Stmt::Do(call) => self.args(&call.call.args),
            Stmt::Import(_)
            | Stmt::FromImport(_)
            | Stmt::Extends(_)
            | Stmt::Include(_)
            | Stmt::Continue(_)
            | Stmt::Break(_) => {}
        }
    }

    fn body(&mut self, statements: &[Stmt<'_>], captured: bool) {
        for statement in statements {
            self.statement(statement, captured);
        }
    }

    /// What a name is set to may hold what it was set to before, and so on.
    fn kept(&mut self, value: &Expr<'_>) {
        let range = self.expr(value, false);
        if !matches!(value, Expr::Const(_) | Expr::Compare(_) | Expr::Test(_) | Expr::BinOp(_)) {
            self.wrap(value, &range, KEPT);
        }
    }
}

/// A filter behind it is about all of it.
fn is_operand(expr: &Expr<'_>) -> bool {
    !matches!(
        expr,
        Expr::UnaryOp(_) | Expr::BinOp(_) | Expr::Compare(_) | Expr::IfExpr(_) | Expr::Test(_) | Expr::Tuple(_)
    )
}

/// It is a number as it is written.
fn is_number(expr: &Expr<'_>) -> bool {
    matches!(expr, Expr::Const(constant) if constant.value.is_number())
}

/// It is true or false whatever its operands are, or asks them itself.
fn is_truth_value(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Compare(_) | Expr::Test(_) | Expr::IfExpr(_) => true,
        Expr::UnaryOp(unary) => matches!(unary.op, UnaryOpKind::Not),
        Expr::BinOp(binary) => !matches!(
            binary.op,
            BinOpKind::Add
                | BinOpKind::Sub
                | BinOpKind::Mul
                | BinOpKind::Div
                | BinOpKind::FloorDiv
                | BinOpKind::Rem
                | BinOpKind::Pow
                | BinOpKind::Concat
        ),
        Expr::Const(constant) => constant.value.kind() == minijinja::value::ValueKind::Bool,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_operands_that_are_concerned_are_marked() {
        for (source, wanted) in [
            ("a ~ b.c", "a|__joined ~ b.c|__joined"),
            ("a ~ b ~ c", "a|__joined ~ b|__joined ~ c|__joined"),
            ("(a ~ (b)) ~ 'x'", "(a|__joined ~ (b|__joined)) ~ 'x'|__joined"),
            ("a.b[0].c + 1 - d", "a.b[0].c|__added + 1 - d"),
            ("a * b", "a |__times( b)"),
            ("a * b * c", "a |__times( b) |__times( c)"),
            ("(a + b) * (c)", "((a|__added + b|__added) )|__times( (c))"),
            ("a - b * -c", "a - b |__times( -c)"),
            ("-a * 2", "(-a )|__times( 2)"),
            ("2 * 3", "2 * 3"),
            ("(a if b else (c)) ~ d", "((a if b else (c))|__joined) ~ d|__joined"),
            ("(a)|upper ~ b", "(a)|upper|__joined ~ b|__joined"),
            ("f(a ~ b, c=d * e)[x + 1]", "f(a|__joined ~ b|__joined, c=d |__times( e))[x|__added + 1]"),
        ] {
            let written = expression(source, false).unwrap();
            assert_eq!(written.text, wanted, "{source}");
            assert!(parse_expr(&written.text).is_ok(), "{source}");
        }
        for (source, wanted) in [
            ("a", "a|__holds"),
            ("not a.b and (c or d == 1)", "not a.b|__holds and (c|__holds or d == 1)"),
            ("a ~ b", "(a|__joined ~ b|__joined)|__holds"),
            ("a is defined and a", "a is defined and a|__holds"),
            ("(a or b) == c", "(a or b) == c"),
            ("a if b else c", "a|__holds if b|__holds else c|__holds"),
        ] {
            let written = expression(source, true).unwrap();
            assert_eq!(written.text, wanted, "{source}");
        }
    }

    #[test]
    fn a_place_leads_back_to_the_source() {
        let source = "x * (a ~ b) * c + long_name";
        let written = expression(source, true).unwrap();
        for name in ["x", "a", "b", "c", "long_name"] {
            let at = written.text.match_indices(name).find(|(at, _)| {
                let around = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
                around(written.text[..*at].chars().next_back())
                    && around(written.text[at + name.len()..].chars().next())
            });
            assert_eq!(written.origin(at.unwrap().0), source.find(name).unwrap(), "{name} in {}", written.text);
        }
    }

    fn source() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a".to_owned()),
            Just("b.c".to_owned()),
            Just("'x y'".to_owned()),
            Just("3".to_owned()),
            Just("none".to_owned()),
            Just("d[0]".to_owned()),
            Just("true".to_owned()),
            Just("[1, a]".to_owned()),
            Just("(1, 2)".to_owned()),
        ];
        leaf.prop_recursive(4, 24, 3, |inner| {
            let binary = prop_oneof![
                Just("~"),
                Just("+"),
                Just("*"),
                Just("-"),
                Just("and"),
                Just("or"),
                Just("=="),
                Just("<"),
                Just("in"),
                Just("/"),
            ];
            prop_oneof![
                (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("not {a}")),
                inner.clone().prop_map(|a| format!("({a}) | default({a})")),
                inner.clone().prop_map(|a| format!("f({a}, k={a})")),
                (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
                inner.prop_map(|a| format!("({a}) is defined")),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_parses_parses_when_it_is_rewritten_and_says_the_same_without_the_marks(source in source()) {
            for condition in [false, true] {
                let Ok(written) = expression(&source, condition) else { continue };
                prop_assert!(parse_expr(&written.text).is_ok(), "{source} became {}", written.text);
                // Numbers and yes or no: the inner filters do nothing but what the operators do.
                let names = minijinja::context! { a => 2, b => minijinja::context! { c => 5 }, d => vec![7] };
                let plain = minijinja::Environment::new();
                let before = plain.compile_expression(&source).unwrap().eval(names.clone());
                let after = super::super::Expr::parse(&source).unwrap().eval(&names);
                if let (Ok(before), Ok(after)) = (before, after)
                    && !source.contains("none")
                {
                    prop_assert_eq!(before.to_string(), after.to_string(), "{} became {}", source, written.text);
                }
            }
        }
    }
}
