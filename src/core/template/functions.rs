//! The filters and tests of templates, with a limit of what each may make.
//!
//! minijinja counts instructions, and one filter is one instruction whatever it makes: `'%1000000000d' | format(1)`. Here each
//! is asked beforehand how much that would be. A rendering may make texts and lists up to [`MOST_TEXT`] and [`MOST_ITEMS`]
//! each, and go through [`MOST_WORK`] altogether, so that neither memory nor time is without end. `none` is empty text
//! wherever a text is made.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Expression, State, filters, functions};
use regex::Regex;

use super::{fence, rewrite, spoken, truth};
use crate::core::json;

/// Bytes of one text.
pub(super) const MOST_TEXT: usize = 64 * 1024 * 1024;
/// Items of one list.
const MOST_ITEMS: usize = 2_000_000;
/// Items that are made of nothing, as `range` makes them.
const MOST_MADE: usize = 100_000;
/// Bytes of all texts and lists that a rendering goes through, lists with so many bytes an item.
pub(super) const MOST_WORK: usize = 512 * 1024 * 1024;
const ITEM: usize = 8;
/// Lists inside lists.
const DEEPEST_VALUE: usize = 256;
/// The widest field of `format`, the widest `indent`.
const WIDEST: usize = 10_000;
/// Compiled regular expressions are kept up to this many.
const MOST_KEPT: usize = 256;

/// Functions that templates have.
pub const FUNCTIONS: [&str; 4] = ["range", "dict", "namespace", "debug"];

/// Every filter that there is.
pub const FILTERS: [&str; 53] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "fenced",
    "first",
    "float",
    "format",
    "fromjson",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "search",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "transcript",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];
/// Every test that there is.
pub const TESTS: [&str; 43] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "matching",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

type Guard = fn(&mut State<'_, '_>, &mut [Value]) -> Result<(), Error>;

static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);
static PRODUCT: LazyLock<Option<Expression<'static, 'static>>> =
    LazyLock::new(|| PLAIN.compile_expression("a * b").ok());
static KEPT: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// Adds them all.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    let texts = [
        ("upper", Value::from_function(filters::upper)),
        ("lower", Value::from_function(filters::lower)),
        ("title", Value::from_function(filters::title)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("trim", Value::from_function(filters::trim)),
        ("split", Value::from_function(filters::split)),
        ("lines", Value::from_function(filters::lines)),
        ("string", Value::from_function(filters::string)),
        ("escape", Value::from_function(filters::escape)),
        ("e", Value::from_function(filters::escape)),
        ("safe", Value::from_function(filters::safe)),
        ("int", Value::from_function(filters::int)),
        ("float", Value::from_function(filters::float)),
    ];
    for (name, inner) in texts {
        let guard: Guard = if matches!(name, "int" | "float") { |state, args| charge_first(state, args) } else { text };
        guarded(environment, name, inner, guard);
    }
    let lists = [
        ("list", Value::from_function(filters::list)),
        ("sort", Value::from_function(filters::sort)),
        ("dictsort", Value::from_function(filters::dictsort)),
        ("items", Value::from_function(filters::items)),
        ("reverse", Value::from_function(filters::reverse)),
        ("unique", Value::from_function(filters::unique)),
        ("map", Value::from_function(filters::map)),
        ("select", Value::from_function(filters::select)),
        ("reject", Value::from_function(filters::reject)),
        ("selectattr", Value::from_function(filters::selectattr)),
        ("rejectattr", Value::from_function(filters::rejectattr)),
        ("groupby", Value::from_function(filters::groupby)),
        ("min", Value::from_function(filters::min)),
        ("max", Value::from_function(filters::max)),
        ("sum", Value::from_function(filters::sum)),
        ("first", Value::from_function(filters::first)),
        ("last", Value::from_function(filters::last)),
    ];
    for (name, inner) in lists {
        guarded(environment, name, inner, |state, args| charge_first(state, args));
    }
    guarded(environment, "replace", Value::from_function(filters::replace), replace);
    guarded(environment, "indent", Value::from_function(filters::indent), indent);
    guarded(environment, "format", Value::from_function(filters::format), format);
    guarded(environment, "batch", Value::from_function(filters::batch), batch);
    guarded(environment, "slice", Value::from_function(filters::slice), slice);
    guarded(environment, "tojson", Value::from_function(filters::tojson), tojson);
    guarded(environment, "pprint", Value::from_function(filters::pprint), |_, args| args.iter().try_for_each(measure));
    guarded(environment, "urlencode", Value::from_function(filters::urlencode), |state, args| {
        args.iter().try_for_each(measure)?;
        charge_first(state, args)
    });
    environment.add_filter("join", join);
    environment.add_filter("chain", chain);
    environment.add_filter("bool", truth::bool);
    environment.add_filter("search", search);
    environment.add_filter("fromjson", fromjson);
    environment.add_filter("fenced", fence::filter);
    environment.add_filter("transcript", spoken::transcript);
    environment.add_test("matching", matching);
    environment.add_function("range", range);
    environment.add_filter(rewrite::JOINED, joined);
    environment.add_filter(rewrite::ADDED, added);
    environment.add_filter(rewrite::TIMES, times);
    environment.add_filter(rewrite::HOLDS, |value: &Value| truth::holds(value));
    environment.add_filter(rewrite::KEPT, |value: &Value| measure(value).map(|()| value.clone()));
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::None => Ok(()),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let text = Value::from(display(value)?);
            charge(state, text.as_str().map_or(0, str::len))?;
            minijinja::escape_formatter(out, state, &text)
        }
        _ => {
            charge(state, value.as_str().map_or(ITEM, str::len))?;
            minijinja::escape_formatter(out, state, value)
        }
    });
}

/// Adds a filter that is looked at before it is applied.
fn guarded(environment: &mut Environment<'_>, name: &'static str, inner: Value, guard: Guard) {
    environment.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
        let mut args = args.into_values();
        if args.first().is_some_and(Value::is_undefined) {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        guard(state, &mut args)?;
        inner.call(state, &args)
    });
}

fn too_much(what: &str, most: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("it makes {what}, and {most} is the limit"))
}

fn too_long() -> Error {
    too_much("too long a text", format_args!("{} MB", MOST_TEXT / 1024 / 1024))
}

/// Counts work.
pub(super) fn charge(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    const WORK: &str = "work";
    let before = state.get_temp(WORK).and_then(|work| work.as_usize()).unwrap_or(0);
    let work = before.saturating_add(bytes);
    if work > MOST_WORK {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("it goes through more than {} MB of text and lists altogether", MOST_WORK / 1024 / 1024),
        ));
    }
    state.set_temp(WORK, Value::from(work));
    Ok(())
}

/// Bytes of a text or list, without what is inside.
fn size(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::String => Ok(value.as_str().map_or(0, str::len)),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let items = match value.len() {
                Some(items) => items,
                // Its length is not known before it is gone through.
                None => value.try_iter()?.take(MOST_ITEMS + 1).count(),
            };
            if items > MOST_ITEMS { Err(too_much("a list", format!("{MOST_ITEMS} items"))) } else { Ok(items * ITEM) }
        }
        _ => Ok(ITEM),
    }
}

fn charge_first(state: &mut State<'_, '_>, args: &[Value]) -> Result<(), Error> {
    let bytes = args.first().map(size).transpose()?.unwrap_or_default();
    charge(state, bytes)
}

/// What a text is made of it: nothing of `none`.
fn text(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    if let Some(first) = args.first_mut() {
        match first.kind() {
            ValueKind::None => *first = Value::from(""),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => *first = Value::from(display(first)?),
            _ => {}
        }
    }
    charge_first(state, args)
}

/// The text that a list is shown as.
fn display(value: &Value) -> Result<String, Error> {
    measure(value)?;
    Ok(value.to_string())
}

/// Whether all that is inside a value, each thing as often as it is there, is within the limits.
///
/// # Errors
/// When it is not.
pub(super) fn measure(value: &Value) -> Result<(), Error> {
    /// Bytes that each thing inside is counted as, at least.
    const THING: usize = 32;
    fn walk(value: &Value, depth: usize, left: &mut usize) -> Result<(), Error> {
        let own = size(value)?;
        *left = left.checked_sub(own.max(THING)).ok_or_else(too_long)?;
        if depth > DEEPEST_VALUE {
            return Err(too_much("lists inside lists", format!("{DEEPEST_VALUE} deep")));
        }
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| walk(&item, depth + 1, left)),
            ValueKind::Map => value.try_iter()?.try_for_each(|key| {
                walk(&key, depth + 1, left)?;
                value.get_item(&key).map_or(Ok(()), |item| walk(&item, depth + 1, left))
            }),
            _ => Ok(()),
        }
    }
    walk(value, 0, &mut { MOST_TEXT })
}

fn replace(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    text(state, args)?;
    for arg in args.iter_mut().filter(|arg| arg.is_none()) {
        *arg = Value::from("");
    }
    if let [of, from, to, ..] = &*args {
        let (of, from, to) = (of.to_string(), from.to_string(), to.to_string());
        let times = if from.is_empty() { of.chars().count() + 1 } else { of.matches(&from).count() };
        let length = times.checked_mul(to.len()).and_then(|more| more.checked_add(of.len()));
        let length = length.filter(|length| *length <= MOST_TEXT).ok_or_else(too_long)?;
        charge(state, length)?;
    }
    Ok(())
}

/// The numbers among arguments, named ones too.
fn numbers(args: &[Value]) -> impl Iterator<Item = usize> {
    let named =
        |arg: &Value| ["width", "indent", "count"].iter().filter_map(|name| arg.get_attr(name).ok()?.as_usize()).max();
    args.iter().skip(1).filter_map(move |arg| if arg.kind() == ValueKind::Map { named(arg) } else { arg.as_usize() })
}

fn indent(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    text(state, args)?;
    let lines = args.first().and_then(Value::as_str).map_or(1, |text| text.matches('\n').count() + 1);
    let width = numbers(args).max().unwrap_or(4);
    if width > WIDEST {
        return Err(too_much("too wide a margin", WIDEST));
    }
    if lines * width > MOST_TEXT {
        return Err(too_long());
    }
    charge(state, lines * width)
}

fn tojson(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    if numbers(args).any(|width| width > 100) {
        return Err(too_much("too wide a margin", 100));
    }
    args.first().map(measure).transpose()?;
    charge_first(state, args)
}

fn batch(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    charge_first(state, args)?;
    // Without what fills it, a batch has no more items than there are.
    if args.len() > 2 { made(state, args) } else { Ok(()) }
}

fn slice(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    charge_first(state, args)?;
    made(state, args)
}

fn made(state: &mut State<'_, '_>, args: &[Value]) -> Result<(), Error> {
    let items = numbers(args).max().unwrap_or_default();
    if items > MOST_MADE {
        return Err(too_much("too many items", MOST_MADE));
    }
    charge(state, items * ITEM)
}

fn format(state: &mut State<'_, '_>, args: &mut [Value]) -> Result<(), Error> {
    let mut width = 0;
    if let Some(format) = args.first().and_then(Value::as_str) {
        // Each run of digits is a width, a precision or plain text: none of them is wider than this.
        for digits in format.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()) {
            let wide = digits.parse().unwrap_or(usize::MAX);
            let before = digits.as_ptr() as usize - format.as_ptr() as usize;
            let head = format[..before].trim_end_matches(['+', '-', ' ', '#', '0', '.']);
            let is_field = head.ends_with('%') || head.ends_with(')') || format[..before].ends_with('.');
            if is_field && wide > WIDEST {
                return Err(too_much("too wide a field", WIDEST));
            }
            width += if is_field { wide } else { 0 };
        }
    }
    for arg in args.iter_mut().skip(1) {
        match arg.kind() {
            ValueKind::None => *arg = Value::from(""),
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => measure(arg)?,
            _ => {}
        }
        width += arg.as_str().map_or(ITEM, str::len);
    }
    charge(state, width)?;
    charge_first(state, args)
}

/// minijinja's `join`, but `none` joins as empty text.
fn join(state: &mut State<'_, '_>, list: &Value, separator: Option<&str>) -> Result<String, Error> {
    if list.is_none() {
        return Ok(String::new());
    }
    if let Some(text) = list.as_str() {
        return Ok(text.to_owned());
    }
    if list.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let bytes = size(list)?;
    charge(state, bytes)?;
    let mut joined = String::new();
    for (at, item) in list.try_iter()?.enumerate() {
        if at > 0 {
            joined.push_str(separator.unwrap_or_default());
        }
        match item.kind() {
            ValueKind::None => {}
            ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => joined.push_str(&display(&item)?),
            _ => match item.as_str() {
                Some(text) => joined.push_str(text),
                None => write!(joined, "{item}").map_err(Error::from)?,
            },
        }
        if joined.len() > MOST_TEXT {
            return Err(too_long());
        }
    }
    charge(state, joined.len())?;
    Ok(joined)
}

/// minijinja's `chain`, made at once: chains of chains of what is made when it is gone through have no end.
fn chain(state: &mut State<'_, '_>, value: Value, others: Rest<Value>) -> Result<Value, Error> {
    let all: Vec<Value> = std::iter::once(value).chain(others.0).collect();
    if all.iter().any(|value| value.kind() == ValueKind::Map) {
        return filters::chain(state, all[0].clone(), Rest(all[1..].to_vec()));
    }
    let mut items = Vec::new();
    for value in &all {
        let bytes = size(value)?;
        charge(state, bytes)?;
        items.extend(value.try_iter()?);
    }
    let items = Value::from(items);
    size(&items)?;
    Ok(items)
}

/// minijinja's `range`, within what its arithmetic can do.
fn range(lower: isize, upper: Option<isize>, step: Option<isize>) -> Result<Value, Error> {
    const FARTHEST: usize = 1 << 53;
    if [Some(lower), upper, step].into_iter().flatten().any(|number| number.unsigned_abs() > FARTHEST) {
        return Err(too_much("numbers too far from 0", FARTHEST));
    }
    functions::range(lower, upper, step)
}

fn joined(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Value::from("")),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let text = display(value)?;
            charge(state, text.len())?;
            Ok(Value::from(text))
        }
        _ => charge(state, value.as_str().map_or(ITEM, str::len)).map(|()| value.clone()),
    }
}

fn added(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if !value.is_undefined() {
        let bytes = size(value)?;
        charge(state, bytes)?;
    }
    Ok(value.clone())
}

fn times(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    let of = |one: &Value, other: &Value| Some((one.clone(), other.as_usize()?));
    let is_list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    for (thing, times) in [of(left, right), of(right, left)].into_iter().flatten() {
        if let Some(text) = thing.as_str() {
            let length = text.len().checked_mul(times).filter(|length| *length <= MOST_TEXT).ok_or_else(too_long)?;
            charge(state, length)?;
            return Ok(Value::from(text.repeat(times)));
        }
        if is_list(&thing) {
            let items = size(&thing)?.checked_mul(times).filter(|bytes| *bytes <= MOST_ITEMS * ITEM);
            charge(state, items.ok_or_else(|| too_much("a list", format!("{MOST_ITEMS} items")))?)?;
        }
    }
    let product = PRODUCT.as_ref().ok_or_else(|| Error::from(ErrorKind::InvalidOperation))?;
    product
        .eval(minijinja::context! { a => left, b => right })
        .map_err(|error| Error::new(error.kind(), error.detail().unwrap_or("this cannot be multiplied").to_owned()))
}

/// A regular expression, compiled once.
fn regex(pattern: &str) -> Result<Regex, Error> {
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return Ok(kept.clone());
    }
    let compiled = Regex::new(pattern).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(ErrorKind::InvalidOperation, format!("`{pattern}` is not a regular expression: {why}"))
    })?;
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), compiled.clone());
    Ok(compiled)
}

/// What a regular expression looks at.
pub(super) fn searched(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let mut args = vec![value.clone()];
    text(state, &mut args)?;
    let first = args.swap_remove(0);
    Ok(if first.as_str().is_some() { first } else { Value::from(first.to_string()) })
}

/// The test `matching`: whether all of a text matches, as `pattern` of an input has it.
fn matching(state: &mut State<'_, '_>, value: &Value, pattern: &str) -> Result<bool, Error> {
    let text = searched(state, value)?;
    regex(pattern)?;
    let whole = regex(&format!("^(?:{pattern})$"))?;
    Ok(whole.is_match(text.as_str().unwrap_or_default()))
}

/// The filter `search`: the first match, of that the first group where there is one; `none` without a match.
fn search(state: &mut State<'_, '_>, value: &Value, pattern: &str) -> Result<Value, Error> {
    let text = searched(state, value)?;
    let found = regex(pattern)?.captures(text.as_str().unwrap_or_default()).map(|found| {
        let part = if found.len() > 1 { found.get(1) } else { found.get(0) };
        part.map_or(Value::from(()), |part| Value::from(part.as_str()))
    });
    Ok(found.unwrap_or_else(|| Value::from(())))
}

/// The filter `fromjson`.
fn fromjson(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    let text = searched(state, value)?;
    let parsed = json::parse(text.as_str().unwrap_or_default())
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("the text is not JSON: {error}")))?;
    Ok(super::from_json(&parsed))
}

#[cfg(test)]
mod tests;
