//! Servers, and everything that a call needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use stepwell::core::failure::Failure;
use stepwell::core::id::RunId;
use stepwell::core::model::{Delta, Image};
use stepwell::core::ports::{AttemptContext, CallOutcome, Secrets, ServerCall, ToolScope, ToolServers};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::step::Timespan;
use stepwell::core::tool::{CallReturn, DeclaredTool, DeclaredTools, Reach, ToolServer};
use stepwell::steps::clean_environment;
use stepwell::store::StateFolder;
use stepwell::tools::McpServers;
use tokio_util::sync::CancellationToken;

/// How long anything may take: far more than it takes on the busiest machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// The value of every secret but `env:NONE`, which is not set.
pub const SECRET: &str = "hunter2-value";

#[derive(Default)]
struct FakeSecrets(Mutex<Redactor>);

impl Secrets for FakeSecrets {
    fn resolve(&self, _run: RunId, _name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure> {
        if *reference == SecretRef::Env("NONE".into()) {
            let class = stepwell::core::failure::FailureClass::Auth;
            return Err(Failure::new(class, "it is in $NONE, which is not set"));
        }
        let secret = Secret::new(SECRET);
        self.0.lock().unwrap().learn(&secret);
        Ok(Some(secret))
    }

    fn provide(&self, _run: RunId, _name: &str, _value: Secret) {}

    fn redactor(&self) -> Redactor {
        self.0.lock().unwrap().clone()
    }
}

/// A server of our own over stdio, with flags of `server.py`.
pub fn odd(flags: &[&str]) -> ToolServer {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/server.py");
    let command = ["python3", script.to_str().unwrap(), "stdio"].into_iter().chain(flags.iter().copied());
    program(command.map(str::to_owned).collect())
}

pub fn program(command: Vec<String>) -> ToolServer {
    server(Reach::Program { command, env: BTreeMap::new(), cwd: None })
}

pub fn server(reach: Reach) -> ToolServer {
    let timeout = Some(Timespan(u64::try_from(PATIENCE.as_millis()).unwrap()));
    ToolServer { reach, approve: Vec::new(), idempotent: Vec::new(), timeout, sampling: false }
}

/// A result that returned.
#[derive(Debug)]
pub struct Returned {
    pub output: Value,
    pub is_error: bool,
    pub images: Vec<Image>,
    pub notes: Vec<String>,
}

pub struct Servers {
    pub folder: tempfile::TempDir,
    pub mcp: McpServers,
    pub cancel: CancellationToken,
    deltas: Arc<Mutex<Vec<Delta>>>,
    forms: Arc<Mutex<Vec<Value>>>,
    /// What the person answers, the last one again and again. They wait until there is something.
    pub answers: Arc<Mutex<Vec<Value>>>,
}

impl Servers {
    /// One server, `odd`.
    pub fn one(server: ToolServer) -> Self {
        Self::with_patience([("odd", server)], PATIENCE)
    }

    pub fn with_patience<const N: usize>(servers: [(&str, ToolServer); N], patience: Duration) -> Self {
        let declared: DeclaredTools =
            servers.into_iter().map(|(name, server)| (name.to_owned(), DeclaredTool::Server(server))).collect();
        let environment = clean_environment(BTreeMap::new());
        let servers = McpServers::with_patience(declared, Arc::new(FakeSecrets::default()), environment, patience);
        let (deltas, forms, answers) = (Arc::default(), Arc::default(), Arc::default());
        let folder = tempfile::tempdir().unwrap();
        Self { folder, mcp: servers, cancel: CancellationToken::new(), deltas, forms, answers }
    }

    /// The same, whose calls are not stopped.
    pub fn not_stopped(self) -> Self {
        Self { cancel: CancellationToken::new(), ..self }
    }

    pub fn scope(&self) -> ToolScope {
        ToolScope { cwd: self.folder.path().to_owned(), declared: Arc::default() }
    }

    pub async fn list(&self) -> Result<Vec<String>, Failure> {
        let tools = self.mcp.list(self.scope(), "odd".to_owned()).await?.tools;
        Ok(tools.into_iter().map(|spec| spec.tool).collect())
    }

    pub fn context(&self) -> AttemptContext {
        let (deltas, forms, answers) = (Arc::clone(&self.deltas), Arc::clone(&self.forms), Arc::clone(&self.answers));
        AttemptContext {
            deltas: Arc::new(move |delta| deltas.lock().unwrap().push(delta)),
            cancel: self.cancel.clone(),
            ask: Arc::new(move |form| {
                forms.lock().unwrap().push(form.into());
                let answers = Arc::clone(&answers);
                Box::pin(async move {
                    while answers.lock().unwrap().is_empty() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    let mut answers = answers.lock().unwrap();
                    if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
                })
            }),
            spool: Arc::new(StateFolder::new(self.folder.path().to_owned())),
            may_spend: Arc::new(|_, _| true),
            began: Arc::new(|_| {}),
        }
    }

    pub fn request(&self, tool: &str, arguments: Value) -> ServerCall {
        ServerCall {
            scope: self.scope(),
            tool: tool.to_owned(),
            arguments,
            timeout: None,
            run: RunId::new(0, [1; 10]),
            spool_name: "call".to_owned(),
        }
    }

    pub async fn outcome(&self, tool: &str, arguments: Value, timeout: Option<Timespan>) -> CallOutcome {
        let call = ServerCall { timeout, ..self.request(tool, arguments) };
        self.mcp.call(call, self.context()).await
    }

    /// Calls a tool of `odd`, which returns.
    pub async fn call(&self, tool: &str, arguments: Value) -> Returned {
        match self.outcome(&format!("odd/{tool}"), arguments, None).await {
            CallOutcome::Known(CallReturn::Returned { output, is_error, images, notes }) => {
                Returned { output: (*output).clone(), is_error, images, notes }
            }
            other => panic!("{other:?}"),
        }
    }

    /// Calls a tool of `odd` that returns a text.
    pub async fn text(&self, tool: &str, arguments: Value) -> String {
        self.call(tool, arguments).await.output.as_str().expect("a text").to_owned()
    }

    /// Calls a tool of `odd`, which comes to no result; whether that is in doubt.
    pub async fn failure(&self, tool: &str, arguments: Value) -> (Failure, bool) {
        match self.outcome(&format!("odd/{tool}"), arguments, None).await {
            CallOutcome::Known(CallReturn::Failed { error }) => (error, false),
            CallOutcome::InDoubt(error) => (error, true),
            other => panic!("{other:?}"),
        }
    }

    /// What was shown while calls were under way.
    pub fn progress(&self) -> Vec<String> {
        let shown = |delta: &Delta| if let Delta::Progress(text) = delta { Some(text.data().to_owned()) } else { None };
        self.deltas.lock().unwrap().iter().filter_map(shown).collect()
    }

    /// The forms that the person was shown.
    pub fn forms(&self) -> Vec<Value> {
        self.forms.lock().unwrap().clone()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn close(&self) {
        self.mcp.close().await;
    }

    /// What the server was told, one method after the other.
    pub async fn heard(&self) -> Vec<Value> {
        let heard: Value = serde_json::from_str(&self.text("heard", json!({})).await).unwrap();
        heard.as_array().unwrap().clone()
    }
}

/// Waits until it is so. What is waited for may need this thread.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let looks = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looks).await.is_ok(), "{what} never came");
}

/// Whether a process is there, and no zombie.
pub fn lives(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}
