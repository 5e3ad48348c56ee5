//! What is on its way into the journal: a file for each note and text, in a folder for each run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::{StateFolder, create_folder_of};
use crate::core::id::RunId;
use crate::core::ports::{Spool, SpooledText};

impl Spool for StateFolder {
    fn keep(&self, run: RunId, name: &str, note: &[u8]) -> io::Result<()> {
        let path = self.spool(run).join(name);
        create_folder_of(&path)?;
        let part = path.with_extension("part");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(note)?;
        file.sync_all()?;
        fs::rename(&part, path)
    }

    fn text(&self, run: RunId, name: &str) -> Box<dyn SpooledText> {
        Box::new(TextFile { path: self.spool(run).join(name), file: None })
    }

    fn read(&self, run: RunId, name: &str) -> Option<Vec<u8>> {
        fs::read(self.spool(run).join(name)).ok()
    }

    fn names(&self, run: RunId) -> Vec<String> {
        let files = fs::read_dir(self.spool(run)).into_iter().flatten().flatten();
        files.filter_map(|file| file.file_name().into_string().ok()).collect()
    }

    fn remove(&self, run: RunId, name: &str) {
        let _ = fs::remove_file(self.spool(run).join(name));
    }

    fn clear(&self, run: RunId) {
        let _ = fs::remove_dir_all(self.spool(run));
    }
}

struct TextFile {
    path: PathBuf,
    file: Option<File>,
}

impl Write for TextFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut self.file {
            return file.write(bytes);
        }
        create_folder_of(&self.path)?;
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        file.set_len(0)?;
        self.file.insert(file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl SpooledText for TextFile {
    fn restart(&mut self) {
        if let Some(file) = &self.file {
            let _ = file.set_len(0);
        }
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}
