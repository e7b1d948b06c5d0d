"""How much a fast nid should be asked to demote now, and who is asked. Pure.

Before: `desired`, the cgroups' memory. After: `plan` makes orders to reclaim of it.

Where the nid itself takes orders (`nodeN/reclaim`, Linux 6.17) it is asked. Else leaf cgroups are, by `memory.reclaim`
(5.19), which reclaims on all nids: on a slow nid there is nothing to demote to, so page cache there would be
dropped, and with swap anonymous memory would be written out. Therefore only cgroups with hardly any page cache are
asked, and none on a node with swap.

Nothing is asked for while the nid has its free target.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from terrace_agent.flows.directions import Flow, lack_bytes, target_room_bytes

_PAGE_BYTES = 4_096
_LARGEST_BYTES = 32 << 20
"""An order is worked off before the store returns, so a large one would hold up the agent."""
_ANONYMOUS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupMemory:
    """What one leaf cgroup has.

    Attributes:
        path: from the root of the hierarchy.
        anon_bytes: by nid.
        file_bytes: on all nids.
    """

    path: str
    anon_bytes: Mapping[int, int]
    file_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much one fast nid should demote now."""

    nid: int
    bytes: int


def wanted(flows: Iterable[Flow]) -> tuple[Wanted, ...]:
    """Returns what the nids lack of their free target, as far as a second's quota and the target's room go."""
    demoting = tuple(flow for flow in flows if not flow.pair.promotes)
    into = Counter(flow.pair.target.nid for flow in demoting)
    found = (_lack(flow, into[flow.pair.target.nid]) for flow in demoting)
    return tuple(Wanted(nid=nid, bytes=size) for nid, size in found if size)


def shares(lack: Wanted, cgroups: Iterable[CgroupMemory]) -> Iterator[tuple[CgroupMemory, int]]:
    """Yields which cgroups are asked for how much, those with the most to give first."""
    left = lack.bytes
    able = [cgroup for cgroup in cgroups if _is_anonymous(cgroup, lack.nid)]
    for cgroup in sorted(able, key=lambda one: (-one.anon_bytes[lack.nid], one.path)):
        size = min(left, cgroup.anon_bytes[lack.nid] // 2 // _PAGE_BYTES * _PAGE_BYTES)
        if size:
            yield cgroup, size
            left -= size


def leaves(paths: Iterable[str]) -> tuple[str, ...]:
    """Returns the cgroups with none below them: the counters of the others include those of the ones below."""
    ordered = sorted(paths, key=_below)
    return tuple(path for path, after in pairwise([*ordered, ""]) if not after.startswith(_below(path)))


def _below(path: str) -> str:
    return path.rstrip("/") + "/"


def _lack(flow: Flow, sharers: int) -> tuple[int, int]:
    room = min(lack_bytes(flow), target_room_bytes(flow) // sharers)
    size = max(0, min(room, flow.window.bytes_per_second, _LARGEST_BYTES))
    return flow.pair.source.nid, size // _PAGE_BYTES * _PAGE_BYTES


def _is_anonymous(cgroup: CgroupMemory, nid: int) -> bool:
    return cgroup.file_bytes * _ANONYMOUS <= cgroup.anon_bytes.get(nid, 0)
