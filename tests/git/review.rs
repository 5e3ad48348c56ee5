//! `code_review`: what is reviewed first, what a verdict may be, and what becomes of what nobody reviewed.

use serde_json::{Value, json};

use crate::material::{INSPECT, Maintainer, REPORT, approves, body, content, reviewed};
use crate::support::git::git;

/// A change of 107 files, most of them not source.
fn large_change(maintainer: &Maintainer) {
    let names = |folder: &str, end: &str, count: usize| -> Vec<String> {
        (0..count).map(|at| format!("{folder}/f{at:02}.{end}")).collect()
    };
    let all = [
        names(".github/workflows", "yml", 20),
        names("assets", "csv", 20),
        names("docs", "md", 20),
        names("src", "rs", 44),
        names("tests", "rs", 3),
    ]
    .concat();
    for name in &all {
        maintainer.write(name, "one\n");
    }
    maintainer.commit("Begin");
    for name in &all {
        maintainer.write(name, "one\ntwo\n");
    }
}

#[test]
fn source_comes_first_and_what_is_left_out_is_named_in_prompts_list_and_result() {
    let maintainer = Maintainer::with(content);
    large_change(&maintainer);
    let done = maintainer.accept("code_review", &[]).exits(0);
    let files = reviewed(&maintainer);
    assert_eq!(files.len(), 40);
    assert!(files.iter().all(|file| file.starts_with("src/")), "{files:?}");
    let prompt = &maintainer.prompts(INSPECT)[0];
    assert!(prompt.contains("The change has 107 files: 40 are reviewed, 67 are not."), "{prompt}");
    assert!(prompt.contains("Shown to no reviewer: src/f40.rs, src/f41.rs"), "{prompt}");
    let report = &maintainer.prompts(REPORT)[0];
    assert!(report.contains("`tests/f00.rs`") && report.contains(" and 7 more"), "{report}");
    assert!(report.contains("because each is over the limit of 40 files"), "{report}");
    assert!(done.out.contains("**Incomplete.**") && done.out.contains("67 are not"), "{}", done.out);
    assert!(done.out.contains("- Not reviewed: `src/f40.rs`, `src/f41.rs`"), "{}", done.out);
    assert_eq!(most_at_once(&maintainer), 4);
    let scope = maintainer.home.call("scope")["output"].as_str().unwrap().to_owned();
    assert!(scope.contains("- `src/f00.rs`\n") && scope.contains("- Not reviewed: `src/f40.rs`"), "{scope}");
}

#[test]
fn a_change_of_six_thousand_files_is_listed_whole() {
    let maintainer = Maintainer::with(content);
    for at in 0..6_000 {
        maintainer
            .write(&format!("source_of_everything/module_number_{}/implementation_of_file{at:04}.rs", at % 7), "one\n");
    }
    maintainer.write("docs/a.md", "one\n");
    maintainer.git(&["add", "docs"]);
    maintainer.write("new.rs", "one\n");
    let done = maintainer.accept("code_review", &["files=2"]).exits(0);
    assert!(done.out.contains("*6002 files: 2 are reviewed, 6000 are not.*"), "{}", done.err);
    assert!(done.out.contains("implementation_of_file5998.rs`, `docs/a.md`"), "each is named");
}

/// How many attempts at a review were under way at the same time, at most.
fn most_at_once(maintainer: &Maintainer) -> usize {
    let (mut running, mut most) = (0_usize, 0);
    for event in maintainer.home.step("show last --events").exits(0).lines() {
        if event["key"].as_str().is_some_and(|key| key.starts_with("inspect")) {
            match event["type"].as_str() {
                Some("attempt_started") => running += 1,
                Some("attempt_finished") => running -= 1,
                _ => {}
            }
            most = most.max(running);
        }
    }
    most
}

#[test]
fn nothing_is_approved_while_source_was_not_reviewed_whatever_the_model_says() {
    let maintainer = Maintainer::with(|request| {
        if request.prompt().contains(INSPECT) { approves() } else { json!({ "verdict": "approve", "report": "Fine." }) }
    });
    large_change(&maintainer);
    let done = maintainer.accept("code_review", &["files=43"]).exits(3);
    assert!(done.out.contains("nothing is approved while files that matter were not reviewed"), "{}", done.out);
    // Documents and data may stay unread.
    let all = maintainer.accept("code_review", &["files=70"]).exits(0);
    assert!(all.out.starts_with("**Approve.**") && all.out.contains("Not reviewed: `docs/f03.md`"), "{}", all.out);
}

#[test]
fn changes_are_requested_where_a_finding_is_a_blocker() {
    let finding = json!({ "line": 1, "severity": "blocker", "problem": "It is lost.", "suggestion": "" });
    let inspected = json!({ "verdict": "request_changes", "summary": "It adds.", "findings": [finding.clone()] });
    let maintainer = Maintainer::with(move |request| {
        if request.prompt().contains(INSPECT) {
            inspected.clone()
        } else {
            json!({ "verdict": "approve", "report": "Fine." })
        }
    });
    maintainer.write("a.rs", "fn a() {}\n");
    maintainer.commit("Begin");
    maintainer.write("a.rs", "fn b() {}\n");
    // A person judges what requests changes.
    let waits = maintainer.run(&["run", "code_review"]).exits(3);
    assert!(waits.out.contains("inspect[0]: its output waits"), "{}", waits.out);
    let done = maintainer.run(&["review", "last", "inspect[0]", "--accept", "--review", "accept"]).exits(3);
    assert!(done.out.contains("changes are requested, because a finding is a blocker"), "{}", done.out);
    let lenient = json!({ "verdict": "comment", "summary": "It adds.", "findings": [finding] });
    let maintainer = Maintainer::with(move |_| lenient.clone());
    maintainer.write("a.rs", "fn a() {}\n");
    let done = maintainer.accept("code_review", &[]).exits(3);
    assert!(done.out.contains("changes are requested where a finding is a blocker"), "{}", done.out);
}

#[test]
fn a_file_that_fails_or_is_skipped_is_named_and_the_others_are_reviewed() {
    let maintainer = Maintainer::with(|request| match request.prompt() {
        prompt if prompt.contains("this alone: bad.rs") => Value::Null,
        prompt if prompt.contains("this alone: doubtful.rs") => {
            json!({ "verdict": "comment", "summary": "Hm.", "findings": [] })
        }
        _ => content(request),
    });
    for name in ["bad.rs", "doubtful.rs", "good.rs"] {
        maintainer.write(name, "fn f() {}\n");
    }
    let waits = maintainer.run(&["run", "code_review"]).exits(3);
    assert!(waits.out.contains("inspect[1]: its output waits"), "{}", waits.out);
    maintainer.run(&["review", "last", "inspect[1]", "--skip", "--review", "accept"]).exits(0);
    let text = body(&maintainer);
    assert!(text.starts_with("**Incomplete.**") && text.contains("### good.rs: approve"), "{text}");
    assert!(text.contains("- Not reviewed: `doubtful.rs`, because it was skipped by the person."), "{text}");
    assert!(text.contains("- Not reviewed: `bad.rs`, because it could not be reviewed ("), "{text}");
    // What failed can be filled in afterwards, and then counts.
    let filled = maintainer.home.write("filled.json", &approves().to_string());
    let filled = filled.display().to_string();
    maintainer.run(&["review", "last", "inspect[0]", "--edit", &filled, "--accept", "--review", "accept"]).exits(3);
    maintainer.run(&["review", "last", "--again", "--review", "accept"]).exits(0);
    let text = body(&maintainer);
    assert!(text.contains("### bad.rs: approve") && !text.contains("could not be reviewed"), "{text}");
}

#[test]
fn a_run_of_which_nothing_could_be_reviewed_fails_and_can_be_resumed() {
    // Without a schema, too, it is refused at first.
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let maintainer = Maintainer::with(move |request| {
        let is_up = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= 2;
        if is_up { content(request) } else { Value::Null }
    });
    maintainer.write("a.rs", "fn a() {}\n");
    maintainer.accept("code_review", &[]).exits(1);
    maintainer.run(&["resume", "last", "--review", "accept"]).exits(0);
    assert!(body(&maintainer).starts_with("**Approve.**"), "{}", body(&maintainer));
}

#[test]
fn paths_say_what_is_looked_at() {
    let maintainer = Maintainer::with(content);
    for name in ["src/a.rs", "src/b.rs", "docs/a.md", "my docs/x.md", "*.rs"] {
        maintainer.write(name, "one\n");
    }
    maintainer.accept("code_review", &["paths=src/a.rs \"my docs\""]).exits(0);
    assert_eq!(reviewed(&maintainer), ["my docs/x.md", "src/a.rs"]);
    let title = maintainer.last()["result"]["title"].as_str().unwrap().to_owned();
    assert_eq!(title, "Review of 2 files of repo against HEAD, in src/a.rs \"my docs\"");
    maintainer.accept("code_review", &["paths=src/a.rs\n  src/b.rs\n"]).exits(0);
    assert_eq!(maintainer.last()["result"]["title"], "Review of 2 files of repo against HEAD, in src/a.rs src/b.rs");
    let nothing = maintainer.accept("code_review", &["paths=gone"]).exits(0);
    assert_eq!(nothing.out.trim(), "There is no difference to HEAD, in gone.");
}

#[test]
fn paths_are_words_as_a_shell_splits_them() {
    let maintainer = Maintainer::with(content);
    for name in ["src/a b.rs", "src/c.rs", "it's.rs", "say \"hi\".rs", "back\\slash.rs"] {
        maintainer.write(name, "one\n");
    }
    for (paths, file) in [
        ("src/\"a b.rs\"", "src/a b.rs"),
        ("src/a\\ b.rs", "src/a b.rs"),
        ("'src/'a' '\"b\".rs", "src/a b.rs"),
        ("it\\'s.rs", "it's.rs"),
        ("\"it's.rs\"", "it's.rs"),
        ("'it'\\''s.rs'", "it's.rs"),
        ("\"say \\\"hi\\\".rs\"", "say \"hi\".rs"),
        ("'say \"hi\".rs'", "say \"hi\".rs"),
        ("'back\\\\slash.rs'", "back\\slash.rs"),
    ] {
        let done = maintainer.accept("code_review", &[&format!("paths={paths}")]).exits(0);
        assert!(done.out.contains("*1 file: 1 is reviewed.*"), "{paths}: {}", done.out);
        assert!(done.out.contains(&format!("### {file}: approve")), "{paths}: {}", done.out);
    }
    for paths in ["it's.rs", "src/\"a b.rs", "src/c.rs\\"] {
        let done = maintainer.accept("code_review", &[&format!("paths={paths}")]).exits(1);
        assert!(done.err.contains("in `paths` has no end"), "{paths}: {}", done.err);
    }
}

#[test]
fn a_review_is_called_by_what_the_change_is_for() {
    let maintainer = Maintainer::with(content);
    maintainer.write("a.rs", "fn a() {}\n");
    maintainer.commit("Begin");
    maintainer.commit("Nothing");
    maintainer.write("a.rs", "fn b() {}\n");
    maintainer.accept("code_review", &["against=HEAD~1"]).exits(0);
    let run = maintainer.last();
    assert_eq!(run["title"], "Review a change · HEAD~1");
    assert_eq!(run["result"]["title"], "Review of 1 file of repo against HEAD~1");
    maintainer.accept("code_review", &["against=HEAD~1", "purpose=Drafts are kept.\nAlways."]).exits(0);
    let run = maintainer.last();
    assert_eq!(
        (&run["title"], &run["result"]["title"]),
        (&json!("Drafts are kept."), &json!("Review: Drafts are kept."))
    );
}

#[test]
fn a_repository_without_a_commit_a_folder_without_a_repository_and_the_home_folder() {
    let maintainer = Maintainer::with(content);
    maintainer.write("staged.rs", "fn a() {}\n");
    maintainer.git(&["add", "-A"]);
    maintainer.write("new.rs", "fn b() {}\n");
    maintainer.accept("code_review", &[]).exits(0);
    assert_eq!(reviewed(&maintainer), ["new.rs", "staged.rs"]);
    maintainer.commit("Begin");
    for first in ["HEAD~1", "HEAD^..HEAD"] {
        let done = maintainer.accept("code_review", &[&format!("against={first}")]).exits(0);
        assert!(done.out.contains("*2 files: 2 are reviewed.*"), "{first}: {}", done.out);
    }
    let done = maintainer.accept("code_review", &["repository=~/repo", "against=HEAD~1"]).exits(0);
    assert!(done.out.starts_with("**Approve.**"), "{}", done.out);
    std::fs::create_dir(maintainer.home.path().join("empty")).unwrap();
    let outside = maintainer.accept("code_review", &["repository=~/empty"]).exits(1);
    let said = outside.err.lines().find(|line| line.contains("not a git repository")).unwrap_or_default();
    assert!(said.contains("exit code 128: fatal: not a git repository"), "{}", outside.err);
}

#[test]
fn what_a_shallow_clone_or_another_history_does_not_have_is_not_taken_for_the_beginning() {
    let maintainer = Maintainer::with(content);
    for name in ["a.rs", "b.rs", "c.rs"] {
        maintainer.write(name, "fn a() {}\n");
        maintainer.commit(name);
    }
    let source = format!("file://{}", maintainer.repo().display());
    git(maintainer.home.path(), maintainer.home.path(), &["clone", "-q", "--depth=1", &source, "clone"]);
    for against in ["HEAD~1", "HEAD^!"] {
        let done = maintainer.accept("code_review", &["repository=~/clone", &format!("against={against}")]).exits(1);
        assert!(done.err.contains("exit code 128: fatal: "), "{against}: {}", done.err);
    }
    maintainer.git(&["switch", "-q", "--orphan", "pages"]);
    maintainer.write("index.html", "<p>\n");
    maintainer.commit("Begin");
    maintainer.accept("code_review", &["against=main^..main"]).exits(0);
    assert_eq!(reviewed(&maintainer), ["c.rs"]);
}

#[test]
fn one_commit_is_reviewed_without_what_only_the_working_tree_has() {
    let maintainer = Maintainer::with(content);
    maintainer.write("a.rs", "fn a() {}\n");
    maintainer.commit("Begin");
    maintainer.write("new.rs", "fn n() {}\n");
    maintainer.accept("code_review", &["against=HEAD^!"]).exits(0);
    assert_eq!(reviewed(&maintainer), ["a.rs"]);
    maintainer.git(&["add", "new.rs"]);
    maintainer.git(&["commit", "-q", "-m", "Add new"]);
    maintainer.git(&["switch", "-q", "-c", "side", "HEAD^"]);
    maintainer.write("side.rs", "fn s() {}\n");
    maintainer.commit("Add side");
    maintainer.git(&["merge", "-q", "--no-ff", "-m", "Merge", "main"]);
    maintainer.write("unknown.rs", "fn u() {}\n");
    maintainer.write("a.rs", "fn changed() {}\n");
    for (against, files) in [("side^!", "new.rs"), ("HEAD^-", "new.rs"), ("side^-2", "side.rs"), ("main^!", "new.rs")] {
        let before = reviewed(&maintainer).len();
        let done = maintainer.accept("code_review", &[&format!("against={against}")]).exits(0);
        assert!(done.out.contains(&format!("### {files}: approve")), "{against}: {}", done.out);
        assert_eq!(reviewed(&maintainer).len(), before + 1, "{against}");
    }
}

#[test]
fn a_range_is_reviewed_without_what_only_the_working_tree_has() {
    let maintainer = Maintainer::with(content);
    maintainer.write("a.rs", "fn a() {}\n");
    maintainer.commit("Begin");
    maintainer.git(&["switch", "-q", "-c", "feature"]);
    maintainer.write("b.rs", "fn b() {}\n");
    maintainer.commit("Add b");
    maintainer.write("c.rs", "fn c() {}\n");
    maintainer.accept("code_review", &["against=main...feature"]).exits(0);
    assert_eq!(reviewed(&maintainer), ["b.rs"]);
    let folder = maintainer.repo().join("sub");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(git(maintainer.home.path(), &folder, &["rev-parse", "--show-prefix"]).trim(), "sub/");
    maintainer.accept("code_review", &["repository=sub", "against=main"]).exits(0);
    assert_eq!(reviewed(&maintainer), ["b.rs", "b.rs", "c.rs"], "from a folder all of the repository is seen");
}

#[test]
fn with_the_demo_nothing_is_reviewed_that_is_not_said() {
    let maintainer = Maintainer::with(content);
    large_change(&maintainer);
    maintainer.write("src/f00.rs", "one\n// TODO\n");
    let done = maintainer.run(&["run", "code_review", "--model", "demo/recorded", "--review", "accept"]).exits(0);
    assert!(done.out.contains("**minor**, line 2: A reminder"), "{}", done.out);
    assert!(done.out.starts_with("**Incomplete.**") && done.out.contains("Not reviewed: `src/f40.rs`"), "{}", done.out);
}
