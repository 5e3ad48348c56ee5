//! A structured value as a tree of fields: edit a value, add, remove, move items. A schema, where there is one, says
//! what a new item looks like and what is wrong; what is wrong is said and kept, never thrown away. A value that is left
//! while it is typed is kept beside the one that it was to replace: its row says so, and the field opens with it again.

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::line::LineInput;
use super::list::List;
use crate::core::schema;
use crate::core::text::{Untrusted, counted};
use crate::tui::canvas::Canvas;
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{fit, width};

/// One step of a path into a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum At {
    Name(String),
    Index(usize),
}

/// A text that was typed for a value and not put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unfinished {
    at: Vec<At>,
    typed: String,
}

/// A row: where it leads, and how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TreeRow {
    path: Vec<At>,
    label: String,
}

/// A value being edited.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEditor {
    value: Value,
    schema: Option<Value>,
    rows: Vec<TreeRow>,
    list: List,
    /// The value that is being typed, and why it does not parse.
    typing: Option<(LineInput, Option<String>)>,
    unfinished: Vec<Unfinished>,
}

/// What a person can do with the selected row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Type another value.
    Edit,
    /// Add an item after it, or a field that is missing.
    Add,
    /// Remove it.
    Remove,
    /// Move it so many places down (negative: up) in its list.
    Move(isize),
}

impl TreeEditor {
    /// A tree of `value`.
    #[must_use]
    pub fn new(value: Value, schema: Option<Value>) -> Self {
        let mut tree =
            Self { value, schema, rows: Vec::new(), list: List::default(), typing: None, unfinished: Vec::new() };
        tree.refresh();
        tree
    }

    /// The value as it is now.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What was typed for values and not put in, to be kept; `None` when there is nothing of the kind.
    #[must_use]
    pub fn unfinished(&self) -> Option<String> {
        let mut unfinished = self.unfinished.clone();
        unfinished.extend(self.typed());
        if unfinished.is_empty() { None } else { serde_json::to_string(&unfinished).ok() }
    }

    /// Puts back what [`Self::unfinished`] gave, as far as there are such values, and selects the first of them.
    pub fn restore(&mut self, unfinished: &str) {
        let Ok(mut unfinished) = serde_json::from_str::<Vec<Unfinished>>(unfinished) else { return };
        unfinished.retain(|unfinished| self.rows.iter().any(|row| row.path == unfinished.at));
        if let Some(first) = unfinished.first()
            && let Some(row) = self.rows.iter().position(|row| row.path == first.at)
        {
            self.list.selected = row;
        }
        self.unfinished = unfinished;
    }

    /// What is being typed, if it is something else than what is there.
    fn typed(&self) -> Option<Unfinished> {
        let ((input, _), row) = (self.typing.as_ref()?, self.rows.get(self.list.selected)?);
        let typed = input.value();
        let there = self.get(&row.path).and_then(scalar);
        (there.as_deref() != Some(&typed)).then(|| Unfinished { at: row.path.clone(), typed })
    }

    /// What was typed for the value at `path`.
    fn left(&self, path: &[At]) -> Option<&str> {
        self.unfinished.iter().find(|unfinished| unfinished.at == path).map(|unfinished| unfinished.typed.as_str())
    }

    /// Whether a value is being typed.
    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.typing.is_some()
    }

    /// Why the value cannot be accepted: what is being typed does not parse, or the whole does not fit its schema.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some((_, Some(problem))) = &self.typing {
            return Some(problem.clone());
        }
        schema::validate(self.schema.as_ref()?, &self.value).err()
    }

    /// Moves the selection.
    pub fn step(&mut self, rows: isize, extent: crate::tui::canvas::Extent) {
        self.list.step(rows, self.rows.len(), extent);
    }

    /// Takes a key for the value that is being typed.
    pub fn key(&mut self, key: KeyEvent) {
        if let Some((input, problem)) = &mut self.typing {
            input.key(key);
            *problem = None;
        }
    }

    /// Takes a paste for the value that is being typed.
    pub fn paste(&mut self, text: &str) {
        if let Some((input, problem)) = &mut self.typing {
            input.paste(text);
            *problem = None;
        }
    }

    /// Puts the typed value in its place. One that does not parse stays where it is, with the reason.
    pub fn commit(&mut self) {
        let Some((input, _)) = &self.typing else { return };
        let typed = input.value();
        let Some(row) = self.rows.get(self.list.selected) else { return };
        let parsed = match self.get(&row.path) {
            Some(Value::String(_)) => Ok(Value::String(typed)),
            _ => crate::core::json::parse(&typed).map_err(|_| not_json(&typed)),
        };
        match parsed {
            Ok(value) => {
                let path = row.path.clone();
                if let Some(place) = self.get_mut(&path) {
                    *place = value;
                }
                self.unfinished.retain(|unfinished| unfinished.at != path);
                self.typing = None;
                self.refresh();
            }
            Err(problem) => {
                if let Some((_, said)) = &mut self.typing {
                    *said = Some(problem);
                }
            }
        }
    }

    /// Leaves the value as it was, and keeps what was typed for it.
    pub fn cancel(&mut self) {
        let typed = self.typed();
        if let Some(row) = self.rows.get(self.list.selected) {
            self.unfinished.retain(|unfinished| unfinished.at != row.path);
        }
        self.unfinished.extend(typed);
        self.typing = None;
    }

    /// Changes the selected row.
    pub fn change(&mut self, change: Change) {
        let Some(row) = self.rows.get(self.list.selected).cloned() else { return };
        match change {
            Change::Edit => {
                // A list or an object is edited through its rows, or as raw JSON.
                let Some(there) = self.get(&row.path).and_then(scalar) else { return };
                let text = self.left(&row.path).map_or(there, str::to_owned);
                self.typing = Some((LineInput::new(&text), None));
            }
            Change::Add => self.add(&row.path),
            Change::Remove => self.remove(&row.path),
            Change::Move(by) => self.shift(&row.path, by),
        }
        self.refresh();
    }

    fn add(&mut self, path: &[At]) {
        let schema = self.schema.clone();
        match self.get_mut(path) {
            Some(Value::Array(items)) => {
                let new = blank(sub_schema(schema.as_ref(), path).and_then(|s| s.get("items")), items.last());
                items.push(new);
                return;
            }
            Some(Value::Object(fields)) => {
                let wanted =
                    sub_schema(schema.as_ref(), path).and_then(|s| s.get("properties")).and_then(Value::as_object);
                let missing = wanted.and_then(|wanted| wanted.iter().find(|(name, _)| !fields.contains_key(*name)));
                if let Some((name, schema)) = missing {
                    fields.insert(name.clone(), blank(Some(schema), None));
                    return;
                }
            }
            _ => {}
        }
        // Otherwise the nearest list around it gets an item after this one.
        let Some(depth) = path.iter().rposition(|at| matches!(at, At::Index(_))) else { return };
        let (outer, At::Index(index)) = (&path[..depth], &path[depth]) else { return };
        let index = *index;
        let item_schema = sub_schema(schema.as_ref(), outer).and_then(|s| s.get("items"));
        if let Some(Value::Array(items)) = self.get_mut(outer) {
            let new = blank(item_schema, items.get(index));
            items.insert(index + 1, new);
            self.renumber(outer, |at| Some(if at > index { at + 1 } else { at }));
        }
    }

    /// The items of a list have other numbers, or are gone: what was typed for them goes along.
    fn renumber(&mut self, outer: &[At], number: impl Fn(usize) -> Option<usize>) {
        let within = |unfinished: &Unfinished| unfinished.at.starts_with(outer);
        self.unfinished.retain_mut(|unfinished| match (within(unfinished), unfinished.at.get_mut(outer.len())) {
            (true, Some(At::Index(at))) => number(*at).is_some_and(|new| {
                *at = new;
                true
            }),
            _ => true,
        });
    }

    fn remove(&mut self, path: &[At]) {
        let Some((last, outer)) = path.split_last() else { return };
        match (self.get_mut(outer), last) {
            (Some(Value::Array(items)), At::Index(index)) if *index < items.len() => {
                items.remove(*index);
                let gone = *index;
                self.renumber(outer, |at| if at == gone { None } else { Some(if at > gone { at - 1 } else { at }) });
            }
            (Some(Value::Object(fields)), At::Name(name)) => {
                fields.shift_remove(name);
                self.unfinished.retain(|unfinished| !unfinished.at.starts_with(path));
            }
            _ => {}
        }
    }

    fn shift(&mut self, path: &[At], by: isize) {
        let Some(depth) = path.iter().rposition(|at| matches!(at, At::Index(_))) else { return };
        let (outer, At::Index(index)) = (&path[..depth], &path[depth]) else { return };
        let index = *index;
        let Some(Value::Array(items)) = self.get_mut(outer) else { return };
        let to = index.saturating_add_signed(by).min(items.len().saturating_sub(1));
        let item = items.remove(index);
        items.insert(to, item);
        self.renumber(outer, |at| {
            Some(match at {
                _ if at == index => to,
                _ if index < at && at <= to => at - 1,
                _ if to <= at && at < index => at + 1,
                _ => at,
            })
        });
        self.refresh();
        let mut target = outer.to_vec();
        target.push(At::Index(to));
        target.extend_from_slice(&path[depth + 1..]);
        if let Some(row) = self.rows.iter().position(|row| row.path == target) {
            self.list.selected = row;
        }
    }

    fn get(&self, path: &[At]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, at| match at {
            At::Name(name) => value.get(name),
            At::Index(index) => value.get(index),
        })
    }

    fn get_mut(&mut self, path: &[At]) -> Option<&mut Value> {
        path.iter().try_fold(&mut self.value, |value, at| match at {
            At::Name(name) => value.get_mut(name),
            At::Index(index) => value.get_mut(index),
        })
    }

    fn refresh(&mut self) {
        fn walk(value: &Value, path: &[At], label: String, rows: &mut Vec<TreeRow>) {
            rows.push(TreeRow { path: path.to_vec(), label });
            match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        walk(item, &[path, &[At::Index(index)]].concat(), (index + 1).to_string(), rows);
                    }
                }
                Value::Object(fields) => {
                    for (name, field) in fields {
                        walk(field, &[path, &[At::Name(name.clone())]].concat(), name.clone(), rows);
                    }
                }
                _ => {}
            }
        }
        self.rows.clear();
        walk(&self.value, &[], String::new(), &mut self.rows);
        if self.rows.len() > 1 && matches!(self.value, Value::Array(_) | Value::Object(_)) {
            // The whole is no row of its own while it has any.
            self.rows.remove(0);
        }
        self.list.selected = self.list.selected.min(self.rows.len().saturating_sub(1));
    }

    /// Paints the value of the selected row beneath the tree, if its row has no room for all of it: its end while it is
    /// typed, else its beginning. Gives what is left for the tree.
    fn paint_whole(&self, canvas: &mut Canvas<'_>, area: Rect) -> Rect {
        let Some(row) = self.rows.get(self.list.selected) else { return area };
        let base = self.rows.first().map_or(0, |row| row.path.len());
        let value = match &self.typing {
            Some((input, _)) => input.value(),
            None => match self.get(&row.path) {
                Some(Value::String(text)) => text.clone(),
                _ => return area,
            },
        };
        let value = Untrusted::new(value).line().into_owned();
        let used = (row.path.len() - base).min(8) * 2 + 4 + width(&row.label);
        let room = usize::from(area.width).saturating_sub(used);
        let left = self.left(&row.path).filter(|_| self.typing.is_none()).map(left_note);
        let most = usize::from(area.height / 2);
        if most == 0 || width(&value) <= room_beside(room, left.as_deref()) {
            return area;
        }
        let lines = wrap_text(&value, canvas.theme.text, usize::from(area.width.saturating_sub(2)));
        let shown = lines.len().min(most);
        let from = if self.typing.is_some() { lines.len() - shown } else { 0 };
        let height = u16::try_from(shown).unwrap_or(u16::MAX);
        let below = Rect { x: area.x + 2, y: area.bottom() - height, width: area.width.saturating_sub(2), height };
        canvas.lines(below, &lines[from..from + shown]);
        let rest = Rect { height: area.height - height, ..area };
        if rest.height < 3 {
            return rest;
        }
        let line = "─".repeat(usize::from(area.width));
        canvas.text(Rect { y: rest.bottom() - 1, height: 1, ..area }, &line, canvas.theme.border);
        Rect { height: rest.height - 1, ..rest }
    }

    /// Paints the tree.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, focused: bool) {
        let theme = *canvas.theme;
        let base = self.rows.first().map_or(0, |row| row.path.len());
        let typing = self.typing.is_some();
        let area = self.paint_whole(canvas, area);
        self.list.paint(canvas, area, self.rows.len(), focused && !typing, |at, cells| {
            let row = &self.rows[at];
            let indent = "  ".repeat((row.path.len() - base).min(8));
            let label = Untrusted::from(row.label.as_str()).line().into_owned();
            let (sign, value) = match self.get(&row.path) {
                Some(Value::Array(items)) => ("▾ ", counted(items.len(), "item")),
                Some(Value::Object(fields)) => ("▾ ", summary(fields)),
                Some(Value::String(text)) => ("  ", text.clone()),
                Some(other) => ("  ", other.to_string()),
                None => ("  ", String::new()),
            };
            let nested = sign == "▾ ";
            let left = self.left(&row.path);
            let left = left.map(left_note);
            // What is saved is the value: what was typed and not put in is shown behind it.
            let value = Untrusted::new(value).line().into_owned();
            let used = indent.len() + 4 + width(&label);
            let room = usize::from(cells).saturating_sub(used);
            let value = fit(&value, room_beside(room, left.as_deref())).into_owned();
            let left =
                left.map_or_else(String::new, |left| fit(&left, room.saturating_sub(width(&value))).into_owned());
            Line::from(vec![
                Span::styled(format!("{indent}{sign}"), theme.muted),
                Span::styled(label, if nested { theme.title } else { theme.accent }),
                Span::raw("  "),
                Span::styled(value, if nested { theme.muted } else { theme.text }),
                Span::styled(left, theme.waiting),
            ])
        });
        if let Some((input, _)) = &self.typing {
            let hits = canvas.frame.hits.iter().rev();
            let place = hits.clone().find(|(_, hit)| *hit == crate::tui::canvas::Hit::Row(self.list.selected));
            if let (Some((place, _)), Some(row)) = (place.copied(), self.rows.get(self.list.selected)) {
                let used = ((row.path.len() - base).min(8) * 2 + 4 + row.label.chars().count())
                    .min(usize::from(area.width) / 2);
                let used = u16::try_from(used).unwrap_or(0);
                let field = Rect { x: place.x + used, width: place.width.saturating_sub(used), ..place };
                canvas.clear(field);
                input.paint(canvas, field, focused, false);
            }
        }
    }
}

/// A value as it is typed; `None` for what has rows of its own.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn not_json(typed: &str) -> String {
    let start = fit(typed, 20);
    format!("`{start}` is not a value here: enter a number, true, false or null")
}

/// The first text of an object, to tell it from its neighbours.
fn summary(fields: &Map<String, Value>) -> String {
    fields.values().find_map(Value::as_str).unwrap_or_default().to_owned()
}

/// The part of a schema that describes what lies at `path`.
fn sub_schema<'s>(schema: Option<&'s Value>, path: &[At]) -> Option<&'s Value> {
    path.iter().try_fold(schema?, |schema, at| match at {
        At::Name(name) => schema.get("properties")?.get(name),
        At::Index(_) => schema.get("items"),
    })
}

/// An empty value of the shape that a schema asks for, or of the shape of `like`.
pub fn blank(schema: Option<&Value>, like: Option<&Value>) -> Value {
    if let Some(schema) = schema {
        if let Some(default) = schema.get("default") {
            return default.clone();
        }
        if let Some(first) = schema.get("enum").and_then(|choices| choices.get(0)) {
            return first.clone();
        }
        let kind = schema.get("type").and_then(Value::as_str);
        match kind {
            Some("string") => return Value::String(String::new()),
            Some("integer" | "number") => return schema.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            Some("boolean") => return Value::Bool(false),
            Some("array") => return Value::Array(Vec::new()),
            Some("object") => {
                let fields = schema.get("properties").and_then(Value::as_object);
                let fields = fields.into_iter().flatten().map(|(name, field)| (name.clone(), blank(Some(field), None)));
                return Value::Object(fields.collect());
            }
            _ => {}
        }
    }
    match like {
        Some(Value::String(_)) => Value::String(String::new()),
        Some(Value::Number(_)) => 0.into(),
        Some(Value::Bool(_)) => Value::Bool(false),
        Some(Value::Array(_)) => Value::Array(Vec::new()),
        Some(Value::Object(fields)) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), blank(None, Some(field)))).collect())
        }
        Some(Value::Null) | None => Value::Null,
    }
}

/// What is said behind a value of what was typed for it and not put in.
fn left_note(typed: &str) -> String {
    format!("  not put in: {}", Untrusted::from(typed).line())
}

/// How many of so many cells a value has beside what was typed for it and not put in: at least half of them.
fn room_beside(room: usize, left: Option<&str>) -> usize {
    left.map_or(room, |left| room - width(left).min(room / 2))
}

#[cfg(test)]
mod tests;
