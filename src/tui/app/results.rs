//! What is done with results: compared, exported, taken along into the next task.

use std::path::Path;

use serde_json::json;

use super::backend::{Backend, Made};
use crate::app::successors::{self, Next};
use crate::core::call::Call;
use crate::core::document::RESULT;
use crate::core::event::OriginKind;
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::task::Kind as TaskKind;
use crate::core::text::Untrusted;
use crate::engine::Engine;
use crate::export::file::Existing;
use crate::export::{self, ExportScope, Format};
use crate::tui::diff::printed;
use crate::tui::effect::{Effect, Opening, Parent};
use crate::tui::layers::{Above, Compared, ComparedPart, Entry, Kind, Pick, picks};
use crate::tui::message::{Message, Ready};

fn load(engine: &Engine, run: RunId) -> Result<Run, String> {
    engine.load(run).map_err(|error| error.to_string())
}

/// The title and the body of a run's result.
fn result(run: &Run) -> Result<(Untrusted, Untrusted), String> {
    let result = run.current_result().ok_or_else(|| format!("\"{}\" has no result yet", run.title))?;
    Ok((result.title, result.body))
}

impl Backend {
    /// Compares two runs, the earlier first: their results, then every call that came out otherwise.
    pub async fn compare(&self, old: RunId, new: RunId) -> Result<Made, String> {
        self.blocking(move |engine| {
            let (old, new) = (load(engine, old)?, load(engine, new)?);
            let body = |run: &Run| result(run).map(|(_, body)| body).unwrap_or_default();
            let mut parts: Vec<ComparedPart> = vec![("Result".to_owned(), body(&old), body(&new))];
            let newest =
                |run: &Run, key: &Key| run.call(key).and_then(Call::output).map(|(.., output)| printed(output));
            let only_old = old.calls.keys().filter(|key| !new.calls.contains_key(*key));
            for key in new.calls.keys().chain(only_old) {
                let (before, after) = (newest(&old, key), newest(&new, key));
                if before != after {
                    parts.push((key.to_string(), before.unwrap_or_default(), after.unwrap_or_default()));
                }
            }
            let compared = Compared::new(&format!("{} → {}", old.title, new.title), parts);
            Ok(Ready::Above(Box::new(Kind::Compare(compared).into())).into())
        })
        .await
    }

    /// The choice of what may follow a run's result.
    pub async fn follow_ups(&self, run: RunId) -> Result<Made, String> {
        let follow_ups = self.blocking(move |engine| {
            let run = load(engine, run)?;
            let (title, body) = result(&run)?;
            let pinned = engine.definition(&run).map_err(|error| error.to_string())?;
            let task = &pinned.task;
            // Why an expression of `[[then]]` does not work out keeps nobody from all else that may follow.
            let (next, wrong) = match successors::of(engine, run.id) {
                Ok(next) => (next, None),
                Err(wrong) => (Vec::new(), Some(wrong.to_string())),
            };
            let successors = next.into_iter().map(|Next { task, inputs, .. }| {
                let from = Parent { run: run.id, how: OriginKind::Successor };
                let open = Effect::Open(Opening::TaskWith(task.clone(), inputs, Some(from)));
                Entry::new(&format!("Go on with {task}"), &task, Pick::Do(vec![open]))
            });
            let mut more: Vec<Entry> = successors.collect();
            if run.kind == TaskKind::Workflow {
                more.extend(picks::actions(&task, &run, RESULT));
            }
            more.push(talk(run.id, &body));
            let choose = picks::follow_ups(run.id, (&title.line(), &body), &task.follow_ups, more);
            let above: Above = Kind::Choose(choose).into();
            Ok((Ready::Above(Box::new(above)), wrong))
        });
        let (ready, wrong) = follow_ups.await?;
        if let Some(wrong) = wrong {
            self.post(Message::Failed(wrong)).await;
        }
        Ok(ready.into())
    }

    /// The form of a task with a result in one of its inputs; started at once when nothing else is asked for.
    pub async fn follow_up(&self, task: String, input: String, text: Untrusted, from: RunId) -> Result<Made, String> {
        self.open_task(task, Some(json!({ input: text.data() })), Some(Parent::of_follow_up(from))).await
    }

    /// Writes a run to a file that does not exist yet, in the format that its name ends with.
    pub async fn export(&self, run: RunId, path: String) -> Result<Message, String> {
        let file = self.cwd.join(&path);
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or("md").to_owned();
        let format = Format::from_name(&ending)
            .ok_or_else(|| format!("`.{ending}` is no format that is known: md, html, pdf, json, csv"))?;
        self.blocking(move |engine| {
            let run = load(engine, run)?;
            let bytes = export::export(&run, format, ExportScope::Result).map_err(|error| error.to_string())?;
            write_new(&file, &bytes)?;
            Ok(Message::Done(format!("written to {path}")))
        })
        .await
    }
}

/// A conversation about a result: what is asked comes above it.
fn talk(run: RunId, body: &Untrusted) -> Entry {
    let given = json!({ "question": format!("\n\n---\n\n{}", body.data()) });
    let from = Some(Parent::of_follow_up(run));
    let open = Effect::Open(Opening::TaskWith(super::starting::PLAIN_CHAT.to_owned(), given, from));
    Entry::new("Talk about it", super::starting::PLAIN_CHAT, Pick::Do(vec![open]))
}

/// Writes a text to what the person named; a file that exists is kept.
pub fn write_new(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let mut bytes = bytes.to_vec();
    if !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    let written = export::file::write(file, &bytes, Existing::Keep);
    written.map_err(|error| format!("{} was not written: {error}", file.display()))
}
