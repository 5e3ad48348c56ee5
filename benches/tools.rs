//! What calling a tool of a running server costs beside the server's own time, what a large result takes of memory, and
//! what configured servers cost that nobody uses.
//!
//! `cargo bench --bench tools`. The server's own time is that of the same lines written to it and read back without anything
//! between; both take turns, and the medians are compared.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench may fail loudly, and prints"
)]

#[path = "../tests/tools/fixture.rs"]
#[allow(dead_code, reason = "made for tests")]
mod fixture;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fixture::{Servers, program};
use serde_json::{Value, json};

const CALLS: usize = 2_000;
const STARTS: usize = 21;
const LARGE: usize = 10_000_000;

/// A server that does as little as one can.
const SERVER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
    else:
        args = message["params"]["arguments"]
        result = {"content": [{"type": "text", "text": "x" * args["bytes"]}]}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
    sys.stdout.flush()
"#;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(calls());
    runtime.block_on(large());
    starts();
}

fn command() -> Vec<String> {
    ["python3", "-c", SERVER].map(str::to_owned).to_vec()
}

/// The server, spoken to without anything between.
struct Bare(Child, ChildStdin, BufReader<ChildStdout>);

impl Bare {
    fn new() -> Self {
        let argv = command();
        let mut server = Command::new(&argv[0]);
        let mut child = server.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self(child, stdin, BufReader::new(stdout))
    }

    fn call(&mut self) -> Duration {
        let began = Instant::now();
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {"bytes": 5}}});
        self.1.write_all(format!("{call}\n").as_bytes()).unwrap();
        let mut line = String::new();
        self.2.read_line(&mut line).unwrap();
        let _: Value = serde_json::from_str(&line).unwrap();
        began.elapsed()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn calls() {
    let (servers, mut bare) = (Servers::one(program(command())), Bare::new());
    servers.text("x", json!({"bytes": 5})).await;
    bare.call();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        let began = Instant::now();
        servers.text("x", json!({"bytes": 5})).await;
        ours.push(began.elapsed());
        theirs.push(bare.call());
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "a call of a running server: {ours:?}, of which the server itself {theirs:?}: {:?} more (aim 1 ms)",
        ours.saturating_sub(theirs)
    );
    servers.close().await;
}

/// A line of this process's status, in kilobytes.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|one| one.strip_prefix(line)).unwrap();
    found.split_whitespace().next().unwrap().parse().unwrap()
}

async fn large() {
    let servers = Servers::one(program(command()));
    servers.text("x", json!({"bytes": 5})).await;
    // The highest mark begins again.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmHWM:");
    let began = Instant::now();
    let result = servers.call("x", json!({"bytes": LARGE})).await;
    let took = began.elapsed();
    assert!(result.notes[0].contains(&LARGE.to_string()), "{:?}", result.notes);
    let more = memory("VmHWM:").saturating_sub(before) / 1_024;
    println!("a result of {LARGE} bytes, spooled: {more} MB more memory at most (aim 16 MB), {took:?}");
    servers.close().await;
}

/// The program with ten configured servers, and with none.
fn starts() {
    let folder = tempfile::tempdir().unwrap();
    let homes = [0, 10].map(|count| {
        let home = folder.path().join(count.to_string());
        std::fs::create_dir(&home).unwrap();
        let mut config = String::new();
        for number in 0..count {
            write!(
                config,
                "[tools.server{number}]\ncommand = [\"touch\", \"started\"]\napprove = {{ \"read_*\" = \"never\" }}\n"
            )
            .unwrap();
        }
        std::fs::write(home.join("config.toml"), config).unwrap();
        home
    });
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (home, times) in homes.iter().zip(&mut times) {
            let mut stepwell = Command::new(env!("CARGO_BIN_EXE_stepwell"));
            stepwell.arg("models").env("STEPWELL_HOME", home).current_dir(home).stdout(Stdio::null());
            let began = Instant::now();
            assert!(stepwell.status().unwrap().success());
            times.push(began.elapsed());
        }
        assert!(!homes[1].join("started").exists(), "a server was started");
    }
    let [none, ten] = times.map(median);
    println!("a command with no configured server: {none:?}; with ten: {ten:?} (aim: the same)");
}
