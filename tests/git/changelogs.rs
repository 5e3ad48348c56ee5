//! Where the release notes go in changelogs of every make: the program that makes the difference, on files, with git.

use std::path::Path;
use std::process::Command;

use crate::support::cli::{Home, fed};

const NOTES: &str = "# 2.0.0\n\n## New\n\n- Tea. See #1\n";

/// What the file is once the difference for it has been applied, and how long the difference is.
fn with_notes(home: &Home, before: &[u8]) -> (Vec<u8>, usize) {
    with_notes_in(home, "CHANGELOG.md", before)
}

/// The same for a file of that name.
fn with_notes_in(home: &Home, name: &str, before: &[u8]) -> (Vec<u8>, usize) {
    let path = home.path().join(name);
    std::fs::write(&path, before).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows/release_notes/patch.sh");
    let patch = piped(home.command("sh").arg(script).arg(name), NOTES.as_bytes());
    let patch = patch.strip_suffix(b".").unwrap();
    piped(home.command("git").args(["--git-dir=/dev/null", "apply", "--unidiff-zero", "--whitespace=nowarn"]), patch);
    (std::fs::read(path).unwrap(), patch.split(|byte| *byte == b'\n').count() - 1)
}

fn piped(command: &mut Command, given: &[u8]) -> Vec<u8> {
    let done = fed(command, given);
    assert!(done.status.success(), "{}: {}", String::from_utf8_lossy(given), String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Puts the notes in the text in place of `HERE`, with headings as deep as said.
fn filled(marked: &str, depth: usize) -> (String, String) {
    let deeper = NOTES.replace("# 2", &format!("{} 2", "#".repeat(depth)));
    let deeper = deeper.replace("## New", &format!("{} New", "#".repeat(depth + 1)));
    (marked.replace("HERE\n", ""), marked.replace("HERE", &deeper))
}

#[test]
fn the_newest_version_is_found_however_far_down_it_is() {
    let home = Home::new();
    let words = "- A rule of this file, in so many words.\n".repeat(30_000);
    let title = format!("# Changelog\n\n{words}");
    let check = |before: &str, after: &str| {
        let (saved, rows) = with_notes(&home, before.as_bytes());
        assert!(saved == after.as_bytes(), "{}", &before[title.len()..][..40]);
        assert!(rows < 20, "{rows} lines for what adds 6");
    };
    for rest in
        ["\nHERE\n## 1.0.0\n\n- Old\n", "\nHERE\n## [v1.0] - 2020-01-01\n- Old", "\nHERE\n## Earlier\n\n- Old\n"]
    {
        let (before, after) = filled(&format!("{title}{rest}"), 2);
        check(&before, &after);
    }
    check(&title, &format!("{title}\n{}", NOTES.replace("# ", "## ")));
}

#[test]
fn words_without_any_heading_keep_their_lines_below_the_notes() {
    let home = Home::new();
    for before in ["Only words\n".repeat(1000), "\nOnly words, of 1.2.3\n".repeat(300)] {
        let (saved, _) = with_notes(&home, before.as_bytes());
        let start = before.len() - before.trim_start().len();
        let after = format!("{}{NOTES}\n{}", &before[..start], &before[start..]);
        assert!(saved == after.as_bytes(), "{}", String::from_utf8_lossy(&saved[..200]));
    }
}

#[test]
fn what_is_no_heading_of_a_version_is_not_taken_for_one() {
    let home = Home::new();
    for (marked, depth) in [
        // Underlined headings.
        ("Changelog\n=========\n\nHERE\n1.9.0 (2020-01-01)\n------------------\n\n- Old\n", 2),
        ("HERE\n1.9.0\n=====\n\n- Old\n", 1),
        ("Changelog\n=========\n\nAll of it.\n\nHERE\nEarlier\n-------\n", 2),
        // Front matter.
        ("---\ntitle: Changes since 1.0\n---\n\n# Changes\n\nHERE\n## 1.0\n", 2),
        ("---\ntitle: 1.0\n---\nHERE\nOnly words\n", 1),
        ("HERE\n---\nOnly a line above words about 1.0\n", 1),
        // Comments.
        ("<!-- markdownlint-disable -->\n# Changes\n\nHERE\n## Earlier\n", 2),
        ("# Changes\n\n<!--\n## 9.9.9\n\n- A form to fill in\n-->\n\nHERE\n## 1.0\n", 2),
        ("<!-- # 1.0\n--> \nHERE\nOnly words\n", 1),
        // Code.
        ("# Changes\n\n```\n# version 1.0 of the file\n```\n\nHERE\n### 1.0\n", 3),
        ("# Changes\n\n~~~ sh\n## 1.0\n```\n## 1.1\n~~~\n\nHERE\n## 1.2\n", 2),
        // What only looks like a heading.
        ("# Changes\n\n#1.0 is an issue\n\nHERE\n## 1.0\n", 2),
        ("# Changes\n\n- a list of 1.0\n---\n\nHERE\n## 1.0\n", 2),
        ("# Changes\n\n##### From 1.0 on\n\nHERE\n## 1.0\n", 2),
        // The titles of files and of versions.
        ("# What changed in Tea 2.x\n\n# Contents\n\nHERE\n## 1.0\n\n# Before 2020-01\n", 2),
        ("HERE\n## v1.0\n\n### As in 0.9.0\n", 2),
        ("HERE\n# [1.0] - 2020-01-01\n\n## 0.9 was taken back\n", 1),
        ("# Changes\n\n## [Unreleased]\n\n- Soon\n\nHERE\n## 1.0\n", 2),
    ] {
        let (before, after) = filled(marked, depth);
        let (saved, _) = with_notes(&home, before.as_bytes());
        assert_eq!(String::from_utf8(saved).unwrap(), after, "{marked}");
        let [before, after] = [before, after].map(|text| text.replace('\n', "\r\n"));
        let (saved, _) = with_notes(&home, before.as_bytes());
        assert_eq!(String::from_utf8(saved).unwrap(), after, "with Windows line ends: {marked}");
    }
}

#[test]
fn a_changelog_in_another_encoding_keeps_its_bytes() {
    let home = Home::new();
    let before = b"# \xc4nderungen\n\n## 1.0\n\n- M\xfcde\n";
    let (saved, _) = with_notes(&home, before);
    let new = NOTES.replace("# ", "## ");
    assert_eq!(saved, [b"# \xc4nderungen\n\n", new.as_bytes(), b"\n## 1.0\n\n- M\xfcde\n"].concat());
}

#[test]
fn the_name_of_a_changelog_is_what_it_is() {
    let home = Home::new();
    for name in ["news\\today.md", "what is new.md", "-new&.md", "Änderungen.md"] {
        let (saved, _) = with_notes_in(&home, name, b"# News\n\n## 1.0.0\n\n- Old\n");
        let saved = String::from_utf8(saved).unwrap();
        assert!(
            saved.starts_with("# News\n\n## ") && saved.ends_with("## 1.0.0\n\n- Old\n") && saved.len() > 40,
            "{name}: {saved}"
        );
    }
}
