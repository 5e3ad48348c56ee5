//! What may run, and with which text: as the program shows it, and as it is.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use support::cli::Home;

/// What a model may write.
const PAYLOAD: &str = "$(touch PWNED) `touch PWNED` '; touch PWNED; ' \"; touch PWNED; #";

/// A workflow whose command's text is `line`, with a value that a step before it gave.
fn shell(home: &Home, line: &str) {
    let payload = PAYLOAD.replace('\\', "\\\\").replace('"', "\\\"");
    home.write(
        "workflows/say/workflow.toml",
        &format!(
            "id = \"say\"\nname = \"Say\"\n\n[[steps]]\nid = \"p\"\nkind = \"transform\"\ntemplate = \"{payload}\"\n\n\
             [[steps]]\nid = \"run\"\nkind = \"command\"\nshell = true\nargv = ['{line}']\n"
        ),
    );
}

#[test]
fn an_approval_shows_the_text_that_a_shell_runs_and_the_values_beside_it() {
    let home = Home::new();
    shell(&home, "f() { echo {{ steps.p.output }}; }; f other; echo x{{ steps.p.output }}");
    let waits = home.run(["run", "say"]).exits(3);
    assert!(waits.out.contains("f() { echo \"$STEPWELL_1\"; }; f other; echo x\"$STEPWELL_1\"\n"), "{}", waits.out);
    assert!(waits.out.contains(&format!("STEPWELL_1 = {PAYLOAD}\n")), "{}", waits.out);
    let done = home.shell(&waits.answer()).exits(0);
    assert_eq!(done.out, format!("{PAYLOAD}\nx{PAYLOAD}\n"));
    assert!(!home.path().join("PWNED").exists());
}

#[test]
fn a_value_that_another_shell_would_read_is_a_mistake_with_the_right_form() {
    let home = Home::new();
    shell(&home, "docker exec app sh -c {{ steps.p.output }}");
    let refused = home.run(["run", "say"]).exits(4);
    assert!(refused.err.contains("in the script that a shell is given"), "{}", refused.err);
    assert!(refused.err.contains("sh -c 'echo \"$1\"' sh {{ steps.p.output }}"), "{}", refused.err);
}
