//! Programs that outlive the process that started them: after a `kill -9` a command goes on in its own process group.
//!
//! While a program runs, a note in the spool says which process it is and when that began, so that
//! another process that has got the same number since is not taken for it. Whoever takes the run up says that it may
//! still run, and ends it before the same call is performed again: never two at once.

use std::fs;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::core::id::RunId;
use crate::core::key::Key;
use crate::core::ports::Spool;
use crate::core::tool_call::ToolCallId;
use crate::engine::{Engine, spooled, time};

/// Between the word that a group is to end and its end by force, and again until it is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// A program that an attempt started, as its note says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The call.
    pub key: Key,
    /// Its attempt.
    pub attempt: u32,
    /// The tool call of that which it is for; `None`: the attempt as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<ToolCallId>,
    /// The process, which leads a group of its own.
    pub pid: i32,
    /// When that process began, as the system tells it.
    since: String,
}

/// Notes that an attempt, or a tool call of it, has started a program. Best effort, like the partial text.
pub fn note(spool: &dyn Spool, run: RunId, key: &Key, (attempt, call): (u32, Option<ToolCallId>), pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    let Some(since) = began(pid) else { return };
    let program = Program { key: key.clone(), attempt, call, pid, since };
    let Ok(text) = serde_json::to_vec(&program) else { return };
    let name = spooled::program(key, attempt, call);
    if spool.text(run, &name).write_all(&text).is_err() {
        spool.remove(run, &name);
    }
}

/// The programs of a run that still run although the process that started them is gone. Only for who has the run's lease,
/// or knows that nobody has. What is left of programs that have ended is removed.
pub fn left(spool: &dyn Spool, run: RunId) -> Vec<Program> {
    let mut left = Vec::new();
    for name in spool.names(run).into_iter().filter(|name| spooled::is_program(name)) {
        let program = spool.read(run, &name).and_then(|text| serde_json::from_slice::<Program>(&text).ok());
        match program.filter(Program::runs) {
            Some(program) => left.push(program),
            None => spool.remove(run, &name),
        }
    }
    left
}

impl Program {
    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        began(self.pid).is_some_and(|since| since == self.since)
    }

    /// Ends it with all that is in its group: it is told to, and after two seconds made to. It is one of `run`.
    pub async fn end(self, spool: &dyn Spool, run: RunId) {
        let Some(group) = Pid::from_raw(self.pid).filter(|_| self.runs()) else { return };
        for signal in [Signal::TERM, Signal::KILL] {
            let _ = kill_process_group(group, signal);
            let mut waited = Duration::ZERO;
            while self.runs() && waited < PATIENCE {
                time::pause(LOOK).await;
                waited += LOOK;
            }
        }
        if !self.runs() {
            spool.remove(run, &spooled::program(&self.key, self.attempt, self.call));
        }
    }
}

impl Engine {
    /// Ends, by force, the programs of the runs that this process drives, and what outlives attempts, such as servers of
    /// tools: it is about to end, and waits for nothing.
    pub fn abandon(&self) {
        self.shared.ports.executor.abandon();
        for program in self.driven().into_iter().flat_map(|run| left(&*self.shared.ports.spool, run)) {
            if let Some(group) = Pid::from_raw(program.pid) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }
}

/// When a process began; `None` when there is none, or it has ended and only its parent has not heard of it.
#[cfg(target_os = "linux")]
fn began(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let (state, since) = (fields.first()?, fields.get(19)?);
    (!matches!(*state, "Z" | "X")).then(|| format!("{} {since}", boot()))
}

/// Which start of the machine this is: it does not change while a process runs.
#[cfg(target_os = "linux")]
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        boot.trim().to_owned()
    })
}

/// When a process began; `None` when there is none, or it has ended and only its parent has not heard of it.
#[cfg(not(target_os = "linux"))]
fn began(pid: i32) -> Option<String> {
    let told = std::process::Command::new("ps").args(["-o", "stat=,lstart=", "-p", &pid.to_string()]).output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (state, since) = told.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| since.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryState;

    #[test]
    fn a_process_that_got_the_same_number_is_not_taken_for_it() {
        let own = i32::try_from(std::process::id()).unwrap();
        let since = began(own).unwrap();
        let program = Program { key: Key::plain("act"), attempt: 1, call: None, pid: own, since };
        assert!(program.runs());
        assert!(!Program { since: "before".to_owned(), ..program }.runs());
    }

    #[test]
    fn what_is_left_of_a_program_that_has_ended_is_removed() {
        let (spool, run, key) = (MemoryState::new(), RunId::new(1, [1; 10]), Key::plain("act"));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        note(&spool, run, &key, (2, None), child.id());
        let left_over = left(&spool, run);
        assert_eq!((left_over.len(), left_over[0].attempt), (1, 2));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((left(&spool, run), spool.names(run)), (Vec::new(), Vec::new()));
        spool.keep(run, &spooled::program(&key, 2, None), b"half a li").unwrap();
        assert_eq!((left(&spool, run), spool.names(run)), (Vec::new(), Vec::new()));
    }
}
