//! Bad arguments, inputs, definitions, configs and stores: one clear error each, before anything runs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;

#[test]
fn a_mistake_in_the_arguments_exits_2_and_names_what_is_wrong() {
    let home = Home::new();
    home.write("bytes", "");
    for (line, names) in [
        ("run", "<TASK>"),
        ("run poem --revew accept", "--review"),
        ("run poem --review maybe", "accept"),
        ("run peom", "poem"),
        ("run poem -i topic", "NAME=VALUE"),
        ("run poem --budget lots", "lots"),
        ("run poem --dir nowhere", "nowhere"),
        ("show nothing", "`nothing`"),
        ("show abcdef", "abcdef"),
        ("review last", "--accept"),
        ("review last --accept --skip", "--skip"),
        ("reopen last a[", "a[`"),
        ("history --status done", "completed"),
        ("export last --format md --scope some", "result"),
        ("check nowhere.toml", "nowhere.toml"),
        ("trust nowhere", "nowhere"),
        ("nonsense", "nonsense"),
        ("history --limit 0", "--limit"),
        ("run poem -i topic=a -i topic=b", "topic"),
        ("run poem -i topic=a --prompt b", "--prompt"),
        ("run poem -i topic=a --budget -1", "--budget"),
        ("run poem -i topic=a --out bytes/x", "bytes/x"),
    ] {
        let done = home.step(line).exits(2);
        assert!(done.err.contains(names), "`{line}` says: {}", done.err);
        assert_eq!(done.out, "", "{line}");
    }
    for line in ["show last", "diff last last:x"] {
        assert_eq!(home.step(line).exits(2).out, "", "there is no run yet");
    }
}

#[test]
fn a_mistake_in_the_inputs_exits_4_and_nothing_is_started() {
    let home = Home::new();
    home.write("bytes", "");
    std::fs::write(home.path().join("bytes"), [0xff, 0xfe, 0x00]).unwrap();
    for (line, names) in [
        ("run poem", "`topic`"),
        ("run poem -i topic=x -i stanzas=many", "many"),
        ("run poem -i topic=x -i stanzas=99", "12"),
        ("run poem -i topic=x -i form=limerick", "form"),
        ("run poem -i topc=x", "topic"),
        ("run poem -i topic=@nowhere", &home.path().display().to_string()),
        ("run poem -i =x", "topic, stanzas, form, mood"),
        ("run poem -i topic=@bytes", "bytes"),
    ] {
        let why = home.step(&format!("{line} --json")).refused(4, "invalid_input");
        assert!(why.contains(names), "`{line}` says: {why}");
    }
    home.piped("run poem --inputs - --json", b"[1]").refused(4, "invalid_input");
    let why = home.piped("run poem --inputs - --json", b"{\"topic\": 3}").refused(4, "invalid_input");
    assert!(why.contains("`topic`"), "{why}");
    home.step("run poem -i topic=x --model nobody/x --json").refused(4, "unknown_model");
    assert_eq!(home.step("history --json").exits(0).out, "");
}

#[test]
fn inputs_come_from_files_stdin_and_json() {
    let home = Home::new();
    home.write("topic.txt", "from a file\n");
    home.step("run poem -i topic=@topic.txt").exits(3);
    assert_eq!(home.show("last")["inputs"]["topic"], "from a file");
    home.piped("run poem -i topic=@-", b"from stdin\n").exits(3);
    assert_eq!(home.show("last")["inputs"]["topic"], "from stdin");
    home.piped("run poem", b"from a pipe\n").exits(3);
    assert_eq!(home.show("last")["inputs"]["topic"], "from a pipe");
    home.piped("run poem --inputs -", b"{\"topic\": \"from json\", \"stanzas\": 2}").exits(3);
    assert_eq!(home.show("last")["inputs"]["stanzas"], 2);
    home.run(["run", "poem", "-i", "topic=@@home"]).exits(3);
    assert_eq!(home.show("last")["inputs"]["topic"], "@home");
    home.piped("run poem --json", b"").refused(4, "invalid_input");
}

#[test]
fn a_wrong_config_is_one_error_with_its_place() {
    let home = Home::new();
    home.write("config.toml", "[models]\ndefault = 3\n");
    let why = home.step("run poem -i topic=x --json").refused(4, "invalid_definition");
    assert!(why.contains("config.toml:2:"), "{why}");
    assert!(home.step("doctor").exits(4).out.contains("config.toml:2:"));
    home.step("tasks").exits(0);
}

#[test]
fn a_wrong_config_hinders_nothing_that_only_looks_at_runs() {
    let home = Home::new();
    home.step("run poem -i topic=owls").exits(3);
    home.write("config.toml", "[model]\n");
    home.write("workflows/bad/workflow.toml", "id = \"bad\"\nname = \"Bad\"\nstep = 1\n");
    let looks = ["history", "show last", "show last --json", "export last --format md --scope full", "diff last last"];
    for line in looks.into_iter().chain(["learned", "cancel last"]) {
        let done = home.step(line).exits(0);
        assert!(done.err.contains("warning: ") && done.err.contains("config.toml:1:2"), "{line}: {}", done.err);
    }
    home.step("paths").exits(0);
    assert!(home.step("rerun last").exits(4).err.contains("config.toml:1:2"));
    let checked = home.step("check").exits(4);
    assert!(checked.out.contains("config.toml:1:2") && checked.out.contains("workflow.toml:3:1"), "{}", checked.out);
}

#[test]
fn a_disk_that_is_full_is_told_and_what_was_saved_is_kept() {
    let home = Home::new();
    home.step("run poem -i topic=sea -i stanzas=12 --review accept").exits(0);
    let full = home.shell("ulimit -f 300; stepwell run poem -i topic=sea -i stanzas=12 --review accept").exits(5);
    assert!(full.err.contains("stepwell.db"), "{}", full.err);
    let kept = home.show("last");
    assert!(!kept["calls"].as_array().unwrap().is_empty(), "{kept:#}");
    home.step("resume last --review accept").exits(0);
}

#[test]
fn check_finds_mistakes_and_trust_lets_a_definition_run() {
    let home = Home::new();
    home.step("check").exits(0);
    let task = "id = \"hi\"\nname = \"Hi\"\ninstruction = \"Say hi\"\n";
    home.write("work/tasks/hi.toml", task);
    home.write("work/tasks/bad.toml", "id = \"bad\"\nnam = \"Bad\"\n");
    let wrong = home.step("check work/tasks/bad.toml").exits(4);
    assert!(wrong.out.contains("bad.toml:2:1") && wrong.out.contains("name"), "{}", wrong.out);
    assert!(wrong.err.ends_with("in 1 definition\n"), "{}", wrong.err);
    let broken = home.step("trust work/tasks/bad.toml").exits(0);
    assert!(broken.err.contains("bad.toml:2:1"), "{}", broken.err);
    let why = home.step("run hi --dir work --json").refused(4, "untrusted");
    assert!(why.contains("stepwell trust"), "{why}");
    home.step("trust work/tasks/hi.toml").exits(0);
    home.step("run hi --dir work").exits(0);
    home.write("work/tasks/hi.toml", &task.replace("Say hi", "Say bye"));
    home.step("run hi --dir work --json").refused(4, "untrusted");
    let again = home.step("trust work/tasks/hi.toml").exits(0);
    assert!(again.err.contains("-instruction = \"Say hi\"") && again.err.contains("Say bye"), "{}", again.err);
}

#[test]
fn new_writes_a_definition_that_checks_and_never_over_a_file() {
    let home = Home::new();
    let path = home.step("new workflow mine").exits(0).out;
    assert!(path.trim_end().ends_with("workflows/mine/workflow.toml"), "{path}");
    home.run(["check", path.trim_end()]).exits(0);
    let text = std::fs::read_to_string(path.trim_end()).unwrap();
    home.step("new workflow mine").exits(2);
    assert_eq!(std::fs::read_to_string(path.trim_end()).unwrap(), text);
    home.step("new instruct letter --from email").exits(0);
    assert!(home.step("tasks").out.contains("letter"));
    home.step("new instruct 1bad").exits(2);
}

#[test]
fn a_store_that_cannot_be_used_exits_5_and_is_left_alone() {
    let home = Home::new();
    home.write("stepwell.db", "this is no database, but somebody's notes");
    for line in ["run poem -i topic=x --json", "history --json", "show last --json"] {
        let why = home.step(line).refused(5, "store");
        assert!(why.contains("stepwell.db"), "{why}");
    }
    home.step("doctor").exits(5);
    home.step("tasks").exits(0);
    let kept = std::fs::read_to_string(home.path().join("stepwell.db")).unwrap();
    assert_eq!(kept, "this is no database, but somebody's notes");
}

#[test]
fn a_found_key_is_not_used_before_somebody_agreed() {
    let home = Home::new();
    let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
    command.args(["run", "poem", "-i", "topic=x"]).env("OPENAI_API_KEY", "sk-never-sent");
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(err.contains("[models]") && err.contains("default = \"openai/"), "{err}");
    assert!(!err.contains("sk-never-sent"));
    assert_eq!(home.step("history --json").out, "");
}

#[test]
fn doctor_names_the_programs_that_definitions_run_and_that_are_not_there() {
    let home = Home::new();
    home.write("workflows/own/run.sh", "echo ran");
    home.write(
        "workflows/own/workflow.toml",
        "id = \"own\"\nname = \"Own\"\n\
         [[steps]]\nid = \"a\"\nkind = \"command\"\nargv = [\"@/run.sh\"]\n\
         [[steps]]\nid = \"b\"\nkind = \"command\"\nshell = true\nargv = [\"cd / && no_such_word || true\"]\n\
         [[steps]]\nid = \"c\"\nkind = \"command\"\nargv = [\"no-such-program\", \"x\"]\n",
    );
    let told = home.step("doctor").exits(0).out;
    let missing: Vec<&str> = told.lines().filter(|line| line.starts_with("missing")).collect();
    assert_eq!(missing, ["missing  `own` runs `no-such-program`, which is not there"], "{told}");
}

#[test]
fn help_doctor_paths_models_and_completions_answer() {
    let home = Home::new();
    assert!(home.step("--help").exits(0).out.contains("review"));
    assert!(home.step("review --help").exits(0).out.contains("--scope"));
    assert!(home.run::<&str>([]).exits(2).err.contains("stepwell tasks"));
    let doctor = home.step("doctor").exits(0).out;
    assert!(doctor.contains("demo/recorded would answer") && doctor.contains("neither a key"), "{doctor}");
    assert!(home.step("paths").exits(0).out.contains("stepwell.db"));
    assert!(home.step("models").exits(0).out.contains("demo/recorded"));
    assert!(home.step("completions bash").exits(0).out.contains("_stepwell"));
    home.step("run poem -i topic=x --review accept").exits(0);
    assert!(home.step("doctor --rebuild").exits(0).out.contains("1 run"));
}

#[test]
fn a_pipe_that_closes_early_is_a_quiet_end() {
    let home = Home::new();
    home.step("run poem -i topic=x --review accept").exits(0);
    let done = home.shell("stepwell show last --events | head -c 10 >/dev/null; exit ${PIPESTATUS:-0}").exits(0);
    assert_eq!(done.err, "");
}
