"""Log lines that a program can add up: one JSON object per step, with the time it took.

Each step begins where the one before it ended, so the `took_s` of the steps between two lines add up to the difference
of their `monotonic_s` (CLOCK_MONOTONIC: the same clock for every process of the machine). `make bench-latency` reads
them.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

Value = str | int | float | None


class StepLog:
    """Writes steps to a stream, standard error unless told otherwise. Steps wait for `flush`."""

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._mark = clock()
        self._waiting: list[str] = []

    def begin(self, *, seconds_ago: float = 0.0) -> None:
        """Says that the next step begins now, or began `seconds_ago`."""
        self._mark = self._clock() - seconds_ago

    def step(self, name: str, **values: Value) -> None:
        """Ends step `name` now; the next one begins."""
        now = self._clock()
        took, self._mark = now - self._mark, now
        self._waiting.append(_line({"step": name, "took_s": round(took, 6), "monotonic_s": round(now, 6), **values}))

    def flush(self, *, worth_it: bool) -> None:
        """Writes the steps since the last flush if they are worth a line each; most turns of a loop are not."""
        if worth_it:
            self._stream.writelines(self._waiting)
            self._stream.flush()
        self._waiting.clear()

    def note(self, message: str, **values: Value) -> None:
        """Writes at once something that is no step."""
        self._stream.write(_line({"note": message, "monotonic_s": round(self._clock(), 6), **values}))
        self._stream.flush()


def _line(record: dict[str, Value]) -> str:
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": stamp} | record) + "\n"


def seconds_since_process_start() -> float:
    """Returns the age of this process, from field 22 of `/proc/self/stat` (clock ticks since boot)."""
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
