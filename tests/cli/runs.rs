//! Runs from the command line: what a person types, what comes out, and the exit code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use crate::support::cli::Home;
use crate::support::patience::until;
use serde_json::{Value, json};

const POEM: [&str; 6] = ["run", "poem", "-i", "topic=the sea", "-i", "stanzas=2"];

fn poem(home: &Home, more: &[&str]) -> crate::support::cli::Done {
    home.run(POEM.iter().chain(more))
}

/// A workflow of the person's own: a form, then an effect that needs leave.
const EFFECT: &str = r#"
id = "effect"
name = "Write a file"

[[steps]]
id = "what"
kind = "ask"
text = "What goes into it?"
[[steps.fields]]
name = "text"
type = "text"
default = "hello"

[[steps]]
id = "save"
kind = "command"
argv = ["sh", "-c", "echo once >> effects; echo saved {{ steps.what.output.text }}"]
"#;

fn effect(home: &Home) {
    home.write("workflows/effect/workflow.toml", EFFECT);
}

#[test]
fn a_poem_whose_stanzas_all_pass_goes_to_stdout() {
    let home = Home::new();
    let done = poem(&home, &["--review", "accept"]).exits(0);
    let run = home.show("last");
    assert_eq!(run["status"], "completed");
    assert_eq!(done.out.trim_end(), run["result"]["body"].as_str().unwrap().trim_end());
    assert!(done.err.contains("demo"), "the demo is labelled: {}", done.err);
}

#[test]
fn a_run_that_waits_exits_3_and_the_command_it_prints_works_as_printed() {
    let home = Home::new();
    let mut done = poem(&home, &["--review", "stop"]).exits(3);
    for _ in 0..2 {
        assert!(done.out.contains("waits for a review"), "{}", done.out);
        done = home.shell(&done.answer()).exits(3);
    }
    assert!(done.answer().contains("'write[1]'"), "{}", done.out);
    let done = home.shell(&done.answer()).exits(0);
    assert_eq!(done.out.trim_end(), home.show("last")["result"]["body"].as_str().unwrap().trim_end());
}

#[test]
fn a_second_accept_is_refused_and_changes_nothing() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    home.step("review last divide --accept").exits(3);
    let before = home.step("show last --events").out;
    for (line, code) in [
        ("review last divide --accept --json", "not_waiting"),
        ("review last write[0] --attempt 7 --accept --json", "stale_view"),
        ("review last nowhere --accept --json", "no_call"),
        ("review last write[0] --approve --json", "not_allowed"),
    ] {
        home.step(line).refused(2, code);
    }
    assert_eq!(home.step("show last --events").out, before);
}

#[test]
fn an_edit_is_a_version_and_later_calls_see_it() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    home.step("review last --accept").exits(3);
    home.write("mine.md", "My own first stanza.\n");
    home.step("review last --edit mine.md").exits(3);
    let call = home.call("write[0]");
    assert_eq!((&call["status"], &call["output"]), (&"review".into(), &"My own first stanza.".into()));
    assert_eq!(call["attempts"][0]["versions"].as_array().unwrap().len(), 2);
    home.piped("review last --edit - --accept", b"Mine, and taken.").exits(3);
    assert_eq!(home.call("write[0]")["standing"]["output"], "Mine, and taken.");
    let done = home.step("review last --accept").exits(0);
    assert!(done.out.starts_with("Mine, and taken.\n\n"), "{}", done.out);
}

#[test]
fn an_edit_that_does_not_fit_is_refused_with_the_reason() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    for edit in [b"{not json".as_slice(), b"{\"a\": 1}"] {
        let why = home.piped("review last --edit - --accept --json", edit).refused(2, "invalid_input");
        assert!(why.contains("`divide`"), "{why}");
    }
    assert_eq!(home.call("divide")["attempts"][0]["versions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rejected_attempt_stays_visible_with_its_instruction() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    home.step("review last --accept").exits(3);
    home.run(["review", "last", "--retry", "shorter, please", "--scope", "always"]).exits(3);
    let call = home.call("write[0]");
    assert_eq!(call["attempt"], 2);
    assert_eq!(call["attempts"][0]["status"], "rejected");
    assert_eq!(call["attempts"][0]["instruction"], "shorter, please");
    let learned = home.step("learned").exits(0).out;
    assert!(learned.contains("poem / write: shorter, please"), "{learned}");
    let id = learned.split_whitespace().next().unwrap();
    home.run(["learned", "--edit", id, "much shorter"]).exits(0);
    assert!(home.step("learned poem").out.contains("much shorter"));
    home.run(["learned", "--remove", id]).exits(0);
    assert_eq!(home.step("learned").exits(0).out, "");
    home.run(["learned", "--remove", id]).exits(2);
    let differs = home.step("diff last:write[0]#1 last:write[0]#2").exits(0);
    assert!(differs.out.contains("[-") || differs.err.contains("the same"), "{differs:?}");
}

#[test]
fn programs_read_what_differs_between_two_texts_and_between_two_runs() {
    let home = Home::new();
    poem(&home, &["--review", "accept"]).exits(0);
    let first = home.show("last");
    home.run(["rerun", "last", "-i", "stanzas=3", "--review", "accept"]).exits(0);
    let second = home.show("last");
    let [a, b] = [&first, &second].map(|run| run["run"].as_str().unwrap());
    let compared = home.run(["diff", a, b, "--json"]).exits(0).lines().remove(0);
    let text = |without: &str| -> String {
        let pieces = compared["changes"].as_array().unwrap().iter().filter(|piece| piece["kind"] != without);
        pieces.map(|piece| piece["text"].as_str().unwrap()).collect()
    };
    assert_eq!((text("added"), text("removed")), (body(&first), body(&second)));
    let runs = &compared["runs"];
    assert_eq!(compared["same"], false);
    assert_eq!((&runs["before"], &runs["after"], &runs["same_definition"]), (&json!(a), &json!(b), &json!(true)));
    assert_eq!(runs["inputs"], json!([{ "name": "stanzas", "before": first["inputs"]["stanzas"], "after": 3 }]));
    let new = runs["calls"].as_array().unwrap().iter().find(|call| call["key"] == "write[2]").unwrap();
    assert_eq!((&new["before"], &new["after"]["status"]), (&Value::Null, &json!("accepted")));

    let same = home.run(["diff", a, a, "--json"]).exits(0).lines().remove(0);
    assert_eq!(
        (&same["same"], &same["runs"]["calls"], &same["runs"]["inputs"]),
        (&json!(true), &json!([]), &json!([]))
    );
    let call =
        home.run(["diff", &format!("{a}:write[0]"), &format!("{b}:write[0]"), "--json"]).exits(0).lines().remove(0);
    assert!(call["runs"].is_null() && call["changes"].is_array(), "{call}");
    home.run(["diff", a, "nothing", "--json"]).refused(2, "no_run");
}

fn body(run: &Value) -> String {
    run["result"]["body"].as_str().unwrap().to_owned()
}

#[test]
fn all_that_pass_are_accepted_together_and_decisions_come_from_a_file() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    home.step("review last --all --step write --accept").exits(2);
    home.step("review last --all --accept").exits(3);
    home.write("decisions", "{\"key\":\"write[0]\",\"decide\":\"edit\",\"output\":\"One.\",\"accept\":true}\n");
    home.step("review last --decisions decisions").exits(3);
    assert_eq!(home.call("write[0]")["standing"]["output"], "One.");
    home.piped("review last --decisions - --json", b"{\"key\":\"write[1]\"}\n").refused(2, "invalid_input");
}

#[test]
fn without_leave_an_effect_waits_and_with_leave_it_happens_once() {
    let home = Home::new();
    effect(&home);
    let done = home.step("run effect --review accept").exits(3);
    assert!(done.out.contains("    sh\n") && done.out.contains("    echo once >> effects"), "{}", done.out);
    assert!(!home.path().join("effects").exists());
    let done = home.shell(&done.answer()).exits(0);
    assert_eq!(done.out, "saved hello\n");
    assert_eq!(std::fs::read_to_string(home.path().join("effects")).unwrap(), "once\n");
    home.step("run effect --review accept --approve all").exits(0);
    home.step("run effect --review accept --approve deny").exits(1);
    assert_eq!(home.show("last")["error"]["class"], "denied");
    assert_eq!(std::fs::read_to_string(home.path().join("effects")).unwrap(), "once\nonce\n");
}

#[test]
fn a_form_without_a_terminal_waits_and_an_invalid_answer_leaves_it_open() {
    let home = Home::new();
    effect(&home);
    let done = home.step("run effect").exits(3);
    assert!(done.out.contains("What goes into it?"), "{}", done.out);
    let why = home.run(["review", "last", "--answer", "{\"text\": 3}", "--json"]).refused(2, "invalid_input");
    assert!(why.contains("`text`"), "{why}");
    home.run(["review", "last", "--answer", "nonsense", "--json"]).refused(2, "invalid_input");
    assert_eq!(home.show("last")["waiting"][0]["for"], "input");
    home.shell(&done.answer()).exits(3);
    assert_eq!(home.show("last")["waiting"][0]["for"], "approval");
    home.run(["review", "last", "--deny", "not today"]).exits(1);
    assert_eq!(home.show("last")["status"], "failed");
    let why = home.step("review last --accept --json").refused(2, "not_waiting");
    assert!(why.contains("stepwell resume"), "{why}");
}

#[test]
fn reopen_says_what_becomes_stale_and_what_had_an_effect() {
    let home = Home::new();
    effect(&home);
    home.step("run effect --review accept --approve all").exits(0);
    let done = home.step("reopen last what").exits(3);
    assert!(done.out.contains("stale if it changes: save"), "{}", done.out);
    assert!(done.out.contains("had an effect outside already"), "{}", done.out);
    home.write("new.json", "{\"text\": \"bye\"}");
    let done = home.step("review last what --edit new.json --accept").exits(3);
    assert_eq!(home.show("last")["waiting"][0]["for"], "stale", "{}", done.out);
    home.step("review last --keep").exits(0);
    assert_eq!(std::fs::read_to_string(home.path().join("effects")).unwrap(), "once\n");
    assert_eq!(home.call("save")["status"], "accepted");
}

#[test]
fn a_fork_takes_over_what_does_not_depend_and_a_rerun_nothing() {
    let home = Home::new();
    poem(&home, &["--review", "accept"]).exits(0);
    let first = home.show("last");
    let id = first["run"].as_str().unwrap();
    home.run(["fork", id, "--at", "write[1]", "--review", "stop"]).exits(3);
    let fork = home.show("last");
    assert_ne!(fork["run"], first["run"]);
    assert_eq!(fork["calls"][0]["standing"]["output"], first["calls"][0]["standing"]["output"]);
    assert_eq!(fork["waiting"][0]["key"], "write[1]");
    home.run(["rerun", id, "-i", "topic=the moon", "--review", "accept"]).exits(0);
    let again = home.show("last");
    assert_eq!((&again["inputs"]["topic"], &again["inputs"]["stanzas"]), (&"the moon".into(), &2.into()));
    home.run(["fork", id, "--at", "nowhere", "--json"]).refused(2, "no_call");
    home.run(["rerun", "ffffffff", "--json"]).refused(2, "no_run");
}

#[test]
fn a_cancelled_run_stays_so() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    home.step("cancel last").exits(0);
    assert_eq!(home.show("last")["status"], "cancelled");
    home.step("cancel last").exits(2);
    for refused in ["resume last --json", "review last --accept --json"] {
        home.step(refused).refused(2, "over");
    }
    assert_eq!(home.show("last")["status"], "cancelled");
}

#[test]
fn a_failed_run_is_taken_up_again_at_the_failed_call() {
    let home = Home::new();
    home.write(
        "workflows/shaky/workflow.toml",
        "id = \"shaky\"\nname = \"Shaky\"\n\n[[steps]]\nid = \"try\"\nkind = \"command\"\napprove = \"never\"\n\
         argv = [\"sh\", \"-c\", \"test -e ready && echo done\"]\n",
    );
    let done = home.step("run shaky").exits(1);
    assert!(done.err.contains("stepwell resume"), "{}", done.err);
    assert_eq!(home.show("last")["error"]["class"], "command");
    home.write("ready", "");
    assert_eq!(home.step("resume last").exits(0).out, "done\n");
    assert_eq!(home.call("try")["attempts"].as_array().unwrap().len(), 2);
}

#[test]
fn resume_with_todays_definition_says_what_stands_and_what_runs_again() {
    let home = Home::new();
    let definition = |second: &str| {
        format!(
            "id = \"two\"\nname = \"Two\"\n\n[[steps]]\nid = \"a\"\nkind = \"transform\"\nexpr = \"'one'\"\n\n\
             [[steps]]\nid = \"b\"\nkind = \"prompt\"\nprompt = \"{second} {{{{ steps.a.output }}}}\"\n\n\
             [[steps]]\nid = \"c\"\nkind = \"prompt\"\nprompt = \"and {{{{ steps.b.output }}}}\"\n"
        )
    };
    home.write("workflows/two/workflow.toml", &definition("Say"));
    home.step("run two").exits(3);
    home.step("review last b --accept").exits(3);
    home.write("workflows/two/workflow.toml", &definition("Shout"));
    let done = home.step("resume last --update").exits(3);
    assert!(done.err.contains("stands: a"), "{}", done.err);
    assert!(done.err.lines().any(|line| line.starts_with("runs again:") && line.contains('b')), "{}", done.err);
    let before = home.show("last")["definition"].clone();
    home.step("resume last").exits(3);
    assert_eq!(home.show("last")["definition"], before);
}

#[test]
fn an_instruct_task_asks_answers_and_delivers() {
    let home = Home::new();
    let done = home.run(["run", "email", "--prompt", "tell Ana the meeting moved to Friday"]);
    let done = if done.code == 3 {
        assert!(done.out.contains("--answer"), "{}", done.out);
        home.shell(&done.answer())
    } else {
        done
    };
    let done = done.exits(0);
    let run = home.show("last");
    assert_eq!(done.out.trim_end(), run["result"]["body"].as_str().unwrap().trim_end());
    home.run(["review", "last", "--answer", "\"shorter\""]).exits(0);
    let run = home.show("last");
    assert!(run["documents"].as_array().unwrap().len() >= 2, "{run:#}");
    home.run(["review", "last", "--answer", "shorter", "--json"]).refused(2, "invalid_input");
}

#[test]
fn a_diff_on_stdin_needs_no_option() {
    let home = Home::new();
    let done = home.piped("run commit_message", b"diff --git a/x b/x\n+fixed\n");
    assert!(matches!(done.code, 0 | 3), "{done:?}");
    let inputs = home.show("last")["inputs"].clone();
    assert!(
        inputs.as_object().unwrap().values().any(|value| value["text"].as_str().is_some_and(|t| t.contains("+fixed")))
    );
}

#[test]
fn a_detached_run_goes_on_in_a_process_of_its_own() {
    let home = Home::new();
    let done = poem(&home, &["--detach", "--review", "accept"]).exits(0);
    let run = done.out.trim().to_owned();
    assert_eq!(run.len(), 32, "{run}");
    // Following it ends when it does; it may have ended before.
    let done = home.run(["resume", &run, "--review", "accept"]).exits(0);
    assert!(!done.out.trim().is_empty());
    assert_eq!(home.show(&run)["status"], "completed");
}

#[test]
fn results_and_the_whole_run_are_written_into_a_folder() {
    let home = Home::new();
    let done = poem(&home, &["--review", "accept", "--out", "there"]).exits(0);
    let folder = home.path().join("there");
    assert_eq!(std::fs::read_to_string(folder.join("result.md")).unwrap().trim_end(), done.out.trim_end());
    let run: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("run.json")).unwrap()).unwrap();
    assert_eq!(run["status"], "completed");
}

#[test]
fn a_run_is_exported_in_each_format() {
    let home = Home::new();
    poem(&home, &["--review", "accept"]).exits(0);
    for format in ["md", "json", "html", "csv"] {
        assert!(!home.run(["export", "last", "--format", format]).exits(0).out.is_empty(), "{format}");
    }
    let named = home.step("export last --format md").exits(0).out;
    assert_eq!(home.step("export last").exits(0).out, named, "Markdown goes to stdout where nothing is said");
    home.step("export last --format md --scope full -o poem.md").exits(0);
    assert!(home.path().join("poem.md").exists());
    home.step("export last --format pdf -o poem.pdf").exits(0);
    assert!(std::fs::read(home.path().join("poem.pdf")).unwrap().starts_with(b"%PDF-"));
    assert_eq!(home.step("export last --format odt").exits(2).out, "");
}

#[test]
fn history_finds_runs_by_what_they_said() {
    let home = Home::new();
    assert_eq!(home.step("history --json").exits(0).out, "");
    poem(&home, &["--review", "accept"]).exits(0);
    home.run(["run", "poem", "-i", "topic=winter owls"]).exits(3);
    assert_eq!(home.step("history --json").lines().len(), 2);
    let found = home.step("history owls --json").lines();
    assert_eq!(found.len(), 1);
    let row = found[0].as_object().unwrap();
    let names: Vec<&String> = row.keys().collect();
    assert_eq!(
        names,
        ["run", "task", "kind", "title", "status", "created_at", "updated_at", "snippet", "newer", "archived"]
    );
    assert_eq!(row["status"], "waiting");
    assert_eq!(home.step("history --status completed --json").lines().len(), 1);
    assert_eq!(home.step("history --task email --json").lines().len(), 0);
    assert_eq!(home.step("history --since 1h --limit 1 --json").lines().len(), 1);
    for query in ["\"", "NOT x", "a'b", "multi-agent", "*", "col:x"] {
        home.run(["history", query]).exits(0);
    }
    home.step("history --since yesterdayish").exits(2);
}

#[test]
fn what_follows_a_run_is_told_or_started() {
    let home = Home::new();
    let step = |id: &str, says: &str| {
        format!(
            "id = \"{id}\"\nname = \"{id}\"\n\n[[steps]]\nid = \"say_{id}\"\nkind = \"transform\"\nexpr = \"{says}\"\n"
        )
    };
    let then = "\n[[then]]\nworkflow = \"second\"\ninputs = { word = \"{{ steps.say_first.output }}\" }\n";
    home.write("workflows/first/workflow.toml", &format!("{}{then}", step("first", "'one'")));
    let input = "\n[[inputs]]\nname = \"word\"\n";
    home.write("workflows/second/workflow.toml", &format!("{}{input}", step("second", "inputs.word ~ ' and two'")));
    let done = home.step("run first --next").exits(0);
    let mut lines = done.out.lines();
    assert_eq!(lines.next(), Some("one"));
    let next = lines.next().unwrap().strip_prefix("next: ").unwrap();
    assert_eq!(home.shell(next).exits(0).out, "one and two\n");
    assert_eq!(home.step("run first --autoruns 1").exits(0).out, "one\none and two\n");
    assert_eq!(home.step("run first").exits(0).out, "one\n");
    // A program reads the same as JSON.
    let lines = home.step("run first --next --json").exits(0).lines();
    let [.., completed, next] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((&completed["type"], &next["type"]), (&"run_completed".into(), &"next".into()));
    assert_eq!(next["run"], completed["run"]);
    assert_eq!((&next["task"], &next["inputs"]["word"]), (&"second".into(), &"one".into()));
    assert_eq!(
        home.step("run second -i word=x --next --json").exits(0).lines().pop().unwrap()["type"],
        "run_completed"
    );
    // Each run's files are kept.
    home.step("run first --autoruns 1 --out results").exits(0);
    let kept = |name: &str| std::fs::read_to_string(home.path().join("results").join(name)).unwrap();
    assert_eq!((kept("result.md").as_str(), kept("2-second/result.md").as_str()), ("one\n", "one and two\n"));
    assert!(kept("run.json").contains("\"first\"") && kept("2-second/run.json").contains("\"second\""));
    assert_eq!(home.show("last")["origin"]["how"], "successor");
}

#[test]
fn what_follows_a_run_has_the_defaults_of_the_config_and_reads_no_file_that_a_run_named() {
    let home = Home::new();
    let says = |id: &str, more: &str| {
        format!("id = \"{id}\"\nname = \"{id}\"\n{more}[[steps]]\nid = \"say\"\nkind = \"transform\"\n")
    };
    let inputs = "[[inputs]]\nname = \"word\"\n[[inputs]]\nname = \"notes\"\ntype = \"file\"\nrequired = false\n";
    home.write(
        "workflows/second/workflow.toml",
        &format!("{}template = \"{{{{ inputs.word }}}}, {{{{ inputs.notes.text }}}}\"\n", says("second", inputs)),
    );
    let first = |given: &str| {
        let then = format!("[[then]]\nworkflow = \"second\"\ninputs = {{ {given} }}\n");
        home.write("workflows/first/workflow.toml", &format!("{}expr = \"'notes'\"\n{then}", says("first", "")));
    };
    home.write("notes", "from a file");
    home.write("config.toml", &format!("[defaults.second]\nnotes = \"{}\"\n", home.path().join("notes").display()));
    first("word = \"one\"");
    assert_eq!(home.step("run first --autoruns 1").exits(0).out, "notes\none, from a file\n");
    // The task's own default is a person's word too.
    home.write("config.toml", "");
    let own = format!("{inputs}default = \"{}\"\n", home.path().join("notes").display());
    home.write(
        "workflows/second/workflow.toml",
        &format!("{}template = \"{{{{ inputs.word }}}}, {{{{ inputs.notes.text }}}}\"\n", says("second", &own)),
    );
    assert_eq!(home.step("run first --autoruns 1").exits(0).out, "notes\none, from a file\n");
    // What a run gave names no file.
    first("word = \"one\", notes = \"{{ steps.say.output }}\"");
    home.step("run first --autoruns 1").exits(4);
}

#[test]
fn a_file_that_is_a_tasks_own_default_is_read_where_it_is_started() {
    let home = Home::new();
    home.write(
        "workflows/t/workflow.toml",
        "id = \"t\"\nname = \"T\"\n[[inputs]]\nname = \"notes\"\ntype = \"file\"\ndefault = \"notes.txt\"\n\
         [[steps]]\nid = \"say\"\nkind = \"transform\"\ntemplate = \"{{ inputs.notes.text }}\"\n",
    );
    let missing = home.step("run t").exits(4);
    assert!(missing.err.contains("`notes`: there is no file notes.txt (looked in "), "{}", missing.err);
    home.write("notes.txt", "what is there");
    assert_eq!(home.step("run t").exits(0).out, "what is there\n");
}

/// A value that was not given is not given again either: what fills it in is free to.
#[test]
fn what_was_left_empty_is_empty_again() {
    let home = Home::new();
    let task = |topic: &str| {
        format!(
            "id = \"t\"\nname = \"T\"\n[[inputs]]\nname = \"topic\"\nrequired = {topic}\n\
             [[steps]]\nid = \"say\"\nkind = \"transform\"\ntemplate = \"[{{{{ inputs.topic }}}}]\"\n"
        )
    };
    home.write("workflows/t/workflow.toml", &task("false"));
    assert_eq!(home.step("run t").exits(0).out, "[]\n");
    assert_eq!(home.step("rerun last").exits(0).out, "[]\n");
    home.write("workflows/t/workflow.toml", &task("true"));
    assert_eq!(home.piped("rerun last", b"the sea\n").exits(0).out, "[the sea]\n");
}

#[test]
fn decisions_are_recorded_all_or_none() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    let before = home.step("show last --events").out;
    let two = b"{\"key\": \"divide\", \"decide\": \"accept\"}\n{\"key\": \"write[0]\", \"decide\": \"accept\"}\n";
    home.piped("review last --decisions - --json", two).refused(2, "no_call");
    for nothing in ["review last --decisions - --json", "review last --edit - --accept --json"] {
        home.piped(nothing, b"\n").refused(2, "invalid_input");
    }
    assert_eq!(home.step("show last --events").out, before);
}

#[test]
fn what_a_call_waits_for_is_said_in_words() {
    let home = Home::new();
    poem(&home, &[]).exits(3);
    let refused = home.step("reopen last divide").exits(2);
    assert!(refused.err.contains("`divide`") && refused.err.contains("review"), "{}", refused.err);
}

#[test]
fn text_of_the_demo_is_labelled_wherever_it_is_shown() {
    let home = Home::new();
    poem(&home, &["--review", "accept"]).exits(0);
    let says = "Written by the demo model";
    assert!(home.step("show last").out.contains(says));
    for line in ["resume last", "diff last:write[0] last:write[1]"] {
        let done = home.step(line).exits(0);
        assert!(done.err.contains(says) && !done.out.contains(says), "{line}: {done:?}");
    }
    for format in ["md", "html"] {
        assert!(home.run(["export", "last", "--format", format]).out.contains(says), "{format}");
    }
}

#[test]
fn what_came_from_a_folder_is_found_there_again() {
    let home = Home::new();
    home.write("work/workflows/poem/workflow.toml", EFFECT.replace("\"effect\"", "\"poem\"").as_str());
    home.step("trust work").exits(0);
    home.step("run poem --dir work --review accept --approve all").exits(0);
    // Without --dir it is still that one, not the shipped task of the same name.
    for line in ["rerun last --review accept", "fork last --at save", "resume last --update"] {
        let done = home.step(line).exits(3);
        assert!(done.out.contains("save: approve this action?"), "{line}: {done:?}");
    }
}

#[test]
fn a_detached_run_prints_its_first_line_as_json_and_starts_what_follows() {
    let home = Home::new();
    let step = |id: &str| {
        format!("id = \"{id}\"\nname = \"{id}\"\n\n[[steps]]\nid = \"say\"\nkind = \"transform\"\nexpr = \"'{id}'\"\n")
    };
    home.write("workflows/first/workflow.toml", &format!("{}\n[[then]]\nworkflow = \"second\"\n", step("first")));
    home.write("workflows/second/workflow.toml", &step("second"));
    let lines = home.step("run first --detach --json --next --autoruns 1").exits(0).lines();
    assert_eq!((lines.len(), &lines[0]["type"], &lines[0]["seq"]), (1, &"run_created".into(), &1.into()));
    let run = lines[0]["run"].as_str().unwrap().to_owned();
    home.run(["resume", &run]).exits(0);
    // What follows is another process's doing: it is there soon.
    until("what follows", || !home.step("history --task second --status completed --json").out.is_empty());
}
