//! A web page as text that a person or a model can read: pure, and in time that grows with the page alone.
//!
//! First what the page says about itself (title, author, dates, site), then its text. Scripts, styles, navigation, controls
//! and what is hidden from readers are left out; entities are decoded and blocks set apart; headings, list items, links and
//! table cells are marked in the manner of Markdown, pictures are what they say instead of themselves. Broken markup is read
//! as far as it goes.

use std::collections::HashMap;

use url::Url;

use self::metadata::Metadata;
use self::tag::{Tag, begins_tag, is_name};
use self::writer::TextWriter;
use crate::core::text::one_line;

pub mod charset;
pub mod kind;
mod metadata;
mod tag;
#[cfg(test)]
mod tests;
mod writer;

/// As much of a page is read, in characters: about as many as 25,000 tokens.
const MOST_READ: usize = 100_000;
/// So far before that, in bytes, the end of a sentence is looked for.
const SENTENCE: usize = 2_000;
/// Hidden elements are followed to their ends through so many times the page.
const MOST_LOOKED_THROUGH: usize = 4;

/// Elements whose content is no markup.
const RAW: [&str; 6] = ["script", "style", "textarea", "title", "iframe", "xmp"];
/// Elements that say nothing to a reader.
const DROPPED: [&str; 9] = ["nav", "svg", "template", "button", "select", "canvas", "object", "dialog", "menu"];
/// Elements without content.
const VOID: [&str; 9] = ["area", "br", "hr", "img", "input", "link", "meta", "source", "wbr"];

/// The readable text of `html`, with what it says about itself before it. Addresses of links are in full where `base`, the
/// page's own address, is known.
#[must_use]
pub fn text(html: &str, base: Option<&Url>) -> String {
    let mut reader = HtmlReader {
        html,
        at: 0,
        base,
        metadata: Metadata::default(),
        writer: TextWriter::default(),
        last_ends: HashMap::new(),
        left: html.len().saturating_mul(MOST_LOOKED_THROUGH),
        last_picture: String::new(),
    };
    reader.read();
    let body = reader.writer.finish();
    let about = reader.metadata.about(&body);
    if about.is_empty() { body } else { format!("{about}\n\n{body}").trim_end().to_owned() }
}

/// The beginning of a page that is longer than anybody reads, to the end of a sentence, and a remark that says how much of it
/// that is.
#[must_use]
pub fn beginning(text: String) -> String {
    let Some((most, _)) = text.char_indices().nth(MOST_READ) else { return text };
    let near = text.floor_char_boundary(most.saturating_sub(SENTENCE));
    let window = &text[near..most];
    let sentence =
        [". ", ".\n", "? ", "! ", "。", "\n"].iter().filter_map(|end| window.rfind(end).map(|at| at + end.len()));
    let end = near + sentence.max().or_else(|| window.rfind(' ')).unwrap_or(window.len());
    let read = text[..end].trim_end();
    let (some, all) = (read.chars().count(), text.chars().count());
    format!("{read}\n\n[This page is longer: its first {some} of {all} characters are above, {} %.]", some * 100 / all)
}

struct HtmlReader<'a> {
    html: &'a str,
    at: usize,
    base: Option<&'a Url>,
    metadata: Metadata,
    writer: TextWriter,
    /// Where the last end tag of an element is.
    last_ends: HashMap<String, usize>,
    /// Bytes that may still be looked through for the ends of hidden elements.
    left: usize,
    /// What the last picture said.
    last_picture: String,
}

impl<'a> HtmlReader<'a> {
    fn rest(&self) -> &'a str {
        &self.html[self.at..]
    }

    fn skip_past(&mut self, mark: &str) {
        self.at = self.rest().find(mark).map_or(self.html.len(), |place| self.at + place + mark.len());
    }

    fn read(&mut self) {
        while self.at < self.html.len() {
            let rest = self.rest();
            // A `<` that begins no tag is text.
            let text_end = rest.match_indices('<').map(|(place, _)| place).find(|place| begins_tag(&rest[*place..]));
            let text_end = text_end.unwrap_or(rest.len());
            if text_end > 0 {
                self.writer.text(&html_escape::decode_html_entities(&rest[..text_end]));
                self.at += text_end;
                continue;
            }
            if rest.starts_with("<!--") {
                self.skip_past("-->");
            } else if let Some(data) = rest.strip_prefix("<![CDATA[") {
                self.writer.text(data.split("]]>").next().unwrap_or_default());
                self.skip_past("]]>");
            } else if rest.starts_with("<!") || rest.starts_with("<?") {
                self.skip_past(">");
            } else {
                self.tag(&Tag::read(rest));
            }
        }
    }

    fn tag(&mut self, tag: &Tag<'a>) {
        self.at += tag.length;
        let name = tag.name.as_str();
        if tag.ends {
            self.end(name);
        } else if RAW.contains(&name) {
            self.raw(tag);
        } else if DROPPED.contains(&name) {
            self.drop_element(name, true);
        } else if is_hidden(tag) && !VOID.contains(&name) {
            self.drop_element(name, false);
        } else {
            self.begin(tag);
        }
    }

    fn begin(&mut self, tag: &Tag<'a>) {
        match tag.name.as_str() {
            "meta" => self.metadata.meta(tag),
            "time" => self.metadata.time(tag),
            "img" if !is_hidden(tag) => self.picture(tag),
            "a" => self.writer.begin_link(tag.attribute("href").and_then(|href| self.address(&href))),
            name => self.writer.begin(name),
        }
    }

    fn end(&mut self, name: &str) {
        if name == "a" {
            self.writer.end_link();
        } else {
            self.writer.end(name);
        }
    }

    /// What a picture says instead of itself. Pages have some twice, for readers with and without scripts.
    fn picture(&mut self, tag: &Tag<'_>) {
        let said = tag.attribute("alt").unwrap_or_default();
        let said = one_line(&said);
        if !said.is_empty() && said != self.last_picture {
            self.writer.word(&format!("[image: {said}]"));
            self.last_picture = said;
        }
    }

    /// Where a link leads; `None` for what leads nowhere else.
    fn address(&self, href: &str) -> Option<String> {
        const LONGEST: usize = 500;
        let href = href.trim();
        if href.is_empty() || href.starts_with('#') || href.len() > LONGEST {
            return None;
        }
        let address = match self.base {
            Some(base) => base.join(href).ok()?,
            None => match Url::parse(href) {
                Ok(address) => address,
                // Without a page's own address it stays as it is written.
                Err(_) => return Some(href.to_owned()),
            },
        };
        let leads = matches!(address.scheme(), "http" | "https" | "mailto" | "ftp" | "tel");
        leads.then(|| address.to_string())
    }

    /// An element whose content is no markup: of all of them, only titles and what describes the page are read.
    fn raw(&mut self, tag: &Tag<'a>) {
        let content = self.at..self.find_end(&tag.name).unwrap_or(self.html.len());
        let inside = &self.html[content.clone()];
        match tag.name.as_str() {
            "title" => self.metadata.title(&html_escape::decode_html_entities(inside)),
            "script"
                if tag
                    .attribute("type")
                    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/ld+json")) =>
            {
                self.metadata.linked_data(inside);
            }
            _ => {}
        }
        self.at = content.end;
        self.skip_past(">");
    }

    /// Skips to the end of an element that has begun; one that has no end is not skipped. `anyway`: up to the last end of its
    /// name where the page does not balance.
    fn drop_element(&mut self, name: &str, anyway: bool) {
        let html = self.html;
        if !self.last_ends.contains_key(name) {
            self.last_ends.insert(name.to_owned(), last_end(html, name));
        }
        // A paragraph need not have an end.
        let last = if name == "p" { html.len() } else { self.last_ends.get(name).copied().unwrap_or_default() };
        let from = self.at;
        let mut depth = 1;
        let mut at = from;
        while at < last + 1 && self.left > at - from {
            let Some(place) = html[at..].find('<') else { break };
            at += place;
            let rest = &html[at..];
            if rest.starts_with("<!--") {
                at += rest.find("-->").unwrap_or(rest.len());
                continue;
            }
            if let Some(raw) = ["script", "style"].iter().find(|raw| is_name(rest, "<", raw)) {
                at += 1 + rest[1..].find(&format!("</{raw}")).unwrap_or(rest.len() - 1);
                continue;
            }
            if is_name(rest, "</", name) {
                depth -= 1;
            } else if is_name(rest, "<", name) {
                // A paragraph has no paragraphs: one that begins ends the one before.
                if name == "p" {
                    self.left -= at - from;
                    self.at = at;
                    return;
                }
                depth += 1;
            }
            at += 1;
            if depth == 0 || (anyway && at > last) {
                self.left = self.left.saturating_sub(if anyway { 0 } else { at - from });
                self.at = at;
                self.skip_past(">");
                return;
            }
        }
        self.left = self.left.saturating_sub(at - from);
    }

    /// Where the end tag of `name` is.
    fn find_end(&self, name: &str) -> Option<usize> {
        let rest = self.rest();
        let mut ends = rest.match_indices("</").map(|(place, _)| place);
        ends.find(|place| is_name(&rest[*place..], "</", name)).map(|place| self.at + place)
    }
}

fn last_end(html: &str, name: &str) -> usize {
    html.rmatch_indices("</").map(|(place, _)| place).find(|place| is_name(&html[*place..], "</", name)).unwrap_or(0)
}

/// Whether nobody who looks at the page sees this element.
fn is_hidden(tag: &Tag<'_>) -> bool {
    // A dialogue before them hides the page from some readers, and not from others.
    if matches!(tag.name.as_str(), "html" | "body" | "main") {
        return false;
    }
    let is_true = |value: String| value.trim().eq_ignore_ascii_case("true");
    tag.attribute("hidden").is_some()
        || tag.attribute("aria-hidden").is_some_and(is_true)
        || tag.attribute("style").is_some_and(|style| {
            let style: String = style.to_ascii_lowercase().chars().filter(|c| !c.is_whitespace()).collect();
            style.split(';').any(|rule| {
                let rule = rule.trim_end_matches("!important");
                matches!(rule, "display:none" | "visibility:hidden" | "visibility:collapse")
            })
        })
}
