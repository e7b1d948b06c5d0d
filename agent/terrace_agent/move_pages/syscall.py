"""move_pages(2), which the standard library does not have. The only module that imports `ctypes`."""

import ctypes
import os
import platform
from array import array

MOVE = 2
"""MPOL_MF_MOVE: only pages that the process alone maps."""
UNTOLD = -1
"""The status of a page that the kernel said nothing of."""
_NUMBERS = {"x86_64": 279, "aarch64": 239}
"""Of the system call, from Linux arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h."""

_libc = ctypes.CDLL(None, use_errno=True)


def query(pid: int, addresses: "array[int]") -> "array[int]":
    """Returns of each page its nid, or the negative errno that says why it has none.

    Raises:
        OSError: ESRCH for a process that is gone, EPERM for one that may not be looked at.
    """
    return _call(pid, addresses, None)


def move(pid: int, addresses: "array[int]", nid: int) -> "array[int]":
    """Moves pages to `nid`; returns of each page the nid where it is now, or the negative errno that kept it.

    Raises:
        OSError: see `query`; EACCES where the cpuset of the process excludes `nid`, ENODEV where there is no such nid.
    """
    return _call(pid, addresses, array("i", [nid]) * len(addresses))


def _call(pid: int, addresses: "array[int]", nids: "array[int] | None") -> "array[int]":
    if platform.machine() not in _NUMBERS:
        raise OSError(38, "the number of move_pages(2) is not known here")
    # The kernel leaves the status of pages alone that it did not get to: -1 is none of its answers.
    statuses = array("i", [UNTOLD]) * len(addresses)
    if not addresses:
        return statuses
    returned = _libc.syscall(
        ctypes.c_long(_NUMBERS[platform.machine()]),
        ctypes.c_int(pid),
        ctypes.c_ulong(len(addresses)),
        ctypes.c_void_p(addresses.buffer_info()[0]),
        ctypes.c_void_p(nids.buffer_info()[0] if nids else None),
        ctypes.c_void_p(statuses.buffer_info()[0]),
        ctypes.c_int(MOVE if nids else 0),
    )
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return statuses
