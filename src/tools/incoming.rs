//! What a server sends, one JSON-RPC message at a time, whatever size it has.
//!
//! A message of up to [`SMALL`] bytes is read at once. A larger one is put into a file without a name while it arrives,
//! and only whose it is is read at once: what a call returned is then read by the call, piece by piece, so that a
//! result of any size takes the memory of its longest text and not of all its copies.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Messages of up to this size are kept in memory as a whole, in bytes.
const SMALL: usize = 1 << 20;
/// No message is longer, in bytes: a little more than what is spooled of a text.
const LONGEST: u64 = (1 << 28) + (1 << 20);
/// At most this many names are tried for a file.
const MOST_NAMES: u32 = 10_000;
/// What is not a call's result (a list of tools, a question) is no longer, in bytes.
const LONGEST_VALUE: u64 = 1 << 24;

/// The bytes of one message, as they arrive.
#[derive(Default)]
pub struct Arriving {
    small: Vec<u8>,
    large: Option<File>,
    length: u64,
}

/// The bytes of one message.
pub enum Raw {
    Small(Vec<u8>),
    Large { file: File, length: u64 },
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum TooMuch {
    /// It is longer than any message may be.
    Length,
    /// It is large, and could not be put aside.
    NoSpace(io::Error),
}

impl TooMuch {
    pub fn text(&self) -> String {
        match self {
            Self::Length => format!("it sent a message of more than {LONGEST} bytes"),
            Self::NoSpace(error) => format!("it sent a large message, which could not be put aside ({error})"),
        }
    }
}

impl Arriving {
    /// Takes more of the message.
    ///
    /// # Errors
    /// It is too much; then nothing after it can be read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooMuch> {
        self.length += bytes.len() as u64;
        if self.length > LONGEST {
            return Err(TooMuch::Length);
        }
        if self.large.is_none() {
            if self.small.len() + bytes.len() <= SMALL {
                self.small.extend_from_slice(bytes);
                return Ok(());
            }
            let mut file = unnamed_file(&std::env::temp_dir()).map_err(TooMuch::NoSpace)?;
            file.write_all(&std::mem::take(&mut self.small)).map_err(TooMuch::NoSpace)?;
            self.large = Some(file);
        }
        self.large.as_mut().map_or(Ok(()), |file| file.write_all(bytes)).map_err(TooMuch::NoSpace)
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The message is whole; the next one begins.
    pub fn take(&mut self) -> Raw {
        let Self { small, large, length } = std::mem::take(self);
        match large {
            Some(file) => Raw::Large { file, length },
            None => Raw::Small(small),
        }
    }
}

/// A file that only this process sees, and that ends with it. `folder` may be one of everybody's, where any name can be
/// taken.
fn unnamed_file(folder: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut tries = MOST_NAMES;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".stepwell-{}-{count}", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return std::fs::remove_file(&path).map(|()| file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries > 1 => tries -= 1,
            Err(error) => return Err(error),
        }
    }
}

/// One message of a server.
pub enum Message {
    /// The answer to a request of ours.
    Response { id: u64, reply: Result<Reply, RpcError> },
    /// A request of the server's.
    Request { id: Value, method: String, params: Value },
    /// It says something.
    Notification { method: String, params: Value },
    /// It is none: what it is instead, as a whole.
    Rubbish(String),
}

/// A result.
#[derive(Debug)]
pub enum Reply {
    /// At hand.
    Value(Value),
    /// In a whole message, in a file.
    Large { file: File, length: u64 },
}

/// An error that a server answered with, as it came: who shows it takes out secrets, and cuts it after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
}

/// A message without what it is about.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "some")]
    id: Option<Value>,
    method: Option<String>,
    result: Option<IgnoredAny>,
    error: Option<Value>,
}

/// A field that is there, also where it is null.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A whole message whose `result` is wanted.
#[derive(Deserialize)]
struct Answered {
    result: Value,
}

impl Raw {
    /// Reads it. Several messages may come as one list.
    pub fn read(self) -> Vec<Message> {
        match self {
            Self::Small(bytes) => small(&bytes),
            Self::Large { file, length } => vec![large(file, length)],
        }
    }

    /// Whether reading it takes its time.
    pub fn is_large(&self) -> bool {
        matches!(self, Self::Large { .. })
    }
}

fn small(bytes: &[u8]) -> Vec<Message> {
    if bytes.trim_ascii().is_empty() {
        return Vec::new();
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Array(messages)) => messages.into_iter().map(message).collect(),
        Ok(value) => vec![message(value)],
        Err(_) => vec![Message::Rubbish(String::from_utf8_lossy(bytes).into_owned())],
    }
}

fn message(value: Value) -> Message {
    let Value::Object(mut fields) = value else { return Message::Rubbish(value.to_string()) };
    let id = fields.get("id").cloned();
    let (result, error) = (fields.remove("result"), fields.remove("error").filter(|error| !error.is_null()));
    match (fields.get("method").and_then(Value::as_str), id, result, error) {
        (Some(method), id, ..) => {
            let (method, params) = (method.to_owned(), fields.remove("params").unwrap_or_default());
            match id {
                Some(id) => Message::Request { id, method, params },
                None => Message::Notification { method, params },
            }
        }
        (None, Some(id), result, error) => match (number(&id), result, error) {
            (Some(id), _, Some(error)) => Message::Response { id, reply: Err(rpc_error(&error)) },
            (Some(id), Some(result), None) => Message::Response { id, reply: Ok(Reply::Value(result)) },
            (Some(id), None, None) => Message::Response { id, reply: Err(no_result()) },
            (None, ..) => Message::Rubbish(Value::Object(fields).to_string()),
        },
        (None, None, ..) => Message::Rubbish(Value::Object(fields).to_string()),
    }
}

fn large(mut file: File, length: u64) -> Message {
    let rubbish = || Message::Rubbish(format!("{length} bytes that are no message"));
    let Some(Envelope { id, method, result, error }) = rewound(&mut file) else { return rubbish() };
    if method.is_some() {
        let value = if length > LONGEST_VALUE { None } else { rewound::<Value>(&mut file) };
        return value.map_or_else(rubbish, message);
    }
    let Some(id) = id.as_ref().and_then(number) else { return rubbish() };
    let reply = match (result, error) {
        (_, Some(_)) if length > LONGEST_VALUE => {
            Err(RpcError { code: 0, message: format!("an error of {length} bytes") })
        }
        (_, Some(error)) => Err(rpc_error(&error)),
        (Some(_), None) => Ok(Reply::Large { file, length }),
        (None, None) => Err(no_result()),
    };
    Message::Response { id, reply }
}

/// Reads a file from its beginning as one JSON value.
fn rewound<T: for<'de> Deserialize<'de>>(file: &mut File) -> Option<T> {
    file.seek(SeekFrom::Start(0)).ok()?;
    serde_json::from_reader(BufReader::with_capacity(1 << 16, file)).ok()
}

impl Reply {
    /// All of it: of what is no call's result.
    ///
    /// # Errors
    /// It is larger than such an answer has reason to be.
    pub fn value(self) -> Result<Value, String> {
        match self {
            Self::Value(value) => Ok(value),
            Self::Large { length, .. } if length > LONGEST_VALUE => Err(format!("its answer has {length} bytes")),
            Self::Large { mut file, .. } => {
                Ok(rewound::<Answered>(&mut file).ok_or("its answer cannot be read")?.result)
            }
        }
    }
}

/// An id of ours. Servers give it back as a text, or as a number with a point.
fn number(id: &Value) -> Option<u64> {
    match id {
        Value::String(text) => text.parse().ok(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number that is small enough"
        )]
        Value::Number(number) => number.as_u64().or_else(|| {
            let float = number.as_f64()?;
            (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
        }),
        _ => None,
    }
}

fn no_result() -> RpcError {
    RpcError { code: 0, message: "an answer with neither a result nor an error".to_owned() }
}

fn rpc_error(error: &Value) -> RpcError {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let message = error.get("message").and_then(Value::as_str).map_or_else(|| error.to_string(), str::to_owned);
    RpcError { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let mut arriving = Arriving::default();
        for piece in text.as_bytes().chunks(7_001) {
            arriving.push(piece).unwrap();
        }
        let said = |message| match message {
            Message::Response { id, reply: Ok(Reply::Value(value)) } => format!("{id} = {value}"),
            Message::Response { id, reply: Ok(reply @ Reply::Large { .. }) } => {
                format!("{id} = {} bytes", reply.value().unwrap().to_string().len())
            }
            Message::Response { id, reply: Err(error) } => format!("{id} ! {} {}", error.code, error.message),
            Message::Request { id, method, params } => format!("{method}? {id} {}", params.to_string().len()),
            Message::Notification { method, params } => format!("{method}! {}", params.to_string().len()),
            Message::Rubbish(text) => format!("rubbish {text}"),
        };
        arriving.take().read().into_iter().map(said).collect()
    }

    #[test]
    fn messages_are_what_they_are_in_whatever_shape_they_come() {
        for (text, is) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"a":1}}"#, r#"7 = {"a":1}"#),
            (r#"{"result":null,"id":"7"}"#, "7 = null"),
            (r#"{"id":7.0,"result":1,"error":null}"#, "7 = 1"),
            (r#"{"id":7,"error":{"code":-32601,"message":"no"}}"#, "7 ! -32601 no"),
            (r#"{"id":7,"error":"no"}"#, r#"7 ! 0 "no""#),
            (r#"{"id":7}"#, "7 ! 0 an answer with neither a result nor an error"),
            (r#"{"id":"x","method":"ping"}"#, r#"ping? "x" 4"#),
            (r#"{"method":"note","params":{}}"#, "note! 2"),
            (r#"{"id":-7,"result":1}"#, r#"rubbish {"id":-7}"#),
            (r#"{"id":null,"error":{"code":1,"message":"x"}}"#, r#"rubbish {"id":null}"#),
            ("42", "rubbish 42"),
            ("Listening on port 3000", "rubbish Listening on port 3000"),
        ] {
            assert_eq!(read(text), [is], "{text}");
        }
        assert_eq!(read(r#"[{"id":1,"result":1},{"method":"n","params":1}]"#), ["1 = 1", "n! 1"]);
        assert!(read(" \r").is_empty());
    }

    #[test]
    fn a_large_message_is_as_a_small_one() {
        let text = "x".repeat(3 * SMALL);
        assert_eq!(read(&format!(r#"{{"id":7,"result":"{text}"}}"#)), [format!("7 = {} bytes", text.len() + 2)]);
        assert_eq!(read(&format!(r#"{{"result":"{text}","jsonrpc":"2.0","id":7}}"#)).len(), 1);
        assert_eq!(read(&format!(r#"{{"id":7,"error":{{"code":1,"message":"{text}"}}}}"#))[0].len(), text.len() + 6);
        assert_eq!(read(&format!(r#"{{"method":"n","params":"{text}"}}"#)), [format!("n! {}", text.len() + 2)]);
        assert_eq!(read(&text), [format!("rubbish {} bytes that are no message", text.len())]);
    }

    #[test]
    fn a_name_that_is_taken_costs_no_message() {
        let folder = tempfile::tempdir().unwrap();
        for count in 0..2_000 {
            let name = format!(".stepwell-{}-{count}", std::process::id());
            std::os::unix::fs::symlink("/nowhere", folder.path().join(name)).unwrap();
        }
        let mut file = unnamed_file(folder.path()).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2_000);
    }

    #[test]
    fn a_message_without_end_is_refused() {
        let mut arriving = Arriving { length: LONGEST - 1, ..Arriving::default() };
        arriving.push(b"x").unwrap();
        assert!(matches!(arriving.push(b"x"), Err(TooMuch::Length)));
    }
}
