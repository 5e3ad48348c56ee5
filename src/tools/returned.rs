//! What a call returned: the texts, structured content, pictures and resources of a result, as a [`CallReturn`].
//!
//! A result is read piece by piece: its texts go where a command's output goes ([`CappedText`]), so that a large one is
//! kept at its beginning and spooled as a whole. What cannot be kept is a note, never silence, and never a failure: the
//! tool has done what it was called for, and whoever reads that it failed does it again.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{Engine as _, alphabet};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::incoming::Reply;
use super::limited::Limited;
use crate::core::capped::{Capped, CappedText, MAX_KEPT};
use crate::core::model::Image;
use crate::core::ports::SpooledText;
use crate::core::secret::{RedactedStream, Redactor};
use crate::core::text::{Utf8, counted};
use crate::core::tool::CallReturn;

/// The largest picture that is kept, in bytes of base64: no provider takes a larger one.
const LARGEST_PICTURE: usize = 7 << 20;
/// Of all pictures of one result together, in bytes.
const ALL_PICTURES: usize = 21 << 20;
/// The fields of an item that are no text, in bytes.
const MAX_FIELDS: usize = 1 << 16;
/// Pieces in which a long text is handed on, in bytes.
const PIECE: usize = 1 << 16;
/// So many notes of one result are kept.
const MAX_NOTES: usize = 20;
/// The longest note, and the longest name of a picture, in bytes.
const LONGEST_NOTE: usize = 500;
const LONGEST_NAME: usize = 200;

/// Reads a result.
///
/// # Errors
/// It was put aside and cannot be read any more: why.
pub fn read(reply: &Reply, spooled: Box<dyn SpooledText>, redactor: &Redactor) -> Result<CallReturn, String> {
    let mut gathered = Gathered::new(spooled, redactor.clone());
    let read = match reply {
        Reply::Value(value) => ResultSeed { gathered: &mut gathered, structured: usize::MAX }.deserialize(value),
        Reply::Large { file, .. } => rewound(file).map_err(serde_json::Error::custom).and_then(|file| {
            let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(PIECE, file));
            MessageSeed(&mut gathered).deserialize(&mut json)
        }),
    };
    read.map_err(|error| error.to_string())?;
    if let (true, false, Reply::Large { file, .. }) = (gathered.structured_cut, gathered.begun, &reply) {
        gathered.as_it_came(file);
    }
    Ok(gathered.finish(redactor))
}

/// What base64 stands for, also where it is broken into lines, not padded, or the end of a `data:` address.
fn bytes(mut base64: String) -> Option<Vec<u8>> {
    if base64.starts_with("data:") {
        base64.drain(..=base64.find(',')?);
    }
    base64.retain(|c| !c.is_ascii_whitespace());
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(base64).ok()
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
    /// There is text, although all of it may be held back yet.
    begun: bool,
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
    /// It is no object.
    odd: bool,
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
            begun: false,
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
        if std::mem::replace(&mut self.begun, true) {
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
                self.picture(data, &media_type, item.uri.as_deref());
            }
            (_, Some(data)) => {
                let size = match data {
                    Data::Kept(data) => data.len(),
                    Data::TooLarge(size) => size,
                };
                let kind = if media_type.is_empty() { "data" } else { &media_type };
                let size = counted(size / 4 * 3, "byte");
                self.note(format!("dropped {size} of {kind}{of}: only text and images are kept"));
            }
            (_, None) if item.odd => self.note("an item of the content is not understood".to_owned()),
            ("text" | "resource", None) if item.has_text => {}
            ("text", None) => self.note("an item of the kind `text` has no text".to_owned()),
            (kind, None) => self.note(format!("content of the kind `{kind}`{of} is not understood")),
        }
    }

    /// A picture is what its bytes are, whatever the server calls them: a provider that is sent anything else refuses the
    /// whole request, and each one after it.
    fn picture(&mut self, data: Data, media_type: &str, uri: Option<&str>) {
        let kind = if media_type.is_empty() { String::new() } else { format!(" of the kind {media_type}") };
        let base64 = match data {
            Data::Kept(base64) => base64,
            Data::TooLarge(size) => {
                return self.note(format!("a picture of {} bytes is too large to be kept", size / 4 * 3));
            }
        };
        let Some(bytes) = bytes(base64) else {
            return self.note(format!("a picture{kind} is not kept: its data is not base64"));
        };
        let Some(media_type) = Image::media_type_of(&bytes) else {
            return self.note(format!("a picture{kind} is not kept: models take {}", Image::KINDS));
        };
        if self.pictures + bytes.len() > ALL_PICTURES {
            return self.note(format!("a picture of {} bytes is not kept: there are too many", bytes.len()));
        }
        self.pictures += bytes.len();
        let ending = media_type.rsplit('/').next().unwrap_or_default();
        let name = uri.and_then(|uri| uri.rsplit('/').next()).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("picture-{}.{ending}", self.images.len() + 1), str::to_owned);
        let base64 = STANDARD.encode(bytes).into();
        self.images.push(Image { name, media_type: media_type.to_owned(), base64 });
    }

    fn finish(mut self, redactor: &Redactor) -> CallReturn {
        let rest = self.redacting.finish();
        self.text.push(&rest);
        let Capped { text, note, .. } = self.text.finish();
        // An error is what the tool says of it.
        let structured = self.structured.filter(|_| !self.is_error || text.is_empty());
        let mut notes: Vec<String> = self.notes.iter().map(|note| redactor.redact_to(note, LONGEST_NOTE)).collect();
        for image in &mut self.images {
            image.name = redactor.redact_to(&image.name, LONGEST_NAME);
        }
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

/// Of a visitor: what is of these kinds is passed over, and `odd` says what becomes of that.
macro_rules! odd {
    ($($kind:ident)*) => { $(odd!(@ $kind);)* };
    (@ null) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(self.odd())
        }
    };
    (@ boolean) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(self.odd())
        }
    };
    (@ number) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(self.odd())
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(self.odd())
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(self.odd())
        }
    };
    (@ list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(self.odd())
        }
    };
    (@ object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(self.odd())
        }
    };
}

any!(MessageSeed<'_>, ());
any!(ResultSeed<'_>, ());
any!(ContentSeed<'_>, ());
any!(ItemSeed<'_>, Item);
any!(TextSeed<'_>, bool);
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

impl ResultSeed<'_> {
    fn odd(self) {
        self.gathered.note("the result is not understood".to_owned());
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = ();

    odd!(null boolean number list);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `content`")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.gathered.add_text(text);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut has_content = false;
        while let Some(name) = fields.next_key::<String>()? {
            has_content |= matches!(name.as_str(), "content" | "structuredContent");
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
        if !has_content {
            self.gathered.note("the result has no content".to_owned());
        }
        Ok(())
    }
}

impl ContentSeed<'_> {
    fn odd(self) {
        self.0.note("the content is not understood".to_owned());
    }
}

impl<'de> Visitor<'de> for ContentSeed<'_> {
    type Value = ();

    odd!(boolean number);

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
        while let Some(item) = items.next_element_seed(ItemSeed::of(self.0))? {
            self.0.item(item);
        }
        Ok(())
    }

    /// One item that is in no list.
    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        let item = ItemSeed::of(self.0).visit_map(fields)?;
        self.0.item(item);
        Ok(())
    }
}

impl<'a> ItemSeed<'a> {
    fn of(gathered: &'a mut Gathered) -> Self {
        Self { gathered, item: Item::default() }
    }

    fn odd(self) -> Item {
        Item { odd: true, ..self.item }
    }
}

impl<'de> Visitor<'de> for ItemSeed<'_> {
    type Value = Item;

    odd!(null boolean number list);

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
                "text" => self.item.has_text |= fields.next_value_seed(TextSeed(self.gathered))?,
                "data" | "blob" => self.item.data = fields.next_value_seed(DataSeed)?,
                "resource" => {
                    let inner = fields.next_value_seed(ItemSeed::of(self.gathered))?;
                    self.item = Item { kind: self.item.kind, odd: false, ..inner };
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

impl TextSeed<'_> {
    fn take(self, text: &str) -> bool {
        self.0.add_text(text);
        true
    }

    #[expect(clippy::unused_self, reason = "it is what becomes of it")]
    fn odd(self) -> bool {
        false
    }
}

/// Gives whether there was a text. A number is one.
impl<'de> Visitor<'de> for TextSeed<'_> {
    type Value = bool;

    odd!(null list object);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(self.take(&value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(self.take(&value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(self.take(&value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(self.take(&Value::from(value).to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(self.take(text))
    }
}

impl DataSeed {
    #[expect(clippy::unused_self, reason = "it is what becomes of it")]
    fn odd(self) -> Option<Data> {
        None
    }
}

impl<'de> Visitor<'de> for DataSeed {
    type Value = Option<Data>;

    odd!(null boolean number list object);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64")
    }

    fn visit_str<E>(self, text: &str) -> Result<Option<Data>, E> {
        let kept = text.len() <= LARGEST_PICTURE;
        Ok(Some(if kept { Data::Kept(text.to_owned()) } else { Data::TooLarge(text.len()) }))
    }
}
