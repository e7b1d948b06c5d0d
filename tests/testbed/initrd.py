"""A guest's first file system, in memory: the parts that `build_kernel` made, and files of the guest's own.

After it comes `initrd-init.sh`, which runs in it.
"""

from __future__ import annotations

from testbed import newc
from testbed.machine import Machine

IS_NODE = "seed/is-node"
"""A file that says that there is a second disk, and that this is to become a Kubernetes node."""


def initrd(machine: Machine) -> bytes:
    """The machine's initrd: its first part mounts the root disk, and what is below `seed/` goes to that disk."""
    files = {f"seed/{path.lstrip('/')}": file for path, file in machine.seed.items()}
    parts = [machine.boot.boot_archive.read_bytes(), machine.boot.modules_archive.read_bytes()]
    if machine.node_disk:
        files[IS_NODE] = newc.File(data=b"")
    if files:
        parts.append(newc.archive(files))
    return b"".join(parts)
