//! A run that is forked: what does not depend on a call is taken over, and the new run opens.

use std::collections::HashSet;
use std::sync::Arc;

use super::backend::{Backend, Made};
use crate::app::{consent, definitions};
use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::task::{Kind as TaskKind, Task};
use crate::core::text::{Untrusted, counted};
use crate::engine::{Engine, Fork};
use crate::tui::effect::Opening;
use crate::tui::layers::{Kind, picks};
use crate::tui::message::Ready;
use crate::tui::screens::run::rows::{RowId, leaves, rows};

impl Backend {
    /// Forks a run at a call, with the definition of today, and opens what came of it.
    pub async fn fork(&self, run: RunId, at: Key) -> Result<Made, String> {
        let (paths, place) = (self.search_paths.clone(), at.clone());
        let today = move |engine: &Engine| {
            let old = load(engine, run)?;
            let pinned = definitions::today(engine, &paths, &old).map_err(|error| {
                let with = format!("stepwell fork {} --at '{place}' --pinned", old.id.short());
                format!("{error}; `{with}` takes the definition that the run keeps")
            })?;
            Ok((pinned, old.model.clone()))
        };
        let (pinned, model) = self.blocking(today).await?;
        let models = &self.services().await?.models;
        let needed =
            consent::needed(&**models, &pinned, model.as_deref()).await.map_err(|unknown| unknown.to_string())?;
        if let Some(choice) = needed.into_iter().next() {
            return Ok(Ready::Consent { choice, then: Box::new(Opening::Fork { run, at }) }.into());
        }
        let fork = Fork { run, at: at.clone(), pinned: Arc::new(pinned) };
        let made = move |engine: &Engine| {
            let new = engine.fork(&fork).map_err(|error| error.to_string())?;
            Ok((new, load(engine, new)?.calls.len()))
        };
        let (new, kept) = self.blocking(made).await?;
        let says = format!("forked from {} at {at}, reusing {}", run.short(), counted(kept, "call"));
        Ok(Made { says: Some(says), ..self.open_run(new).await? })
    }

    /// The choice of the call at which a run is forked.
    pub async fn choose_fork(&self, run: RunId) -> Result<Made, String> {
        self.blocking(move |engine| {
            let run = load(engine, run)?;
            let pinned = engine.definition(&run).ok();
            let calls = calls(&run, pinned.as_ref().map(|pinned| &pinned.task));
            let title = run.shown_title();
            if calls.is_empty() {
                return Err(format!("\"{title}\" has no call yet at which it could be forked"));
            }
            Ok(Ready::Above(Box::new(Kind::Choose(picks::fork(run.id, &title, calls)).into())).into())
        })
        .await
    }
}

fn load(engine: &Engine, run: RunId) -> Result<Run, String> {
    engine.load(run).map_err(|error| error.to_string())
}

/// The calls at which a run can be forked, in their order, each as it is called in the list of the run: of a conversation
/// the replies, by how they begin.
fn calls(run: &Run, task: Option<&Task>) -> Vec<(Key, String)> {
    if run.kind == TaskKind::Instruct {
        let replies = run.messages.iter().filter_map(|message| Some((&message.reply.as_ref()?.0, &message.text)));
        return replies.map(|(key, text)| (key.clone(), first_line(text))).collect();
    }
    let rows = rows(run, task, &HashSet::new());
    let begun = leaves(run, &rows).filter_map(|row| match &row.id {
        RowId::Call(key) if run.call(key).is_some() => Some((key.clone(), row.title.clone())),
        _ => None,
    });
    begun.collect()
}

fn first_line(text: &Untrusted) -> String {
    let line = text.data().lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Untrusted::from(line).line().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::event::Event;
    use crate::tui::testing::{Story, workflow};

    #[test]
    fn a_run_can_be_forked_at_each_call_that_it_has_made_and_a_conversation_at_each_reply() {
        let item = |subject: &str| Some(json!({ "subject": subject }));
        let story = Story::new("poem", "poem", TaskKind::Workflow)
            .start("divide", 1, None)
            .finish("divide", 1, json!([{"subject": "The tide"}, {"subject": "The storm"}]))
            .accept("divide", 1)
            .start("write[0]", 1, item("The tide"))
            .finish("write[0]", 1, json!("It comes."))
            .accept("write[0]", 1);
        let prompt = |id: &str, rules: serde_json::Value| json!({"id": id, "does": {"kind": "prompt", "prompt": "x"}, "rules": rules});
        let steps =
            [prompt("divide", json!({})), prompt("write", json!({"for_each": {"list": "steps.divide.output"}}))];
        let found = calls(&story.run, Some(&workflow(&json!(steps))));
        let found: Vec<(String, &str)> = found.iter().map(|(key, label)| (key.to_string(), label.as_str())).collect();
        // The storm has not begun.
        assert_eq!(found, [("divide".to_owned(), "divide"), ("write[0]".to_owned(), "The tide")]);

        let said = Event::MessageAdded { text: "hello".into(), by: "ana@host".into() };
        let reply = json!({"turn": "ask", "text": "\nHow long?\nAnd when?"});
        let story = Story::new("ask", "ask", TaskKind::Instruct).then(said);
        let story = story.start("reply#0", 1, None).finish("reply#0", 1, reply).accept("reply#0", 1);
        let found = calls(&story.run, None);
        assert_eq!(found, [("reply#0".parse().unwrap(), "How long?".to_owned())]);
    }
}
