//! JavaScript inside the binary: `QuickJS` with chosen built-ins, limits, and places in every error.
//!
//! A script has no file, network, clock or randomness of its own. Time and random numbers come from the session, dates
//! know UTC only, and what the language offers to watch memory being freed is left out.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rquickjs::context::EvalOptions;
use rquickjs::context::intrinsic::{
    Date, Eval, Json, MapSet, Promise as Promises, Proxy, RegExp, RegExpCompiler, TypedArrays,
};
use rquickjs::function::Rest;
use rquickjs::{Context, Ctx, Exception, Function, Module, Object, Promise, Runtime, Value as Js};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use super::convert::{text, to_js, to_json};
use super::modules::Sources;
use super::session::broken;
use super::transport::{CallResult, CodeState, Opening, Request, Said, Transport, Turn};
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;

pub const MOST_MEMORY: usize = 64 << 20;
pub const MOST_STACK: usize = 256 << 10;
/// Circles among values are first looked for when so much is in use: most scripts never get there.
const UNSEARCHED: usize = 16 << 20;
/// Computing between two results, in milliseconds of processor time.
pub const MOST_CPU: u64 = 300;
/// What a script logs is read so far; a flood costs nothing.
const MOST_LINES: usize = 1_001;
const LONGEST_LINE: usize = 16_000;

/// Runs a script.
pub struct JavaScript {
    entry: String,
    sources: Sources,
    watch: Watch,
    machine: Option<Machine>,
}

/// A context with the script in it.
struct Machine {
    context: Context,
    runtime: Runtime,
    shared: Shared,
    watch: Watch,
    sources: Sources,
    entry: String,
}

/// What the functions that a script calls leave for the session.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Outbox>>);

#[derive(Default)]
struct Outbox {
    said: Vec<Said>,
    ended: Option<CodeState>,
    tickets: u32,
    lines: usize,
    now: i64,
    saw_clock: bool,
    seed: String,
    drawn: u64,
    /// Rejected promises that nobody handles: which, and what it says.
    unhandled: Vec<(u64, String)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// The next of the run's random numbers, as 64 hex digits.
    fn draw(&mut self) -> String {
        self.drawn += 1;
        Fingerprint::of_bytes(format!("{}:{}", self.seed, self.drawn).as_bytes()).to_string()
    }

    fn random(&mut self) -> f64 {
        // 52 bits, as many as a double holds evenly between 0 and 1.
        let bits = u64::from_str_radix(&self.draw()[..13], 16).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "52 bits fit")]
        let random = bits as f64 / 4_503_599_627_370_496.0;
        random
    }

    fn uuid(&mut self) -> String {
        let hex = self.draw();
        let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16]) % 4];
        format!("{}-{}-4{}-{variant}{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}

/// Ends what computes too long.
#[derive(Clone, Default)]
pub struct Watch {
    until: Arc<AtomicU64>,
    fired: Arc<AtomicBool>,
    /// Nobody waits for it.
    stopped: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
}

/// Nobody has looked at the time yet: most turns end before they are interrupted once, and the clock is not free.
const NOT_LOOKED: u64 = u64::MAX;

impl Watch {
    fn begin(&self) {
        self.until.store(NOT_LOOKED, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Which turn the script is at: another number is another turn.
    pub fn turn(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// The script ends where it can be interrupted next.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            self.fired.store(true, Ordering::Relaxed);
            return true;
        }
        let now = cpu_time();
        let until = self.until.load(Ordering::Relaxed);
        if until == NOT_LOOKED {
            self.until.store(now + MOST_CPU, Ordering::Relaxed);
            return false;
        }
        let over = now > until;
        if over {
            self.fired.store(true, Ordering::Relaxed);
        }
        over
    }
}

/// The processor time of this thread, in milliseconds: what else the machine does is not counted.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec * 1_000 + time.tv_nsec / 1_000_000).unwrap_or_default()
}

pub type BuiltIns = (Date, Eval, RegExpCompiler, RegExp, Json, Proxy, MapSet, TypedArrays, Promises);

impl JavaScript {
    /// The script `entry` among `sources`.
    #[must_use]
    pub fn new(entry: &str, sources: &BTreeMap<String, String>, watch: Watch) -> Self {
        Self { entry: entry.to_owned(), sources: Sources::new(sources), watch, machine: None }
    }
}

impl Transport for JavaScript {
    fn start(&mut self, opening: &Opening) -> Turn {
        self.machine = None;
        self.watch.fired.store(false, Ordering::Relaxed);
        match Machine::new(&self.entry, &self.sources, &self.watch, opening) {
            Ok(machine) => {
                let turn = machine.turn(|ctx| machine.begin(ctx, opening));
                self.machine = Some(machine);
                turn
            }
            Err(error) => Turn::failed(broken(format!("the script cannot be started: {error}"))),
        }
    }

    fn settle(&mut self, ticket: &Value, settled: &CallResult<'_>, now: i64) -> Turn {
        let Some(machine) = &self.machine else { return Turn::failed(broken("the script is not under way")) };
        machine.shared.lock().now = now;
        machine.turn(|ctx| settle(ctx, ticket, settled))
    }

    fn rest(&mut self) -> bool {
        false
    }

    fn origin(&self) -> String {
        self.sources.find(&self.entry, "export default").unwrap_or_else(|| format!("{}:1:1", self.entry))
    }
}

fn settle(ctx: &Ctx<'_>, ticket: &Value, settled: &CallResult<'_>) -> rquickjs::Result<()> {
    let settle = ctx.userdata::<Function<'_>>().map(|settle| settle.clone());
    let settle = settle.ok_or_else(|| Exception::throw_internal(ctx, "the script is not under way"))?;
    let ticket = ticket.as_u64().and_then(|ticket| u32::try_from(ticket).ok()).unwrap_or_default();
    match settled {
        CallResult::Output(output) => {
            let none = Js::new_undefined(ctx.clone());
            settle.call((ticket, none.clone(), none.clone(), none, to_js(ctx, output)?))
        }
        CallResult::Failed { key, failure } => {
            settle.call((ticket, key.as_str(), failure.class.name(), failure.message.as_str()))
        }
    }
}

fn bridge<'js>(ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let bridge = ctx.userdata::<Object<'_>>().map(|bridge| bridge.clone());
    bridge.ok_or_else(|| Exception::throw_internal(ctx, "the script is not under way"))
}

impl Machine {
    fn new(entry: &str, sources: &Sources, watch: &Watch, opening: &Opening) -> rquickjs::Result<Self> {
        let runtime = Runtime::new()?;
        runtime.set_memory_limit(MOST_MEMORY);
        runtime.set_max_stack_size(MOST_STACK);
        runtime.set_gc_threshold(UNSEARCHED);
        let sources = sources.clone();
        runtime.set_loader(sources.clone(), sources.clone());
        let watched = watch.clone();
        runtime.set_interrupt_handler(Some(Box::new(move || watched.is_over())));
        let shared = Shared::default();
        {
            let mut outbox = shared.lock();
            outbox.now = opening.now;
            outbox.seed.clone_from(&opening.seed);
        }
        let (tracked, at) = (shared.clone(), sources.clone());
        runtime.set_host_promise_rejection_tracker(Some(Box::new(move |_, promise, reason, handled| {
            let mut hasher = DefaultHasher::new();
            promise.hash(&mut hasher);
            let id = hasher.finish();
            let said = (!handled).then(|| describe(&reason, &at));
            let mut outbox = tracked.lock();
            match said {
                Some(said) => outbox.unhandled.push((id, said)),
                None => outbox.unhandled.retain(|(rejected, _)| *rejected != id),
            }
        })));
        let context = Context::custom::<BuiltIns>(&runtime)?;
        watch.begin();
        context.with(|ctx| {
            let mut options = EvalOptions::default();
            options.filename = Some("stepwell".to_owned());
            let prelude: Function<'_> =
                ctx.eval_with_options(include_str!("assets/prelude.js").trim_start(), options)?;
            let bridge: Object<'_> = prelude.call((host(&ctx, &shared, &sources)?,))?;
            let settle: Function<'_> = bridge.get("settle")?;
            // Nothing is stored yet, so nothing is in use.
            let _ = ctx.store_userdata(settle);
            let _ = ctx.store_userdata(bridge);
            Ok::<_, rquickjs::Error>(())
        })?;
        let watch = watch.clone();
        Ok(Self { context, runtime, shared, watch, sources, entry: entry.to_owned() })
    }

    /// Loads the script and calls its function.
    fn begin(&self, ctx: &Ctx<'_>, opening: &Opening) -> rquickjs::Result<()> {
        let Some(source) = self.sources.get(&self.entry) else {
            return Err(Exception::throw_message(ctx, "the script is not there"));
        };
        let (module, loaded) = Module::declare(ctx.clone(), self.entry.as_str(), source.as_str())?.eval()?;
        while loaded.result::<()>().is_none() && !self.watch.fired.load(Ordering::Relaxed) && ctx.execute_pending_job()
        {
        }
        let Some(loaded) = loaded.result::<()>() else {
            let at = self.sources.find(&self.entry, "await").unwrap_or_else(|| format!("{}:1:1", self.entry));
            let message = "the script waits before its function is called; nothing can be awaited there";
            self.end(CodeState::Failed(broken(self.sources.say(&at, message))));
            return Ok(());
        };
        loaded?;
        let main: Js<'_> = module.get("default").unwrap_or_else(|_| {
            ctx.catch();
            Js::new_undefined(ctx.clone())
        });
        if !main.is_function() {
            let message = "the script must `export default async function (run, inputs) { … }`";
            self.end(CodeState::Failed(broken(self.sources.say(&format!("{}:1:1", self.entry), message))));
            return Ok(());
        }
        let start: Function<'_> = bridge(ctx)?.get("start")?;
        let (inputs, about) = (to_js(ctx, &opening.inputs)?, to_js(ctx, &opening.run)?);
        start.call::<_, Promise<'_>>((main, inputs, about, to_js(ctx, &opening.state)?)).map(|_| ())
    }

    fn end(&self, state: CodeState) {
        self.shared.lock().ended.get_or_insert(state);
    }

    /// Lets the script go on until it can only wait, and says what it did.
    fn turn(&self, go_on: impl for<'js> FnOnce(&Ctx<'js>) -> rquickjs::Result<()>) -> Turn {
        self.watch.begin();
        let thrown = self.context.with(|ctx| go_on(&ctx).err().map(|error| self.thrown(&ctx, &error)));
        let mut thrown = thrown;
        while thrown.is_none() && self.shared.lock().ended.is_none() {
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => break,
                Err(job) => thrown = Some(job.0.with(|ctx| self.thrown(&ctx, &rquickjs::Error::Exception))),
            }
        }
        let mut outbox = self.shared.lock();
        let rejected = outbox.unhandled.first();
        let unhandled = rejected.map(|(_, said)| format!("{said} (a promise was rejected and nobody handled it)"));
        let mut state = outbox.ended.take().unwrap_or(CodeState::Idle);
        if let Some(said) = thrown {
            state = CodeState::Failed(broken(said));
        } else if self.watch.fired.load(Ordering::Relaxed) {
            state = CodeState::Failed(broken(self.too_long("")));
        } else if matches!(state, CodeState::Done { .. })
            && let Some(said) = &unhandled
        {
            state = CodeState::Failed(broken(said));
        }
        let saw_clock = std::mem::take(&mut outbox.saw_clock);
        Turn { said: std::mem::take(&mut outbox.said), state, saw_clock, unhandled }
    }

    /// What an exception says, with its place.
    fn thrown(&self, ctx: &Ctx<'_>, error: &rquickjs::Error) -> String {
        let value = ctx.catch();
        if self.watch.fired.load(Ordering::Relaxed) {
            return self.too_long(&stack(&value));
        }
        match self.sources.refused() {
            Some(refused) if !error.is_exception() => refused,
            _ if error.is_exception() => describe(&value, &self.sources),
            _ => self.sources.say(&format!("{}:1:1", self.entry), &error.to_string()),
        }
    }

    fn too_long(&self, stack: &str) -> String {
        let at = self.sources.place(stack).or_else(|| self.sources.find(&self.entry, "export default"));
        let at = at.unwrap_or_else(|| format!("{}:1:1", self.entry));
        let message = format!("the script computed for more than {MOST_CPU} ms without waiting for a call");
        self.sources.say(&at, &message)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What is stored in the runtime refers to the context, which could never be freed.
        self.context.with(|ctx| {
            drop(ctx.remove_userdata::<Object<'_>>());
            drop(ctx.remove_userdata::<Function<'_>>());
        });
    }
}

/// Where an error was thrown.
pub fn stack(value: &Js<'_>) -> String {
    value.as_exception().and_then(Exception::stack).unwrap_or_default()
}

/// What a thrown value says, with its place and the line there.
fn describe(value: &Js<'_>, sources: &Sources) -> String {
    let Some(error) = value.as_exception() else {
        let shown = to_json(value, "the value").map_or_else(|why| why, |value| value.to_string());
        let shown: String = shown.chars().take(200).collect();
        // A value that is no Error does not know where it was thrown.
        let at = sources.thrown().unwrap_or_default();
        return sources.say(&at, &format!("the script threw {shown}, which is no Error"));
    };
    let name: String = error.get("name").unwrap_or_else(|_| "Error".to_owned());
    let message = error.message().unwrap_or_default();
    if let Some(refused) = sources.refused().filter(|_| message.starts_with("Error resolving module")) {
        return refused;
    }
    let said = if message.is_empty() { name } else { format!("{name}: {message}") };
    match sources.place(&stack(value)) {
        Some(place) => sources.say(&place, &said),
        None => sources.say(&sources.thrown().unwrap_or_default(), &said),
    }
}

/// The failure of a call, if that is what was thrown; the place where the script asked for it is the detail. Where the call
/// itself is a mistake, the place comes first, as of any mistake in the script.
fn uncaught(value: &Js<'_>, sources: &Sources) -> Option<CodeState> {
    let error = value.as_exception()?;
    let said = |name: &str| error.get::<_, String>(name).ok();
    if said("name")? != "CallFailed" {
        return None;
    }
    let (key, class, reason) = (said("key")?, FailureClass::from_name(&said("class")?)?, said("reason")?);
    if class == FailureClass::Definition {
        return None;
    }
    let mut failure = Failure::new(class, reason);
    failure.detail = sources.place(&stack(value)).map(|place| sources.say(&place, "the script does not catch it"));
    Some(CodeState::Uncaught { key, failure })
}

/// The functions that the prelude stands on.
fn host<'js>(ctx: &Ctx<'js>, shared: &Shared, sources: &Sources) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let (outbox, at) = (shared.clone(), sources.clone());
    host.set(
        "call",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, kind: String, name: String, with: Js<'js>, options: Js<'js>, stack: Js<'js>| {
                let place = stack.as_string().map(text).and_then(|stack| at.place(&stack)).unwrap_or_default();
                let request = ask(kind, name, &with, &options, place);
                let mut request = request.map_err(|wrong| Exception::throw_type(&ctx, &wrong))?;
                let mut outbox = outbox.lock();
                let ticket = outbox.tickets;
                outbox.tickets += 1;
                request.ticket = json!(ticket);
                outbox.said.push(Said::Call(Box::new(request)));
                Ok::<_, rquickjs::Error>(ticket)
            },
        )?,
    )?;
    let outbox = shared.clone();
    host.set(
        "log",
        Function::new(ctx.clone(), move |parts: Rest<Js<'js>>| {
            if outbox.lock().lines >= MOST_LINES {
                return;
            }
            let line: Vec<String> = parts.0.iter().map(shown).collect();
            let line: String = line.join(" ").chars().take(LONGEST_LINE).collect();
            let mut outbox = outbox.lock();
            outbox.lines += 1;
            outbox.said.push(Said::Log(line));
        })?,
    )?;
    let outbox = shared.clone();
    let now = move || {
        let mut outbox = outbox.lock();
        outbox.saw_clock = true;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of any date fit")]
        let now = outbox.now as f64;
        now
    };
    host.set("now", Function::new(ctx.clone(), now)?)?;
    let outbox = shared.clone();
    host.set("random", Function::new(ctx.clone(), move || outbox.lock().random())?)?;
    let outbox = shared.clone();
    host.set("uuid", Function::new(ctx.clone(), move || outbox.lock().uuid())?)?;
    let (outbox, at) = (shared.clone(), sources.clone());
    host.set(
        "done",
        Function::new(ctx.clone(), move |value: Js<'js>, state: Js<'js>| {
            let ended = match (to_json(&value, "the result"), to_json(&state, "run.state")) {
                (Ok(value), Ok(state)) => CodeState::Done { value, state: state.as_object().cloned() },
                (Err(why), _) | (_, Err(why)) => CodeState::Failed(broken(at.returned(&why))),
            };
            outbox.lock().ended.get_or_insert(ended);
        })?,
    )?;
    let (outbox, at) = (shared.clone(), sources.clone());
    host.set(
        "threw",
        Function::new(ctx.clone(), move |error: Js<'js>| {
            let ended = uncaught(&error, &at).unwrap_or_else(|| CodeState::Failed(broken(describe(&error, &at))));
            outbox.lock().ended.get_or_insert(ended);
        })?,
    )?;
    Ok(host)
}

fn ask(kind: String, name: String, with: &Js<'_>, options: &Js<'_>, place: String) -> Result<Request, String> {
    let with = to_json(with, &format!("run.{kind}: what is handed over"))?;
    let options = match to_json(options, &format!("run.{kind}: the options"))? {
        Value::Object(options) => options,
        Value::Null => Map::new(),
        _ => return Err(format!("run.{kind}: the options must be an object such as {{ key: \"…\" }}")),
    };
    Ok(Request { ticket: Value::Null, kind, name, with, options, place })
}

/// A value as a line of the log shows it.
fn shown(value: &Js<'_>) -> String {
    if let Some(string) = value.as_string() {
        return text(string);
    }
    if let Some(error) = value.as_exception() {
        return error.message().unwrap_or_default();
    }
    to_json(value, "undefined").map_or_else(|why| why, |value| value.to_string())
}
