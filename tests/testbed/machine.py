"""What a guest is made of, and QEMU's command line for it. *Pure.*"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from testbed.kernels import BootFiles
from testbed.newc import File
from testbed.topology import TWO_TIERS, Topology, qemu_arguments

SHELL_PORT = 2222
"""Where the guest's shell listens, in the guest."""
READY_LINE = "testbed: ready"
"""What the guest writes to its console once the shell answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A guest before it boots. Its disks are never written to: changes go to a file that QEMU forgets."""

    boot: BootFiles
    root_disk: Path
    topology: Topology = TWO_TIERS
    node_disk: Path | None = None
    """Container images and the kubelet: with it the guest is a Kubernetes node."""
    kubelet_port: int | None = None
    seed: Mapping[str, File] = field(default_factory=dict)
    """Files for the guest's disk, by absolute path."""
    append: str = ""
    """More of the kernel's command line."""


def qemu(machine: Machine, *, initrd: Path, console: Path, shell_port: int) -> list[str]:
    """QEMU's command line, to run in the guest's own directory, where its monitor's socket comes to be.

    Args:
        machine: what to boot.
        initrd: made of the kernel's archives and the seed.
        console: the file that gets the guest's serial console.
        shell_port: on this machine's loopback, for the guest's shell.
    """
    forwards = [f"hostfwd=tcp:127.0.0.1:{shell_port}-:{SHELL_PORT}"]
    if machine.kubelet_port:
        forwards.append(f"hostfwd=tcp:127.0.0.1:{machine.kubelet_port}-:{machine.kubelet_port}")
    disks = [machine.root_disk, *([machine.node_disk] if machine.node_disk else [])]
    return [
        "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi"),
        *("-cpu", machine.boot.kernel.cpu),
        *qemu_arguments(machine.topology),
        *("-kernel", str(machine.boot.vmlinuz)),
        *("-initrd", str(initrd)),
        *("-append", _kernel_command_line(machine)),
        *(word for disk in disks for word in ("-drive", _drive(disk))),
        *("-netdev", f"user,id=network,{','.join(forwards)}"),
        *("-device", "virtio-net-pci,netdev=network"),
        *("-device", "virtio-rng-pci"),
        *("-serial", f"file:{console}"),
        *("-nodefaults", "-display", "none", "-no-reboot"),
        *("-monitor", "unix:monitor,server=on,wait=off"),
    ]


def _kernel_command_line(machine: Machine) -> str:
    """A panic ends QEMU: `panic=-1` reboots at once, and `-no-reboot` turns that into an end."""
    words = "console=ttyS0 quiet loglevel=4 mitigations=off panic=-1 systemd.show_status=0"
    return f"{words} {machine.append}".strip()


def _drive(disk: Path) -> str:
    return f"file={disk},format=raw,if=virtio,snapshot=on,cache=unsafe"
