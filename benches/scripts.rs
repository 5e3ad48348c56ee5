//! What a workflow costs that is written as code: a fresh script, what stands told again, and a script or a program
//! through the engine beside a graph of the same calls.
//!
//! `cargo bench --bench scripts [PART]`. The figures of the engine hold commits of the disk, so a script and its graph
//! take turns within one part, and the ratio of the best of each is what counts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may fail loudly, and prints"
)]

#[path = "../tests/engine/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use harness::{Act, Harness, pinned, prompt, step, until_stopped};
use serde_json::{Value, json};
use stepwell::core::pinned::Pinned;
use stepwell::core::run::{Run, Status};
use stepwell::flow::scripted::PYTHON;
use stepwell::flow::{self, End, Environment};
use tokio::runtime::Runtime;

const CALLS: u32 = 1_000;
const STANDING: u32 = 10_000;
const ROUNDS: u32 = 9;

/// Each call is told what the one before it came to.
const SEQUENTIAL: &str = "export default async (run, inputs) => {
  let last = 0;
  for (let n = 0; n < COUNT; n++) last = await run.step(\"each\", { n: last });
  return String(last);
};";

const PARALLEL: &str = "export default async (run, inputs) => {
  const all = await Promise.all(Array.from({ length: COUNT }, (_, n) => run.step(\"each\", { n })));
  return String(all.length);
};";

const PROGRAM: &str = "import stepwell


async def main(run, inputs):
    last = 0
    for n in range(COUNT):
        last = await run.step(\"each\", {\"n\": last})
    return str(last)


stepwell.serve(main)
";

fn script(source: &str, count: u32) -> Value {
    let source = source.replace("COUNT", &count.to_string());
    json!({ "flow": { "script": { "entry": "main.js", "sources": { "main.js": source } } }, "max_concurrency": 1_000 })
}

fn program(count: u32) -> Value {
    let sources = json!({ "main.py": PROGRAM.replace("COUNT", &count.to_string()), "stepwell.py": PYTHON });
    json!({ "flow": { "process": { "argv": ["python3", "main.py"], "sources": sources } } })
}

/// The step that code calls: pure, or performed at once.
fn each(pure: bool) -> Value {
    if pure {
        json!([step("each", json!({ "kind": "transform", "expr": "n + 1" }), json!({}))])
    } else {
        json!([prompt("each", "{{ n }}", json!({ "review": "never" }))])
    }
}

/// The same calls as a graph.
fn graph(pure: bool, parallel: bool) -> Value {
    let make = |id: &str, before: &str, mut rules: Value| {
        if pure {
            return step(id, json!({ "kind": "transform", "expr": format!("{before} + 1") }), rules);
        }
        rules["review"] = json!("never");
        prompt(id, &format!("{{{{ {before} }}}}"), rules)
    };
    if parallel {
        let list = json!({ "for_each": { "list": format!("range({CALLS})"), "one_by_one": false } });
        return json!([make("each", "item", list)]);
    }
    let before = |at: u32| if at == 0 { "0".to_owned() } else { format!("steps.s{}.output", at - 1) };
    (0..CALLS).map(|at| make(&format!("s{at}"), &before(at), json!({}))).collect()
}

fn harness() -> Harness {
    Harness::on_disk(|request| Act::Say(json!(format!("done {}", request.key))))
}

/// Drives a run to its end; how long that took.
async fn drive(harness: &Harness, steps: &Value, more: &Value) -> (Duration, Run) {
    let run = harness.start_with(steps, more, json!({}));
    let (_, mut updates) = harness.subscribe(run);
    let start = Instant::now();
    harness.engine.drive(run).unwrap();
    until_stopped(&mut updates).await;
    let took = start.elapsed();
    let run = harness.engine.load(run).unwrap();
    assert_eq!(run.status, Status::Completed, "{:?}", run.error);
    (took, run)
}

/// Opens a session on a run that is over, and has it told everything; what that computed.
fn replay(pinned: &Arc<Pinned>, run: &Run) -> Duration {
    let begun = cpu_time();
    let mut session = flow::of(pinned, &Environment::new()).open(run);
    let wants = session.feed(&[]);
    let took = cpu_time().saturating_sub(begun);
    assert!(matches!(wants.end, Some(End::Completed { .. })), "{wants:?}");
    took
}

/// What this thread has computed, which a busy machine does not stretch as much.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn replays(bench: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = bench.benchmark_group("replay");
    group.sample_size(10);
    for (name, source, count) in [
        ("fresh context", "export default async () => \"x\";", 0),
        ("10,000 in sequence", SEQUENTIAL, STANDING),
        ("10,000 at once", PARALLEL, STANDING),
    ] {
        let (steps, more) = (each(true), script(source, count));
        let harness = harness();
        let (_, run) = runtime.block_on(drive(&harness, &steps, &more));
        assert_eq!(run.calls.len(), count as usize);
        let pinned = Arc::new(pinned(&steps, &more));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| replay(&pinned, &run)).sum());
        });
    }
    group.finish();
}

/// What all threads of this process have computed, where the system tells.
fn cpu_of_all() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// The best of each, taken in turns: the time, and what was computed in it.
fn best(runtime: &Runtime, sides: &[(Value, Value)]) -> Vec<(Duration, Duration)> {
    let mut best = vec![(Duration::MAX, Duration::MAX); sides.len()];
    for _ in 0..ROUNDS {
        for ((steps, more), (least, cpu)) in sides.iter().zip(&mut best) {
            let harness = harness();
            let before = cpu_of_all();
            *least = runtime.block_on(drive(&harness, steps, more)).0.min(*least);
            *cpu = cpu_of_all().saturating_sub(before).min(*cpu);
        }
    }
    best
}

fn engine(_: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for pure in [true, false] {
        for parallel in [false, true] {
            let concurrency = json!({ "max_concurrency": 1_000 });
            let code = script(if parallel { PARALLEL } else { SEQUENTIAL }, CALLS);
            let sides = [(graph(pure, parallel), concurrency), (each(pure), code)];
            let [graph, script] = best(&runtime, &sides)[..] else { continue };
            let kind = if pure { "pure" } else { "performed" };
            let order = if parallel { "at once" } else { "in sequence" };
            println!(
                "{CALLS} {kind} calls {order}: graph {:.1?}, script {:.1?}; of CPU {:.1?}, {:.1?}: {:.2} times",
                graph.0,
                script.0,
                graph.1,
                script.1,
                script.1.as_secs_f64() / graph.1.as_secs_f64()
            );
        }
    }
    let count = 200;
    let sides = [script(SEQUENTIAL, count), program(count), program(1)].map(|more| (each(true), more));
    let [script, program, start] = best(&runtime, &sides)[..] else { return };
    let a_call = program.0.saturating_sub(start.0) / (count - 1);
    println!(
        "a call of a program {a_call:.1?} (a script's {:.1?}); its start and end {:.1?}",
        script.0 / count,
        start.0
    );
}

criterion_group!(benches, replays, engine);
criterion_main!(benches);
