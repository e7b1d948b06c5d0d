"""Free TCP ports on loopback."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free(count: int) -> tuple[int, ...]:
    """Different ports that nobody listens on right now.

    Another process can still take one before its server binds it, which then ends and says so in its log: ask right
    before the server starts.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(int(one.getsockname()[1]) for one in sockets)
