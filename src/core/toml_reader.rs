//! Reading TOML that a person wrote: every mistake is noted with its place, none stops the reading.
//!
//! A [`Table`] is asked for its keys; what nobody asked for is unknown, and [`Table::done`] says so with a suggestion.
//! An [`Item`] is read as what is wanted; when it is something else, that is noted and `None` comes back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Report, SourceSpan, SourceText, did_you_mean, nearest};
use super::step::Timespan;

mod offset;

/// A text of the file: the value, and where it stands (its quotes included).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TomlString {
    /// The value.
    pub value: String,
    /// Where it stands.
    pub span: SourceSpan,
    /// Whether it stands there as a TOML string; false for a file that was read in whole.
    pub quoted: bool,
}

impl TomlString {
    /// A whole file as a text.
    #[must_use]
    pub fn of_file(source: Arc<SourceText>) -> Self {
        let span = 0..source.text.len();
        Self { value: source.text.clone(), span: SourceSpan { source, range: span }, quoted: false }
    }
}

/// Parses `source` and hands the whole of it to `read`, which ends with [`Table::done`].
///
/// `None` when the text is not TOML; the mistakes are in `report`.
pub fn read<T>(source: &Arc<SourceText>, report: &Report, read: impl FnOnce(&Table<'_>) -> T) -> Option<T> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let mut broken = false;
    let mut last_line = 0;
    for error in &errors {
        let message = error.message().lines().next().unwrap_or_default();
        // After a key that stands twice the rest of the file still means what it says.
        broken |= message != "duplicate key";
        let offset = error.span().map_or(0, |span| span.start);
        let (line, _) = source.position(offset);
        // One slip often makes the parser stumble several times in one line: the first is the one to mend.
        if line != last_line {
            let message = match message {
                "duplicate key" => "this key is here a second time; keep one of the two".to_owned(),
                other => format!("this is not TOML: {other}"),
            };
            report.error_at(source, offset, message);
        }
        last_line = line;
    }
    if broken {
        return None;
    }
    let doc = Doc { source: Arc::clone(source), report };
    let table = Table { doc: &doc, entries: root.get_ref(), span: 0..0, asked: RefCell::default() };
    Some(read(&table))
}

struct Doc<'r> {
    source: Arc<SourceText>,
    report: &'r Report,
}

/// A table of the file, and which of its keys were asked for.
pub struct Table<'a> {
    doc: &'a Doc<'a>,
    entries: &'a DeTable<'a>,
    span: Range<usize>,
    asked: RefCell<Vec<String>>,
}

impl<'a> Table<'a> {
    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key.to_owned());
        let (name, value) = self.entries.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Item {
            doc: self.doc,
            name: name.get_ref().to_string(),
            name_span: name.span(),
            value: value.get_ref(),
            span: value.span(),
        })
    }

    /// The value of `key`; its absence is a mistake. `example` shows how it is written.
    pub fn required(&self, key: &str, example: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.error(format!("`{key}` is missing; write {example}"));
        }
        item
    }

    /// Whether `key` stands here. It does not count as asked for.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.get_ref() == key)
    }

    /// Every key, in the order of the file; none counts as asked for.
    #[must_use]
    pub fn keys(&self) -> Vec<TomlString> {
        let span_of = |span| SourceSpan { source: Arc::clone(&self.doc.source), range: span };
        let text = |name: &str, span| TomlString { value: name.to_owned(), span: span_of(span), quoted: false };
        self.entries.iter().map(|(name, _)| text(name.get_ref(), name.span())).collect()
    }

    /// Every key with its value, in the order of the file; all count as asked for.
    #[must_use]
    pub fn entries(&self) -> Vec<Item<'a>> {
        self.entries.iter().filter_map(|(name, _)| self.get(name.get_ref())).collect()
    }

    /// Where the table begins: its header, its brace, or the beginning of the file.
    #[must_use]
    pub fn span(&self) -> SourceSpan {
        SourceSpan { source: Arc::clone(&self.doc.source), range: self.span.clone() }
    }

    /// Notes a mistake of the table as a whole.
    pub fn error(&self, message: impl Into<String>) {
        self.doc.report.error_at(&self.doc.source, self.span.start, message);
    }

    /// Notes every key that nobody asked for.
    pub fn done(&self) {
        self.done_with(|_| None);
    }

    /// As [`Table::done`]; `advice` may know better what to say about a key than that it is unknown.
    pub fn done_with(&self, advice: impl Fn(&str) -> Option<String>) {
        let asked = self.asked.borrow();
        for (name, _) in self.entries {
            let key = name.get_ref().as_ref();
            if asked.iter().any(|known| known == key) {
                continue;
            }
            let open = asked.iter().map(String::as_str).filter(|known| !self.has(known));
            let message = match (nearest(key, open), advice(key)) {
                (_, Some(advice)) => advice,
                (Some(near), None) => format!("unknown key `{key}`; did you mean `{near}`?"),
                (None, None) => {
                    format!("unknown key `{key}`{}", did_you_mean(key, asked.iter().map(String::as_str)))
                }
            };
            self.doc.report.error_at(&self.doc.source, name.span().start, message);
        }
    }

    /// The table as JSON, whatever it holds.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        let mut object = serde_json::Map::new();
        for item in self.entries() {
            object.insert(item.name.clone(), item.json()?);
        }
        Some(Value::Object(object))
    }

    // The common kinds of keys, each `None` when absent or wrong.

    /// A text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.text().map(|text| text.value)
    }

    /// A yes or no; no when absent.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|item| item.boolean()).unwrap_or(false)
    }

    /// A list of texts; empty when absent.
    pub fn texts(&self, key: &str) -> Vec<TomlString> {
        self.get(key).and_then(|item| item.texts()).unwrap_or_default()
    }

    /// A length of time.
    pub fn time(&self, key: &str) -> Option<Timespan> {
        self.get(key)?.time()
    }

    /// A whole number of at least `least`.
    pub fn count(&self, key: &str, least: u32) -> Option<u32> {
        self.get(key)?.count(least)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.number()
    }

    /// A table whose keys are names of the person's choice; empty when absent.
    pub fn named<T>(&self, key: &str, mut read: impl FnMut(Item<'a>) -> Option<T>) -> BTreeMap<String, T> {
        let entries = self.get(key).and_then(Item::table).map(|table| table.entries()).unwrap_or_default();
        entries.into_iter().filter_map(|item| Some((item.name().to_owned(), read(item)?))).collect()
    }

    /// A table of texts under names of the person's choice; empty when absent.
    pub fn text_map(&self, key: &str) -> BTreeMap<String, String> {
        self.named(key, |item| item.text().map(|text| text.value))
    }

    /// The tables of a `[[key]]`; empty when absent.
    pub fn tables(&self, key: &str) -> Vec<Table<'a>> {
        let Some(items) = self.get(key).and_then(|item| item.list()) else { return Vec::new() };
        items.into_iter().filter_map(Item::table).collect()
    }
}

/// The values of texts.
#[must_use]
pub fn values(texts: Vec<TomlString>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

/// A key as a part of a JSON pointer.
#[must_use]
pub fn pointed(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A value of the file.
#[derive(Clone)]
pub struct Item<'a> {
    doc: &'a Doc<'a>,
    name: String,
    name_span: Range<usize>,
    value: &'a DeValue<'a>,
    span: Range<usize>,
}

impl<'a> Item<'a> {
    /// The key that it stands under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the value stands.
    #[must_use]
    pub fn span(&self) -> SourceSpan {
        SourceSpan { source: Arc::clone(&self.doc.source), range: self.span.clone() }
    }

    /// Where the key stands.
    #[must_use]
    pub fn name_span(&self) -> SourceSpan {
        SourceSpan { source: Arc::clone(&self.doc.source), range: self.name_span.clone() }
    }

    /// Notes a mistake of the value.
    pub fn error(&self, message: impl Into<String>) {
        self.doc.report.error_at(&self.doc.source, self.span.start, message);
    }

    fn wrong(&self, wanted: &str) {
        let found = match self.value {
            DeValue::String(text) if text.len() <= 40 && !text.contains('\n') => format!("the text \"{text}\""),
            DeValue::String(_) => "a text".to_owned(),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(yes) => yes.to_string(),
            DeValue::Datetime(date) => format!("the date {date} (a text needs quotes)"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.error(format!("`{}` must be {wanted}, not {found}", self.name));
    }

    /// Whether it is a text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// The yes or no that it is, if it is one; nothing is noted.
    #[must_use]
    pub fn as_boolean(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// As a text.
    #[must_use]
    pub fn text(&self) -> Option<TomlString> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong("a text");
        }
        text.map(|value| TomlString { value: value.to_owned(), span: self.span(), quoted: true })
    }

    /// As a text that is not blank.
    #[must_use]
    pub fn filled(&self) -> Option<TomlString> {
        let text = self.text()?;
        if text.value.trim().is_empty() {
            self.error(format!("`{}` is empty", self.name));
            return None;
        }
        Some(text)
    }

    /// As a yes or no.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        let yes = self.value.as_bool();
        if yes.is_none() {
            self.wrong("true or false");
        }
        yes
    }

    /// As a whole number.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let number =
            self.value.as_integer().and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            self.wrong("a whole number");
        }
        number
    }

    /// As a whole number of at least `least` that fits 32 bits.
    #[must_use]
    pub fn count(&self, least: u32) -> Option<u32> {
        let number = self.integer()?;
        let count = u32::try_from(number).ok().filter(|count| *count >= least);
        if count.is_none() {
            self.wrong(&format!("a whole number from {least} to {}", u32::MAX));
        }
        count
    }

    /// As a number, whole or not.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        let number = match self.value {
            DeValue::Integer(_) => self.value.as_integer().and_then(|n| {
                #[expect(clippy::cast_precision_loss, reason = "a limit or a price, far below 2^52")]
                i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64)
            }),
            DeValue::Float(number) => number.as_str().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        };
        if number.is_none() {
            self.wrong("a number");
        }
        number
    }

    /// As a length of time.
    #[must_use]
    pub fn time(&self) -> Option<Timespan> {
        let span = self.value.as_str().and_then(Timespan::parse);
        if span.is_none() {
            self.wrong("a length of time such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"2d\"");
        }
        span
    }

    /// As one of some words.
    pub fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let names = || words.iter().map(|(word, _)| *word);
        let Some(text) = self.value.as_str() else {
            self.wrong(&format!("one of {}", quoted(names())));
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
        if found.is_none() {
            let near = nearest(text, names()).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
            self.error(format!("`{}` is one of {}, not \"{text}\"{near}", self.name, quoted(names())));
        }
        found
    }

    /// As a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Item<'a>>> {
        let Some(items) = self.value.as_array() else {
            self.wrong(&format!("a list (in brackets, or `[[{}]]` tables)", self.name));
            return None;
        };
        Some(
            items
                .iter()
                .map(|value| Item {
                    doc: self.doc,
                    name: self.name.clone(),
                    name_span: self.name_span.clone(),
                    value: value.get_ref(),
                    span: value.span(),
                })
                .collect(),
        )
    }

    /// As a program and its arguments.
    #[must_use]
    pub fn argv(&self) -> Option<Vec<TomlString>> {
        let words = self.texts()?;
        if words.first().is_none_or(|program| program.value.is_empty()) {
            self.error(format!("`{}` names no program; write `[\"program\", \"argument\"]`", self.name));
            return None;
        }
        Some(words)
    }

    /// As the address of a server, without a `/` at its end.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        let url = self.text()?.value;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            self.error(format!("`{}` begins with http:// or https://, not \"{url}\"", self.name));
            return None;
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    /// As a list of texts.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<TomlString>> {
        Some(self.list()?.iter().filter_map(Item::text).collect())
    }

    /// As a table.
    #[must_use]
    pub fn table(self) -> Option<Table<'a>> {
        let Some(entries) = self.value.as_table() else {
            self.wrong("a table");
            return None;
        };
        Some(Table { doc: self.doc, entries, span: self.span, asked: RefCell::default() })
    }

    /// As JSON, whatever it is. A date becomes its text.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        Some(match self.value {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Integer(_) => Value::from(self.integer()?),
            DeValue::Float(_) => Value::from(self.number()?),
            DeValue::Boolean(yes) => Value::from(*yes),
            DeValue::Datetime(date) => Value::from(date.to_string()),
            DeValue::Array(_) => Value::Array(self.list()?.iter().map(Item::json).collect::<Option<_>>()?),
            DeValue::Table(_) => self.clone().table()?.json()?,
        })
    }

    /// The value and every value inside, each by its JSON pointer from here, with its place.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, SourceSpan)> {
        fn walk(item: &Item<'_>, at: &str, into: &mut Vec<(String, SourceSpan)>) {
            into.push((at.to_owned(), item.span()));
            match item.value {
                DeValue::Array(_) => {
                    for (nth, inner) in item.list().unwrap_or_default().iter().enumerate() {
                        walk(inner, &format!("{at}/{nth}"), into);
                    }
                }
                DeValue::Table(_) => {
                    for inner in item.clone().table().map(|table| table.entries()).unwrap_or_default() {
                        walk(&inner, &format!("{at}/{}", pointed(&inner.name)), into);
                    }
                }
                _ => {}
            }
        }
        let mut parts = Vec::new();
        walk(self, "", &mut parts);
        parts
    }

    /// Every text inside, with its place: the templates of a nested value.
    #[must_use]
    pub fn inner_texts(&self) -> Vec<TomlString> {
        match self.value {
            DeValue::String(text) => vec![TomlString { value: text.to_string(), span: self.span(), quoted: true }],
            DeValue::Array(_) => self.list().unwrap_or_default().iter().flat_map(Item::inner_texts).collect(),
            DeValue::Table(_) => {
                let table = self.clone().table();
                table.map(|table| table.entries()).unwrap_or_default().iter().flat_map(Item::inner_texts).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn quoted<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_slips_in_one_line_are_told_once() {
        let source = Arc::new(SourceText { name: "f".into(), text: "a = = 1 ]\nb = \"x\n".into() });
        let report = Report::default();
        assert!(read(&source, &report, |_| ()).is_none());
        let lines: Vec<usize> = report.into_sorted().iter().map(|diagnostic| diagnostic.line).collect();
        assert_eq!(lines, [1, 2]);
    }
}
