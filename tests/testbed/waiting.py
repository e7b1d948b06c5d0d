"""Waiting with a limit, for everything that has no better way to tell."""

from __future__ import annotations

import time
from collections.abc import Callable

from testbed.errors import WaitError


def until(
    condition: Callable[[], bool],
    what: str,
    *,
    limit_s: float,
    detail: Callable[[], str] = lambda: "",
    every_s: float = 0.1,
) -> None:
    """Returns as soon as the condition holds.

    Args:
        condition: asked every `every_s` seconds; its own errors pass through.
        what: the subject of the error, as in "the API server".
        limit_s: how long to wait at most.
        detail: asked once on failure, for what a reader wants to see then, such as a log's tail.
        every_s: the pause between two questions.

    Raises:
        WaitError: the condition did not hold within the limit.
    """
    end_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end_s:
            raise WaitError(what, limit_s, detail())
        time.sleep(every_s)
