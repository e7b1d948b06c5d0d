"""Directions that share a nid: its room and its quota are there once."""

from dataclasses import replace

from terrace_agent.flows.directions import Flow, flows, lack_bytes, promotion_room_bytes, target_room_bytes
from terrace_agent.flows.relief import relieved
from terrace_agent.topology.values import Nid, Topology
from unit.agent.damon.builders import GIB, MIB, nid, settings, topology, with_free

FLOOR = 256 * MIB
DISTANCES = {0: 10, 1: 20, 2: 30}


def one(number: int, gib: int) -> Nid:
    return nid(number, gib * GIB, floor_bytes=FLOOR, distances=DISTANCES)


def row() -> Topology:
    """Three tiers of 64, 64 and 256 GiB."""
    return topology((one(0, 64),), (one(1, 64),), (one(2, 256),))


def found(where: Topology, *, chooses_target: bool = True) -> dict[tuple[int, int], Flow]:
    made = flows(settings(), where, has_safety_net=True, chooses_target=chooses_target)
    return {(flow.pair.source.nid, flow.pair.target.nid): flow for flow in made}


def demotion_room_bytes(flow: Flow) -> int:
    return min(lack_bytes(flow), target_room_bytes(flow))


def test_a_slow_nid_that_is_full_gives_way_to_one_with_room() -> None:
    where = topology((one(0, 64),), (one(1, 64), one(2, 64)))
    assert (0, 1) in found(where)
    full = with_free(where, {1: 640 * MIB, 2: 60 * GIB})
    assert (0, 2) in found(full)
    assert (0, 1) in found(full, chooses_target=False), "the kernel goes for the nearest"


def test_a_middle_nid_makes_the_room_that_the_faster_tier_waits_for_whatever_it_has_free() -> None:
    for free_mib in range(300, 1200, 20):
        told = found(with_free(row(), {0: 0, 1: free_mib * MIB, 2: 64 * GIB}))
        assert max(demotion_room_bytes(told[0, 1]), demotion_room_bytes(told[1, 2])) > 0, free_mib
        assert promotion_room_bytes(told[2, 1]) <= 0 or demotion_room_bytes(told[0, 1]) > 0, free_mib


def test_where_page_cache_is_room_on_all_tiers_a_middle_nid_keeps_nothing_for_what_does_not_come() -> None:
    cached = [replace(one(number, 64), droppable_bytes=30 * GIB, low_bytes=205 * MIB) for number in (0, 1)]
    where = with_free(topology((cached[0],), (cached[1],), (one(2, 256),)), {0: FLOOR, 1: FLOOR, 2: 64 * GIB})
    told = found(relieved(where, settings(), frozenset(), may_switch=True))
    assert promotion_room_bytes(told[2, 1]) > 0
    assert demotion_room_bytes(told[1, 2]) <= 0
    assert demotion_room_bytes(told[0, 1]) <= 0


def test_what_the_slow_nids_guardrail_keeps_is_not_filled() -> None:
    where = with_free(topology((one(0, 64),), (one(1, 64),)), {0: 0, 1: 64 * GIB // 100})
    [down] = [flow for flow in found(where).values() if not flow.pair.promotes]
    assert demotion_room_bytes(down) <= 0
    assert demotion_room_bytes(replace(down, slow_used_bp=10_000)) > 0
