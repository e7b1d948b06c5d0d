"""A machine of our own: boots a kernel on a topology in QEMU, and runs scripts in it.

Before it come `kernels`, `build_node` and `machine`; `node` makes a Kubernetes node of it.
"""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from shlex import quote

from testbed import ports, progress, shell, waiting
from testbed.errors import BedError, CommandError, GuestError, WaitError, tail
from testbed.initrd import initrd
from testbed.machine import READY_LINE, Machine, qemu
from testbed.processes import Daemon
from testbed.shell import Result

BOOT_LIMIT_S = 480.0
RUN_LIMIT_S = 60.0
BOOT_ATTEMPTS = 3
"""About 1 boot in 30 ends in a panic of multi-threaded TCG, in the first seconds."""

_EVIDENCE = {
    "dmesg": "dmesg",
    "journal": "journalctl --no-pager --boot",
    "meminfo": "head -100 /proc/meminfo /sys/devices/system/node/node*/meminfo",
    "vmstat": "cat /proc/vmstat",
    "pods": "tail --lines=2000 /var/log/pods/*/*/*.log 2>/dev/null",
    "damon": "cd /sys/kernel/mm/damon 2>/dev/null && grep -r . . 2>/dev/null",
}


class Guest:
    """A running guest."""

    def __init__(self, name: str, machine: Machine, directory: Path, *, outlive: bool = False) -> None:
        """Prepares the guest without booting it.

        Args:
            name: for messages.
            machine: what to boot.
            directory: for the console's log; must be the guest's own.
            outlive: whether it goes on when this process ends.
        """
        self.name = name
        self.machine = machine
        self.directory = directory
        self.shell_port = 0
        self.stopped = False
        """Whether it was ended on purpose."""
        self._outlive = outlive
        self._qemu: Daemon | None = None

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def console_log(self) -> Path:
        """What the guest wrote to its serial console."""
        return self.directory / "console.log"

    def boot(self, limit_s: float = BOOT_LIMIT_S) -> None:
        """Boots, and returns when the shell answers. Boots again if the guest ends meanwhile.

        Raises:
            GuestError: it ended every time.
            WaitError: it was not ready within the limit.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        usually = "10 s without Kubernetes, 20 s with it"
        with progress.step(f"booting {self.name} with linux {self.machine.boot.release}", usually=usually):
            for attempt in range(1, BOOT_ATTEMPTS + 1):
                try:
                    self._boot_once(limit_s)
                except GuestError as error:
                    if attempt == BOOT_ATTEMPTS:
                        raise
                    progress.say(f"once more: {error}")
                else:
                    return

    def running(self) -> bool:
        """Whether QEMU runs."""
        return self._qemu is not None and self._qemu.running()

    @property
    def lost(self) -> bool:
        """Whether QEMU ended and nobody ended it, which is what a kernel's panic comes to."""
        return self._qemu is not None and not self._qemu.running()

    def expect_running(self) -> None:
        """Raises `GuestError` with the console if QEMU has ended."""
        if not self.running():
            raise GuestError(self.name, f"ended ({tail(self.directory / 'qemu.log')})", self.console_log)

    def run(self, script: str, *, limit_s: float = RUN_LIMIT_S, stdin: bytes = b"", check: bool = True) -> Result:
        """Runs a bash script as root.

        Args:
            script: it ends with its last command's code, as bash does; `set -e` is up to it.
            limit_s: how long it may take.
            stdin: its standard input.
            check: whether a code other than 0 is an error.

        Raises:
            CommandError: the script failed and `check` is set.
            GuestError: the guest ended, or does not answer.
            WaitError: the script took too long.
        """
        try:
            result = shell.run(self.shell_port, script, stdin=stdin, limit_s=limit_s)
        except OSError as error:
            problem = f"does not answer ({error})" if self.running() else "has ended"
            raise GuestError(self.name, problem, self.console_log) from error
        if result.returncode == shell.TIMED_OUT:
            raise WaitError(f"{self.name}: {script[:300]}", limit_s, result.stdout + result.stderr)
        if check and result.returncode != 0:
            raise CommandError([self.name, script], result.returncode, result.stdout + result.stderr)
        return result

    def read(self, path: str | PurePosixPath) -> str:
        """A file's contents, as they are."""
        return self.run(f"cat {quote(str(path))}").stdout

    def write(self, path: str | PurePosixPath, data: bytes | str) -> None:
        """Stores into a file by one write, as sysfs wants it. Its directory must exist."""
        raw = data.encode() if isinstance(data, str) else data
        size = max(len(raw), 1)
        self.run(f"dd of={quote(str(path))} bs={size} iflag=fullblock status=none", stdin=raw)

    def copy_in(self, local: Path, path: str | PurePosixPath) -> None:
        """Copies a file, or a directory's contents, to a path in the guest."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(local, arcname=str(path).lstrip("/"), filter=_without_caches)
        self.run("tar --extract --no-same-owner --file=- --directory=/", stdin=buffer.getvalue(), limit_s=120)

    def copy_out(self, path: str | PurePosixPath, local: Path) -> None:
        """Copies a file or a directory of the guest below a local directory, under its own name."""
        where = PurePosixPath(path)
        script = f"tar --create --file=- --directory={quote(str(where.parent))} {quote(where.name)}"
        local.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(self.run(script, limit_s=120).raw_stdout)) as archive:
            archive.extractall(local, filter="data")

    def save_evidence(self, directory: Path) -> None:
        """Keeps the console, and what the guest still tells of itself, in a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        if self.console_log.exists():
            (directory / "console.log").write_bytes(self.console_log.read_bytes())
        for name, script in _EVIDENCE.items():
            try:
                result = self.run(script, limit_s=30, check=False)
            except BedError as error:
                (directory / f"{name}.txt").write_text(str(error))
                return
            (directory / f"{name}.txt").write_text(result.stdout + result.stderr)

    def kubelet_log(self) -> str:
        """The end of the kubelet's log, or of the console if the guest does not answer."""
        try:
            return self.run("journalctl --unit kubelet --no-pager --lines 25", check=False).stdout
        except BedError:
            return tail(self.console_log)

    def stop(self) -> None:
        """Ends the guest for good. Nothing of it is kept, so it is not shut down first."""
        self.stopped = True
        self.kill()

    def kill(self) -> None:
        """Ends the guest as a loss of power does; `boot` boots it again, with its disks as at first."""
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu = None
        with suppress(FileNotFoundError):
            self._initrd.unlink()

    @property
    def _initrd(self) -> Path:
        return self.directory / "initrd"

    def _boot_once(self, limit_s: float) -> None:
        (self.shell_port,) = ports.free(1)
        self._initrd.write_bytes(initrd(self.machine))
        self.console_log.write_bytes(b"")
        argv = qemu(self.machine, initrd=self._initrd, console=self.console_log, shell_port=self.shell_port)
        self._qemu = Daemon.start(
            self.name, argv, directory=self.directory, log=self.directory / "qemu.log", outlive=self._outlive
        )
        try:
            waiting.until(self._ready, f"{self.name} to boot", limit_s=limit_s, detail=lambda: tail(self.console_log))
        except BaseException:
            self.kill()
            raise

    def _ready(self) -> bool:
        self.expect_running()
        return READY_LINE in self.console_log.read_text(errors="replace")


def _without_caches(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in member.name.split("/") else member
