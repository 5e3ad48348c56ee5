//! What an answer is that is no text: said by its first bytes, or by its content type.

/// What begins files of a kind.
const SIGNATURES: [(&[u8], &str); 12] = [
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n\x1a\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF87a", "an image"),
    (b"GIF89a", "an image"),
    (b"PK\x03\x04", "an archive or an office document"),
    (b"\x1f\x8b", "an archive"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"OggS", "a sound recording"),
    (b"fLaC", "a sound recording"),
    (b"\x7fELF", "a program"),
];

/// What it is, in words; `None` for what may be text.
pub fn of(bytes: &[u8], content_type: &str) -> Option<&'static str> {
    let signed = SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, kind)| *kind);
    signed.or_else(|| tagged(bytes)).or_else(|| container(bytes)).or_else(|| of_type(content_type))
}

/// A sound recording that begins with a tag: its version is no letter, as what follows in a text would be.
fn tagged(bytes: &[u8]) -> Option<&'static str> {
    matches!(bytes, [b'I', b'D', b'3', 0..=4, ..]).then_some("a sound recording")
}

fn container(bytes: &[u8]) -> Option<&'static str> {
    match (bytes.get(..4)?, bytes.get(4..8)?, bytes.get(8..12)?) {
        (b"RIFF", _, b"WEBP") | (_, b"ftyp", b"avif" | b"heic") => Some("an image"),
        (b"RIFF", _, b"WAVE") => Some("a sound recording"),
        (b"RIFF", _, b"AVI ") | (_, b"ftyp", _) | (b"\x1aE\xdf\xa3", ..) => Some("a video"),
        _ => None,
    }
}

fn of_type(content_type: &str) -> Option<&'static str> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
    Some(match kind.split_once('/')? {
        ("image", _) => "an image",
        ("audio", _) => "a sound recording",
        ("video", _) => "a video",
        ("font", _) => "a font",
        ("application", "pdf" | "x-pdf") => "a PDF document",
        ("application", "zip" | "gzip" | "x-tar" | "x-7z-compressed" | "vnd.rar" | "x-gzip" | "epub+zip") => {
            "an archive"
        }
        ("application", "msword") => "an office document",
        ("application", kind)
            if ["vnd.ms-", "vnd.openxmlformats-officedocument.", "vnd.oasis.opendocument."]
                .iter()
                .any(|office| kind.starts_with(office)) =>
        {
            "an office document"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn what_is_no_text_is_named_by_its_bytes_or_its_type() {
        for (bytes, content_type, kind) in [
            (b"%PDF-1.7\n".as_slice(), "text/html", Some("a PDF document")),
            (b"", "application/pdf; charset=binary", Some("a PDF document")),
            (b"\xff\xd8\xff\xe0", "", Some("an image")),
            (b"RIFF\0\0\0\0WEBPVP8 ", "", Some("an image")),
            (b"\0\0\0\x20ftypisom", "", Some("a video")),
            (b"<svg/>", "image/svg+xml", Some("an image")),
            (
                b"",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                Some("an office document"),
            ),
            (b"<p>", "text/html", None),
            (b"plain", "text/plain", None),
            (b"{}", "application/json", None),
            (b"ID3\x04\0", "", Some("a sound recording")),
            (b"ID3 tags are kept", "text/plain", None),
            (b"GIF89a\0", "", Some("an image")),
            (b"GIF89 is older than GIF87a", "text/plain", None),
            (b"", "", None),
        ] {
            assert_eq!(of(bytes, content_type), kind, "{content_type}");
        }
    }
}
