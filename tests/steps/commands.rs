//! Commands: real programs, what they may do to a run and what they may not.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::fingerprint::Fingerprint;
use stepwell::core::ports::AttemptOutcome;
use stepwell::core::step::Parse;
use stepwell::core::work::{CommandWork, OwnFile, Work, secret_marker};
use tokio::time::Instant;

use crate::fixture::{NONCE, PATIENCE, StepFixture, done, failure, output, until};

fn command(argv: &[&str]) -> CommandWork {
    CommandWork { argv: argv.iter().map(|&part| part.to_owned()).collect(), ..CommandWork::default() }
}

fn script(text: &str) -> CommandWork {
    command(&["sh", "-c", text])
}

pub fn shell(text: &str) -> Work {
    Work::Command(script(text))
}

fn env(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

/// Whether a process with this id still runs (one that ended and was not waited for does not count).
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until it runs no more.
async fn is_gone(pid: &str) {
    until(|| !runs(pid)).await;
}

#[tokio::test]
async fn stdout_is_the_output_as_the_step_reads_it() {
    let fixture = StepFixture::new();
    assert_eq!(output(fixture.perform(shell("printf 'one\\ntwo\\n'")).await), json!("one\ntwo"));
    assert_eq!(fixture.shown(), "one\ntwo\n");
    let lines = CommandWork { parse: Parse::Lines, ..script("printf 'one\\n\\ntwo\\n'") };
    assert_eq!(output(fixture.perform(Work::Command(lines)).await), json!(["one", "", "two"]));
    let value = CommandWork { parse: Parse::Json, ..script("echo '{\"a\": [1]}'") };
    assert_eq!(output(fixture.perform(Work::Command(value)).await), json!({"a": [1]}));
    assert_eq!(output(fixture.perform(shell("echo 42")).await), json!("42"), "a text stays a text");
    let asked = CommandWork { schema: Some(json!({"type": "integer"})), ..script("echo 42") };
    assert_eq!(output(fixture.perform(Work::Command(asked)).await), json!(42), "unless the schema asks for the value");
}

#[tokio::test]
async fn an_output_that_does_not_fit_goes_to_the_person_because_the_effect_has_happened() {
    let fixture = StepFixture::new();
    let prose = CommandWork { parse: Parse::Json, ..script("echo oops") };
    let (value, problem, _) = done(fixture.perform(Work::Command(prose)).await);
    assert_eq!(value, json!("oops"));
    assert!(problem.is_some());
    let schema = Some(json!({"type": "array", "items": {"type": "integer"}}));
    let misfit = CommandWork { parse: Parse::Json, schema, ..script("echo '[true]'") };
    let (value, problem, _) = done(fixture.perform(Work::Command(misfit)).await);
    assert_eq!((value, problem.as_deref()), (json!([true]), Some("`[0]`: expected integer, found a boolean")));
}

#[tokio::test]
async fn arguments_reach_the_program_as_they_are_and_no_shell_reads_them() {
    let fixture = StepFixture::new();
    let work = command(&["printf", "%s|", "a b", "$(touch x)", "; rm *", "", "é"]);
    assert_eq!(output(fixture.perform(Work::Command(work)).await), json!("a b|$(touch x)|; rm *||é|"));
    let work = CommandWork { shell: true, ..command(&["echo one", "&& echo two"]) };
    assert_eq!(output(fixture.perform(Work::Command(work)).await), json!("one\ntwo"));
}

#[tokio::test]
async fn the_environment_is_clean_and_has_what_is_configured() {
    let fixture = StepFixture::new();
    let work = CommandWork { env: env("MINE", "a=b c"), parse: Parse::Lines, ..command(&["env"]) };
    let lines: Vec<String> = serde_json::from_value(output(fixture.perform(Work::Command(work)).await)).unwrap();
    assert!(lines.contains(&"MINE=a=b c".to_owned()) && lines.contains(&"CONFIGURED=yes".to_owned()), "{lines:?}");
    for line in &lines {
        let name = line.split('=').next().unwrap();
        assert!(["PATH", "HOME", "LANG", "TMPDIR", "MINE", "CONFIGURED"].contains(&name), "{line}");
    }
}

#[tokio::test]
async fn it_runs_in_its_folder_and_a_missing_one_is_named() {
    let fixture = StepFixture::new();
    std::fs::create_dir(fixture.folder.path().join("sub")).unwrap();
    let work = CommandWork { cwd: Some("sub".into()), ..command(&["pwd"]) };
    let at = output(fixture.perform(Work::Command(work)).await);
    assert!(at.as_str().unwrap().ends_with("/sub"), "{at}");
    let work = CommandWork { cwd: Some("absent".into()), ..command(&["pwd"]) };
    let (failed, _, in_doubt) = failure(fixture.perform(Work::Command(work)).await);
    assert!(failed.class == FailureClass::Command && failed.message.contains("/absent") && !in_doubt, "{failed}");
}

#[tokio::test]
async fn a_program_that_reads_stdin_to_its_end_gets_all_of_it_while_it_writes() {
    let fixture = StepFixture::new();
    let stdin = "x".repeat(3 << 20);
    let work = CommandWork { stdin: stdin.clone(), ..command(&["cat"]) };
    let (value, _, measured) = done(fixture.perform(Work::Command(work)).await);
    assert_eq!(value.as_str().unwrap().len(), 1 << 20, "a MiB is kept here");
    assert!(measured.notes[0].contains("3145728 bytes"), "{:?}", measured.notes);
    let full = std::fs::read_dir(fixture.spool()).unwrap().next().unwrap().unwrap().path();
    assert!(measured.notes[0].contains(full.to_str().unwrap()));
    assert_eq!(std::fs::read_to_string(&full).unwrap(), stdin);
    assert_eq!(std::fs::metadata(&full).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(fixture.spool()).unwrap().permissions().mode() & 0o777, 0o700);
    // And one that reads nothing is no failure.
    let work = CommandWork { stdin, ..command(&["true"]) };
    assert_eq!(output(fixture.perform(Work::Command(work)).await), json!(""));
}

#[tokio::test]
async fn an_exit_code_is_a_failure_with_the_end_of_stderr() {
    let fixture = StepFixture::new();
    let text = "echo half; yes warn | head -n 9999 >&2; echo 'no such ref' >&2; exit 3";
    let (failed, partial, in_doubt) = failure(fixture.perform(shell(text)).await);
    assert_eq!((failed.class, in_doubt, partial.as_str()), (FailureClass::Command, false, "half\n"));
    assert!(failed.message.contains("`sh`") && failed.message.contains('3'), "{failed}");
    let detail = failed.detail.unwrap();
    assert!(detail.ends_with("no such ref") && detail.starts_with("… ") && detail.len() < 5_000, "{detail}");
    let (failed, ..) = failure(fixture.perform(shell("kill -9 $$")).await);
    assert!(failed.message.contains("`sh`") && failed.message.contains('9'), "{failed}");
}

#[tokio::test]
async fn one_line_of_stderr_is_a_part_of_the_sentence() {
    let fixture = StepFixture::new();
    let (failed, ..) = failure(fixture.perform(shell("echo 'fatal: no such thing' >&2; exit 128")).await);
    assert_eq!((failed.message.as_str(), failed.detail), ("`sh` ended with exit code 128: fatal: no such thing", None));
    let work = CommandWork { shell: true, ..command(&["echo one >&2; echo two >&2; exit 1"]) };
    let (failed, ..) = failure(fixture.perform(Work::Command(work)).await);
    assert_eq!(failed.message, "the shell command ended with exit code 1");
    assert_eq!(failed.detail.as_deref(), Some("one\ntwo"));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let fixture = StepFixture::new();
    let (failed, _, in_doubt) = failure(fixture.perform(Work::Command(command(&["no-such-program-here"]))).await);
    assert!(failed.class == FailureClass::Command && !in_doubt);
    assert!(failed.message.contains("`no-such-program-here`"), "{failed}");
    assert_eq!(failure(fixture.perform(Work::Command(command(&[]))).await).0.class, FailureClass::Definition);
}

#[tokio::test]
async fn broken_utf8_is_readable() {
    let fixture = StepFixture::new();
    assert_eq!(output(fixture.perform(shell("printf 'a\\377b\\303'")).await), json!("a\u{fffd}b\u{fffd}"));
}

#[tokio::test]
async fn progress_is_shown_and_is_no_output() {
    let fixture = StepFixture::new();
    let text = "echo '{\"progress\": \"1 of 2\"}'; echo '{\"value\": 1}'";
    let work = CommandWork { parse: Parse::Json, ..script(text) };
    assert_eq!(output(fixture.perform(Work::Command(work)).await), json!({"value": 1}));
    assert_eq!(fixture.progress(), ["1 of 2"]);
}

#[tokio::test]
async fn a_program_may_ask_and_gets_the_answer_as_a_line() {
    let fixture = StepFixture::new();
    let text = r#"read -r doc; echo "{\"ask\": \"Who?\"}"; read -r who; printf '%s and %s' "$doc" "$who""#;
    let work = CommandWork { asks: true, stdin: "{}".into(), ..script(text) };
    assert_eq!(output(fixture.perform(Work::Command(work.clone())).await), json!(r#"{} and {"answer":"Ana\nB"}"#));
    assert_eq!(*fixture.forms.lock().unwrap(), [json!([{"name": "answer", "label": "Who?", "required": true}])]);

    let silent = CommandWork { asks: false, ..work.clone() };
    let (failed, ..) = failure(fixture.perform(Work::Command(silent)).await);
    assert!(failed.message.contains("STEPWELL_ASKS"), "{failed}");
    let broken = CommandWork { asks: true, ..script("echo '{\"ask\": [{\"nam\": 1}]}'; cat; sleep 600") };
    let (failed, ..) = failure(fixture.perform(Work::Command(broken)).await);
    assert_eq!(failed.class, FailureClass::Command, "{failed}");
}

#[tokio::test]
async fn a_cancel_ends_the_whole_group_and_leaves_the_effect_in_doubt() {
    // One child of the program ends when told to, the other has to be killed.
    let text = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & sleep 600 & echo $!; echo ready; wait";
    let fixture = StepFixture::new();
    let performing = tokio::spawn(fixture.begin(shell(text)));
    fixture.until(|fixture| fixture.shown().lines().count() == 3).await;
    fixture.cancel.cancel();
    let performed = performing.await.unwrap();
    let AttemptOutcome::Cancelled { partial, in_doubt, .. } = performed else { panic!("{performed:?}") };
    assert!(in_doubt && partial.data().contains("ready"), "{partial:?}");
    for pid in partial.data().lines().filter(|line| line.bytes().all(|b| b.is_ascii_digit())) {
        is_gone(pid).await;
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_when_told_is_killed_after_two_seconds() {
    let fixture = StepFixture::new();
    let performing = tokio::spawn(fixture.begin(shell("trap '' TERM; echo $$; while :; do sleep 1; done")));
    let since = fixture.cancel_when_shown("\n").await;
    assert!(matches!(performing.await.unwrap(), AttemptOutcome::Cancelled { in_doubt: true, .. }));
    // It would never end by itself.
    assert!(since.elapsed() > Duration::from_secs(2), "{:?}", since.elapsed());
    is_gone(&fixture.shown()).await;
}

#[tokio::test]
async fn a_cancel_closes_the_stdin_of_a_program_that_asks() {
    let fixture = StepFixture::new();
    let text = "trap '' TERM; read -r doc; echo \"ready $doc\"; read -r answer || echo closed";
    let work = CommandWork { asks: true, stdin: "{}".into(), ..script(text) };
    let performing = tokio::spawn(fixture.begin(Work::Command(work)));
    fixture.cancel_when_shown("ready {}").await;
    let performed = performing.await.unwrap();
    let AttemptOutcome::Cancelled { partial, .. } = performed else { panic!("{performed:?}") };
    // It had the time to say so: what is killed says nothing.
    assert!(partial.data().ends_with("closed\n"), "{partial:?}");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_and_its_effect_in_doubt() {
    let mut fixture = StepFixture::new();
    // Long enough for it to begin.
    fixture.timeout = Some(Duration::from_millis(900));
    let (failed, _, in_doubt) = failure(fixture.perform(shell("sleep 600")).await);
    assert_eq!((failed.class, in_doubt), (FailureClass::Timeout, true));
    assert!(failed.message.contains("900ms"), "{failed}");
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let fixture = StepFixture::new();
    let since = Instant::now();
    let pid = output(fixture.perform(shell("sleep 600 & echo $!")).await);
    assert!(since.elapsed() < PATIENCE, "it was waited for");
    is_gone(pid.as_str().unwrap()).await;
}

#[tokio::test]
async fn a_service_that_leaves_the_group_stays_and_its_output_is_not_waited_for() {
    let fixture = StepFixture::new();
    let since = Instant::now();
    let pid = output(fixture.perform(shell("setsid sleep 600 & echo $!")).await);
    assert!(since.elapsed() < PATIENCE, "it was waited for");
    let pid = pid.as_str().unwrap().trim().to_owned();
    assert!(runs(&pid));
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
}

#[tokio::test]
async fn an_attempt_that_is_given_up_leaves_no_process() {
    let fixture = StepFixture::new();
    let performing = tokio::spawn(fixture.begin(shell("echo $$; sleep 600")));
    fixture.until(|fixture| !fixture.shown().is_empty()).await;
    performing.abort();
    is_gone(&fixture.shown()).await;
}

#[tokio::test]
async fn secrets_are_put_in_at_the_attempt_and_never_come_back() {
    let fixture = StepFixture::new();
    let marker = secret_marker(NONCE, "token");
    let text = r#"test "$TOKEN" = 'tok"en-value' && printf 'it is %s\n' "$TOKEN" && cat >&2 && exit 1"#;
    let work = CommandWork { env: env("TOKEN", &marker), stdin: format!("in {marker}"), ..script(text) };
    let (failed, partial, _) = failure(fixture.perform(Work::Command(work)).await);
    let said = "`sh` ended with exit code 1: in [redacted]";
    assert_eq!((partial.as_str(), failed.message.as_str()), ("it is [redacted]\n", said));
    assert!(!fixture.shown().contains("en-value"), "{}", fixture.shown());

    let quoted = CommandWork { stdin: format!("{{\"k\":\"{marker}\"}}"), ..script("wc -c") };
    assert_eq!(output(fixture.perform(Work::Command(quoted)).await), json!("21"), "the quote in it was escaped");
}

#[tokio::test]
async fn a_secret_in_argv_or_one_that_is_not_there_starts_nothing() {
    let fixture = StepFixture::new();
    let work = command(&["touch", &secret_marker(NONCE, "token")]);
    assert_eq!(failure(fixture.perform(Work::Command(work)).await).0.class, FailureClass::Definition);
    let work = CommandWork { env: env("T", &secret_marker(NONCE, "typed")), ..command(&["touch", "begun"]) };
    let (failed, _, in_doubt) = failure(fixture.perform(Work::Command(work)).await);
    assert!(failed.class == FailureClass::Auth && failed.message.contains("`typed`") && !in_doubt, "{failed}");
    // Another run's marker is only text.
    let work = command(&["echo", &secret_marker("other", "token")]);
    assert_eq!(output(fixture.perform(Work::Command(work)).await), json!(secret_marker("other", "token")));
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_secret_whose_command_hangs_can_be_cancelled_and_nothing_has_begun() {
    let fixture = StepFixture::new();
    let work = CommandWork { env: env("T", &secret_marker(NONCE, "hangs")), ..command(&["touch", "begun"]) };
    let performing = tokio::spawn(fixture.begin(Work::Command(work)));
    tokio::task::yield_now().await;
    fixture.cancel.cancel();
    let performed = performing.await.unwrap();
    assert!(matches!(performed, AttemptOutcome::Cancelled { in_doubt: false, .. }), "{performed:?}");
    assert!(!fixture.folder.path().join("begun").exists());
}

#[tokio::test]
async fn two_hundred_megabytes_of_output_are_never_held_in_memory() {
    let fixture = StepFixture::new();
    let (value, _, measured) = done(fixture.perform(shell("head -c 200000000 /dev/zero | tr '\\0' x")).await);
    assert!(value.as_str().unwrap().len() == 1 << 20 && measured.notes[0].contains("200000000 bytes"));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(peak.parse::<u64>().unwrap() < 150_000, "{peak} kB");
}

#[tokio::test]
async fn no_part_of_a_secret_is_left_where_the_end_of_stderr_begins() {
    let marker = secret_marker(NONCE, "token");
    // The value, and as many letters after it as put each place of it where the text is cut.
    for after in 3_985..=4_001 {
        let fixture = StepFixture::new();
        let text = format!("printf '%020000d%s%0{after}d' 0 \"$TOKEN\" 0 >&2; exit 1");
        let work = CommandWork { env: env("TOKEN", &marker), ..script(&text) };
        let (failed, ..) = failure(fixture.perform(Work::Command(work)).await);
        let left = failed.detail.unwrap().replace("[redacted]", "").replace(['…', ' ', '0'], "");
        assert!(!left.contains("value"), "{after}: {left}");
    }
}

#[tokio::test]
async fn a_secret_is_taken_out_however_a_program_writes_it() {
    let fixture = StepFixture::new();
    let marker = secret_marker(NONCE, "token");
    let text =
        r#"printf '%s' "$TOKEN" | base64; printf '%s' "$TOKEN" | od -An -tx1; echo 'tok\"en-value tok%22en%2dvalue'"#;
    let work = CommandWork { env: env("TOKEN", &marker), ..script(text) };
    assert_eq!(
        output(fixture.perform(Work::Command(work)).await),
        json!("[redacted]\n [redacted]\n[redacted] [redacted]")
    );
}

#[tokio::test]
async fn a_file_of_the_definition_is_started_from_a_copy_that_is_gone_afterwards() {
    let mut fixture = StepFixture::new();
    let tool = "#!/bin/sh\n. \"$(dirname \"$0\")/lib/words.sh\"\necho \"$WORD $1 $0\"\necho left > \"$(dirname \"$0\")/left\"\n";
    let files = [("tool.sh", tool), ("lib/words.sh", "WORD=beside\n")];
    fixture.files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())).into_iter().collect();
    let own = |element, name: &str, text: &str| OwnFile {
        element,
        name: name.to_owned(),
        hash: Fingerprint::of_bytes(text.as_bytes()),
    };
    // The second element is a text that a value put in.
    let work = CommandWork { files: vec![own(0, "tool.sh", tool)], ..command(&["@/tool.sh", "@/tool.sh"]) };
    let said = output(fixture.perform(Work::Command(work.clone())).await);
    let said = said.as_str().unwrap().to_owned();
    let path = said.strip_prefix("beside @/tool.sh ").unwrap_or_else(|| panic!("{said}"));
    assert!(path.starts_with('/') && path.ends_with("/tool.sh"), "{path}");
    assert!(!Path::new(path).parent().unwrap().exists(), "with what the program wrote beside it");
    assert!(!fixture.folder.path().join("left").exists());

    let text = format!("sh \"${}\"/tool.sh x", CommandWork::FILES);
    let in_shell = CommandWork { shell: true, argv: vec![text], ..work.clone() };
    assert!(output(fixture.perform(Work::Command(in_shell)).await).as_str().unwrap().starts_with("beside x /"));

    let fails =
        CommandWork { files: vec![own(1, "lib/words.sh", "WORD=beside\n")], ..command(&["sh", "@/lib/words.sh"]) };
    let fails = CommandWork { argv: vec!["cat".into(), "@/lib/words.sh".into(), "absent".into()], ..fails };
    let (failed, _, _) = failure(fixture.perform(Work::Command(fails)).await);
    assert_eq!(failed.class, FailureClass::Command);
}

#[tokio::test]
async fn a_file_that_is_not_the_one_that_was_shown_is_not_started() {
    let mut fixture = StepFixture::new();
    fixture.files = [("tool.sh".to_owned(), b"touch ran".to_vec())].into_iter().collect();
    let file = OwnFile { element: 1, name: "tool.sh".into(), hash: Fingerprint::of_bytes(b"touch shown") };
    let work = CommandWork { files: vec![file], ..command(&["sh", "@/tool.sh"]) };
    let (failed, _, _) = failure(fixture.perform(Work::Command(work)).await);
    assert_eq!(failed.class, FailureClass::Definition, "{failed:?}");
    assert!(failed.message.contains("`@/tool.sh` is not the file that was pinned and shown"), "{failed:?}");
    assert!(!fixture.folder.path().join("ran").exists());
}

#[tokio::test]
async fn more_lines_than_a_list_may_have_are_a_text_for_a_person_to_decide_about() {
    let lines = |count: usize| CommandWork { parse: Parse::Lines, ..script(&format!("yes | head -n {count}")) };
    let fixture = StepFixture::new();
    let (output, problem, _) = done(fixture.perform(Work::Command(lines(100_000))).await);
    assert_eq!((output.as_array().map(Vec::len), problem), (Some(100_000), None));
    let (output, problem, _) = done(fixture.perform(Work::Command(lines(100_001))).await);
    assert_eq!(output.as_str().map(|text| text.lines().count()), Some(100_001), "nothing of it is lost");
    assert_eq!(problem.as_deref(), Some("stdout has more than 100000 lines, too many for a list"));
}
