"""The guest that a program runs in, with what cases ask of it beside its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.victims import CGROUPS, MIB, make_cgroup, victim
from terrace_agent.damon.tree import Region
from terrace_agent.hostfs import MountedHostFs
from terrace_agent.topology.discover import discover
from terrace_agent.topology.read import read_facts


class GuestMachine(MountedHostFs):
    """See `cases.Machine`."""

    def __init__(self) -> None:
        super().__init__(Path("/"))

    def ranges(self, nid: int) -> tuple[Region, ...]:
        """See `Machine.ranges`."""
        found = discover(read_facts(self), None).nid(nid)
        return tuple(Region(start=one.start, end=one.end) for one in found.ranges)

    def total_bytes(self, nid: int) -> int:
        """See `Machine.total_bytes`."""
        return discover(read_facts(self), None).nid(nid).total_bytes

    @contextmanager
    def charged(self, path: str, size: int) -> Iterator[None]:
        """See `Machine.charged`."""
        make_cgroup(path.lstrip("/"))
        process = victim(size // MIB, path.lstrip("/"))
        try:
            yield
        finally:
            process.end()

    def charged_bytes(self, path: str, nid: int) -> int:
        """See `Machine.charged_bytes`."""
        lines = (CGROUPS / path.lstrip("/") / "memory.numa_stat").read_text().splitlines()
        anon = next(line.split() for line in lines if line.startswith("anon "))
        return next(int(word.partition("=")[2]) for word in anon if word.startswith(f"N{nid}="))
