"""Writes initrds: cpio archives in the "newc" format, of which the kernel takes several in one file. *Pure.*

The format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_ALIGNMENT = 4
_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A regular file's contents."""

    data: bytes
    executable: bool = False


def archive(files: Mapping[str, File]) -> bytes:
    """An archive of files by their path, owned by root, with the directories they need.

    Args:
        files: paths are relative to the initrd's root.
    """
    names = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    entries = [_entry(name, stat.S_IFDIR | 0o755, b"") for name in sorted(names)]
    for path, file in sorted(files.items()):
        entries.append(_entry(path, stat.S_IFREG | (0o755 if file.executable else 0o644), file.data))
    return b"".join([*entries, _entry(_TRAILER, 0, b"")])


def _entry(name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    inode = uid = gid = mtime = device = 0
    links = 1
    numbers = (inode, mode, uid, gid, links, mtime, len(data), device, device, device, device, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
