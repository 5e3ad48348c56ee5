//! What a call would do, described for a person who decides about it: the one description that every front end paints.
//!
//! Promises: it is complete, whatever its length, and one work has one description; a secret stands in it as the
//! reference that it is, never as its marker or value; what could be overlooked in a line of its own (an empty argument,
//! a blank at an end, a line break, a tab, anything that is not seen or looks like something else) is made visible, and
//! no two works have the same description. Its texts are [`Untrusted`]: a sink still makes them harmless. May not: cut,
//! judge or abbreviate.

use std::path::PathBuf;

use serde_json::Value;

use super::form::Field;
use super::gate::ApprovalBody;
use super::run::Run;
use super::text::{self, Untrusted, counted, output_text};
use super::tool::OwnWork;
use super::work::{CommandWork, HttpWork, PromptWork, Work, secret_mark, secret_name_mark};

/// A description: sections in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description(pub Vec<Section>);

/// A part of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is: `run`, `in`, `headers`, …
    pub name: String,
    /// What it says.
    pub content: Content,
}

/// What a section says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One line.
    Line(Untrusted),
    /// Each a thing of its own: the elements of an argv.
    Elements(Vec<Untrusted>),
    /// Names and their values.
    Pairs(Vec<(Untrusted, Untrusted)>),
    /// A text, whole.
    Text(Untrusted),
}

impl Description {
    /// What `work` of `run` would do.
    #[must_use]
    pub fn of(work: &Work, run: &Run) -> Self {
        let secrets = References(run);
        let mut sections = Sections { secrets: &secrets, made: Vec::new() };
        match work {
            Work::Command(command) => sections.command(command, run),
            Work::Http(request) => sections.request(request),
            Work::Tool { tool, args, own, .. } => {
                sections.line("call", tool);
                sections.text("arguments", output_text(args).data());
                if let Some(own) = own {
                    sections.own_tool(&own.does);
                }
            }
            Work::Prompt(prompt) => sections.prompt(prompt),
            Work::Ask { text, fields } => {
                sections.text("say", text.as_deref().unwrap_or_default());
                sections.elements("ask for", fields.iter().map(Field::question));
            }
            Work::Transform { value, .. } => sections.text("take", output_text(value).data()),
        }
        Self(sections.made)
    }

    /// What is approved: what the definition says of it, then what its work would do.
    #[must_use]
    pub fn of_approval(approval: &ApprovalBody, run: &Run) -> Self {
        let secrets = References(run);
        let mut sections = Sections { secrets: &secrets, made: Vec::new() };
        let says = "the definition says";
        if let Some(title) = approval.title.as_ref().filter(|title| !title.is_empty()) {
            sections.line(says, title.data());
        }
        if let Some(message) = approval.message.as_ref().filter(|message| !message.is_empty()) {
            let name = if sections.made.is_empty() { says } else { "and" };
            sections.text(name, message.data());
        }
        let work = Self::of(&approval.work, run);
        Self(sections.made.into_iter().chain(work.0).collect())
    }

    /// As plain lines, each section under its name. They may hold words from outside.
    #[must_use]
    pub fn lines(&self) -> Vec<Untrusted> {
        let mut lines = Vec::new();
        for Section { name, content } in &self.0 {
            let mut under = |rows: Vec<String>| {
                lines.push(Untrusted::new(format!("{name}:")));
                let set_in = |row: String| if row.is_empty() { row } else { format!("    {row}") };
                lines.extend(rows.into_iter().map(|row| Untrusted::new(set_in(row))));
            };
            match content {
                Content::Line(line) => lines.push(Untrusted::new(format!("{name}: {}", exact(line.data()).join(" ")))),
                Content::Elements(elements) => {
                    under(elements.iter().flat_map(|element| exact(element.data())).collect());
                }
                Content::Pairs(pairs) => {
                    let pair = |(name, value): &(Untrusted, Untrusted)| {
                        let mut rows = exact(value.data());
                        rows[0] = format!("{} = {}", exact(name.data()).join(" "), rows[0]);
                        rows
                    };
                    under(pairs.iter().flat_map(pair).collect());
                }
                Content::Text(text) => under(text.data().split('\n').map(ending).collect()),
            }
        }
        lines
    }

    /// [`Description::lines`] in one text.
    #[must_use]
    pub fn text(&self) -> Untrusted {
        Untrusted::new(self.lines().iter().map(Untrusted::data).collect::<Vec<_>>().join("\n"))
    }
}

/// The rows of a thing that is shown exactly: what would not be seen is marked, and what goes over several lines is set
/// in, with a mark where each ends.
fn exact(text: &str) -> Vec<String> {
    let text = text.replace('\t', "␉");
    let is_one = !text.contains('\n');
    // What is in quotes itself is quoted too, or two quotes would look like nothing at all.
    if text.is_empty() || (is_one && (text.trim() != text || text.starts_with('"'))) {
        return vec![format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))];
    }
    let inner = text.trim_start_matches(' ');
    let text = format!("{}{inner}", "␠".repeat(text.len() - inner.len()));
    let rows: Vec<&str> = text.split('\n').collect();
    let last = rows.len() - 1;
    let row = |(at, row): (usize, &str)| {
        let row = if at < last { format!("{row}␊") } else { ending(row) };
        format!("{}{row}", if at > 0 { "    " } else { "" })
    };
    rows.into_iter().enumerate().map(row).collect()
}

/// A row with the blanks at its end marked.
fn ending(row: &str) -> String {
    let inner = row.trim_end_matches(' ');
    format!("{inner}{}", "␠".repeat(row.len() - inner.len()))
}

/// The secrets of a run, as references.
struct References<'a>(&'a Run);

impl References<'_> {
    /// `text` with a reference in the place of each marker.
    fn show(&self, text: &str) -> Untrusted {
        let marks = [secret_mark(&self.0.nonce), secret_name_mark(&self.0.nonce)];
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        let first = |text: &str| marks.iter().filter_map(|mark| Some((text.find(mark)?, mark.len()))).min();
        while let Some((at, length)) = first(rest)
            && let Some((name, after)) = rest[at + length..].split_once('⟧')
        {
            let before = &rest[..at];
            shown.push_str(&text::exact(before));
            let reference = self.0.inputs.get(name).and_then(Value::as_str).unwrap_or("unknown");
            shown.extend(["⟦secret ", &*text::exact(name), " (", &*text::exact(reference), ")⟧"]);
            rest = after;
        }
        shown.push_str(&text::exact(rest));
        Untrusted::new(shown)
    }
}

/// Sections on their way.
struct Sections<'a> {
    secrets: &'a References<'a>,
    made: Vec<Section>,
}

impl Sections<'_> {
    fn push(&mut self, name: impl Into<String>, content: Content) {
        self.made.push(Section { name: name.into(), content });
    }

    fn line(&mut self, name: &str, text: &str) {
        let line = self.secrets.show(text);
        self.push(name, Content::Line(line));
    }

    fn elements<'t>(&mut self, name: &str, elements: impl Iterator<Item = &'t str>) {
        let elements: Vec<Untrusted> = elements.map(|element| self.secrets.show(element)).collect();
        if !elements.is_empty() {
            self.push(name, Content::Elements(elements));
        }
    }

    fn pairs<'t>(&mut self, name: &str, pairs: impl Iterator<Item = (impl AsRef<str>, &'t String)>) {
        let pairs: Vec<_> =
            pairs.map(|(name, value)| (self.secrets.show(name.as_ref()), self.secrets.show(value))).collect();
        if !pairs.is_empty() {
            self.push(name, Content::Pairs(pairs));
        }
    }

    /// A text, with its size when there is one.
    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            let shown = self.secrets.show(text);
            self.push(name, Content::Text(shown));
        }
    }

    fn sized(&mut self, name: &str, text: &str) {
        let bytes = counted(text.len(), "byte");
        self.text(&format!("{name} ({bytes})"), text);
    }

    fn command(&mut self, command: &CommandWork, run: &Run) {
        let name = if command.shell { "run through a shell (sh -c)" } else { "run" };
        self.elements(name, command.argv.iter().map(String::as_str));
        self.pairs("with the values", command.parameters());
        if let Some(why) = &command.misplaced {
            self.line("it is refused", why);
        }
        let options = command.options.iter().map(String::as_str);
        self.elements("values that begin with a dash, which the program may read as options", options);
        let files = command.files.iter().map(|file| {
            // An element that merely looks like one is a text.
            let place = if command.shell { String::new() } else { format!(" (element {})", file.element + 1) };
            (format!("@/{}{place}", file.name), format!("SHA-256 {}", file.hash))
        });
        let files: Vec<(String, String)> = files.collect();
        self.pairs("with files of its definition", files.iter().map(|(name, hash)| (name, hash)));
        // As a person names it: `.` would not tell where that is.
        let folder: PathBuf = command.folder(&run.cwd, None).components().collect();
        self.line("in", &folder.to_string_lossy());
        self.pairs("added to its environment", command.env.iter());
        self.sized("stdin", &command.stdin);
    }

    /// What a call of a tool of the author's own runs.
    fn own_tool(&mut self, does: &OwnWork) {
        match does {
            OwnWork::Program { argv, env, cwd, files } => {
                self.elements("run, with the arguments on its stdin", argv.iter().map(String::as_str));
                let files: Vec<(String, String)> =
                    files.iter().map(|(name, hash)| (format!("@/{name}"), format!("SHA-256 {hash}"))).collect();
                self.pairs("with files of its definition", files.iter().map(|(name, hash)| (name, hash)));
                if let Some(folder) = cwd {
                    self.line("in", folder);
                }
                self.pairs("added to its environment", env.iter());
            }
            OwnWork::Expr(expr) => self.line("compute", expr),
        }
    }

    fn request(&mut self, request: &HttpWork) {
        self.line("send", &format!("{} {}", request.method, request.url));
        // One without a value is not sent.
        self.pairs("headers", request.headers.iter().filter(|(_, value)| !value.trim().is_empty()));
        self.sized("body", request.body.as_deref().unwrap_or_default());
    }

    fn prompt(&mut self, prompt: &PromptWork) {
        self.line("ask the model", prompt.models.first().map_or("default", String::as_str));
        self.elements("or, if it does not answer,", prompt.models.iter().skip(1).map(String::as_str));
        for message in &prompt.messages {
            let role = format!("{:?}", message.role).to_lowercase();
            self.text(&role, &message.text);
            self.elements("with the images", message.images.iter().map(|image| image.name.as_str()));
        }
        if let Some(schema) = &prompt.schema {
            self.text("answered as", output_text(schema).data());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::core::event::Created;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::id::RunId;
    use crate::core::task::Kind;
    use crate::core::work::secret_marker;

    fn run() -> Run {
        let created = Created {
            task: "send".into(),
            kind: Kind::Workflow,
            title: "send".into(),
            by: "ana@host".into(),
            cwd: "/home/ana".into(),
            inputs: Arc::new(json!({ "token": "env:API_TOKEN", "pin": "typed" })),
            definition: Fingerprint::of(&"x").unwrap(),
            nonce: "n1".into(),
            date: None,
            session: None,
            state: Value::Null,
            earlier_runs: Vec::new(),
            learned: Vec::new(),
            model: None,
            budget: None,
            origin: None,
        };
        Run::new(RunId::new(1, [7; 10]), chrono::DateTime::UNIX_EPOCH, &created)
    }

    fn rendered(work: &Work) -> String {
        Description::of(work, &run()).text().data().to_owned()
    }

    fn secret(name: &str) -> String {
        secret_marker("n1", name)
    }

    #[test]
    fn a_command_is_told_with_every_value() {
        let command = CommandWork {
            argv: ["deploy", "", " two", "a\tb", "first\nsecond"].map(str::to_owned).to_vec(),
            cwd: Some("./site".into()),
            env: BTreeMap::from([
                ("MODE".into(), "fast".into()),
                ("TOKEN".into(), format!("Bearer {}", secret("token"))),
            ]),
            stdin: "one\n\ntwo".into(),
            ..CommandWork::default()
        };
        assert_eq!(
            rendered(&Work::Command(command)),
            "run:\n    deploy\n    \"\"\n    \" two\"\n    a␉b\n    first␊\n        second\n\
             in: /home/ana/site\nadded to its environment:\n    MODE = fast\n\
             \x20   TOKEN = Bearer ⟦secret token (env:API_TOKEN)⟧\nstdin (8 bytes):\n    one\n\n    two"
        );
    }

    #[test]
    fn two_works_never_look_the_same() {
        let argv = |argument: &str| {
            let argv = vec!["send".to_owned(), argument.to_owned()];
            rendered(&Work::Command(CommandWork { argv, ..CommandWork::default() }))
        };
        let arguments = [
            "",
            "\"\"",
            "\"",
            "\\\"",
            " a",
            "\" a\"",
            "a ",
            "a\u{a0}",
            "a\n ",
            "a\n",
            "a\n␠",
            " a\nb",
            "␠a\nb",
            "a\nb ",
            "a\nb",
            "a␊\nb",
            "a␊\n    b",
            "a\tb",
            "a␉b",
            "a\u{202e}b",
            "a⟨U+202E⟩b",
            "⟦secret token (env:API_TOKEN)⟧",
            &secret("token"),
            "é",
            "e\u{301}",
        ];
        for (at, one) in arguments.iter().enumerate() {
            for other in &arguments[at + 1..] {
                assert_ne!(argv(one), argv(other), "{one:?} and {other:?}");
            }
        }
        let body = |body: &str| rendered(&Work::Http(HttpWork { body: Some(body.into()), ..HttpWork::default() }));
        assert!(body("a  \nb").ends_with("    a␠␠\n    b"), "{}", body("a  \nb"));
    }

    #[test]
    fn a_shell_is_named() {
        let command = CommandWork { argv: vec!["rm *".into()], shell: true, ..CommandWork::default() };
        assert_eq!(rendered(&Work::Command(command)), "run through a shell (sh -c):\n    rm *\nin: /home/ana");
    }

    #[test]
    fn a_request_is_told_with_its_headers_and_its_whole_body() {
        let body = format!("{{\"pin\":\"{}\",\"text\":\"{}\"}}", secret("pin"), "x".repeat(50_000));
        let request = HttpWork {
            method: "POST".into(),
            url: "https://example.org/a".into(),
            headers: BTreeMap::from([
                ("Authorization".into(), secret("token")),
                ("X-Empty".into(), " ".into()),
                ("X-Team".into(), "sea".into()),
            ]),
            body: Some(body.clone()),
            ..HttpWork::default()
        };
        let text = rendered(&Work::Http(request));
        assert!(text.starts_with(
            "send: POST https://example.org/a\nheaders:\n    Authorization = ⟦secret token (env:API_TOKEN)⟧\n    \
             X-Team = sea\nbody ("
        ));
        assert!(text.contains("\"pin\":\"⟦secret pin (typed)⟧\""), "a typed secret is named");
        assert!(text.ends_with(&format!("{}\"}}", "x".repeat(50_000))), "the body was cut");
    }

    #[test]
    fn a_marker_of_another_run_is_no_secret_of_this_one() {
        let stdin = format!("{} {}", secret_marker("other", "token"), "⟦secret:n1:");
        let command = CommandWork { argv: vec!["cat".into()], stdin: stdin.clone(), ..CommandWork::default() };
        // Nor does it look like one.
        let shown = stdin.replace('⟦', "⟨U+27E6⟩").replace('⟧', "⟨U+27E7⟩");
        assert!(rendered(&Work::Command(command)).contains(&shown));
    }

    #[test]
    fn a_value_cannot_pass_for_another_line_of_the_description() {
        let command = CommandWork {
            argv: vec!["x\nin: /elsewhere".into()],
            env: BTreeMap::from([("A".into(), "1\nB = 2".into())]),
            ..CommandWork::default()
        };
        assert_eq!(
            rendered(&Work::Command(command)),
            "run:\n    x␊\n        in: /elsewhere\nin: /home/ana\nadded to its environment:\n    A = 1␊\n        B = 2"
        );
    }

    #[test]
    fn every_kind_of_work_is_described() {
        let tool = Work::tool("files/read", json!({ "path": "a" }));
        assert_eq!(rendered(&tool), "call: files/read\narguments:\n    {\n      \"path\": \"a\"\n    }");
        let prompt = PromptWork {
            models: vec!["careful".into(), "demo/x".into()],
            messages: vec![super::super::model::Message::new(super::super::model::Role::User, "Write.\nNow.")],
            ..PromptWork::default()
        };
        assert_eq!(
            rendered(&Work::Prompt(prompt)),
            "ask the model: careful\nor, if it does not answer,:\n    demo/x\nuser:\n    Write.\n    Now."
        );
        assert_eq!(rendered(&Work::Transform { value: json!(3), schema: None }), "take:\n    3");
        assert_eq!(rendered(&Work::Ask { text: Some("Well?".into()), fields: vec![] }), "say:\n    Well?");
    }
}
