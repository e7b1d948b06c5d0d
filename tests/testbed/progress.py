"""Tells on stderr what the testbed does, what it waits for and how long that usually takes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_STARTED_S = time.monotonic()


def say(text: str) -> None:
    """Prints one line with the seconds since the program started."""
    print(f"[{time.monotonic() - _STARTED_S:7.1f}s] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, *, usually: str = "") -> Iterator[None]:
    """Announces a step, and its duration once it is done.

    Args:
        what: the step, as in "building the control plane".
        usually: how long it takes, as in "about 11 min from an empty cache".
    """
    say(f"{what} ({usually})" if usually else what)
    started_s = time.monotonic()
    yield
    say(f"done in {time.monotonic() - started_s:.1f} s: {what}")
