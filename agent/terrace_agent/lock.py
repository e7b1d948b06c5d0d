"""One agent per machine: a lock on the state directory that the kernel drops with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terrace_agent.errors import AnotherAgentRuns


def lock(state_dir: Path) -> int:
    """Takes the lock until this process ends; makes the directory if it is missing. Returns the open file.

    Raises:
        AnotherAgentRuns: it is taken.
        OSError: the directory cannot be used.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    # Kubelet makes a hostPath that is missing for everyone to read, and umask has its say as well.
    state_dir.chmod(0o700)
    path = state_dir / "agent.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise AnotherAgentRuns(path=str(path), pid=holder) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


@contextmanager
def held_if_free(state_dir: Path) -> Iterator[bool]:
    """Holds the lock inside the block, if no agent does; yields whether.

    Raises:
        OSError: the directory cannot be used.
    """
    try:
        descriptor = lock(state_dir)
    except AnotherAgentRuns:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)
