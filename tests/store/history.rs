//! A person finds a run again: by what it is, by a piece of its id, by anything that it ever said.

use std::sync::Arc;

use serde_json::json;
use stepwell::core::event::{Event, InstructionScope};
use stepwell::core::ports::{HistoryQuery, Journal as _};
use stepwell::core::run::Status;
use stepwell::core::task::Kind;

use super::common::*;

#[test]
fn the_newest_runs_come_first_and_say_where_they_stand() {
    let test = test_store();
    let done = write(&test.store, 1, "The tide comes\n\n  and goes.");
    let waits = begin(&test.store, 2, json!({"topic": "rain"}));
    let events =
        vec![started("a", 1), finished("a", 1, json!({"text": "drops"})), review("a", 1), Event::RunWaiting {}];
    append(&test.store, waits, 1, events).unwrap();

    let rows = test.store.history(&HistoryQuery::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.run).collect::<Vec<_>>(), [waits, done]);
    assert_eq!((rows[0].status, rows[0].waiting, rows[0].snippet.data()), (Status::Waiting, 1, "drops"));
    assert_eq!(
        (rows[1].status, rows[1].waiting, rows[1].snippet.data()),
        (Status::Completed, 0, "The tide comes and goes.")
    );
    assert_eq!((rows[0].created_at, rows[0].updated_at), (time(0), time(1)));
    assert_eq!((rows[0].kind, rows[0].task.as_str(), rows[0].title.as_str()), (Kind::Workflow, "poem", "poem, a run"));
}

#[test]
fn every_filter_holds() {
    let test = test_store();
    let a = write(&test.store, 1, "alpha");
    let b = begin(&test.store, 2, json!({}));
    let mut email = created("email", json!({}));
    (email.kind, email.cwd) = (Kind::Instruct, "/elsewhere".into());
    let c = id(3);
    test.store.create(c, time(60), &email, &[], &pinned("email")).unwrap();

    let ask = |query: HistoryQuery| test.store.history(&query).unwrap().into_iter().map(|r| r.run).collect::<Vec<_>>();
    let any = HistoryQuery::default;
    // The first was done after the second was begun.
    assert_eq!(ask(any()), [c, a, b]);
    assert_eq!(ask(HistoryQuery { task: Some("poem".into()), ..any() }), [a, b]);
    assert_eq!(ask(HistoryQuery { kind: Some(Kind::Instruct), ..any() }), [c]);
    assert_eq!(ask(HistoryQuery { statuses: vec![Status::Completed], ..any() }), [a]);
    assert_eq!(ask(HistoryQuery { statuses: vec![Status::Running, Status::Failed], ..any() }), [c, b]);
    assert_eq!(ask(HistoryQuery { since: Some(time(30)), ..any() }), [c]);
    assert_eq!(ask(HistoryQuery { cwd: Some("/elsewhere".into()), ..any() }), [c]);
    assert_eq!(ask(HistoryQuery { limit: 1, offset: 1, ..any() }), [a]);
    assert_eq!(ask(HistoryQuery { text: "run".into(), task: Some("poem".into()), limit: 1, offset: 1, ..any() }), [b]);
    assert!(ask(HistoryQuery { text: "alpha".into(), statuses: vec![Status::Running], ..any() }).is_empty());
}

#[test]
fn a_run_is_found_by_what_any_part_of_it_said() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({"topic": "inputword", "file": {"name": "n", "text": "filed"}}));
    let events = vec![
        started("write", 1),
        finished("write", 1, json!({"lines": ["outputword"]})),
        Event::AttemptRejected {
            key: key("write"),
            attempt: 1,
            instruction: "instructionword".into(),
            scope: InstructionScope::This,
            by: "ana".into(),
        },
        Event::VersionEdited {
            key: key("write"),
            attempt: 1,
            version: 2,
            output: Arc::new(json!("editedword")),
            by: "ana".into(),
        },
        Event::MessageAdded { text: "messageword".into(), by: "ana".into() },
        Event::DocumentWritten {
            name: "d".into(),
            version: 1,
            title: "titleword".into(),
            body: "bodyword".into(),
            by: "model".into(),
            proposed: false,
            action: None,
        },
    ];
    append(&test.store, run, 1, events).unwrap();
    begin(&test.store, 2, json!({"topic": "other"}));
    for word in
        ["inputword", "filed", "outputword", "instructionword", "editedword", "messageword", "titleword", "bodyword"]
    {
        assert_eq!(found(&test.store, word), [run], "{word}");
        assert_eq!(found(&test.store, &word[..word.len() - 2]), [run], "the beginning of {word}");
        assert_eq!(found(&test.store, &word[1..word.len() - 1]), [run], "the middle of {word}");
    }
    assert!(found(&test.store, "demo/demo").is_empty(), "a model's name is not something that was said");
}

#[test]
fn what_a_person_types_is_never_query_syntax() {
    let test = test_store();
    let run =
        write(&test.store, 1, "A multi-agent system isn't a\"b NOT x OR y (text:z) 100% of C++ --> ^end* 'q' a_b {c}");
    write(&test.store, 2, "nothing alike");
    for text in [
        "multi-agent",
        "isn't",
        "a\"b",
        "NOT x",
        "OR y",
        "(text:z)",
        "text:z",
        "100%",
        "C++",
        "-->",
        "^end*",
        "'q'",
        "a_b",
        "{c}",
        "\"",
        "+",
        "NEAR(multi",
        "AND",
        "\u{0}multi",
    ] {
        let rows = test.store.history(&looking_for(text)).unwrap();
        assert!(rows.iter().all(|row| row.run == run), "{text}");
        if !text.starts_with("NEAR") && text != "AND" {
            assert_eq!(rows.len(), 1, "{text}");
        }
    }
    for text in ["NOT", "*", "multi NOT nothing", "col:x OR", "\"\"\"", "(", "", " ", "\u{0}", "\u{feff}", "💧"] {
        test.store.history(&looking_for(text)).unwrap();
    }
    test.store.history(&looking_for(&"many words ".repeat(2_000))).unwrap();
}

#[test]
fn scripts_without_spaces_are_searched_inside_and_to_the_last_character() {
    let test = test_store();
    let chinese = write(&test.store, 1, "我们在海边写一首诗");
    let japanese = write(&test.store, 2, "海について詩を書く。東京タワー");
    write(&test.store, 3, "a poem by the sea");
    assert_eq!(found(&test.store, "一首诗"), [chinese]);
    assert_eq!(found(&test.store, "首诗"), [chinese]);
    assert_eq!(found(&test.store, "诗"), [chinese]);
    assert_eq!(found(&test.store, "海"), [japanese, chinese]);
    assert_eq!(found(&test.store, "東京タワー"), [japanese]);
    assert_eq!(found(&test.store, "海 詩を"), [japanese]);
    assert!(found(&test.store, "山").is_empty());
}

#[test]
fn accents_and_case_do_not_matter() {
    let test = test_store();
    let run = write(&test.store, 1, "Ein Café in ZÜRICH");
    for text in ["cafe", "CAFÉ", "zurich", "Zürich", "café in"] {
        assert_eq!(found(&test.store, text), [run], "{text}");
    }
}

#[test]
fn the_match_is_shown_with_what_is_around_it() {
    let test = test_store();
    write(
        &test.store,
        1,
        &format!("{} the Café\n by the multi agent \u{2}sea\u{3} {}", "before ".repeat(50), "after ".repeat(50)),
    );
    for (text, marked) in [
        ("cafe", "\u{2}Café\u{3}"),
        ("multi-agent", "\u{2}multi\u{3}"),
        ("fé by", "\u{2}fé\u{3}"),
        ("sea", "\u{2}sea\u{3}"),
    ] {
        let rows = test.store.history(&looking_for(text)).unwrap();
        let snippet = rows[0].snippet.data();
        assert!(snippet.contains(marked), "{text}: {snippet:?}");
        assert!(snippet.chars().count() < 250 && !snippet.contains('\n'));
        assert_eq!(snippet.matches(['\u{2}', '\u{3}']).count(), 2, "what was written cannot fake a mark: {snippet:?}");
    }
}

#[test]
fn words_of_one_text_are_found_together_whatever_their_order() {
    let test = test_store();
    let run = write(&test.store, 1, "the gull above the sea");
    write(&test.store, 2, "the sea alone");
    assert_eq!(found(&test.store, "sea gull"), [run]);
    assert_eq!(found(&test.store, "ull bov"), [run]);
    assert!(found(&test.store, "ull zzz").is_empty());
}

#[test]
fn what_is_still_being_written_is_found_too() {
    let test = test_store();
    let run = begin(&test.store, 1, json!({}));
    let events = (0..700).map(|n| Event::MessageAdded { text: format!("word{n}x"), by: "ana".into() }).collect();
    append(&test.store, run, 1, events).unwrap();
    assert_eq!(found(&test.store, "word0x"), [run]);
    assert_eq!(found(&test.store, "word699x"), [run]);
    append(&test.store, run, 701, vec![Event::MessageAdded { text: "later".into(), by: "ana".into() }]).unwrap();
    assert_eq!(found(&test.store, "later"), [run]);
}

#[test]
fn a_deleted_run_is_found_no_more() {
    let test = test_store();
    let gone = write(&test.store, 1, "unforgettable");
    test.store.keep_draft(gone, "edit", Some("half")).unwrap();
    let stays = write(&test.store, 2, "unforgettable too");
    test.store.delete(gone).unwrap();
    assert_eq!(found(&test.store, "unforgettable"), [stays]);
    assert_eq!(found(&test.store, "forgett"), [stays]);
    assert_eq!(test.store.find(None).unwrap(), [stays]);
    let again = write(&test.store, 3, "new");
    assert_eq!(found(&test.store, "unforgettable"), [stays]);
    assert!(test.store.drafts(again).unwrap().is_empty());
}

#[test]
fn a_run_is_named_by_either_end_of_its_id() {
    let test = test_store();
    let runs: Vec<_> = (1..=3).map(|number| begin(&test.store, number, json!({}))).collect();
    let whole = runs[1].to_string();
    assert_eq!(test.store.find(None).unwrap(), [runs[2]]);
    assert_eq!(test.store.find(Some(&whole)).unwrap(), [runs[1]]);
    assert_eq!(test.store.find(Some(&runs[1].short())).unwrap(), [runs[1]]);
    assert_eq!(test.store.find(Some(&whole[..4])).unwrap(), [runs[2], runs[1]], "not unique: two are enough to say so");
    assert!(test.store.find(Some("abcdefabcdef")).unwrap().is_empty());
}

#[test]
fn a_name_with_signs_means_what_it_says() {
    let test = test_store();
    let plus = write(&test.store, 1, "a guide to C++ for people who know C");
    let sharp = write(&test.store, 2, "C# and F# are languages; c is a letter");
    let plain = write(&test.store, 3, "C is a language, and a grade");
    let home = write(&test.store, 4, "put it into $HOME, ask @ana, read --help");
    for (text, runs) in [
        ("C++", vec![plus]),
        ("c++", vec![plus]),
        ("c++ guide", vec![plus]),
        ("C#", vec![sharp]),
        ("f#", vec![sharp]),
        ("language C#", vec![sharp]),
        ("$HOME", vec![home]),
        ("@ana", vec![home]),
        ("C%", vec![]),
    ] {
        assert_eq!(found(&test.store, text), runs, "{text}");
    }
    assert!(found(&test.store, "C").contains(&plain), "a plain letter is a word");
    // The snippet marks all of it.
    let rows = test.store.history(&looking_for("C++")).unwrap();
    assert!(rows[0].snippet.data().contains("\u{2}C++\u{3}"), "{:?}", rows[0].snippet);
}

#[test]
fn a_run_is_found_by_its_task_and_by_its_title_too() {
    let test = test_store();
    let mut created = created("release_notes", json!({"version": "2.4.0"}));
    created.title = "Tidewater".to_owned();
    let mut pinned = pinned("release_notes");
    pinned.task.name = "Write what is new".to_owned();
    created.definition = pinned.hash().unwrap();
    let run = id(1);
    test.store.create(run, time(0), &created, &[], &pinned).unwrap();
    let other = write(&test.store, 2, "nothing of the kind");
    for text in ["release", "release_notes", "what is new", "tidewater", "tidewater new 2.4.0"] {
        assert_eq!(found(&test.store, text), [run], "{text}");
    }
    append(&test.store, run, 1, vec![Event::RunRenamed { title: "Ebb".into(), by: "ana".into() }]).unwrap();
    assert_eq!(found(&test.store, "ebb"), [run]);
    // What is made anew from the journal finds it as well.
    test.store.rebuild().unwrap();
    assert_eq!(found(&test.store, "what is new"), [run]);
    assert_eq!(found(&test.store, "kind"), [other]);
}

#[test]
fn what_changed_last_comes_first_in_the_list_and_in_the_search_page_by_page() {
    let test = test_store();
    let runs: Vec<_> = (1..=5).map(|number| write(&test.store, number, "the same words")).collect();
    // The second is renamed long after all others were done.
    let renamed = Event::RunRenamed { title: "again".into(), by: "ana".into() };
    let batch = stepwell::core::ports::Append { at: time(500), ..batch(&test.store, runs[1], 5, vec![renamed]) };
    test.store.append(&batch).unwrap();
    let order = [runs[1], runs[4], runs[3], runs[2], runs[0]];
    for text in ["", "same", "ame"] {
        let all: Vec<_> = found(&test.store, text);
        assert_eq!(all, order, "{text:?}");
        for offset in 0..5 {
            let page = HistoryQuery { limit: 2, offset, ..looking_for(text) };
            let page: Vec<_> = test.store.history(&page).unwrap().into_iter().map(|row| row.run).collect();
            assert_eq!(page, order[offset..(offset + 2).min(5)], "{text:?} from {offset}");
        }
    }
    let since = HistoryQuery { since: Some(time(400)), ..HistoryQuery::default() };
    let late: Vec<_> = test.store.history(&since).unwrap().into_iter().map(|row| row.run).collect();
    assert_eq!(late, [runs[1]], "it was started before, and changed since");
}
