"""The host's side of the guest's shell: one connection, one script. `node_root/.../serve` is the other."""

from __future__ import annotations

import socket
from dataclasses import dataclass

TIMED_OUT = 124
"""The exit code of a script that the guest ended because its limit was over."""
GRACE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a script in the guest ended."""

    returncode: int
    raw_stdout: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """The output as text."""
        return self.raw_stdout.decode(errors="replace")


def run(port: int, script: str, *, stdin: bytes = b"", limit_s: float) -> Result:
    """Runs a bash script as the guest's root.

    Args:
        port: on this machine's loopback, forwarded to the guest.
        script: what to run. Output of what it leaves in the background is lost once it ended.
        stdin: its standard input.
        limit_s: after so long the guest ends it, with `TIMED_OUT` as exit code.

    Raises:
        OSError: the guest does not answer.
    """
    text = script.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=limit_s + GRACE_S) as connection:
        connection.sendall(f"{limit_s:.3f} {len(text)} {len(stdin)}\n".encode() + text + stdin)
        with connection.makefile("rb") as answer:
            line = answer.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the guest closed the connection without an answer")
            returncode, out_bytes, error_bytes = map(int, line.split())
            out, error = answer.read(out_bytes), answer.read(error_bytes)
    if len(out) != out_bytes or len(error) != error_bytes:
        raise ConnectionResetError("the guest closed the connection within its answer")
    return Result(returncode=returncode, raw_stdout=out, stderr=error.decode(errors="replace"))
