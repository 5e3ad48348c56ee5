//! What the store costs: an append beside a bare commit of the same disk, the list and the search over 100,000 runs,
//! the growth of the file per step.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may fail loudly, and prints")]

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use rusqlite::params;
use serde_json::{Value, json};
use stepwell::core::event::{Created, Event, Measured, Started};
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::id::RunId;
use stepwell::core::key::{Key, Segment};
use stepwell::core::pinned::Pinned;
use stepwell::core::ports::{Append, HistoryQuery, Journal as _, Stands, Writer};
use stepwell::core::run::Status;
use stepwell::core::step::OnCrash;
use stepwell::core::task::{Body, Instruct, Kind, Task};
use stepwell::store::{Mode, Store};

const RUNS: u64 = 100_000;

fn id(number: u64) -> RunId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RunId::new(1_700_000_000_000 + number, random)
}

fn time() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000)
}

fn pinned() -> Pinned {
    let task = Task {
        id: "poem".into(),
        name: "Poem".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    };
    Pinned { task, children: std::collections::BTreeMap::default(), folder: None }
}

fn created(title: &str) -> Created {
    Created {
        task: "poem".into(),
        kind: Kind::Workflow,
        title: title.into(),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(json!({ "topic": title })),
        definition: pinned().hash().unwrap(),
        nonce: "n".into(),
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    }
}

fn key(index: u64) -> Key {
    Key::root(Segment { id: "write".into(), item: u32::try_from(index).ok(), iteration: None })
}

/// The three events of a step without a review.
fn step(index: u64, output: &str) -> Vec<Event> {
    let key = key(index);
    vec![
        Event::AttemptStarted(Started {
            key: key.clone(),
            step: "write".into(),
            attempt: 1,
            fingerprint: Fingerprint::of_bytes(&index.to_be_bytes()),
            by: "program".into(),
            work: None,
            item: None,
            depends: Vec::new(),
            on_crash: OnCrash::Rerun,
        }),
        Event::AttemptFinished {
            key: key.clone(),
            attempt: 1,
            output: Arc::new(json!(output)),
            problem: None,
            measured: Measured::default(),
        },
        Event::CallAccepted { key, attempt: 1, version: 1, by: "rule".into(), overridden: Vec::new() },
    ]
}

fn append(store: &Store, run: RunId, after: u64, events: Vec<Event>) -> u64 {
    let done = events.iter().any(|event| matches!(event, Event::RunCompleted { .. }));
    let status = if done { Status::Completed } else { Status::Running };
    let stands = Stands { title: "A run".to_owned(), status, waiting: 0 };
    let (writer, at) = (Writer::Owner(0), time());
    let batch = Append { run, after, writer, at, events, learn: Vec::new(), state: Value::Null, stands };
    store.append(&batch).unwrap()
}

/// Some words, of which a few are common and one is the run's own.
fn text(number: u64) -> String {
    const WORDS: [&str; 24] = [
        "the",
        "sea",
        "station",
        "under",
        "evening",
        "light",
        "of",
        "report",
        "customer",
        "meeting",
        "moved",
        "friday",
        "a",
        "gull",
        "over",
        "release",
        "notes",
        "river",
        "and",
        "summary",
        "nation",
        "chapter",
        "translation",
        "question",
    ];
    let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = format!("own{number}");
    for _ in 0..60 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        text.push(' ');
        text.push_str(WORDS[usize::try_from(seed % 24).unwrap()]);
    }
    text
}

/// Fills a store with runs of one step each, past its port: a commit for each would take minutes.
fn fill(path: &Path) -> Store {
    let store = Store::open(path, Mode::Write).unwrap();
    store.create(id(0), time(), &created("first"), &[], &pinned()).unwrap();
    let mut raw = rusqlite::Connection::open(path).unwrap();
    let tx = raw.transaction().unwrap();
    for number in 1..RUNS {
        let run = id(number).to_string();
        let tail: String = run.chars().rev().collect();
        tx.prepare_cached(
            "INSERT INTO runs SELECT ?1, ?2, ?3, 0, task, kind, '', '', '', NULL, 0, 0, 0, '' FROM runs WHERE n = 1",
        )
        .unwrap()
        .execute(params![number + 1, run, tail])
        .unwrap();
        let end = if number % 1_000 == 0 {
            Event::RunWaiting {}
        } else {
            Event::RunCompleted { title: "".into(), body: "".into() }
        };
        let mut events = vec![Event::RunCreated(created(&format!("poem {number}")))];
        events.extend(step(0, &text(number)));
        events.push(end);
        for (seq, event) in (1i64..).zip(&events) {
            let place = (i64::try_from(number + 1).unwrap() << 24) | seq;
            tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3)")
                .unwrap()
                .execute(params![place, time().timestamp_nanos_opt(), serde_json::to_string(event).unwrap()])
                .unwrap();
        }
    }
    tx.commit().unwrap();
    let start = std::time::Instant::now();
    store.rebuild().unwrap();
    println!("rebuild of {RUNS} runs: {:?}; the file: {} MB", start.elapsed(), size(path) / 1_000_000);
    store
}

fn size(path: &Path) -> u64 {
    rusqlite::Connection::open(path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    std::fs::metadata(path).unwrap().len()
}

fn appending(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut group = c.benchmark_group("commit");
    let raw = rusqlite::Connection::open(folder.path().join("bare.db")).unwrap();
    raw.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER)").unwrap();
    let mut bare = raw.prepare("INSERT INTO t VALUES (1)").unwrap();
    group.bench_function("bare", |b| b.iter(|| bare.execute([]).unwrap()));

    let store = Store::open(&folder.path().join("a.db"), Mode::Write).unwrap();
    let mut head = 1;
    store.create(id(1), time(), &created("one"), &[], &pinned()).unwrap();
    let mut index = 0;
    group.bench_function("one event", |b| {
        b.iter(|| {
            index += 1;
            head = append(&store, id(1), head, step(index, "out").drain(..1).collect());
        });
    });
    store.create(id(2), time(), &created("two"), &[], &pinned()).unwrap();
    let mut head = 1;
    group.bench_function("100 steps (300 events)", |b| {
        b.iter(|| {
            let events = (0..100).flat_map(|_| {
                index += 1;
                step(index, "out")
            });
            head = append(&store, id(2), head, events.collect());
        });
    });
    let mut number = 10;
    group.bench_function("a decision and the run waits, with its search", |b| {
        b.iter(|| {
            number += 1;
            let mut events = step(number, &text(number));
            events.push(Event::RunWaiting {});
            store.create(id(number), time(), &created("many"), &[], &pinned()).unwrap();
            append(&store, id(number), 1, events)
        });
    });
    group.bench_function("open", |b| b.iter(|| Store::open(store.path(), Mode::Write).unwrap()));
    group.finish();

    for steps in [100, 1_000, 10_000] {
        let path = folder.path().join(format!("{steps}.db"));
        let store = Store::open(&path, Mode::Write).unwrap();
        let empty = size(&path);
        store.create(id(1), time(), &created("growth"), &[], &pinned()).unwrap();
        let mut head = 1;
        for index in 0..steps {
            head = append(&store, id(1), head, step(index, &text(index)));
        }
        append(&store, id(1), head, vec![Event::RunWaiting {}]);
        store.history(&HistoryQuery { text: "own1".into(), ..HistoryQuery::default() }).unwrap();
        let payload: u64 = (0..steps).map(|index| text(index).len() as u64).sum();
        let start = std::time::Instant::now();
        let read = store.read(id(1), 0).unwrap().len();
        println!(
            "{steps} steps: {} bytes a step beside its {} of payload; read back ({read} events) in {:?}",
            (size(&path) - empty).saturating_sub(payload) / steps,
            payload / steps,
            start.elapsed()
        );
    }
}

fn finding(c: &mut Criterion) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = fill(&folder.path().join("many.db"));
    let mut group = c.benchmark_group("of 100,000 runs");
    let any = HistoryQuery::default;
    for (name, query) in [
        ("latest 50", any()),
        ("latest 50 that wait", HistoryQuery { statuses: vec![Status::Waiting, Status::Failed], ..any() }),
        (
            "latest 50 completed of a task",
            HistoryQuery { task: Some("poem".into()), statuses: vec![Status::Completed], ..any() },
        ),
        ("none of a task", HistoryQuery { task: Some("other".into()), ..any() }),
        ("none since", HistoryQuery { since: Some(Utc::now()), ..any() }),
        ("none in a folder", HistoryQuery { cwd: Some("/none".into()), ..any() }),
        ("text, common word", HistoryQuery { text: "station ".into(), ..any() }),
        ("text, one letter", HistoryQuery { text: "s".into(), ..any() }),
        ("text, common words", HistoryQuery { text: "the sea under evening station".into(), ..any() }),
        ("text, rare word", HistoryQuery { text: "own77777".into(), ..any() }),
        ("text, rare and common word", HistoryQuery { text: "the own77777".into(), ..any() }),
        ("text, inside a common word", HistoryQuery { text: "tatio".into(), ..any() }),
        ("text, inside a rare word", HistoryQuery { text: "wn77777".into(), ..any() }),
        ("text, inside no word", HistoryQuery { text: "stationation".into(), ..any() }),
        ("text, two letters inside", HistoryQuery { text: "ti".into(), ..any() }),
        ("text, nowhere", HistoryQuery { text: "zzzz".into(), ..any() }),
        (
            "text, common word of those that wait",
            HistoryQuery { text: "sea".into(), statuses: vec![Status::Waiting], ..any() },
        ),
        (
            "text, rare word of those completed",
            HistoryQuery { text: "own77777".into(), statuses: vec![Status::Completed], ..any() },
        ),
        ("text, common word of no task", HistoryQuery { text: "sea".into(), task: Some("other".into()), ..any() }),
    ] {
        let found = store.history(&query).unwrap().len();
        group.bench_function(format!("{name} ({found})"), |b| b.iter(|| store.history(&query).unwrap()));
    }
    group.bench_function("find by an end of the id", |b| {
        let end = id(77_777).short();
        b.iter(|| store.find(Some(&end)).unwrap());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_secs(1));
    targets = appending, finding
}
criterion_main!(benches);
