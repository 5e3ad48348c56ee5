//! Bytes that arrive in pieces, as text.

/// Decodes UTF-8 piece by piece; what is broken becomes U+FFFD.
#[derive(Default)]
pub struct Utf8 {
    rest: Vec<u8>,
}

impl Utf8 {
    /// The text of `bytes` and of what was left over before.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.rest);
        let mut text = String::with_capacity(bytes.len());
        let mut seen = 0;
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            seen += chunk.valid().len();
            // A character whose end has not come yet waits for it.
            let unfinished = seen + chunk.invalid().len() == bytes.len()
                && std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none());
            if unfinished {
                self.rest = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            seen += chunk.invalid().len();
        }
        text
    }

    /// The end: a character that lacks its end is broken.
    pub fn finish(&mut self) -> &'static str {
        if std::mem::take(&mut self.rest).is_empty() { "" } else { "\u{fffd}" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_in_pieces_are_the_same_text_as_at_once(bytes in prop::collection::vec(any::<u8>(), 0..40), cut in 0usize..40) {
            let cut = cut.min(bytes.len());
            let mut decoder = Utf8::default();
            let mut text = decoder.push(&bytes[..cut]);
            text += &decoder.push(&bytes[cut..]);
            text += decoder.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
