//! What stands in for the world in tests of the engine: a clock, secrets, and steps, models and tools that do as a script says.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stepwell::core::event::Measured;
use stepwell::core::failure::Failure;
use stepwell::core::id::RunId;
use stepwell::core::model::{Delta, Finish};
use stepwell::core::ports::{
    AttemptContext, AttemptOutcome, AttemptRequest, BoxFuture, CallOutcome, Clock, Executor, Secrets, ToolCallRequest,
    ToolScope, Transcript,
};
use stepwell::core::secret::{Redactor, Secret, SecretRef};
use stepwell::core::text::Untrusted;
use stepwell::core::tool::{
    AskedCall, CallReturn, FinishedTurn, OfferedTools, OwnTool, Pattern, ToolApproval, ToolHints, ToolRules, ToolSpec,
};
use stepwell::core::tool_call::ToolCallId;
use stepwell::core::usage::Usage;
use stepwell::core::work::Work;

/// The real time and how far it was set ahead, in milliseconds, and random bytes that count up.
#[derive(Default)]
pub struct TestClock {
    ahead: AtomicI64,
    count: AtomicU8,
    looks: AtomicUsize,
}

impl TestClock {
    /// Sets it ahead: whoever sleeps does not notice.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn set_back(&self, by: Duration) {
        self.ahead.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// How often it was looked at.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Utc::now() + chrono::TimeDelta::milliseconds(self.ahead.load(Ordering::SeqCst))
    }
    fn random(&self) -> [u8; 10] {
        let mut bytes = [7; 10];
        bytes[9] = self.count.fetch_add(1, Ordering::Relaxed);
        bytes[8] = std::process::id().to_le_bytes()[0];
        bytes
    }
}

#[derive(Default)]
pub(super) struct NoSecrets(Mutex<Vec<String>>);

impl Secrets for NoSecrets {
    fn resolve(&self, _: RunId, name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure> {
        let typed = self.0.lock().unwrap().contains(&name.to_owned());
        Ok((typed || *reference != SecretRef::Typed).then(|| Secret::new("value")))
    }
    fn provide(&self, _: RunId, name: &str, _: Secret) {
        self.0.lock().unwrap().push(name.to_owned());
    }
    fn redactor(&self) -> Redactor {
        Redactor::default()
    }
}

type Script = dyn Fn(&AttemptRequest) -> Act + Send + Sync;

/// What a performed attempt does.
pub enum Act {
    Say(Value),
    Fail(Failure),
    /// Says this as far as the limit of tokens goes.
    Cut(&'static str),
    /// Says this, and what is wrong with it.
    Unfit(Value, &'static str),
    Doubt,
    /// Streams this and hangs until it is cancelled.
    Hang(&'static str),
    /// The same, and takes its time to end.
    Linger(&'static str, Duration),
    /// Asks the person and gives the answer as its output.
    Ask(Value),
    /// Says this once it is let go, whoever cancels it.
    Finish(Arc<tokio::sync::Notify>, Value),
    /// The model calls these tools, with these arguments.
    Calls(Vec<(&'static str, Value)>),
    /// The same, once it is let go.
    CallsOnce(Arc<tokio::sync::Notify>, Vec<(&'static str, Value)>),
}

/// What a tool does that is called.
pub enum ToolAct {
    Return(Value),
    Fail(&'static str),
    /// Nobody knows whether it did anything.
    Doubt,
    /// Hangs until it is stopped; whether it had begun by then.
    Hang(bool),
    /// Returns this once it is let go, whoever stops it.
    Finish(Arc<tokio::sync::Notify>, Value),
    /// Asks the person these forms, one after the other, and returns what they say.
    Ask(Vec<Value>),
    /// Starts a program that goes on by itself, and hangs.
    Leaves(Arc<tokio::sync::Notify>, Arc<Mutex<Option<std::process::Child>>>),
}

type ToolScript = dyn Fn(&ToolCallRequest) -> ToolAct + Send + Sync;

/// The tools that there are, and what was called of them.
pub struct FakeTools {
    script: Mutex<Box<ToolScript>>,
    specs: Mutex<Vec<ToolSpec>>,
    rules: Mutex<BTreeMap<String, ToolRules>>,
    pub called: Mutex<Vec<(String, Value)>>,
    pub lists: AtomicUsize,
    /// The author's own tools that the config declares.
    pub of_config: Mutex<BTreeMap<String, OwnTool>>,
    /// What happens elsewhere when the rules of a tool are looked up next.
    pub meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Default for FakeTools {
    fn default() -> Self {
        Self {
            script: Mutex::new(Box::new(|call| ToolAct::Return((*call.arguments).clone()))),
            specs: Mutex::default(),
            rules: Mutex::default(),
            called: Mutex::default(),
            lists: AtomicUsize::default(),
            of_config: Mutex::default(),
            meanwhile: Mutex::default(),
        }
    }
}

impl FakeTools {
    /// There is a tool, whose arguments are any object but for a `path` that is no text.
    pub fn offer(&self, tool: &str, description: &str, approve: ToolApproval, idempotent: bool) {
        let input = json!({ "type": "object", "properties": { "path": { "type": "string" } } });
        let (tool, output, hints) = (tool.to_owned(), None, ToolHints::default());
        self.rules.lock().unwrap().insert(tool.clone(), ToolRules { approve, idempotent, timeout: None });
        let mut specs = self.specs.lock().unwrap();
        specs.retain(|spec| spec.tool != tool);
        specs.push(ToolSpec { tool, description: description.into(), input, output, hints });
    }

    pub fn act(&self, script: impl Fn(&ToolCallRequest) -> ToolAct + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// What was called, and with which arguments.
    pub fn called(&self) -> Vec<(String, Value)> {
        self.called.lock().unwrap().clone()
    }
}

/// Steps that answer as told; every request is kept.
#[derive(Clone)]
pub struct FakeExecutor {
    script: Arc<Script>,
    pub tools: Arc<FakeTools>,
    pub requests: Arc<Mutex<Vec<AttemptRequest>>>,
    /// How often a person asked for something again.
    pub asked_again: Arc<std::sync::atomic::AtomicUsize>,
    /// How many requests the provider of all models takes at a time; 0: any number.
    pub places: Arc<AtomicUsize>,
}

impl FakeExecutor {
    pub(super) fn new(script: impl Fn(&AttemptRequest) -> Act + Send + Sync + 'static) -> Self {
        let (tools, requests) = (Arc::default(), Arc::default());
        Self { script: Arc::new(script), tools, requests, asked_again: Arc::default(), places: Arc::default() }
    }
}

impl Executor for FakeExecutor {
    fn ask_again(&self) {
        self.asked_again.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }

    fn execute(&self, request: AttemptRequest, context: AttemptContext) -> BoxFuture<'static, AttemptOutcome> {
        let act = (self.script)(&request);
        self.requests.lock().unwrap().push(request);
        let measured = Measured {
            usage: Usage { input_tokens: 10, output_tokens: 5, usd: 0.1, estimated: false },
            ..Measured::default()
        };
        Box::pin(async move {
            match act {
                Act::Say(output) => AttemptOutcome::Done { output, problem: None, measured },
                Act::Cut(text) => AttemptOutcome::Done {
                    output: json!(text),
                    problem: None,
                    measured: Measured { finish: Some(Finish::Length), ..measured },
                },
                Act::Unfit(output, problem) => {
                    AttemptOutcome::Done { output, problem: Some(problem.to_owned()), measured }
                }
                Act::Fail(failure) => {
                    AttemptOutcome::Failed { failure, partial: Untrusted::default(), in_doubt: false, measured }
                }
                Act::Doubt => AttemptOutcome::Failed {
                    failure: Failure::new(stepwell::core::failure::FailureClass::Timeout, "no answer"),
                    partial: Untrusted::default(),
                    in_doubt: true,
                    measured,
                },
                Act::Linger(text, time) => {
                    context.cancel.cancelled().await;
                    tokio::time::sleep(time).await;
                    AttemptOutcome::Cancelled { partial: text.into(), in_doubt: false, measured }
                }
                Act::Hang(text) => {
                    (context.deltas)(Delta::Text(text.into()));
                    context.cancel.cancelled().await;
                    AttemptOutcome::Cancelled { partial: text.into(), in_doubt: false, measured }
                }
                Act::Finish(let_go, output) => {
                    let_go.notified().await;
                    AttemptOutcome::Done { output, problem: None, measured }
                }
                Act::Calls(_) | Act::CallsOnce(..) => {
                    let calls = match act {
                        Act::CallsOnce(let_go, calls) => {
                            let_go.notified().await;
                            calls
                        }
                        Act::Calls(calls) => calls,
                        _ => Vec::new(),
                    };
                    let asked = |(tool, arguments): (&str, Value)| AskedCall {
                        call: ToolCallId { turn: 0, index: 0 },
                        tool: tool.to_owned(),
                        arguments: arguments.into(),
                    };
                    let calls = calls.into_iter().map(asked).collect();
                    let (text, opaque) = ("let me look".into(), Some(json!({ "signed": "thought" }).into()));
                    AttemptOutcome::Turn(FinishedTurn { turn: 0, text, calls, opaque, measured })
                }
                Act::Ask(fields) => AttemptOutcome::Done {
                    output: (context.ask)(fields.try_into().unwrap()).await,
                    problem: None,
                    measured,
                },
            }
        })
    }
    fn list_tools(&self, _: ToolScope, offered: OfferedTools) -> BoxFuture<'static, Result<Vec<ToolSpec>, Failure>> {
        self.tools.lists.fetch_add(1, Ordering::SeqCst);
        let named = |spec: &&ToolSpec| offered.patterns.iter().any(|it| Pattern(it.clone()).matches(&spec.tool));
        let listed: Vec<ToolSpec> = self.tools.specs.lock().unwrap().iter().filter(named).cloned().collect();
        Box::pin(async move {
            if listed.is_empty() {
                return Err(Failure::new(stepwell::core::failure::FailureClass::Tool, "the server does not answer"));
            }
            Ok(listed)
        })
    }
    fn tool_rules(&self, _: &ToolScope, tool: &str, _: Option<&OwnTool>) -> ToolRules {
        let meanwhile = self.tools.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens();
        }
        self.tools.rules.lock().unwrap().get(tool).copied().unwrap_or_default()
    }
    fn call_tool(&self, call: ToolCallRequest, context: AttemptContext) -> BoxFuture<'static, CallOutcome> {
        let act = (self.tools.script.lock().unwrap())(&call);
        self.tools.called.lock().unwrap().push((call.tool, (*call.arguments).clone()));
        let returned = |output: Value| {
            let (output, images, notes) = (output.into(), Vec::new(), Vec::new());
            CallOutcome::Known(CallReturn::Returned { output, is_error: false, images, notes })
        };
        let failure = |text: &str| Failure::new(stepwell::core::failure::FailureClass::Tool, text);
        Box::pin(async move {
            match act {
                ToolAct::Return(output) => returned(output),
                ToolAct::Fail(text) => CallOutcome::Known(CallReturn::Failed { error: failure(text) }),
                ToolAct::Doubt => CallOutcome::InDoubt(failure("no answer came")),
                ToolAct::Hang(in_doubt) => {
                    context.cancel.cancelled().await;
                    CallOutcome::Cancelled { in_doubt }
                }
                ToolAct::Finish(let_go, output) => {
                    let_go.notified().await;
                    returned(output)
                }
                ToolAct::Ask(forms) => {
                    let mut said = Vec::new();
                    for fields in forms {
                        said.push((context.ask)(fields.try_into().unwrap()).await);
                    }
                    returned(json!(said))
                }
                ToolAct::Leaves(at_work, program) => {
                    use std::os::unix::process::CommandExt as _;
                    let child = std::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
                    (context.began)(child.id());
                    *program.lock().unwrap() = Some(child);
                    at_work.notify_one();
                    context.cancel.cancelled().await;
                    CallOutcome::Cancelled { in_doubt: true }
                }
            }
        })
    }
    fn estimate(&self, work: &Work, _: Option<&Transcript>) -> Usage {
        let usd = if matches!(work, Work::Prompt(_)) { 0.1 } else { 0.0 };
        Usage { usd, ..Usage::default() }
    }
    fn spent(&self, _: &Work, so_far: Option<&Transcript>, _: &Untrusted) -> Usage {
        let turns = so_far.map_or(0, |so_far| so_far.turns.len());
        Usage { input_tokens: 1_000 * turns as u64, estimated: true, ..Usage::default() }
    }
    fn own_tool(&self, _: &ToolScope, tool: &str) -> Option<OwnTool> {
        self.tools.of_config.lock().unwrap().get(tool).cloned()
    }
    fn lane(&self, work: &Work) -> Option<(String, usize)> {
        let places = self.places.load(Ordering::SeqCst);
        (places > 0 && matches!(work, Work::Prompt(_))).then(|| ("models".to_owned(), places))
    }
    fn knows_model(&self, name: &str) -> Result<(), Failure> {
        let unknown = Failure::new(stepwell::core::failure::FailureClass::Definition, format!("no model `{name}`"));
        if name.starts_with("nobody") { Err(unknown) } else { Ok(()) }
    }
}

/// What a fake model says: the last message in capitals.
pub fn shout(request: &AttemptRequest) -> Act {
    match &*request.work {
        Work::Prompt(prompt) => Act::Say(json!(prompt.messages.last().unwrap().text.to_uppercase())),
        other => Act::Say(json!(other.kind())),
    }
}
