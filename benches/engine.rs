//! What the engine costs beside the disk: pure and effectful steps, wide fan-outs, reviews one after another, opening
//! a long run, asking a large graph what comes next, and the growth of the file per step.
//!
//! A plain program that prints a table: `cargo bench --bench engine [PART]`. Times of commits depend on the disk and on
//! who else uses it, so a bare commit of the same disk in the same run is shown beside them; of what needs no disk the
//! best of five is shown, and the CPU time of all threads, which a busy machine does not stretch as much.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may fail loudly, and prints"
)]

#[path = "../tests/engine/harness.rs"]
mod harness;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{Act, Harness, Updates, decision, prompt, step, until_stopped};
use serde_json::{Value, json};
use stepwell::core::decide::DecisionKind;
use stepwell::core::event::{Event, PauseReason};
use stepwell::core::id::RunId;
use stepwell::core::run::{Run, Status};
use stepwell::flow::Flow as _;
use stepwell::flow::graph::Graph;

/// What a pure step may cost.
const PURE: Duration = Duration::from_micros(30);

fn main() {
    let part = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{:<66} {:>12} {:>12}", "", "measured", "at most");
    runtime.block_on(async {
        for (name, measure) in PARTS {
            if name.contains(&part) {
                measure.call().await;
            }
        }
    });
}

/// A part of the table.
enum Measure {
    Chain,
    Items,
    Effectful,
    Parallel,
    Reviews,
    Resume,
    Growth,
    Next,
}

const PARTS: [(&str, Measure); 8] = [
    ("pure chain", Measure::Chain),
    ("pure items", Measure::Items),
    ("effectful", Measure::Effectful),
    ("parallel", Measure::Parallel),
    ("reviews", Measure::Reviews),
    ("resume", Measure::Resume),
    ("growth", Measure::Growth),
    ("next", Measure::Next),
];

impl Measure {
    async fn call(&self) {
        match self {
            Self::Chain => pure_chain().await,
            Self::Items => pure_items().await,
            Self::Effectful => effectful().await,
            Self::Parallel => parallel().await,
            Self::Reviews => reviews().await,
            Self::Resume => resume().await,
            Self::Growth => growth().await,
            Self::Next => next().await,
        }
    }
}

fn row(what: &str, measured: Duration, most: Option<Duration>) {
    let most = most.map_or_else(String::new, |most| format!("{most:.1?}"));
    println!("{what:<66} {:>12} {most:>12}", format!("{measured:.1?}"));
}

/// A harness whose steps answer at once.
fn harness() -> Harness {
    Harness::on_disk(|request| Act::Say(json!(format!("done {}", request.key))))
}

/// Drives until the run waits or is over; how long that took.
async fn drive(harness: &Harness, run: RunId) -> (Duration, Updates) {
    let (_, mut updates) = harness.subscribe(run);
    let start = Instant::now();
    harness.engine.drive(run).unwrap();
    until_stopped(&mut updates).await;
    (start.elapsed(), updates)
}

/// The best of five drives to the end: the time and the CPU time of one of `count` steps.
async fn completed(what: &str, steps: &Value, more: &Value, count: u32, most: Duration) {
    let (mut best, mut least) = (Duration::MAX, Duration::MAX);
    for _ in 0..5 {
        let harness = harness();
        let run = harness.start_with(steps, more, json!({}));
        let cpu = cpu_time();
        let (took, _) = drive(&harness, run).await;
        least = least.min(cpu_time().saturating_sub(cpu));
        best = best.min(took);
        assert_eq!(harness.engine.load(run).unwrap().status, Status::Completed);
    }
    row(what, best / count, Some(most));
    row("    of CPU", least / count, None);
}

/// What all threads of this process have computed, where the system tells.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The cost of one commit of one row, beside the file of the harness.
fn bare_commit(folder: &Path) -> Duration {
    let raw = rusqlite::Connection::open(folder.join("bare.db")).unwrap();
    raw.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t (n INTEGER)")
        .unwrap();
    let mut insert = raw.prepare("INSERT INTO t VALUES (1)").unwrap();
    let start = Instant::now();
    for _ in 0..100 {
        insert.execute([]).unwrap();
    }
    start.elapsed() / 100
}

fn transform(id: &str, expr: &str, rules: Value) -> Value {
    step(id, json!({ "kind": "transform", "expr": expr }), rules)
}

/// Each step uses the output of the one before it.
fn chain(count: u32, make: impl Fn(&str, &str) -> Value) -> Value {
    let steps = (0..count).map(|at| {
        let before = if at == 0 { "0".to_owned() } else { format!("steps.s{}.output", at - 1) };
        make(&format!("s{at}"), &before)
    });
    steps.collect()
}

fn items(count: u32) -> Value {
    json!({ "for_each": { "list": format!("range({count})"), "one_by_one": false } })
}

async fn pure_chain() {
    for count in [100, 1_000] {
        let steps = chain(count, |id, before| transform(id, &format!("{before} + 1"), json!({})));
        completed(&format!("pure step in a chain of {count}"), &steps, &json!({}), count, PURE).await;
    }
}

async fn pure_items() {
    for count in [1_000, 10_000] {
        let steps = json!([transform("each", "item + 1", items(count))]);
        completed(&format!("pure item of {count}"), &steps, &json!({}), count, PURE).await;
    }
}

async fn effectful() {
    const STEPS: u32 = 300;
    let steps = chain(STEPS, |id, before| {
        let does = json!({ "kind": "command", "argv": ["it", format!("{{{{ {before} }}}}")], "parse": "text" });
        step(id, does, json!({ "approve": "never" }))
    });
    let harness = harness();
    let folder = harness.path.clone();
    let before = bare_commit(&folder);
    let run = harness.start(&steps, json!({}));
    let (took, _) = drive(&harness, run).await;
    let bare = (before + bare_commit(&folder)) / 2;
    row("bare commit", bare, None);
    row(&format!("effectful step in a chain of {STEPS}; 1.3 of two commits"), took / STEPS, Some(bare * 26 / 10));
}

async fn parallel() {
    let most = Duration::from_millis(300);
    let steps = json!([transform("each", "item + 1", items(1_000))]);
    completed("1,000 pure items", &steps, &json!({}), 1, most).await;
    let mut rules = items(1_000);
    rules["review"] = json!("never");
    let steps = json!([prompt("each", "{{ item }}", rules)]);
    for concurrency in [8, 1_000] {
        let what = format!("1,000 performed items, {concurrency} at a time");
        completed(&what, &steps, &json!({ "max_concurrency": concurrency }), 1, most).await;
    }
}

async fn reviews() {
    const REVIEWS: u32 = 200;
    for one_by_one in [true, false] {
        let rules = json!({ "for_each": { "list": format!("range({REVIEWS})"), "one_by_one": one_by_one } });
        let harness = harness();
        let run = harness.start_with(
            &json!([prompt("each", "{{ item }}", rules)]),
            &json!({ "max_concurrency": 200 }),
            json!({}),
        );
        let (_, mut updates) = drive(&harness, run).await;
        let start = Instant::now();
        let mut costs = Vec::new();
        for at in 0..REVIEWS {
            let cpu = cpu_time();
            harness.engine.decide(run, decision(&format!("each[{at}]"), DecisionKind::Accept)).await.unwrap();
            until_stopped(&mut updates).await;
            costs.push(cpu_time().saturating_sub(cpu));
        }
        let kind = if one_by_one { "one after another" } else { "that wait together" };
        row(&format!("{REVIEWS} reviews {kind}"), start.elapsed(), Some(Duration::from_secs(1)));
        row("    as many bare commits", bare_commit(&harness.path) * REVIEWS, None);
        // Of CPU: the time of a commit differs by more than this from one to the next.
        let of_ten = |costs: &[Duration]| costs.iter().sum::<Duration>() / 10;
        let first = of_ten(&costs[..10]);
        row("    the first ten, of CPU each", first, None);
        row("    the last ten, of CPU each; twice the first", of_ten(&costs[costs.len() - 10..]), Some(first * 2));
    }
}

/// A run of 1,000 calls that stand, and a form that waits.
fn long_run(wide: bool) -> Value {
    let form = step("form", json!({ "kind": "ask", "fields": [] }), json!({ "after": ["last"] }));
    let last = transform("last", "1", json!({ "after": [if wide { "each" } else { "s998" }] }));
    if wide {
        return json!([transform("each", "item + 1", items(999)), last, form]);
    }
    let mut steps = chain(999, |id, before| transform(id, &format!("{before} + 1"), json!({})));
    steps.as_array_mut().unwrap().extend([last, form]);
    steps
}

async fn resume() {
    for wide in [false, true] {
        let harness = harness();
        let run = harness.start(&long_run(wide), json!({}));
        drive(&harness, run).await;
        leave(&harness, run).await;
        let (mut best, mut least) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let (start, cpu) = (Instant::now(), cpu_time());
            let other = harness.neighbour();
            drive(&other, run).await;
            best = best.min(start.elapsed());
            least = least.min(cpu_time().saturating_sub(cpu));
            leave(&other, run).await;
        }
        let kind = if wide { "items" } else { "steps" };
        row(&format!("open the store and resume a run of 1,000 {kind}"), best, Some(Duration::from_millis(30)));
        row("    of CPU", least, None);
    }
}

async fn leave(harness: &Harness, run: RunId) {
    let (_, mut updates) = harness.subscribe(run);
    harness.engine.pause(run, PauseReason::Left);
    until_stopped(&mut updates).await;
}

fn size(path: &Path) -> u64 {
    rusqlite::Connection::open(path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    std::fs::metadata(path).unwrap().len()
}

async fn growth() {
    for count in [100_u32, 1_000, 10_000] {
        let harness = harness();
        let path = harness.database();
        let empty = size(&path);
        let mut rules = items(count);
        rules["review"] = json!("never");
        let steps = json!([prompt("each", "Say something of {{ item }}.", rules)]);
        let run = harness.start_with(&steps, &json!({ "max_concurrency": 1_000 }), json!({}));
        drive(&harness, run).await;
        let payload: usize = harness.events(run).iter().map(payload).sum();
        let each = (size(&path) - empty).saturating_sub(payload as u64) / u64::from(count);
        println!("{:<66} {each:>10} B {:>12}", format!("growth per step of {count}, beside its payload"), "1,000 B");
    }
}

/// The prompt and the output: what a person would want to find again.
fn payload(event: &Event) -> usize {
    match event {
        Event::AttemptStarted(started) => serde_json::to_string(&started.work).unwrap().len(),
        Event::AttemptFinished { output, .. } => output.to_string().len(),
        _ => 0,
    }
}

/// Feeds a session the journal of a run of 1,000 steps, event by event.
async fn next() {
    let most = Some(Duration::from_millis(1));
    for wide in [false, true] {
        let harness = harness();
        let run = harness.start(&long_run(wide), json!({}));
        drive(&harness, run).await;
        let journal = harness.store.read(run, 0).unwrap();
        let pinned = Arc::new(harness.store.definition(&harness.engine.load(run).unwrap().definition).unwrap());
        let graph = Graph::new(pinned);
        let kind = if wide { "items" } else { "steps" };
        let start = Instant::now();
        let mut session = graph.open(&Run::fold(run, &journal[..1]).unwrap());
        session.feed(&[]);
        row(&format!("open a graph of 1,000 {kind}, nothing done"), start.elapsed(), None);
        let mut times = Vec::new();
        for recorded in &journal[1..] {
            let one = Instant::now();
            session.feed(std::slice::from_ref(&recorded.event));
            times.push(one.elapsed());
        }
        times.sort();
        row(&format!("what is next after an event, of 1,000 {kind}: the median"), times[times.len() / 2], most);
        row("    one in a hundred takes longer than", times[times.len() * 99 / 100], most);
        let folded = Run::fold(run, &journal).unwrap();
        let start = Instant::now();
        graph.open(&folded).feed(&[]);
        row(&format!("open a graph of 1,000 {kind}, all done"), start.elapsed(), None);
    }
}
