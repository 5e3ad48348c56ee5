//! Does what the screens want of the engine, on tasks of its own; what came of it is posted as a message.
//!
//! What changes a run is done in the order in which it was wanted; what only reads is done beside it. Of searches one
//! is under way at a time, and then the newest: whoever types faster than they are found waits for one and no more.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{SetOnce, mpsc, oneshot, watch};

use super::managing::Glances;
use super::notices::Notices;
use super::waiting::Waited;
use super::watching::Watched;
use super::{Connect, Find, ListServer, Open, Parts};
use crate::app::follow::Follower;
use crate::catalog::SearchPaths;
use crate::core::decide::{Decision, newest_decision};
use crate::core::event::{InstructionScope, PauseReason};
use crate::core::id::RunId;
use crate::core::ports::{Models, Revision, RunRow};
use crate::core::run::{Run, Status};
use crate::core::settings::{Connection, Settings};
use crate::core::undo::{Change as Undoable, PastDecision};
use crate::engine::Engine;
use crate::tui::effect::{Change, Errand, Opening, Parent, Request, Ticket};
use crate::tui::message::{Message, Ready, RunChange};

/// At most so often it is told that files have changed.
const TOLD_AGAIN: Duration = Duration::from_secs(1);

/// What was made ready for the screen.
pub struct Made {
    pub ready: Ready,
    /// The run that it shows, and what follows it from now on unless it is watched already.
    pub run: Option<(Arc<Run>, Option<Follower>)>,
    /// What is said on the screen that it takes.
    pub says: Option<String>,
}

impl From<Ready> for Made {
    fn from(ready: Ready) -> Self {
        Self { ready, run: None, says: None }
    }
}

/// What was opened.
pub struct Services {
    pub engine: Engine,
    pub models: Arc<dyn Models>,
}

/// What is done one after the other.
enum Asked {
    Change(Box<Change>),
    /// Said when all before it is done.
    Fence(oneshot::Sender<()>),
}

/// The backend. Cheap to clone.
#[derive(Clone)]
pub struct Backend(Arc<Inner>);

pub struct Inner {
    pub search_paths: SearchPaths,
    pub settings: Settings,
    pub cwd: PathBuf,
    post: mpsc::Sender<Message>,
    agree: Box<dyn Fn(&str) + Send + Sync>,
    find: Find,
    list: ListServer,
    roles: Box<dyn Fn() -> Vec<(String, Connection)> + Send + Sync>,
    connect: Connect,
    go_on: Box<dyn Fn(RunId) -> Result<(), String> + Send + Sync>,
    say: Box<dyn Fn(&str) + Send + Sync>,
    open: Mutex<Option<Open>>,
    services: SetOnce<Result<Services, String>>,
    pub watched: Mutex<HashMap<RunId, Watched>>,
    /// The open runs as they were listed last; `None` before that.
    pub listed: Mutex<Option<Vec<RunRow>>>,
    /// The state of the store that Home shows, and that the inbox and the history do.
    revisions: Mutex<[Option<Revision>; 3]>,
    pub waited: Mutex<Waited>,
    /// What the files of the definitions were like when they were looked at last.
    pub defined: Mutex<Option<u64>>,
    changes: mpsc::UnboundedSender<Asked>,
    /// The newest search, and the newest run that is to be shown beside a list.
    searches: watch::Sender<Option<Errand>>,
    previews: watch::Sender<Option<Errand>>,
    pub glances: Mutex<Glances>,
    /// The newest list of tasks whose texts are shown as they are written.
    written: watch::Sender<Option<Errand>>,
    journal: PathBuf,
    /// The folder for what is kept beside the journal.
    state: PathBuf,
    /// Where all this is done.
    threads: Handle,
}

impl std::ops::Deref for Backend {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Backend {
    /// A backend that opens nothing before [`Backend::begin`].
    pub fn new(parts: Parts, post: mpsc::Sender<Message>, threads: Handle) -> Self {
        let (changes, mut inbox) = mpsc::unbounded_channel();
        let (searches, newest_search) = watch::channel(None);
        let (previews, newest_preview) = watch::channel(None);
        let (written, newest_written) = watch::channel(None);
        let backend = Self(Arc::new(Inner {
            search_paths: parts.search_paths,
            settings: parts.settings,
            cwd: std::env::current_dir().unwrap_or_default(),
            post,
            agree: parts.agree,
            find: parts.find,
            list: parts.list,
            roles: parts.roles,
            connect: parts.connect,
            go_on: parts.go_on,
            say: parts.say,
            open: Mutex::new(Some(parts.open)),
            services: SetOnce::new(),
            watched: Mutex::default(),
            listed: Mutex::default(),
            revisions: Mutex::default(),
            waited: Mutex::default(),
            defined: Mutex::default(),
            changes,
            searches,
            previews,
            glances: Mutex::default(),
            written,
            journal: parts.journal,
            state: parts.state,
            threads,
        }));
        let worker = backend.clone();
        backend.threads.spawn(async move {
            while let Some(asked) = inbox.recv().await {
                match asked {
                    Asked::Change(change) => {
                        let request = Request::Change((*change).clone());
                        worker.done(request, worker.change(*change).await).await;
                    }
                    Asked::Fence(passed) => drop(passed.send(())),
                }
            }
        });
        for newest in [newest_search, newest_preview, newest_written] {
            backend.threads.spawn(backend.clone().only_the_newest(newest));
        }
        backend
    }

    /// Does one errand of a kind at a time, and then the newest.
    async fn only_the_newest(self, mut newest: watch::Receiver<Option<Errand>>) {
        while newest.changed().await.is_ok() {
            let errand = newest.borrow_and_update().clone();
            if let Some(errand) = errand {
                self.done(Request::Errand(errand.clone()), self.run(errand).await).await;
            }
        }
    }

    /// Opens the engine and lists what there is.
    pub fn begin(&self) {
        let Some(open) = self.open.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let backend = self.clone();
        self.threads.spawn(async move {
            let opened = tokio::task::spawn_blocking(open).await.unwrap_or_else(|error| Err(error.to_string()));
            if let Ok((engine, _)) = &opened {
                let post = backend.post.clone();
                // Of a screen that has no time for it the footer stays as it is.
                engine.on_locked(move |locked| drop(post.try_send(Message::Locked { run: None, locked })));
            }
            let _ = backend.services.set(opened.map(|(engine, models)| Services { engine, models }));
            backend.watch_files();
            backend.look_for_models().await;
        });
        let backend = self.clone();
        self.threads.spawn(async move {
            let state = backend.state.clone();
            let kept = tokio::task::spawn_blocking(move || super::as_written::kept(&state)).await.unwrap_or_default();
            if !kept.is_empty() {
                backend.post(Message::AsWritten(kept)).await;
            }
        });
        // They wait for the engine where they need it.
        for errand in [Errand::ListTasks, Errand::ListRuns] {
            self.perform(Request::Errand(errand));
        }
    }

    /// Has it told when the journal was written or a definition changed, on a thread that sleeps until then.
    fn watch_files(&self) {
        let Some(mut notices) = Notices::of(&self.journal, &self.search_paths) else { return };
        let post = self.post.clone();
        let watching = move || {
            let tell = |message| post.blocking_send(message).is_ok();
            while tell(Message::Written(chrono::Utc::now())) && notices.wait() {
                // Who writes much is told of no more often than lists are looked at.
                std::thread::sleep(TOLD_AGAIN);
            }
            tell(Message::Unwatched);
        };
        // Without a thread lists are looked at every now and then, as where nothing is told.
        let _ = std::thread::Builder::new().name("notices".to_owned()).spawn(watching);
    }

    /// Which model answers is said at once, and again when it was looked whether a local server does.
    async fn look_for_models(&self) {
        let Ok(services) = self.services().await else { return };
        for probed in [false, true] {
            if probed {
                services.models.probe().await;
            }
            match services.models.choice(None) {
                Ok(choice) => self.post(Message::Answers(choice)).await,
                Err(failure) => self.post(Message::Failed(failure.message)).await,
            }
        }
    }

    /// The engine and the models, as soon as they are open.
    ///
    /// # Errors
    /// Why they cannot be opened.
    pub async fn services(&self) -> Result<&Services, String> {
        self.services.wait().await.as_ref().map_err(Clone::clone)
    }

    /// The engine, if it is open.
    pub fn engine(&self) -> Option<Engine> {
        Some(self.services.get()?.as_ref().ok()?.engine.clone())
    }

    pub async fn post(&self, message: Message) {
        // The other end is gone only when the person has left.
        let _ = self.post.send(message).await;
    }

    /// Does `work`, which blocks, where it holds up nobody.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let engine = self.services().await?.engine.clone();
        tokio::task::spawn_blocking(move || work(&engine)).await.map_err(|error| error.to_string())?
    }

    /// Has a process of its own go on with a run that was given up here.
    pub fn go_on_without(&self, run: RunId) -> Result<(), String> {
        (self.go_on)(run)
    }

    /// Says something on the terminal, which is the person's again.
    pub fn say(&self, text: &str) {
        (self.say)(text);
    }

    /// Does something; its outcome comes as a message.
    pub fn perform(&self, request: Request) {
        match request {
            // The worker ends only with the process.
            Request::Change(change) => {
                let _ = self.changes.send(Asked::Change(Box::new(change)));
            }
            Request::Open(ticket, opening) => {
                self.beside(Request::Open(ticket, opening.clone()), |backend| async move {
                    let made = backend.open(opening).await?;
                    backend.show(ticket, made).await
                });
            }
            Request::Errand(search @ Errand::Search { .. }) => {
                self.searches.send_replace(Some(search));
            }
            Request::Errand(keep @ Errand::KeepAsWritten(_)) => {
                self.written.send_replace(Some(keep));
            }
            Request::Errand(preview @ Errand::Preview(_)) => {
                self.previews.send_replace(Some(preview));
            }
            Request::Errand(errand) if self.is_known(&errand) => {}
            Request::Errand(errand) => {
                self.beside(Request::Errand(errand.clone()), |backend| async move { backend.run(errand).await });
            }
        }
    }

    /// Waits until every change that was asked for is done.
    pub async fn settle(&self) {
        let (passed, all) = oneshot::channel();
        let _ = self.changes.send(Asked::Fence(passed));
        let _ = all.await;
    }

    /// Does something beside all else.
    fn beside<F>(&self, request: Request, work: impl FnOnce(Self) -> F)
    where
        F: Future<Output = Result<Option<Message>, String>> + Send + 'static,
    {
        let (backend, work) = (self.clone(), work(self.clone()));
        self.threads.spawn(async move { backend.done(request, work.await).await });
    }

    /// Whether a list that is asked for every second is what it was: nothing was written, and no process that may have
    /// died was driving any of it.
    fn is_known(&self, errand: &Errand) -> bool {
        let goes = |row: &RunRow| row.status == Status::Running;
        let any_goes = || self.listed.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().any(goes);
        let (list, goes) = match errand {
            Errand::ListRuns => (0, any_goes()),
            Errand::ListWaiting { anew: false } => (1, any_goes()),
            Errand::CheckHistory { going } => (2, *going),
            _ => return false,
        };
        let Some(engine) = self.engine() else { return false };
        let now = engine.revision();
        let before = std::mem::replace(&mut self.revisions.lock().unwrap_or_else(PoisonError::into_inner)[list], now);
        now.is_some() && now == before && !goes
    }

    async fn done(&self, request: Request, outcome: Result<Option<Message>, String>) {
        match outcome {
            Ok(None) => {}
            Ok(Some(message)) => self.post(message).await,
            Err(why) => self.post(Message::NotDone { request: Box::new(request), why }).await,
        }
    }

    /// Changes a run.
    async fn change(&self, change: Change) -> Result<Option<Message>, String> {
        let engine = self.services().await?.engine.clone();
        match change {
            Change::Decide(run, decision, _) | Change::WriteDocument(run, decision) => {
                self.decide(&engine, run, decision).await?;
            }
            Change::Message(run, text) => {
                engine.message(run, &text).await.map_err(|error| error.to_string())?;
                self.go_on(run).await?;
            }
            Change::WriteAnyway(run) => {
                engine.message(run, crate::core::turn::WRITE_IT_ANYWAY).await.map_err(|error| error.to_string())?;
                self.go_on(run).await?;
            }
            Change::EditDocument { run, name, version, title, body, .. } => {
                let written = engine.edit_document(run, &name, version, &title, &body).await;
                // Where it was refused, something else counts than what the screen shows.
                self.attend(run, false).await?;
                written.map_err(|error| error.to_string())?;
            }
            Change::Act { run, document, version, action } => {
                let asked = engine.act(run, &document, Some(version), &action).await;
                self.acted(run, asked.map_err(|refused| refused.to_string())).await?;
            }
            Change::ActInWords { run, document, version, instruction } => {
                let asked = engine.act_in_words(run, &document, Some(version), &instruction).await;
                self.acted(run, asked.map_err(|refused| refused.to_string())).await?;
            }
            Change::Stop { run, key, again: None } => heard_here(&engine, run, engine.stop(run, &key))?,
            Change::Stop { run, key, again: Some(again) } => {
                let backend = self.clone();
                // What was decided meanwhile does not wait until the attempt has come to its end.
                tokio::spawn(async move {
                    let change = Change::Stop { run, key: key.clone(), again: Some(again.clone()) };
                    let outcome = backend.break_off(run, key, again).await;
                    backend.done(Request::Change(change), outcome.map(|()| None)).await;
                });
            }
            Change::ChooseModel { run, key, model } => {
                let chosen = engine.choose_model(run, &key, &model, InstructionScope::Remaining).await;
                chosen.map_err(|error| error.to_string())?;
                self.attend(run, false).await?;
            }
            Change::GiveKey { run, key, secret } => self.give_key(run, key, secret).await?,
            Change::Undo { run, seq } => return self.undo(&engine, run, seq).await.map(Some),
            Change::Pause(run) => heard_here(&engine, run, engine.pause(run, PauseReason::ByYou))?,
            Change::GoOn(run) => {
                engine.retry_failed(run).await.map_err(|error| error.to_string())?;
                self.go_on(run).await?;
            }
            Change::Manage(run, manage) => return self.manage(&engine, run, manage).await.map(Some),
            Change::KeepDraft { run, name, text } => {
                self.blocking(move |engine| {
                    engine.keep_draft(run, &name, text.as_deref()).map_err(|error| error.to_string())
                })
                .await?;
            }
            Change::KeepForm { task, text } => {
                self.blocking(move |engine| {
                    engine.keep_form(&task, text.as_deref()).map_err(|error| error.to_string())
                })
                .await?;
            }
        }
        Ok(None)
    }

    /// Has a change of a document performed that was asked for.
    async fn acted(&self, run: RunId, asked: Result<(), String>) -> Result<(), String> {
        if asked.is_err() {
            // Something else counts than what the screen shows.
            self.attend(run, false).await?;
            return asked;
        }
        self.go_on(run).await
    }

    pub async fn decide(&self, engine: &Engine, run: RunId, decision: Decision) -> Result<(), String> {
        engine.decide(run, decision).await.map_err(|error| error.to_string())?;
        self.go_on(run).await
    }

    /// Takes a decision back, and has the run go on from where it was. Gives what is said of it.
    async fn undo(&self, engine: &Engine, run: RunId, seq: u64) -> Result<Message, String> {
        let before = self.blocking(move |engine| engine.load(run).map_err(|error| error.to_string())).await?;
        engine.undo(run, Some(seq)).await.map_err(|error| error.to_string())?;
        let newest = newest_decision(&before);
        let said = format!("taken back: {}", newest.map(PastDecision::name).unwrap_or_default());
        // What was done to the run as a whole has no part in what it does.
        if !newest.is_some_and(|newest| matches!(newest.change, Undoable::Title { .. } | Undoable::Archive)) {
            self.go_on(run).await?;
        }
        Ok(Message::RunsChanged(RunChange { run, said, undo: None, gone: false, restored: true }))
    }

    /// Has a run go on here, unless another process drives it.
    async fn go_on(&self, run: RunId) -> Result<(), String> {
        self.attend(run, true).await
    }

    /// Makes something ready that then takes the screen.
    async fn open(&self, opening: Opening) -> Result<Made, String> {
        match opening {
            Opening::Run(run) => self.open_run(run).await,
            Opening::Task(task) => self.open_task(task, None, None).await,
            Opening::TaskWith(task, given, from) => self.open_task(task, Some(given), from).await,
            Opening::Chat(text) => self.run_with(super::starting::PLAIN_CHAT.to_owned(), text, None).await,
            Opening::RunWith { task, text, from } => {
                self.run_with(task, text.data().to_owned(), Some(Parent::of_follow_up(from))).await
            }
            Opening::Start { task, inputs, secrets, from } => self.start(task, inputs, secrets, from).await,
            Opening::RunAgain(run) => {
                let old = self.blocking(move |engine| engine.load(run).map_err(|error| error.to_string())).await?;
                let (task, given) = (old.task.clone(), Value::clone(&old.inputs));
                self.open_task(task, Some(given), Some(Parent::of_rerun(run))).await
            }
            Opening::TakeBack(run) => self.ask_to_take_back(run).await,
            Opening::Fork { run, at } => self.fork(run, at).await,
            Opening::ForkAt(run) => self.choose_fork(run).await,
            Opening::FollowUps(run) => self.follow_ups(run).await,
            Opening::FollowUp { task, input, text, from } => self.follow_up(task, input, text, from).await,
            Opening::Compare(old, new) => self.compare(old, new).await,
            Opening::Models(run, key) => self.list_models(run, &key).await,
            Opening::PickModel { run, key, model, typed } => self.pick_model(run, key, model, typed).await,
            Opening::Agreed { provider, then } => {
                let models = &self.services().await?.models;
                models.agree(&provider);
                (self.agree)(&provider);
                if let Ok(choice) = models.choice(None) {
                    self.post(Message::Answers(choice)).await;
                }
                Box::pin(self.open(*then)).await
            }
        }
    }

    /// Puts what was made ready on the screen. Nothing new of a run is told before its screen is there, so that no text
    /// is missed.
    async fn show(&self, ticket: Ticket, made: Made) -> Result<Option<Message>, String> {
        self.post(Message::Ready(ticket, made.ready)).await;
        if let Some(says) = made.says {
            self.post(Message::Done(says)).await;
        }
        let Some((stands, follower)) = made.run else { return Ok(None) };
        if let Some(follower) = follower {
            self.watch(follower);
        }
        Ok(Some(Message::Run(stands)))
    }

    /// Does what changes no run.
    async fn run(&self, errand: Errand) -> Result<Option<Message>, String> {
        match errand {
            Errand::ListRuns => self.list_runs().await,
            Errand::ListTasks => self.list_tasks().await,
            Errand::ListChangedTasks => self.list_changed_tasks().await,
            Errand::OpenDefinition(id) => self.read_definition(id).await,
            Errand::CopyDefinition { id, edit } => self.copy_definition(id, edit).await,
            Errand::DropCopy(id) => self.drop_copy(id).await,
            Errand::SaveDefinition { before, text } => self.save_definition(before, text).await,
            Errand::ListWaiting { anew } => self.list_waiting(anew).await,
            Errand::Search { ticket, query } => {
                let offset = query.offset;
                let rows = self.blocking(move |engine| engine.history(&query).map_err(|error| error.to_string()));
                Ok(Some(Message::Rows { ticket, offset, rows: rows.await? }))
            }
            Errand::CheckHistory { .. } => Ok(Some(Message::HistoryChanged)),
            Errand::Glance(runs) => self.look_at(runs).await.map(Some),
            Errand::Preview(run) => {
                let run = self.blocking(move |engine| Ok(engine.load(run).ok())).await?;
                Ok(run.map(|run| Message::Preview(Arc::new(run))))
            }
            Errand::Complete { field, typed } => {
                let paths = super::listing::paths(&self.cwd, &typed);
                Ok(Some(Message::Completions { field, typed, paths }))
            }
            Errand::FindModels => Ok(Some(Message::Found((self.find)().await))),
            Errand::ListRoles => {
                let backend = self.clone();
                let roles = tokio::task::spawn_blocking(move || (backend.roles)()).await;
                Ok(Some(Message::Roles(roles.map_err(|error| error.to_string())?)))
            }
            Errand::ListServer(connection) => {
                let models = (self.list)(connection.as_ref().clone(), None).await;
                Ok(Some(Message::Served { connection, models }))
            }
            Errand::Connect(trial) => {
                let said = (self.connect)(trial.as_ref().clone()).await?;
                self.post(Message::Connected(said)).await;
                let choice = self.services().await?.models.choice(None).map_err(|failure| failure.message)?;
                Ok(Some(Message::Answers(choice)))
            }
            Errand::WriteFile { path, text } => {
                let file = self.cwd.join(&path);
                // A pipe may have a reader that takes its time.
                let write = move || super::results::write_new(&file, text.data().as_bytes());
                tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())??;
                Ok(Some(Message::Done(format!("written to {path}"))))
            }
            Errand::KeepAsWritten(tasks) => {
                let state = self.state.clone();
                let keep = move || super::as_written::keep(&state, &tasks).map_err(|error| error.to_string());
                tokio::task::spawn_blocking(keep).await.map_err(|error| error.to_string())??;
                Ok(None)
            }
            Errand::Export { run, path } => self.export(run, path).await.map(Some),
            Errand::FindDrafts(run) => {
                let kept = move |engine: &Engine| engine.drafts(run).map_err(|error| error.to_string());
                for (name, text) in self.blocking(kept).await? {
                    self.post(Message::Draft { run, name, text }).await;
                }
                Ok(None)
            }
            Errand::FindForm(name) => {
                let form = name.clone();
                let kept = self.blocking(move |engine| engine.form(&form).map_err(|error| error.to_string())).await?;
                Ok(kept.map(|text| Message::FormDraft { name, text }))
            }
            Errand::Unsubscribe(run) => {
                self.leave_alone(run);
                Ok(None)
            }
        }
    }
}

/// What stops a run is said to who drives it: another process is not reached.
fn heard_here(engine: &Engine, run: RunId, heard: bool) -> Result<(), String> {
    if heard || !engine.is_driven(run) {
        return Ok(());
    }
    Err("the run is active in another process; stop or pause it there".to_owned())
}
