//! What a command writes to stdout, as it comes: text for the screen, lines of the small contract, the output.
//!
//! The beginning is kept in memory; when there is more, all of it is spooled ([`CappedText`]). Broken UTF-8 is made readable.
//! Secrets are taken out before anything is kept.

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::core::capped::{Capped, CappedText};
use crate::core::model::{Delta, DeltaSink};
use crate::core::ports::SpooledText;
use crate::core::secret::RedactedStream;
use crate::core::step::Speaks;
use crate::core::text::{Untrusted, Utf8};

/// A line of the small contract is no longer than this, in bytes.
const MAX_LINE: usize = 1 << 16;

/// What a command wrote.
#[derive(Debug, Default)]
pub struct Collected {
    /// The beginning of it, as much as is kept.
    pub text: String,
    /// There was more.
    pub cut: bool,
    /// What the person should know: where the whole text is, or why it is not.
    pub note: Option<String>,
    /// A line of the contract was in it, although nothing says that the command speaks it: which.
    pub unsaid: Option<&'static str>,
}

/// Takes what a command writes.
pub struct Collector {
    decoder: Utf8,
    redacting: RedactedStream,
    line: Line,
    text: CappedText,
    deltas: DeltaSink,
    asks: UnboundedSender<Value>,
    speaks: Option<Speaks>,
    /// A line of the contract from a command whose definition does not say that it speaks it.
    unsaid: Option<&'static str>,
}

/// Where in a line the stream is.
enum Line {
    /// At its beginning, or in one that began with `{`: the text so far.
    Open(String),
    /// In one that is output.
    Output,
}

impl Collector {
    /// Shows text and progress through `deltas`, hands on what is asked through `asks`, and puts the full text of a
    /// large output into `spooled`.
    pub fn new(
        redacting: RedactedStream,
        spooled: Box<dyn SpooledText>,
        deltas: DeltaSink,
        asks: UnboundedSender<Value>,
        speaks: Option<Speaks>,
    ) -> Self {
        Self {
            speaks,
            unsaid: None,
            decoder: Utf8::default(),
            redacting,
            line: Line::Open(String::new()),
            text: CappedText::new(spooled),
            deltas,
            asks,
        }
    }

    /// More bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let text = self.decoder.push(bytes);
        let text = self.redacting.push(&text);
        self.lines(&text);
    }

    /// The end.
    pub fn finish(mut self) -> Collected {
        let mut rest = self.redacting.push(self.decoder.finish());
        rest.push_str(&self.redacting.finish());
        self.lines(&rest);
        if let Line::Open(line) = std::mem::replace(&mut self.line, Line::Output)
            && !self.control(&line)
        {
            self.output(&line);
        }
        let unsaid = self.unsaid;
        let Capped { text, cut, note } = self.text.finish();
        Collected { text, cut, note, unsaid }
    }

    fn lines(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            let ends = piece.ends_with('\n');
            match &mut self.line {
                Line::Output => self.output(piece),
                Line::Open(line) => {
                    line.push_str(piece);
                    let may_be_control = line.starts_with('{') && line.len() <= MAX_LINE;
                    if may_be_control && !ends {
                        continue;
                    }
                    let line = std::mem::take(line);
                    if !(may_be_control && self.control(&line)) {
                        self.output(&line);
                    }
                    self.line = Line::Output;
                }
            }
            if ends {
                self.line = Line::Open(String::new());
            }
        }
    }

    /// Takes a line of the small contract: an object whose only field is `progress` or `ask`.
    fn control(&mut self, line: &str) -> bool {
        if self.speaks == Some(Speaks::Nothing) {
            return false;
        }
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return false };
        let mut fields = fields.into_iter();
        match (fields.next(), fields.next()) {
            (Some((name, _)), None) if self.speaks == Some(Speaks::Unsaid) => {
                let names = ["progress", "ask"];
                self.unsaid = self.unsaid.or_else(|| names.into_iter().find(|known| *known == name));
                false
            }
            (Some((name, value)), None) if name == "progress" => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (self.deltas)(Delta::Progress(Untrusted::new(text)));
                true
            }
            (Some((name, form)), None) if name == "ask" => {
                // Nobody listens any more only when the command is being ended.
                let _ = self.asks.send(form);
                true
            }
            _ => false,
        }
    }

    fn output(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let fits = self.text.push(text);
        if fits > 0 {
            (self.deltas)(Delta::Text(Untrusted::from(&text[..fits])));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::core::capped::MAX_KEPT;
    use crate::core::id::RunId;
    use crate::core::ports::Spool as _;
    use crate::core::secret::Redactor;
    use crate::store::StateFolder;

    fn run() -> RunId {
        RunId::new(1, [1; 10])
    }

    fn collector(folder: &std::path::Path) -> (Collector, Arc<Mutex<Vec<Delta>>>, UnboundedReceiver<Value>) {
        let deltas = Arc::new(Mutex::new(Vec::new()));
        let (asks, asked) = unbounded_channel();
        let sink: DeltaSink = {
            let deltas = Arc::clone(&deltas);
            Arc::new(move |delta| deltas.lock().unwrap().push(delta))
        };
        let spooled = StateFolder::new(folder.to_owned()).text(run(), "out");
        (Collector::new(RedactedStream::new(Redactor::default()), spooled, sink, asks, None), deltas, asked)
    }

    #[test]
    fn progress_and_questions_are_no_output() {
        let folder = tempfile::tempdir().unwrap();
        let (mut collector, deltas, mut asked) = collector(folder.path());
        for piece in [
            "one\n{\"prog",
            "ress\": \"half\"}\n{\"progress\": 1, \"x\": 2}\n{\"ask\"",
            ": [1]}\ntwo {\n{\"progress\":{}}",
        ] {
            collector.push(piece.as_bytes());
        }
        let collected = collector.finish();
        assert_eq!(collected.text, "one\n{\"progress\": 1, \"x\": 2}\ntwo {\n");
        assert_eq!(asked.try_recv().unwrap(), serde_json::json!([1]));
        let progress: Vec<_> =
            deltas.lock().unwrap().iter().filter(|d| matches!(d, Delta::Progress(_))).cloned().collect();
        assert_eq!(progress, [Delta::Progress("half".into()), Delta::Progress("{}".into())]);
    }

    #[test]
    fn a_large_output_is_in_a_file_and_its_beginning_here() {
        let folder = tempfile::tempdir().unwrap();
        let (mut collector, deltas, _asked) = collector(folder.path());
        let line = format!("{}é\n", "x".repeat(997));
        for _ in 0..3_000 {
            collector.push(line.as_bytes());
        }
        let collected = collector.finish();
        assert!(collected.cut && collected.text.len() <= MAX_KEPT && collected.text.len() > MAX_KEPT - 4);
        assert!(collected.note.unwrap().contains("3000000 bytes"));
        assert_eq!(
            StateFolder::new(folder.path().to_owned()).read(run(), "out").unwrap(),
            line.repeat(3_000).as_bytes()
        );
        let shown: usize =
            deltas.lock().unwrap().iter().map(|d| if let Delta::Text(t) = d { t.data().len() } else { 0 }).sum();
        assert_eq!(shown, collected.text.len());
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_note() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spool"), "in the way").unwrap();
        let (mut collector, _, _asked) = collector(folder.path());
        collector.push("y\n".repeat(MAX_KEPT).as_bytes());
        let collected = collector.finish();
        assert_eq!(collected.text.len(), MAX_KEPT);
        assert!(collected.note.unwrap().contains("only the beginning"));
    }
}
