//! Markdown as one self-contained page: no scripts, nothing loaded from anywhere, no HTML but what is made here.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, LinkType, Tag, TagEnd, html};

use crate::core::markdown;

/// What the page may do, should anything slip through: nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{max-width:44rem;margin:2rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;overflow-wrap:anywhere}\
pre{padding:.8rem;overflow-x:auto;white-space:pre-wrap;border:1px solid #8886;border-radius:.3rem}\
code{font-family:ui-monospace,monospace;font-size:.9em}\
table{border-collapse:collapse}th,td{padding:.3rem .6rem;border:1px solid #8886;text-align:left}\
blockquote{margin-left:0;padding-left:1rem;border-left:3px solid #8886}\
@media print{body{margin:0;max-width:none}}";

/// A page of a text in Markdown that has been made visible already.
pub(super) fn page(title: &str, text: &str) -> String {
    let mut heading = String::new();
    html::push_html(&mut heading, std::iter::once(Event::Text(crate::core::text::visible(title, false).into())));
    let mut page = format!(
        "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
    let mut writer = PageWriter { text, ..PageWriter::default() };
    for (event, range) in markdown::events(text) {
        writer.take(event, range);
    }
    html::push_html(&mut page, writer.events.into_iter());
    page.push_str("</body>\n</html>\n");
    page
}

/// Turns HTML into the text that it is, images into their description, and links to anywhere but the web and mail into
/// plain text with the address after it.
#[derive(Default)]
struct PageWriter<'t> {
    text: &'t str,
    events: Vec<Event<'t>>,
    /// Of each link and image that is open: the address that follows its text, unless it is kept as a link.
    addresses: Vec<Option<CowStr<'t>>>,
    in_code: bool,
}

impl<'t> PageWriter<'t> {
    fn take(&mut self, event: Event<'t>, range: Range<usize>) {
        let event = match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            // A browser makes one space of many.
            Event::Text(text) if !self.in_code && text.contains("  ") => {
                Event::Text(text.replace("  ", "\u{a0} ").into())
            }
            // The lines of a poem are no less lines than in Markdown.
            Event::SoftBreak => Event::HardBreak,
            Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
            Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
            Event::Start(Tag::CodeBlock(kind)) => {
                self.in_code = true;
                Event::Start(Tag::CodeBlock(kind))
            }
            Event::End(TagEnd::CodeBlock) => {
                self.in_code = false;
                Event::End(TagEnd::CodeBlock)
            }
            Event::Start(Tag::Item) => self.item(range),
            Event::Start(Tag::Image { dest_url, .. }) => {
                self.addresses.push(Some(dest_url));
                Event::Text("🖼 ".into())
            }
            Event::End(TagEnd::Image) => return self.address(),
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let kept = link_type == LinkType::Email || leads_outside(&dest_url);
                self.addresses.push((!kept).then(|| dest_url.clone()));
                if !kept {
                    return;
                }
                Event::Start(Tag::Link { link_type, dest_url, title, id })
            }
            Event::End(TagEnd::Link) => match self.addresses.last() {
                Some(None) => {
                    self.addresses.pop();
                    Event::End(TagEnd::Link)
                }
                _ => return self.address(),
            },
            other => other,
        };
        self.events.push(event);
    }

    /// An item has the number that it is written with, and its own sign after it.
    fn item(&self, range: Range<usize>) -> Event<'t> {
        let sign = self.text.get(range).and_then(markdown::number);
        let number = sign.and_then(|sign| sign.trim_end_matches(['.', ')']).parse::<u32>().ok());
        match (sign, number) {
            (Some(sign), Some(number)) if sign == format!("{number}.") => {
                Event::Html(format!("<li value=\"{number}\">").into())
            }
            // Digits and one sign, as `number` gives them: nothing to be escaped.
            (Some(sign), _) => Event::Html(format!("<li style=\"list-style-type:'{sign} '\">").into()),
            (None, _) => Event::Start(Tag::Item),
        }
    }

    fn address(&mut self) {
        if let Some(address) = self.addresses.pop().flatten().filter(|address| !address.is_empty()) {
            self.events.push(Event::Text(format!(" ({address})").into()));
        }
    }
}

/// Whether an address is of the web or of mail, which do nothing before a person clicks.
fn leads_outside(address: &CowStr) -> bool {
    let scheme = address.split(':').next().unwrap_or_default();
    address.contains(':') && ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
