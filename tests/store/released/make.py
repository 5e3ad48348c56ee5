#!/usr/bin/env python3
"""Writes the store of a release, and what that release says of every run in it.

    python3 tests/store/released/make.py PATH/TO/stepwell 0001-full

writes `0001-full.sql` (the whole store, as SQL) and `0001-full/NAME.json` (`show --json` of each run) beside this file,
with nothing but the binary of that release. `tests/released.rs` then holds every later version to it. A fixture is never
changed or made again once its version is out: the next release adds one under its own name.

The store is made in a folder with a fixed name, by a user with a fixed name, and the host's name is replaced: nothing in
it tells one machine from another.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = Path("/tmp/stepwell-released")
PATIENCE = 20.0


def fail(what):
    sys.exit(f"make.py: {what}")


class Maker:
    """The binary, in its home, and the runs by the names of their goldens."""

    def __init__(self, binary):
        self.binary = binary
        self.runs = {}
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(HOME),
            "USER": "ana",
            "TZ": "UTC",
            "TERM": "xterm-256color",
            "TMPDIR": str(HOME / "tmp"),
            "STEPWELL_HOME": str(HOME),
            "STEPWELL_DEMO_PACE": "instant",
            "FIXTURE_TOKEN": "a-token-of-the-fixture",
        }

    def prepare(self):
        try:
            HOME.mkdir(mode=0o700)
        except FileExistsError:
            fail(f"{HOME} exists: remove it first")
        (HOME / "tmp").mkdir()
        shutil.copytree(HERE / "definitions", HOME, dirs_exist_ok=True)
        # The program's client is that of the release.
        self.step("new", "workflow", "client", "--from", "python", "--dir", str(HOME / "tmp"))
        shutil.copy(HOME / "tmp/workflows/client/stepwell.py", HOME / "workflows/program/stepwell.py")
        self.step("check")

    def call(self, arguments, stdin=None):
        return subprocess.run(
            [self.binary, *arguments], cwd="/", env=self.environment, input=stdin, capture_output=True, text=True
        )

    def step(self, *arguments, exits=0, stdin=""):
        """One command, which must end with that exit code."""
        done = self.call(arguments, stdin)
        if done.returncode != exits:
            fail(f"{' '.join(arguments)} gave {done.returncode}, not {exits}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def run(self, name, task, *arguments, exits=3):
        """A new run; its topic is the name of its golden, so that the search finds it by that."""
        lines = self.step("run", task, "-i", f"topic={name}", *arguments, "--json", exits=exits)
        return self.note(name, lines)

    def note(self, name, lines):
        self.runs[name] = json.loads(lines.splitlines()[0])["run"]
        return self.runs[name]

    def review(self, run, *arguments, exits=3, stdin=""):
        self.step("review", run, *arguments, "--review", "stop", exits=exits, stdin=stdin)

    def started(self, *arguments, pace="instant"):
        environment = {**self.environment, "STEPWELL_DEMO_PACE": pace}
        return subprocess.Popen(
            [self.binary, *arguments], cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            fail(f"waited too long for {what}")
        time.sleep(0.01)


def screen(maker, keys):
    """Opens the interface in a terminal of its own and types keys, each once its text is on the screen."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir("/")
        os.execve(maker.binary, [maker.binary], maker.environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    for text, key in keys:
        drawn = b""
        while text.encode() not in drawn:
            if not select.select([terminal], [], [], PATIENCE)[0]:
                fail(f"the screen never says {text!r}: {drawn}")
            drawn += os.read(terminal, 65536)
        os.write(terminal, key.encode())
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass  # It has ended.
    os.waitpid(child, 0)


ESCAPE, ENTER, CTRL_C = "\x1b", "\r", "\x03"

# With one run that waits for a review: a text half edited, an instruction half typed.
HALF_TYPED = [
    ("1 waiting", ENTER),
    ("accept", "e"),
    ("editing", "half an edit " + ESCAPE),
    ("draft kept", "r"),
    ("What should be different?", "half an instruction" + ESCAPE),
    ("draft kept", CTRL_C),
    ("Ctrl-C again leaves", CTRL_C),
]


def gates(maker):
    """A run at each of the seven gates."""
    run = maker.run("review", "plan")
    parts = json.dumps([{"subject": "tide"}, {"subject": "gulls, but kind"}])
    maker.review(run, "divide", "--edit", "-", "--accept", stdin=parts)
    maker.review(run, "write[0]", "--retry", "make it rhyme", "--scope", "remaining")
    maker.review(run, "write[0]", "--accept")
    screen(maker, HALF_TYPED)

    maker.run("approval", "effects", "-i", "token=env:FIXTURE_TOKEN")
    maker.run("input", "form")
    maker.run("in_doubt", "late")
    run = maker.run("stale", "plan")
    maker.review(run, "--accept")
    maker.review(run, "--accept")
    maker.review(run, "--accept", exits=0)
    maker.step("reopen", run, "divide", exits=3)
    maker.review(run, "divide", "--edit", "-", "--accept", stdin=parts)
    maker.run("budget", "dear")
    maker.run("secret", "login", "-i", "token=typed")


def ends(maker):
    """Runs that ended, or stopped, in each way."""
    maker.run("failed", "failing", exits=1)
    run = maker.run("completed", "everything")
    maker.review(run, "--accept", exits=0)
    maker.note("forked", maker.step("fork", run, "--at", "sheet", "--json", exits=3))
    maker.note("rerun", maker.step("rerun", run, "-i", "topic=rerun", "--json", exits=3))
    run = maker.run("cancelled", "plan")
    maker.step("cancel", run)

    running = maker.started("run", "long", "-i", "topic=paused", "--json", pace="")
    for line in running.stdout:
        event = json.loads(line)
        maker.runs["paused"] = event["run"]
        if event["type"] == "delta":
            break
    running.send_signal(signal.SIGINT)
    running.communicate()

    marker = HOME / "tmp/ran"
    marker.unlink(missing_ok=True)
    running = maker.started("run", "killed", "-i", "topic=killed", "--json")
    maker.runs["killed"] = json.loads(running.stdout.readline())["run"]
    wait_until("the command that is killed", marker.exists)
    running.kill()
    running.wait()
    # What it had started lives on without it, in a process group of its own.
    os.killpg(int((HOME / "tmp/pid").read_text()), signal.SIGKILL)


def effects(maker):
    """Commands of every kind."""
    maker.run("shell", "shell")
    maker.run("stdin", "stdin", "-i", "token=env:FIXTURE_TOKEN")
    run = maker.run("asks", "asks")
    maker.review(run, "--answer", '{"n": 7}')


def graphs(maker):
    """What a graph decides, and what it keeps for other runs."""
    (HOME / "notes.txt").write_text("The tide, the gulls' cries, the night.\n" * 200, encoding="utf-8")
    maker.run("reading", "reading", "-i", f"notes={HOME / 'notes.txt'}")
    maker.run("found", "optional", "-i", "search=herring")
    maker.run("not_found", "optional")
    run = maker.run("parent", "parent")
    maker.review(run, "kid.draft", "--retry", "shorter, please", "--scope", "always", "--model", "demo/recorded")
    run = maker.run("after_child", "after_child")
    maker.review(run, "kid.draft", "--accept")
    run = maker.run("session_first", "counter", "--session", "work")
    maker.review(run, "--accept", exits=0)
    maker.run("session_second", "counter", "--session", "work")
    run = maker.run("cached", "cached")
    maker.review(run, "--accept", exits=0)
    maker.note("from_cache", maker.step("rerun", run, "--json", exits=3))
    maker.run("summary", "letters")
    run = maker.run("reopened_form", "form")
    maker.review(run, "--answer", '{"count": 2, "colour": "red"}')
    maker.step("reopen", run, "details", exits=3)


def programs(maker):
    """Flows that are programs."""
    for name in ("script", "program"):
        run = maker.run(name, name)
        maker.review(run, "--accept")
        maker.review(run, "--accept")


def conversations(maker):
    maker.run("chat", "thanks")
    lines = maker.step("run", "email", "--prompt", "chat_delivered: ask Ana for the notes by Friday", "--json")
    run = maker.note("chat_delivered", lines)
    maker.step("review", run, "--answer", '"Shorter, please."')


def dump(maker, name):
    """The whole store as SQL, the search index with it."""
    store = HOME / "stepwell.db"
    database = sqlite3.connect(store)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    host = os.uname().nodename

    def quoted(value):
        if isinstance(value, str):
            return "'" + value.replace(f"ana@{host}", "ana@host").replace("'", "''") + "'"
        if isinstance(value, bytes):
            return f"x'{value.hex()}'"
        return "NULL" if value is None else repr(value)

    lines = [f"-- The store that the release of {name} left: see make.py.", "BEGIN;"]
    made = database.execute("SELECT name, type, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
    tables = {table: sql for table, kind, sql in made if kind == "table"}
    virtual = [table for table, sql in tables.items() if sql.startswith("CREATE VIRTUAL")]
    # The tables behind a virtual one, and that of AUTOINCREMENT, come into being by themselves.
    behind = [table for table in tables if table not in virtual and table.startswith(tuple(f"{v}_" for v in virtual))]
    behind.append("sqlite_sequence")
    lines += [f"{sql};" for table, sql in tables.items() if table not in behind]
    for table in tables:
        if table in virtual:
            continue
        if table in behind:
            lines.append(f"DELETE FROM {table};")
        for row in database.execute(f"SELECT * FROM {table}"):
            lines.append(f"INSERT INTO {table} VALUES ({', '.join(map(quoted, row))});")
    lines += [f"{sql};" for _, kind, sql in made if kind in ("index", "trigger")]
    for pragma in ("user_version", "application_id"):
        lines.append(f"PRAGMA {pragma} = {database.execute(f'PRAGMA {pragma}').fetchone()[0]};")
    lines += ["COMMIT;", "PRAGMA journal_mode = WAL;"]
    (HERE / f"{name}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")

    folder = HERE / name
    folder.mkdir()
    for golden, run in maker.runs.items():
        shown = maker.step("show", run, "--json").replace(f"ana@{host}", "ana@host")
        (folder / f"{golden}.json").write_text(shown, encoding="utf-8")


def main():
    if len(sys.argv) != 3:
        fail("give the binary of a release and the name of its fixture, such as 0001-full")
    binary, name = os.path.abspath(sys.argv[1]), sys.argv[2]
    if (HERE / name).exists() or (HERE / f"{name}.sql").exists():
        fail(f"{name} is there already: a fixture is never made again")
    maker = Maker(binary)
    maker.prepare()
    for part in (gates, ends, effects, graphs, programs, conversations):
        part(maker)
    dump(maker, name)
    shutil.rmtree(HOME)


if __name__ == "__main__":
    main()
