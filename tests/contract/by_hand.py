"""The agent in a guest, as a person starts it without Kubernetes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from contract import libraries
from testbed.guest import Guest

SAMPLES = Path(__file__).parents[2] / "deploy/samples"
POLICY = "/terrace/policy.yaml"
LOG = "/run/by-hand.log"
_LIBRARIES = "/terrace/libraries"
_AGENT = f"PYTHONPATH={_LIBRARIES}:/terrace/agent:/terrace/api python3 -m terrace_agent"
_RUN = f"{_AGENT} run --file {POLICY} > {LOG} 2>&1"
_START = f"""
rm -f /run/by-hand.*
(setsid bash -c '{_RUN} & echo $! > /run/by-hand.pid; wait $!; echo $? > /run/by-hand.code' < /dev/null &> /dev/null &)
until grep -qs '| kdamonds ' {LOG} || [ -e /run/by-hand.code ]; do sleep 0.5; done
"""
_END = """
kill -TERM $(cat /run/by-hand.pid)
until [ -e /run/by-hand.code ]; do sleep 0.2; done
cat /run/by-hand.code
"""


def install(guest: Guest) -> None:
    """Puts what the agent needs beside its own code into a guest that has that."""
    libraries.install(guest, _LIBRARIES)


def command(guest: Guest, words: str) -> str:
    """Returns what one of the agent's commands prints."""
    return guest.run(f"{_AGENT} {words}", limit_s=180).stdout


def start(guest: Guest, policy: str) -> None:
    """Starts it with a policy, and returns once kdamonds run or it has ended."""
    guest.write(POLICY, policy)
    guest.run(_START, limit_s=180)


def end(guest: Guest) -> str:
    """Ends it by a signal, and returns its exit code."""
    return guest.run(_END).stdout.strip()


def like_the_demo(**spec: Any) -> str:
    """Returns the demo's policy with other fields: it leaves out the limits on CPU time, which emulation uses up."""
    policy = yaml.safe_load((SAMPLES / "demo.yaml").read_text(encoding="utf-8"))
    policy["spec"] |= spec
    return yaml.safe_dump(policy)


@contextmanager
def tiering(guest: Guest, policy: str) -> Iterator[float]:
    """Has a policy in force inside the block; gives since when, by the guest's monotonic clock."""
    start(guest, policy)
    try:
        yield _in_force_since_s(guest.read(LOG))
    finally:
        end(guest)
        command(guest, "stop")


def _in_force_since_s(log: str) -> float:
    steps = [json.loads(line) for line in log.splitlines() if '"step": "apply"' in line]
    assert steps, log
    return float(steps[0]["monotonic_s"])
