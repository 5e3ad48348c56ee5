//! `commit_message`: which diffs it takes.

use serde_json::{Value, json};

use crate::material::Maintainer;
use crate::support::cli::{Done, fed};
use crate::support::model_server::Request;

fn author(_: &Request) -> Value {
    json!({ "kind": "deliver", "title": "Say who", "body": "Say who\n\nIt was not known.", "text": "", "missing": [] })
}

fn piped(maintainer: &Maintainer, stdin: &[u8]) -> Done {
    let mut command = maintainer.home.command(env!("CARGO_BIN_EXE_stepwell"));
    Done::of(fed(command.args(["run", "commit_message"]).current_dir(maintainer.repo()), stdin))
}

#[test]
fn a_diff_is_taken_although_a_file_in_it_has_an_encoding_of_its_own() {
    let maintainer = Maintainer::with(author);
    let mut diff = "diff --git a/ü.c b/ü.c\n--- a/ü.c\n+++ b/ü.c\n@@ -1 +1 @@\n-// é\n+// M".as_bytes().to_vec();
    diff.extend(b"\xfcller \x97 who\n");
    assert!(piped(&maintainer, &diff).exits(0).out.starts_with("Say who\n"));
    let asked = maintainer.server.requests()[0].prompt();
    assert!(asked.contains("-// é\n+// Müller — who\n"), "{asked}");
    let file = maintainer.write("x.diff", &diff);
    maintainer.accept("commit_message", &[&format!("diff={}", file.display())]).exits(0);
    assert!(maintainer.server.requests()[1].prompt().contains("+// Müller — who\n"));
}

#[test]
fn the_first_commit_and_one_of_a_thousand_files_are_taken() {
    let maintainer = Maintainer::with(author);
    for at in 0..1_000 {
        maintainer.write(&format!("src/f{at}.rs"), format!("fn f{at}() {{}}\n"));
    }
    maintainer.git(&["add", "-A"]);
    let diff = maintainer.git(&["diff", "--staged"]);
    piped(&maintainer, diff.as_bytes()).exits(0);
    assert!(maintainer.server.requests()[0].prompt().contains("+fn f999() {}"));
    let run = maintainer.last();
    assert_eq!((&run["title"], &run["result"]["title"]), (&json!("Write a commit message"), &json!("Say who")));
}

#[test]
fn the_reason_is_given_as_the_authors_and_once() {
    let maintainer = Maintainer::with(author);
    let file = maintainer.write("x.diff", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n");
    let given = [&*format!("diff={}", file.display()), "why=Nobody knew."];
    maintainer.accept("commit_message", &given).exits(0);
    let request = &maintainer.server.requests()[0];
    let all = request.body["messages"].to_string();
    assert_eq!(all.matches("Nobody knew.").count(), 1, "{all}");
    assert!(all.contains("Reason for the change, from its author: Nobody knew."), "{all}");
    assert!(request.prompt().contains("+b\n"), "{all}");
}
