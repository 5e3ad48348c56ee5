//! Texts that are a diff, as `git diff`, `git show`, `git format-patch` and `diff -u` write them: shown line by line and
//! not as Markdown.

/// So much of a text says what it is, in bytes.
const HEAD: usize = 16 * 1024;

/// Whether a text is a diff from its beginning on, whatever precedes its first file.
#[must_use]
pub fn is_diff(text: &str) -> bool {
    let text = &text[..text.floor_char_boundary(HEAD)];
    let mut lines = text.lines().skip_while(|line| line.trim().is_empty());
    let Some(first) = lines.next() else { return false };
    if is_file(first) {
        return true;
    }
    // What `git show` and `git format-patch` say of the commit stands before the first file.
    let of_commit = |hash: &str| hash.len() >= 7 && hash.chars().all(|c| c.is_ascii_hexdigit());
    let mut words = first.split(' ');
    let commit = matches!(words.next(), Some("commit" | "From")) && words.next().is_some_and(of_commit);
    if commit {
        return lines.any(is_file);
    }
    let is_old = |line: &str| line.starts_with("--- ") || line.starts_with("*** ");
    let old = if first.starts_with("Index: ") { lines.find(|line| is_old(line)) } else { Some(first) };
    old.is_some_and(is_old)
        && lines.next().is_some_and(|line| line.starts_with("+++ ") || line.starts_with("--- "))
        && lines.next().is_some_and(|line| line.starts_with("@@ ") || line.starts_with("***"))
}

fn is_file(line: &str) -> bool {
    ["diff --git ", "diff --cc ", "diff --combined "].iter().any(|head| line.starts_with(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_known_by_its_beginning() {
        let file = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        let commit = format!("commit 9f86d081884c7d65\nAuthor: Ana <a@b>\n\n    Say b\n\n{file}");
        let patch = format!("From 9f86d081884c7d65 Mon Sep 17 00:00:00 2001\nSubject: Say b\n---\n x | 2 +-\n\n{file}");
        let plain = "--- a/x\t2026-11-28\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        let conflict = "diff --cc x\nindex 1,2..3\n--- a/x\n+++ b/x\n@@@ -1,1 -1,1 +1,1 @@@\n";
        for diff in [file, &format!("\n{file}"), &commit, &patch, plain, conflict, &format!("Index: x\n====\n{plain}")]
        {
            assert!(is_diff(diff), "{diff}");
        }
        let texts = [
            "",
            "---\ntitle: x\n---\n",
            "--- a\n+++ b\nno hunk",
            "Look at this:\n\ndiff --git a/x b/x\n",
            "commit to it: diff --git",
            "commit 9f86d081884c7d65\nAuthor: Ana\n\n    Nothing follows\n",
            "- a list\n+ of things\n",
        ];
        for text in texts {
            assert!(!is_diff(text), "{text}");
        }
    }
}
