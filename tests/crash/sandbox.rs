//! A folder with a store, and the processes that work in it.

use std::cell::RefCell;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No process here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that everything of one run and its persons is in.
pub struct Sandbox {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
    /// The processes so far, by what they were told: said when a test fails.
    started: RefCell<Vec<String>>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the processes of this sandbox were told: {:?}", self.started.borrow());
        }
    }
}

/// How a process ended.
#[derive(Debug)]
pub enum End {
    Killed,
    Done,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().to_owned(), _folder: Some(folder), started: RefCell::default() }
    }

    /// The folder that this process was started to work in.
    pub fn given() -> Option<Self> {
        let path = std::env::var_os("CRASH_PLACE")?.into();
        Some(Self { path, _folder: None, started: RefCell::default() })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    fn start(&self, env: &[(&str, &str)]) -> Child {
        self.started.borrow_mut().push(format!("{env:?}"));
        Command::new(std::env::current_exe().unwrap())
            .args(["a_person_at_work", "--exact", "--ignored", "--nocapture"])
            .env("CRASH_PLACE", &self.path)
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.file("stderr")).unwrap())
            .spawn()
            .unwrap()
    }

    /// A process that works until it is done or killed.
    pub fn work(&self, env: &[(&str, &str)]) -> End {
        self.end(self.start(env), PATIENCE)
    }

    /// A process that works until it is done or for that time.
    pub fn kill_after(&self, time: Duration) -> End {
        let mut child = self.start(&[]);
        let until = Instant::now() + time;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill();
        self.end(child, PATIENCE)
    }

    /// A process that works until the partial text of an attempt is on the disk: that text.
    pub fn kill_when_spooled(&self) -> String {
        let mut child = self.start(&[("CRASH_STREAM", "1")]);
        let deadline = Instant::now() + PATIENCE;
        let spooled = loop {
            assert!(Instant::now() < deadline, "nothing is spooled");
            let text = self.spooled().unwrap_or_default();
            if text.len() >= super::person::STREAMED.len() {
                break text;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        child.kill().unwrap();
        self.end(child, PATIENCE);
        spooled
    }

    fn spooled(&self) -> Option<String> {
        let run = std::fs::read_dir(self.file("state").join("spool")).ok()?.next()?.ok()?;
        let file = std::fs::read_dir(run.path()).ok()?.next()?.ok()?;
        std::fs::read_to_string(file.path()).ok()
    }

    fn end(&self, mut child: Child, patience: Duration) -> End {
        let deadline = Instant::now() + patience;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    let _ = child.kill();
                    panic!("the person's process hangs: {}", self.said());
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        match (status.success(), status.signal()) {
            (true, _) => End::Done,
            (_, Some(9)) => End::Killed,
            _ => panic!("the person's process failed: {}", self.said()),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.file("stderr")).unwrap_or_default()
    }
}
