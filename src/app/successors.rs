//! What follows a run that is done: the runs of `[[then]]`, one after the other, as many as a person allowed.
//!
//! Promises: what another run gave is an input and nothing more: it names no file that is read. May not: start a run
//! by itself; whoever has the chain does, and says when it is done.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::inputs::{self, InputErrors};
use super::start::{Source, Terms, plan};
use crate::core::event::OriginKind;
use crate::core::form;
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::run::Run;
use crate::core::settings::Settings;
use crate::core::task::Task;
use crate::engine::{Engine, Start, StartError};

/// A run that may follow one that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The run that is done.
    pub after: RunId,
    /// The task's id.
    pub task: String,
    /// What it is given of that run's result, an object.
    pub inputs: Value,
}

impl Next {
    /// What it is given, as its task takes it: a number that was a text is one where the task has a number, and so on.
    #[must_use]
    pub fn given(&self, task: &Task) -> Map<String, Value> {
        match form::as_typed(&task.inputs, &self.inputs) {
            Value::Object(given) => given,
            _ => Map::new(),
        }
    }

    /// The run to be started, of the same session and folder as `before`, with the config's defaults where nothing is given.
    ///
    /// # Errors
    /// When such a default does not fit, or the file that it names cannot be read.
    pub fn plan(&self, before: Arc<Run>, pinned: Arc<Pinned>, settings: &Settings) -> Result<Start, InputErrors> {
        let mut given = self.given(&pinned.task);
        inputs::put_defaults(settings, &pinned.task, &mut given, &before.cwd)?;
        let cwd = before.cwd.clone();
        Ok(plan(Some(&Source::of(before, OriginKind::Successor)), pinned, given, cwd, Terms::default()))
    }
}

/// What may follow a run; nothing before it is completed.
///
/// # Errors
/// When an expression of `[[then]]` does not work out, or the store cannot be used.
pub fn of(engine: &Engine, run: RunId) -> Result<Vec<Next>, StartError> {
    let found = engine.successors(run)?;
    Ok(found.into_iter().map(|(task, inputs)| Next { after: run, task, inputs }).collect())
}

/// What is to be done about a run that may follow.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// It is started; once it is done, [`Chain::done`] has what follows it in line.
    Start(Next),
    /// A person is told of it: no more are to be started.
    Offer(Next),
}

/// The runs that follow each other, in the order in which what they follow was done.
#[derive(Debug)]
pub struct Chain {
    waiting: VecDeque<Next>,
    left: usize,
}

impl Chain {
    /// A chain that starts at most this many runs.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { waiting: VecDeque::new(), left: most }
    }

    /// A run of the chain is done: what follows it comes after what is in line already. How much follows it.
    ///
    /// # Errors
    /// As [`of`].
    pub fn done(&mut self, engine: &Engine, run: RunId) -> Result<usize, StartError> {
        let next = of(engine, run)?;
        let count = next.len();
        self.waiting.extend(next);
        Ok(count)
    }
}

impl Iterator for Chain {
    type Item = Move;

    fn next(&mut self) -> Option<Move> {
        let next = self.waiting.pop_front()?;
        let Some(left) = self.left.checked_sub(1) else { return Some(Move::Offer(next)) };
        self.left = left;
        Some(Move::Start(next))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(task: &str) -> Next {
        Next { after: RunId::new(1, [1; 10]), task: task.to_owned(), inputs: json!({}) }
    }

    #[test]
    fn as_many_are_started_as_were_allowed_and_the_rest_is_offered() {
        let mut chain = Chain::new(2);
        chain.waiting.extend([next("a"), next("b")]);
        assert_eq!(chain.next(), Some(Move::Start(next("a"))));
        // What follows `a` comes after `b`.
        chain.waiting.push_back(next("c"));
        let rest: Vec<Move> = chain.by_ref().collect();
        assert_eq!(rest, [Move::Start(next("b")), Move::Offer(next("c"))]);
        chain.waiting.push_back(next("d"));
        assert_eq!(chain.next(), Some(Move::Offer(next("d"))));
        assert_eq!(chain.next(), None);
    }
}
