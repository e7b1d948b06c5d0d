"""Runs in a guest: the mover with processes that are killed, a full target, a cpuset, and 10,000 that end at once.

Tells as JSON what came of the orders, and what the mover and this process had open and in memory before and after.
"""

import json
import os
import random
import sys
import threading
import time
from array import array
from dataclasses import asdict
from pathlib import Path

from contract.victims import footprint, make_cgroup, places, victim
from terrace_agent.move_pages.batches import Outcome
from terrace_agent.move_pages.pilot import Pilot
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.syscall import query
from terrace_agent.steps import Move

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SEED = 7
KILLED, SHORT_LIVED = 60, 10_000
VICTIM_MIB = 16
NARROW = "fire/narrow"
MOST_ORDERS = 100
"""To fill nid 1: an order ends after seconds, with few pages moved where calls are slow."""


def killed_while_it_is_moved(pilot: Pilot) -> dict[str, object]:
    """Kills each process at a time of its own choice, from before its pages are moved until after."""
    alive = victim(VICTIM_MIB)
    began = time.monotonic()
    whole = pilot.carry_out(alive.order(source=0, nid=1))
    took_s = time.monotonic() - began
    alive.end()
    done, halfway = Outcome(), 0
    for _ in range(KILLED):
        one = victim(VICTIM_MIB)
        timer = threading.Timer(random.uniform(0, took_s), os.kill, (one.pid, 9))
        timer.start()
        outcome = pilot.carry_out(one.order(source=0, nid=1))
        timer.join()
        one.end()
        done += outcome
        halfway += 0 < outcome.moved < len(one.block)
    return {"whole": asdict(whole), "halfway": halfway, "killed": asdict(done), "problem": pilot.problem}


def more_than_fits(pilot: Pilot) -> dict[str, object]:
    """Moves more to nid 1 than it has room for, in as many orders as that takes."""
    large = victim(640)
    outcome = pilot.carry_out(large.order(source=0, nid=1))
    for _ in range(MOST_ORDERS):
        if outcome.full:
            break
        outcome += pilot.carry_out(large.order(source=0, nid=1))
    found = places(large)
    large.end()
    return {"pages": len(large.block), "outcome": asdict(outcome), "places": found}


def against_its_cpuset(pilot: Pilot) -> dict[str, object]:
    """Moves a process that may not have memory of nid 1."""
    make_cgroup(NARROW, mems="0")
    one = victim(VICTIM_MIB, NARROW)
    outcome = pilot.carry_out(one.order(source=0, nid=1))
    found = places(one)
    one.end()
    return {"outcome": asdict(outcome), "places": found}


def gone_at_once(pilot: Pilot) -> dict[str, object]:
    """Gives orders for processes that end while the mover looks for them; their pages are shared with this one."""
    block = array("B", b"\1" * (64 * PAGE_BYTES))
    start = -(-block.buffer_info()[0] // PAGE_BYTES) * PAGE_BYTES
    mine = range(start, start + 63 * PAGE_BYTES, PAGE_BYTES)
    done, before = Outcome(), query(0, array("Q", mine))
    for _ in range(SHORT_LIVED):
        pid = os.fork()
        if not pid:
            os._exit(0)
        started = Procfs().started(pid)
        order = Move(pid=pid, started=started, promotes=False, sources=(0,), nid=1, runs=(mine,), limit_pages=len(mine))
        done += pilot.carry_out(order)
        os.waitpid(pid, 0)
    return {"outcome": asdict(done), "stayed": query(0, array("Q", mine)) == before}


def mover(pilot: Pilot) -> int:
    """Returns the pid of the process that moves: the only child of this one, while it has no victim."""
    assert pilot.runs
    [pid] = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return int(pid)


def run() -> dict[str, object]:
    """Returns everything that came of it."""
    random.seed(SEED)
    pilot = Pilot()
    one = victim(VICTIM_MIB)
    pilot.carry_out(one.order(source=0, nid=1))
    one.end()
    before = mover(pilot), footprint(os.getpid()), footprint(mover(pilot))
    told = {
        "killed": killed_while_it_is_moved(pilot),
        "full": more_than_fits(pilot),
        "narrow": against_its_cpuset(pilot),
        "gone": gone_at_once(pilot),
    }
    after = mover(pilot), footprint(os.getpid()), footprint(mover(pilot))
    pilot.close()
    return told | {"before": before, "after": after}


if __name__ == "__main__":
    json.dump(run(), sys.stdout)
