//! What the processes that drive runs need of each other, on the disk and in memory: one owner, who hears of what others
//! write; and what is on its way into the journal.

use std::io::Write as _;

use stepwell::core::ports::{Ownership, Spool};
use stepwell::store::{MemoryState, StateFolder};

use super::common::id;

/// What two processes have of the same machine.
struct Machine<T> {
    here: T,
    there: T,
    _folder: Option<tempfile::TempDir>,
}

fn disk() -> Machine<StateFolder> {
    let folder = tempfile::tempdir().unwrap();
    let state = || StateFolder::new(folder.path().join("state"));
    Machine { here: state(), there: state(), _folder: Some(folder) }
}

fn memory() -> Machine<MemoryState> {
    let state = MemoryState::new();
    Machine { here: state.clone(), there: state, _folder: None }
}

async fn one_owner(here: impl Ownership, there: impl Ownership) {
    let run = id(1);
    assert!(!here.is_owned(run) && !there.is_owned(run));
    let lease = here.take(run).unwrap().unwrap();
    assert!(there.is_owned(run) && there.take(run).unwrap().is_none() && here.take(run).unwrap().is_none());
    assert!(there.take(id(2)).unwrap().is_some(), "another run has another owner");
    drop(lease);
    assert!(!here.is_owned(run) && !here.is_owned(id(2)));
    let lease = there.take(run).unwrap().unwrap();
    // Who wakes before it is waited for is heard as well, and so is who wakes later.
    here.wake(run);
    here.wake(id(2));
    soon(lease.woken()).await;
    let (wakes, woken) = (async { here.wake(run) }, lease.woken());
    soon(async { tokio::join!(woken, wakes) }).await;
    drop(lease);
    there.forget(run);
    here.wake(run);
    assert!(!here.is_owned(run) && here.take(run).unwrap().is_some());
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(crate::patience::PATIENCE, what).await.unwrap()
}

#[tokio::test]
async fn a_run_has_one_owner_who_is_woken_by_others() {
    let (disk, memory) = (disk(), memory());
    one_owner(disk.here, disk.there).await;
    one_owner(memory.here, memory.there).await;
}

fn kept(here: &dyn Spool, there: &dyn Spool) {
    let run = id(1);
    assert_eq!((here.read(run, "a.outcome"), here.names(run)), (None, Vec::new()));
    here.keep(run, "a.outcome", b"long, and first").unwrap();
    there.keep(run, "a.outcome", b"second").unwrap();
    assert_eq!(there.read(run, "a.outcome").unwrap(), b"second");
    let mut text = here.text(run, "a.partial");
    assert_eq!(there.read(run, "a.partial"), None, "nothing was written yet");
    text.restart();
    text.write_all(b"so ").unwrap();
    text.write_all(b"far").unwrap();
    text.flush().unwrap();
    assert_eq!(there.read(run, "a.partial").unwrap(), b"so far");
    text.restart();
    text.write_all(b"again").unwrap();
    text.flush().unwrap();
    assert_eq!(there.read(run, "a.partial").unwrap(), b"again");
    assert!(text.location().contains("a.partial"));
    // One that a process left is written over by the next.
    let mut next = there.text(run, "a.partial");
    next.write_all(b"x").unwrap();
    next.flush().unwrap();
    assert_eq!(here.read(run, "a.partial").unwrap(), b"x");
    let mut names = here.names(run);
    names.sort();
    assert_eq!(names, ["a.outcome", "a.partial"]);
    assert_eq!(here.names(id(2)), Vec::<String>::new());
    here.remove(run, "a.partial");
    here.remove(run, "a.partial");
    assert_eq!(there.names(run), ["a.outcome"]);
    here.keep(id(2), "b.outcome", b"other").unwrap();
    here.clear(run);
    assert_eq!((there.names(run), there.names(id(2))), (Vec::new(), vec!["b.outcome".to_owned()]));
}

#[test]
fn what_is_on_its_way_into_the_journal_is_there_for_the_next_process() {
    let (disk, memory) = (disk(), memory());
    kept(&disk.here, &disk.there);
    kept(&memory.here, &memory.there);
}
