//! Pages as they are written, and as nobody should write them.

use proptest::prelude::*;

use super::*;

fn read(html: &str) -> String {
    text(html, Some(&Url::parse("https://example.org/sea/page.html").unwrap()))
}

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
        read(html),
        "Sea & salt\n\n## The sea\n\nIt is salt, see [this page](https://example.org/sea/x).\nReally so: 1 < 2 — yes.\n\n- one\n- two\n\na | b\n1 | 2\n\nlet x = 1;\n  indented\n\nend"
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
        ("<?xml version='1.0'?><p><![CDATA[a < b]]></p>", "a < b"),
        ("", ""),
    ] {
        assert_eq!(read(html), wanted, "{html}");
    }
}

#[test]
fn who_wrote_a_page_and_when_is_said_before_its_text() {
    for (head, about) in [
        (
            r#"<meta name="author" content="Ana P&eacute;rez"><meta property="article:published_time" content="2024-05-01T08:00:00Z">
               <meta property="article:modified_time" content="2024-06-02T08:00:00Z"><meta property="og:site_name" content="The Sea">"#,
            "Author: Ana Pérez\nPublished: 2024-05-01\nUpdated: 2024-06-02\nSite: The Sea",
        ),
        (
            r#"<script type="application/ld+json">{"@context":"https://schema.org","@graph":[{"@type":"WebSite","name":"Site"},
               {"@type":"NewsArticle","headline":"T","author":[{"@type":"Person","name":"Ana"},{"name":"Ben"}],
               "datePublished":"2023-01-02T03:04:05+01:00","publisher":{"@type":"Organization","name":"The Sea"}}]}</script>
               <meta name=author content=Somebody>"#,
            "Author: Ana, Ben\nPublished: 2023-01-02\nSite: The Sea",
        ),
        (
            r#"<meta name="citation_author" content="A, B"><meta name="citation_author" content="C, D">"#,
            "Author: A, B, C, D",
        ),
        (
            r#"<meta property="article:author" content="https://example.org/ana"><meta name=date content="May 2020">"#,
            "Published: May 2020",
        ),
        ("<script type='application/ld+json'>{broken</script><meta name=author content=''>", ""),
        ("<script type='application/ld+json'>{\"@type\":\"Person\",\"name\":\"Nobody\"}</script>", ""),
    ] {
        let read = read(&format!("<title>T</title>{head}<p>The text.</p>"));
        let about = if about.is_empty() { String::new() } else { format!("\n{about}") };
        assert_eq!(read, format!("T{about}\n\nThe text."), "{head}");
    }
    let timed = read(
        "<h1>T</h1><time datetime='PT5M'>5 min</time> <time datetime='2022-03-04T10:00'>in spring</time> <time datetime='2023-01-01'>later</time>",
    );
    assert!(timed.starts_with("Date: 2022-03-04\n\n# T"), "{timed}");
    assert!(read("<meta property='og:title' content='From &lt;meta&gt;'><p>x").starts_with("From <meta>\n\nx"));
}

#[test]
fn links_have_their_addresses_and_pictures_say_what_they_show() {
    for (html, wanted) in [
        ("see <a href='/a?b=1&amp;c=2'>this</a>!", "see [this](https://example.org/a?b=1&c=2)!"),
        ("<a href='#part'>Part</a> <a href='javascript:x()'>Go</a> <a>No</a> <a href=''>Empty</a>", "Part Go No Empty"),
        ("<a href=https://example.org/>https://example.org/</a>", "https://example.org/"),
        ("<a href='mailto:ana@example.org'>Ana</a>", "[Ana](mailto:ana@example.org)"),
        ("<a href='/x'><img src=a.png alt='A  map'></a> b", "[[image: A map]](https://example.org/x) b"),
        ("<a href='/x'><h3>One</h3><p>two</p></a>", "### One\n\ntwo <https://example.org/x>"),
        ("<a href='/x'></a>a<a href='/y'>b", "a[b](https://example.org/y)"),
        (
            "<ul><li><a href=x>one</a></li><li><a href=y>two</a></li></ul>",
            "- [one](https://example.org/sea/x)\n- [two](https://example.org/sea/y)",
        ),
        ("a<img alt='chart: 5 > 3' src=x>b<img alt=''><img>c", "a [image: chart: 5 > 3] bc"),
        ("<img data-src=x alt=Map><noscript><img src=x alt=Map></noscript>", "[image: Map]"),
        ("<noscript><p>Without scripts: the text.</p></noscript>", "Without scripts: the text."),
    ] {
        assert_eq!(read(html), wanted, "{html}");
    }
    assert_eq!(text("<a href=x>y</a>", None), "[y](x)");
}

#[test]
fn what_readers_of_a_page_do_not_see_is_left_out() {
    for (html, wanted) in [
        ("a<div hidden>no<div>no</div>no</div>b", "ab"),
        ("a<span style='color: red; DISPLAY : none !important'>no</span>b", "ab"),
        ("a<p style=visibility:hidden>no</p>b", "ab"),
        ("a <i aria-hidden=TRUE>no</i>b", "a b"),
        ("a <i aria-hidden=false>yes</i> b", "a yes b"),
        ("a<template><p>no</p></template>b<!-- no -->c", "abc"),
        ("<p hidden>no<p>yes", "yes"),
        ("<div hidden><!-- </div> --><script>'</div>'</script>no</div>b", "b"),
        ("<img alt=no hidden>a<input type=hidden value=no>b", "ab"),
        ("<body aria-hidden=true><main hidden>yes</main>", "yes"),
        ("<div hidden>has no end", "has no end"),
        ("<p style='display:block'>yes</p>", "yes"),
    ] {
        assert_eq!(read(html), wanted, "{html}");
    }
}

#[test]
fn a_table_with_headings_keeps_its_columns() {
    for (html, wanted) in [
        (
            "<table><caption>Heat</caption><tr><th>Year<th>Heat<th>Cold<tr><td>2020<td><td>3</table>x",
            "Heat\nYear | Heat | Cold\n2020 |  | 3\n\nx",
        ),
        ("<table><tr><th></th><th>a</th></tr><tr><td></td><td>1</td></tr></table>", "| a\n| 1"),
        ("<table><tr><th>a</th></tr><tr><td><p>one</p><p>two</p></td></tr></table>", "a\none two"),
        ("<table><tr><td><p>a</p></td><td>b</td></tr></table>", "a | b"),
        ("<table><tr><td></td><td></td><td>only</td><td></td></tr></table>", "only"),
        ("<table><tr><td><h2>Layout</h2><p>one</p><p>two</p></td></tr></table>", "## Layout\n\none\n\ntwo"),
    ] {
        assert_eq!(read(html), wanted, "{html}");
    }
}

#[test]
fn a_page_that_is_too_long_ends_with_a_sentence_and_says_how_much_of_it_was_read() {
    let whole = "One sentence of a page. ".repeat(40_000);
    let read = beginning(whole.clone());
    let (text, remark) = read.rsplit_once("\n\n").unwrap();
    assert!(text.ends_with("of a page.") && whole.starts_with(text), "{}", &text[text.len() - 100..]);
    assert_eq!(remark, "[This page is longer: its first 99983 of 960000 characters are above, 10 %.]");
    assert_eq!(beginning("short. ".to_owned()), "short. ");
    let no_end = beginning("海".repeat(200_000));
    assert!(
        no_end.contains("its first 100000 of 200000 characters are above, 50 %"),
        "{}",
        &no_end[no_end.len() - 100..]
    );
}

#[test]
fn a_hostile_page_takes_no_time() {
    let pieces = [
        "<nav>",
        "<",
        "</nav>",
        "<script>",
        "<!--",
        "<a href=\"",
        "&",
        "<nav></nav>",
        "<pre>\n",
        "<div hidden>",
        "<p hidden>",
        "<div hidden></p>",
        "<a href=x>y",
        "<td>",
        "<th>a\n",
        "<table>",
        "<img alt=x>",
        "<i hidden></b>",
        "<meta name=author content=x>",
        "<script type='application/ld+json'>[",
        "<![CDATA[",
        "<a a a=",
    ];
    for piece in pieces {
        for end in ["", "</div></nav></i></p>"] {
            let html = format!("{}{end}", piece.repeat(200_000 / piece.len()));
            let read = read(&html);
            assert!(read.len() <= html.len() * 8, "{piece}");
        }
    }
}

proptest! {
    #[test]
    fn it_never_panics(html in any::<String>()) {
        let _ = read(&html);
    }

    #[test]
    fn it_never_panics_on_what_looks_like_markup(
        html in "(<|</|>|nav|script|pre|li|td|th|tr|table|h1|a href=x| hidden|img alt=|meta name=author content=|p| |é|\"|=|a|<!--|-->|&amp|;|\n){0,40}"
    ) {
        let _ = read(&html);
    }

    #[test]
    fn every_word_that_is_shown_is_kept_once(
        pieces in proptest::collection::vec((0..12_usize, "[a-zé]{1,8}"), 1..20)
    ) {
        let mut shown = Vec::new();
        let mut html = String::new();
        for (at, (kind, word)) in pieces.iter().enumerate() {
            let word = format!("{word}{at}");
            let element = match kind {
                0 => format!("<p>{word}</p>"),
                1 => format!("<div><b>{word}</b></div>"),
                2 => format!("<ul><li>{word}</li></ul>"),
                3 => format!("<table><tr><th>{word}</th></tr></table>"),
                4 => format!("<h2>{word}</h2>"),
                5 => format!(" <a href='/x'>{word}</a> "),
                6 => format!("<noscript>{word}</noscript> "),
                7 => format!("<pre>{word}</pre>"),
                8 => format!("<div hidden>{word}</div>"),
                9 => format!("<!-- {word} -->"),
                10 => format!("<span style='display:none'>{word}</span>"),
                _ => format!("<template>{word}</template>"),
            };
            html.push_str(&element);
            if *kind < 8 {
                shown.push(word);
            }
        }
        let read = read(&html);
        let found: Vec<String> = read
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.ends_with(|c: char| c.is_ascii_digit()) && word.len() > 1)
            .map(str::to_owned)
            .collect();
        prop_assert_eq!(found, shown, "{}\n{}", html, read);
    }
}
