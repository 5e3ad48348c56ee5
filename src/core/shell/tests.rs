//! What is accepted never runs: as a table, and with real shells.

use std::process::{Command, Stdio};

use minijinja::context;
use proptest::prelude::*;

use super::Misplaced::{
    Arithmetic, Backslash, Backticks, Braces, Comment, Dollar, DoubleQuotes, Evaluated, HereDocument, Script,
    SingleQuotes, Unclear, Unnamed,
};
use super::*;
use crate::core::template::Template;

/// Where a value is in the texts below.
const VALUE: char = '·';

/// The first value that may not be where it is.
fn judge(text: &str) -> Result<(), Misplaced> {
    let mut shell = Shell::default();
    let mut pieces = text.split(VALUE);
    shell.text(pieces.next().unwrap_or_default());
    for piece in pieces {
        shell.value()?;
        shell.text(piece);
    }
    Ok(())
}

#[test]
fn a_value_is_a_word_or_a_part_of_one() {
    for text in [
        "echo ·",
        "echo a·b --name=· ·/x",
        "X=· true",
        "export X=·",
        "git log --format='%s' -- · | head -n ·",
        "echo \"a\" 'b' $'c' \"it's\" 'say \"x\"' ·",
        "echo $(basename ·) \"$(basename ·)\" \"$(echo \"$(echo ·)\")\"",
        "(cd · && ls) || { echo ·; }",
        "if [ -f · ]; then cat ·; elif true; then :; else rm ·; fi",
        "for x in · ·; do echo \"$x\" ·; done",
        "case · in a) echo ·;; *) echo \"x\" ·;; esac",
        "cat < · > · 2>&1",
        "cat <<EOF\n$(date) 'one \"quote\nEOF\necho ·",
        "cat <<-'EOF' ·\n\tit's `so\n\tEOF\necho ·",
        "cat <<A <<B\n\"\nA\n'\nB\necho ·",
        "cat <<<·",
        "echo ${x:-\"a}b\"} ${#x} $# ·",
        "echo \"${x}\" \"${x:-y}\" $((1 + (2))) ·",
        "echo a#b · # it's a comment\necho ·",
        "echo a\\ b \\\" \\\n ·",
        "sh -c 'echo \"$1\"' sh ·",
        "bash -eu script.sh ·",
        "env A=1 sudo -u ana bash -euc 'ls \"$@\"' bash · ·",
        "echo `date` ·",
        "f() { echo ·; }; f ·",
        "eval \"$X\"; echo ·",
        "timeout · make ·",
    ] {
        assert_eq!(judge(text), Ok(()), "{text}");
    }
}

#[test]
fn a_value_is_nowhere_else() {
    for (text, why) in [
        ("echo \"·\"", DoubleQuotes),
        ("echo \"a $x $(date) ·\"", DoubleQuotes),
        ("echo \"a \\\" ·\"", DoubleQuotes),
        ("echo \"$·\"", DoubleQuotes),
        ("cat <<<\"·\"", DoubleQuotes),
        ("echo \"$(echo \"·\")\"", DoubleQuotes),
        ("echo $\"·\"", DoubleQuotes),
        ("echo '·'", SingleQuotes),
        ("echo 'a'b'c ·'", SingleQuotes),
        ("echo $'a ·'", SingleQuotes),
        ("sh -c 'echo ·'", SingleQuotes),
        ("python3 -c 'print(\"·\")'", SingleQuotes),
        ("echo `echo ·`", Backticks),
        ("echo \"`echo ·`\"", Backticks),
        ("cat <<EOF\n·\nEOF", HereDocument),
        ("cat <<EOF\nx\n  EOF\n·", HereDocument),
        ("cat <<-'EOF'\n\t·\n\tEOF", HereDocument),
        ("cat <<A <<B\nA\n·\nB", HereDocument),
        ("cat <<·\n", HereDocument),
        ("$(cat <<EOF\n·\nEOF\n)", HereDocument),
        ("echo a # ·", Comment),
        ("# it's ·\n", Comment),
        ("echo a;# \"\n# ·", Comment),
        ("echo \\·", Backslash),
        ("echo $·", Dollar),
        ("echo ${x:-·}", Braces),
        ("echo \"${x:-·}\"", Braces),
        ("echo $((· + 1))", Arithmetic),
        ("((· > 1)) && echo", Arithmetic),
        ("echo $(( $(echo ·) + 1 ))", Arithmetic),
        ("a[·]=1", Arithmetic),
        ("eval ·", Evaluated),
        ("eval echo ·", Evaluated),
        ("\"eval\" ·", Evaluated),
        ("e\\val ·", Evaluated),
        ("X=1 eval > /dev/null · ", Evaluated),
        ("eval 2>&1 ·", Evaluated),
        ("true && command eval ·", Evaluated),
        ("if eval ·; then :; fi", Evaluated),
        ("f() { eval ·; }", Evaluated),
        ("eval \"$(echo ·)\"", Evaluated),
        ("trap · EXIT", Evaluated),
        ("alias a=·", Evaluated),
        ("export ·", Evaluated),
        ("sh -c ·", Script),
        ("bash -euc ·", Script),
        ("/bin/sh -o errexit -c ·", Script),
        ("env -i sh -c ·", Script),
        ("su -s /bin/Sh -c · ana", Script),
        ("find . -exec sh -c · ';'", Script),
        ("sh ·", Script),
        ("sh <<<·", Script),
        ("· ·", Unnamed),
        ("echo \"$(· ·)\"", Unnamed),
    ] {
        assert_eq!(judge(text), Err(why), "{text}");
    }
    for text in [
        "echo \"$(case x in a) echo \"·\";; esac)\"",
        "echo \"$((echo \")\") | cat)\" ·",
        "cat <<EOF $(true\n)\n\nEOF\necho ·",
        "cat <<EOF\nx\\\nEOF\necho ·",
        "cat <<$X\n\n$X\necho ·",
        "echo \"${x:-'}\" ·",
        "echo $'it\\'s' ·",
        "[[ · -eq 1 ]]",
        "[[ a && · -eq 1 ]]",
    ] {
        assert!(matches!(judge(text), Err(Unclear(_))), "{text}: {:?}", judge(text));
    }
}

/// Pieces of shell text of which none does anything by itself.
const PIECES: [&str; 62] = [
    "echo ",
    "\"",
    "\"",
    "'",
    "'",
    "$(",
    ")",
    "(",
    "`",
    "\\",
    "#",
    " # ",
    "\n",
    "\n",
    " ",
    " ",
    ";",
    "; ",
    " && ",
    " || ",
    "&",
    "cat <<EOF\n",
    "cat <<-'EOF'\n",
    "\nEOF\n",
    "EOF",
    "$'",
    "$\"",
    "${x:-",
    "}",
    "$((",
    "))",
    "((",
    "1+",
    "case x in a) ",
    ";; esac",
    "eval ",
    "sh -c ",
    "X=",
    "<<<",
    "cat ",
    "{ ",
    "if true; then ",
    " fi",
    "a[",
    "]",
    "[ ",
    " ]",
    " -eq 1",
    "export ",
    "env ",
    "command ",
    "\\\n",
    "$",
    "f() ",
    "printf %s ",
    "> /dev/null ",
    "2>&1 ",
    "! ",
    "trap ",
    " EXIT",
    "x",
    "=",
];

/// What a model may write.
const PAYLOADS: [&str; 20] = [
    "$(touch PWNED)",
    "`touch PWNED`",
    "'; touch PWNED; '",
    "\"; touch PWNED; \"",
    "'$(touch PWNED)'",
    "\"$(touch PWNED)\"",
    "\ntouch PWNED\n",
    "'\ntouch PWNED\n'",
    "\nEOF\ntouch PWNED\n",
    "\\\nEOF\ntouch PWNED\n",
    "; touch PWNED #",
    ") ; touch PWNED ; (",
    "} ; touch PWNED ; {",
    "\\'; touch PWNED; \\'",
    "\\\"; touch PWNED; \\\"",
    "a[$(touch PWNED)]",
    "touch PWNED",
    "#\ntouch PWNED",
    "it's; touch PWNED",
    "eval",
];

/// Whether a value of this text has run, in any shell that there is.
fn runs(text: &str, values: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..values.len()).map(|at| format!("{{{{ v[{at}] }}}}")).collect();
    let mut template = String::new();
    for (at, piece) in text.split(VALUE).enumerate() {
        template.push_str(if at > 0 { &names[at - 1] } else { "" });
        template.push_str(piece);
    }
    // The line break that a template loses at its end is kept.
    let template = Template::parse(&(template + "\n")).unwrap();
    let line =
        template.render_shell(&context! { v => minijinja::Value::from(minijinja::value::Serde(values)) }).unwrap();
    for shell in ["sh", "bash"] {
        let mut command = Command::new(shell);
        command.args(["-c", &line]).current_dir(folder.path());
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
    folder.path().join("PWNED").exists()
}

#[test]
fn what_a_model_may_write_would_run_where_it_is_refused() {
    // Else the tests below would hold whatever is accepted.
    for text in
        ["echo \"·\"", "echo '·'", "cat <<EOF\n·\nEOF", "eval echo ·", "echo `echo ·`", "# ·", "sh -c ·", "echo \\·"]
    {
        assert!(judge(text).is_err() && PAYLOADS.iter().any(|payload| runs(text, &[payload])), "{text}");
    }
}

#[test]
fn no_value_runs_in_a_place_that_is_accepted() {
    for text in [
        "echo ·",
        "echo a·b --name=·",
        "X=· true",
        "echo $(basename ·) \"$(basename ·)\"",
        "(echo · && ls) || { echo ·; }",
        "case · in a) echo ·;; *) echo \"x\" ·;; esac",
        "cat <<EOF ·\n$(date) 'one \"quote\nEOF\necho ·",
        "echo ${x:-\"a}b\"} $# ·",
        "sh -c 'echo \"$1\"' sh ·",
        "f() { echo ·; }; f ·",
    ] {
        for payload in PAYLOADS {
            let values = vec![payload; text.matches(VALUE).count()];
            assert_eq!((judge(text), runs(text, &values)), (Ok(()), false), "{text} with {payload}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_value_runs_wherever_it_is_accepted(
        pieces in prop::collection::vec(prop_oneof![3 => prop::sample::select(&PIECES[..]), 1 => Just("·")], 1..14),
        payloads in prop::collection::vec(prop::sample::select(&PAYLOADS[..]), 14),
    ) {
        let text = pieces.concat();
        if text.contains(VALUE) && judge(&text).is_ok() {
            prop_assert!(!runs(&text, &payloads[..text.matches(VALUE).count()]), "{text:?} ran {payloads:?}");
        }
    }
}
