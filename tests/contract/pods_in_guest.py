"""Pods in a guest, as kubelet and the API server would have them, that come and go at a steady pace."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from contract.victims import CGROUPS, make_cgroup
from terrace_agent.workloads.roster import Roster

AT_ONCE = 6
EVERY_S = 1.5
_PARENT = "kubepods.slice"


class Pods:
    """One comes and, once there are enough, the oldest goes; every second one is left alone by its label."""

    def __init__(self, roster: Roster) -> None:
        self.gone = 0
        self._roster = roster
        self._living: list[tuple[dict[str, Any], Path, subprocess.Popen[bytes]]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Lets enough of them come, and goes on in a thread."""
        for number in range(AT_ONCE):
            self._come(number)
        self._thread.start()

    def stop(self) -> None:
        """Lets all of them go."""
        self._over.set()
        self._thread.join()
        while self._living:
            self._go()

    def _run(self) -> None:
        number = AT_ONCE
        due_s = time.monotonic() + EVERY_S
        while not self._over.wait(max(0.0, due_s - time.monotonic())):
            self._come(number)
            self._go()
            number, due_s = number + 1, due_s + EVERY_S

    def _come(self, number: int) -> None:
        uid = f"0b6f6f0e-8a4e-4d0e-9c57-{number:012x}"
        labels = {"terrace.dev/tiering": "disabled"} if number % 2 else {}
        metadata = {"uid": uid, "name": f"web-{number}", "namespace": "shop", "labels": labels}
        manifest = {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "qosClass": "Burstable"}}
        self._roster.put(manifest)
        folder = CGROUPS / _PARENT / f"kubepods-pod{uid.replace('-', '_')}.slice"
        make_cgroup(f"{_PARENT}/{folder.name}")
        script = f"echo $$ > {folder}/cgroup.procs; exec sleep 1000"
        self._living.append((manifest, folder, subprocess.Popen(["sh", "-c", script])))

    def _go(self) -> None:
        manifest, folder, process = self._living.pop(0)
        process.kill()
        process.wait()
        folder.rmdir()
        self._roster.remove(manifest)
        self.gone += 1
