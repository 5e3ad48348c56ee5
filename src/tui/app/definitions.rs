//! Definitions as files: read for the editor, written back and checked, copied to the person's own folder and put aside
//! there, and listed again when their files have changed.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, PoisonError};

use super::backend::Backend;
use crate::catalog::scaffold::{self, Origin};
use crate::catalog::{Catalog, DefinitionSource, Entry, SearchPaths};
use crate::config::private_folder;
use crate::core::task::Kind;
use crate::export::file::{self, Existing};
use crate::tui::message::{Definition, Message};

/// Files that are looked at for changes; whoever has more of them asks again by coming back to Home.
const LOOKED_AT: usize = 4_096;

/// Folders within folders that are looked into.
const DEEP: usize = 4;

impl Backend {
    /// The tasks, if any file of a definition has changed since they were listed last.
    pub async fn list_changed_tasks(&self) -> Result<Option<Message>, String> {
        let backend = self.clone();
        let now = tokio::task::spawn_blocking(move || stamp(&backend.search_paths));
        let now = now.await.map_err(|error| error.to_string())?;
        let before = self.defined.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        // The first look only tells how things are: they have just been listed.
        if before.is_none_or(|before| before == now) { Ok(None) } else { self.list_tasks().await }
    }

    /// A definition, for the editor.
    pub async fn read_definition(&self, id: String) -> Result<Option<Message>, String> {
        self.of_catalog(move |catalog, _| {
            let entry = catalog.get(&id).map_err(|error| error.to_string())?;
            if entry.source == DefinitionSource::Builtin {
                return Err(format!("`{id}` is shipped with the program; copy it to your own first"));
            }
            read(id, entry.path.clone()).map(|definition| Some(Message::Definition(definition)))
        })
        .await
    }

    /// Copies a definition to the person's own folder, where it takes the place of the other; with `edit` it goes to the
    /// editor.
    pub async fn copy_definition(&self, id: String, edit: bool) -> Result<Option<Message>, String> {
        let copied = self
            .of_catalog(move |catalog, paths| {
                let root = paths.own.clone().ok_or("there is no folder of your own to copy it to")?;
                let kind = catalog.get(&id).map_err(|error| error.to_string())?.kind;
                let from = Origin::Task(id.clone());
                let file =
                    scaffold::create(&root, kind, &id, Some(&from), catalog).map_err(|error| error.to_string())?;
                read(id, file)
            })
            .await?;
        if let Some(tasks) = self.list_tasks().await? {
            self.post(tasks).await;
        }
        Ok(Some(if edit {
            Message::Definition(copied)
        } else {
            Message::Done(format!("copied to {}: yours is used from now on", copied.file.display()))
        }))
    }

    /// Puts the person's own copy of a shipped definition aside, where it can be taken back from.
    pub async fn drop_copy(&self, id: String) -> Result<Option<Message>, String> {
        let aside = self
            .of_catalog(move |catalog, paths| {
                let entry = catalog.get(&id).map_err(|error| error.to_string())?;
                let root = paths.own.as_ref().filter(|_| hides_shipped(entry));
                let root = root.ok_or_else(|| format!("`{id}` is no copy of yours of what is shipped"))?;
                put_aside(root, entry).map_err(|error| format!("{} stays: {error}", entry.path.display()))
            })
            .await?;
        if let Some(tasks) = self.list_tasks().await? {
            self.post(tasks).await;
        }
        Ok(Some(Message::Done(format!("the shipped one is used again; yours is in {}", aside.display()))))
    }

    /// Writes a definition that was edited, unless its file was changed by somebody else meanwhile, and checks it.
    pub async fn save_definition(&self, before: Definition, text: String) -> Result<Option<Message>, String> {
        let file = before.file.clone();
        let write = move || -> Result<(), String> {
            let now = std::fs::read_to_string(&before.file).unwrap_or_default();
            if now != before.text {
                let aside = before.file.with_extension("edited.toml");
                file::write_private(&aside, text.as_bytes()).map_err(|error| error.to_string())?;
                return Err(format!(
                    "{} was changed meanwhile and is left as it is; your text is in {}",
                    before.file.display(),
                    aside.display()
                ));
            }
            file::write(&before.file, text.as_bytes(), Existing::Replace)
                .map_err(|error| format!("{} was not written: {error}", before.file.display()))
        };
        tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())??;
        if let Some(tasks) = self.list_tasks().await? {
            self.post(tasks).await;
        }
        Ok(Some(Message::DefinitionSaved(file)))
    }

    /// Does something with the definitions as they are now.
    async fn of_catalog<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Catalog, &SearchPaths) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let backend = self.clone();
        let done =
            tokio::task::spawn_blocking(move || work(&Catalog::load(&backend.search_paths), &backend.search_paths));
        done.await.map_err(|error| error.to_string())?
    }
}

/// Whether a definition is the person's own and hides one that is shipped.
pub fn hides_shipped(entry: &Entry) -> bool {
    static SHIPPED: LazyLock<HashSet<String>> =
        LazyLock::new(|| Catalog::load(&SearchPaths::default()).entries.into_iter().map(|entry| entry.id).collect());
    entry.source == DefinitionSource::User && SHIPPED.contains(&entry.id)
}

/// Moves a definition of the person's own, a workflow with its folder, to a place where none is looked for.
fn put_aside(root: &Path, entry: &Entry) -> io::Result<PathBuf> {
    let whole = match entry.kind {
        Kind::Instruct => Some(entry.path.as_path()),
        Kind::Workflow => entry.path.parent(),
    };
    let named = whole.and_then(|whole| Some((whole, whole.file_name()?.to_string_lossy().into_owned())));
    let (whole, name) = named.ok_or_else(|| io::Error::other("it has no name of its own"))?;
    let trash = root.join("trash");
    private_folder(&trash)?;
    let free = (1..).map(|n| trash.join(if n == 1 { name.clone() } else { format!("{n}-{name}") }));
    let aside = free.into_iter().find(|place| !place.exists()).unwrap_or_else(|| trash.join(&name));
    std::fs::rename(whole, &aside)?;
    Ok(aside)
}

fn read(id: String, file: PathBuf) -> Result<Definition, String> {
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(Definition { id, file, text })
}

/// What the files of all definitions are like: their names, sizes and dates, and what is trusted.
fn stamp(search_paths: &SearchPaths) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut left = LOOKED_AT;
    for root in [&search_paths.own, &search_paths.project, &search_paths.dir].into_iter().flatten() {
        for kind in ["tasks", "workflows"] {
            look_through(&root.join(kind), DEEP, &mut left, &mut hasher);
        }
    }
    look_through(&search_paths.state.join("trust"), 1, &mut left, &mut hasher);
    hasher.finish()
}

fn look_through(folder: &Path, deep: usize, left: &mut usize, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        let Ok(facts) = std::fs::metadata(&path) else { continue };
        let Some(fewer) = left.checked_sub(1) else { return };
        *left = fewer;
        if facts.is_dir() {
            if deep > 0 && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
                look_through(&path, deep - 1, left, hasher);
            }
        } else {
            (path, facts.len(), facts.modified().ok()).hash(hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_dropped_gives_way_to_what_is_shipped_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        let paths =
            SearchPaths { own: Some(own.clone()), state: folder.path().join("state"), ..SearchPaths::default() };
        for (id, kind, kept) in
            [("email", Kind::Instruct, "email.toml"), ("poem", Kind::Workflow, "poem/workflow.toml")]
        {
            for aside in [format!("trash/{kept}"), format!("trash/2-{kept}")] {
                let shipped = Catalog::load(&paths);
                assert!(!hides_shipped(shipped.get(id).unwrap()));
                let file = scaffold::create(&own, kind, id, Some(&Origin::Task(id.into())), &shipped).unwrap();
                // One with mistakes hides the shipped one as well.
                std::fs::write(&file, format!("id = \"{id}\"\nnam = 1\n")).unwrap();
                let catalog = Catalog::load(&paths);
                let mine = catalog.get(id).unwrap();
                assert!(hides_shipped(mine) && mine.source == DefinitionSource::User);
                put_aside(&own, mine).unwrap();
                assert_eq!(Catalog::load(&paths).get(id).unwrap().source, DefinitionSource::Builtin);
                assert!(own.join(&aside).is_file(), "{aside}");
            }
        }
        // One of their own that nothing shipped is behind is no copy.
        std::fs::write(own.join("tasks/mine.toml"), "id = \"mine\"\nname = \"Mine\"").unwrap();
        assert!(!hides_shipped(Catalog::load(&paths).get("mine").unwrap()));
    }

    #[test]
    fn a_changed_added_or_removed_file_of_a_definition_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        let prompts = own.join("workflows/poem/prompts");
        std::fs::create_dir_all(&prompts).unwrap();
        std::fs::create_dir_all(own.join("tasks")).unwrap();
        let paths =
            SearchPaths { own: Some(own.clone()), state: folder.path().join("state"), ..SearchPaths::default() };
        let mut seen = vec![stamp(&paths)];
        let mut differs = |what: &str| {
            let now = stamp(&paths);
            assert!(!seen.contains(&now), "{what} was not noticed");
            assert_eq!(stamp(&paths), now, "nothing has changed since");
            seen.push(now);
        };
        std::fs::write(own.join("tasks/mine.toml"), "id = \"mine\"").unwrap();
        differs("a new task");
        std::fs::write(own.join("tasks/mine.toml"), "id = \"mine\"\nname = \"Mine\"").unwrap();
        differs("a changed task");
        std::fs::write(prompts.join("write.md"), "Write.").unwrap();
        differs("a new prompt");
        std::fs::create_dir_all(paths.state.join("trust")).unwrap();
        std::fs::write(paths.state.join("trust/x.json"), "{}").unwrap();
        differs("what was trusted elsewhere");
        std::fs::remove_file(own.join("tasks/mine.toml")).unwrap();
        differs("a removed task");
    }
}
