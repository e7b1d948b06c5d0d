"""How every command of the testbed, the demo and the benchmarks ends, also when something ends it."""

from __future__ import annotations

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
        return FAILED
    except KeyboardInterrupt:
        progress.say("interrupted")
        return INTERRUPTED
