//! Keyboard layouts of other alphabets: which key of the Latin layout lies where a character was typed, so that a command
//! has its key on every layout. Asked only where the terminal does not say it itself.

/// Each layout row by row, beside the same keys of the Latin layout.
const LAYOUTS: &[(&str, &str)] = &[
    // Russian, with the letters of Ukrainian and Belarusian that lie on the same keys.
    ("йцукенгшщзхъфывапролджэячсмитьбю", "qwertyuiop[]asdfghjkl;'zxcvbnm,."),
    ("ёіїєґў", "`s]'\\o"),
    // Greek.
    ("ςερτυθιοπασδφγηξκλζχψωβνμ", "wertyuiopasdfghjklzxcvbnm"),
    // Hebrew.
    ("קראטוןםפשדגכעיחלךףזסבהנמצתץ", "ertyuiopasdfghjkl;zxcvbnm,."),
    // Arabic.
    ("ضصثقفغعهخحجدشسيبلاتنمكطئءؤرىةوزظ", "qwertyuiop[]asdfghjkl;'zxcvnm,./"),
    // Korean.
    ("ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ", "qwertyuiopasdfghjklzxcvbnm"),
];

/// The Latin key where `typed` lies; `None` when no known layout has it.
pub fn latin(typed: char) -> Option<char> {
    let small = typed.to_lowercase().next().unwrap_or(typed);
    LAYOUTS
        .iter()
        .find_map(|(letters, keys)| letters.chars().zip(keys.chars()).find(|(letter, _)| *letter == small))
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_lies_on_one_key() {
        for (letters, keys) in LAYOUTS {
            assert_eq!(letters.chars().count(), keys.chars().count(), "{letters}");
            assert!(keys.is_ascii());
        }
        let found: String = "сСцжγΧשㅊ".chars().filter_map(latin).collect();
        assert_eq!(found, "ccw;gxac");
        assert_eq!((latin('c'), latin('é'), latin('海')), (None, None, None));
    }
}
