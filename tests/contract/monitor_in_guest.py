"""Runs in a guest: watches a process that ends, and this one behind it; tells as JSON what is seen of each then."""

import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from contract.cases import MIB, holds, touching, without_damon_stat
from terrace_agent.damon.process_monitor import ProcessMonitor
from terrace_agent.hostfs import HostFs, MountedHostFs
from unit.agent.damon.builders import MemoryJournal


def watch(fs: HostFs) -> dict[str, bool]:
    """Returns what a pass tells, some time after the first process has ended."""
    block = bytearray(16 * MIB)
    middle = ctypes.addressof((ctypes.c_char * len(block)).from_buffer(block)) + len(block) // 2
    monitor = ProcessMonitor(fs, MemoryJournal())
    with subprocess.Popen(["sleep", "600"]) as child:
        monitor.watch((child.pid, os.getpid()), window_s=1)
        child.kill()
    try:
        time.sleep(2)
        found = [touching(block, monitor.touched) for _ in range(6)]
        return {
            "runs": monitor.runs(),
            "mine": holds(middle, found[-1][os.getpid()]),
            "of_the_one_that_ended": any(holds(middle, one[child.pid]) for one in found),
        }
    finally:
        monitor.stop()


if __name__ == "__main__":
    host = MountedHostFs(Path("/"))
    with without_damon_stat(host):
        json.dump(watch(host), sys.stdout)
