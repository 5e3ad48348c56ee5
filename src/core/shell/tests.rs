//! What is accepted never runs: as a table, and with real shells.

use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::Misplaced::{
    Arithmetic, Backslash, Backticks, Braces, Code, Comment, Dollar, DoubleQuotes, Elsewhere, Evaluated, HereDocument,
    Later, Piped, Script, SingleQuotes, Unclear, Unnamed,
};
use super::*;
use crate::core::template::Piece;
use crate::core::work::CommandWork;

/// Where a value is in the texts below.
const VALUE: char = '·';

/// The first value that may not be where it is.
fn judge(text: &str) -> Result<(), Misplaced> {
    let mut shell = Shell::default();
    let mut pieces = text.split(VALUE);
    shell.text(pieces.next().unwrap_or_default());
    for (at, piece) in pieces.enumerate() {
        match shell.value(at)? {
            Quotes::None => {}
            Quotes::Double => return Err(DoubleQuotes),
            Quotes::Single => return Err(SingleQuotes),
        }
        shell.text(piece);
    }
    shell.end();
    shell.caught().map_or(Ok(()), |(_, why)| Err(why))
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
        "X='echo \"$1\"'; sh -c \"$X\" sh ·",
        "sh -c ./$X ·",
        "sh -c $X/run ·",
        "bash -eu script.sh ·",
        "env A=1 sudo -u ana bash -euc 'ls \"$@\"' bash · ·",
        "echo `date` ·",
        "f() { echo ·; }; f ·",
        "eval \"$X\"; echo ·",
        "timeout · make ·",
        "sudo -u · git push ·",
        "find . -name · -exec cat {} ';'",
        "$HOME/bin/tool ·",
        "\"$(pwd)\"/bin/tool ·",
        "python3 -c 'import sys; print(sys.argv[1])' ·",
        "python3 tool.py ·",
        "python3 -m json.tool ·",
        "python3 tool.py < ·",
        "perl -e 'print @ARGV' -- ·",
        "node script.js ·",
        "awk -v x=· -F · '{ print x }' ·",
        "sed -e 's/a/b/' ·",
        "sed 's/a/b/' ·",
        "sqlite3 · 'select 1'",
        "psql -d · -c 'select 1'",
        "printf '%s\\n' ·",
        "[ · = x ] && [ -f · ] && test -n ·",
        "grep -r bash ·",
        "echo · | grep -v x | sort > ·",
        "echo · || sh run.sh",
        "echo · | sh run.sh",
        "sh run.sh ·; echo · | tr a b",
        "docker run img ls ·",
        "echo · 2>&1 >/dev/null | cat",
        "xargs -I{} echo {} ·",
    ] {
        assert_eq!(judge(text), Ok(()), "{text}");
    }
}

/// Where a value may not be, and why.
const REFUSED: &[(&str, Misplaced)] = &[
    ("echo \"·\"", DoubleQuotes),
    ("echo \"a $x $(date) ·\"", DoubleQuotes),
    ("echo \"a \\\" ·\"", DoubleQuotes),
    ("echo \"$·\"", Dollar),
    ("cat <<<\"·\"", DoubleQuotes),
    ("echo \"$(echo \"·\")\"", DoubleQuotes),
    ("echo $\"·\"", DoubleQuotes),
    ("echo '·'", SingleQuotes),
    ("echo 'a'b'c ·'", SingleQuotes),
    ("echo $'a ·'", SingleQuotes),
    ("sh -c 'echo ·'", Script),
    ("python3 -c 'print(\"·\")'", Code),
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
    // What expands to nothing is no word.
    ("sh -c $X ·", Script),
    ("sh -c $X $\"·\"", Script),
    ("sh -c $X$Y \"·\"", Script),
    ("sh -c $(true) ·", Script),
    ("sh -c `true` ·", Script),
    ("sh -c \"$@\" ·", Script),
    ("bash -c \"${X[@]}\" ·", Script),
    ("docker exec app sh -c $X ·", Script),
    ("python3 -c $X ·", Code),
    ("awk $X ·", Code),
    ("printf -v $X ·", Evaluated),
    ("bash -euc ·", Script),
    ("/bin/sh -o errexit -c ·", Script),
    ("env -i sh -c ·", Script),
    ("su -s /bin/Sh -c · ana", Script),
    ("find . -exec sh -c · ';'", Script),
    ("sh ·", Script),
    ("sh <<<·", Script),
    ("· ·", Unnamed),
    ("echo \"$(· ·)\"", Unnamed),
    ("ssh host ·", Elsewhere),
    ("ssh -p 22 host ls ·", Elsewhere),
    ("sudo -u ana ssh host ·", Elsewhere),
    ("sshpass -e ssh host ·", Elsewhere),
    ("$SHELL -c ·", Unnamed),
    ("\"$X\" ·", Unnamed),
    ("$(which tool) ·", Unnamed),
    ("docker exec app sh -c ·", Script),
    ("docker exec -it app /bin/bash -lc ·", Script),
    ("kubectl exec pod -- sh -c ·", Script),
    ("gosu ana sh -c ·", Script),
    ("mytool run bash -ec ·", Script),
    ("/usr/bin/time -f %e sh -c ·", Script),
    ("/usr/bin/time sh -c ·", Script),
    ("exec -a n sh -c ·", Script),
    ("command -p sh -c ·", Script),
    ("nice -n 5 sh -c ·", Script),
    ("sudo -u ana -- sh -c ·", Script),
    ("sudo --user ana sh -c ·", Script),
    ("xargs -0 -n 1 sh -c ·", Script),
    ("flock /tmp/lock -c ·", Script),
    ("script -qc · /dev/null", Script),
    ("env -S ·", Script),
    ("env -S· x", Script),
    ("2>/dev/null sh -c ·", Script),
    ("sudo 2>/dev/null sh -c ·", Script),
    ("env <<EOF sh -c ·", Script),
    ("sh < ·", Script),
    ("sh -c \"$(echo ·)\"", Script),
    ("sh <(echo ·)", Script),
    ("source <(echo ·)", Evaluated),
    (". ·", Evaluated),
    ("printf -v ·", Evaluated),
    ("printf -v · x", Evaluated),
    ("printf -v·", Evaluated),
    ("[ -v · ]", Evaluated),
    ("test -R ·", Evaluated),
    ("[ \"$op\" · ]", Evaluated),
    ("mapfile ·", Evaluated),
    ("find . -exec · ';'", Unnamed),
    ("sudo · ·", Unnamed),
    ("python3 -c ·", Code),
    ("python3.12 -Ic ·", Code),
    ("python3 -c·", Code),
    ("python3 ·", Code),
    ("python3 < ·", Code),
    ("docker run img python3 -c ·", Code),
    ("perl -we ·", Code),
    ("perl -e 'print @ARGV' ·", Code),
    ("ruby -e ·", Code),
    ("node --eval ·", Code),
    ("node --eval=·", Code),
    ("deno eval ·", Code),
    ("awk ·", Code),
    ("awk -F : · file", Code),
    ("sed ·", Code),
    ("sed -e ·", Code),
    ("sed --expression=·", Code),
    ("sqlite3 db ·", Code),
    ("psql db -c ·", Code),
    ("echo · | sh", Piped),
    ("echo · | sudo bash -s", Piped),
    ("echo ·|sh", Piped),
    ("echo · |& sh", Piped),
    ("(echo ·) | tee log | sh", Piped),
    ("{ echo ·; } | sh -", Piped),
    ("echo · | ssh host", Piped),
    ("echo · | python3 -", Piped),
    ("echo · | xargs sh -c", Piped),
    ("echo · | xargs -I{} sh -c 'echo {}'", Piped),
    ("echo · | { sh; }", Piped),
    ("echo · | (cd /; sh)", Piped),
    ("echo · | docker exec -i app bash", Piped),
    ("echo · > >(sh)", Piped),
    ("echo · | tee >(sh)", Piped),
    ("echo · | sh -c \"$(cat)\"", Later),
    ("x=·; eval \"$x\"", Later),
    ("set -- ·; sh -c \"$1\"", Later),
    ("echo · | while read -r l; do eval \"$l\"; done", Later),
];

#[test]
fn a_value_is_nowhere_else() {
    for (text, why) in REFUSED {
        assert_eq!(judge(text), Err(*why), "{text}");
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

/// The line for a text with these values.
fn line(text: &str, values: &[&str]) -> Line {
    let mut pieces = Vec::new();
    for (at, piece) in text.split(VALUE).enumerate() {
        if at > 0 {
            pieces.push(Piece::Value(values[at - 1].to_owned()));
        }
        pieces.push(Piece::Text(piece.to_owned()));
    }
    Line::of(pieces)
}

/// Whether a value has run, in any shell that there is.
fn runs(line: &Line) -> bool {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["sh", "bash"] {
        let mut command = Command::new(shell);
        let values = line.parameters.iter().enumerate().map(|(at, value)| (CommandWork::parameter(at), value));
        command.args(["-c", &line.text]).envs(values).current_dir(folder.path());
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
    folder.path().join("PWNED").exists()
}

#[test]
fn what_a_model_may_write_would_run_where_it_is_refused() {
    // Else the tests below would hold whatever is accepted.
    for text in [
        "eval echo ·",
        "eval \"echo ·\"",
        "sh -c ·",
        "nohup sh -c ·",
        "(exec -a n sh -c ·)",
        "$SHELL -c ·",
        "xargs -a /dev/null sh -c ·",
        "find . -maxdepth 0 -exec sh -c · ';'",
        "timeout -k 9 9 sh -c ·",
        "env -i PATH=$PATH sh -c ·",
        "env -S ·",
        ". /dev/fd/3 3<<<·",
        "echo · | sh",
        "echo · | env sh",
        "{ echo ·; } |& bash -s",
        "printf '%s\n' · | while read -r line; do eval \"$line\"; done",
        "x=·; eval \"$x\"",
        "printf -v · x",
        "[ -v · ]",
        "echo $((·))",
        "python3 -c ·",
        "perl -e ·",
        "awk ·",
        "sed -n · /etc/hostname",
        "echo · | python3",
        "echo · | xargs -I{} sh -c '{}'",
    ] {
        assert!(line(text, &["x"; 9]).misplaced.is_some(), "{text} is accepted");
        let payloads = PAYLOADS.iter().chain(&[
            "import os; os.system('touch PWNED')",
            "system('touch PWNED')",
            "BEGIN { system(\"touch PWNED\") }",
            "1e touch PWNED",
            "sh -c 'touch PWNED'",
        ]);
        let mut ran = payloads.map(|payload| runs(&line(text, &[*payload; 9])));
        let python = text.contains("python3") && !present("python3");
        let perl = text.contains("perl") && !present("perl");
        let shell = text.starts_with("$SHELL") && std::env::var_os("SHELL").is_none();
        assert!(ran.any(|ran| ran) || python || perl || shell, "{text} runs nothing");
    }
}

fn present(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
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
        "awk -v x=· 'BEGIN { print x }' </dev/null",
        "echo \"·\" '·' \"a $(echo \"·\") b\"",
    ] {
        for payload in PAYLOADS {
            let line = line(text, &vec![payload; text.matches(VALUE).count()]);
            assert_eq!((&line.misplaced, runs(&line)), (&None, false), "{text} with {payload}");
        }
    }
}

#[test]
fn a_value_comes_through_whole_wherever_it_is() {
    for payload in PAYLOADS.iter().chain(&["", " two  words ", "*", "~", "-n", "a\\b", "$HOME"]) {
        let all = line(
            "f() { printf '<%s>' ·; }; f other; printf '<%s>' \"·\" '·' x·; set -- 1; printf '<%s>' ·",
            &[*payload; 5],
        );
        let said = Command::new("sh").args(["-c", &all.text]).env(CommandWork::parameter(0), payload).output().unwrap();
        let expected = format!("<{payload}><{payload}><{payload}><x{payload}><{payload}>");
        assert_eq!(String::from_utf8(said.stdout).unwrap(), expected, "{}", all.text);
        assert_eq!(all.parameters, [*payload], "one value is handed over once");
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
        let payloads = &payloads[..text.matches(VALUE).count()];
        let line = line(&text, payloads);
        if text.contains(VALUE) && line.misplaced.is_none() {
            prop_assert!(!runs(&line), "{text:?} ran {payloads:?}");
        }
    }
}
