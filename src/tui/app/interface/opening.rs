//! What takes the screen when it is ready: a run, a form, a layer. Until then the person waits for it, and what they type
//! is for it: pressed twice, a key asks for nothing twice, and what comes late opens over nothing that they began since.
//! Esc gives it up.
//!
//! In the same way a key that acts on a row of a list waits for what a search finds that is under way: it was pressed for
//! that, and not for what the list had before.
//!
//! A question whether something may be done is answered by no key that was pressed before it was there.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};

use super::Interface;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::model::ModelChoice;
use crate::core::task::Kind as TaskKind;
use crate::core::text::Untrusted;
use crate::tui::app::any_screen::AnyScreen;
use crate::tui::commands::{Id, command};
use crate::tui::drafts::{Slot, Unsaved};
use crate::tui::effect::{Effect, Errand, Opening, Order, Request, Ticket};
use crate::tui::layers::{Confirm, Kind};
use crate::tui::message::{FormOf, Message, Opened, Ready};
use crate::tui::screens::chat::ChatScreen;
use crate::tui::screens::form::{For, FormScreen};
use crate::tui::screens::run::RunScreen;
use crate::tui::shown::{Page, ShownGate};

/// As many keys as are kept for what is awaited. Who types more than that does not wait.
const MOST_KEYS: usize = 1_000;

/// Where a run is opened.
pub(super) struct Wanted {
    pub(super) run: RunId,
    pub(super) at: Place,
}

/// A place in a run.
pub(super) enum Place {
    /// A call.
    Call(Key),
    /// What waits at a call: it is edited, as it was on screen, or the page that was shown instead.
    Edit(ShownGate, Option<Page>),
    /// That version of the result: it is edited.
    Result(u32),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// What was asked for with that ticket: it takes the screen.
    Screen(Ticket),
    /// What a search finds.
    Rows,
}

/// What is waited for, with what was typed for it.
pub(super) struct Awaited {
    what: Awaits,
    /// What was typed since it was asked for.
    ahead: Vec<Message>,
}

impl Awaited {
    pub(super) fn is(&self, ticket: Ticket) -> bool {
        self.what == Awaits::Screen(ticket)
    }

    /// What is said while it is waited for.
    pub(super) fn says(&self) -> &'static str {
        match self.what {
            Awaits::Screen(_) => " Opening…  Esc cancels",
            Awaits::Rows => " Searching…  Esc cancels",
        }
    }

    /// Whether the person has typed something for it: then they see that it is not there yet.
    pub(super) fn is_typed_ahead_of(&self) -> bool {
        !self.ahead.is_empty()
    }
}

impl Interface {
    /// Asks for something that takes the screen.
    pub(super) fn open(&mut self, opening: Opening, out: &mut Vec<Order>) {
        self.ticket.0 += 1;
        self.awaited = Some(Awaited { what: Awaits::Screen(self.ticket), ahead: Vec::new() });
        out.push(Order::Backend(Request::Open(self.ticket, opening)));
    }

    /// Keeps what was typed for what is awaited. The mouse is not kept: what it points at will be something else.
    pub(super) fn keep(&mut self, message: Message) -> (Vec<Effect>, bool) {
        if let Message::Key(key) = message {
            if command(key, &self.situation()) == Some(Id::Leave) {
                return (self.key(key), true);
            }
            self.armed = false;
            if key.code == KeyCode::Esc {
                self.awaited = None;
                self.wanted = None;
                return (Vec::new(), true);
            }
        }
        if let Some(awaited) = &mut self.awaited
            && awaited.ahead.len() < MOST_KEYS
            && !matches!(message, Message::Mouse(_))
        {
            awaited.ahead.push(message);
        }
        (Vec::new(), true)
    }

    /// Keeps a key until what a search finds is there.
    pub(super) fn keep_for_rows(&mut self, key: KeyEvent) {
        self.awaited = Some(Awaited { what: Awaits::Rows, ahead: vec![Message::Key(key)] });
    }

    /// What a search finds is there, or will not come: what was typed for it is taken as if it were typed now.
    pub(super) fn release(&mut self) {
        let searching = self.top().is_searching();
        let ready = |awaited: &mut Awaited| awaited.what == Awaits::Rows && !searching;
        if let Some(awaited) = self.awaited.take_if(ready) {
            self.ahead.extend(awaited.ahead);
        }
    }

    /// What was typed for what a search finds is for nothing.
    pub(super) fn give_up_rows(&mut self) {
        self.awaited.take_if(|awaited| awaited.what == Awaits::Rows);
    }

    /// What was asked for is ready.
    pub(super) fn ready(&mut self, ticket: Ticket, ready: Ready) -> (Vec<Effect>, bool) {
        let Some(awaited) = self.awaited.take_if(|awaited| awaited.is(ticket)) else {
            // It was given up: a run that was started is among the open ones.
            return (vec![Effect::Errand(Errand::ListRuns)], false);
        };
        self.ahead = awaited.ahead.into();
        match ready {
            Ready::Run(opened) => return (self.show_run(*opened), true),
            Ready::Form(form) => self.show_form(*form),
            Ready::Above(above) => {
                if above.confirms() {
                    self.ahead.clear();
                }
                self.above = Some(*above);
            }
            Ready::Consent { choice, then } => {
                self.ahead.clear();
                self.above = Some(Kind::Confirm(consent(&choice, *then)).into());
            }
            Ready::Model { run, key, model } => return self.top_mut().update(Message::Model { run, key, model }),
        }
        (Vec::new(), true)
    }

    fn show_run(&mut self, opened: Opened) -> Vec<Effect> {
        let Opened { run, task, drafts, asks } = opened;
        let mut effects = Vec::new();
        // The form that it was started from is done with.
        if let AnyScreen::Form(form) = self.top()
            && let Some(task) = form.starts().map(str::to_owned)
        {
            self.stack.pop();
            let done = Unsaved { slot: Slot::Form(task), text: None };
            effects.extend(self.drafts.keep([done]).into_iter().map(Effect::Change));
        }
        let id = run.id;
        let run = self.runs.get(&id).filter(|known| known.seq > run.seq).map_or(run, Arc::clone);
        self.runs.insert(id, Arc::clone(&run));
        let page = if run.kind == TaskKind::Instruct {
            let mut chat = ChatScreen::new(run, task);
            chat.update(Message::Tick(self.now));
            if let Some(model) = self.home().and_then(|home| home.model()) {
                chat.answers(model);
            }
            AnyScreen::Chat(Box::new(chat))
        } else {
            AnyScreen::Run(Box::new(RunScreen::new(run, task, self.now)))
        };
        self.stack.retain(|page| page.run() != Some(id));
        self.stack.push(page);
        if self.locked.contains(&id) {
            self.top_mut().update(Message::Locked { run: Some(id), locked: true });
        }
        if let Some(home) = self.home() {
            home.was_found();
        }
        if let Some(choice) = asks {
            self.ahead.clear();
            self.above = Some(Kind::Confirm(consent(&choice, Opening::Run(id))).into());
        }
        for (name, text) in drafts {
            self.drafts.found(Slot::Run(id, name.clone()), &text);
            self.top_mut().update(Message::Draft { run: id, name, text });
        }
        self.go_to_wanted();
        effects
    }

    fn show_form(&mut self, form: FormOf) {
        let FormOf { task, given, last, cost, draft, from } = form;
        let intro = Untrusted::from(task.description.as_str());
        let purpose = For::Start(task.id.clone(), from);
        let mut screen = FormScreen::new(&task.name, intro, &task.inputs, purpose, &given, self.now);
        if let Some(last) = last {
            screen.offer_last(last);
        }
        screen.expect_cost(cost);
        if let Some(draft) = draft {
            self.drafts.found(Slot::Form(task.id.clone()), &draft);
            screen.restore(&draft);
        }
        self.stack.push(AnyScreen::Form(Box::new(screen)));
    }
}

/// Asks whether a model may be used that was only found.
fn consent(choice: &ModelChoice, then: Opening) -> Confirm {
    let ModelChoice { model, why, .. } = choice;
    let provider = choice.provider().to_owned();
    let lines = vec![
        format!("{model} would answer, because {why}."),
        "It was found, not configured. What you give and what it answers goes there.".to_owned(),
        "Use it from now on?".to_owned(),
    ];
    Confirm::new(lines, vec![Effect::Open(Opening::Agreed { provider, then: Box::new(then) })])
}
