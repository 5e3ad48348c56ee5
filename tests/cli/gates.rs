//! What only a person may answer: doubt, budgets, secrets, stale results. No policy answers them.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::patience::until;

const ALL: &str = "--review accept --approve all";

#[test]
fn a_budget_that_could_be_passed_waits_until_it_is_raised() {
    let home = Home::new();
    home.write(
        "workflows/dear/workflow.toml",
        "id = \"dear\"\nname = \"Dear\"\nbudget = { tokens = 1 }\n\n[[steps]]\nid = \"go\"\nprompt = \"Say something long\"\n",
    );
    let done = home.step(&format!("run dear {ALL}")).exits(3);
    assert_eq!(home.show("last")["waiting"][0]["for"], "budget");
    assert!(done.answer().contains("--budget"), "{}", done.out);
    home.step("review last --accept").exits(2);
    home.shell(&format!("{} --review accept", done.answer())).exits(0);
    // A budget of money leaves the limit of tokens, until that is what holds the run up.
    let done = home.step(&format!("run dear {ALL} --budget 3")).exits(3);
    assert!(done.out.contains("budget of 1 tokens"), "{}", done.out);
    home.step("review last --budget 3").exits(3);
    // A budget may be raised beside another answer.
    home.step("review last --accept --budget 4.5").exits(0);
    let events = home.step("show last --events").lines();
    assert!(events.iter().any(|e| e["type"] == "budget_raised" && e["budget"]["usd"] == 4.5), "{events:?}");
}

#[test]
fn a_typed_secret_reaches_the_command_and_nothing_else() {
    let home = Home::new();
    home.write(
        "workflows/login/workflow.toml",
        "id = \"login\"\nname = \"Login\"\n\n[[inputs]]\nname = \"token\"\ntype = \"secret\"\n\n[[steps]]\nid = \"use\"\n\
         kind = \"command\"\nargv = [\"sh\", \"-c\", \"printf %s \\\"$TOKEN\\\" | wc -c; echo $TOKEN\"]\n\
         env = { TOKEN = \"{{ inputs.token }}\" }\n",
    );
    home.step("run login -i token=hunter2hunter2 --json").refused(4, "invalid_input");
    let done = home.step(&format!("run login -i token=typed {ALL}")).exits(3);
    assert_eq!(home.show("last")["waiting"][0]["for"], "secret", "{}", done.out);
    let done = home.run(["review", "last", "--answer", "\"hunter2hunter2\"", "--approve", "all"]).exits(0);
    assert!(done.out.starts_with("14\n") && !done.out.contains("hunter2"), "{}", done.out);
    let mut files = vec![home.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(7).any(|seven| seven == b"hunter2"), "{}", path.display());
        }
    }
}

#[test]
fn a_command_whose_end_nobody_saw_is_never_run_again_silently() {
    let home = Home::new();
    home.write(
        "workflows/pay/workflow.toml",
        "id = \"pay\"\nname = \"Pay\"\n\n[[steps]]\nid = \"pay\"\nkind = \"command\"\n\
         argv = [\"sh\", \"-c\", \"echo paid >> paid; while test -e wait; do read x < pipe; done; echo receipt\"]\n",
    );
    home.write("wait", "");
    assert!(home.command("mkfifo").arg("pipe").status().unwrap().success());
    let mut command = home.command(env!("CARGO_BIN_EXE_stepwell"));
    let mut child = command.args(["run", "pay", "--approve", "all"]).spawn().unwrap();
    until("the first payment", || home.path().join("paid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(home.path().join("wait")).unwrap();
    let done = home.step(&format!("resume last {ALL}")).exits(3);
    assert_eq!(home.show("last")["waiting"][0]["for"], "in_doubt", "{}", done.out);
    assert!(done.answer().ends_with("--again"), "{}", done.out);
    assert_eq!(home.run(["review", "last", "--answer", "\"receipt 7\""]).exits(0).out, "receipt 7\n");
    assert_eq!(std::fs::read_to_string(home.path().join("paid")).unwrap(), "paid\n");
}

#[test]
fn stale_results_run_again_all_at_once_and_cost_nothing_until_then() {
    let home = Home::new();
    home.step(&format!("run poem -i topic=sea -i stanzas=2 {ALL}")).exits(0);
    home.step("reopen last divide").exits(3);
    let plan = home.call("divide")["output"].clone();
    // The plan's own shape, with other subjects.
    let mut items = plan.as_array().unwrap().clone();
    for item in &mut items {
        item["subject"] = "herring".into();
    }
    home.write("plan.json", &serde_json::to_string(&items).unwrap());
    let done = home.run(["review", "last", "divide", "--edit", "plan.json", "--accept"]).exits(3);
    let waiting = home.show("last")["waiting"].clone();
    assert!(waiting.as_array().unwrap().iter().all(|gate| gate["for"] == "stale"), "{}", done.out);
    assert_eq!(home.call("write[0]")["attempts"].as_array().unwrap().len(), 1);
    home.step(&format!("resume last {ALL}")).exits(3);
    // A stanza that sees the one before it is asked about once that one is known.
    while home.show("last")["status"] == "waiting" {
        home.step("review last --again --review accept");
    }
    assert_eq!(home.call("write[0]")["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(home.call("write[1]")["attempts"].as_array().unwrap().len(), 2);
}

/// A command that asks twice while it runs.
const ASKING: &str = "id = \"asky\"\nname = \"Asky\"\n\n[[steps]]\nid = \"q\"\nkind = \"command\"\napprove = \"never\"\n\
    speaks = \"stepwell\"\nargv = [\"sh\", \"-c\", \"\"\"read start; echo begun >> begun; \
    echo '{\"ask\": {\"name\": \"n\", \"type\": \"integer\"}}'; read first; echo '{\"ask\": \"really?\"}'; read second; \
    echo got $first $second\"\"\"]\n";

#[test]
fn a_program_that_asks_while_it_runs_waits_like_any_gate_and_goes_on_when_answered() {
    let home = Home::new();
    home.write("workflows/asky/workflow.toml", ASKING);
    let done = home.step("run asky").exits(3);
    assert!(done.out.contains("q: a form to fill in: n"), "{}", done.out);
    let run = home.show("last");
    assert_eq!((&run["status"], &run["waiting"][0]["for"]), (&"waiting".into(), &"input".into()));
    assert_eq!(home.step("history --json").exits(0).lines()[0]["status"], "waiting");
    // Anyone may ask again what it waits for.
    assert_eq!(home.step("resume last").exits(3).answer(), done.answer());
    home.step("review last --answer {} --json").refused(2, "invalid_input");
    let done = home.shell(&done.answer()).exits(3);
    assert!(done.out.contains("really?"), "{}", done.out);
    let done = home.run(["review", "last", "--answer", "{\"answer\": \"yes\"}"]).exits(0);
    assert_eq!(done.out, "got {\"n\":1} {\"answer\":\"yes\"}\n");
    assert_eq!(std::fs::read_to_string(home.path().join("begun")).unwrap(), "begun\n", "it ran once");
}

#[test]
fn a_program_in_a_file_of_its_own_may_ask_and_one_that_does_not_reads_to_the_end() {
    let home = Home::new();
    home.write("workflows/asky/ask.sh", "read start; echo '{\"ask\": \"who?\"}'; read who; echo got $who\n");
    let step = "kind = \"command\"\napprove = \"never\"\n";
    let file = home.path().join("workflows/asky/ask.sh");
    home.write(
        "workflows/asky/workflow.toml",
        &format!(
            "id = \"asky\"\nname = \"Asky\"\n\n[[steps]]\nid = \"all\"\n{step}argv = [\"cat\"]\nparse = \"json\"\n\n\
             [[steps]]\nid = \"q\"\n{step}argv = [\"sh\", \"{}\"]\n",
            file.display()
        ),
    );
    let said = home.step("run asky").exits(4);
    assert!(
        said.err.contains("step `q` writes lines of the contract") && said.err.contains("`speaks = \"stepwell\"`"),
        "{}",
        said.err
    );
    let silent = std::fs::read_to_string(home.path().join("workflows/asky/workflow.toml")).unwrap();
    home.write("workflows/asky/workflow.toml", &format!("{silent}speaks = \"stepwell\"\n"));
    home.step("run asky").exits(3);
    assert_eq!(home.call("all")["output"]["inputs"], serde_json::json!({}));
    let done = home.run(["review", "last", "--answer", "{\"answer\": \"Ana\"}"]).exits(0);
    assert_eq!(done.out, "got {\"answer\":\"Ana\"}\n");
}

#[test]
fn the_last_line_of_a_run_whose_program_asks_says_what_waits() {
    let home = Home::new();
    home.write("workflows/asky/workflow.toml", ASKING);
    home.write("config.toml", "[notify]\ncommand = [\"sh\", \"-c\", \"echo $STEPWELL_STATUS >> told\"]\n");
    let lines = home.step("run asky --json").exits(3).lines();
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["seq"]), (&"run_waiting".into(), &serde_json::Value::Null));
    assert_eq!((&last["waiting"][0]["key"], &last["waiting"][0]["for"]), (&"q".into(), &"input".into()));
    // Who is notified is another program: it has done its work soon.
    until("a word of it", || std::fs::read_to_string(home.path().join("told")).is_ok_and(|told| told == "waiting\n"));
    home.step("cancel last").exits(0);
}

#[test]
fn cancelling_from_another_terminal_ends_the_program_that_is_under_way() {
    let home = Home::new();
    home.write(
        "workflows/hang/workflow.toml",
        "id = \"hang\"\nname = \"Hang\"\n\n[[steps]]\nid = \"hang\"\nkind = \"command\"\napprove = \"never\"\n\
         argv = [\"sh\", \"-c\", \"touch begun; read x < pipe\"]\n",
    );
    assert!(home.command("mkfifo").arg("pipe").status().unwrap().success());
    let mut child = home.command(env!("CARGO_BIN_EXE_stepwell")).args(["run", "hang"]).spawn().unwrap();
    until("the begin of the program", || home.path().join("begun").exists());
    home.step("cancel last").exits(0);
    // Nobody ever writes into the pipe: it ends because it is broken off.
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(home.show("last")["status"], "cancelled");
}

#[test]
fn an_approval_shows_every_byte_of_its_argv_and_the_folder() {
    let home = Home::new();
    home.write(
        "workflows/show/workflow.toml",
        "id = \"show\"\nname = \"Show\"\n\n[[steps]]\nid = \"go\"\nkind = \"command\"\ncwd = \"sub\"\n\
         argv = [\"printf\", \"one\\n  two\\tthree\", \"\\u001b[2J\"]\n",
    );
    let done = home.step("run show").exits(3);
    assert!(done.out.contains("\n        printf\n        one␊\n            "), "{}", done.out);
    assert!(done.out.contains("  two␉three\n        ␛[2J\n"), "{}", done.out);
    assert!(done.out.contains(&format!("in: {}/sub", home.path().canonicalize().unwrap().display())), "{}", done.out);
}

#[test]
fn a_line_that_looks_like_the_contract_is_an_error_that_names_the_key_and_output_where_the_step_says_so() {
    let home = Home::new();
    // Its text does not show what it writes.
    let write = |more: &str| {
        let argv = "argv = [\"printf\", \"{\\\"pro%s\\\": 1}\", \"gress\"]";
        let step = format!("[[steps]]\nid = \"c\"\nkind = \"command\"\napprove = \"never\"\n{argv}\n{more}");
        home.write("workflows/w/workflow.toml", &format!("id = \"w\"\nname = \"W\"\n\n{step}"));
    };
    write("");
    let failed = home.step("run w").exits(1);
    assert!(failed.err.contains("`speaks = \"stepwell\"`"), "{}", failed.err);
    write("env = { STEPWELL_ASKS = \"0\" }\n");
    assert_eq!(home.step("run w").exits(0).out, "{\"progress\": 1}\n");
    write("speaks = \"stepwell\"\n");
    home.step("run w").exits(0);
    assert_eq!(home.call("c")["output"], "");
}

#[test]
fn a_config_that_everybody_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let config = home.write("config.toml", "[ui]\ntheme = \"dark\"\n");
    home.step("run poem -i topic=sea -i stanzas=1").exits(3);
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o666)).unwrap();
    let refused = home.step("run poem -i topic=sea -i stanzas=1");
    assert_ne!(refused.code, 3, "{refused:?}");
    assert!(refused.err.contains("chmod o-w"), "{}", refused.err);
}
