//! The encoding that a page says it is in: in its header, in a `meta` element, or in an XML declaration.

use encoding_rs::{Encoding, UTF_8};

use super::tag::Tag;

/// As far into a page is looked for it, in bytes.
const HEAD: usize = 32 * 1_024;

/// The encoding of an answer with this content type.
pub fn named(bytes: &[u8], content_type: &str) -> Option<&'static Encoding> {
    of_label(&content_type.to_lowercase()).or_else(|| {
        // Whatever a page says it is, it could be read so far as ASCII.
        let within = within(bytes)?;
        Some(if within.is_ascii_compatible() || within == encoding_rs::ISO_2022_JP { within } else { UTF_8 })
    })
}

/// What follows `charset=`.
fn of_label(text: &str) -> Option<&'static Encoding> {
    let (_, label) = text.split_once("charset")?;
    let label = label.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    Encoding::for_label(label.split(['"', '\'', ';', ' ', ',']).next()?.as_bytes())
}

fn within(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    let declaration = head.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    if let Some((inside, _)) = declaration
        && let Some((_, label)) = inside.split_once("encoding")
    {
        let label = label.trim_start().trim_start_matches('=').trim_start().trim_start_matches(['"', '\'']);
        if let Some(encoding) = label.split(['"', '\'']).next().and_then(|label| Encoding::for_label(label.as_bytes()))
        {
            return Some(encoding);
        }
    }
    let mut rest = &*head;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if rest.starts_with("<!--") {
            rest = rest.split_once("-->")?.1;
            continue;
        }
        if rest.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("<meta")) {
            let tag = Tag::read(rest);
            let charset = tag.attribute("charset").and_then(|label| Encoding::for_label(label.trim().as_bytes()));
            let equivalent = || {
                let of_type = tag.attribute("http-equiv")?.trim().eq_ignore_ascii_case("content-type");
                of_type.then(|| of_label(&tag.attribute("content")?.to_lowercase())).flatten()
            };
            if let Some(encoding) = charset.or_else(equivalent) {
                return Some(encoding);
            }
        }
        rest = &rest[1..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_its_encoding_in_one_of_four_places() {
        for (content_type, page, name) in [
            ("text/html; charset=ISO-8859-2", "", Some("ISO-8859-2")),
            ("text/html;charset=\"shift_jis\"", "<meta charset=utf-8>", Some("Shift_JIS")),
            ("text/html", "<!DOCTYPE html><html><META CharSet=' windows-1251 '>", Some("windows-1251")),
            ("", "<meta http-equiv=content-type content='text/html; charset = koi8-r'>", Some("KOI8-R")),
            ("text/html", "<?xml version='1.0' encoding='iso-8859-7'?><html>", Some("ISO-8859-7")),
            ("text/html", "<!-- <meta charset=koi8-r> --><meta name=x><meta charset=big5>", Some("Big5")),
            ("text/html", "<meta charset=utf-16>", Some("UTF-8")),
            ("text/html", "<meta charset=iso-2022-jp>", Some("ISO-2022-JP")),
            ("text/html; charset=none", "<meta name=description content='the charset=koi8-r'>", None),
            ("text/html", "charset=koi8-r", None),
        ] {
            assert_eq!(named(page.as_bytes(), content_type).map(Encoding::name), name, "{content_type} {page}");
        }
        let late = format!("<meta name=x content=\"{}\"><meta charset=koi8-r>", "x".repeat(10_000));
        assert_eq!(named(late.as_bytes(), "text/html").map(Encoding::name), Some("KOI8-R"));
    }
}
