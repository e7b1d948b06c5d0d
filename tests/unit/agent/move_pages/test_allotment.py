"""Directions that share a nid: its room and its quota are there once, and what one leaves is there for others."""

from collections.abc import Mapping

import pytest

from terrace_agent.flows.directions import flows
from terrace_agent.flows.limits import share_bytes
from terrace_agent.move_pages.choose import Part, Tracked
from terrace_agent.move_pages.desired import moves
from terrace_agent.move_pages.heat import LOOKS, TOUCHED, Look, seen, unknown
from terrace_agent.move_pages.vmas import Vma
from terrace_agent.steps import Move
from terrace_agent.topology.values import Nid, Topology
from terrace_agent.workloads.values import Cgroup, Movable
from terrace_api.policy import Settings
from unit.agent.damon.builders import GIB, MIB, nid, settings, topology, with_free

FLOOR = 256 * MIB
DISTANCES = {0: 10, 1: 20, 2: 20}
POLICY = settings(quota="2Gi")
GUARD_MIB = 64 * 1024 // 100
"""What `guardrails.slowFreeMin` keeps free of 64 GiB."""
A_SECOND = GIB
"""Of the quota, in each direction."""


def one(number: int, gib: int = 64) -> Nid:
    return nid(number, gib * GIB, floor_bytes=FLOOR, distances=DISTANCES)


def two_slow(free_mib: int) -> Topology:
    return with_free(topology((one(0),), (one(1), one(2))), {0: free_mib * MIB})


def process(pid: int, mib: int, *, on: int, hot: bool, elsewhere_mib: int = 0) -> Tracked:
    """One with a range of so much that is hot or cold, all of it on one nid but for what is on nid 0 already."""
    pages = mib * MIB // 4096
    flags = bytes([TOUCHED if hot else 0]) * pages
    heat = unknown(pages)
    for _ in range(LOOKS):
        heat = seen(heat, Look(sure=flags, maybe=flags))
    vma = Vma(start=pid << 32, end=(pid << 32) + pages * 4096)
    there = elsewhere_mib * MIB // 4096
    where = {on: pages - there} | ({0: there} if there else {})
    return Tracked(pid=pid, started=pid, cgroup="/pod", parts=(Part(vma=vma, heat=heat, pages_by_nid=where),))


def ordered_mib(where: Topology, *tracked: Tracked, chosen: Settings = POLICY) -> Mapping[int, int]:
    """Returns how much is ordered of each process after a second."""
    found = flows(chosen, where, has_safety_net=True, chooses_target=True)
    made: tuple[Move, ...] = tuple(moves(chosen, found, tracked, Movable(allowed=(Cgroup(path="/pod"),)), 1.0))
    return {order.pid: order.limit_pages * order.page_bytes // MIB for order in made}


def stop_mib(where: Topology, target: int) -> int:
    [flow, *_] = (flow for flow in flows(POLICY, where, has_safety_net=True, chooses_target=True) if flow.pair.promotes)
    return share_bytes(where.nid(target).total_bytes, flow.stops.promotion_free_bp) // MIB


def test_sources_of_one_fast_nid_share_its_room() -> None:
    where = two_slow(1200)
    got = ordered_mib(where, process(1, 900, on=1, hot=True), process(2, 900, on=2, hot=True))
    assert got[1] == got[2]
    assert sum(got.values()) <= 1200 - stop_mib(where, 0)


def test_sources_of_one_fast_nid_share_its_quota_and_what_one_does_not_need_is_there_for_the_other() -> None:
    where = two_slow(32 * 1024)
    got = ordered_mib(where, process(1, 900, on=1, hot=True), process(2, 900, on=2, hot=True))
    assert got == pytest.approx({1: 512, 2: 512}, abs=1)
    for small, large in ((1, 2), (2, 1)):
        got = ordered_mib(where, process(1, 100, on=small, hot=True), process(2, 1800, on=large, hot=True))
        assert got == pytest.approx({1: 100, 2: 924}, abs=1)


def test_pages_that_have_come_up_already_take_nothing_from_others() -> None:
    where = two_slow(32 * 1024)
    got = ordered_mib(where, process(1, 900, on=1, hot=True, elsewhere_mib=890), process(2, 1800, on=2, hot=True))
    assert got == pytest.approx({1: 10, 2: 1014}, abs=1)


def test_who_lacks_least_goes_first_however_much_it_has_that_is_cold() -> None:
    where = topology((one(0), one(1)), (one(2),))
    lacks = {flow.pair.source.nid: flow for flow in flows(POLICY, where, has_safety_net=True, chooses_target=True)}
    stop = share_bytes(64 * GIB, lacks[0].stops.demotion_free_bp)
    where = with_free(where, {0: stop - 10 * MIB, 1: stop - 600 * MIB, 2: 1300 * MIB})
    got = ordered_mib(where, process(1, 1800, on=0, hot=False), process(2, 900, on=1, hot=False))
    assert got[1] == pytest.approx(10, abs=1)
    assert got[2] > 500


def test_fast_nids_share_the_room_of_one_slow_nid() -> None:
    where = with_free(topology((one(0), one(1)), (one(2),)), {0: 0, 1: 0, 2: 1000 * MIB})
    got = ordered_mib(where, process(1, 900, on=0, hot=False), process(2, 900, on=1, hot=False))
    assert got[1] == pytest.approx(got[2], abs=1)
    assert sum(got.values()) <= 1000 - GUARD_MIB


def test_into_a_middle_nid_both_directions_get_no_more_than_its_room_and_each_its_own_quota() -> None:
    row = topology((one(0),), (one(1),), (one(2, 256),))
    down, up = process(1, 1800, on=0, hot=False), process(2, 1800, on=2, hot=True)
    plenty = ordered_mib(with_free(row, {0: 0, 1: 32 * GIB, 2: 64 * GIB}), down, up)
    assert plenty[2] == pytest.approx(A_SECOND / MIB, abs=1)
    assert plenty[1] > 0
    scarce = ordered_mib(with_free(row, {0: 0, 1: 1400 * MIB, 2: 64 * GIB}), down, up)
    assert scarce[1] > 0
    assert sum(scarce.values()) <= 1400 - FLOOR // MIB
