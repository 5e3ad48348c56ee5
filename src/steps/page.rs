//! A web page as text that a person or a model can read: pure, and never more than one pass.
//!
//! Scripts, styles, navigation and controls are dropped, entities decoded, blocks set apart; headings, list items and
//! table cells keep a mark in the manner of Markdown; links are their text. Broken markup is read as far as it goes.

use std::collections::HashMap;

/// Elements whose content is no markup.
const RAW: [&str; 7] = ["script", "style", "textarea", "title", "iframe", "noscript", "xmp"];
/// Elements that say nothing to a reader.
const DROPPED: [&str; 9] = ["nav", "svg", "template", "button", "select", "canvas", "object", "dialog", "menu"];

/// Between two cells of a table.
const CELL: &str = " | ";

/// The readable text of `html`, its title first.
#[must_use]
pub fn text(html: &str) -> String {
    let mut reader = HtmlReader { html, at: 0, title: None, writer: TextWriter::default(), last_ends: HashMap::new() };
    reader.read();
    let body = reader.writer.out;
    match reader.title {
        Some(title) if !body.lines().take(3).any(|line| line.trim_start_matches('#').trim() == title) => {
            format!("{title}\n\n{body}").trim_end().to_owned()
        }
        _ => body,
    }
}

struct HtmlReader<'a> {
    html: &'a str,
    at: usize,
    title: Option<String>,
    writer: TextWriter,
    /// Where the last end tag of a dropped element stands.
    last_ends: HashMap<&'static str, usize>,
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
            let text_end = rest.char_indices().find(|(place, c)| *c == '<' && begins_tag(&rest[*place..]));
            let text_end = text_end.map_or(rest.len(), |(place, _)| place);
            if text_end > 0 {
                self.writer.text(&html_escape::decode_html_entities(&rest[..text_end]));
                self.at += text_end;
                continue;
            }
            if rest.starts_with("<!--") {
                self.skip_past("-->");
            } else if rest.starts_with("<!") || rest.starts_with("<?") {
                self.skip_past(">");
            } else {
                self.tag();
            }
        }
    }

    fn tag(&mut self) {
        let rest = self.rest();
        let ends = rest.starts_with("</");
        let name_at = if ends { 2 } else { 1 };
        let name_length = rest[name_at..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len() - name_at);
        let name = rest[name_at..name_at + name_length].to_ascii_lowercase();
        self.at += tag_length(rest);
        if ends {
            self.writer.end(&name);
        } else if RAW.contains(&name.as_str()) {
            let content = self.at..self.find_end(&name).unwrap_or(self.html.len());
            if name == "title" && self.title.is_none() {
                let mut title = TextWriter::default();
                title.text(&html_escape::decode_html_entities(&self.html[content.clone()]));
                self.title = Some(title.out).filter(|title| !title.is_empty());
            }
            self.at = content.end;
            self.skip_past(">");
        } else if let Some(dropped) = DROPPED.iter().find(|dropped| **dropped == name) {
            self.drop_element(dropped);
        } else {
            self.writer.begin(&name);
        }
    }

    /// Skips to the end of an element that has begun; one that has no end is not skipped.
    fn drop_element(&mut self, name: &'static str) {
        let html = self.html;
        let last = *self.last_ends.entry(name).or_insert_with(|| last_end(html, name));
        let mut depth = 1;
        let mut at = self.at;
        while depth > 0 && at < last + 1 {
            let Some(place) = html[at..].find('<') else { return };
            at += place;
            let rest = &html[at..];
            if names(rest, "</", name) {
                depth -= 1;
            } else if names(rest, "<", name) {
                depth += 1;
            }
            at += 1;
            if depth == 0 || at > last {
                self.at = at;
                self.skip_past(">");
                return;
            }
        }
    }

    /// Where the end tag of `name` stands.
    fn find_end(&self, name: &str) -> Option<usize> {
        let rest = self.rest();
        rest.match_indices("</")
            .map(|(place, _)| place)
            .find(|place| names(&rest[*place..], "</", name))
            .map(|p| self.at + p)
    }
}

fn last_end(html: &str, name: &str) -> usize {
    html.rmatch_indices("</").map(|(place, _)| place).find(|place| names(&html[*place..], "</", name)).unwrap_or(0)
}

/// Whether `text` begins with `open` and `name`.
fn names(text: &str, open: &str, name: &str) -> bool {
    let Some(after) = text.strip_prefix(open) else { return false };
    after.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        && !after[name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
}

fn begins_tag(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('!' | '?') => true,
        Some('/') => chars.next().is_some_and(|c| c.is_ascii_alphabetic()),
        Some(c) => c.is_ascii_alphabetic(),
        None => false,
    }
}

/// The length of the tag that `text` begins with; a `>` in a quoted attribute does not end it.
fn tag_length(text: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return place + 1,
            // Only after `=`: an apostrophe elsewhere is a slip.
            (None, '"' | '\'') if before == '=' => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    text.len()
}

/// Puts text together: white space collapsed, blocks apart.
#[derive(Default)]
struct TextWriter {
    out: String,
    /// Line breaks before the next text, at least.
    breaks: usize,
    /// White space before the next text.
    space: bool,
    /// What the next text begins with: a list mark, a heading mark.
    mark: String,
    /// In so many `pre` elements.
    preformatted: usize,
}

impl TextWriter {
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            if self.preformatted > 0 && c == '\n' {
                self.breaks += 1;
            } else if c.is_whitespace() && (self.preformatted == 0 || c == '\r') {
                self.space = true;
            } else {
                self.push(c);
            }
        }
    }

    fn push(&mut self, c: char) {
        if self.out.is_empty() || self.mark == CELL {
            self.breaks = 0;
        }
        if self.breaks > 0 {
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.space && self.mark.is_empty() && !self.out.is_empty() {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.space = false;
        self.out.push_str(&self.mark);
        self.mark.clear();
        self.out.push(c);
    }

    fn apart(&mut self, breaks: usize) {
        self.breaks = self.breaks.max(breaks);
    }

    fn begin(&mut self, name: &str) {
        match name {
            "br" => self.breaks = (self.breaks + 1).min(2),
            "td" | "th" if self.breaks == 0 && !self.out.is_empty() => CELL.clone_into(&mut self.mark),
            "li" => {
                self.apart(1);
                "- ".clone_into(&mut self.mark);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.apart(2);
                let level = name[1..].parse().unwrap_or(1);
                self.mark = format!("{} ", "#".repeat(level));
            }
            "pre" => {
                self.apart(2);
                self.preformatted += 1;
            }
            name => self.apart(breaks_around(name)),
        }
    }

    fn end(&mut self, name: &str) {
        if name == "pre" {
            self.preformatted = self.preformatted.saturating_sub(1);
            self.breaks = 0;
            self.space = false;
        }
        let breaks = match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" => 2,
            "li" => 1,
            name => breaks_around(name),
        };
        if breaks > 0 {
            self.apart(breaks);
            // An item without text leaves no mark.
            self.mark.clear();
        }
    }
}

/// How far an element is set apart, in line breaks.
fn breaks_around(name: &str) -> usize {
    match name {
        "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "hr" | "section" | "article" | "main" | "header"
        | "footer" | "figure" | "form" | "body" | "aside" => 2,
        "div" | "tr" | "dt" | "dd" | "figcaption" | "caption" | "address" | "summary" | "details" | "option" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_its_title_headings_paragraphs_lists_and_tables() {
        let html = r#"<!DOCTYPE html><html><head><title>Sea &amp; salt</title><style>p { color: red }</style>
            <script>if (a < b) document.write("<p>no</p>")</script></head><body>
            <nav><ul><li><a href="/">Home</a></li></ul></nav><!-- <p>hidden</p> -->
            <h2 class="a > b">The  sea</h2><p>It is <b>salt</b>, see <a href="x">this page</a>.<br>Really&nbsp;so: 1 < 2 &#8212; yes.</p>
            <ul><li>one</li><li> two </li><li></li></ul>
            <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
            <pre>let x = 1;
  indented</pre><div>end</div><button>Buy</button></body></html>"#;
        assert_eq!(
            text(html),
            "Sea & salt\n\n## The sea\n\nIt is salt, see this page.\nReally so: 1 < 2 — yes.\n\n- one\n- two\n\na | b\n1 | 2\n\nlet x = 1;\n  indented\n\nend"
        );
    }

    #[test]
    fn broken_markup_is_read_as_far_as_it_goes() {
        for (html, wanted) in [
            ("<p>one<p>two", "one\n\ntwo"),
            ("<nav><p>no end", "no end"),
            ("<nav>a<nav>b</nav>c</nav>d", "d"),
            ("<nav>a<nav>b</nav>c", "c"),
            ("a<script>b", "a"),
            ("a <SCRIPT>b</Script > c", "a c"),
            ("<a href='x>y", ""),
            ("1 < 2 <3", "1 < 2 <3"),
            ("<title>T</title><h1>T</h1>x", "# T\n\nx"),
            ("&unknown; &é &amp;lt;", "&unknown; &é &lt;"),
            ("<ul><li><p>one</p></li></ul>", "- one"),
            ("<table><tr><td> a </td> <td><div>b</div></td></tr></table>", "a | b"),
            ("plain text", "plain text"),
            ("", ""),
        ] {
            assert_eq!(text(html), wanted, "{html}");
        }
    }

    #[test]
    fn a_hostile_page_takes_no_time() {
        for piece in ["<nav>", "<", "</nav>", "<script>", "<!--", "<a href=\"", "&", "<nav></nav>", "<pre>\n"] {
            let read = text(&piece.repeat(2_000_000 / piece.len()));
            assert!(read.len() <= 2_000_000);
        }
    }

    proptest! {
        #[test]
        fn it_never_panics(html in any::<String>()) {
            let _ = text(&html);
        }

        #[test]
        fn it_never_panics_on_what_looks_like_markup(html in "(<|</|>|nav|script|pre|li|td|h1| |é|\"|=|a|<!--|-->|&amp|;){0,30}") {
            let _ = text(&html);
        }
    }
}
