//! Markdown as one self-contained page: no scripts, nothing loaded from anywhere, no HTML but what is made here.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

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

/// A page of `markdown`, whose text has been made visible already.
pub(super) fn page(title: &str, markdown: &str) -> String {
    let mut heading = String::new();
    html::push_html(&mut heading, std::iter::once(Event::Text(crate::core::text::visible(title, false).into())));
    let mut page = format!(
        "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    );
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut links = Vec::new();
    let events = Parser::new_ext(markdown, options).filter_map(|event| harmless(event, &mut links));
    html::push_html(&mut page, events);
    page.push_str("</body>\n</html>\n");
    page
}

/// Turns HTML into the text that it is, images into their description, and links to anywhere but the web and mail into
/// plain text. `links` holds for each open link whether it is kept.
fn harmless<'a>(event: Event<'a>, links: &mut Vec<bool>) -> Option<Event<'a>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        // The lines of a poem are no less lines than in Markdown.
        Event::SoftBreak => Some(Event::HardBreak),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) => Some(Event::Text("🖼 ".into())),
        Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let kept = link_type == LinkType::Email || leads_outside(&dest_url);
            links.push(kept);
            kept.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
        other => Some(other),
    }
}

/// Whether an address is of the web or of mail, which do nothing before a person clicks.
fn leads_outside(address: &CowStr) -> bool {
    let scheme = address.split(':').next().unwrap_or_default();
    address.contains(':') && ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
