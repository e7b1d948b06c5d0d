"""SIGTERM and Ctrl-C: taken where the program looks for them, and nowhere else.

Before: `run`. They end the agent and stop nothing in the kernel: an upgrade must not untier.
"""

import signal
import threading
from collections.abc import Callable

from terrace_agent.steplog import StepLog

_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_LAST_TURN_S = 25.0
"""How long a turn may take to end after a signal: less than the pod's grace period of 30 s."""


def hold_back() -> None:
    """Blocks them; call it before the first thread starts, so that every thread inherits it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def await_one(seconds: float) -> str:
    """Returns the name of the signal that came within so many seconds; empty if none did."""
    received = signal.sigtimedwait(_SIGNALS, seconds)
    return signal.Signals(received.si_signo).name if received else ""


def run_until_one(
    work: Callable[[], None], close: Callable[[], None], log: StepLog, *, last_turn_s: float = _LAST_TURN_S
) -> int:
    """Runs `work` in a thread until a signal, then calls `close` and gives it `last_turn_s` to end.

    A store or a read that never returns keeps nobody: the thread is a daemon, and what it was about to do is what
    SIGKILL would have left, which the journal knows.

    Returns:
        The exit code: 0 after a signal, 1 if `work` ended by itself, which only a defect can do.
    """
    worker = threading.Thread(target=work, name="loop", daemon=True)
    worker.start()
    while worker.is_alive():
        if name := await_one(1.0):
            log.note("ending; what runs in the kernel goes on", signal=name)
            close()
            worker.join(last_turn_s)
            if worker.is_alive():
                log.note("ending within a turn", after_s=last_turn_s)
            return 0
    return 1
