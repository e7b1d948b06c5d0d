"""The sidecar: makes the few stores that need CAP_SYS_ADMIN, for whoever may use its socket. Before: `client`."""

import argparse
import errno
import json
import os
import signal
import socketserver
import sys
import threading
import time
from pathlib import Path

from terrace_agent.errors import HostFileMissing, StoreRefused
from terrace_agent.hostfs import MOUNTED, HostFs, MountedHostFs
from terrace_agent.numa_balancing.allowed import may_store

_LONGEST_LINE = 8_192
_IDLE_S = 30.0
_QUIET_S = 2.0


def answer(host: HostFs, line: bytes) -> dict[str, int]:
    """Returns what came of the store that a line asks for: an errno, 0 for done; EACCES for what is not allowed."""
    try:
        asked = json.loads(line)
        path, value = asked["path"], asked["value"]
    except (ValueError, KeyError, TypeError):
        return {"errno": errno.EBADMSG}
    if not (isinstance(path, str) and isinstance(value, str) and may_store(path, value)):
        return {"errno": errno.EACCES}
    try:
        host.store(path, value)
    except (StoreRefused, HostFileMissing) as error:
        return {"errno": error.errno}
    return {"errno": 0}


class Server(socketserver.ThreadingUnixStreamServer):
    """Answers each request in a thread.

    Attributes:
        asked_s: when the last one came, by the monotonic clock.
    """

    daemon_threads = True
    asked_s = 0.0

    def end_when_quiet(self) -> None:
        """Ends it once nobody has asked for a while: the agent, which is told to end as well, may be within a turn."""
        while (left_s := self.asked_s + _QUIET_S - time.monotonic()) > 0:
            time.sleep(left_s)
        self.shutdown()


def make_server(host: HostFs, socket_path: Path) -> Server:
    """Returns a server on a socket that only its own user may use; one that a former sidecar left is replaced.

    Raises:
        OSError: the socket cannot be made.
    """

    class Handler(socketserver.StreamRequestHandler):
        timeout = _IDLE_S

        def handle(self) -> None:
            server.asked_s = time.monotonic()
            found = answer(host, self.rfile.readline(_LONGEST_LINE))
            self.wfile.write(json.dumps(found).encode() + b"\n")

    socket_path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = Server(str(socket_path), Handler)
    finally:
        os.umask(before)
    return server


def main(arguments: list[str] | None = None) -> None:
    """Serves until SIGTERM, which the first process of a container would not end by without a handler."""
    parser = argparse.ArgumentParser(prog="terrace-relay", description="Makes privileged stores for the agent.")
    parser.add_argument("--host-root", type=Path, default=Path("/host"), help="where the host's files are mounted")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    options = parser.parse_args(arguments)
    host = MountedHostFs(options.host_root, mounted=(*MOUNTED, "/proc/sys/kernel"))
    with make_server(host, options.socket) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.end_when_quiet).start())
        sys.stderr.write(f"terrace-relay: listening on {options.socket}\n")
        server.serve_forever()


if __name__ == "__main__":
    main()
