//! A person finds a run again: by what it is, by a part of its id, by anything that it ever said.

use std::sync::Arc;

use serde_json::json;
use stepwell::core::deadline::Due;
use stepwell::core::decide::Offspring;
use stepwell::core::event::{Event, InstructionScope, Origin, OriginKind};
use stepwell::core::id::RunId;
use stepwell::core::ports::{Append, HistoryQuery, JournalError, Stands};
use stepwell::core::run::Status;
use stepwell::core::step::OnTimeout;
use stepwell::core::task::Kind;

use super::{NewDatabase, fresh};
use crate::store::common::*;

pub fn the_newest_runs_come_first_and_say_where_they_stand(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let done = write(&*store, 1, "The tide comes\n\n  and goes.");
    let waits = begin(&*store, 2, json!({"topic": "rain"}));
    let events =
        vec![started("a", 1), finished("a", 1, json!({"text": "drops"})), review("a", 1), Event::RunWaiting {}];
    append(&*store, waits, 1, events).unwrap();

    let rows = store.history(&HistoryQuery::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.run).collect::<Vec<_>>(), [waits, done]);
    assert_eq!((rows[0].status, rows[0].waiting, rows[0].snippet.data()), (Status::Waiting, 1, "drops"));
    assert_eq!(
        (rows[1].status, rows[1].waiting, rows[1].snippet.data()),
        (Status::Completed, 0, "The tide comes and goes.")
    );
    assert_eq!((rows[0].created_at, rows[0].updated_at), (time(0), time(1)));
    assert_eq!((rows[0].kind, rows[0].task.as_str(), rows[0].title.as_str()), (Kind::Workflow, "poem", "poem, a run"));
}

pub fn every_filter_holds(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let a = write(&*store, 1, "alpha");
    let b = begin(&*store, 2, json!({}));
    let mut email = created("email", json!({}));
    (email.kind, email.cwd) = (Kind::Instruct, "/elsewhere".into());
    let c = id(3);
    store.create(c, time(60), &email, &[], &pinned("email")).unwrap();

    let ask = |query: HistoryQuery| store.history(&query).unwrap().into_iter().map(|r| r.run).collect::<Vec<_>>();
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

pub fn a_run_is_found_by_what_any_part_of_it_said(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = begin(&*store, 1, json!({"topic": "inputword", "file": {"name": "n", "text": "filed"}}));
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
    append(&*store, run, 1, events).unwrap();
    begin(&*store, 2, json!({"topic": "other"}));
    for word in
        ["inputword", "filed", "outputword", "instructionword", "editedword", "messageword", "titleword", "bodyword"]
    {
        assert_eq!(found(&*store, word), [run], "{word}");
        assert_eq!(found(&*store, &word[..word.len() - 2]), [run], "the beginning of {word}");
        assert_eq!(found(&*store, &word[1..word.len() - 1]), [run], "the middle of {word}");
    }
    assert!(found(&*store, "demo/demo").is_empty(), "a model's name is not something that was said");
}

pub fn what_a_person_types_is_never_query_syntax(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run =
        write(&*store, 1, "A multi-agent system isn't a\"b NOT x OR y (text:z) 100% of C++ --> ^end* 'q' a_b {c}");
    write(&*store, 2, "nothing alike");
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
        let rows = store.history(&looking_for(text)).unwrap();
        assert!(rows.iter().all(|row| row.run == run), "{text}");
        if !text.starts_with("NEAR") && text != "AND" {
            assert_eq!(rows.len(), 1, "{text}");
        }
    }
    for text in ["NOT", "*", "multi NOT nothing", "col:x OR", "\"\"\"", "(", "", " ", "\u{0}", "\u{feff}", "💧"] {
        store.history(&looking_for(text)).unwrap();
    }
    store.history(&looking_for(&"many words ".repeat(2_000))).unwrap();
}

pub fn scripts_without_spaces_are_searched_inside_and_to_the_last_character(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let chinese = write(&*store, 1, "我们在海边写一首诗");
    let japanese = write(&*store, 2, "海について詩を書く。東京タワー");
    write(&*store, 3, "a poem by the sea");
    assert_eq!(found(&*store, "一首诗"), [chinese]);
    assert_eq!(found(&*store, "首诗"), [chinese]);
    assert_eq!(found(&*store, "诗"), [chinese]);
    assert_eq!(found(&*store, "海"), [japanese, chinese]);
    assert_eq!(found(&*store, "東京タワー"), [japanese]);
    assert_eq!(found(&*store, "海 詩を"), [japanese]);
    assert!(found(&*store, "山").is_empty());
}

pub fn accents_and_case_do_not_matter(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = write(&*store, 1, "Ein Café in ZÜRICH");
    for text in ["cafe", "CAFÉ", "zurich", "Zürich", "café in"] {
        assert_eq!(found(&*store, text), [run], "{text}");
    }
}

pub fn the_match_is_shown_with_what_is_around_it(new: NewDatabase) {
    let (_database, store) = fresh(new);
    write(
        &*store,
        1,
        &format!("{} the Café\n by the multi agent \u{2}sea\u{3} {}", "before ".repeat(50), "after ".repeat(50)),
    );
    for (text, marked) in [
        ("cafe", "\u{2}Café\u{3}"),
        ("multi-agent", "\u{2}multi\u{3}"),
        ("fé by", "\u{2}fé\u{3}"),
        ("sea", "\u{2}sea\u{3}"),
    ] {
        let rows = store.history(&looking_for(text)).unwrap();
        let snippet = rows[0].snippet.data();
        assert!(snippet.contains(marked), "{text}: {snippet:?}");
        assert!(snippet.chars().count() < 250 && !snippet.contains('\n'));
        assert_eq!(snippet.matches(['\u{2}', '\u{3}']).count(), 2, "what was written cannot fake a mark: {snippet:?}");
    }
}

pub fn words_of_one_text_are_found_together_whatever_their_order(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = write(&*store, 1, "the gull above the sea");
    write(&*store, 2, "the sea alone");
    assert_eq!(found(&*store, "sea gull"), [run]);
    assert_eq!(found(&*store, "ull bov"), [run]);
    assert!(found(&*store, "ull zzz").is_empty());
}

pub fn a_word_is_found_in_every_run_that_has_it_not_only_where_it_is_written_the_same(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let runs = [
        write(&*store, 1, "light in a café"),
        write(&*store, 2, "the lighthouse cafe, a single agent"),
        write(&*store, 3, "a multi agent system"),
    ];
    assert_eq!(found(&*store, "light"), [runs[1], runs[0]], "the beginning of a word, although one has it whole");
    assert_eq!(found(&*store, "cafe"), [runs[1], runs[0]]);
    assert_eq!(found(&*store, "multi-agent"), [runs[2]], "words that a sign joins are next to each other");
    assert_eq!(found(&*store, "agent"), [runs[2], runs[1]]);
}

pub fn what_is_still_being_written_is_found_too(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let events = (0..700).map(|n| Event::MessageAdded { text: format!("word{n}x"), by: "ana".into() }).collect();
    append(&*store, run, 1, events).unwrap();
    assert_eq!(found(&*store, "word0x"), [run]);
    assert_eq!(found(&*store, "word699x"), [run]);
    append(&*store, run, 701, vec![Event::MessageAdded { text: "later".into(), by: "ana".into() }]).unwrap();
    assert_eq!(found(&*store, "later"), [run]);
}

pub fn a_deleted_run_is_found_no_more(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let gone = write(&*store, 1, "unforgettable");
    store.keep_draft(gone, "edit", Some("half")).unwrap();
    let stays = write(&*store, 2, "unforgettable too");
    store.delete(gone).unwrap();
    assert_eq!(found(&*store, "unforgettable"), [stays]);
    assert_eq!(found(&*store, "forgett"), [stays]);
    assert_eq!(store.find(None).unwrap(), [stays]);
    let again = write(&*store, 3, "new");
    assert_eq!(found(&*store, "unforgettable"), [stays]);
    assert!(store.drafts(again).unwrap().is_empty());
}

pub fn a_run_is_named_by_either_end_of_its_id(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let runs: Vec<_> = (1..=3).map(|number| begin(&*store, number, json!({}))).collect();
    let whole = runs[1].to_string();
    assert_eq!(store.find(None).unwrap(), [runs[2]]);
    assert_eq!(store.find(Some(&whole)).unwrap(), [runs[1]]);
    assert_eq!(store.find(Some(&runs[1].short())).unwrap(), [runs[1]]);
    assert_eq!(store.find(Some(&whole[..4])).unwrap(), [runs[2], runs[1]], "not unique: two are enough to say so");
    assert!(store.find(Some("abcdefabcdef")).unwrap().is_empty());
}

pub fn a_name_with_signs_means_what_it_says(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let plus = write(&*store, 1, "a guide to C++ for people who know C");
    let sharp = write(&*store, 2, "C# and F# are languages; c is a letter");
    let plain = write(&*store, 3, "C is a language, and a grade");
    let home = write(&*store, 4, "put it into $HOME, ask @ana, read --help");
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
        assert_eq!(found(&*store, text), runs, "{text}");
    }
    assert!(found(&*store, "C").contains(&plain), "a plain letter is a word");
    // The snippet marks all of it.
    let rows = store.history(&looking_for("C++")).unwrap();
    assert!(rows[0].snippet.data().contains("\u{2}C++\u{3}"), "{:?}", rows[0].snippet);
}

pub fn a_run_is_found_by_its_task_and_by_its_title_too(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let mut created = created("release_notes", json!({"version": "2.4.0"}));
    "Tidewater".clone_into(&mut created.title);
    let mut pinned = pinned("release_notes");
    "Write what is new".clone_into(&mut pinned.task.name);
    created.definition = pinned.hash().unwrap();
    let run = id(1);
    store.create(run, time(0), &created, &[], &pinned).unwrap();
    let other = write(&*store, 2, "nothing of the kind");
    for text in ["release", "release_notes", "what is new", "tidewater", "tidewater new 2.4.0"] {
        assert_eq!(found(&*store, text), [run], "{text}");
    }
    append(&*store, run, 1, vec![Event::RunRenamed { title: "Ebb".into(), by: "ana".into() }]).unwrap();
    assert_eq!(found(&*store, "ebb"), [run]);
    assert_eq!(found(&*store, "kind"), [other]);
}

pub fn what_changed_last_comes_first_in_the_list_and_in_the_search_page_by_page(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let runs: Vec<_> = (1..=5).map(|number| write(&*store, number, "the same words")).collect();
    // The second is renamed long after all others were done.
    let renamed = Event::RunRenamed { title: "again".into(), by: "ana".into() };
    let batch = Append { at: time(500), ..batch(&*store, runs[1], 5, vec![renamed]) };
    store.append(&batch).unwrap();
    let order = [runs[1], runs[4], runs[3], runs[2], runs[0]];
    for text in ["", "same", "ame"] {
        let all: Vec<_> = found(&*store, text);
        assert_eq!(all, order, "{text:?}");
        for offset in 0..5 {
            let page = HistoryQuery { limit: 2, offset, ..looking_for(text) };
            let page: Vec<_> = store.history(&page).unwrap().into_iter().map(|row| row.run).collect();
            assert_eq!(page, order[offset..(offset + 2).min(5)], "{text:?} from {offset}");
        }
    }
    let since = HistoryQuery { since: Some(time(400)), ..HistoryQuery::default() };
    let late: Vec<_> = store.history(&since).unwrap().into_iter().map(|row| row.run).collect();
    assert_eq!(late, [runs[1]], "it was started before, and changed since");
}

pub fn a_run_that_was_archived_is_listed_apart_until_anything_happens_in_it(new: NewDatabase) {
    let (_database, store) = fresh(new);
    let (run, other) = (write(&*store, 1, "the tide"), write(&*store, 2, "the tide too"));
    let archive = |after, undo| append(&*store, run, after, vec![Event::RunArchived { undo, by: "ana".into() }]);
    let archived = |text: &str| -> Vec<RunId> {
        let query = HistoryQuery { archived: true, ..looking_for(text) };
        store.history(&query).unwrap().into_iter().map(|row| row.run).collect()
    };
    for (after, back) in
        [(5, Event::RunArchived { undo: true, by: "ana".into() }), (7, Event::Logged { text: "x".into() })]
    {
        archive(after, false).unwrap();
        for text in ["", "tide", "ide"] {
            assert_eq!((found(&*store, text), archived(text)), (vec![other], vec![run]), "{text:?}");
        }
        append(&*store, run, after + 1, vec![back]).unwrap();
        for text in ["", "tide", "ide"] {
            assert_eq!((found(&*store, text), archived(text)), (vec![run, other], Vec::new()), "{text:?}");
        }
    }
}

pub fn a_deadline_is_listed_while_the_run_waits_for_it(new: NewDatabase) {
    let (database, store) = fresh(new);
    let run = begin(&*store, 1, json!({}));
    let due = Due { at: time(90), then: OnTimeout::Skip };
    let waits = Stands { title: "until noon".into(), status: Status::Waiting, waiting: 1, due: Some(due) };
    let events = vec![started("a", 1), finished("a", 1, json!("x")), review("a", 1)];
    store.append(&Append { stands: waits, ..batch(&*store, run, 1, events) }).unwrap();
    let row = || database.open().history(&looking_for("")).unwrap().remove(0);
    assert_eq!((row().due, row().title.as_str(), row().waiting), (Some(due), "until noon", 1));
    append(&*store, run, 4, vec![accepted("a", 1)]).unwrap();
    assert_eq!((row().due, row().waiting), (None, 0));
}

pub fn the_runs_that_were_made_from_a_run_are_known(new: NewDatabase) {
    let (database, store) = fresh(new);
    let first = begin(&*store, 1, json!({}));
    for (number, how) in [(2, OriginKind::Fork), (3, OriginKind::Rerun)] {
        let mut created = created("poem", json!({}));
        created.origin = Some(Origin { run: first, how, at: None, seq: Some(number), handed_over: false });
        store.create(id(number), time(4), &created, &[], &pinned("poem")).unwrap();
    }
    let made = |number, how| Offspring { run: id(number), at: time(4), seq: Some(number), how };
    let other = database.open();
    assert_eq!(other.made_from(first).unwrap(), [made(2, OriginKind::Fork), made(3, OriginKind::Rerun)]);
    assert!(other.made_from(id(2)).unwrap().is_empty());
    assert!(matches!(other.made_from(id(9)), Err(JournalError::NoRun(_))));
    store.delete(id(2)).unwrap();
    assert_eq!(other.made_from(first).unwrap(), [made(3, OriginKind::Rerun)]);
}
