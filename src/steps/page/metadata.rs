//! What a page says about itself: its title, who wrote it, when, and for which site.
//!
//! Structured data (JSON-LD) goes before `meta` elements, and those before the first `time` of the page.

use serde_json::Value;

use super::tag::Tag;
use crate::core::json;
use crate::core::text::one_line;

/// The longest value that is kept, in characters.
const LONGEST: usize = 200;
/// Authors that are named.
const MOST_AUTHORS: usize = 10;
/// Structured data inside of other, so deep.
const DEEPEST: usize = 6;

/// What is known so far.
#[derive(Default)]
pub struct Metadata {
    title: Option<String>,
    data: About,
    meta: About,
    time: Option<String>,
}

/// What one kind of source says.
#[derive(Default)]
struct About {
    title: Option<String>,
    authors: Vec<String>,
    published: Option<String>,
    updated: Option<String>,
    site: Option<String>,
}

impl Metadata {
    /// The element `title`; the first one counts.
    pub fn title(&mut self, text: &str) {
        set(&mut self.title, text);
    }

    /// A `meta` element.
    pub fn meta(&mut self, tag: &Tag<'_>) {
        let Some(content) = tag.attribute("content") else { return };
        let name = ["name", "property", "itemprop"].iter().find_map(|key| tag.attribute(key));
        let name = name.unwrap_or_default().trim().to_ascii_lowercase();
        let about = &mut self.meta;
        match name.as_str() {
            "og:title" | "citation_title" | "dc.title" => set(&mut about.title, &content),
            "author" | "article:author" | "dc.creator" | "dcterms.creator" | "citation_author" | "parsely-author"
            | "sailthru.author" | "byl" => add_author(about, &content),
            "article:published_time"
            | "date"
            | "dc.date"
            | "dc.date.issued"
            | "dcterms.created"
            | "dcterms.date"
            | "datepublished"
            | "pubdate"
            | "publish-date"
            | "publication_date"
            | "citation_publication_date"
            | "citation_date"
            | "parsely-pub-date"
            | "sailthru.date"
            | "og:article:published_time" => {
                set_date(&mut about.published, &content);
            }
            "article:modified_time" | "og:updated_time" | "datemodified" | "last-modified" | "dcterms.modified" => {
                set_date(&mut about.updated, &content);
            }
            "og:site_name" | "application-name" | "citation_journal_title" => set(&mut about.site, &content),
            _ => {}
        }
    }

    /// A `time` element; the first one that says when counts.
    pub fn time(&mut self, tag: &Tag<'_>) {
        if let Some(moment) = tag.attribute("datetime") {
            // Others are lengths of time, or times of a day.
            if date(&moment).is_some() {
                set_date(&mut self.time, &moment);
            }
        }
    }

    /// A script of structured data.
    pub fn linked_data(&mut self, text: &str) {
        if let Ok(value) = json::parse(text.trim()) {
            collect(&mut self.data, &value, 0);
        }
    }

    /// In lines; a title that `body` begins with is not said twice.
    pub fn about(&self, body: &str) -> String {
        let title = self.title.as_ref().or(self.data.title.as_ref()).or(self.meta.title.as_ref());
        let said = |title: &String| body.lines().take(3).any(|line| line.trim_start_matches('#').trim() == title);
        let either = |of: fn(&About) -> &Option<String>| of(&self.data).as_ref().or(of(&self.meta).as_ref());
        let authors = if self.data.authors.is_empty() { &self.meta.authors } else { &self.data.authors };
        let published = either(|about| &about.published);
        let updated = either(|about| &about.updated).filter(|updated| Some(*updated) != published);
        let line = |name: &str, value: Option<&String>| value.map(|value| format!("{name}: {value}"));
        let lines = [
            title.filter(|title| !said(title)).cloned(),
            (!authors.is_empty()).then(|| format!("Author: {}", authors.join(", "))),
            line("Published", published),
            // Whose moment that is, the page does not say.
            line("Date", self.time.as_ref().filter(|_| published.is_none())),
            line("Updated", updated),
            line("Site", either(|about| &about.site)),
        ];
        lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
    }
}

fn set(slot: &mut Option<String>, text: &str) {
    let text = plain(text);
    if slot.is_none() && !text.is_empty() {
        *slot = Some(text);
    }
}

/// On one line, and no longer than is good for anybody.
fn plain(text: &str) -> String {
    let text = one_line(text);
    text.chars().take(LONGEST).collect()
}

/// The day that a text begins with.
fn date(text: &str) -> Option<&str> {
    let day = text.trim().get(..10)?;
    let fits = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => matches!(byte, b'-' | b'/' | b'.'),
        _ => byte.is_ascii_digit(),
    });
    fits.then_some(day)
}

/// The day of a moment; what is written otherwise as it is.
fn set_date(slot: &mut Option<String>, text: &str) {
    set(slot, date(text).unwrap_or(text));
}

fn add_author(about: &mut About, name: &str) {
    let name = plain(name);
    // Some say where the author is found instead of who it is.
    let is_name = !name.is_empty() && !name.starts_with("http") && !name.starts_with('@');
    if is_name && about.authors.len() < MOST_AUTHORS && !about.authors.contains(&name) {
        about.authors.push(name);
    }
}

/// Whatever in structured data says who wrote something and when.
fn collect(about: &mut About, value: &Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                collect(about, item, depth + 1);
            }
        }
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if is_work(value) {
                set(&mut about.title, text("headline").or(text("name")).unwrap_or_default());
                set_date(&mut about.published, text("datePublished").or(text("dateCreated")).unwrap_or_default());
                set_date(&mut about.updated, text("dateModified").unwrap_or_default());
                let author = fields.get("author").or(fields.get("creator")).filter(|_| about.authors.is_empty());
                for name in author.map(names).unwrap_or_default() {
                    add_author(about, name);
                }
                let site = fields.get("publisher").map(names).and_then(|names| names.first().copied());
                set(&mut about.site, site.unwrap_or_default());
            }
            for inside in ["@graph", "mainEntity", "mainEntityOfPage"] {
                if let Some(inside) = fields.get(inside) {
                    collect(about, inside, depth + 1);
                }
            }
        }
        _ => {}
    }
}

/// Whether it describes something that somebody wrote, and not a person, a shop or the way to the page.
fn is_work(value: &Value) -> bool {
    value.get("headline").is_some() || value.get("datePublished").is_some() || value.get("author").is_some()
}

fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::String(name) => vec![name],
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Object(fields) => fields.get("name").map(names).unwrap_or_default(),
        _ => Vec::new(),
    }
}
