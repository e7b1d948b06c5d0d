"""What a person does on a machine without Kubernetes: the command itself, on a real kernel, with one of the samples."""

from collections.abc import Iterator

import pytest

from contract import by_hand
from contract.kernel_state import KDAMONDS, running, settings
from testbed.guest import Guest

pytestmark = pytest.mark.kernel

SAMPLE = by_hand.SAMPLES / "enforce.yaml"


@pytest.fixture
def machine(equipped: Guest) -> Iterator[Guest]:
    by_hand.install(equipped)
    equipped.write(by_hand.POLICY, SAMPLE.read_text())
    found = settings(equipped)
    yield equipped
    by_hand.command(equipped, "stop")
    assert settings(equipped) == found


def test_probe_plan_run_and_stop(machine: Guest) -> None:
    found = settings(machine)
    assert "DAMON can migrate pages between nids." in by_hand.command(machine, "probe")
    stores = [line for line in by_hand.command(machine, f"plan {by_hand.POLICY}").splitlines() if " <- " in line]
    assert f"{KDAMONDS}/nr_kdamonds <- 2" in stores
    assert settings(machine) == found, "neither changes anything"
    by_hand.start(machine, SAMPLE.read_text())
    pids = running(machine)
    code = by_hand.end(machine)
    told = machine.read(by_hand.LOG)
    assert (code, len(pids), min(pids) > 0) == ("0", 2, True), told
    assert running(machine) == pids, "a signal stops nothing in the kernel"
    assert f"The kernel goes on (kdamonds {', '.join(map(str, pids))})" in told
    assert settings(machine) == ("2", *("N" for _ in found[1:-1]), "true")
    by_hand.command(machine, "stop")
    assert settings(machine) == found
