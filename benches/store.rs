//! What the store costs: an append beside a bare commit of the same disk, the list and the search over 100,000 runs,
//! the growth of the file per step.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may fail loudly, and prints")]

mod filled;

use std::path::Path;

use chrono::Utc;
use criterion::{Criterion, criterion_group, criterion_main};
use filled::{append, created, fill, id, pinned, step, text, time};
use stepwell::core::event::Event;
use stepwell::core::ports::{HistoryQuery, Journal as _, Runs as _};
use stepwell::core::run::Status;
use stepwell::store::{Mode, SqliteStore};

const RUNS: u64 = 100_000;

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

    let store = SqliteStore::open(&folder.path().join("a.db"), Mode::Write).unwrap();
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
    group.bench_function("open", |b| b.iter(|| SqliteStore::open(store.path(), Mode::Write).unwrap()));
    group.finish();

    for steps in [100, 1_000, 10_000] {
        let path = folder.path().join(format!("{steps}.db"));
        let store = SqliteStore::open(&path, Mode::Write).unwrap();
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
    let path = folder.path().join("many.db");
    let start = std::time::Instant::now();
    let store = fill(&path, RUNS);
    println!("filling with {RUNS} runs: {:?}; the file: {} MB", start.elapsed(), size(&path) / 1_000_000);
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
