"""Where the kubelet of a node puts the cgroups of pods, and what the kernel says of their memory."""

from testbed.guest import Guest

SLICES = {
    "Guaranteed": "kubepods-pod{uid}.slice",
    "Burstable": "kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice",
    "BestEffort": "kubepods-besteffort.slice/kubepods-besteffort-pod{uid}.slice",
}


def in_its_cgroup(guest: Guest, name: str, uid: str) -> tuple[int, int]:
    """Returns what the kernel says of a pod's memory on the fast and on the slow nid, from its class's folder."""
    folder = SLICES[name].format(uid=uid.replace("-", "_"))
    rows = guest.read(f"/sys/fs/cgroup/kubepods.slice/{folder}/memory.numa_stat").splitlines()
    found = [dict(cell.split("=") for cell in row.split()[1:]) for row in rows if row.split()[0] in ("anon", "file")]
    return sum(int(row["N0"]) for row in found), sum(int(row["N1"]) for row in found)
