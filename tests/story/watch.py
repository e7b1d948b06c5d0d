"""Looks at a node several times a second, so that not even a short stop of its tiering is missed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testbed.guest import Guest

_LOG = "/run/watch.log"
_PROGRAM = r"""
import json, os, time

SETTINGS = {
    "demotion_enabled": "/sys/kernel/mm/numa/demotion_enabled",
    "damon_stat": "/sys/module/damon_stat/parameters/enabled",
    "nr_kdamonds": "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds",
}

def kdamonds():
    # A kdamond that is started again is another thread: its pid tells even what a look came too late for.
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read().startswith("kdamond."):
                yield int(pid)
        except OSError:
            pass

before = None
with open("/run/watch.log", "w", buffering=1) as log:
    while True:
        seen = {name: open(path).read().strip() for name, path in SETTINGS.items()}
        seen["kdamonds"] = sorted(kdamonds())
        if seen != before:
            before = seen
            log.write(json.dumps(seen) + "\n")
        time.sleep(0.25)
"""
_START = """
setsid python3 /run/watch.py < /dev/null &> /run/watch.err &
echo $!
until [ -s /run/watch.log ]; do sleep 0.2; done
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """A watcher that runs in a guest."""

    guest: Guest

    def seen(self) -> list[dict[str, object]]:
        """Returns every state of the node's tiering that was seen, each time that it changed."""
        return [json.loads(line) for line in self.guest.read(_LOG).splitlines()]


@contextmanager
def watching(guest: Guest) -> Iterator[Watch]:
    """Watches inside the block."""
    guest.write("/run/watch.py", _PROGRAM)
    pid = guest.run(_START).stdout.strip()
    try:
        yield Watch(guest)
    finally:
        guest.run(f"kill {pid}", check=False)
