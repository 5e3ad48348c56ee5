//! What a person sees of Markdown, at several widths, however it arrives.

use proptest::prelude::*;

use ratatui::text::Line;

use super::*;
use crate::tui::theme::{Depth, Ground};

fn theme() -> Theme {
    Theme::new(Ground::Dark, Depth::None)
}

fn shown(text: &str, width: u16) -> String {
    let document = Document::new(&Untrusted::from(text));
    let lines = document.lines(width, &theme());
    lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn code_in_a_known_language_is_coloured_as_it_streams_and_afterwards() {
    let theme = Theme::new(Ground::Dark, Depth::Sixteen);
    let text = "```rust\nlet sea = 1; // deep\n```\n\n```\nlet\n```\n";
    let styles = |document: &Document| {
        let lines = document.lines(40, &theme);
        let spans = lines.iter().flat_map(|line| line.spans.clone());
        spans
            .filter(|span| !span.content.trim().is_empty())
            .map(|span| (span.content.to_string(), span.style))
            .collect::<Vec<_>>()
    };
    let whole = styles(&Document::new(&Untrusted::from(text)));
    let style = |wanted: &str| whole.iter().find(|(text, _)| text.contains(wanted)).map(|(_, style)| *style);
    assert_eq!((style("let"), style("deep"), style("1")), (Some(theme.word), Some(theme.muted), Some(theme.number)));
    assert_eq!(whole.last().map(|(_, style)| *style), Some(theme.code));
    let mut streamed = Document::default();
    for c in text.chars() {
        streamed.push(&Untrusted::new(c.to_string()));
    }
    assert_eq!(styles(&streamed), whole);
}

const SAMPLE: &str = "# The harbour

The *lamps* lean **out** across the tide and count the ~~ships~~ boats that come home late; see
[the log](https://example.org/log) or `tide --now`.

1. First
2. Second, which is long enough to be wrapped when the pane is narrow
   - nested
     - deeper
   - [x] done
   - [ ] open

   A second paragraph of the item.

> Quoted words
> go on.
>
> - with a list

```rust
fn main() {
\tprintln!(\"a long line of code that will not fit a narrow pane at all\");
}
```

| Name | What it is | Cost |
|:-----|:----------:|-----:|
| lamp | a light at the end of the pier that turns | 3 |
| boat | wood | 1,200 |

---

The end.
";

#[test]
fn markdown_at_a_comfortable_width() {
    insta::assert_snapshot!(shown(SAMPLE, 76));
}

#[test]
fn markdown_in_a_narrow_pane() {
    insta::assert_snapshot!(shown(SAMPLE, 32));
}

#[test]
fn a_table_that_does_not_fit_becomes_lines() {
    insta::assert_snapshot!(shown(
        "| One | Two | Three |\n|-|-|-|\n| first cell here | second | third |\n| a | b | c |",
        20
    ));
}

#[test]
fn a_structured_output_reads_as_named_fields() {
    let value = serde_json::json!([
        {"subject": "The tide", "lines": 4, "notes": ["slow", "dark **and** cold"]},
        {"subject": "The storm\n\nwith a second paragraph", "lines": 6, "notes": []},
    ]);
    let lines = Document::of_value(&value).lines(40, &theme());
    let shown: Vec<String> = lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn prose_is_never_wider_than_eighty() {
    let text = "word ".repeat(100);
    assert!(shown(&text, 200).lines().all(|line| line.len() <= 80));
}

#[test]
fn escape_sequences_of_a_model_are_only_letters() {
    let text = shown("a \u{1b}[31mred\u{1b}[0m `\u{1b}]0;x\u{7}`", 60);
    assert_eq!(text, "a ␛[31mred␛[0m ␛]0;x␇");
}

fn streamed(chunks: &[&str], width: u16) -> Vec<Line<'static>> {
    let mut document = Document::default();
    for chunk in chunks {
        document.push(&Untrusted::from(*chunk));
        let _ = document.height(width, &theme());
    }
    document.lines(width, &theme())
}

#[test]
fn a_link_that_is_defined_at_the_very_end_still_becomes_one() {
    let text =
        "See [a] and [b].\n\nMore.\n\n- x\n\nText.\n\n[a]: http://long.example/path\n[b]: http://b\n\nend [a]\n\nlast";
    let whole = Document::new(&Untrusted::from(text)).lines(60, &theme());
    let letters: Vec<&str> = text.split_inclusive(|_| true).collect();
    assert_eq!(streamed(&letters, 60), whole);
    assert!(whole[0].to_string().contains("http://long.example/path"));
}

#[test]
fn the_sample_streams_letter_by_letter_into_the_same_layout() {
    let letters: Vec<&str> = SAMPLE.split_inclusive(|_| true).collect();
    assert_eq!(streamed(&letters, 40), Document::new(&Untrusted::from(SAMPLE)).lines(40, &theme()));
}

#[test]
fn a_line_end_that_comes_in_two_pieces_before_a_list_is_one() {
    for parts in [
        &["- ", "\n\n", "\r", "\n", "- [ ] "][..],
        &["a", "\r", "\n", "\r", "\n", "- x"],
        &["1. a\r", "\n\r", "\n1. b", "\r", "\r", "\n- [x] c"],
    ] {
        let whole = Document::new(&Untrusted::new(parts.concat())).lines(10, &theme());
        assert_eq!(streamed(parts, 10), whole, "{parts:?}");
    }
}

#[test]
fn twenty_thousand_tokens_lay_out_only_their_tail() {
    let mut document = Document::default();
    let paragraph = "The lamps lean out across the tide and count the boats that come home late.\n\n";
    let mut laid_again = 0;
    for _ in 0..1_000 {
        document.push(&Untrusted::from(paragraph));
        let _ = document.height(80, &theme());
        laid_again += document.laid.borrow().as_ref().unwrap().tail.len();
    }
    assert!(laid_again <= 3_000, "{laid_again} lines were laid out again");
}

#[test]
fn a_list_has_the_numbers_that_it_is_written_with() {
    assert_eq!(shown("1912. One\n1969. Two", 40), "1912. One\n1969. Two");
    assert_eq!(shown("5. a\n3. b\n1. c", 40), "5. a\n3. b\n1. c");
    assert_eq!(shown("9) a\n10) b\n007) c", 40), "  9) a\n 10) b\n007) c");
    assert_eq!(shown("+ fast", 40), "+ fast");
}

#[test]
fn a_letter_and_a_verse_look_as_they_are_written() {
    let letter =
        "Dear Anna,\n\n    The file is C:\\new_dir\\*.txt\n  in \\\\server.\n\nBest,\nBob\n--\nBob Smith <bob@x.org>";
    assert_eq!(shown(letter, 60), letter);
    assert_eq!(shown("[Anna]: Hello\n[Ben]: Hi", 60), "[Anna]: Hello\n[Ben]: Hi");
}

#[test]
fn a_text_is_shown_as_it_is_written_on_demand() {
    let text = "# Head\n\n1. *a*\n1. b\n\n\n[x](y)  \nend";
    let theme = theme();
    let look = Look { theme: &theme, as_written: true };
    let mut streamed = Document::default();
    for c in text.chars() {
        streamed.push(&Untrusted::new(c.to_string()));
        let _ = streamed.height(40, look);
    }
    for document in [streamed, Document::new(&Untrusted::from(text))] {
        let lines = document
            .with_laid(40, look, |laid| laid.from(0).map(|(part, at)| part.line(at).to_string()).collect::<Vec<_>>());
        assert_eq!(lines.join("\n").replace(" \n", "\n"), text.replace("  \n", "\n"));
        assert!(document.lines(40, &theme)[0].to_string() == "Head", "and laid out again");
    }
}

#[test]
fn a_diff_is_shown_line_by_line_however_it_arrives() {
    let theme = Theme::new(Ground::Dark, Depth::Sixteen);
    let text = "diff --git a/x.md b/x.md\n--- a/x.md\n+++ b/x.md\n@@ -1,3 +1,3 @@\n # Head\n-* a\n+1. *b*\n  \n";
    let mut streamed = Document::default();
    for c in text.chars() {
        streamed.push(&Untrusted::new(c.to_string()));
        let _ = streamed.height(40, &theme);
    }
    for document in [streamed, Document::new(&Untrusted::from(text))] {
        let lines = document.lines(40, &theme);
        let shown: Vec<String> = lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect();
        assert_eq!(shown, text.lines().map(str::trim_end).collect::<Vec<_>>());
        let style = |at: usize| lines[at].spans[0].style;
        let expected = [theme.word, theme.text, theme.gone, theme.accepted].map(|style| theme.text.patch(style));
        assert_eq!([3, 4, 5, 6].map(|at| theme.text.patch(style(at))), expected);
        let as_written = Look { theme: &theme, as_written: true };
        assert_eq!(document.height(40, as_written), lines.len());
    }
    let value = Document::of_value(&serde_json::json!({ "change": text }));
    let lines: Vec<String> = value.lines(40, &theme).iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.trim() == "+1. *b*"), "{lines:?}");
}

#[test]
fn the_difference_in_an_approval_has_its_colours() {
    let theme = Theme::new(Ground::Dark, Depth::Sixteen);
    let text = "    stdin (9 bytes):\n        --- a/x\n        +++ b/x\n        @@ -1 +1 @@\n        -old\n        +new\n    in: +here\n";
    let document = Document::new(&Untrusted::from(text));
    let lines = document.lines(40, &theme);
    let styles = |with: &str| -> Vec<_> {
        let line = lines.iter().find(|line| line.to_string().contains(with)).unwrap();
        line.spans.iter().filter(|span| !span.content.trim().is_empty()).map(|span| span.style).collect()
    };
    assert_eq!((styles("-old"), styles("+new")), (vec![theme.gone], vec![theme.accepted]));
    assert_eq!(styles("in: +here"), vec![theme.code; styles("in: +here").len()]);
}

#[test]
fn the_name_of_a_sign_is_as_it_was_written_whatever_comes_after_it() {
    for text in ["# &amp;\t", "## &lt; \t ", "&amp;", "&amp;\t\n", "- &copy;\t"] {
        let name = text.trim_start_matches(['#', ' ', '-']).trim();
        assert!(shown(text, 80).contains(name), "{text:?}");
    }
}

/// What may not be lost: letters, digits, and every backslash that is not before a sign of Markdown.
fn marks_of(text: &str) -> Vec<char> {
    let mut marks = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let escapes = c == '\\' && letters.peek().is_none_or(|next| "*_`<>~#|.)-+!\n".contains(*next));
        if (c.is_alphanumeric() || c == '\\') && !escapes {
            marks.push(c);
        }
    }
    marks
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn every_sign_that_is_no_markup_is_in_what_is_shown(
        parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b c", "1912. ", "3) ", "7", "\n", "\n", "\n\n", "- ", "+ ", "  ", "    ", "> ", "```\n", "# ", " ##", "--", "---",
            "===", "|", "|-|-|\n", "*", "**", "_", "__", "`", "~", "~~", "[d] ", "[e]: u\n", "[f]: http://x\n", "](g)", "<h@i.j>",
            "<div>", "&amp;", "\\", "\\(k\\)", "C:\\l", "（m）", "日", "é", "\t", "/", ".", ")", "![n](o \"p\")",
        ]), 0..30),
    ) {
        let text = parts.concat();
        // The name of a language is markup.
        let named = |after: &str| !after.trim_start_matches(['`', '~']).trim_start_matches(' ').starts_with('\n');
        let fences = ["```", "~~~"].map(|fence| text.split(fence).skip(1).any(named));
        prop_assume!(fences == [false, false]);
        let shown = shown(&text, 4_000);
        let mut found = shown.chars();
        for mark in marks_of(&text) {
            prop_assert!(found.any(|c| c == mark), "{mark:?} of {text:?} is not in {shown:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn however_a_text_is_split_its_layout_is_that_of_the_whole(
        parts in prop::collection::vec(prop::sample::select(vec![
            "a", "b c", "\n", "\n\n", "\n\n", "- ", "  ", "    ", "1. ", "> ", "```", "~~~", "# ", "---", "===", "|", "|-|-|",
            "*", "**", "_", "`", "[a]", "[b]: u", "[a]: http://x", "]", "(", ")", "<div>", "<!--", "-->", "'t", "\t", "\r",
            "é", "\u{301}", "\u{200d}", "日本", "\\", "- [ ] ", "+ ", "* ", "2) ", "--", "\\(a\\)", "__a__", "）", "=", "[c]: d",
        ]), 0..40),
        width in 10u16..60,
    ) {
        let whole = parts.concat();
        let whole = Document::new(&Untrusted::from(whole.as_str())).lines(width, &theme());
        prop_assert_eq!(streamed(&parts, width), whole);
    }
}

#[test]
fn a_block_that_never_ends_is_laid_out_in_pieces_while_it_grows() {
    let mut document = Document::default();
    let mut laid_again = 0;
    for line in 0..40_000 {
        document.push(&Untrusted::new(format!("line {line}\n")));
        if line % 100 == 0 {
            let _ = document.height(40, &theme());
            laid_again += document.laid.borrow().as_ref().unwrap().tail.len();
        }
    }
    let lines = document.lines(40, &theme());
    assert_eq!(lines.last().unwrap().to_string(), "line 39999");
    assert_eq!(lines.iter().filter(|line| line.to_string().starts_with("line ")).count(), 40_000);
    assert!(laid_again < 400 * LONGEST_TAIL / 10, "{laid_again} lines were laid out again");
    assert_eq!(Document::new(document.raw()).height(40, &theme()), 40_000);
}

#[test]
fn links_and_bare_addresses_lead_where_they_say_and_look_as_they_did() {
    let theme = Theme::new(Ground::Dark, Depth::None);
    let text = "See [the tide](https://example.org/tide) or <mailto:ana@example.org>, and https://example.org/a_long_one here.\n\n\
                [no](javascript:alert(1)) [gone](file:///etc/passwd) `https://code.example`\n";
    let document = Document::new(&Untrusted::from(text));
    let area = ratatui::layout::Rect::new(2, 1, 40, 12);
    let mut buf = Buffer::empty(ratatui::layout::Rect::new(0, 0, 50, 14));
    let mut frame = crate::tui::canvas::FrameInfo::default();
    let mut canvas = Canvas { buf: &mut buf, theme: &theme, frame: &mut frame, as_written: false };
    document.show(&mut canvas, area, 0, &theme);
    let shown = |place: &ratatui::layout::Rect| -> String {
        (place.left()..place.right()).map(|x| buf[(x, place.y)].symbol()).collect()
    };
    let links: Vec<(String, &str)> = frame.links.iter().map(|(place, to)| (shown(place), to.as_str())).collect();
    let to = |address: &str| {
        links.iter().filter(|(_, to)| *to == address).map(|(text, _)| text.as_str()).collect::<String>()
    };
    assert!(to("https://example.org/tide").starts_with("the tide"), "{links:?}");
    assert_eq!(to("https://example.org/a_long_one"), "https://example.org/a_long_one");
    assert!(to("mailto:ana@example.org").contains("ana@example.org"), "{links:?}");
    let known = ["https://example.org/tide", "https://example.org/a_long_one", "mailto:ana@example.org"];
    assert!(links.iter().all(|(_, to)| known.contains(to)), "{links:?}");
    // The text is what it is without them.
    let mut plain = Buffer::empty(buf.area);
    document.paint(area, &mut plain, 0, &theme);
    assert_eq!(plain, buf);
}
