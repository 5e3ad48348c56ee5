//! What is known of commands by their names: which of them read their words, or what comes over their stdin, as code.
//!
//! The lists are what people write in definitions, not all that there is. A program that is in none of them takes its
//! words as data, unless they name a shell or an interpreter and the option that gives it code.

/// What the name of a command says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// It takes its words as they are.
    Plain,
    /// The next word names the command.
    Before,
    /// A word after its own options names the command: an index of [`RUNNERS`].
    Runs(u8),
    /// Some word names the command.
    Somewhere,
    /// It reads its words as code.
    Reads(Reader),
    /// It sets variables: what is set is no shell text, the name of what is set may be.
    Sets,
    /// It takes a script after `-c`, a file, or its stdin.
    Shell,
    /// The same, but a person's name may come first.
    ShellOption,
    /// It takes code of another language: an index of [`INTERPRETERS`].
    Interprets(u8),
    /// `printf`.
    Prints,
    /// `[`, `test`.
    Tests,
}

/// Who reads words as code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// The shell that runs the command, once more.
    Here,
    /// Another shell; it takes its stdin as code, too, where it gets no words.
    Elsewhere,
    /// The shell that runs the command reads a file of that name.
    Source,
}

/// A program that runs a command which follows its own words.
pub struct Runner {
    names: &'static [&'static str],
    /// So many words of its own come before that command.
    pub operands: u8,
    /// Short options that have an argument.
    takes: &'static str,
    /// Short options whose argument is a script.
    script: &'static str,
}

const fn runner(names: &'static [&'static str], operands: u8, takes: &'static str) -> Runner {
    Runner { names, operands, takes, script: "" }
}

/// Programs that run a command.
pub const RUNNERS: [Runner; 19] = [
    runner(&["exec"], 0, "a"),
    runner(
        &["command", "builtin", "nohup", "setsid", "busybox", "fakeroot", "dbus-run-session", "systemd-inhibit"],
        0,
        "",
    ),
    runner(&["time"], 0, "fo"),
    Runner { names: &["env"], operands: 0, takes: "uC", script: "S" },
    runner(&["nice"], 0, "n"),
    runner(&["ionice"], 0, "cnpPu"),
    runner(&["sudo"], 0, "ugphCcrtTRDU"),
    runner(&["doas"], 0, "uC"),
    runner(&["timeout"], 1, "ks"),
    runner(&["xargs"], 0, "EIadLnPs"),
    runner(&["stdbuf"], 0, "ioe"),
    runner(&["chroot", "taskset", "chrt", "gosu", "su-exec"], 1, ""),
    Runner { names: &["flock"], operands: 1, takes: "wE", script: "c" },
    runner(&["strace", "ltrace"], 0, "aeoOpPsSuEIbXnl"),
    runner(&["nsenter"], 0, "tSG"),
    runner(
        &["unshare", "setpriv", "setarch", "linux64", "proot", "torsocks", "proxychains", "caffeinate", "unbuffer"],
        0,
        "",
    ),
    runner(&["systemd-run"], 0, "puHM"),
    runner(&["xvfb-run"], 0, "aefnpsw"),
    Runner { names: &["script"], operands: 0, takes: "BEIOTmo", script: "c" },
];

impl Runner {
    /// Whether what comes over stdin becomes words of the command.
    pub fn takes_words_from_stdin(&self) -> bool {
        self.names.contains(&"xargs")
    }
}

/// What a short option, or a row of them, says of what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing.
    Nothing,
    /// An argument that is data.
    Argument,
    /// The name of the file that has the code.
    File,
    /// Code.
    Code,
}

/// What a row of short options says, and whether the argument is in the same word.
pub fn follows(option: &str, of: impl Fn(char) -> Follows) -> (Follows, bool) {
    let letters = option.strip_prefix('-').unwrap_or(option);
    for (at, letter) in letters.char_indices() {
        let found = of(letter);
        if found != Follows::Nothing {
            return (found, at + letter.len_utf8() < letters.len());
        }
    }
    (Follows::Nothing, false)
}

impl Runner {
    /// What an option of its own says of what follows.
    pub fn option(&self, letter: char) -> Follows {
        match letter {
            _ if self.script.contains(letter) => Follows::Code,
            _ if self.takes.contains(letter) => Follows::Argument,
            _ => Follows::Nothing,
        }
    }
}

/// A program that takes code of another language.
pub struct Interpreter {
    names: &'static [&'static str],
    /// Short options whose argument is code.
    code: &'static str,
    /// Long ones.
    long: &'static [&'static str],
    /// Short options whose argument is data.
    takes: &'static str,
    /// Short options whose argument names the file or module that has the code.
    file: &'static str,
    /// Which of its operands is code; `None`: the first is a file that has it.
    pub text: Option<u8>,
    /// What comes after its code.
    pub after: After,
}

/// What comes after the code of an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Data alone.
    Data,
    /// More options, up to `--` or a file.
    Options,
    /// Options anywhere.
    Anything,
}

const fn language(names: &'static [&'static str], code: &'static str, long: &'static [&'static str]) -> Interpreter {
    Interpreter { names, code, long, takes: "", file: "", text: None, after: After::Options }
}

/// Interpreters. Versions at the end of a name do not count: `python3.12` is `python`.
pub const INTERPRETERS: [Interpreter; 15] = [
    Interpreter { takes: "WX", file: "m", after: After::Data, ..language(&["python", "pypy", "ipython"], "c", &[]) },
    Interpreter { takes: "I", ..language(&["perl", "raku"], "eE", &[]) },
    Interpreter { takes: "IC", ..language(&["ruby", "jruby"], "e", &[]) },
    language(&["node", "nodejs", "bun", "tsx", "ts-node"], "ep", &["eval", "print"]),
    Interpreter { takes: "dct", file: "f", ..language(&["php"], "rBRE", &["run"]) },
    language(&["lua", "luajit", "osascript", "R", "Rscript", "groovy", "ghc", "racket"], "e", &["eval"]),
    language(&["julia", "elixir", "iex", "erl"], "eE", &["eval", "print"]),
    language(&["guile", "tclsh", "expect"], "c", &[]),
    language(&["pwsh", "powershell"], "c", &["Command"]),
    language(&["deno", "sbcl", "octave"], "", &["eval"]),
    Interpreter {
        takes: "Fv",
        file: "fE",
        text: Some(0),
        ..language(&["awk", "gawk", "mawk", "nawk"], "e", &["source"])
    },
    Interpreter {
        takes: "l",
        file: "f",
        text: Some(0),
        after: After::Anything,
        ..language(&["sed", "gsed"], "e", &["expression"])
    },
    Interpreter { text: Some(1), after: After::Anything, ..language(&["sqlite"], "", &["cmd"]) },
    Interpreter { takes: "dhpUvoLFPRT", after: After::Anything, ..language(&["psql"], "c", &["command"]) },
    Interpreter { takes: "hPuDS", after: After::Anything, ..language(&["mysql", "mariadb"], "e", &["execute"]) },
];

impl Interpreter {
    /// What a short option says of what follows.
    pub fn option(&self, letter: char) -> Follows {
        match letter {
            _ if self.code.contains(letter) => Follows::Code,
            _ if self.takes.contains(letter) => Follows::Argument,
            _ if self.file.contains(letter) => Follows::File,
            _ => Follows::Nothing,
        }
    }

    /// Whether the argument of a long option is code.
    pub fn is_code(&self, long: &str) -> bool {
        self.long.contains(&long)
    }
}

/// Words before a command that leave it to the next word to name it.
const BEFORE: [&str; 10] = ["!", "{", "if", "then", "else", "elif", "do", "while", "until", "coproc"];

/// Programs among whose words a command is.
const SOMEWHERE: [&str; 13] = [
    "find",
    "function",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "lxc",
    "crictl",
    "ctr",
    "docker-compose",
    "machinectl",
    "lxc-attach",
];

/// Commands whose words the shell reads as shell text, or as arithmetic, in which bash finds commands too.
const READERS: [&str; 12] = [
    "eval",
    "trap",
    "alias",
    "watch",
    "let",
    "unset",
    "read",
    "getopts",
    "mapfile",
    "readarray",
    "compgen",
    "complete",
];

/// Programs that hand their words, or their stdin, to another shell.
const ELSEWHERE: [&str; 12] =
    ["ssh", "rsh", "mosh", "parallel", "at", "batch", "screen", "tmux", "adb", "hyperfine", "entr", "xterm"];

/// Commands that set variables.
const SETTERS: [&str; 5] = ["export", "readonly", "declare", "typeset", "local"];

/// Programs that take a script after `-c`.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "rbash"];

/// The same, but a person's name may come first.
const PERSONS: [&str; 3] = ["su", "runuser", "sg"];

/// What a word says that names a command.
pub fn program(text: &str) -> Program {
    let index = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok());
    if BEFORE.contains(&text) {
        return Program::Before;
    }
    let name = base(text);
    match name {
        "printf" => return Program::Prints,
        "[" | "test" => return Program::Tests,
        "source" | "." => return Program::Reads(Reader::Source),
        _ => {}
    }
    if let Some(runner) = index(RUNNERS.iter().position(|runner| runner.names.contains(&name))) {
        return Program::Runs(runner);
    }
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let named = |program: &Interpreter| program.names.contains(&plain) || program.names.contains(&name);
    if let Some(language) = index(INTERPRETERS.iter().position(named)) {
        return Program::Interprets(language);
    }
    let lists: [(&[&str], Program); 6] = [
        (&SOMEWHERE, Program::Somewhere),
        (&READERS, Program::Reads(Reader::Here)),
        (&ELSEWHERE, Program::Reads(Reader::Elsewhere)),
        (&SETTERS, Program::Sets),
        (&SHELLS, Program::Shell),
        (&PERSONS, Program::ShellOption),
    ];
    lists.into_iter().find(|(names, _)| names.contains(&name)).map_or(Program::Plain, |(_, program)| program)
}

/// Whether a word names the stdin of the program that gets it.
pub fn is_stdin(text: &str) -> bool {
    matches!(text, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")
}

fn base(text: &str) -> &str {
    text.rsplit('/').next().filter(|base| !base.is_empty()).unwrap_or(text)
}
