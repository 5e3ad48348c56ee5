//! Keys and the values of headers, as people really have them: copied from a page, printed by a command, piped from a
//! file with a byte order mark.

use std::process::Stdio;
use std::time::Duration;

use crate::core::failure::FailureClass;
use crate::core::secret::Secret;

use super::dialect::{Cause, ProviderError};

/// A key command that asks a person (a password manager) may take its time, one that hangs may not.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(1);

/// A value without what cannot be seen in it. `from` says where it is to be had, for a person.
pub(super) fn clean(value: &str, from: &str) -> Result<Secret, ProviderError> {
    let visible: String = value.chars().filter(|c| !is_invisible(*c)).collect();
    let visible = visible.trim();
    match visible.char_indices().find(|(_, c)| !c.is_ascii() || c.is_ascii_control()) {
        None if visible.is_empty() => Err(missing(format!("has no key: {from} is empty"))),
        None => Ok(Secret::new(visible)),
        Some((at, c)) => Err(missing(format!(
            "was not asked: {from} is no key, its character {} is U+{:04X}",
            visible[..at].chars().count() + 1,
            u32::from(c)
        ))),
    }
}

/// Marks of byte order and of direction, and characters without a width.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// There is no key, or none that can be sent.
pub(super) fn missing(text: String) -> ProviderError {
    ProviderError::new(FailureClass::Auth, text).because(Cause::NoKey)
}

/// The key that a command prints. `of` names the key of the config that has it.
pub(super) async fn printed(argv: &[String], of: &str) -> Result<Secret, ProviderError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(missing(format!("has an empty {of}")));
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(COMMAND_TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            return Err(missing(format!("has no key: {of} `{program}` could not be started ({error})")));
        }
        Err(_) => return Err(missing(format!("has no key: {of} `{program}` took longer than a minute"))),
    };
    if !output.status.success() {
        return Err(missing(format!("has no key: {of} `{program}` ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // Password managers print the password first, and then what else they know.
    let first = text.lines().next().unwrap_or_default();
    if first.trim().is_empty() {
        return Err(missing(format!("has no key: {of} `{program}` printed nothing")));
    }
    clean(first, &format!("what {of} `{program}` prints"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_no_part_of_a_key() {
        for value in ["sk-1", " sk-1\n", "\u{feff}sk-1\r\n", "sk\u{200b}-1", "\u{2060}sk-1\u{200e}\t", "\u{a0}sk-1"] {
            assert_eq!(clean(value, "X").map(|key| key.reveal().to_owned()), Ok("sk-1".to_owned()), "{value:?}");
        }
        for (value, names) in
            [("sk-é", "4 is U+00E9"), ("sk\n1", "3 is U+000A"), ("", "X is empty"), ("\u{feff}", "X is empty")]
        {
            let error = clean(value, "X").unwrap_err();
            assert!(error.text.contains(names) && error.cause == Some(Cause::NoKey), "{}", error.text);
            assert!(!error.text.contains("sk-") && !error.text.contains("sk\n"), "{}", error.text);
        }
    }
}
