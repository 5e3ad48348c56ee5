//! Helps for tests: runs made by folding events, and screens as a person would see them.

pub mod tools;

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeZone as _, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::{Value, json};

use super::canvas::{Canvas, FrameInfo};
use super::theme::{Depth, Ground, Theme};
use crate::core::decide::{self, Decision};
use crate::core::event::{Created, Event, Measured, Started};
use crate::core::failure::{Failure, FailureClass};
use crate::core::fingerprint::Fingerprint;
use crate::core::gate::{Answer, ApprovalBody, Gate, GateBody, ReviewBody};
use crate::core::id::RunId;
use crate::core::model::{Message, Role};
use crate::core::ports::RunRow;
use crate::core::run::{Run, Status};
use crate::core::step::OnCrash;
use crate::core::task::{Kind, Task};
use crate::core::text::Untrusted;
use crate::core::usage::Usage;
use crate::core::work::{PromptWork, Work};

/// The sizes at which every screen is looked at.
pub const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

/// Noon, and so many seconds.
pub fn at(seconds: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_795_000_000 + seconds, 0).unwrap()
}

/// A run that grows by events.
pub struct Story {
    pub run: Run,
}

impl Story {
    pub fn new(task: &str, title: &str, kind: Kind) -> Self {
        let created = Created {
            task: task.to_owned(),
            kind,
            title: title.to_owned(),
            by: "ana@host".into(),
            cwd: "/home/ana".into(),
            inputs: Arc::new(json!({"topic": "the sea"})),
            definition: fingerprint(),
            nonce: "n".to_owned(),
            date: None,
            session: None,
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        Self { run: Run::new(RunId::new(1, [7; 10]), at(0), &created) }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a story reads better so")]
    pub fn then(mut self, event: Event) -> Self {
        let seq = self.run.seq + 1;
        let seconds = i64::try_from(seq).unwrap() * 8;
        self.run.apply(seq, at(seconds), &event);
        self
    }

    /// An attempt begins.
    pub fn start(self, key: &str, attempt: u32, item: Option<Value>) -> Self {
        let prompt = PromptWork {
            messages: vec![
                Message::new(Role::System, "You are a poet."),
                Message::new(Role::User, format!("Write {key}.\nNo rhymes, please.")),
            ],
            ..PromptWork::default()
        };
        self.started(key, attempt, item, Work::Prompt(prompt))
    }

    /// An attempt at some work begins.
    pub fn started(self, key: &str, attempt: u32, item: Option<Value>, work: Work) -> Self {
        let key: crate::core::key::Key = key.parse().unwrap();
        self.then(Event::AttemptStarted(Started {
            workflow: None,
            step: key.step().to_owned(),
            key,
            attempt,
            fingerprint: fingerprint(),
            by: "model".into(),
            work: Some(Arc::new(work)),
            item: item.map(Arc::new),
            depends: Vec::new(),
            on_crash: OnCrash::Rerun,
        }))
    }

    /// It has an output.
    pub fn finish(self, key: &str, attempt: u32, output: Value) -> Self {
        self.finish_by(key, attempt, output, "openai/gpt-5-mini")
    }

    /// The same of a model.
    pub fn finish_by(self, key: &str, attempt: u32, output: Value, model: &str) -> Self {
        let usage = Usage { input_tokens: 100, output_tokens: 72, usd: 0.0005, estimated: false };
        let model = Some(model.to_owned());
        let measured = Measured { model, usage, ms: 3_000, ..Measured::default() };
        self.then(Event::AttemptFinished {
            key: key.parse().unwrap(),
            attempt,
            output: Arc::new(output),
            problem: None,
            measured,
        })
    }

    /// It is to be reviewed.
    pub fn review(self, key: &str, attempt: u32, schema: Option<&Value>) -> Self {
        let review = ReviewBody { schema: schema.cloned(), ..ReviewBody::default() };
        self.then(Event::GateOpened(Gate::of_review(key.parse().unwrap(), attempt, 1, review)))
    }

    /// A person is asked to allow it.
    pub fn approval(self, key: &str, work: Work) -> Self {
        self.approval_of(key, None, work)
    }

    /// A person is asked to allow it: a tool call of an attempt, if one is named.
    pub fn approval_of(self, key: &str, call: Option<&str>, work: Work) -> Self {
        let key: crate::core::key::Key = key.parse().unwrap();
        let body = ApprovalBody {
            step: key.step().to_owned(),
            work: Arc::new(work),
            bytes: fingerprint(),
            fingerprint: fingerprint(),
            behind: None,
            title: None,
            message: None,
        };
        let (body, allowed) = (GateBody::Approval(body), vec![Answer::Approve, Answer::Deny]);
        let call = call.map(|call| call.parse().unwrap());
        self.then(Event::GateOpened(Gate { key, workflow: None, call, attempt: 1, version: 0, body, allowed }))
    }

    /// It has no output, and is not tried again.
    pub fn fail(self, key: &str, attempt: u32, why: &str) -> Self {
        let error = Failure::new(FailureClass::Server, why.to_owned());
        let (partial, measured) = (Untrusted::default(), Measured::default());
        self.then(Event::AttemptFailed { key: key.parse().unwrap(), attempt, error, partial, measured, retry_at: None })
    }

    /// Somebody decides: `ana@host`.
    pub fn decide(self, decision: &Decision) -> Self {
        let events = decide::decide(&self.run, decision, &"ana@host".into()).unwrap();
        events.into_iter().fold(self, Self::then)
    }

    /// The newest decision is taken back.
    pub fn undo(self) -> Self {
        let events = decide::undo(&self.run, None, &[], |_| None, &"ana@host".into()).unwrap();
        events.into_iter().fold(self, Self::then)
    }

    /// The person accepts it.
    pub fn accept(self, key: &str, attempt: u32) -> Self {
        self.then(Event::CallAccepted {
            key: key.parse().unwrap(),
            attempt,
            version: 1,
            by: "ana@host".into(),
            overridden: Vec::new(),
        })
    }
}

/// A workflow with these steps.
pub fn workflow(steps: &Value) -> Task {
    let retry = json!({"attempts": 1, "delay": 0, "backoff": 1.0, "max_delay": 0, "on": []});
    let workflow = json!({"version": 1, "flow": "graph", "max_concurrency": 4, "max_calls": 500, "retry": retry,
        "steps": steps});
    serde_json::from_value(json!({"id": "poem", "name": "Poem", "body": {"workflow": workflow}})).unwrap()
}

/// A run of the poem in a list, created `seconds` after noon.
pub fn listed(title: &str, status: Status, waiting: u32, seconds: i64) -> RunRow {
    RunRow {
        run: RunId::new(u64::try_from(1_000_000_000 + seconds).unwrap(), [1; 10]),
        task: "poem".into(),
        kind: Kind::Workflow,
        title: title.into(),
        status,
        created_at: at(seconds),
        updated_at: at(seconds),
        snippet: "The lamps lean out across the tide".into(),
        cwd: "/home/ana".into(),
        waiting,
        due: None,
        newer: false,
    }
}

pub fn fingerprint() -> Fingerprint {
    Fingerprint::of(&"x").unwrap()
}

/// A key as a person names it: `a`, `Y`, `Enter`, `Esc`, `Tab`, `^s`, `Alt-Enter`, `Down`, …
pub fn key(name: &str) -> KeyEvent {
    let mut chars = name.chars();
    match (chars.next(), chars.next(), name) {
        (Some(c), None, _) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
        (Some('^'), Some(c), _) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
        (_, _, "Enter") => KeyCode::Enter.into(),
        (_, _, "Esc") => KeyCode::Esc.into(),
        (_, _, "Tab") => KeyCode::Tab.into(),
        (_, _, "Space") => KeyCode::Char(' ').into(),
        (_, _, "Down") => KeyCode::Down.into(),
        (_, _, "Up") => KeyCode::Up.into(),
        (_, _, "Left") => KeyCode::Left.into(),
        (_, _, "Right") => KeyCode::Right.into(),
        (_, _, "PgUp") => KeyCode::PageUp.into(),
        (_, _, "PgDn") => KeyCode::PageDown.into(),
        (_, _, "Home") => KeyCode::Home.into(),
        (_, _, "End") => KeyCode::End.into(),
        (_, _, "F2") => KeyCode::F(2).into(),
        (_, _, "Backspace") => KeyCode::Backspace.into(),
        (Some('A'), Some('l'), name) if name.len() == 5 => {
            KeyEvent::new(KeyCode::Char(name.chars().last().unwrap()), KeyModifiers::ALT)
        }
        (_, _, "Alt-Enter") => KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT),
        _ => panic!("no key is called {name}"),
    }
}

/// A frame as text, the caret as `▮`; with what it showed. `coloured` adds a list of the styles under the picture.
pub fn frame(size: (u16, u16), depth: Depth, view: impl FnOnce(&mut Canvas<'_>, Rect)) -> (String, FrameInfo) {
    let area = Rect { x: 0, y: 0, width: size.0, height: size.1 };
    let mut buf = Buffer::empty(area);
    let mut info = FrameInfo::default();
    let theme = Theme::new(Ground::Dark, depth);
    view(&mut Canvas { buf: &mut buf, theme: &theme, frame: &mut info, as_written: false }, area);
    if let Some(cell) = info.caret.and_then(|caret| buf.cell_mut(caret)) {
        cell.set_symbol("▮");
    }
    let mut picture = String::new();
    for y in 0..size.1 {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..size.0 {
            let symbol = buf[(x, y)].symbol();
            if skip == 0 {
                line.push_str(symbol);
                skip = super::text::width(symbol).max(1);
            }
            skip -= 1;
        }
        picture.push_str(line.trim_end());
        picture.push('\n');
    }
    if depth != Depth::None {
        picture.push_str(&styles(&buf));
    }
    (picture, info)
}

/// The styled runs of a frame: `y x..x text style`.
fn styles(buf: &Buffer) -> String {
    let mut listed = String::new();
    for y in 0..buf.area.height {
        let mut x = 0;
        while x < buf.area.width {
            let style = buf[(x, y)].style();
            let start = x;
            let mut text = String::new();
            while x < buf.area.width && buf[(x, y)].style() == style {
                text.push_str(buf[(x, y)].symbol());
                x += 1;
            }
            let plain =
                style.fg == Some(ratatui::style::Color::Reset) && style.bg == style.fg && style.add_modifier.is_empty();
            if !plain && !text.trim().is_empty() {
                let fg = style.fg.map(|c| c.to_string()).unwrap_or_default();
                let _ = writeln!(listed, "{y:>2} {start:>3} {fg} {:?} {}", style.add_modifier, text.trim());
            }
        }
    }
    listed
}
