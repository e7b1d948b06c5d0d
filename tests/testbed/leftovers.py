"""Finds and ends the servers of a directory, whichever process started them: by `processes.MARKER`.

So there are no pid files, which could name somebody else's process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from testbed import waiting
from testbed.errors import WaitError
from testbed.processes import MARKER, STOP_LIMIT_S


def stop_all(directory: Path, limit_s: float = STOP_LIMIT_S) -> int:
    """Ends every server that was started for this directory or one below it, and returns how many there were."""
    found = tuple(_processes_of(directory))
    for pid in found:
        _signal(pid, directory, signal.SIGTERM)
    try:
        waiting.until(lambda: not any_running(directory), "processes to end", limit_s=limit_s)
    except WaitError:
        for pid in _processes_of(directory):
            _signal(pid, directory, signal.SIGKILL)
    return len(found)


def any_running(directory: Path) -> bool:
    """Whether a server that was started for this directory, or one below it, still runs."""
    return any(_processes_of(directory))


def _processes_of(directory: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _belongs(int(entry.name), directory):
            yield int(entry.name)


def _belongs(pid: int, directory: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    own = f"{MARKER}={directory.resolve()}".encode()
    return any(variable == own or variable.startswith(own + b"/") for variable in variables)


def _signal(pid: int, directory: Path, signum: signal.Signals) -> None:
    """Signals through a pidfd, so that a pid that was reused in between is never hit."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _belongs(pid, directory):
            signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
