"""Runs commands and keeps servers: no child outlives who started it, unless that was asked for.

Every server carries `MARKER` in its environment, whose value names the directory it belongs to: `leftovers` finds
by it what outlived its starter.
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
        process = _start(dying_with_parent(words), cwd, env or {}, output)
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
            directory: where it runs, and what `leftovers` will find it by.
            log: gets both streams, appended.
            outlive: whether it goes on when this process ends. Otherwise it is killed when the thread
                that started it ends: start servers from the main thread.
        """
        words = [str(word) for word in argv]
        with log.open("ab") as output:
            command = words if outlive else dying_with_parent(words)
            process = _start(command, directory, {MARKER: str(directory.resolve())}, output)
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


def dying_with_parent(argv: Sequence[str]) -> list[str]:
    """The command, to be killed by the kernel when the thread that starts it ends."""
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def in_own_namespaces(argv: Iterable[str]) -> list[str]:
    """The command, whose mounts nobody else sees, and which takes all its mounts and processes along when it ends."""
    return ["unshare", *_NAMESPACES, "--", *argv]


def _start(words: list[str], cwd: Path | None, env: Mapping[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts a process group of its own that reads nothing and writes both streams to one file."""
    return subprocess.Popen(
        words,
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


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
