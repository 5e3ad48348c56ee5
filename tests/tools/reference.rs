//! The reference servers, in the versions that `docs/tools.md` names. They are fetched from npm once; where npm or the
//! network is not there, these tests say so and do nothing.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::FlockOperation;
use serde_json::{Value, json};
use stepwell::core::ports::CallOutcome;
use stepwell::core::tool::Reach;

use crate::fixture::{Servers, program, until};

const SERVERS: [(&str, &str); 2] = [
    ("@modelcontextprotocol/server-everything", "2026.8.31"),
    ("@modelcontextprotocol/server-filesystem", "2026.8.31"),
];

/// The folder of their programs; `None`: they cannot be had here.
fn servers() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reference-servers");
    std::fs::create_dir_all(&folder).unwrap();
    // One test fetches them, the others wait for it.
    let lock = File::create(folder.join("lock")).unwrap();
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).unwrap();
    let programs = folder.join("node_modules/.bin");
    let wanted = SERVERS.map(|(name, version)| format!("{name}@{version}"));
    let fetched = folder.join("fetched");
    if std::fs::read_to_string(&fetched).is_ok_and(|text| text == wanted.join("\n")) {
        return Some(programs);
    }
    let mut npm = Command::new("npm");
    // Where there is no network, that is soon known.
    let quick = ["--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000"];
    npm.args(["install", "--no-audit", "--no-fund", "--silent"]).args(quick).arg("--prefix").arg(&folder).args(&wanted);
    match npm.stdin(Stdio::null()).output() {
        Ok(done) if done.status.success() => {
            std::fs::write(&fetched, wanted.join("\n")).unwrap();
            Some(programs)
        }
        Ok(done) => skipped(&format!("npm cannot fetch them: {}", String::from_utf8_lossy(&done.stderr).trim())),
        Err(error) => skipped(&format!("there is no npm ({error})")),
    }
}

#[expect(clippy::print_stderr, reason = "what is not tried is said")]
fn skipped(why: &str) -> Option<PathBuf> {
    eprintln!("SKIPPED: the reference servers are not tried: {why}");
    None
}

fn started(name: &str, arguments: &[&str]) -> Option<Servers> {
    let program_file = servers()?.join(name).to_str().unwrap().to_owned();
    let command = std::iter::once(program_file).chain(arguments.iter().map(|word| (*word).to_owned())).collect();
    let mut server = program(command);
    let Reach::Program { env, .. } = &mut server.reach else { unreachable!() };
    env.insert("EXTRA".into(), "yes".into());
    Some(Servers::one(server))
}

#[tokio::test]
async fn everything_that_the_reference_server_does_is_understood() {
    let Some(servers) = started("mcp-server-everything", &["stdio"]) else { return };
    let tools = servers.list().await.unwrap();
    for name in ["echo", "get-structured-content", "trigger-elicitation-request"] {
        assert!(tools.contains(&format!("odd/{name}")), "{tools:?}");
    }
    assert!(!tools.iter().any(|tool| tool.contains("sampling") || tool.contains("roots")), "{tools:?}");
    assert_eq!(servers.text("echo", json!({"message": "hi"})).await, "Echo: hi");
    let weather = servers.call("get-structured-content", json!({"location": "New York"})).await.output;
    assert!(weather["temperature"].is_number(), "{weather}");
    let image = servers.call("get-tiny-image", json!({})).await;
    assert_eq!((image.images.len(), image.images[0].media_type.as_str()), (1, "image/png"));
    let links = servers.text("get-resource-links", json!({"count": 2})).await;
    assert!(links.contains("demo://resource/dynamic/"), "{links}");
    let resource = servers.text("get-resource-reference", json!({"resourceType": "Text", "resourceId": 1})).await;
    assert!(resource.contains("This is a plaintext resource"), "{resource}");
    servers.text("trigger-long-running-operation", json!({"duration": 0.2, "steps": 2})).await;
    assert_eq!(servers.progress(), ["1/2", "2/2"]);
    let environment: Value = serde_json::from_str(&servers.text("get-env", json!({})).await).unwrap();
    assert!(environment["EXTRA"] == "yes" && environment.get("CARGO_MANIFEST_DIR").is_none(), "{environment}");
    let wrong = servers.call("get-sum", json!({"a": "x"})).await;
    assert!(wrong.is_error && wrong.output.as_str().unwrap().contains("-32602"), "{wrong:?}");
    servers.close().await;
}

#[tokio::test]
async fn a_question_of_the_reference_server_is_a_form() {
    let Some(servers) = started("mcp-server-everything", &["stdio"]) else { return };
    *servers.answers.lock().unwrap() = vec![json!({"action": "accept", "name": "Ada", "email": "ada@example.org"})];
    let said = servers.text("trigger-elicitation-request", json!({})).await;
    assert!(said.contains("Ada") && said.contains("\"action\": \"accept\""), "{said}");
    *servers.answers.lock().unwrap() = vec![json!({"action": "decline"})];
    let said = servers.text("trigger-elicitation-request", json!({})).await;
    assert!(said.contains("\"action\": \"decline\""), "{said}");
    servers.close().await;
}

#[tokio::test]
async fn the_file_server_reads_and_writes_in_its_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("a.txt"), "hello\n").unwrap();
    let shared = shared.canonicalize().unwrap();
    let Some(servers) = started("mcp-server-filesystem", &[shared.to_str().unwrap()]) else { return };
    let path = |name: &str| shared.join(name).to_str().unwrap().to_owned();
    let read = servers.call("read_text_file", json!({"path": path("a.txt")})).await;
    assert_eq!(read.output, json!({"content": "hello\n"}));
    servers.call("write_file", json!({"path": path("b.txt"), "content": "mine"})).await;
    assert_eq!(std::fs::read_to_string(shared.join("b.txt")).unwrap(), "mine");
    let outside = servers.call("read_text_file", json!({"path": "/etc/passwd"})).await;
    assert!(outside.is_error && outside.output.as_str().unwrap().contains("Access denied"), "{outside:?}");
    servers.close().await;
    let Some(servers) = started("mcp-server-filesystem", &["/no/such/folder"]) else { return };
    let failure = servers.list().await.unwrap_err();
    assert!(failure.message.contains("ended with exit code 1 before it was ready"), "{failure}");
    assert!(failure.detail.unwrap().contains("/no/such/folder"));
}

#[tokio::test]
async fn a_stopped_operation_of_the_reference_server_ends_here_at_once() {
    let Some(servers) = started("mcp-server-everything", &["stdio"]) else { return };
    let stops = async {
        until("the first step", || !servers.progress().is_empty()).await;
        servers.cancel.cancel();
    };
    let arguments = json!({"duration": 600, "steps": 6_000});
    let (outcome, ()) = tokio::join!(servers.outcome("odd/trigger-long-running-operation", arguments, None), stops);
    assert_eq!(outcome, CallOutcome::Cancelled { in_doubt: true });
    let servers = servers.not_stopped();
    assert_eq!(servers.text("echo", json!({"message": "still there"})).await, "Echo: still there");
    servers.close().await;
}

/// The reference server listens on all addresses, so it and whoever asks it are in a network of their own.
#[test]
fn the_reference_server_is_spoken_to_over_http() {
    let Some(programs) = servers() else { return };
    let home = tempfile::tempdir().unwrap();
    let config = "[tools.every]\nurl = \"http://127.0.0.1:18400/mcp\"\n";
    std::fs::write(home.path().join("config.toml"), config).unwrap();
    let script = r#"
        ip link set lo up || exit 77
        PORT=18400 "$SERVERS/mcp-server-everything" streamableHttp >/dev/null 2>&1 &
        server=$!
        # It is there once it answers.
        until "$STEPWELL" tools every >/dev/null 2>&1; do kill -0 $server || exit 1; sleep 0.05; done
        "$STEPWELL" tools call every/echo -a message=hi --yes &&
        "$STEPWELL" tools call every/trigger-long-running-operation -a duration=0.2 -a steps=2 --yes &&
        "$STEPWELL" tools call every/get-structured-content -a location=Chicago --yes --json
        done=$?
        kill $server
        exit $done
    "#;
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", script]).env("SERVERS", &programs).env("STEPWELL_HOME", home.path());
    command.env("STEPWELL", env!("CARGO_BIN_EXE_stepwell")).stdin(Stdio::null());
    let done = match command.output() {
        Ok(done) => done,
        Err(error) => return drop(skipped(&format!("there is no `unshare` ({error})"))),
    };
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.code() == Some(77) || err.contains("unshare failed") {
        return drop(skipped(&format!("there is no network of one's own here: {err}")));
    }
    assert!(done.status.success(), "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "Echo: hi");
    assert!(err.contains("1/2") && err.contains("2/2"), "{err}");
    let weather: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert!(weather["output"]["temperature"].is_number(), "{weather}");
}
