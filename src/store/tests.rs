//! What can only be tried from inside: a disk that fills up.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Mode, Store, lock};
use crate::core::event::{Created, Event};
use crate::core::id::RunId;
use crate::core::pinned::Pinned;
use crate::core::ports::{Append, Journal as _, Stands, Writer};
use crate::core::run::Status;
use crate::core::task::{Body, Instruct, Kind, Task};

fn pinned() -> Pinned {
    let task = Task {
        id: "ask".into(),
        name: "Ask".into(),
        icon: None,
        description: String::new(),
        tags: Vec::new(),
        model: None,
        inputs: Vec::new(),
        actions: Vec::new(),
        follow_ups: Vec::new(),
        meta: None,
        body: Body::Instruct(Instruct::default()),
    };
    Pinned { task, children: std::collections::BTreeMap::default(), folder: None }
}

/// Lets the file grow to so many pages and no further, as a full disk would.
fn limit_pages(store: &Store, pages: u32) {
    let writer = lock(store.writer.as_ref().unwrap());
    writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
}

#[test]
fn a_full_disk_loses_only_what_was_not_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("stepwell.db"), Mode::Write).unwrap();
    let run = RunId::new(1, [1; 10]);
    let created = Created {
        task: "ask".into(),
        kind: Kind::Instruct,
        title: "Ask".into(),
        by: "ana@host".into(),
        cwd: "/home/ana".into(),
        inputs: Arc::new(json!({})),
        definition: pinned().hash().unwrap(),
        nonce: "n".into(),
        session: None,
        state: Value::Null,
        earlier_runs: Vec::new(),
        learned: Vec::new(),
        model: None,
        budget: None,
        origin: None,
    };
    store.create(run, DateTime::UNIX_EPOCH, &created, &[], &pinned()).unwrap();
    let say = |after| {
        let events = vec![Event::MessageAdded { text: "m ".repeat(1_900), by: "ana".into() }];
        let (at, writer) = (DateTime::UNIX_EPOCH, Writer::Decider);
        let stands = Stands { title: String::new(), status: Status::Running, waiting: 0 };
        store.append(&Append { run, after, writer, at, events, learn: Vec::new(), state: Value::Null, stands })
    };
    limit_pages(&store, 80);
    let mut head = 1;
    let error = loop {
        match say(head) {
            Ok(new) => head = new,
            Err(error) => break error.to_string(),
        }
        assert!(head < 1_000, "the disk never filled");
    };
    assert!(error.contains("full") && error.contains("Free some space"), "{error}");
    assert!(error.contains(&store.path().display().to_string()), "{error}");
    assert_eq!(store.read(run, 0).unwrap().len() as u64, head, "reading goes on");
    limit_pages(&store, 100_000);
    assert_eq!(say(head).unwrap(), head + 1);
}
