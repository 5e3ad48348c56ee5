//! When servers begin and end, and what is said of those that do not do as they should.

use std::time::Duration;

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::ports::ToolServers as _;

use crate::fixture::{PATIENCE, Servers, lives, odd, program, until};

fn started(servers: &Servers) -> usize {
    std::fs::read_to_string(servers.path("mark")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_server_is_started_when_it_is_first_needed_and_once() {
    let servers = Servers::one(odd(&["mark=mark"]));
    assert_eq!(started(&servers), 0);
    let (a, b) = tokio::join!(servers.text("pid", json!({})), servers.text("pid", json!({})));
    assert_eq!((&a, started(&servers)), (&b, 1));
    servers.list().await.unwrap();
    assert_eq!(started(&servers), 1);
    assert!(lives(&a));
    servers.close().await;
    assert!(!lives(&a));
    let (failure, _) = servers.failure("pid", json!({})).await;
    assert!(failure.message.contains("ended with Stepwell"), "{failure}");
}

#[tokio::test]
async fn a_server_that_does_not_end_is_made_to_with_all_that_it_started() {
    let servers = Servers::one(odd(&["stubborn", "child=child"]));
    let pid = servers.text("pid", json!({})).await;
    let child = std::fs::read_to_string(servers.path("child")).unwrap();
    assert!(lives(&pid) && lives(&child));
    servers.close().await;
    assert!(!lives(&pid));
    until("the end of what it started", || !lives(&child)).await;
}

#[tokio::test]
async fn what_a_server_started_ends_with_it_also_when_nobody_closes_it() {
    let (pid, child) = {
        let servers = Servers::one(odd(&["child=child"]));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ids = std::thread::scope(|scope| {
            let call = || runtime.block_on(servers.text("pid", json!({})));
            let pid = scope.spawn(call).join().unwrap();
            (pid, std::fs::read_to_string(servers.path("child")).unwrap())
        });
        runtime.shutdown_background();
        ids
    };
    until("its end", || !lives(&pid) && !lives(&child)).await;
}

#[tokio::test]
async fn a_server_that_dies_in_a_call_leaves_it_in_doubt_and_is_started_again_three_times() {
    let servers = Servers::one(odd(&["mark=mark"]));
    for starts in 1..=4 {
        let (failure, in_doubt) = servers.failure("die", json!({})).await;
        assert!(in_doubt && failure.class == FailureClass::Tool, "{failure}");
        let said = "the server `odd` ended with exit code 7 in the middle of `odd/die`: out of memory";
        assert_eq!((failure.message.as_str(), started(&servers)), (said, starts));
    }
    for _ in 0..2 {
        let (failure, in_doubt) = servers.failure("die", json!({})).await;
        let says = "ended with exit code 7, the last of 4 times in a row; retry to start it again: out of memory";
        assert!(!in_doubt && failure.message.contains(says), "{failure}");
        assert_eq!(started(&servers), 4);
    }
    servers.mcp.ask_again();
    assert!(servers.failure("die", json!({})).await.1, "a person asked again");
    assert_eq!(started(&servers), 5);
}

#[tokio::test]
async fn a_server_that_works_in_between_is_started_again_as_often_as_it_is_needed() {
    let servers = Servers::one(odd(&["mark=mark"]));
    for starts in 1..=6 {
        assert!(servers.failure("die", json!({})).await.1);
        assert_eq!(servers.text("echo", json!({"text": "here"})).await, "here");
        assert_eq!(started(&servers), starts + 1);
    }
    servers.close().await;
}

#[tokio::test]
async fn a_program_that_is_installed_after_it_was_not_found_is_started() {
    let servers = Servers::one(program(vec!["./server".into()]));
    for _ in 0..5 {
        let (failure, _) = servers.failure("echo", json!({"text": "x"})).await;
        assert!(failure.message.contains("`./server` was not found; install it"), "{failure}");
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/server.py");
    let script = format!("#!/bin/sh\nexec python3 {} stdio\n", script.display());
    std::fs::write(servers.path("server"), script).unwrap();
    let runnable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(servers.path("server"), runnable).unwrap();
    assert_eq!(servers.text("echo", json!({"text": "installed"})).await, "installed");
    servers.close().await;
}

#[tokio::test]
async fn a_server_is_started_again_when_the_one_before_has_ended() {
    let servers = Servers::one(odd(&["lock=lock", "lingers"]));
    let lost_and_again = async |tool: &str| {
        let (failure, in_doubt) = servers.failure(tool, json!({})).await;
        assert!(in_doubt && failure.message.contains("closed its stdout"), "{failure}");
        servers.text("echo", json!({"text": "again"})).await
    };
    let (one, other) = tokio::join!(lost_and_again("never"), lost_and_again("mute"));
    assert_eq!((one.as_str(), other.as_str()), ("again", "again"));
    servers.close().await;
}

#[tokio::test]
async fn a_server_that_recovers_answers_again() {
    let servers = Servers::one(odd(&[]));
    let mark = servers.path("crashed").to_str().unwrap().to_owned();
    let (failure, in_doubt) = servers.failure("crash_once", json!({"mark": mark})).await;
    assert!(in_doubt, "{failure}");
    assert_eq!(servers.text("crash_once", json!({"mark": mark})).await, "recovered");
    servers.close().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why_with_what_it_said() {
    let say = async |server| {
        let failure = Servers::one(server).list().await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Tool);
        failure
    };
    let failure = say(odd(&["dies=no licence"])).await;
    assert_eq!(failure.message, "the server `odd` ended with exit code 3 before it was ready: no licence");
    let long = format!("dies={}", "a long story\n".repeat(30));
    let failure = say(odd(&[&long])).await;
    assert_eq!(failure.message, "the server `odd` ended with exit code 3 before it was ready");
    assert!(failure.detail.unwrap().ends_with("a long story"));
    let failure = say(program(vec!["no-such-program-anywhere".into()])).await;
    assert!(failure.message.contains("`no-such-program-anywhere` was not found; install it"), "{failure}");
    let failure = say(odd(&["version=2099-01-01"])).await;
    assert!(
        failure.message.contains("speaks version `2099-01-01`") && failure.message.contains("2025-11-25"),
        "{failure}"
    );
    let mut away = odd(&[]);
    let stepwell::core::tool::Reach::Program { cwd, .. } = &mut away.reach else { unreachable!() };
    *cwd = Some("nowhere".into());
    assert!(say(away).await.message.contains("nowhere does not exist; see its `cwd`"));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let servers = Servers::with_patience([("odd", odd(&["deaf", "mark=mark"]))], Duration::from_millis(500));
    let failure = servers.list().await.unwrap_err();
    assert!(failure.message.contains("does not answer: it was not ready within 500ms"), "{failure}");
    until("its end", || {
        let started = std::fs::read_to_string(servers.path("mark")).unwrap_or_default();
        started.lines().all(|pid| !lives(pid))
    })
    .await;
}

#[tokio::test]
async fn rubbish_on_stdout_is_passed_over_and_shown_when_the_server_fails() {
    let servers = Servers::one(odd(&["rubbish"]));
    assert_eq!(servers.text("echo", json!({"text": "heard"})).await, "heard");
    assert!(servers.list().await.unwrap().len() > 15);
    let (failure, _) = servers.failure("die", json!({})).await;
    let detail = failure.detail.unwrap();
    for says in
        ["debug: hello", "out of memory", "on stdout, where only messages belong:", "Odd server, listening on stdin"]
    {
        assert!(detail.contains(says), "{detail}");
    }
    // A program that is no server at all.
    let servers = Servers::with_patience(
        [("odd", program(vec!["sh".into(), "-c".into(), "echo hello; cat > /dev/null".into()]))],
        Duration::from_millis(500),
    );
    let failure = servers.list().await.unwrap_err();
    assert!(failure.message.contains("does not answer") && failure.detail.unwrap().contains("hello"));
}

#[tokio::test]
async fn a_server_that_lives_and_says_nothing_more_is_ended() {
    let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}"#;
    let script = format!("echo $$ > pid; read a; echo '{hello}'; read b; read c; exec 1>&-; exec sleep 1000");
    let servers = Servers::one(program(vec!["sh".into(), "-c".into(), script]));
    let (failure, in_doubt) = servers.failure("x", json!({})).await;
    assert!(in_doubt && failure.message.contains("closed its stdout in the middle of `odd/x`"), "{failure}");
    let pid = std::fs::read_to_string(servers.path("pid")).unwrap();
    until("its end", || !lives(&pid)).await;
}

#[tokio::test]
async fn stdout_without_end_fails_the_server_and_not_the_program() {
    let servers = Servers::one(odd(&["flood=300000000"]));
    let failure = servers.list().await.unwrap_err();
    assert!(failure.message.contains("it sent a message of more than 269484032 bytes"), "{failure}");
}

#[tokio::test]
async fn each_folder_and_each_environment_has_an_instance_of_its_own() {
    let servers = Servers::with_patience([("odd", odd(&[])), ("even", odd(&[]))], PATIENCE);
    let other = tempfile::tempdir().unwrap();
    let pid = async |tool: &str, cwd: &std::path::Path| {
        let call = stepwell::core::ports::ServerCall {
            scope: stepwell::core::ports::ToolScope { cwd: cwd.to_owned(), ..servers.scope() },
            tool: tool.to_owned(),
            arguments: json!({}),
            timeout: None,
            run: stepwell::core::id::RunId::new(0, [1; 10]),
            spool_name: "call".to_owned(),
        };
        format!("{:?}", servers.mcp.call(call, servers.context()).await)
    };
    let here = servers.folder.path();
    let pids = [pid("odd/pid", here).await, pid("odd/pid", other.path()).await, pid("even/pid", here).await];
    assert_eq!(pid("odd/pid", here).await, pids[0]);
    assert!(pids[0] != pids[1] && pids[0] != pids[2] && pids[1] != pids[2], "{pids:?}");
    servers.close().await;
}
