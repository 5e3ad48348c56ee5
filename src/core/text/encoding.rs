//! Bytes as text, whatever encoding they are in.
//!
//! A byte order mark decides; then what the bytes are said to be, where that cannot be ASCII's like; then UTF-8, if they are
//! that. What is left is as it is said to be, or as it looks (a guess by the letters, as browsers make it). A text of which
//! most is UTF-8 and some lines are not, as a difference between files of two times, is read line by line. Bytes that are no
//! text at all (pictures, archives, programs) are told apart where a person has given them as a text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// As many bytes are looked at to see UTF-16 without a mark.
const SAMPLE: usize = 4_096;

/// From as many letters on that are not ASCII's an encoding can be guessed.
const FEW_LETTERS: usize = 3;

/// Bytes that are no text: at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText(pub usize);

/// The text of a file that a person gave as a text, without a byte order mark.
///
/// # Errors
/// When it is no text.
pub fn of_file(bytes: Vec<u8>) -> Result<String, NotText> {
    match Encoding::for_bom(&bytes) {
        Some((encoding, mark)) if encoding == UTF_8 => unmarked(bytes[mark..].to_vec()),
        Some((encoding, mark)) => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
            text.map(Cow::into_owned).ok_or(NotText(mark))
        }
        None => unmarked(bytes),
    }
}

fn unmarked(bytes: Vec<u8>) -> Result<String, NotText> {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => return Ok(text),
        // Letters with zeros between them are UTF-8, too.
        Ok(text) => match unmarked_utf_16(text.as_bytes()) {
            Some(_) => text.into_bytes(),
            None => return Ok(text),
        },
        Err(error) => error.into_bytes(),
    };
    if let Some(encoding) = unmarked_utf_16(&bytes) {
        return Ok(encoding.decode_without_bom_handling(&bytes).0.into_owned());
    }
    match bytes.iter().position(|byte| is_of_no_text(*byte)) {
        Some(at) => Err(NotText(at)),
        None => Ok(guessed(&bytes).into_owned()),
    }
}

/// The text of bytes that may be anything; `named` is the encoding that something says they are in.
#[must_use]
pub fn of_bytes<'b>(bytes: &'b [u8], named: Option<&'static Encoding>) -> Cow<'b, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    if let Some(encoding) = named.filter(|encoding| !encoding.is_ascii_compatible()) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    match (std::str::from_utf8(bytes), named) {
        (Ok(text), _) => Cow::Borrowed(text),
        (Err(_), Some(encoding)) if encoding != UTF_8 => encoding.decode_without_bom_handling(bytes).0,
        (Err(_), _) => guessed(bytes),
    }
}

/// Control characters that no text has in any encoding of single bytes.
fn is_of_no_text(byte: u8) -> bool {
    matches!(byte, 0..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f)
}

/// UTF-16 without a mark: of the letters of most scripts every second byte is zero, or the line breaks and spaces are.
fn unmarked_utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    if !bytes.len().is_multiple_of(2) || sample.len() < 4 {
        return None;
    }
    let is_letter = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let (mut little, mut big, mut others) = (0, 0, 0);
    for pair in sample.chunks_exact(2) {
        match *pair {
            [0, 0] => return None,
            [letter, 0] if is_letter(letter) => little += 1,
            [0, letter] if is_letter(letter) => big += 1,
            [0, _] | [_, 0] => others += 1,
            _ => {}
        }
    }
    let (encoding, letters, against) = if little > big { (UTF_16LE, little, big) } else { (UTF_16BE, big, little) };
    let enough = letters * 20 >= sample.len() / 2 && (against + others) * 10 <= letters;
    (enough && !encoding.decode_without_bom_handling(bytes).1).then_some(encoding)
}

/// The text of bytes that are not UTF-8, or not all of them.
fn guessed(bytes: &[u8]) -> Cow<'_, str> {
    let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
    let (mut whole, mut broken) = (0_usize, 0_usize);
    for line in lines().filter(|line| !line.is_ascii()) {
        if std::str::from_utf8(line).is_ok() {
            whole += 1;
        } else {
            broken += 1;
        }
    }
    // Hardly any line with accents is UTF-8 by chance.
    if whole >= broken.max(1) {
        let line = |line| std::str::from_utf8(line).map_or_else(|_| windows_1252(line), Cow::Borrowed);
        return Cow::Owned(lines().map(line).collect());
    }
    // A letter or two say nothing: most texts of the West are in this one.
    if bytes.iter().filter(|byte| !byte.is_ascii()).count() < FEW_LETTERS {
        return windows_1252(bytes);
    }
    let mut detector = chardetng::EncodingDetector::new();
    detector.feed(bytes, true);
    detector.guess(None, false).decode_without_bom_handling(bytes).0
}

fn windows_1252(line: &[u8]) -> Cow<'_, str> {
    WINDOWS_1252.decode_without_bom_handling(line).0
}

#[cfg(test)]
mod tests {
    use encoding_rs::{BIG5, EUC_KR, GBK, ISO_2022_JP, ISO_8859_2, SHIFT_JIS, WINDOWS_1251};
    use proptest::prelude::*;

    use super::*;

    const GERMAN: &str = "Größe, Käse und Straße: ein paar Wörter für den Anfang. Später folgen natürlich mehr.\r\n";
    const RUSSIAN: &str = "Сначала откроем окно настроек. Затем выберем вторую вкладку и добавим сервер.\n";
    const JAPANESE: &str = "最初に設定画面を開きます。次に二番目のタブを選びます。サーバーを追加してください。\n";
    const CHINESE: &str = "首先打开设置窗口，然后选择第二个选项卡。在那里你会看到所有服务器的列表。\n";
    const KOREAN: &str = "먼저 설정 창을 엽니다. 그런 다음 두 번째 탭을 선택합니다. 서버를 추가하세요.\n";

    fn utf_16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn a_file_is_read_in_whatever_encoding_it_is() {
        for text in [GERMAN, RUSSIAN, JAPANESE, CHINESE, KOREAN, "plain\n", ""] {
            // What tells UTF-16 without a mark are the letters that all scripts share.
            let text = &format!("1\r\n00:01 --> 00:02\r\n{text}");
            let marked = |mark: &[u8], bytes: Vec<u8>| [mark.to_vec(), bytes].concat();
            for bytes in [
                text.as_bytes().to_vec(),
                marked(b"\xef\xbb\xbf", text.as_bytes().to_vec()),
                marked(b"\xff\xfe", utf_16(text, false)),
                marked(b"\xfe\xff", utf_16(text, true)),
                utf_16(text, false),
                utf_16(text, true),
            ] {
                assert_eq!(of_file(bytes).as_ref(), Ok(text));
            }
        }
        for (text, encoding) in [
            (GERMAN, WINDOWS_1252),
            (RUSSIAN, WINDOWS_1251),
            (JAPANESE, SHIFT_JIS),
            (JAPANESE, ISO_2022_JP),
            (CHINESE, GBK),
            (CHINESE.trim_end_matches("列表。\n"), BIG5),
            (KOREAN, EUC_KR),
        ] {
            let (bytes, _, unmappable) = encoding.encode(text);
            // What has no sign in an encoding cannot be tried with it; nor is one that is ASCII known for another by itself.
            if !unmappable && encoding != ISO_2022_JP {
                assert_eq!(of_file(bytes.to_vec()).as_deref(), Ok(text), "{}", encoding.name());
            }
            if !unmappable {
                assert_eq!(of_bytes(&bytes, Some(encoding)), text, "{}", encoding.name());
            }
        }
    }

    #[test]
    fn what_is_said_of_an_encoding_counts_unless_the_bytes_say_otherwise() {
        let (latin, ..) = ISO_8859_2.encode("Łódź");
        assert_eq!(of_bytes(&latin, Some(ISO_8859_2)), "Łódź");
        assert_eq!(of_bytes("Łódź".as_bytes(), Some(ISO_8859_2)), "Łódź", "UTF-8 that is called something else");
        assert_eq!(of_bytes(&utf_16("<p>Łódź", false), Some(UTF_16LE)), "<p>Łódź");
        assert_eq!(of_bytes(b"\xef\xbb\xbfa", Some(ISO_8859_2)), "a");
    }

    #[test]
    fn lines_of_another_encoding_among_utf_8_cost_only_themselves() {
        let mixed = [GERMAN.as_bytes(), b"+caf\xe9\n", GERMAN.as_bytes()].concat();
        assert_eq!(of_file(mixed), Ok(format!("{GERMAN}+café\n{GERMAN}")));
    }

    #[test]
    fn a_word_of_latin_1_is_enough() {
        for text in [
            "[\"fête\"]",
            "Zoë",
            "une fête à l'école d'été, où l'on rêve",
            "Ça coûte 3 € à peine",
            "El niño comió en el jardín; ¿por qué?",
            "naïve café",
            "Grüße aus Köln",
            "Å spise blåbær på øya",
            "São João não está aqui",
            "È così: perché no?",
            "Hyvää päivää, mitä kuuluu?",
            "“quoted” – and so on…",
        ] {
            let (bytes, ..) = WINDOWS_1252.encode(text);
            assert_eq!(of_file(bytes.to_vec()).as_deref(), Ok(text));
        }
        for (text, encoding) in [
            ("Привет, мир", WINDOWS_1251),
            ("日本語です", SHIFT_JIS),
            ("你好，世界", GBK),
            ("Zażółć gęślą jaźń", ISO_8859_2),
        ] {
            let (bytes, ..) = encoding.encode(text);
            assert_eq!(of_file(bytes.to_vec()).as_deref(), Ok(text), "{}", encoding.name());
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_told_apart() {
        assert_eq!(of_file(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff".to_vec()), Err(NotText(6)));
        assert_eq!(of_file(b"ab\xff\0\0".to_vec()), Err(NotText(3)));
        assert_eq!(of_file(b"\xff\xfe\0".to_vec()), Err(NotText(2)));
        // As before: what is UTF-8 is text, whatever it says.
        assert_eq!(of_file(b"a\0b".to_vec()).as_deref(), Ok("a\0b"));
    }

    proptest! {
        #[test]
        fn every_utf_8_text_stays_what_it_is(text in "[^\\x00\\u{feff}]{0,40}") {
            prop_assert_eq!(of_file(text.clone().into_bytes()), Ok(text.clone()));
            prop_assert_eq!(of_bytes(text.as_bytes(), None), text.as_str());
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = of_bytes(&bytes, None);
            let _ = of_bytes(&bytes, Some(UTF_16LE));
            let _ = of_file(bytes);
        }
    }
}
