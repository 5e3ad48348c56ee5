//! How a drive ends: the results in their files, and what the last lines say.

use super::super::{files, out, waits};
use super::{Drive, Exit, Problem};
use crate::core::run::{Run, Status};
use crate::export::{self, wire};

impl Drive<'_> {
    /// The last line says how the run stands, also when nothing new came of it.
    fn last_line(&self, exit: Exit) -> Result<(), Problem> {
        if exit == Exit::Waiting && self.run().status == Status::Running {
            out::json(&wire::asked(self.run(), chrono::Utc::now()));
        } else if !self.ended {
            let events = self.engine.events(self.run().id, 0)?;
            let last = events.iter().rev().find(|recorded| wire::is_end(&recorded.event));
            out::json(&last.map(|last| wire::event(self.run(), last)).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, exit: Exit) -> Result<(), Problem> {
        let written = self.how.out.as_deref().map_or(Ok(Vec::new()), |folder| files::write_results(folder, self.run()));
        for path in written.iter().flatten() {
            out::say(&format!("written: {}", path.display()));
        }
        if self.how.json {
            self.last_line(exit)?;
        } else {
            self.render(exit);
        }
        // What waits or came of it is said, whatever became of the files.
        written.map(|_| ())
    }

    fn render(&self, exit: Exit) {
        let run = self.run();
        match exit {
            Exit::Done => result(run),
            Exit::Waiting => {
                if self.how.asks {
                    out::say(&waits::render(run));
                } else {
                    out::page(&waits::render(run));
                }
            }
            Exit::Failed if run.status == Status::Failed => {
                let short = run.id.short();
                match &run.error {
                    // Why was said when it happened.
                    Some((Some(key), _)) if self.teller.has_explained(key) => {
                        out::say(&format!("run {short} failed at {key}"));
                    }
                    Some((key, error)) => {
                        let key = key.as_ref().map(|key| format!(" at {key}")).unwrap_or_default();
                        out::say(&format!("run {short} failed{key} ({}): {}", error.class, error.message));
                    }
                    None => {}
                }
                out::say(&waits::after_failure(run));
            }
            Exit::Failed => out::say(&format!("run {} was cancelled", run.id.short())),
            Exit::Interrupted => out::say(&format!("\nto resume: stepwell resume {}", run.id.short())),
            Exit::Usage | Exit::Invalid | Exit::Store => {}
        }
    }
}

/// The result: with its title for a person, the body alone into a pipe or a file.
fn result(run: &Run) {
    let Some(result) = &run.result else { return };
    if export::is_demo(run) {
        out::say(&format!("({})", export::DEMO));
    }
    if out::to_terminal() {
        out::say("");
        if !result.title.is_empty() {
            out::line(&format!("{}\n", result.title.line()));
        }
    }
    out::result(&result.body);
    for document in run.documents.values().filter(|document| document.name != "result") {
        out::say(&format!("document `{}`: stepwell export {} --format md --scope full", document.name, run.id.short()));
    }
}
