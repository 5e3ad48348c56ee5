//! Templates and expressions of definitions: minijinja with strict undefined names and a limit of work.
//!
//! A text is rendered once; what it puts in is never rendered again. `none` renders and joins as empty text. An
//! undefined name is an error with its place, never an empty text.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::names::{self, Chain};
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

pub use self::expr::Expr;
pub use self::fence::{fence, fenced};
pub use self::functions::FUNCTIONS;
use self::rewrite::Rewritten;
pub use self::usage::{Gives, Operand, Usage};

mod bounds;
mod expr;
mod fence;
mod functions;
mod rewrite;
mod spoken;
mod truth;
mod usage;

/// How much work one rendering may do, in minijinja's instructions.
const FUEL: u64 = 2_000_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    functions::add_to(&mut environment);
    environment
});

/// A template or expression that does not parse or does not work out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// The line inside the source, from 1.
    pub line: usize,
    /// The column inside that line, from 1, in characters.
    pub column: usize,
}

impl TemplateError {
    fn of(source: &str, error: &Error) -> Self {
        Self::placed(source, error, |at| at)
    }

    /// Of a text that was rewritten.
    fn rewritten(source: &str, error: &Error, rewritten: &Rewritten) -> Self {
        Self::placed(source, error, |at| rewritten.origin(at))
    }

    fn placed(source: &str, error: &Error, origin: impl Fn(usize) -> usize) -> Self {
        let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        let place = error.range().map(|range| origin(range.start)..origin(range.end));
        match error.kind() {
            ErrorKind::UndefinedError => {
                let piece = place.clone().and_then(|range| source.get(range)).unwrap_or_default().trim();
                message = if piece.is_empty() {
                    "it names something that does not exist".to_owned()
                } else {
                    format!("`{piece}` names something that does not exist")
                };
            }
            ErrorKind::OutOfFuel => "it takes too much work (an endless loop?)".clone_into(&mut message),
            ErrorKind::WriteFailure => {
                message = format!("it makes a text of more than {} MB", functions::MOST_TEXT >> 20);
            }
            ErrorKind::SyntaxError if message.contains("recursion") => {
                "it is nested too deeply".clone_into(&mut message);
            }
            _ => {}
        }
        match place {
            Some(range) => Self::at(source, range.start, message),
            None => Self { message, line: error.line().unwrap_or(1), column: 1 },
        }
    }

    /// The byte of the source where it is.
    #[must_use]
    pub fn offset(&self, source: &str) -> usize {
        let before: usize = source.split_inclusive('\n').take(self.line.saturating_sub(1)).map(str::len).sum();
        let line = source.get(before..).unwrap_or_default();
        let column = line.char_indices().nth(self.column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
        before + column
    }

    /// With the place of a byte of the source.
    fn at(source: &str, offset: usize, message: String) -> Self {
        let before = source.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { message, line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// The names that a template or expression uses, dotted as far as they are constant: `steps.divide.output`,
/// `inputs.topic`, `item`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References(pub BTreeSet<String>);

impl References {
    /// What minijinja tells, and what it passes over: names inside a slice, and what stands behind a bracket.
    fn of(used: HashSet<String>, chains: &[Chain]) -> Self {
        let ours = chains.iter().filter(|chain| chain.root == "steps" || chain.root == "inputs").map(Chain::constant);
        Self(used.into_iter().chain(ours).collect())
    }

    /// The ids of the steps that are named.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|name| {
            let rest = name.strip_prefix("steps.")?;
            Some(rest.split('.').next().unwrap_or(rest))
        })
    }

    /// Whether what a step came to may be read: it is named, or the steps as a whole are.
    #[must_use]
    pub fn reads_step(&self, id: &str) -> bool {
        self.0.contains("steps") || self.steps().any(|step| step == id)
    }

    /// Whether `name` is used, as a whole or as the beginning of a dotted name.
    #[must_use]
    pub fn uses(&self, name: &str) -> bool {
        self.0.iter().any(|used| used.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    /// Takes the names of `other` in.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }
}

/// A text template, ready to be rendered any number of times.
#[derive(Clone)]
pub enum Template {
    /// No template at all.
    Plain(Arc<str>),
    /// One `{{ … }}` alone: its value keeps its type.
    Single(Expr),
    /// Anything else.
    Mixed(Arc<Mixed>),
}

/// A part of what a template renders to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What the template says.
    Text(String),
    /// A value that is put in.
    Value(String),
}

/// A template with text around its expressions.
pub struct Mixed {
    source: String,
    rewritten: Rewritten,
    environment: Environment<'static>,
}

impl Mixed {
    fn parse(source: &str) -> Result<Self, TemplateError> {
        let rewritten = rewrite::text(source)?;
        let mut environment = ENVIRONMENT.clone();
        // Text that a macro or a block gives again and again is not counted by anything else.
        let captures = functions::MOST_WORK / rewritten.longest_captured.max(1);
        environment.set_fuel(Some(FUEL.min(captures as u64)));
        bounds::with_stack(|| environment.add_template_owned(NAME, rewritten.text.clone()))
            .map_err(|error| TemplateError::rewritten(source, &error, &rewritten))?;
        Ok(Self { source: source.to_owned(), rewritten, environment })
    }

    fn render(&self, environment: &Environment<'static>, names: &Value) -> Result<String, TemplateError> {
        let mut text = BoundedText::default();
        let template = environment.get_template(NAME);
        template
            .and_then(|template| template.render_captured_to(names.clone(), &mut text).map(drop))
            .map_err(|error| TemplateError::rewritten(&self.source, &error, &self.rewritten))?;
        String::from_utf8(text.0).map_err(|error| TemplateError { message: error.to_string(), line: 1, column: 1 })
    }
}

/// Takes text up to a limit.
#[derive(Default)]
struct BoundedText(Vec<u8>);

impl std::io::Write for BoundedText {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > functions::MOST_TEXT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const NAME: &str = "t";

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When it does not parse: what, and the place inside it.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Self::Plain(source.into()));
        }
        if let Some(inner) = single(source) {
            return Expr::parse(inner).map(Self::Single).map_err(|mut error| {
                let offset = source.find(inner).unwrap_or_default();
                if error.line == 1 {
                    error.column += source[..offset].chars().count();
                }
                error
            });
        }
        Ok(Self::Mixed(Arc::new(Mixed::parse(source)?)))
    }

    /// The text that was parsed.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Single(expr) => expr.source(),
            Self::Mixed(mixed) => &mixed.source,
        }
    }

    /// The names that it uses.
    #[must_use]
    pub fn references(&self) -> References {
        match self {
            Self::Plain(_) => References::default(),
            Self::Single(expr) => expr.references().clone(),
            Self::Mixed(mixed) => {
                let template = mixed.environment.get_template(NAME);
                let used = bounds::with_stack(|| template.map(|template| template.undeclared_variables(true)));
                let used = used.unwrap_or_default();
                References::of(used, &names::in_text(&mixed.source))
            }
        }
    }

    /// Renders it to texts: one, or one an item where it is one `{{ … }}` alone and its value is a list.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_each(&self, names: &Value) -> Result<Vec<String>, TemplateError> {
        let Self::Single(expr) = self else { return Ok(vec![self.render(names)?]) };
        let value = expr.eval(names)?;
        if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            return Ok(vec![display(&value)]);
        }
        let items = functions::measure(&value).and_then(|()| value.try_iter());
        Ok(items.map_err(|error| TemplateError::of(expr.source(), &error))?.map(|item| display(&item)).collect())
    }

    /// Renders it to text.
    ///
    /// # Errors
    /// When a name does not exist or an operation does not fit its values.
    pub fn render(&self, names: &Value) -> Result<String, TemplateError> {
        match self {
            Self::Plain(text) => Ok(text.to_string()),
            Self::Single(expr) => Ok(display(&expr.eval(names)?)),
            Self::Mixed(mixed) => mixed.render(&mixed.environment, names),
        }
    }

    /// Renders it for a shell as version 0.1.0 did: what the template says stays as it is, every value that is put in is
    /// quoted. It is what fingerprints are made of; what runs is made of [`Template::render_pieces`].
    ///
    /// # Errors
    /// As [`Template::render`], and when a value contains a NUL byte.
    pub fn render_quoted(&self, names: &Value) -> Result<String, TemplateError> {
        let quote = |value: &Value| {
            shlex::try_quote(&display(value)).map(String::from).map_err(|_| {
                Error::new(ErrorKind::InvalidOperation, "a value contains a NUL byte, which no shell can take")
            })
        };
        self.render_by(names, quote)
    }

    /// Renders it in pieces: what the template says, and the values that are put in. `None` where a filter changes a text
    /// that has values in it.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_pieces(&self, names: &Value) -> Result<Option<Vec<Piece>>, TemplateError> {
        // No text of a shell has NUL bytes, so they can mark where a value goes.
        let values = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&values);
        let mark = move |value: &Value| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(display(value));
            Ok(format!("\0{}\0", kept.len() - 1))
        };
        let text = self.render_by(names, mark)?;
        let values = std::mem::take(&mut *values.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(taken_apart(&text, &values))
    }

    /// Renders it with values put in as `write` says.
    fn render_by(
        &self,
        names: &Value,
        write: impl Fn(&Value) -> Result<String, Error> + Send + Sync + 'static,
    ) -> Result<String, TemplateError> {
        match self {
            Self::Plain(text) => Ok(text.to_string()),
            Self::Single(expr) => write(&expr.eval(names)?).map_err(|error| TemplateError::of(expr.source(), &error)),
            Self::Mixed(mixed) => {
                let mut environment = mixed.environment.clone();
                environment.set_formatter(move |out, _, value| out.write_str(&write(value)?).map_err(Error::from));
                mixed.render(&environment, names)
            }
        }
    }

    /// Renders it; one `{{ … }}` alone keeps its type.
    ///
    /// # Errors
    /// As [`Template::render`], and when the value has no JSON form.
    pub fn render_json(&self, names: &Value) -> Result<serde_json::Value, TemplateError> {
        match self {
            Self::Single(expr) => expr.eval_json(names),
            _ => self.render(names).map(serde_json::Value::String),
        }
    }
}

/// The pieces of a text in which NUL bytes enclose the number of a value. A value may be a text that was made of others
/// before it. `None` where a filter has changed what is enclosed.
fn taken_apart(text: &str, values: &[String]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (at, piece) in text.split('\0').enumerate() {
        if at % 2 == 0 {
            pieces.push(Piece::Text(piece.to_owned()));
            continue;
        }
        let number = piece.parse::<usize>().ok()?;
        let inside = taken_apart(values.get(number)?, values.get(..number)?)?;
        let texts = inside.into_iter().map(|(Piece::Text(text) | Piece::Value(text))| text);
        pieces.push(Piece::Value(texts.collect()));
    }
    Some(pieces)
}

fn display(value: &Value) -> String {
    if value.is_none() { String::new() } else { value.to_string() }
}

/// The expression of a template that is one `{{ … }}` alone.
fn single(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    let alone = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%") && !inner.contains("{#");
    // Spaces around it are text, as a line of its own in a multi-line string is not.
    (alone && source.trim_matches('\n').trim() == source.trim_matches('\n')).then_some(inner)
}

/// Parses and renders a template once.
///
/// # Errors
/// As [`Template::parse`] and [`Template::render`].
pub fn render(source: &str, names: &Value) -> Result<String, TemplateError> {
    Template::parse(source)?.render(names)
}

/// What a template uses, as far as its form tells.
///
/// # Errors
/// When it does not parse.
pub fn usage_of_text(source: &str) -> Result<Usage, TemplateError> {
    rewrite::text(source).map(|rewritten| rewritten.usage)
}

/// What an expression, or a condition, uses, as far as its form tells.
///
/// # Errors
/// When it does not parse.
pub fn usage_of_expr(source: &str, condition: bool) -> Result<Usage, TemplateError> {
    rewrite::expression(source, condition).map(|rewritten| rewritten.usage)
}

/// The names that a template uses.
///
/// # Errors
/// When it does not parse.
pub fn check_text(source: &str) -> Result<References, TemplateError> {
    Ok(Template::parse(source)?.references())
}

/// The names that an expression uses.
///
/// # Errors
/// When it does not parse.
pub fn check_expr(source: &str) -> Result<References, TemplateError> {
    Ok(Expr::parse(source)?.references().clone())
}

/// A JSON value for templates.
#[must_use]
pub fn from_json(value: &serde_json::Value) -> Value {
    Value::from(Serde(value))
}

/// A template's value as JSON.
///
/// # Errors
/// When it has no JSON form: what it is.
pub fn to_json(value: &Value) -> Result<serde_json::Value, String> {
    match value.kind() {
        ValueKind::Undefined => Err("the value does not exist".to_owned()),
        ValueKind::Invalid => Err(value.to_string()),
        _ => serde_json::to_value(value).map_err(|error| match error.to_string().as_str() {
            "number out of range" => "an integer in it does not fit 64 bits".to_owned(),
            why => format!("the value has no JSON form: {why}"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use minijinja::context;
    use serde_json::json;

    use super::*;

    #[test]
    fn none_is_empty_text_and_undefined_is_an_error() {
        let names =
            context! { a => Value::from(()), list => vec![Value::from("x"), Value::from(()), Value::from("y")] };
        assert_eq!(render("<{{ a }}>", &names).unwrap(), "<>");
        assert_eq!(render("{{ a }}", &names).unwrap(), "");
        assert_eq!(render("{{ list | join('-') }}!", &names).unwrap(), "x--y!");
        let error = render("one\ntwo {{ nothing.here }}", &names).unwrap_err();
        assert_eq!((error.line, error.column), (2, 8));
        assert!(Expr::parse("a.b.c").unwrap().eval(&names).is_err());
    }

    #[test]
    fn one_expression_alone_keeps_its_type() {
        let names = context! { n => 3, list => vec![1, 2] };
        assert_eq!(Template::parse("{{ list }}").unwrap().render_json(&names).unwrap(), json!([1, 2]));
        assert_eq!(Template::parse("{{ n }} x").unwrap().render_json(&names).unwrap(), json!("3 x"));
        assert_eq!(Template::parse("{{ n }}{{ n }}").unwrap().render_json(&names).unwrap(), json!("33"));
        assert_eq!(Template::parse("plain").unwrap().render_json(&names).unwrap(), json!("plain"));
    }

    #[test]
    fn what_is_put_in_is_not_rendered_again() {
        let names = context! { text => "{{ inputs.secret }}" };
        assert_eq!(render("say {{ text }}", &names).unwrap(), "say {{ inputs.secret }}");
    }

    #[test]
    fn a_shell_sees_values_only_quoted() {
        let names = context! { name => "a'b; rm -rf /", n => 2 };
        let template = Template::parse("echo {{ name }} | head -n {{ n }}").unwrap();
        let line = template.render_quoted(&names).unwrap();
        assert_eq!(shlex::split(&line).unwrap(), ["echo", "a'b; rm -rf /", "|", "head", "-n", "2"]);
        let pieces = template.render_pieces(&names).unwrap().unwrap();
        let (text, value) = (|text: &str| Piece::Text(text.into()), |text: &str| Piece::Value(text.into()));
        assert_eq!(
            pieces,
            [text("echo "), value("a'b; rm -rf /"), text(" | head -n "), value("2"), text("")],
            "nothing of a value is text"
        );
        assert!(Template::parse("echo {{ x }}").unwrap().render_quoted(&context! { x => "a\0b" }).is_err());
    }

    #[test]
    fn a_text_that_is_made_of_values_is_a_value() {
        let names = context! { x => "a" };
        let pieces = |source: &str| Template::parse(source).unwrap().render_pieces(&names).unwrap();
        let (text, value) = (|text: &str| Piece::Text(text.into()), |text: &str| Piece::Value(text.into()));
        assert_eq!(
            pieces("{% set y %}<{{ x }}>{% endset %}{{ y }} {{ y }}{{ x }}"),
            Some(vec![text(""), value("<a>"), text(" "), value("<a>"), text(""), value("a"), text("")])
        );
        assert_eq!(pieces("{% filter replace('0', '') %}{{ x }}{% endfilter %}"), None);
    }

    #[test]
    fn references_are_found_through_filters_and_loops() {
        let used =
            check_text("{% for x in steps.divide.output %}{{ x.a ~ inputs.topic | upper }}{% endfor %}").unwrap();
        assert_eq!(used.steps().collect::<Vec<_>>(), ["divide"]);
        assert!(used.uses("inputs"));
        assert!(!used.uses("x"));
        assert!(check_expr("steps.a.output | length > inputs.n").unwrap().uses("inputs.n"));
        for hidden in ["(steps.a.output | list)[1:]", "steps['a'].output", "steps.a.outputs[-2:] | join"] {
            assert_eq!(check_expr(hidden).unwrap().steps().collect::<Vec<_>>(), ["a"], "{hidden}");
            let text = format!("say {{{{ {hidden} }}}}");
            assert_eq!(check_text(&text).unwrap().steps().collect::<Vec<_>>(), ["a"], "{text}");
        }
    }

    #[test]
    fn an_endless_template_ends() {
        let error =
            render("{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}", &context! {});
        assert!(error.is_err());
    }

    #[test]
    fn a_broken_template_names_its_place() {
        let error = check_text("line one\n{{ a b }}").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(check_expr("a ==").is_err());
    }
}
