"""Runs in a guest: trees as Terrace compiles them, with one number that is another; told as JSON.

What `validate` lets pass is staged and switched on, and committed to a kdamond that runs with the tree as it was: the
kernel must take it, and go on. What `validate` does not let pass is never stored.

Usage: numbers_in_guest.py TREES
"""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from contract.features import features_of
from terrace_agent.damon.desired import desired
from terrace_agent.damon.stores import kdamond_stores, state_path
from terrace_agent.damon.tree import Kdamond
from terrace_agent.damon.validate import check
from terrace_agent.errors import SettingsRejected, StoreRefused
from terrace_agent.hostfs import HostFs, MountedHostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts
from unit.agent.damon.builders import settings
from unit.agent.damon.numbers import NUMBERS, changed, has

SEED = 11
SAMPLES_S = 0.05
NR_KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds"
STAT = "/sys/module/damon_stat/parameters/enabled"


def number(rng: random.Random) -> int:
    """Returns a number near the limits that there are, or anywhere."""
    return rng.choice(
        (rng.randint(-2, 12), rng.randint(-(2**33), 2**65), 2 ** rng.randint(0, 65), rng.randint(0, 10**6))
    )


def fate(fs: HostFs, good: Kdamond, tree: Kdamond, nids: frozenset[int]) -> str:
    """Returns what became of a tree: `rejected` before the first store, `on`, or what the kernel said."""
    try:
        check([tree], nids)
    except SettingsRejected:
        return "rejected"
    started = staged(fs, [(tree, "on")])
    return started if started != "on" else staged(fs, [(good, "on"), (tree, "commit")])


def staged(fs: HostFs, steps: Iterable[tuple[Kdamond, str]]) -> str:
    """Returns the state after trees were stored, each with a command, or what the kernel said."""
    fs.store(NR_KDAMONDS, "1")
    try:
        for tree, command in steps:
            for store in kdamond_stores(tree, 0):
                fs.store(store.path, store.value)
            fs.store(state_path(0), command)
        # Before 6.14 an invalid commit succeeds, and ends the kdamond a sample later (kernel fact 9).
        time.sleep(SAMPLES_S)
        return fs.read(state_path(0))
    except StoreRefused as error:
        return str(error)
    finally:
        if fs.read(state_path(0)) == "on":
            fs.store(state_path(0), "off")
        fs.store(NR_KDAMONDS, "0")


def run(fs: HostFs, trees: int) -> dict[str, object]:
    """Returns how many trees met which fate, and which numbers the kernel did not take."""
    if fs.exists(STAT):
        fs.store(STAT, "N")
    topology = discover(read_facts(fs), None)
    good = desired(settings(), topology, features_of(fs)).kdamonds[0].tree
    nids = frozenset(nid.nid for nid in topology.nids)
    paths, rng, fates = [path for path in NUMBERS if has(good, path)], random.Random(SEED), Counter[str]()
    surprises = []
    for _ in range(trees):
        path, value = rng.choice(paths), number(rng)
        met = fate(fs, good, changed(good, path, value), nids)
        fates[met] += 1
        if met not in ("rejected", "on"):
            surprises.append(f"{path} = {value}: {met}")
    return {"fates": fates, "surprises": surprises}


if __name__ == "__main__":
    json.dump(run(MountedHostFs(Path("/")), int(sys.argv[1])), sys.stdout)
