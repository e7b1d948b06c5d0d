"""`/metrics` and `/healthz` over HTTP.

Healthy means that the loop took a turn not long ago; whether the node is `Ready` is the status' business, since a
restart of the agent would not make it so.
"""

import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"
_IDLE_S = 10.0
_TEXT_TYPE = "text/plain; charset=utf-8"


class Pulse:
    """When the loop last took a turn."""

    def __init__(self, *, stale_after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._last: float | None = None

    def beat(self) -> None:
        """Says that a turn just ended."""
        self._last = self._clock()

    def problem(self) -> str:
        """Returns what is wrong with the loop; empty if nothing is."""
        if self._last is None:
            return "no turn yet"
        age = self._clock() - self._last
        return f"last turn {age:.0f} s ago" if age > self._stale_after_s else ""


def serve(address: tuple[str, int], *, render: Callable[[], bytes], pulse: Pulse) -> ThreadingHTTPServer:
    """Returns a server that answers in threads that end with the process; see `listen` for the address.

    Raises:
        OSError: the address cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_S

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    self._answer(HTTPStatus.OK, _METRICS_TYPE, render())
                case "/healthz":
                    problem = pulse.problem()
                    status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
                    self._answer(status, _TEXT_TYPE, f"{problem or 'ok'}\n".encode())
                case _:
                    self._answer(HTTPStatus.NOT_FOUND, _TEXT_TYPE, b"/metrics or /healthz\n")

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: a line per probe is noise."""

    server = ThreadingHTTPServer(address, Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listen(address)
    server.server_address = server.socket.getsockname()
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def listen(address: tuple[str, int]) -> socket.socket:
    """Returns a socket that listens; on `::` for every address of both families, or of IPv4 where IPv6 is off.

    Raises:
        OSError: the address cannot be listened on.
    """
    host, port = address
    both = host == "::" and socket.has_dualstack_ipv6()
    host = "0.0.0.0" if host == "::" and not both else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=both)


def parse_address(text: str) -> tuple[str, int]:
    """Returns host and port of `127.0.0.1:9465`, `[::1]:9465` or, for every address, `[::]:9465`.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address; write host:port, as in 127.0.0.1:9465")
    return host.strip("[]"), int(port)
