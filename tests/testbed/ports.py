"""Free TCP ports on loopback."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

_FROM, _TO = 10_240, 30_000
"""Below those that a kernel gives to clients and to whoever binds port 0 (`ip_local_port_range`, from 32768 up): many
clusters start side by side, and thousands of connections come and go meanwhile."""


def free(count: int) -> tuple[int, ...]:
    """Different ports that nobody listens on right now.

    Another process can still be as lucky before its server binds one, which then ends and says so in its log.
    """
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            port = random.randrange(_FROM, _TO)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return tuple(found)
