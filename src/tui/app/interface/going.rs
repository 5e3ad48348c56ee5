//! What the app performs itself: ways between screens, and layers. All else it hands on.

use serde_json::Value;

use super::Interface;
use super::opening::{Place, Wanted};
use crate::core::id::RunId;
use crate::tui::app::any_screen::AnyScreen;
use crate::tui::drafts::{Slot, Unsaved};
use crate::tui::effect::{Effect, Errand, Go, Opening, Order, Parent, Terminal};
use crate::tui::screens::connect::{ConnectScreen, form as connect_form, other_server};
use crate::tui::screens::form::FormScreen;
use crate::tui::screens::history::HistoryScreen;
use crate::tui::screens::inbox::InboxScreen;

impl Interface {
    /// Performs an effect, or hands it on.
    pub(super) fn follow(&mut self, effect: Effect, out: &mut Vec<Order>) {
        match effect {
            Effect::Go(go) => self.go(go, out),
            Effect::Terminal(terminal) => {
                // While another program has the terminal nothing is looked at here, and it may take long.
                if matches!(terminal, Terminal::OpenEditor { .. } | Terminal::Suspend) {
                    out.extend(self.unsaved().into_iter().map(Order::from));
                }
                out.push(Order::Terminal(terminal));
            }
            Effect::Change(change) => {
                self.drafts.note(&change);
                out.push(change.into());
            }
            Effect::Open(opening) => self.open(opening, out),
            Effect::Errand(errand) => out.push(errand.into()),
        }
    }

    fn go(&mut self, go: Go, out: &mut Vec<Order>) {
        match go {
            Go::Back => self.back(out),
            Go::Inbox => {
                out.push(Errand::ListWaiting { anew: true }.into());
                let from = self.top().run();
                self.stack.retain(|page| !matches!(page, AnyScreen::Inbox(_)));
                self.stack.push(AnyScreen::Inbox(Box::new(InboxScreen::opened_from(from))));
            }
            Go::History => self.history(None, out),
            Go::HistoryOf(task) => self.history(Some(&task), out),
            Go::Run(run) => self.run_screen(run, out),
            Go::Call(run, key) => {
                self.run_at(Wanted { run, at: Place::Call(key) }, out);
            }
            Go::Edit(gate, page) => {
                self.run_at(Wanted { run: gate.run, at: Place::Edit(gate, page) }, out);
            }
            Go::EditResult(run, version) => self.run_at(Wanted { run, at: Place::Result(version) }, out),
            Go::NextRun => {
                if let Some(next) = self.next_run() {
                    self.run_screen(next, out);
                }
            }
            Go::RunAgain => {
                if let AnyScreen::Run(screen) = self.top() {
                    let (task, given) = (screen.run().task.clone(), Value::clone(&screen.run().inputs));
                    let from = Parent::of_rerun(screen.run().id);
                    self.open(Opening::TaskWith(task, given, Some(from)), out);
                }
            }
            Go::FollowUp => {
                if let Some(run) = self.top().run() {
                    self.open(Opening::FollowUps(run), out);
                }
            }
            Go::Connect => {
                out.extend([Errand::FindModels.into(), Errand::ListRoles.into()]);
                self.stack.retain(|page| !matches!(page, AnyScreen::Connect(_)) && !page.is_connecting());
                self.stack.push(AnyScreen::Connect(Box::new(ConnectScreen::new())));
            }
            Go::OtherServer => self.describe(other_server(self.now), out),
            Go::Describe(connection, role, problem) => {
                let title = format!("Connect {}", connection.provider);
                self.describe(connect_form(&title, &connection, &role, &problem, self.now), out);
            }
            Go::Try(trial) => {
                match self.top_mut() {
                    AnyScreen::Connect(screen) => screen.tries(&trial),
                    AnyScreen::Form(form) => form.tries(&trial),
                    _ => {}
                }
                out.push(Errand::Connect(trial).into());
            }
            Go::Answer => {
                let form = match self.top() {
                    AnyScreen::Run(screen) => screen.answer_form(self.now),
                    AnyScreen::Inbox(screen) => screen.answer_form(self.now),
                    _ => None,
                };
                if let Some(form) = form {
                    // What was typed into it before comes when it is found.
                    out.extend(form.answers().map(|run| Errand::FindDrafts(run).into()));
                    self.stack.push(AnyScreen::Form(Box::new(form)));
                }
            }
            Go::Above(above) => {
                out.extend(above.asks_about().map(|run| Errand::FindDrafts(run).into()));
                self.above = Some(*above);
            }
            Go::Leave(leaving) => {
                self.leaving = Some(leaving);
                out.push(Order::Quit);
            }
        }
    }

    /// The form for a model; what was typed into it before comes when it is found.
    fn describe(&mut self, form: FormScreen, out: &mut Vec<Order>) {
        if let Some(Unsaved { slot: Slot::Form(name), .. }) = form.unsaved() {
            out.push(Errand::FindForm(name).into());
        }
        self.stack.push(AnyScreen::Form(Box::new(form)));
    }

    /// The screen of a run: the one that is there already, or a new one once it is read.
    fn run_screen(&mut self, run: RunId, out: &mut Vec<Order>) {
        match self.stack.iter().position(|page| page.run() == Some(run)) {
            Some(at) => {
                let page = self.stack.remove(at);
                self.stack.push(page);
            }
            None => self.open(Opening::Run(run), out),
        }
    }

    fn run_at(&mut self, wanted: Wanted, out: &mut Vec<Order>) {
        let run = wanted.run;
        self.wanted = Some(wanted);
        self.run_screen(run, out);
        self.go_to_wanted();
    }

    fn history(&mut self, task: Option<&str>, out: &mut Vec<Order>) {
        let tasks = self.home().map(|home| home.tasks().iter().map(|task| task.id.clone()).collect());
        let (mut screen, ask) = HistoryScreen::new(tasks.unwrap_or_default(), &self.here, self.now, self.zone);
        let ask = task.map_or(ask, |task| screen.only_task(task));
        self.stack.retain(|page| !matches!(page, AnyScreen::History(_)));
        self.stack.push(AnyScreen::History(Box::new(screen)));
        self.follow(ask, out);
    }

    fn back(&mut self, out: &mut Vec<Order>) {
        if self.on_home() {
            return;
        }
        // What goes with the screen is kept.
        out.extend(self.unsaved().into_iter().map(Order::from));
        if let Some(run) = self.stack.pop().and_then(|page| page.run()) {
            if self.runs.get(&run).is_some_and(|run| run.status.is_over()) {
                self.runs.remove(&run);
            }
            out.push(Errand::Unsubscribe(run).into());
        }
        if self.on_home() {
            out.extend([Errand::ListRuns.into(), Errand::ListTasks.into()]);
        }
        // What was done elsewhere is in its rows.
        if let AnyScreen::History(history) = self.top_mut() {
            let asks = history.ask_as_many();
            self.follow(asks, out);
        }
    }

    /// The open run after the one that is shown.
    fn next_run(&mut self) -> Option<RunId> {
        let shown = self.top().run();
        let mut open = self.home().map(|home| home.open_runs()).unwrap_or_default();
        for run in self.stack.iter().filter_map(AnyScreen::run) {
            if !open.contains(&run) {
                open.push(run);
            }
        }
        let at = shown.and_then(|run| open.iter().position(|open| *open == run));
        let next = at.map_or(0, |at| (at + 1) % open.len().max(1));
        open.get(next).copied().filter(|next| Some(*next) != shown)
    }
}
