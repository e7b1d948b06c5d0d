"""Topology as frozen values. Pure."""

from dataclasses import dataclass

from terrace_api.node_tiering import MemoryKind


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PhysicalRange:
    """Physical addresses `[start, end)` in bytes."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes covered."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Nid:
    """One NUMA node with memory.

    Attributes:
        kind: of its memory.
        kind_why: what told the kind.
        cpus: numbers of its CPUs; empty for memory-only nodes.
        distances: by nid, the kernel's `distance` row.
        ranges: its online memory blocks, ascending, coalesced.
        floor_bytes: free memory that promotion must leave, without the quota window (kernel fact 21): the high
            watermarks, and what movable allocations may not have.
        low_bytes: the same of the low watermarks, below which allocations wake kswapd.
        droppable_bytes: page cache that reclaim drops without further ado.
        memory_tier: N of `memory_tierN`.
        relieved_floor_bytes: the floor where page cache counts as room, see `flows.relief`; None where it does not.
    """

    nid: int
    kind: MemoryKind
    kind_why: str
    total_bytes: int
    free_bytes: int
    cpus: tuple[int, ...]
    distances: dict[int, int]
    ranges: tuple[PhysicalRange, ...]
    floor_bytes: int
    low_bytes: int = 0
    droppable_bytes: int = 0
    memory_tier: int | None = None
    relieved_floor_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierOfNids:
    """One tier; `why` says how it was found."""

    name: str
    nids: tuple[int, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A node's memory as tiers, fastest first.

    Attributes:
        tiers: one tier only on a node with a single kind of memory.
        swaps: whether reclaim can write anonymous memory out.
        against_kernel: in words, where the policy's order of tiers contradicts the kernel's; empty if nowhere.
    """

    nids: tuple[Nid, ...]
    tiers: tuple[TierOfNids, ...]
    swaps: bool = False
    against_kernel: str = ""

    def nid(self, nid: int) -> Nid:
        """Returns the NUMA node `nid`.

        Raises:
            KeyError: it is not online or has no memory.
        """
        for node in self.nids:
            if node.nid == nid:
                return node
        raise KeyError(nid)
