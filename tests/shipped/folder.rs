//! The tools that `explore_folder` brings along: they see the folder that the run was started in, and nothing outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell::core::id::RunId;
use stepwell::core::kept_files::KeptFiles;
use stepwell::core::ports::{AttemptContext, CallOutcome, Executor as _, ToolCallRequest, ToolScope};
use stepwell::core::settings::Settings;
use stepwell::core::tool::{CallReturn, DeclaredTool, OfferedTools};
use stepwell::models::{LanguageModels, Pace, Surroundings};
use stepwell::steps::Steps;
use stepwell::store::StateFolder;
use tokio_util::sync::CancellationToken;

use super::{NoSecrets, shipped};

fn steps() -> Steps {
    let models = LanguageModels::new(Settings::default(), Surroundings::real(Pace::Instant));
    Steps::new(Arc::new(models), Arc::new(NoSecrets), BTreeMap::new())
}

/// What a tool of the task gives, or why it gives nothing.
async fn call(folder: &Path, tool: &str, arguments: Value) -> Result<String, String> {
    let task = shipped("explore_folder");
    let DeclaredTool::Own(own) = &task.tools[tool] else { panic!("{tool} is no server") };
    let request = ToolCallRequest {
        run: RunId::new(0, [1; 10]),
        key: "reply[0]".parse().unwrap(),
        attempt: 1,
        call: "1.0".parse().unwrap(),
        tool: tool.to_owned(),
        arguments: Arc::new(arguments),
        own: Some(own.clone()),
        scope: ToolScope { cwd: folder.to_owned(), ..ToolScope::default() },
        files: KeptFiles::default(),
        timeout: None,
    };
    let context = AttemptContext {
        deltas: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
        ask: Arc::new(|_| Box::pin(async { Value::Null })),
        spool: Arc::new(StateFolder::new(folder.join(".spool"))),
        may_spend: Arc::new(|_, _| true),
        began: Arc::new(|_| {}),
    };
    match steps().call_tool(request, context).await {
        CallOutcome::Known(CallReturn::Returned { output, .. }) => match &*output {
            Value::String(text) => Ok(text.clone()),
            value => Ok(value.to_string()),
        },
        CallOutcome::Known(CallReturn::Failed { error }) => Err(error.message),
        other => panic!("{other:?}"),
    }
}

fn folder() -> tempfile::TempDir {
    let all = tempfile::tempdir().unwrap();
    let at = |name: &str| all.path().join(name);
    fs::create_dir_all(at("here/src")).unwrap();
    fs::write(at("here/src/main.rs"), "fn main() {\n    run();\n}\n").unwrap();
    fs::write(at("here/.env"), "KEY=hidden-value").unwrap();
    fs::write(at("here/picture"), [0_u8, 1, 2]).unwrap();
    fs::write(at("here/long"), "line\n".repeat(1_000)).unwrap();
    fs::write(at("outside.txt"), "outside-value").unwrap();
    symlink(at("outside.txt"), at("here/link.txt")).unwrap();
    symlink(all.path(), at("here/up")).unwrap();
    symlink(at("here/src"), at("here/inner")).unwrap();
    all
}

#[tokio::test]
async fn it_lists_and_reads_what_is_in_the_folder() {
    let all = folder();
    let here = all.path().join("here");
    assert_eq!(call(&here, "list", json!({})).await.unwrap(), "inner/\nlong  5000\npicture  3\nsrc/");
    assert_eq!(call(&here, "list", json!({ "path": "src" })).await.unwrap(), "main.rs  25");
    let whole = call(&here, "read", json!({ "path": "./src/main.rs" })).await.unwrap();
    assert_eq!(whole, "1: fn main() {\n2:     run();\n3: }");
    let part = call(&here, "read", json!({ "path": "long", "from": 10, "lines": 2 })).await.unwrap();
    assert_eq!(part, "10: line\n11: line\n(the file goes on at line 12)");
    assert_eq!(call(&here, "read", json!({ "path": "inner/main.rs", "lines": 1, "from": 3 })).await.unwrap(), "3: }");
}

#[tokio::test]
async fn it_leaves_alone_what_is_outside_and_what_is_hidden() {
    let all = folder();
    let here = all.path().join("here");
    let outside = all.path().join("outside.txt").display().to_string();
    for path in [
        "../outside.txt",
        "src/../../outside.txt",
        &outside,
        "link.txt",
        "up/outside.txt",
        "/etc/hostname",
        "up/here/../outside.txt",
    ] {
        let refused = call(&here, "read", json!({ "path": path })).await.unwrap_err();
        assert!(
            refused.contains("is not inside the folder") && !refused.contains("outside-value"),
            "{path}: {refused}"
        );
    }
    for path in ["..", "up", "/", "src/../.."] {
        let refused = call(&here, "list", json!({ "path": path })).await.unwrap_err();
        assert!(refused.contains("is not inside the folder"), "{path}: {refused}");
    }
    for path in [".env", "src/../.env", "up/here/.env"] {
        let refused = call(&here, "read", json!({ "path": path })).await.unwrap_err();
        assert!(refused.contains("is hidden"), "{path}: {refused}");
    }
    assert!(call(&here, "read", json!({ "path": "picture" })).await.unwrap_err().contains("is no text"));
    assert!(call(&here, "read", json!({ "path": "nowhere" })).await.unwrap_err().contains("there is no file nowhere"));
    assert!(call(&here, "read", json!({ "path": "." })).await.unwrap_err().contains("is a folder"));
    assert!(call(&here, "list", json!({ "path": "long" })).await.unwrap_err().contains("is no folder"));
}

#[test]
fn its_model_may_call_both_and_nobody_is_asked() {
    let task = shipped("explore_folder");
    let stepwell::core::task::Body::Instruct(instruct) = &task.body else { panic!() };
    let offered = OfferedTools::of(&instruct.tools, instruct.max_turns, None, &task.tools).unwrap();
    assert_eq!(offered.own.keys().collect::<Vec<_>>(), ["list", "read"]);
    assert!(offered.own.values().all(|own| own.rules().approve.is_never() && own.idempotent));
}
