//! Whether the definition or a person has named the host of a request.
//!
//! A host is named where everything up to its end is the definition's text or an input as a person gave it. What comes
//! after it may be anything, for it cannot lead elsewhere.

use super::Parsed;
use crate::core::host::{self, NamedHosts};
use crate::core::pieces::{Part, parts};
use crate::core::template::Template;
use crate::flow::names::Names;
use crate::flow::plan::HttpPlan;

/// What ends the host of a URL.
const ENDS: [char; 4] = ['/', '?', '#', '\\'];

/// The hosts to which the request for `url` goes without a question.
pub fn allowed(plan: &HttpPlan, url: &str, names: &Names) -> NamedHosts {
    let mut hosts = plan.hosts.clone();
    if let Some(authority) = host::authority(url)
        && (is_certain(plan, &authority, names) || is_in_code(&authority, names))
    {
        hosts.push(authority);
    }
    NamedHosts(hosts)
}

fn is_certain(plan: &HttpPlan, authority: &str, names: &Names) -> bool {
    if plan.made_up {
        return false;
    }
    let (text, whole) = certain(&plan.url, names);
    let text = text.trim_start();
    let Some((_, rest)) = text.split_once("://") else { return false };
    (whole || rest.contains(ENDS)) && host::authority(text).as_deref() == Some(authority)
}

/// The beginning of a URL that is the definition's or a person's, and whether it is all of it.
fn certain(url: &Parsed<Template>, names: &Names) -> (String, bool) {
    let mut text = String::new();
    let whole = match url {
        Ok(Template::Plain(plain)) => {
            text.push_str(plain);
            true
        }
        Ok(template @ Template::Single(_)) => given(template, names, &mut text),
        Ok(template @ Template::Mixed(_)) => parts(template.source()).is_ok_and(|parts| {
            parts.iter().all(|part| match part {
                Part::Text(literal) => {
                    text.push_str(literal);
                    true
                }
                Part::Value(source, _) => Template::parse(source).is_ok_and(|value| given(&value, names, &mut text)),
                _ => false,
            })
        }),
        Err(_) => false,
    };
    (text, whole)
}

/// Adds a value that is made of what a person gave, and nothing else.
fn given(value: &Template, names: &Names, text: &mut String) -> bool {
    if !names.are_given(&value.references()) {
        return false;
    }
    let rendered = value.render(&names.value());
    text.push_str(rendered.as_deref().unwrap_or_default());
    rendered.is_ok()
}

/// Whether code, or an input that it got from a person, writes this host.
fn is_in_code(authority: &str, names: &Names) -> bool {
    names.is_in_code(authority) || names.given_to_code().any(|text| written_in(&text).any(|host| host == authority))
}

/// The hosts, as `host:port`, of the URLs in a text.
pub fn written_in(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("://").filter_map(|(at, _)| {
        let scheme = text[..at].rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let rest = &text[at + 3..];
        let part_of_it = |c: char| c.is_alphanumeric() || "-._:@[]%".contains(c);
        let end = rest.find(|c: char| !part_of_it(c)).unwrap_or(rest.len());
        // `https://${host}` and `"https://" + host` name none.
        let is_open = rest[end..].starts_with(['$', '{', '+']);
        if is_open { None } else { host::authority(&format!("{scheme}://{}", &rest[..end])) }
    })
}
