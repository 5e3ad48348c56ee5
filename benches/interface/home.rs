//! Homes to measure in: a model that streams from loopback, tasks with large outputs.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::support::model_server::{ModelServer, Reply};

/// As many tokens as are streamed.
pub const TOKENS: usize = 20_000;

/// A home in which `ask`, `email` and the rest are answered from loopback, at full speed.
pub struct Home {
    folder: TempDir,
    server: ModelServer,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        Self::answered(ModelServer::answering(|nth, _| Reply::raw("text/event-stream", stream(nth))))
    }

    /// One in which so many tokens come one after another, with this time between two of them.
    pub fn paced(tokens: usize, between: Duration) -> Self {
        let reply = move |nth: usize| Reply::chunks((0..tokens).map(move |at| token(at, tokens, nth))).drip(between);
        Self::answered(ModelServer::answering(move |nth, _| reply(nth)))
    }

    fn answered(server: ModelServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self { folder, server };
        home.write(
            "config.toml",
            &format!(
                "[models]\ndefault = \"loop/fast\"\n[providers.loop]\nkind = \"openai\"\nbase_url = \"{}/v1\"\n",
                home.server.url()
            ),
        );
        home.write("workflows/big/workflow.toml", &command("big", 1 << 20));
        home.write("workflows/small/workflow.toml", &command("small", 1 << 10));
        home.write("workflows/told/workflow.toml", TOLD);
        home.write("workflows/thirty/workflow.toml", THIRTY);
        home
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The last word of the answer to the next request.
    pub fn next_last_word(&self) -> String {
        last_word(self.server.requests().len())
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// A task whose result is so many bytes.
fn command(id: &str, bytes: usize) -> String {
    format!(
        "id = '{id}'\nname = 'Output {id}'\n[[steps]]\nid = 'print'\nkind = 'command'\napprove = 'never'\n\
         idempotent = true\nargv = ['sh', '-c', 'yes \"the tide\" | head -c {bytes}']\n"
    )
}

/// One that a model writes.
const TOLD: &str = "id = 'told'\nname = 'Told at length'\n[[steps]]\nid = 'tell'\nprompt = 'Tell it.'\n";

/// One with thirty calls that wait.
const THIRTY: &str = "id = 'thirty'\nname = 'Thirty to read'\n[[steps]]\nid = 'list'\nkind = 'transform'\n\
    expr = 'range(30) | list'\n[[steps]]\nid = 'each'\nfor_each = 'steps.list.output'\nkind = 'transform'\n\
    template = 'The lamp {{ item }} leans out across the tide.'\nreview = 'always'\n";

fn last_word(nth: usize) -> String {
    format!("finis{nth}.")
}

/// A token of the answer to a request: of prose with headings, lists and code.
fn token(at: usize, tokens: usize, nth: usize) -> String {
    match at {
        _ if at + 1 == tokens => format!(" {}", last_word(nth)),
        _ if at.is_multiple_of(1000) => format!("\n\n## Part {}\n\n", at / 1000),
        _ if at.is_multiple_of(500) => "\n\n```rust\nlet lamp = harbour.light(3);\n```\n\n".to_owned(),
        _ if at.is_multiple_of(100) => "\n\n".to_owned(),
        _ if at % 300 > 270 && at.is_multiple_of(10) => "\n- ".to_owned(),
        _ if at.is_multiple_of(17) => " **lamps**".to_owned(),
        _ => [" the", " boats", " lean", " out,", " across", " tides", " and"][at % 7].to_owned(),
    }
}

/// A stream of chat completions, one frame a token.
fn stream(nth: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for at in 0..TOKENS {
        let text = token(at, TOKENS, nth);
        let data = json!({"id": "c", "object": "chat.completion.chunk", "model": "fast",
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        body.extend_from_slice(format!("data: {data}\n\n").as_bytes());
    }
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": TOKENS}});
    body.extend_from_slice(format!("data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n").as_bytes());
    body
}
