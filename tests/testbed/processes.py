"""Runs commands and keeps servers: no child outlives who started it, unless that was asked for.

Every server carries `MARKER` in its environment, whose value names the directory it belongs to. `stop_all`
finds the processes of a directory by it, so there are no pid files that could name somebody else's process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from testbed import waiting
from testbed.errors import CommandError, WaitError, tail

MARKER = "TERRACE_TESTBED_DIR"
STOP_LIMIT_S = 20.0
_NAMESPACES = ("--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc")


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    limit_s: float = 900,
) -> str:
    """Runs a command to its end and returns what it printed on both streams.

    Args:
        argv: the command. It dies with this process, and its process group dies on any error here.
        cwd: where it runs.
        env: added to this process's environment.
        log: a file that keeps the output.
        limit_s: how long it may take.

    Raises:
        CommandError: it did not end with 0.
        WaitError: it took too long.
    """
    words = [str(word) for word in argv]
    with _output(log) as output:
        process = subprocess.Popen(
            dying_with_parent(words),
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _killed_on_error(process):
            try:
                returncode = process.wait(limit_s)
            except subprocess.TimeoutExpired as expired:
                raise WaitError(" ".join(words)[:200], limit_s) from expired
        output.seek(0)
        text = output.read().decode(errors="replace")
    if returncode != 0:
        raise CommandError(words, returncode, text)
    return text


class Daemon:
    """A server that runs until it is stopped."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @classmethod
    def start(
        cls, name: str, argv: Sequence[str | Path], *, directory: Path, log: Path, outlive: bool = False
    ) -> Daemon:
        """Starts it.

        Args:
            name: for messages.
            argv: the command.
            directory: where it runs, and what `stop_all` will find it by.
            log: gets both streams, appended.
            outlive: whether it goes on when this process ends. Otherwise it is killed when the thread
                that started it ends: start servers from the main thread.
        """
        words = [str(word) for word in argv]
        with log.open("ab") as output:
            process = subprocess.Popen(
                words if outlive else dying_with_parent(words),
                cwd=directory,
                env={**os.environ, MARKER: str(directory.resolve())},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Its process id, which is its process group too."""
        return self._process.pid

    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def expect_running(self) -> None:
        """Raises the end of its log as an error if it has ended."""
        if not self.running():
            raise CommandError([self.name], self._process.returncode, tail(self.log))

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Asks it to end, and kills it when it does not within the limit."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends it and its group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def stop_all(directory: Path, limit_s: float = STOP_LIMIT_S) -> int:
    """Ends every server that was started for this directory or one below it, and returns how many there were."""
    found = tuple(_processes_of(directory))
    for pid in found:
        _signal(pid, directory, signal.SIGTERM)
    try:
        waiting.until(lambda: not any_running(directory), "processes to end", limit_s=limit_s)
    except WaitError:
        for pid in _processes_of(directory):
            _signal(pid, directory, signal.SIGKILL)
    return len(found)


def any_running(directory: Path) -> bool:
    """Whether a server that was started for this directory, or one below it, still runs."""
    return any(_processes_of(directory))


def dying_with_parent(argv: Sequence[str]) -> list[str]:
    """The command, to be killed by the kernel when the thread that starts it ends."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def in_own_namespaces(argv: Iterable[str]) -> list[str]:
    """The command, whose mounts nobody else sees, and which takes all its mounts and processes along when it ends."""
    return ["unshare", *_NAMESPACES, "--", *argv]


def _processes_of(directory: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _belongs(int(entry.name), directory):
            yield int(entry.name)


def _belongs(pid: int, directory: Path) -> bool:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    own = f"{MARKER}={directory.resolve()}".encode()
    return any(variable == own or variable.startswith(own + b"/") for variable in variables)


def _signal(pid: int, directory: Path, signum: signal.Signals) -> None:
    """Signals through a pidfd, so that a pid that was reused in between is never hit."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if _belongs(pid, directory):
            signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


@contextmanager
def _output(log: Path | None) -> Iterator[IO[bytes]]:
    with log.open("w+b") if log else tempfile.TemporaryFile() as file:
        yield file


@contextmanager
def _killed_on_error(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
