"""The one door to the host's files in sysfs, proc and cgroupfs; the state directory is no part of it.

Paths are the host's own (`/sys/kernel/mm/damon/...`); where they are mounted (`/host` in the DaemonSet, `/` by
hand) is known here only. Tests put a simulated kernel behind the same protocol.

Only the folders of `MOUNTED` are below the mount point. Everything else is read in the container's own `/proc` and
`/sys`, which show the same for what the agent reads there: `zoneinfo`, `vmstat`, `sys/kernel`, memory blocks
(`/sys/devices/system/memory`) and buses (`/sys/bus`) belong to no namespace. The links `nodeN/memoryM` lead out of what
is mounted, so blocks are read where they really are. Files of pids are below the mount point or nowhere: a container's
own `/proc` numbers other threads.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from terrace_agent.errors import HostFileMissing, HostFileUnreadable, StoreRefused

MOUNTED = (
    "/sys/kernel/mm",
    "/sys/module",
    "/sys/devices/system/node",
    "/sys/devices/virtual",
    "/sys/fs/cgroup",
)
"""What the DaemonSet mounts below `/host`: parents that every kernel has, never an exact file."""


_OF_A_PID = re.compile(r"/proc/[0-9]+/")
"""Files of the host's threads: below the mount point if the host's `/proc` is there, never the container's own pids."""


_PIECE_BYTES = 1 << 16


_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENODEV}
"""A cgroup that is removed between open and read answers ENODEV (fs/kernfs/file.c, kernfs_get_active())."""


class HostFs(Protocol):
    """What the agent may do with host files."""

    def read(self, path: str) -> str:
        """Returns the file's text without the newline at its end.

        Bytes that are no UTF-8 are kept as Python keeps them in names of files (`os.fsdecode`): a cgroup may be called
        anything, and its path has to be stored as it was found.

        Raises:
            HostFileMissing: there is no such file.
            HostFileUnreadable: the kernel failed the read (EBUSY, EPERM, ...).
        """

    def store(self, path: str, value: str) -> None:
        """Stores `value` with one write(2).

        Raises:
            HostFileMissing: there is no such file.
            StoreRefused: the kernel refused.
        """

    def names(self, path: str) -> tuple[str, ...]:
        """Returns the sorted names in a directory; empty if there is no such directory.

        Raises:
            HostFileUnreadable: the directory cannot be listed.
        """

    def folders(self, path: str) -> tuple[str, ...]:
        """Returns the sorted names of the directories in a directory; otherwise as `names`."""

    def exists(self, path: str) -> bool:
        """Returns whether the file or directory exists."""

    def locate(self, path: str) -> Path:
        """Returns where the file is, for who needs more of it than its text: words somewhere in it."""


class MountedHostFs:
    """The host's files, those of `mounted` below a mount point."""

    def __init__(self, root: Path, *, mounted: tuple[str, ...] = MOUNTED) -> None:
        self._root = str(root).rstrip("/")
        self._mounted = mounted
        self._folders = tuple(f"{folder}/" for folder in mounted)

    def read(self, path: str) -> str:
        """See `HostFs.read`."""
        try:
            return os.fsdecode(_content(self._path(path))).rstrip("\n")
        except OSError as error:
            raise _read_error(path, error) from error

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`."""
        try:
            descriptor = os.open(self._path(path), os.O_WRONLY)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise HostFileMissing(path=path, errno=errno.ENOENT) from error
            raise StoreRefused(path=path, value=value, errno=error.errno or errno.EIO) from error
        try:
            os.write(descriptor, os.fsencode(value))
        except OSError as error:
            raise StoreRefused(path=path, value=value, errno=error.errno or errno.EIO) from error
        finally:
            os.close(descriptor)

    def names(self, path: str) -> tuple[str, ...]:
        """See `HostFs.names`."""
        return self._listed(path, lambda _: True)

    def folders(self, path: str) -> tuple[str, ...]:
        """See `HostFs.folders`: without a look at each entry, of which a cgroup has some sixty."""
        return self._listed(path, lambda entry: entry.is_dir(follow_symlinks=False))

    def exists(self, path: str) -> bool:
        """See `HostFs.exists`."""
        return os.path.exists(self._path(path))  # noqa: PTH110 (see `_path`)

    def locate(self, path: str) -> Path:
        """See `HostFs.locate`."""
        return Path(self._path(path))

    def _listed(self, path: str, wanted: Callable[[os.DirEntry[str]], bool]) -> tuple[str, ...]:
        try:
            with os.scandir(self._path(path)) as entries:
                return tuple(sorted(entry.name for entry in entries if wanted(entry)))
        except OSError as error:
            problem = _read_error(path, error)
            if isinstance(problem, HostFileMissing):
                return ()
            raise problem from error

    def _path(self, path: str) -> str:
        """Returns where the file is; text, since a turn reads hundreds and `Path` would be half of their cost."""
        below = path in self._mounted or path.startswith(self._folders)
        return self._root + path if below or _OF_A_PID.match(path) else path


def read_optional(fs: HostFs, path: str) -> str | None:
    """Returns the file's text, None if there is no such file; otherwise as `HostFs.read`."""
    try:
        return fs.read(path)
    except HostFileMissing:
        return None


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = [os.read(descriptor, _PIECE_BYTES)]
        while pieces[-1]:
            pieces.append(os.read(descriptor, _PIECE_BYTES))
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def _read_error(path: str, error: OSError) -> HostFileMissing | HostFileUnreadable:
    number = error.errno or errno.EIO
    kind = HostFileMissing if number in _MISSING else HostFileUnreadable
    return kind(path=path, errno=number)
