//! Repositories of made-up material, and a model that answers as a test says.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cli::{Done, Home};
use crate::support::git::git;
use crate::support::model_server::{ModelServer, Reply, Request};

/// A person at a machine with a repository in `repo` of their home folder.
pub struct Maintainer {
    pub home: Home,
    pub server: ModelServer,
}

impl Maintainer {
    /// One whose model answers each prompt by `answer`.
    pub fn with(answer: impl Fn(&Request) -> Value + Send + Sync + 'static) -> Self {
        let reply = move |_, request: &Request| match answer(request) {
            Value::String(text) => Reply::text(&text),
            Value::Null => Reply::status(400),
            value => Reply::json(&value),
        };
        let server = ModelServer::answering(reply);
        let home = Home::asking(&server.url());
        std::fs::create_dir_all(home.path().join("repo")).unwrap();
        Self { home, server }.and_git(&["init", "-q", "-b", "main"])
    }

    /// The repository.
    pub fn repo(&self) -> PathBuf {
        self.home.path().join("repo")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.repo().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(self.home.path(), &self.repo(), args)
    }

    fn and_git(self, args: &[&str]) -> Self {
        self.git(args);
        self
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Runs `stepwell` in the repository.
    pub fn run(&self, args: &[&str]) -> Done {
        let mut command = self.home.command(env!("CARGO_BIN_EXE_stepwell"));
        Done::of(command.args(args).current_dir(self.repo()).output().unwrap())
    }

    /// Runs a task to its end with these inputs, accepting what passes.
    pub fn accept(&self, task: &str, inputs: &[&str]) -> Done {
        self.accept_with(task, inputs, &[])
    }

    /// The same, with more arguments.
    pub fn accept_with(&self, task: &str, inputs: &[&str], more: &[&str]) -> Done {
        let mut args = vec!["run", task, "--review", "accept"];
        args.extend(inputs.iter().flat_map(|input| ["-i", input]));
        self.run(&[args, more.to_vec()].concat())
    }

    /// The newest run.
    pub fn last(&self) -> Value {
        self.home.show("last")
    }

    /// What the model was asked, by what its prompt says.
    pub fn prompts(&self, with: &str) -> Vec<String> {
        self.server.prompts(with)
    }
}

/// The prompt of a review of one file.
pub const INSPECT: &str = "You review one file";
/// The prompt of the report.
pub const REPORT: &str = "A change was reviewed file by file";

/// A reviewer who finds nothing, and whose report says what may be said.
pub fn content(request: &Request) -> Value {
    let prompt = request.prompt();
    if prompt.contains(INSPECT) {
        return approves();
    }
    let verdict = if prompt.contains("\"incomplete\", because") { "incomplete" } else { "approve" };
    json!({ "verdict": verdict, "report": "It does what it is meant to." })
}

/// A review without a finding.
pub fn approves() -> Value {
    json!({ "verdict": "approve", "summary": "It adds a line.", "findings": [] })
}

/// The files that prompts are about.
pub fn reviewed(maintainer: &Maintainer) -> Vec<String> {
    let name = |prompt: String| {
        let (_, rest) = prompt.split_once("you see this alone: ").unwrap();
        let line = rest.lines().next().unwrap();
        let file = line.split_once(". Shown").map_or_else(|| line.trim_end_matches('.'), |(file, _)| file);
        file.split(" (").next().unwrap().to_owned()
    };
    let mut names: Vec<String> = maintainer.prompts(INSPECT).into_iter().map(name).collect();
    names.sort();
    names
}

/// The text of the newest result.
pub fn body(maintainer: &Maintainer) -> String {
    maintainer.last()["result"]["body"].as_str().unwrap().to_owned()
}
