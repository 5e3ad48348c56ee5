//! How large an expression may be: checked on its tokens, before a parser that calls itself sees it.
//!
//! A definition that nobody trusts yet is parsed by lists, `check` and `doctor`. A chain of operators becomes a tree as deep
//! as the chain is long, and a tree is parsed, compiled and dropped by functions that call themselves, so its depth is bounded
//! first. What passes here fits on the stack of any thread (see [`with_stack`]).

use minijinja::machinery::{Span, Token, tokenize};

use super::TemplateError;

/// Brackets, and operators without a left side, inside each other.
const DEEPEST: usize = 256;
/// Terms of one chain: `a + b + c` has three.
const MOST_TERMS: usize = 1_000;
/// Levels of the tree that an expression becomes, all chains along one path together.
const MOST_LEVELS: usize = 2_000;
/// Branches of one `if`, and of all in a template.
const MOST_BRANCHES: usize = 1_000;

/// Stack that must be free before an expression is parsed, and how much more is taken where it is not.
const RED_ZONE: usize = 1024 * 1024;
const MORE_STACK: usize = 4 * 1024 * 1024;

/// Runs `work` with enough stack for what [`check`] lets through.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, MORE_STACK, work)
}

/// How tightly operators bind, the loosest first. An operand of one is a chain of tighter ones.
const STRENGTHS: usize = 8;

fn strength(token: &Token<'_>) -> Option<usize> {
    Some(match token {
        Token::Ident("if" | "else") => 0,
        Token::Ident("or") => 1,
        Token::Ident("and") => 2,
        Token::Ident("not" | "in") | Token::Eq | Token::Ne | Token::Gt | Token::Gte | Token::Lt | Token::Lte => 3,
        Token::Plus | Token::Minus => 4,
        Token::Tilde => 5,
        Token::Mul | Token::Div | Token::FloorDiv | Token::Mod => 6,
        Token::Pow => 7,
        _ => return None,
    })
}

/// A chain of operators that bind equally.
#[derive(Clone, Copy, Default)]
struct Chain {
    operators: usize,
    /// Levels of its deepest operand so far.
    operand: usize,
}

/// What is inside one pair of brackets, as far as it has been read.
#[derive(Default)]
struct Frame {
    chains: [Chain; STRENGTHS],
    /// Accesses, calls and filters of the last operand.
    accesses: usize,
    /// The deepest thing in brackets in that operand.
    brackets: usize,
    /// The deepest element before the last comma.
    element: usize,
}

impl Frame {
    /// Levels of the chains that bind as tightly as `loosest` or tighter.
    fn levels_from(&self, loosest: usize) -> usize {
        let tight_first = self.chains[loosest..].iter().rev();
        tight_first.fold(self.accesses.max(self.brackets), |levels, chain| chain.operand.max(levels) + chain.operators)
    }

    fn levels(&self) -> usize {
        self.element.max(self.levels_from(0))
    }

    fn operator(&mut self, strength: usize) {
        let operand = self.levels_from(strength + 1);
        self.chains[strength].operand = self.chains[strength].operand.max(operand);
        self.chains[strength].operators += 1;
        self.chains[strength + 1..].fill(Chain::default());
        (self.accesses, self.brackets) = (0, 0);
    }

    fn comma(&mut self) {
        *self = Self { element: self.levels(), ..Self::default() };
    }

    fn longest(&self) -> usize {
        self.chains.iter().map(|chain| chain.operators).fold(self.accesses, usize::max)
    }
}

/// Notes an expression, or a template's expressions, that are too large to be parsed.
///
/// # Errors
/// What is too much, with its place.
pub fn check(source: &str, is_expr: bool) -> Result<(), TemplateError> {
    // Every bracket, term and branch takes at least a byte: what is this short needs no look.
    if source.len() <= DEEPEST {
        return Ok(());
    }
    let mut frames = vec![Frame::default()];
    let mut branches = 0;
    let too_much = |span: Span, message: String| Err(TemplateError::at(source, span.start_offset as usize, message));
    // What is no token is the parser's to report, with its place.
    for (token, span) in tokenize(source, is_expr, minijinja::syntax::SyntaxConfig::default()).map_while(Result::ok) {
        let depth = frames.len();
        let Some(frame) = frames.last_mut() else { break };
        match token {
            Token::VariableStart
            | Token::VariableEnd
            | Token::BlockStart
            | Token::BlockEnd
            | Token::TemplateData(_) => {
                frames.clear();
                frames.push(Frame::default());
                continue;
            }
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                frame.accesses += 1;
                if depth > DEEPEST {
                    return too_much(span, format!("it is nested more than {DEEPEST} deep"));
                }
                frames.push(Frame::default());
                continue;
            }
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                let inner = frame.levels();
                if depth > 1 {
                    frames.pop();
                }
                if let Some(around) = frames.last_mut() {
                    around.brackets = around.brackets.max(inner + around.accesses);
                }
            }
            Token::Comma | Token::Colon | Token::Assign => frame.comma(),
            Token::Dot | Token::Pipe | Token::Ident("is") => frame.accesses += 1,
            Token::Ident("elif") => {
                branches += 1;
                if branches >= MOST_BRANCHES {
                    return too_much(span, format!("it has more than {MOST_BRANCHES} branches"));
                }
            }
            other => match strength(&other) {
                Some(strength) => frame.operator(strength),
                None => continue,
            },
        }
        let Some(frame) = frames.last() else { break };
        if frame.longest() >= MOST_TERMS {
            return too_much(span, format!("it is a chain of more than {MOST_TERMS} terms"));
        }
        if frames.iter().map(Frame::levels).sum::<usize>() > MOST_LEVELS {
            return too_much(span, format!("it is more than {MOST_LEVELS} operations deep"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::core::template::{Expr, Template};

    fn chain(terms: usize, operator: &str, term: &str) -> String {
        vec![term; terms].join(operator)
    }

    /// On the stack that a worker thread has.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn a_long_or_deep_expression_is_an_error_with_its_place_and_no_overflow() {
        on_a_small_stack(|| {
            let many = 100_000;
            let sources = [
                chain(many, "+", "1"),
                chain(many, " ~ ", "'a'"),
                chain(many, " and ", "a"),
                chain(many, " < ", "1"),
                chain(many, " if a else ", "b"),
                format!("a{}", ".b".repeat(many)),
                format!("a{}", "[0]".repeat(many)),
                format!("a{}", "()".repeat(many)),
                format!("a{}", "|trim".repeat(many)),
                format!("a{}", " is defined".repeat(many)),
                format!("{}a", "not ".repeat(many)),
                format!("{}1", "-".repeat(many)),
                format!("{}1{}", "(".repeat(many), ")".repeat(many)),
                "[".repeat(many),
                "{1:".repeat(many),
                format!("{}1{}", "f(".repeat(many), ")".repeat(many)),
                format!("a[{}", "1:".repeat(many)),
            ];
            for source in sources {
                let shown: String = source.chars().take(20).collect();
                let error = Expr::parse(&source).map(drop).expect_err(&shown);
                assert_eq!(error.line, 1, "{shown}");
                assert!(Expr::condition(&source).is_err(), "{shown}");
                assert!(Template::parse(&format!("x {{{{ {source} }}}}")).is_err(), "{shown}");
                assert!(Template::parse(&format!("{{{{ {source} }}}}")).is_err(), "{shown}");
                assert!(Template::parse(&format!("{{% if {source} %}}{{% endif %}}")).is_err(), "{shown}");
            }
            let nested = format!("{}{}", "{% if a %}".repeat(many), "{% endif %}".repeat(many));
            assert!(Template::parse(&nested).is_err());
            let branches = format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(many));
            assert!(Template::parse(&branches).is_err());
        });
    }

    #[test]
    fn the_place_of_what_is_too_much_is_told() {
        let error = Expr::parse(&format!("[\n{}]", chain(1_001, "+", "1"))).map(drop).unwrap_err();
        assert_eq!((error.line, error.column), (2, 2_000));
        assert_eq!(error.message, "it is a chain of more than 1000 terms");
        let error = Expr::parse(&"(".repeat(300)).map(drop).unwrap_err();
        assert_eq!((error.line, error.column), (1, 257));
        // A chain in the first operand of a chain is as deep as both together.
        let mut source = "1".to_owned();
        for _ in 0..10 {
            source = format!("({source}){}", "+1".repeat(900));
        }
        assert!(Expr::parse(&source).map(drop).unwrap_err().message.contains("operations deep"));
    }

    #[test]
    fn what_is_long_without_being_deep_goes_on_working() {
        on_a_small_stack(|| {
            let names = minijinja::context! { a => vec![1], b => "x" };
            assert_eq!(Expr::parse(&chain(1_000, "+", "a[0]")).unwrap().eval_json(&names).unwrap(), 1_000);
            let text = Expr::parse(&chain(1_000, " ~ ", "b")).unwrap().eval_json(&names).unwrap();
            assert_eq!(text.as_str().map(str::len), Some(1_000));
            let list = Expr::parse(&format!("[{}] | length", chain(20_000, ", ", "a[0] + 1"))).unwrap();
            assert_eq!(list.eval_json(&names).unwrap(), 20_000);
            assert!(Expr::condition(&chain(1_000, " and ", "a")).unwrap().holds(&names).unwrap());
            let choices = chain(900, " or ", "b == 'y' and a[0] * 2 + 1 == 4");
            assert!(!Expr::condition(&choices).unwrap().holds(&names).unwrap());
            let text = Template::parse(&"{{ b ~ b }} ".repeat(5_000)).unwrap().render(&names).unwrap();
            assert_eq!(text.len(), 15_000);
            let nested = format!("{}b{}", "(".repeat(60), ")".repeat(60));
            assert_eq!(Expr::parse(&nested).unwrap().eval_json(&names).unwrap(), "x");
        });
    }
}
