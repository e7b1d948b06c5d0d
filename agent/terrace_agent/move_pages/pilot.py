"""Starts the mover, hands it orders, and watches that it answers. Before: the engine. After: `mover`.

A mover that is late is killed. One that does not even die hangs in the kernel: then nothing moves, and no second one
is started, until it is gone.
"""

import json
import select
import subprocess
import sys
from collections.abc import Sequence

from terrace_agent.move_pages.batches import Outcome, finished
from terrace_agent.steps import Move

ANSWER_WITHIN_S = 10.0
_DIE_WITHIN_S = 1.0
COMMAND = (sys.executable, "-m", "terrace_agent.move_pages.mover")


class Pilot:
    """One mover at a time, started when it is needed.

    Attributes:
        was_late: the mover did not answer the last order in time.
        finished: the runs of the last order that need no further one before they were looked at again; all of them if
            the mover did not answer, for what it hangs over today it would hang over again.
    """

    def __init__(self, command: Sequence[str] = COMMAND, *, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._command = tuple(command)
        self._answer_within_s = answer_within_s
        self._process: subprocess.Popen[str] | None = None
        self._hangs = False
        self.was_late = False
        self.finished: tuple[range, ...] = ()
        self.longest_call_s = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a mover that can be ended."""
        return self._process is not None and not self._is_hanging()

    @property
    def problem(self) -> str:
        """What is wrong with the mover, in words; empty if nothing is."""
        if not self._is_hanging() or self._process is None:
            return ""
        return (
            f"the mover (pid {self._process.pid}) hangs in move_pages(2), which waits for all CPUs: look for a "
            "realtime task that never sleeps. Nothing moves until it is gone"
        )

    def carry_out(self, order: Move) -> Outcome:
        """Returns what became of the pages; nothing while the mover hangs, or if it ended over this order."""
        process, self.was_late, self.finished = self._ready(), False, order.runs
        if process is None or process.stdin is None or process.stdout is None:
            return Outcome()
        try:
            process.stdin.write(_line(order))
            process.stdin.flush()
        except OSError:
            self.close()
            return Outcome()
        if not select.select([process.stdout], [], [], self._answer_within_s)[0]:
            self.was_late = True
            self._end_late()
            return Outcome()
        return self._answer(process.stdout.readline(), order)

    def close(self) -> None:
        """Ends the mover; one that hangs is left to the kernel."""
        if self.runs:
            self._end_late()

    def _ready(self) -> subprocess.Popen[str] | None:
        if self._is_hanging():
            return None
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self._process

    def _is_hanging(self) -> bool:
        if self._hangs and self._process is not None and self._process.poll() is not None:
            self._hangs = False
        return self._hangs

    def _end_late(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        try:
            self._process.wait(_DIE_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._hangs = True
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process = None

    def _answer(self, line: str, order: Move) -> Outcome:
        if not line:
            self._end_late()
            return Outcome()
        answer = json.loads(line)
        self.longest_call_s = max(self.longest_call_s, answer["longest_s"])
        self.finished = finished(order.runs, *answer["finished"])
        return Outcome(**answer["outcome"])


def _line(order: Move) -> str:
    told = {
        "pid": order.pid,
        "started": order.started,
        "sources": list(order.sources),
        "nid": order.nid,
        "runs": [(run.start, run.stop, run.step) for run in order.runs],
        "limit_pages": order.limit_pages,
    }
    return json.dumps(told) + "\n"
