"""What a person does on a machine without Kubernetes: the command itself, on a real kernel, with one of the samples."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract import libraries
from contract.kernel_state import KDAMONDS, running, settings
from testbed.guest import Guest

pytestmark = pytest.mark.kernel

SAMPLE = Path(__file__).parents[2] / "deploy/samples/enforce.yaml"
POLICY = "/terrace/enforce.yaml"
AGENT = "PYTHONPATH=/terrace/libraries:/terrace/agent:/terrace/api python3 -m terrace_agent"
RUN = f"{AGENT} run --file {POLICY} > /run/by-hand.log 2>&1"
START = f"""
rm -f /run/by-hand.*
(setsid bash -c '{RUN} & echo $! > /run/by-hand.pid; wait $!; echo $? > /run/by-hand.code' < /dev/null &> /dev/null &)
until grep -qs '| kdamonds ' /run/by-hand.log || [ -e /run/by-hand.code ]; do sleep 0.5; done
"""
END = """
kill -TERM $(cat /run/by-hand.pid)
until [ -e /run/by-hand.code ]; do sleep 0.2; done
cat /run/by-hand.code
"""


@pytest.fixture
def machine(equipped: Guest) -> Iterator[Guest]:
    libraries.install(equipped, "/terrace/libraries")
    equipped.copy_in(SAMPLE, POLICY)
    found = settings(equipped)
    yield equipped
    command(equipped, "stop")
    assert settings(equipped) == found


def command(guest: Guest, words: str) -> str:
    return guest.run(f"{AGENT} {words}", limit_s=180).stdout


def test_probe_plan_run_and_stop(machine: Guest) -> None:
    found = settings(machine)
    assert "DAMON can migrate pages between nids." in command(machine, "probe")
    stores = [line for line in command(machine, f"plan {POLICY}").splitlines() if " <- " in line]
    assert f"{KDAMONDS}/nr_kdamonds <- 2" in stores
    assert settings(machine) == found, "neither changes anything"
    machine.run(START, limit_s=180)
    pids = running(machine)
    code = machine.run(END).stdout.strip()
    told = machine.read("/run/by-hand.log")
    assert (code, len(pids), min(pids) > 0) == ("0", 2, True), told
    assert running(machine) == pids, "a signal stops nothing in the kernel"
    assert f"The kernel goes on (kdamonds {', '.join(map(str, pids))})" in told
    assert settings(machine) == ("2", *("N" for _ in found[1:-1]), "true")
    command(machine, "stop")
    assert settings(machine) == found
