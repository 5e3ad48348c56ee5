//! What a call returned: the texts, structured content, pictures and resources of a result, as a [`CallReturn`].
//!
//! A result is read piece by piece: its texts go where a command's output goes ([`CappedText`]), so that a large one is
//! kept at its beginning and spooled as a whole. What cannot be kept is a note, never silence.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::incoming::Reply;
use super::limited::Limited;
use crate::core::capped::{Capped, CappedText, MAX_KEPT};
use crate::core::failure::{Failure, FailureClass};
use crate::core::model::Image;
use crate::core::ports::SpooledText;
use crate::core::secret::{RedactedStream, Redactor};
use crate::core::text::{Utf8, counted};
use crate::core::tool::CallReturn;

/// The largest picture that is kept, in bytes of base64: no provider takes a larger one.
const LARGEST_PICTURE: usize = 7 << 20;
/// Of all pictures of one result together.
const ALL_PICTURES: usize = 28 << 20;
/// The fields of an item that are no text, in bytes.
const MAX_FIELDS: usize = 1 << 16;
/// Pieces in which a long text is handed on, in bytes.
const PIECE: usize = 1 << 16;
/// So many notes of one result are kept.
const MAX_NOTES: usize = 20;

/// Reads a result. `tool` names it in sentences.
pub fn read(reply: &Reply, tool: &str, spooled: Box<dyn SpooledText>, redactor: &Redactor) -> CallReturn {
    let mut gathered = Gathered::new(spooled, redactor.clone());
    let read = match reply {
        Reply::Value(value) => ResultSeed { gathered: &mut gathered, structured: usize::MAX }.deserialize(value),
        Reply::Large { file, .. } => rewound(file).map_err(serde_json::Error::custom).and_then(|file| {
            let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(PIECE, file));
            MessageSeed(&mut gathered).deserialize(&mut json)
        }),
    };
    if let Err(error) = read {
        let message = format!("the tool `{tool}` answered with what is no result of a call: {error}");
        return CallReturn::Failed { error: Failure::new(FailureClass::Tool, message) };
    }
    if let (true, true, Reply::Large { file, .. }) = (gathered.structured_cut, gathered.text.is_empty(), &reply) {
        gathered.as_it_came(file);
    }
    gathered.finish(redactor)
}

fn rewound(file: &File) -> std::io::Result<File> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// What of a result was read so far.
struct Gathered {
    text: CappedText,
    redacting: RedactedStream,
    structured: Option<Value>,
    structured_cut: bool,
    is_error: bool,
    images: Vec<Image>,
    pictures: usize,
    notes: Vec<String>,
}

/// The fields of an item of the content, or of the resource in it; its text is gone where it belongs.
#[derive(Default)]
struct Item {
    kind: String,
    media_type: Option<String>,
    uri: Option<String>,
    name: Option<String>,
    data: Option<Data>,
    has_text: bool,
}

/// Bytes, in base64.
enum Data {
    Kept(String),
    TooLarge(usize),
}

impl Gathered {
    fn new(spooled: Box<dyn SpooledText>, redactor: Redactor) -> Self {
        Self {
            text: CappedText::new(spooled),
            redacting: RedactedStream::new(redactor),
            structured: None,
            structured_cut: false,
            is_error: false,
            images: Vec::new(),
            pictures: 0,
            notes: Vec::new(),
        }
    }

    /// A text; of several each begins on a line of its own.
    fn add_text(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.push("\n");
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.ceil_char_boundary(PIECE));
            self.push(piece);
            rest = after;
        }
    }

    fn push(&mut self, piece: &str) {
        let shown = self.redacting.push(piece);
        self.text.push(&shown);
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        }
    }

    /// The whole message: of a result that has nothing else to read.
    fn as_it_came(&mut self, file: &File) {
        let Ok(mut file) = rewound(file) else { return };
        let (mut decoder, mut bytes) = (Utf8::default(), vec![0; PIECE]);
        while let Ok(count @ 1..) = file.read(&mut bytes) {
            let text = decoder.push(&bytes[..count]);
            self.push(&text);
        }
    }

    fn item(&mut self, item: Item) {
        let of = item.uri.as_ref().map(|uri| format!(" of {uri}")).unwrap_or_default();
        let media_type = item.media_type.unwrap_or_default();
        match (item.kind.as_str(), item.data) {
            ("resource_link", _) => {
                let uri = item.uri.unwrap_or_default();
                let about: Vec<String> =
                    [item.name.unwrap_or_default(), media_type].into_iter().filter(|text| !text.is_empty()).collect();
                let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
                self.add_text(&format!("{uri}{about}"));
            }
            (kind, Some(data)) if kind == "image" || media_type.starts_with("image/") => {
                self.picture(data, media_type, item.uri.as_deref());
            }
            (_, Some(data)) => {
                let size = match data {
                    Data::Kept(data) => data.len(),
                    Data::TooLarge(size) => size,
                };
                let kind = if media_type.is_empty() { "data" } else { &media_type };
                self.note(format!(
                    "{} of {kind}{of} are not kept: only texts and pictures are",
                    counted(size / 4 * 3, "byte")
                ));
            }
            ("text" | "resource", None) if item.has_text => {}
            ("text", None) => self.note("an item of the kind `text` has no text".to_owned()),
            (kind, None) => self.note(format!("content of the kind `{kind}`{of} is not understood")),
        }
    }

    fn picture(&mut self, data: Data, media_type: String, uri: Option<&str>) {
        let number = self.images.len() + 1;
        match data {
            Data::Kept(base64) if self.pictures + base64.len() <= ALL_PICTURES => {
                self.pictures += base64.len();
                let media_type = if media_type.is_empty() { "image/png".to_owned() } else { media_type };
                let ending = media_type.rsplit(['/', '+']).next().unwrap_or("png").to_owned();
                let name = uri.and_then(|uri| uri.rsplit('/').next()).filter(|name| !name.is_empty());
                let name = name.map_or_else(|| format!("picture-{number}.{ending}"), str::to_owned);
                self.images.push(Image { name, media_type, base64: base64.into() });
            }
            Data::Kept(base64) => {
                self.note(format!("a picture of {} bytes is not kept: there are too many", base64.len() / 4 * 3));
            }
            Data::TooLarge(size) => self.note(format!("a picture of {} bytes is too large to be kept", size / 4 * 3)),
        }
    }

    fn finish(mut self, redactor: &Redactor) -> CallReturn {
        let rest = self.redacting.finish();
        self.text.push(&rest);
        let Capped { text, note, .. } = self.text.finish();
        // An error is what the tool says of it.
        let structured = self.structured.filter(|_| !self.is_error || text.is_empty());
        let mut notes: Vec<String> = self.notes.iter().map(|note| redactor.redact(note)).collect();
        let output = if let Some(structured) = structured {
            redactor.redact_json(structured)
        } else {
            if self.structured_cut {
                notes.insert(0, "the structured content is too large to be kept as such: this is its text".to_owned());
            }
            notes.splice(0..0, note);
            Value::String(text)
        };
        CallReturn::Returned { output: Arc::new(output), is_error: self.is_error, images: self.images, notes }
    }
}

/// A whole message of which only the result counts.
struct MessageSeed<'a>(&'a mut Gathered);

/// A result. `structured`: as much of its structured content is kept, in bytes.
struct ResultSeed<'a> {
    gathered: &'a mut Gathered,
    structured: usize,
}

/// The list of its items.
struct ContentSeed<'a>(&'a mut Gathered);

/// An item, or the resource in one.
struct ItemSeed<'a> {
    gathered: &'a mut Gathered,
    item: Item,
}

/// A text.
struct TextSeed<'a>(&'a mut Gathered);

/// Bytes in base64.
struct DataSeed;

/// Reads with a visitor, whatever there is.
macro_rules! any {
    ($seed:ty, $value:ty) => {
        impl<'de> DeserializeSeed<'de> for $seed {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

any!(MessageSeed<'_>, ());
any!(ResultSeed<'_>, ());
any!(ContentSeed<'_>, ());
any!(ItemSeed<'_>, Item);
any!(TextSeed<'_>, ());
any!(DataSeed, Option<Data>);

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            if name == "result" {
                fields.next_value_seed(ResultSeed { gathered: self.0, structured: MAX_KEPT })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `content`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "content" => fields.next_value_seed(ContentSeed(self.gathered))?,
                "structuredContent" => {
                    let mut left = self.structured;
                    let value = fields.next_value_seed(Limited(&mut left))?;
                    self.gathered.structured_cut = value.is_none();
                    self.gathered.structured = value.filter(|value| !value.is_null());
                }
                "isError" => self.gathered.is_error = fields.next_value::<Value>()? == Value::Bool(true),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for ContentSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of content")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.add_text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            let seed = ItemSeed { gathered: self.0, item: Item::default() };
            let Some(item) = items.next_element_seed(seed)? else { return Ok(()) };
            self.0.item(item);
        }
    }
}

impl<'de> Visitor<'de> for ItemSeed<'_> {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an item of content")
    }

    fn visit_str<E>(mut self, text: &str) -> Result<Item, E> {
        self.gathered.add_text(text);
        (self.item.kind, self.item.has_text) = ("text".to_owned(), true);
        Ok(self.item)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Item, A::Error> {
        let mut left = MAX_FIELDS;
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "text" => {
                    fields.next_value_seed(TextSeed(self.gathered))?;
                    self.item.has_text = true;
                }
                "data" | "blob" => self.item.data = fields.next_value_seed(DataSeed)?,
                "resource" => {
                    let inner = ItemSeed { gathered: self.gathered, item: Item::default() };
                    let inner = fields.next_value_seed(inner)?;
                    self.item = Item { kind: self.item.kind, ..inner };
                }
                _ => {
                    let value = fields.next_value_seed(Limited(&mut left))?;
                    let text = value.as_ref().and_then(Value::as_str).map(str::to_owned);
                    match name.as_str() {
                        "type" => self.item.kind = text.unwrap_or_default(),
                        "mimeType" => self.item.media_type = text,
                        "uri" => self.item.uri = text,
                        "name" => self.item.name = text,
                        _ => {}
                    }
                }
            }
        }
        Ok(self.item)
    }
}

impl Visitor<'_> for TextSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.add_text(text);
        Ok(())
    }
}

impl Visitor<'_> for DataSeed {
    type Value = Option<Data>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64")
    }

    fn visit_unit<E>(self) -> Result<Option<Data>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<Data>, E> {
        let kept = text.len() <= LARGEST_PICTURE;
        Ok(Some(if kept { Data::Kept(text.to_owned()) } else { Data::TooLarge(text.len()) }))
    }
}
