//! What is taken for markup, and what is there to be read.

use super::*;

/// The text that is left of `text`, a line break for each break; emphasis in `{}`, code in `<>`.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (event, _) in events(text) {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => shown.push_str(&text),
            Event::Code(code) => shown.extend(["<", &code, ">"]),
            Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough) => shown.push('{'),
            Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) => shown.push('}'),
            Event::SoftBreak | Event::HardBreak | Event::Start(Tag::Paragraph) => shown.push('\n'),
            Event::Rule => shown.push_str("\n───"),
            Event::Start(Tag::Heading { .. }) => shown.push_str("\n# "),
            _ => {}
        }
    }
    shown.trim_start_matches('\n').to_owned()
}

fn is_as_written(text: &str) {
    assert_eq!(shown(text), text);
}

#[test]
fn a_backslash_is_shown_unless_it_keeps_a_sign_from_being_markup() {
    for text in [
        r"\(a\) and \[x^2\]",
        r"C:\new_dir\*.txt",
        r"C:\*.txt",
        r"(see C:\_old\`x) dir\*.txt ..\_x",
        r"\\server\share",
        r"a\\b",
        r"\d+\.\d* or \.\*",
        r"\$5 \& more \% \{x\} \'q\'",
        r"50\% of a\|b",
        r"dir \- x\.",
        "cmd one \\\nand two",
    ] {
        is_as_written(text);
    }
    assert_eq!(shown(r"\*not\* snake\_case \`x\` \<b\> \# \~"), "*not* snake_case `x` <b> # ~");
    assert_eq!(shown("1912\\. was\n\\- so"), "1912. was\n- so");
    assert_eq!(shown("one\\\ntwo"), "one\ntwo");
    assert_eq!(shown(r"\![not](x)"), "!not");
    assert_eq!(shown(r"`C:\*\` \(b\)"), r"<C:\*\> \(b\)");
}

#[test]
fn only_what_is_meant_as_emphasis_is_emphasis() {
    for text in [
        "__init__.py and __init__ and foo.__file__",
        "_private_name_ /_next/_x_/y",
        "2*3*4 = 24 and 2**3**4",
        "src/*.c and lib/*.c, **/*.rs and src/**/x.rs",
        "all *.*",
        "count(*) + sum(*)",
        "f(*args, **kwargs)",
        "~5 to 6~ or H~2~O",
        "/*x*/",
    ] {
        is_as_written(text);
    }
    assert_eq!(shown("*so*, **so**, ~~so~~, _so_, __so too__."), "{so}, {so}, {so}, {so}, {so too}.");
    assert_eq!(shown("**1) First** and **Note**s **/etc/hosts**"), "{1) First} and {Note}s {/etc/hosts}");
    assert_eq!(shown("***both***"), "{{both}}");
}

#[test]
fn wide_letters_need_no_space_before_and_after_emphasis() {
    assert_eq!(shown("**重要（注意）**内容"), "{重要（注意）}内容");
    assert_eq!(shown("他说**“你好”**然后**（再见）**。"), "他说{“你好”}然后{（再见）}。");
    assert_eq!(shown("**code(`x`)**的**`y`**内容"), "{code(<x>)}的{<y>}内容");
    assert_eq!(shown("**été (chaud)**é 𠮷**（a）**𠮷"), "{été (chaud)}é 𠮷{（a）}𠮷");
    assert_eq!(shown("这是**重要**内容"), "这是{重要}内容");
}

#[test]
fn a_line_of_dashes_makes_no_heading_of_the_text_above() {
    assert_eq!(shown("Best,\nAnna\n--\nAnna Smith"), "Best,\nAnna\n--\nAnna Smith");
    assert_eq!(shown("Anna\n-- \nSmith\n-\nx"), "Anna\n--\nSmith\n-\nx");
    assert_eq!(shown("text\n---\nmore"), "text\n───\nmore");
    assert_eq!(shown("10\n20\n===\n30\n="), "10\n20\n===\n30\n=");
    assert_eq!(shown("> Anna\n> --\n> Smith"), "Anna\n--\nSmith");
    assert_eq!(shown("Title\n=====\n\ntext"), "# Title\ntext");
}

#[test]
fn a_heading_keeps_the_signs_that_are_its_own() {
    assert_eq!(shown("# Learn C ##"), "# Learn C ##");
    assert_eq!(shown("## Learn C ##"), "# Learn C");
    assert_eq!(shown("a\n#\nb"), "a\n#\nb");
}

#[test]
fn the_lines_of_a_verse_stay_set_in() {
    is_as_written("Roses\n  are red,\n    violets\n  blue.");
    assert_eq!(shown("  one\ntwo"), "  one\ntwo");
    assert_eq!(shown("        far\n    near\nleft\n  on"), "        far\n    near\nleft\n  on");
    assert_eq!(shown("> one\n>   two"), "one\n  two");
    assert_eq!(shown("- one\n  two\n    three\nlazy"), "one\ntwo\n  three\nlazy");
    assert_eq!(shown("> - one\n>   two\n>     three"), "one\ntwo\n  three");
    assert_eq!(shown("1. one\n\n   two\n     three"), "one\ntwo\n  three");
    assert_eq!(shown("a\n  \\*b"), "a\n  *b");
}

#[test]
fn what_a_definition_of_a_link_says_is_shown_where_it_is_written() {
    assert_eq!(shown("[Anna]: Hello\n[Ben]: Hi"), "[Anna]: Hello\n[Ben]: Hi");
    assert_eq!(shown("[a]: http://x \"Title\""), "[a]: http://x \"Title\"");
    assert!(read("[Anna]: Hello.\n[Ben]: See a/b today", |_| None).definitions.is_empty());
    let read = read("see [a] and [b]\n\n[a]: http://x\n[Anna]: Hello\n\n> [c]: <#d>", |_| None);
    let found: Vec<_> = read.definitions.iter().map(|found| (found.label.as_str(), found.url.as_str())).collect();
    assert_eq!(found, [("a", "http://x"), ("c", "#d")]);
    assert_eq!(read.undefined.iter().map(|(_, label)| label.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn signs_around_addresses_and_calls_are_shown() {
    assert_eq!(shown("From: Bob <bob@x.org>"), "From: Bob <bob@x.org>");
    assert_eq!(shown("handlers[i](event) and a[docs](https://x)"), "handlers[i](event) and adocs");
    is_as_written("AT&amp;T &lt;b&gt; &copy; ?a=1&copy=2");
    let address = events(r"[a](http://x/\_b) [b](x\y)").into_iter().find_map(|(event, _)| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    assert_eq!(address.as_deref(), Some("http://x/_b"));
}

#[test]
fn code_is_what_is_written() {
    let code = "    --\n    \\(a\\) \\*\n    [a]: b\n    # C ##\n";
    assert_eq!(shown(code), "--\n\\(a\\) \\*\n[a]: b\n# C ##\n");
    let fenced = format!("```\n{}```", code.replace("    ", ""));
    assert_eq!(shown(&fenced), "--\n\\(a\\) \\*\n[a]: b\n# C ##\n");
    assert_eq!(shown("``a\\(b\n--\nc``"), "<a\\(b -- c>");
    assert_eq!(shown("```js src/app.js\nx\n```"), "js src/app.jsx\n");
}

#[test]
fn a_row_with_more_cells_than_the_head_shows_them_all() {
    let text = "| a | b |\n|---|---|\n| 1 | 2 | 3 | 4 |\n| x \\| y | z |\n";
    let cells: Vec<String> = events(text)
        .into_iter()
        .filter_map(|(event, _)| if let Event::Text(text) = event { Some(text.into_string()) } else { None })
        .collect();
    assert_eq!(cells.concat(), "ab1234x | yz");
}

#[test]
fn the_number_of_an_item_is_as_it_is_written() {
    assert_eq!(
        (number("1912. x"), number(" 007) x"), number("- x"), number("12 x")),
        (Some("1912."), Some("007)"), None, None)
    );
}

#[test]
fn a_flood_of_signs_costs_no_more_than_its_length() {
    for text in ["*a ".repeat(20_000) + &"b* ".repeat(20_000), "\\| ".repeat(200_000), "__a".repeat(100_000)] {
        assert!(!events(&text).is_empty());
    }
}
