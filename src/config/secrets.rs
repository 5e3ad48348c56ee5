//! Secrets by reference: from the environment, from a command of the config, or typed into this process.
//!
//! Values stay in memory, behind a type that cannot be printed. No message holds one, nor what a command said.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::core::failure::{Failure, FailureClass};
use crate::core::id::RunId;
use crate::core::ports::Secrets;
use crate::core::secret::{Redactor, Secret, SecretRef};
use crate::process::Group;

/// A password manager may ask the person to unlock it.
const PATIENCE: Duration = Duration::from_mins(1);

/// No secret is longer.
const LONGEST: u64 = 1024 * 1024;

/// Where this process gets its secrets.
#[derive(Debug)]
pub struct SecretStore {
    commands: BTreeMap<String, Vec<String>>,
    patience: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    typed: BTreeMap<(RunId, String), Secret>,
    printed: BTreeMap<String, Secret>,
    redactor: Redactor,
}

impl SecretStore {
    /// With the commands of the config's `[secrets]`.
    #[must_use]
    pub fn new(commands: BTreeMap<String, Vec<String>>) -> Self {
        Self { commands, patience: PATIENCE, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What is in there is whole after every statement, so a panic elsewhere does not spoil it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value that the command `name` prints; asked once per process.
    fn printed(&self, name: &str) -> Result<Secret, Failure> {
        if let Some(secret) = self.known().printed.get(name) {
            return Ok(secret.clone());
        }
        let Some(argv) = self.commands.get(name) else {
            return Err(auth(format!(
                "the secret `cmd:{name}` has no command; add `{name} = [\"program\", …]` to [secrets] in the config"
            )));
        };
        let secret =
            ask(argv, self.patience).map_err(|why| auth(format!("the command of the secret `cmd:{name}` {why}")))?;
        self.known().printed.insert(name.to_owned(), secret.clone());
        Ok(secret)
    }
}

impl Secrets for SecretStore {
    fn resolve(&self, run: RunId, name: &str, reference: &SecretRef) -> Result<Option<Secret>, Failure> {
        let secret = match reference {
            SecretRef::Typed => self.known().typed.get(&(run, name.to_owned())).cloned(),
            SecretRef::Command(command) => Some(self.printed(command)?),
            SecretRef::Env(variable) => match std::env::var(variable) {
                Ok(value) if !value.is_empty() => Some(Secret::new(value)),
                _ => {
                    let message = format!("the secret `{name}` is in ${variable}, which is not set; set it and resume");
                    return Err(auth(message));
                }
            },
        };
        if let Some(secret) = &secret {
            self.known().redactor.learn(secret);
        }
        Ok(secret)
    }

    fn provide(&self, run: RunId, name: &str, value: Secret) {
        let mut known = self.known();
        known.redactor.learn(&value);
        known.typed.insert((run, name.to_owned()), value);
    }

    fn redactor(&self) -> Redactor {
        self.known().redactor.clone()
    }
}

fn auth(message: String) -> Failure {
    Failure::new(FailureClass::Auth, message)
}

/// Runs a command and takes its output, without the white space around it.
fn ask(argv: &[String], patience: Duration) -> Result<Secret, String> {
    let (program, arguments) = argv.split_first().ok_or("is empty")?;
    // In a group of its own, so that what it starts ends with it.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started (`{program}`: {error})"))?;
    let (send, receive) = std::sync::mpsc::channel();
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut value = Vec::new();
        let read = stdout.map(|out| out.take(LONGEST).read_to_end(&mut value));
        // The receiver is gone only when its patience ended.
        let _ = send.send(read.is_some_and(|read| read.is_ok()).then_some(value));
    });
    let started = Instant::now();
    let Ok(value) = receive.recv_timeout(patience) else {
        end(&mut child);
        return Err(format!("said nothing for {} seconds and was ended", patience.as_secs()));
    };
    let status = wait(&mut child, patience.saturating_sub(started.elapsed()));
    // The output is at its end, so the reader is, too.
    let _ = reader.join();
    match status {
        Some(status) if status.success() => {}
        Some(status) => return Err(format!("failed ({status}); try it in a shell to see why")),
        None => {
            end(&mut child);
            return Err("did not end".to_owned());
        }
    }
    let value = value.and_then(|value| String::from_utf8(value).ok()).ok_or("printed something that is no text")?;
    let value = value.trim();
    if value.is_empty() { Err("printed nothing".to_owned()) } else { Ok(Secret::new(value)) }
}

/// Waits for a child whose output has ended: moments, unless it closed its output early.
fn wait(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

fn end(child: &mut Child) {
    drop(Group::of(Some(child.id())));
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(argv: &[&str], patience: Duration) -> SecretStore {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        SecretStore { patience, ..SecretStore::new(BTreeMap::from([("vault".to_owned(), argv)])) }
    }

    fn run() -> RunId {
        RunId::new(1, [7; 10])
    }

    #[test]
    fn a_command_gives_its_output_and_nothing_prints_it() {
        let store = store(&["sh", "-c", "printf '  hun'; echo ter2"], PATIENCE);
        let secret = store.resolve(run(), "key", &SecretRef::Command("vault".into())).unwrap().unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(store.redactor().redact("the key is hunter2"), "the key is [redacted]");
        assert!(!format!("{store:?}").contains("hunter2"));
    }

    #[test]
    fn a_command_that_does_not_work_says_how_without_its_output() {
        let ask = |argv: &[&str], patience| {
            let store = store(argv, patience);
            store.resolve(run(), "key", &SecretRef::Command("vault".into())).unwrap_err().message
        };
        let failed = ask(&["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 3"], PATIENCE);
        assert!(failed.contains('3') && !failed.contains("hunter2"), "{failed}");
        for silent in [&["true"][..], &["no-such-program-anywhere"], &["printf", "\\377"]] {
            assert!(ask(silent, PATIENCE).contains("vault"), "{silent:?}");
        }
        let hanging = Instant::now();
        assert!(ask(&["sh", "-c", "sleep 600 & sleep 600"], Duration::from_millis(100)).contains("vault"));
        assert!(hanging.elapsed() < PATIENCE, "what it started is ended, too");
    }

    #[test]
    fn a_typed_secret_belongs_to_its_run_and_name() {
        let store = SecretStore::new(BTreeMap::new());
        assert_eq!(store.resolve(run(), "key", &SecretRef::Typed).unwrap(), None);
        store.provide(run(), "key", Secret::new("hunter2"));
        assert_eq!(store.resolve(run(), "key", &SecretRef::Typed).unwrap(), Some(Secret::new("hunter2")));
        assert_eq!(store.resolve(RunId::new(2, [7; 10]), "key", &SecretRef::Typed).unwrap(), None);
        assert_eq!(store.resolve(run(), "other", &SecretRef::Typed).unwrap(), None);
    }

    #[test]
    fn what_is_not_set_is_named() {
        let store = SecretStore::new(BTreeMap::new());
        let missing = SecretRef::Env("STEPWELL_NO_SUCH_VARIABLE".into());
        assert!(store.resolve(run(), "key", &missing).unwrap_err().message.contains("$STEPWELL_NO_SUCH_VARIABLE"));
        let unknown = SecretRef::Command("nope".into());
        assert!(store.resolve(run(), "key", &unknown).unwrap_err().message.contains("add `nope = "));
    }
}
