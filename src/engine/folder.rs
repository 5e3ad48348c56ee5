//! What a program's definition lacks that version 0.1.0 pinned: it kept only the texts, and started the program in the
//! definition's folder, where it found the rest.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::code::ErrorCode;
use crate::core::decide::Refusal;
use crate::core::id::RunId;
use crate::core::kept_files::KeptFiles;
use crate::core::pinned::Pinned;
use crate::core::ports::Folders;
use crate::core::task::{Body, FlowKind, Workflow};
use crate::engine::EngineError;

/// The definition with every file that its program may use. What a run did not keep is taken from the folder only as long
/// as the definition is trusted as it is now.
///
/// # Errors
/// When it is not: what to do.
pub fn completed(mut pinned: Arc<Pinned>, run: RunId, folders: &dyn Folders) -> Result<Arc<Pinned>, EngineError> {
    let lacks_some =
        matches!(&pinned.task.body, Body::Workflow(Workflow { flow: FlowKind::Process { whole: false, .. }, .. }));
    let Some(folder) = pinned.folder.clone().filter(|_| lacks_some) else { return Ok(pinned) };
    if let Body::Workflow(workflow) = &mut Arc::make_mut(&mut pinned).task.body
        && let FlowKind::Process { sources, binary, whole, .. } = &mut workflow.flow
    {
        let kept: BTreeSet<&str> = sources.keys().chain(binary.keys()).map(String::as_str).collect();
        let others = folders.others(&folder, &kept).map_err(|why| {
            let text = format!(
                "the program of run {0} would find files that were not kept with the run: {why}; look at {1} and say `stepwell resume {0} --update`, which keeps them",
                run.short(),
                folder.display()
            );
            EngineError::from(Refusal::new(ErrorCode::Untrusted, text))
        })?;
        let others: KeptFiles = others.into_iter().collect();
        sources.extend(others.texts);
        binary.extend(others.binary);
        *whole = true;
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::core::bytes::Bytes;

    /// A folder with one more file, trusted or not.
    struct OneMore(bool);

    impl Folders for OneMore {
        fn others(&self, _: &Path, kept: &BTreeSet<&str>) -> Result<BTreeMap<String, Vec<u8>>, String> {
            assert_eq!(*kept, BTreeSet::from(["main.py"]));
            if self.0 {
                Ok(BTreeMap::from([("x.png".to_owned(), vec![0xff])]))
            } else {
                Err("`x.png` lies there".into())
            }
        }
    }

    fn pinned(whole: bool) -> Arc<Pinned> {
        let mut process = json!({ "argv": ["python3", "main.py"], "sources": { "main.py": "" } });
        if whole {
            process["whole"] = true.into();
        }
        let workflow = json!({
            "version": 1, "flow": { "process": process }, "max_concurrency": 4, "max_calls": 500, "steps": [],
            "retry": { "attempts": 1, "delay": 0, "backoff": 1.0, "max_delay": 0, "on": [] },
        });
        let task = serde_json::from_value(json!({ "id": "t", "name": "T", "body": { "workflow": workflow } })).unwrap();
        Arc::new(Pinned { task, children: BTreeMap::new(), folder: Some("/there".into()) })
    }

    #[test]
    fn a_run_that_keeps_only_some_files_is_driven_only_while_the_rest_is_trusted() {
        let run = RunId::new(1, [7; 10]);
        let refused = completed(pinned(false), run, &OneMore(false)).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Untrusted);
        assert!(refused.to_string().contains(&format!("`stepwell resume {} --update`", run.short())), "{refused}");
        let whole = completed(pinned(false), run, &OneMore(true)).unwrap();
        let Body::Workflow(workflow) = &whole.task.body else { panic!("a workflow") };
        let FlowKind::Process { binary, whole, .. } = &workflow.flow else { panic!("a program") };
        assert_eq!((binary.get("x.png"), *whole), (Some(&Bytes(vec![0xff])), true));
        // One that keeps all of them asks nobody.
        assert_eq!(completed(pinned(true), run, &OneMore(false)).unwrap(), pinned(true));
    }
}
