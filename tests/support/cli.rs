//! The real binary, driven from outside, each time in a home of its own and without anybody's keys.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A home folder, and the program in it.
pub struct Home {
    folder: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    /// The exit code.
    pub code: i32,
    /// Its stdout.
    pub out: String,
    /// Its stderr.
    pub err: String,
}

impl Home {
    /// An empty home.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// One in which `stepwell` asks the model of a server by default, in the protocol of OpenAI.
    pub fn asking(url: &str) -> Self {
        let home = Self::new();
        let provider = format!("[providers.it]\nkind = \"openai\"\nbase_url = \"{url}/v1\"\n");
        home.write("config.toml", &format!("[models]\ndefault = \"it/m\"\n{provider}"));
        home
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file in the home.
    pub fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A command with the program's folder first on the path, so that `stepwell` alone finds it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_stepwell"));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", binary.parent().unwrap().display()))
            .env("HOME", self.path())
            .env("USER", "ana")
            .env("TZ", "UTC")
            .env("STEPWELL_HOME", self.path())
            .env("STEPWELL_DEMO_PACE", "instant")
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `stepwell` to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        Done::of(self.command(env!("CARGO_BIN_EXE_stepwell")).args(args).output().unwrap())
    }

    /// Runs `stepwell` with arguments that are parted by spaces.
    pub fn step(&self, line: &str) -> Done {
        self.run(line.split(' '))
    }

    /// Runs `stepwell` with something on stdin.
    pub fn piped(&self, line: &str, stdin: &[u8]) -> Done {
        Done::of(fed(self.command(env!("CARGO_BIN_EXE_stepwell")).args(line.split(' ')), stdin))
    }

    /// Gives a line to a shell, as a person who copied it would.
    pub fn shell(&self, line: &str) -> Done {
        Done::of(self.command("sh").arg("-c").arg(line).output().unwrap())
    }

    /// `show --json` of a run.
    pub fn show(&self, run: &str) -> Value {
        let done = self.run(["show", run, "--json"]);
        assert_eq!(done.code, 0, "{done:?}");
        serde_json::from_str(&done.out).unwrap()
    }

    /// The call of that key in the newest run.
    pub fn call(&self, key: &str) -> Value {
        let run = self.show("last");
        let calls = run["calls"].as_array().unwrap();
        calls.iter().find(|call| call["key"] == key).unwrap_or_else(|| panic!("no call {key} in {run:#}")).clone()
    }
}

/// Runs a command with something on stdin.
pub fn fed(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A program that does not read its stdin may have closed it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

impl Drop for Home {
    /// What a test left running ends with it. A program that waits for ever would keep all that it inherited, and those
    /// who wait for that would wait for ever, too.
    fn drop(&mut self) {
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let is_here = std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.path()));
            let id = process.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
            if let (true, Some(id)) = (is_here, id) {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }
}

impl Done {
    /// What a command came to.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code and gives itself.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts that a command with `--json` was refused, with this exit code and by this code. Gives the message.
    #[track_caller]
    pub fn refused(self, exit: i32, code: &str) -> String {
        let done = self.exits(exit);
        let error = done.lines().pop().unwrap_or_else(|| panic!("stdout is empty: {done:?}"));
        assert_eq!((&error["type"], &error["code"]), (&"error".into(), &code.into()), "{done:?}");
        error["message"].as_str().unwrap().to_owned()
    }

    /// Its stdout as JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }

    /// The command that its stdout says answers.
    pub fn answer(&self) -> String {
        let line = self.out.lines().map(str::trim).find(|line| line.starts_with("stepwell review"));
        line.unwrap_or_else(|| panic!("no command in {}", self.out)).to_owned()
    }
}
