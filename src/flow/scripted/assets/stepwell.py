"""The client of Stepwell's process flows: one file, the standard library only, Python 3.8 or newer.

    import stepwell

    async def main(run, inputs):
        plan = await run.step("divide", {"topic": inputs["topic"]})
        parts = [await run.step("write", {"part": part}) for part in plan]
        return {"title": inputs["topic"], "body": "\\n\\n".join(parts)}

    if __name__ == "__main__":
        stepwell.serve(main)

Every `await run.…` is a call that Stepwell performs, journals and has reviewed. The program may be ended while a
person is asked, and is then run from its beginning with the same results; so it must do the same when it is told the
same. Use `run.random()`, `run.uuid()` and `await run.now()` in the place of `random`, `uuid` and `time`; read no file
that may change; start no threads; set no timers (`asyncio.sleep`, `asyncio.wait_for`): a step has its `timeout`. What
it prints goes to the run's log.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import selectors
import sys
import uuid
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence

__all__ = ["CallFailed", "Run", "serve"]


class CallFailed(Exception):
    """A call has no output. `cls` is its class (`network`, `denied`, …), `key` its name."""

    def __init__(self, cls: str, key: str, message: str) -> None:
        super().__init__(f"{key}: {cls}: {message}")
        self.cls = cls
        self.key = key
        self.message = message


class _Pipe:
    """Lines of JSON to and from Stepwell."""

    def __init__(self) -> None:
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        # What the program prints is its log, not the contract's.
        sys.stdout = _Log(self)

    def send(self, message: Dict[str, Any]) -> None:
        self._out.write(json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n")

    def flush(self) -> None:
        self._out.flush()

    def receive(self) -> Dict[str, Any]:
        self.flush()
        line = self._in.readline()
        if not line:
            # Stepwell has ended this program; it starts it again when it is needed.
            sys.stderr.flush()
            raise SystemExit(0)
        return json.loads(line)


class _Log(io.TextIOBase):
    """Makes each printed line a line of the run's log."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._pipe.send({"log": line})
        return len(text)


class Run:
    """What a workflow can ask for. The order of arguments is that of scripts in JavaScript."""

    def __init__(self, pipe: _Pipe, start: Mapping[str, Any]) -> None:
        about = start["run"]
        #: The run's id.
        self.id: str = about["id"]
        #: The task's id.
        self.task: str = about["task"]
        #: What the person calls it.
        self.title: str = about["title"]
        #: Who started it, `user@host`.
        self.by: str = about["by"]
        #: The day on which it was started, `YYYY-MM-DD`.
        self.date: str = about["date"]
        #: What earlier runs of the session left; what it holds at the end is left for later ones.
        self.state: Dict[str, Any] = start["state"]
        self._pipe = pipe
        self._pending: Dict[int, "asyncio.Future[Any]"] = {}
        self._next = 0
        self._random = random.Random(start["seed"])

    def _ask(self, kind: str, name: str, given: Any, options: Optional[Mapping[str, Any]]) -> "asyncio.Future[Any]":
        ticket, self._next = self._next, self._next + 1
        call = {"id": ticket, "kind": kind, "name": name, "with": given, "options": dict(options or {})}
        self._pipe.send({"call": call})
        future: "asyncio.Future[Any]" = asyncio.get_event_loop().create_future()
        self._pending[ticket] = future
        return future

    def _settle(self, result: Mapping[str, Any]) -> None:
        future = self._pending.pop(result["id"])
        if future.done():
            return
        error = result.get("error")
        if error is None:
            future.set_result(result.get("output"))
        else:
            future.set_exception(CallFailed(error["class"], error["key"], error["message"]))

    def step(self, id: str, vars: Optional[Mapping[str, Any]] = None, options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Performs a declared step with `vars` as names in its templates; gives its accepted output.

        The n-th call of a step is `id[n]`, from 0; the option `{"key": …}` names the call itself. A call that the
        person skipped gives `None`; one that has no output raises `CallFailed`.
        """
        return self._ask("step", id, dict(vars or {}), options)

    def prompt(self, text: str, options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Asks a model. Options: system, model, fallback, output, review, checks, temperature, max_tokens, on_cut, seed, …"""
        return self._ask("prompt", "", text, options)

    def command(self, argv: Sequence[str], options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Runs a program, once a person has allowed it. Options: cwd, env, stdin, parse, approve, idempotent, …"""
        return self._ask("command", "", list(argv), options)

    def http(self, request: Mapping[str, Any], options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Sends `{"method", "url", "headers", "json" or "body", "expect"}`."""
        return self._ask("http", "", dict(request), options)

    def tool(self, name: str, args: Optional[Mapping[str, Any]] = None, options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Calls a tool of an MCP server of the config: `server/name`."""
        return self._ask("tool", name, dict(args or {}), options)

    def ask(self, fields: List[Mapping[str, Any]], options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Asks the person; fields as in `[[steps.fields]]`. Options: text."""
        return self._ask("ask", "", list(fields), options)

    def review(self, name: str, value: Any, options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Shows a value to the person, who accepts or edits it; gives what was accepted."""
        return self._ask("review", name, value, options)

    def workflow(self, id: str, inputs: Optional[Mapping[str, Any]] = None, options: Optional[Mapping[str, Any]] = None) -> Awaitable[Any]:
        """Runs another workflow as a part of this run; gives `{"title", "body"}`."""
        return self._ask("workflow", id, dict(inputs or {}), options)

    def document(self, name: str, document: Mapping[str, str]) -> None:
        """Writes a document `{"title", "body"}` beside the result."""
        self._pipe.send({"call": {"kind": "document", "name": name, "with": dict(document)}})

    def log(self, *parts: Any) -> None:
        """A line in the run's log."""
        self._pipe.send({"log": " ".join(str(part) for part in parts)})

    def now(self) -> Awaitable[int]:
        """The time in milliseconds since 1970, as it is journaled."""
        return self._ask("now", "", None, None)

    def random(self) -> float:
        """A number from 0 to 1, the same whenever the run is taken up."""
        return self._random.random()

    def uuid(self) -> str:
        """A random UUID, the same whenever the run is taken up."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Lets the event loop read the next result exactly when nothing else is left to do."""

    pipe: _Pipe
    run: Run

    def select(self, timeout: Optional[float] = None) -> Any:
        if timeout is not None:
            return super().select(timeout)
        self.pipe.send({"idle": True})
        self.run._settle(self.pipe.receive()["result"])
        return []


def serve(main: Callable[[Run, Dict[str, Any]], Awaitable[Any]]) -> None:
    """Runs `main(run, inputs)` for Stepwell. What it returns, text or `{"title", "body"}`, is the result."""
    pipe = _Pipe()
    start = pipe.receive()["start"]
    run = Run(pipe, start)
    selector = _Selector()
    selector.pipe, selector.run = pipe, run
    loop = asyncio.SelectorEventLoop(selector)
    asyncio.set_event_loop(loop)

    async def body() -> Any:
        return await main(run, start["inputs"])

    try:
        result = loop.run_until_complete(body())
    except CallFailed as error:
        pipe.send({"failed": {"class": error.cls, "key": error.key, "message": error.message}})
    else:
        pipe.send({"state": run.state})
        pipe.send({"done": result})
    pipe.flush()
