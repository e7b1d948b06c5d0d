"""How every command of the testbed, the demo and the benchmarks ends, also when something ends it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from testbed import progress
from testbed.errors import BedError

FAILED, INTERRUPTED, TERMINATED = 1, 130, 143
"""Exit codes: the last two are what shells give to SIGINT and SIGTERM."""


def run(body: Callable[[], int]) -> int:
    """Runs a command's body and returns the exit code.

    SIGTERM unwinds the stack as Ctrl-C does, so that `with` blocks end what was started and remove what was made.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        return body()
    except BedError as error:
        progress.say(f"failed: {error}")
        say_if_busy()
        return FAILED
    except KeyboardInterrupt:
        progress.say("interrupted")
        return INTERRUPTED


def say_if_busy() -> None:
    """Says after a failure that the machine is busy, if it is."""
    if hint := load_hint(os.getloadavg()[0], os.cpu_count() or 1):
        progress.say(hint)


def load_hint(load: float, cpus: int) -> str:
    """Returns what a busy machine may have to do with a failure; empty if it is not busy.

    Args:
        load: runnable tasks, as of the last minute. A guest and a control plane come to about 3.
        cpus: of this machine.
    """
    if load <= 2 * cpus:
        return ""
    return (
        f"the machine is busy (load {load:.1f} on {cpus} CPUs): its guests are emulated and may just have been too "
        "slow. Try again when nothing else runs"
    )
