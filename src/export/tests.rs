//! What a person gets as a file.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};

use super::{ExportError, ExportScope, Format, json};
use crate::core::event::{Created, Event, InstructionScope as Reach, Measured, Started};
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Gate, ReviewBody};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::{Discarded, Finish};
use crate::core::run::Run;
use crate::core::step::OnCrash;
use crate::core::task::Kind;
use crate::core::usage::Usage;

/// An export that is a text.
fn export(run: &Run, format: Format, scope: ExportScope) -> Result<String, ExportError> {
    super::export(run, format, scope).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn run(events: impl IntoIterator<Item = Event>) -> Run {
    let created = Created {
        task: "poem".into(),
        kind: Kind::Workflow,
        title: "The sea".into(),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(json!({"topic": "the sea", "stanzas": 2})),
        definition: Fingerprint::of_bytes(b"poem"),
        nonce: "n".into(),
        date: None,
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    };
    let at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_700_000_000_250);
    let mut run = Run::new(RunId::new(1, [1; 10]), at, &created);
    for (seq, event) in (2..).zip(events) {
        run.apply(seq, at, &event);
    }
    run
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn started(at: &str, attempt: u32) -> Event {
    Event::AttemptStarted(Started {
        key: key(at),
        workflow: None,
        step: key(at).step().to_owned(),
        attempt,
        fingerprint: Fingerprint::of_bytes(at.as_bytes()),
        by: "model".into(),
        work: None,
        item: None,
        depends: Vec::new(),
        on_crash: OnCrash::Rerun,
    })
}

fn finished(at: &str, attempt: u32, model: &str, output: Value) -> Event {
    let usage = Usage { input_tokens: 10, output_tokens: 5, usd: 0.25, estimated: false };
    let measured = Measured { model: Some(model.into()), usage, first_token_ms: 7, ms: 70, ..Measured::default() };
    Event::AttemptFinished { key: key(at), attempt, output: Arc::new(output), problem: None, measured }
}

fn accepted(at: &str, attempt: u32, version: u32) -> Event {
    Event::CallAccepted { key: key(at), attempt, version, by: "ana@host".into(), overridden: Vec::new() }
}

fn done(title: &str, body: &str) -> Event {
    Event::RunCompleted { title: title.into(), body: body.into() }
}

/// A step tried twice, edited and accepted, and one that waits.
fn poem() -> Run {
    run([
        started("write[0]", 1),
        finished("write[0]", 1, "openai/x", json!("First try.")),
        Event::AttemptRejected {
            key: key("write[0]"),
            attempt: 1,
            instruction: "make it rhyme".into(),
            scope: Reach::This,
            by: "ana@host".into(),
        },
        started("write[0]", 2),
        finished("write[0]", 2, "openai/x", json!("Second try.")),
        Event::VersionEdited {
            key: key("write[0]"),
            attempt: 2,
            version: 2,
            output: Arc::new(json!("Mine.")),
            by: "ana@host".into(),
        },
        accepted("write[0]", 2, 2),
        started("write[1]", 1),
        finished("write[1]", 1, "openai/x", json!({"subject": "gulls"})),
        Event::GateOpened(Gate::of_review(
            key("write[1]"),
            1,
            1,
            ReviewBody { schema: Some(json!({})), ..ReviewBody::default() },
        )),
        Event::DocumentWritten {
            name: "result".into(),
            version: 1,
            title: "Sea".into(),
            body: "Draft.".into(),
            by: "model".into(),
            proposed: false,
            action: None,
        },
        Event::RunWaiting {},
    ])
}

#[test]
fn the_object_of_show_has_the_fields_of_the_contract_in_their_order() {
    let usage =
        |times: u32| json!({"input_tokens": 10 * times, "output_tokens": 5 * times, "usd": 0.25 * f64::from(times)});
    let at = "2023-11-14T22:13:20.250Z";
    let attempt = |number: u32, status: &str, output: Value, versions: Value, instruction: Value| {
        json!({
            "attempt": number, "status": status, "by": "model", "model": "openai/x", "output": output, "versions": versions,
            "instruction": instruction, "error": null, "started_at": at, "first_token_ms": 7, "ms": 70, "usage": usage(1),
        })
    };
    let version = |number: u32, by: &str, output: Value| json!({"version": number, "by": by, "output": output});
    let expected = json!({
        "v": 1,
        "run": RunId::new(1, [1; 10]).to_string(),
        "task": "poem",
        "kind": "workflow",
        "title": "The sea",
        "status": "waiting",
        "by": "ana@host",
        "cwd": "/home/ana",
        "created_at": at,
        "inputs": {"topic": "the sea", "stanzas": 2},
        "definition": Fingerprint::of_bytes(b"poem").as_str(),
        "calls": [
            {
                "key": "write[0]", "step": "write", "status": "accepted", "attempt": 2, "output": "Mine.",
                "standing": {"attempt": 2, "version": 2, "output": "Mine."},
                "attempts": [
                    attempt(1, "rejected", json!("First try."), json!([version(1, "model", json!("First try."))]), json!("make it rhyme")),
                    attempt(2, "accepted", json!("Mine."),
                        json!([version(1, "model", json!("Second try.")), version(2, "ana@host", json!("Mine."))]), Value::Null),
                ],
            },
            {
                "key": "write[1]", "step": "write", "status": "review", "attempt": 1, "output": {"subject": "gulls"}, "standing": null,
                "attempts": [attempt(1, "review", json!({"subject": "gulls"}), json!([version(1, "model", json!({"subject": "gulls"}))]), Value::Null)],
            },
        ],
        "waiting": [{"key": "write[1]", "for": "review", "attempt": 1, "version": 1, "allowed": ["accept", "edit", "retry", "skip"]}],
        "messages": [],
        "warnings": [],
        "result": null,
        "documents": [{"name": "result", "version": 1, "title": "Sea", "body": "Draft.", "by": "model"}],
        "error": null,
        "usage": usage(3),
        "newer": false,
        "archived": false,
    });
    // As text, because the order counts too.
    assert_eq!(format!("{:#}", json::show(&poem())), format!("{expected:#}"));
    assert_eq!(export(&poem(), Format::Json, ExportScope::Full).unwrap(), format!("{expected:#}\n"));
}

#[test]
fn what_an_attempt_has_beside_its_output_is_in_the_json_and_the_full_text() {
    let failure = Failure::new(FailureClass::Network, "it broke");
    let discarded = vec![Discarded { text: "[1, two]".into(), why: "`[1]`: expected integer".into() }];
    let (thinking, usage) = ("Hm, let me see.".into(), Usage { output_tokens: 2, estimated: true, ..Usage::default() });
    let measured = Measured { thinking, discarded, usage, finish: Some(Finish::Length), ..Measured::default() };
    let (partial, retry_at) = ("Half of it".into(), None);
    let broken = run([
        started("write[0]", 1),
        Event::AttemptFailed { key: key("write[0]"), attempt: 1, error: failure, partial, retry_at, measured },
    ]);
    let shown = json::show(&broken);
    let attempt = &shown["calls"][0]["attempts"][0];
    assert_eq!(attempt["partial"], "Half of it");
    assert_eq!(attempt["thinking"], "Hm, let me see.");
    assert_eq!(attempt["discarded"], json!([{"text": "[1, two]", "why": "`[1]`: expected integer"}]));
    assert_eq!((&attempt["finish"], &attempt["output"]), (&json!("length"), &Value::Null));
    assert_eq!((&attempt["usage"]["estimated"], &shown["usage"]["estimated"]), (&json!(true), &json!(true)));
    let text = export(&broken, Format::Md, ExportScope::Full).unwrap();
    for part in ["What had arrived", "Half of it", "Not used: `[1]`: expected integer", "[1, two]", "Hm, let me see."] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let steps = export(&broken, Format::Md, ExportScope::Steps).unwrap_or_default();
    assert!(!steps.contains("Hm, let me see."), "{steps}");
}

#[test]
fn a_failed_run_says_which_call_and_why() {
    let error = Failure::new(FailureClass::Timeout, "no token within 60 s").with_detail("the log");
    let run = run([Event::RunFailed { key: Some(key("write[0]")), error }]);
    let error = &json::show(&run)["error"];
    assert_eq!(error["key"], "write[0]");
    assert_eq!(error["class"], "timeout");
    assert!(export(&run, Format::Md, ExportScope::Full).unwrap().contains("Failed (timeout): no token within 60 s"));
}

#[test]
fn the_result_is_a_title_and_a_body() {
    let run = run([done("The sea", "One.\n\nTwo.\n")]);
    assert_eq!(export(&run, Format::Md, ExportScope::Result).unwrap(), "# The sea\n\nOne.\n\nTwo.\n");
    let json: Value = serde_json::from_str(&export(&run, Format::Json, ExportScope::Result).unwrap()).unwrap();
    assert_eq!((&json["title"], &json["body"]), (&json!("The sea"), &json!("One.\n\nTwo.\n")));
}

#[test]
fn what_the_demo_wrote_is_labelled_wherever_it_is_read() {
    let run = run([started("a", 1), finished("a", 1, "demo/demo", json!("x")), accepted("a", 1, 1), done("T", "x")]);
    for scope in ExportScope::ALL {
        for format in [Format::Md, Format::Html] {
            assert!(export(&run, format, scope).unwrap().contains("demo model"), "{format:?} {scope:?}");
        }
    }
    assert!(!export(&poem(), Format::Md, ExportScope::Full).unwrap().contains("demo model"));
}

#[test]
fn without_a_result_the_error_says_what_can_be_had() {
    let error = export(&run([]), Format::Html, ExportScope::Result).unwrap_err();
    assert!(matches!(error, ExportError::NoResult { .. }));
    assert!(error.to_string().contains("--scope steps"), "{error}");
    assert!(export(&poem(), Format::Md, ExportScope::Result).unwrap().contains("Draft."), "the document so far");
}

#[test]
fn a_page_runs_and_loads_nothing() {
    let body = "<script>alert(1)</script> <img src=http://evil/x.png onerror=alert(1)>\n\n\
        <div onclick=\"x\">\n\n[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](//evil/x) \
        [e](https://good.example/?a=1&b=2 \"x\\\" onmouseover=alert(1)\") <javascript:alert(1)> <mail@example.org>\n\n\
        ![alt <b>](http://evil/beacon.png)\n\n[r]: vbscript:x\n[r] \n\n```\"><script>\n</pre><script>x</script>\n```\n";
    let run = run([done("</title><script>alert(2)</script>", body)]);
    let page = export(&run, Format::Html, ExportScope::Result).unwrap();
    for tag in ["<script", "<img", "<div", "<iframe", "<link", "<b>"] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
    for address in
        ["href=\"javascript", "href=\"Ja", "href=\"data", "href=\"//", "href=\"vb", "<source", "href=\"http://evil"]
    {
        assert!(!page.contains(address), "{address}: {page}");
    }
    assert!(
        page.contains("href=\"https://good.example/?a=1&amp;b=2\"")
            && page.contains("href=\"mailto:mail@example.org\"")
    );
    assert!(!page.contains("\" onmouseover"), "{page}");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_could_act_on_a_reader_is_visible_in_every_text_format() {
    let sly = "plain \u{1b}[2J \u{202e}gpj.exe\u{200b}";
    let run = run([
        started("a", 1),
        finished("a", 1, "x/\u{1b}y", json!({ "t": sly, "u": [sly] })),
        accepted("a", 1, 1),
        Event::Warned { key: None, message: sly.into() },
        Event::Logged { text: sly.into() },
        Event::MessageAdded { text: sly.into(), by: sly.into() },
        Event::DocumentWritten {
            name: sly.into(),
            version: 1,
            title: sly.into(),
            body: sly.into(),
            by: sly.into(),
            proposed: false,
            action: None,
        },
        Event::RunRenamed { title: sly.into(), by: sly.into() },
        done(sly, sly),
    ]);
    for format in [Format::Md, Format::Html, Format::Csv] {
        for scope in ExportScope::ALL {
            let text = export(&run, format, scope).unwrap();
            let acts = |c: char| (c.is_control() && !"\r\n\t".contains(c)) || matches!(c, '\u{202e}' | '\u{200b}');
            assert!(!text.contains(acts), "{format:?} {scope:?}: {text:?}");
        }
    }
    assert_eq!(json::show(&run)["result"]["body"], sly, "JSON is the raw data");
}

#[test]
fn a_spreadsheet_calculates_nothing() {
    let mut events = Vec::new();
    let outputs = ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\t=1", "＝1", "plain", "a,\"b\"\nc", "12"];
    for (index, output) in outputs.iter().enumerate() {
        let at = format!("write[{index}]");
        events.extend([started(&at, 1), finished(&at, 1, "openai/x", json!(output)), accepted(&at, 1, 1)]);
    }
    let table = export(&run(events), Format::Csv, ExportScope::Result).unwrap();
    let mut rows = table.split("\r\n");
    assert_eq!(rows.next(), Some("key,step,status,attempt,model,tokens,usd,output"));
    assert_eq!(rows.next(), Some("write[0],write,accepted,1,openai/x,15,0.25,\"'=1+1\""));
    for (row, output) in rows.by_ref().zip([
        "\"'+1\"",
        "\"'-1\"",
        "\"'@SUM(A1)\"",
        "\"'  =1\"",
        "\"'\t=1\"",
        "\"'＝1\"",
        "plain",
        "\"a,\"\"b\"\"\nc\"",
        "12",
    ]) {
        assert!(row.ends_with(&format!(",0.25,{output}")), "{row} {output}");
    }
}

#[test]
fn the_whole_history_of_a_call_is_in_the_full_text() {
    let text = export(&poem(), Format::Md, ExportScope::Full).unwrap();
    for part in [
        "First try.",
        "make it rhyme",
        "Second try.",
        "Version 2 by ana@host, accepted",
        "Mine.",
        "rejected",
        "\"subject\": \"gulls\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let steps = export(&poem(), Format::Md, ExportScope::Steps).unwrap();
    assert!(steps.contains("Mine.") && !steps.contains("First try."), "{steps}");
    let log = export(&poem(), Format::Md, ExportScope::Log).unwrap();
    assert_eq!(log.matches("| `write[0]` |").count(), 2, "{log}");
}

#[test]
fn code_cannot_leave_its_fence() {
    let run = run([started("a", 1), finished("a", 1, "x/y", json!({"code": "````\n# out"})), accepted("a", 1, 1)]);
    let text = export(&run, Format::Md, ExportScope::Steps).unwrap();
    assert!(text.contains("\n`````json\n") && text.contains("\n`````\n"), "{text}");
}

#[test]
fn a_text_that_ends_within_code_does_not_take_in_what_follows() {
    for (output, closed) in
        [("```rust\nfn x() {}", "fn x() {}\n```\n"), ("~~~~\n~~~\nx\n", "x\n~~~~\n"), ("```\nx\n```\ny", "y\n")]
    {
        let run = run([started("a", 1), finished("a", 1, "x/y", json!(output)), accepted("a", 1, 1)]);
        let text = export(&run, Format::Md, ExportScope::Steps).unwrap();
        assert!(text.ends_with(closed), "{text}");
    }
}

#[test]
fn an_empty_run_and_a_huge_one_are_written() {
    for format in [Format::Md, Format::Html, Format::Json, Format::Csv] {
        export(&run([]), format, ExportScope::Full).unwrap();
    }
    let huge = run([done("T", &"> [".repeat(100_000))]);
    for format in [Format::Md, Format::Html, Format::Json] {
        assert!(export(&huge, format, ExportScope::Result).unwrap().len() > 300_000);
    }
}

#[test]
fn names_are_those_of_the_command_line() {
    assert_eq!(Format::ALL.map(Format::name), ["md", "json", "html", "pdf", "csv"]);
    assert_eq!(ExportScope::ALL.map(ExportScope::name), ["result", "full", "steps", "log"]);
    assert_eq!(Format::from_name("html"), Some(Format::Html));
    assert_eq!(ExportScope::from_name("all"), None);
}

#[test]
fn the_lines_of_a_stanza_are_lines_of_the_page() {
    let page = export(&run([done("t", "The tide comes\nand goes.")]), Format::Html, ExportScope::Result).unwrap();
    assert!(page.contains("The tide comes<br />\nand goes."), "{page}");
}

#[test]
fn a_page_and_a_pdf_show_no_less_than_is_written() {
    let body = "1912. One\n1969. Two\n\n7) three\n\nC:\\new_dir\\*.txt \\(a\\) __init__ <bob@x.org> [here](/there)\n  set in\n--\n\
        Anna\n\n[Anna]: Hello\n";
    let written = run([done("t", body)]);
    let page = export(&written, Format::Html, ExportScope::Result).unwrap();
    for piece in [
        "<li value=\"1912\">One",
        "<li value=\"1969\">Two",
        "<li style=\"list-style-type:'7) '\">three",
        "C:\\new_dir\\*.txt \\(a\\) __init__ &lt;<a href=\"mailto:bob@x.org\">bob@x.org</a>&gt; here (/there)",
        "<br />\n\u{a0} set in<br />\n--<br />\nAnna",
        "[Anna]: Hello",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    let pdf = super::export(&written, Format::Pdf, ExportScope::Result).unwrap();
    let text = String::from_utf8_lossy(&pdf);
    for piece in
        ["(1912.)", "(1969.)", "(7\\))", "(C:\\\\new_dir\\\\*.txt ", "/there", "(  set in)", "(--)", "([Anna]: Hello)"]
    {
        assert!(text.contains(piece), "{piece}: {text}");
    }
}

#[test]
fn a_pdf_has_the_text_line_by_line_in_the_letters_that_its_fonts_have() {
    let body = "Ein *schöner* Tag — „ja“,\n**und** `x` → 5 €.\n\n- one\n- two\n\n```\nfn  a() {}\n```\n";
    let pdf = super::export(&run([done("Größe", body)]), Format::Pdf, ExportScope::Result).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
    // Windows-1252, in hexadecimal where it is not ASCII, and the arrow of the symbols' own font.
    let pieces = [
        "<4772F6DF65>",
        "<736368F66E6572>",
        "<20546167209720846A61932C>",
        "(und)",
        "<AE>",
        "<203520802E>",
        "(one)",
        "<95>",
    ];
    let text = String::from_utf8_lossy(&pdf);
    for piece in pieces {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    assert!(text.contains("(fn  a() {})"), "{text}");
}

#[test]
fn a_long_pdf_has_many_pages_and_no_line_that_is_too_long() {
    let word = "x".repeat(5000);
    let body = format!("{word}\n\n{}", "Many words that go on and on. ".repeat(2000));
    let pdf = super::export(&run([done("t", &body)]), Format::Pdf, ExportScope::Result).unwrap();
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.matches("/Type /Page\n").count() > 10, "{}", text.matches("/Type /Page").count());
    let longest = text.lines().filter(|line| line.ends_with(" Tj")).map(str::len).max().unwrap();
    assert!((60..130).contains(&longest), "{longest}");
}

#[test]
fn a_letter_that_no_font_of_a_pdf_has_is_named_and_nothing_is_lost_in_silence() {
    for (text, letter) in [("a 海 b", "`海` (U+6D77)"), ("🎉", "`🎉` (U+1F389)"), ("مرحبا", "`م` (U+0645)")]
    {
        let error = super::export(&run([done("t", text)]), Format::Pdf, ExportScope::Result).unwrap_err().to_string();
        assert!(error.contains(letter) && error.contains("--format html"), "{error}");
    }
    // What was made visible of a control character is still said.
    let pdf = super::export(&run([done("t", "a\u{1b}[2Jb")]), Format::Pdf, ExportScope::Result).unwrap();
    assert!(pdf.windows(8).any(|bytes| bytes == b"(a^[[2Jb"), "{}", pdf.escape_ascii());
}

#[test]
fn a_result_that_was_written_while_the_run_was_open_again_is_the_one_that_is_exported() {
    let written = |version, body: &str, by: &str| Event::DocumentWritten {
        name: "result".into(),
        version,
        title: "Poem".into(),
        body: body.into(),
        by: by.into(),
        proposed: false,
        action: None,
    };
    let completed = Event::RunCompleted { title: "Poem".into(), body: "before".into() };
    let reopened = Event::RunResumed { by: "ana@host".into(), epoch: 2, after: None };
    let open = run([written(1, "before", "model"), completed, reopened, written(2, "after", "ana@host")]);
    assert!(export(&open, Format::Md, ExportScope::Result).unwrap().contains("after"));
}
