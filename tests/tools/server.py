"""A server of tools that does what a server should not, on request. Standard library only.

    server.py stdio [FLAG…]      messages on stdin and stdout
    server.py http [FLAG…]       streamable HTTP on a port of 127.0.0.1, which is the first line of stdout

What it does wrong is said by a flag when it is about its start, its list or its transport, and by the tool that is called
when it is about a call.
"""

import base64
import json
import os
import signal
import sys
import threading
import time

FLAGS = set(sys.argv[2:])
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
OBJECT = {"type": "object"}
TOOLS = {
    "echo": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    "add": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
}
NAMES = "fail error die slow never big bigjson bigpicture odd grow ask url sample picture log env pid heard sleep"
NAMES += " crash_once hold mute refuse named ask_and_go grow_quietly returns"
for name in NAMES.split():
    TOOLS[name] = OBJECT
GROWN = []
HEARD = []
ANSWERS = {}
ANSWERED = threading.Condition()
GATES = {}
READY = []
COUNT = [0]


def gate(name):
    """What calls wait at, and open for each other."""
    return GATES.setdefault(name, threading.Event())


def flag(name):
    """The value of the flag NAME=VALUE."""
    for one in FLAGS:
        if one.startswith(name + "="):
            return one[len(name) + 1:]
    return None


def listed(cursor):
    tools = [{"name": n, "description": f"Does {n}.", "inputSchema": s} for n, s in TOOLS.items()]
    tools += [{"name": n, "inputSchema": OBJECT} for n in GROWN]
    if flag("says"):
        tools[0]["description"] = f"Queries https://example.org/?key={flag('says')}"
        tools[0]["inputSchema"] = {"type": "object", "properties": {"key": {"type": "string", "default": flag("says")}}}
    if "odd-tools" in FLAGS:
        tools += [
            {"name": "echo", "description": "The second one.", "inputSchema": OBJECT},
            {"name": "broken", "inputSchema": "no schema"},
            {"name": "worse", "inputSchema": {"type": "object", "properties": {"x": {"type": "nonsense"}}}},
            {"inputSchema": OBJECT},
            "no tool",
        ]
    if "endless" in FLAGS:
        return {"tools": tools[:1], "nextCursor": "again"}
    if flag("pages"):
        size = int(flag("pages"))
        at = int(cursor or 0)
        page = {"tools": tools[at:at + size]}
        if at + size < len(tools):
            page["nextCursor"] = str(at + size)
        return page
    return {"tools": tools}


def text(value, **more):
    return {"content": [{"type": "text", "text": value}], **more}


def asked(send, params):
    """Asks the client, and waits for its answer."""
    COUNT[0] += 1
    name = f"q{COUNT[0]}"
    send({"jsonrpc": "2.0", "id": name, "method": "elicitation/create", "params": params})
    with ANSWERED:
        ANSWERED.wait_for(lambda: name in ANSWERS, 60)
        return ANSWERS.get(name)


def call(name, args, token, send):
    """What a call returns: a result, or nothing, when it never does."""
    note = lambda method, params: send({"jsonrpc": "2.0", "method": method, "params": params})
    if "opens" in args:
        gate(args["opens"]).set()
    if "waits" in args:
        note("notifications/progress", {"progressToken": token, "progress": 0})
        gate(args["waits"]).wait(60)
    if name == "echo":
        return text(args["text"])
    if name == "add":
        total = args["a"] + args["b"]
        return text(json.dumps({"sum": total}), structuredContent={"sum": total})
    if name == "fail":
        return text("the disk is full", isError=True)
    if name == "error":
        raise ValueError(args.get("message", "no such thing"))
    if name == "hold":
        return text("held")
    if name == "mute":
        # It says nothing more, and takes its time to end.
        os.close(1)
        return None
    if name == "named":
        uri = "https://example.org/c.png?sig=" + args["name"]
        return {"content": [{"type": "resource", "resource": {"uri": uri, "blob": PNG, "mimeType": "image/png;" + args["name"]}}]}
    if name == "ask_and_go":
        # Both in one message: the question has not been seen when the answer is there.
        asks = {"message": "Well?", "requestedSchema": OBJECT}
        send([
            {"jsonrpc": "2.0", "id": "unread", "method": "elicitation/create", "params": asks},
            {"jsonrpc": "2.0", "id": token, "result": text("gone on")},
        ])
        return None
    if name == "returns":
        return args["result"]
    if name == "grow_quietly":
        GROWN.append(f"grown{len(GROWN)}")
        return text("grown")
    if name == "die":
        sys.stderr.write(args.get("message", "out of memory") + "\n")
        sys.stderr.flush()
        os._exit(7)
    if name == "crash_once":
        if not os.path.exists(args["mark"]):
            open(args["mark"], "w").close()
            os._exit(7)
        return text("recovered")
    if name == "slow":
        for at in range(1, 4):
            note("notifications/progress", {"progressToken": token, "progress": at, "total": 3, "message": f"part {at}"})
        return text("done")
    if name == "sleep":
        time.sleep(args["seconds"])
        return text("slept")
    if name == "never":
        note("notifications/progress", {"progressToken": token, "progress": 0})
        return None
    if name == "big":
        line = "0123456789abcde\n"
        return text(line * (args["bytes"] // len(line)))
    if name == "bigjson":
        return {"content": [], "structuredContent": {"items": ["x" * 100] * (args["bytes"] // 100)}}
    if name == "bigpicture":
        data = PNG.replace("=", "A") + "A" * (args["bytes"] - 12)
        return {"content": [{"type": "image", "data": data, "mimeType": "image/png"}]}
    if name == "picture":
        return {"content": [
            {"type": "text", "text": "a dot"},
            {"type": "image", "data": PNG, "mimeType": "image/png"},
        ]}
    if name == "odd":
        return {"content": [
            {"type": "text", "text": "first"},
            {"type": "resource_link", "uri": "file:///a.txt", "name": "a", "mimeType": "text/plain"},
            {"type": "resource", "resource": {"uri": "file:///b.txt", "text": "of b"}},
            {"type": "resource", "resource": {"uri": "file:///c.png", "blob": PNG, "mimeType": "image/png"}},
            {"type": "resource", "resource": {"uri": "file:///d.bin", "blob": "AAAA"}},
            {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
            {"type": "hologram", "depth": 3},
            {"type": "text", "text": "\u001b[31mlast"},
        ]}
    if name == "grow":
        GROWN.append(f"grown{len(GROWN)}")
        note("notifications/tools/list_changed", {})
        return text("grown")
    if name == "ask":
        answer = asked(send, {"message": args.get("message", "Who are you?"), "requestedSchema": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}})
        return text(json.dumps(answer, sort_keys=True))
    if name == "url":
        return text(json.dumps(asked(send, {"mode": "url", "url": "https://example.org", "message": "go"})))
    if name == "sample":
        send({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": {}})
        with ANSWERED:
            ANSWERED.wait_for(lambda: "s1" in ANSWERS, 60)
            return text(json.dumps(ANSWERS["s1"]))
    if name == "log":
        note("notifications/message", {"level": "debug", "data": "not this"})
        note("notifications/message", {"level": "info", "data": "opened"})
        note("notifications/message", {"level": "error", "data": {"code": 5}})
        return text("done")
    if name == "env":
        return text(json.dumps({"env": dict(os.environ), "cwd": os.getcwd()}), structuredContent=dict(os.environ))
    if name == "pid":
        return text(str(os.getpid()))
    if name == "heard":
        return text(json.dumps(HEARD))
    return text(f"MCP error -32602: Tool {name} not found", isError=True)


def handle(message, send):
    """Answers one message of the client."""
    method, params, ident = message.get("method"), message.get("params") or {}, message.get("id")
    if method == "tools/call":
        HEARD.append({"method": method, "name": params.get("name")})
    else:
        HEARD.append({"method": method, "params": params, "result": message.get("result")})
    if method is None:
        with ANSWERED:
            ANSWERS[ident] = message.get("result", message.get("error"))
            ANSWERED.notify_all()
        return
    if ident is None:
        if "insists" in FLAGS and method == "notifications/initialized":
            time.sleep(0.05)
            READY.append(True)
        return
    reply = {"jsonrpc": "2.0", "id": ident}
    if method == "initialize":
        if "deaf" in FLAGS:
            return
        tools = {"listChanged": True} if "silent" not in FLAGS else {}
        reply["result"] = {
            "protocolVersion": flag("version") or params["protocolVersion"],
            "capabilities": {} if "no-tools" in FLAGS else {"tools": tools},
            "serverInfo": {"name": "odd", "version": "1"},
        }
    elif "insists" in FLAGS and not READY:
        reply["error"] = {"code": -32600, "message": "not initialized"}
    elif method == "tools/list":
        if "never-lists" in FLAGS:
            return
        reply["result"] = {"oops": 1} if "no-list" in FLAGS else listed(params.get("cursor"))
    elif method == "tools/call":
        try:
            result = call(params["name"], params.get("arguments") or {}, params["_meta"]["progressToken"], send)
        except ValueError as error:
            reply["error"] = {"code": -32000, "message": str(error)}
        else:
            if result is None and params["name"] != "returns":
                return
            # The id last, as some servers have it.
            reply = {"jsonrpc": "2.0", "result": result, "id": ident}
    elif method == "ping":
        reply["result"] = {}
    else:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    send(reply)


def stdio():
    lock = threading.Lock()

    def send(message):
        with lock:
            if "rubbish" in FLAGS:
                sys.stdout.write("DEBUG: about to answer\n{\"half\": \n")
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()

    if flag("mark"):
        # How often it was started, and when it ended.
        with open(flag("mark"), "a") as mark:
            mark.write(f"{os.getpid()}\n")
    if flag("dies"):
        sys.stderr.write(flag("dies") + "\n")
        sys.exit(3)
    if "rubbish" in FLAGS:
        print("Odd server, listening on stdin\n", flush=True)
        sys.stderr.write("debug: hello\n")
    if flag("flood"):
        sys.stdout.write("x" * int(flag("flood")))
        sys.stdout.flush()
    if flag("lock"):
        import fcntl
        alone = open(flag("lock"), "w")
        try:
            fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit("another one has the lock")
    if "stubborn" in FLAGS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if flag("child"):
        # Something that it starts and forgets.
        import subprocess
        child = subprocess.Popen(["sleep", "1000"])
        with open(flag("child"), "w") as mark:
            mark.write(str(child.pid))
    for line in sys.stdin:
        threading.Thread(target=handle, args=(json.loads(line), send), daemon=True).start()
    if "lingers" in FLAGS:
        time.sleep(0.3)
    while "stubborn" in FLAGS:
        time.sleep(1)


def http():
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    sessions, closed, kept = {}, [], {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def plain(self, status, body=b"", **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def event(self, text):
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def begin_stream(self, **headers):
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if flag("token") and self.headers.get("authorization") != "Bearer " + flag("token"):
                return self.plain(401, b"no token")
            if flag("status"):
                return self.plain(int(flag("status")), b"not today", location="https://example.org/mcp")
            accepts = self.headers.get("accept") or ""
            if "application/json" not in accepts or "text/event-stream" not in accepts:
                return self.plain(406)
            session = self.headers.get("mcp-session-id")
            if message.get("method") == "initialize":
                COUNT[0] += 1
                session = f"session-{COUNT[0]}"
                sessions[session] = True
            elif session not in sessions:
                return self.plain(404 if "not-found" in FLAGS else 400, b'{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}')
            elif not self.headers.get("mcp-protocol-version"):
                return self.plain(400, b"no version")
            if "id" not in message or "method" not in message:
                handle(message, lambda _: None)
                return self.plain(202)
            params = message.get("params") or {}
            if params.get("name") == "refuse":
                HEARD.append({"method": "tools/call", "name": "refuse"})
                return self.plain(params["arguments"].get("status", 400), params["arguments"]["body"].encode())
            if flag("refuses-lists") and message["method"] == "tools/list":
                return self.plain(403, flag("refuses-lists").encode())
            if params.get("name") == "forget":
                # It answers, and knows nobody any more.
                sessions.clear()
            if "json" in FLAGS:
                answers = []
                handle(message, lambda one: answers.append(one) if "id" in one and "method" not in one else None)
                return self.plain(200, json.dumps(answers[-1]).encode(), content_type="application/json", mcp_session_id=session)
            self.begin_stream(mcp_session_id=session)
            self.event("id: 0\ndata: \n\n")
            if params.get("name") == "broken":
                # The answer comes to whoever asks for the stream again, after a few times, if at all.
                if not params["arguments"].get("lost"):
                    pieces = params["arguments"].get("pieces", 1)
                    for piece in range(1, pieces):
                        kept[f"7.{piece}"] = (f"7.{piece + 1}", "")
                    answer = {"jsonrpc": "2.0", "id": message["id"], "result": text("after all")}
                    kept[f"7.{pieces}"] = ("9", json.dumps(answer))
                    self.event("id: 7.1\nretry: 10\ndata: \n\n")
                else:
                    self.event("id: 8\nretry: 10\ndata: \n\n")
                self.event("")
                self.close_connection = True
                return
            try:
                handle(message, lambda one: self.event(f"event: message\ndata: {json.dumps(one)}\n\n"))
                if params.get("name") == "never":
                    time.sleep(60)
                self.event("")
            except OSError:
                pass

        def do_GET(self):
            last = self.headers.get("last-event-id")
            if last in kept:
                self.begin_stream()
                self.event("id: {}\nretry: 10\ndata: {}\n\n".format(*kept.pop(last)))
                self.event("")
                return
            if last:
                return self.plain(404)
            if "listens-briefly" in FLAGS:
                self.begin_stream()
                return self.event("")
            if "listens" not in FLAGS:
                return self.plain(405)
            self.begin_stream()
            GROWN.append("unasked")
            self.event('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n')
            time.sleep(60)

        def do_DELETE(self):
            if flag("mark"):
                with open(flag("mark"), "a") as mark:
                    mark.write(f"deleted {self.headers.get('mcp-session-id')}\n")
            sessions.pop(self.headers.get("mcp-session-id"), None)
            self.plain(200)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # It ends with whoever started it.
    sys.stdin.read()


{"stdio": stdio, "http": http}[sys.argv[1]]()
