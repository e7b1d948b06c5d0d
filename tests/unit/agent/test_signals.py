"""How the agent ends: on a signal, and whatever its loop does. Each in a process of its own."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAM = """
import sys, threading
from terrace_agent import signals
from terrace_agent.steplog import StepLog

signals.hold_back()
closed = threading.Event()

def stuck():
    print("working", flush=True)
    threading.Event().wait()

def obedient():
    print("working", flush=True)
    closed.wait()
    print("ended", flush=True)

def broken():
    print("working", flush=True)

sys.exit(signals.run_until_one({work}, closed.set, StepLog(), last_turn_s={last_turn_s}))
"""


@contextmanager
def agent(work: str, *, last_turn_s: float = 20.0) -> Iterator[subprocess.Popen[str]]:
    program = PROGRAM.format(work=work, last_turn_s=last_turn_s)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("received", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_after_its_turn(received: signal.Signals) -> None:
    with agent("obedient") as process:
        process.send_signal(received)
        told, logged = process.communicate(timeout=15)
    assert (process.returncode, told) == (0, "ended\n")
    assert received.name in logged


def test_a_loop_that_is_stuck_in_a_turn_does_not_keep_the_process() -> None:
    with agent("stuck", last_turn_s=0.2) as process:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=15)
    assert process.returncode == 0
    assert time.monotonic() - began < 10
    assert "ending within a turn" in logged


def test_a_loop_that_ends_by_itself_is_a_failure() -> None:
    with agent("broken") as process:
        process.communicate(timeout=15)
    assert process.returncode == 1
