"""Runs one contestant on one workload in a guest. What is decided here is only when.

Before: `workloads` and `contestants`. After: `figures`.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.placement import counters
from bench.placement.contestants import AGENT, DAMO, POLICY_IN_GUEST, RESET, ROOT, Contestant
from bench.placement.counters import Counters
from bench.placement.figures import Figures, Sample, figures, sample, stood_still
from bench.placement.programs import damo, heat
from bench.placement.workloads import REST_S, Workload
from contract import libraries
from testbed import progress
from testbed.guest import Guest

_FILL_LIMIT_S = 180.0
_TRIES = 3
_LOG = "/run/heat.log"
_LOAD = f"""
rm -f {_LOG}
(setsid /opt/heat ARGUMENTS > {_LOG} 2>&1 < /dev/null &)
until grep -q passes {_LOG}; do sleep 0.2; done
sleep 2
"""
# Starts the workload's clock. The contestant's own process is told by its session, where it has one.
_BEGIN = "pkill -USR1 -o -x heat; cat /run/bench.pid 2>/dev/null || echo 0; cut -d' ' -f1 /proc/uptime"
# The process that sleeps dies with the other.
_UNLOAD = "pkill -KILL -o -x heat; while pgrep -x heat > /dev/null; do sleep 0.2; done"


def equip(guest: Guest) -> None:
    """Puts everything that contestants need into a guest."""
    for name in ("agent", "api"):
        guest.run(f"mkdir -p /terrace/{name}")
        guest.copy_in(ROOT / name, f"/terrace/{name}")
    libraries.install(guest, "/terrace/libraries")
    guest.run("mkdir -p /terrace/damo")
    guest.copy_in(damo(), "/terrace/damo")
    guest.copy_in(heat(), "/opt/heat")
    # damo asks which trace events there are.
    guest.run("mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing")
    with progress.step("compiling what Python will run, as images hold it", usually="30 s"):
        guest.run(f"{AGENT} probe; {DAMO} version", limit_s=180)


def measure(guest: Guest, workload: Workload, contestant: Contestant) -> Figures:
    """Runs a contestant and returns its figures.

    Raises:
        CommandError: it does not start on this kernel.
    """
    for _ in range(_TRIES - 1):
        found, samples = _measure(guest, workload, contestant)
        if not stood_still(samples):
            return found
        progress.say("once more: the machine stood still")
    return _measure(guest, workload, contestant)[0]


def _measure(guest: Guest, workload: Workload, contestant: Contestant) -> tuple[Figures, list[Sample]]:
    guest.run(RESET, limit_s=120, check=False)
    if contestant.policy:
        guest.write(POLICY_IN_GUEST, contestant.policy)
    guest.run(_LOAD.replace("ARGUMENTS", " ".join(workload.arguments())), limit_s=_FILL_LIMIT_S)
    try:
        return _measure_loaded(guest, workload, contestant)
    finally:
        guest.run(_UNLOAD)
        guest.run(RESET, limit_s=120, check=False)


def _measure_loaded(guest: Guest, workload: Workload, contestant: Contestant) -> tuple[Figures, list[Sample]]:
    start = _count(guest, session=0)
    guest.run(contestant.start, limit_s=120)
    told = guest.run(f"{_BEGIN}; {contestant.since}").stdout.split()
    session, clock_s, since_s = int(told[0]), float(told[1]), float(told[2])
    _sleep_until(guest, clock_s + workload.seconds - REST_S)
    rest = _count(guest, session=session)
    _sleep_until(guest, clock_s + workload.seconds)
    end = _count(guest, session=session)
    samples = _samples(guest)
    made = figures(workload, samples, since_s=since_s, clock_s=clock_s, start=start, rest=rest, end=end)
    return made, samples


def _count(guest: Guest, *, session: int) -> Counters:
    return counters.parse(guest.run(counters.READ).stdout, session=session)


def _samples(guest: Guest) -> list[Sample]:
    return [sample(line) for line in guest.read(_LOG).splitlines() if line.endswith("}")]


def _sleep_until(guest: Guest, monotonic_s: float) -> None:
    """Waits by the guest's clock, which may be slower than this machine's."""
    while (left_s := monotonic_s - float(guest.run("cut -d' ' -f1 /proc/uptime").stdout)) > 0:
        time.sleep(left_s)


def machine() -> str:
    """Returns what the figures were measured on, for who compares them with others."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").count("processor\t")
    return f"QEMU without KVM (TCG) on {cpus} CPUs"
