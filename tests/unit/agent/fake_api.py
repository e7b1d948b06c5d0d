"""An API server of a few lines: one NodeTiering, its watch, the pods of a node. Over real HTTP."""

import json
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

END = "end of the watch"
BREAK = "the connection breaks"


class FakeApi:
    """What it answers is set by attributes; what it was asked is in `requests`.

    Attributes:
        empty: whether there is no object to count; a list without content then has `items: null`, as a real one.
        events: what the next watch of NodeTierings streams, one by one, as they are put; `END` ends that watch, `BREAK`
            breaks it.
        pod_events: likewise of pods.
        refuse: if set, the HTTP status of every answer.
        others: how many more objects there are than one; None refuses to tell.
        refuse_watches: likewise of watches only.
        token: if set, the only one that it takes.
    """

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self.events: queue.Queue[dict[str, Any] | str] = queue.Queue()
        self.pod_events: queue.Queue[dict[str, Any] | str] = queue.Queue()
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self.refuse = 0
        self.others: int | None = 0
        self.refuse_watches = 0
        self.token = ""
        self.empty = False

    def asked(self, path: str, **query: str) -> bool:
        """Whether a request to `path` had at least this query."""
        return any(seen == path and query.items() <= found.items() for _, seen, found in self.requests)


@contextmanager
def serving(api: FakeApi) -> Iterator[str]:
    """Serves it, and yields its URL. Close what watches it before the end: that waits for it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = self._record()
            query = parse_qs(url.query)
            is_of_pods = url.path.endswith("/pods")
            if api.token and self.headers["Authorization"] != api.token:
                self._answer(401, {"message": "Unauthorized"})
            elif refuse := api.refuse or ("watch" in query and api.refuse_watches):
                self._answer(refuse, {"message": "refused by the test"})
            elif "watch" in query:
                self._stream(api.pod_events if is_of_pods else api.events)
            elif "limit" in query and api.others is None:
                self._answer(403, {"message": "refused by the test"})
            elif "limit" in query:
                remaining = {"remainingItemCount": api.others, "continue": "more"} if api.others else {}
                first: list[dict[str, Any]] | None = None if api.empty else [{"metadata": {}}]
                self._answer(200, {"metadata": {"resourceVersion": "10"} | remaining, "items": first})
            else:
                items = api.pods if is_of_pods else api.items
                self._answer(200, {"metadata": {"resourceVersion": "10"}, "items": items})

        def do_PATCH(self) -> None:
            url = self._record()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.bodies.append((self.headers["Content-Type"], body))
            status = api.refuse or 200
            self._answer(status, {"message": "refused by the test"} if api.refuse else body | {"path": url.path})

        def _record(self) -> Any:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            api.requests.append((self.command, url.path, query))
            return url

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, events: queue.Queue[dict[str, Any] | str]) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while (event := events.get()) not in (END, BREAK):
                line = json.dumps(event).encode() + b"\n"
                # In two chunks, as a network may deliver it.
                for part in (line[:7], line[7:]):
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()
            if event == BREAK:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    others = set(threading.enumerate())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        # Handlers whose client has gone still wait for an event, and take one each.
        for _ in api.requests:
            api.events.put(END)
            api.pod_events.put(END)
        server.shutdown()
        server.server_close()
        # Whoever still watches draws from the next test's chance when it finds nobody here.
        for thread in set(threading.enumerate()) - others:
            if thread.name == "watch":
                thread.join(10)
