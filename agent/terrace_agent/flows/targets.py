"""Where a nid demotes to, while several nids could take it. Pure.

DAMON's physical operations take one target per scheme, and two schemes of one pattern would pick the same regions, so a
source has one demotion target at a time (Linux mm/damon/paddr.c does not look at `dests`, 7.2). The nearest that has
room is taken, among equals the one with the most free memory. It is kept until it is full, since free memory alone
would choose otherwise with every look, and left for a nearer one only when that has room for a while.
"""

from collections.abc import Mapping

from terrace_agent.topology.values import Nid

_ROOM_TO_RETURN = 50
"""A nearer target is returned to when a fiftieth of it is free beyond what demotion leaves free."""


def demotion_target(
    source: Nid, candidates: tuple[Nid, ...], *, now: int | None, least_free_bytes: Mapping[int, int]
) -> Nid:
    """Returns the target of `source`.

    Args:
        source: the nid to demote from.
        candidates: nids of the next slower tier, at least one.
        now: the target in force, if any.
        least_free_bytes: what demotion leaves free, by nid; a target that has no more is full.
    """
    best_first = sorted(candidates, key=lambda nid: (_distance(source, nid), -nid.free_bytes, nid.nid))
    with_room = [nid for nid in best_first if _room_bytes(nid, least_free_bytes) > 0]
    kept = next((nid for nid in candidates if nid.nid == now), None)
    if kept is None or kept not in with_room:
        return (with_room or [kept or best_first[0]])[0]
    nearer = (nid for nid in with_room if _distance(source, nid) < _distance(source, kept))
    return next(
        (nid for nid in nearer if _room_bytes(nid, least_free_bytes) > nid.total_bytes // _ROOM_TO_RETURN),
        kept,
    )


def _distance(source: Nid, target: Nid) -> int:
    return source.distances.get(target.nid, 255)


def _room_bytes(nid: Nid, least_free_bytes: Mapping[int, int]) -> int:
    return nid.free_bytes - least_free_bytes.get(nid.nid, 0)
