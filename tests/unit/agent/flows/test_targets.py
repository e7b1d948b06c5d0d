"""Where cold pages go while several nids could take them."""

import contextlib
import dataclasses
from pathlib import Path

import pytest

from simkernel import LINUX_7_0, LINUX_7_2, Killed, Profile, SimKernel
from terrace_agent.damon.desired import desired
from terrace_agent.damon.seen import Seen
from terrace_agent.flows.pairs import pairs_of
from terrace_agent.flows.targets import demotion_target
from terrace_agent.topology.values import Nid, Topology
from terrace_api.units import Percent
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, engine_on, nid, rails, settings, topology, with_free

FAST = nid(0, 64 * GIB, distances={0: 10, 1: 20, 2: 20, 3: 30})


def slow(number: int, free_gib: int, *, total_gib: int = 100) -> Nid:
    found = nid(number, total_gib * GIB, start=64 * GIB + number * 100 * GIB, floor_bytes=GIB)
    return dataclasses.replace(found, free_bytes=free_gib * GIB)


def chosen(*candidates: Nid, now: int | None = None) -> int:
    least_free_bytes = {nid.nid: GIB + 100 * MIB for nid in candidates}
    return demotion_target(FAST, candidates, now=now, least_free_bytes=least_free_bytes).nid


def test_distance_decides_before_free_memory() -> None:
    assert chosen(slow(3, 90), slow(1, 10)) == 1


def test_free_memory_decides_among_equals() -> None:
    assert chosen(slow(1, 10), slow(2, 90)) == 2


def test_what_is_in_force_stays_while_it_has_room() -> None:
    assert chosen(slow(1, 10), slow(2, 90), now=1) == 1


def test_a_full_target_is_left_for_the_next_one() -> None:
    assert chosen(slow(1, 1), slow(3, 90), now=1) == 3


def test_a_nearer_target_is_returned_to_when_it_has_room_for_a_while() -> None:
    assert chosen(slow(1, 2), slow(3, 90), now=3) == 3
    assert chosen(slow(1, 5), slow(3, 90), now=3) == 1


@pytest.mark.parametrize("share", ["1%", "5%"])
def test_a_target_at_which_the_kernel_stops_for_slow_free_min_is_left_and_returned_to_above_it(share: str) -> None:
    def target(near_percent: str, now: int) -> int:
        near_free_bp = Percent.parse(near_percent).bp
        where = topology((FAST,), (slow(1, 0, total_gib=512), slow(3, 500, total_gib=512)))
        where = with_free(where, {1: 512 * GIB * near_free_bp // 10_000})
        chosen = settings(guardrails=rails(slow_free_min=share))
        wanted = desired(chosen, where, EVERYTHING, Seen(demotes_to={0: now}))
        (demotion,) = (flow for one in wanted.kdamonds for flow in one.flows if not flow.pair.promotes)
        return demotion.pair.target.nid

    above = Percent.parse(share).bp
    assert (target(share, now=1), target(f"{(above + 1) / 100:.2f}%", now=1)) == (3, 1)
    assert (target(f"{above / 100 + 1.9:.2f}%", now=3), target(f"{above / 100 + 2.1:.2f}%", now=3)) == (3, 1)


def test_where_all_are_full_the_one_in_force_stays() -> None:
    assert chosen(slow(1, 1), slow(3, 1), now=3) == 3
    assert chosen(slow(1, 1), slow(3, 1)) == 1


def test_a_target_that_is_gone_is_not_kept() -> None:
    assert chosen(slow(1, 50), now=9) == 1


def test_promotion_goes_to_the_nearest_whatever_is_free() -> None:
    fast = dataclasses.replace(FAST, free_bytes=0)
    other = nid(4, 64 * GIB, distances={4: 10})
    source = dataclasses.replace(slow(1, 50), distances={0: 20, 4: 40})
    (promotion,) = (pair for pair in pairs_of(topology((fast, other), (source,))) if pair.promotes)
    assert promotion.target.nid == 0


def test_the_target_is_switched_by_a_commit_when_it_is_full(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_2, nids=(0, 1, 3))

    def turn(near: Nid) -> tuple[str, list[int]]:
        where: Topology = topology((FAST,), (near, slow(3, 90)))
        engine = engine_on(kernel, tmp_path)
        engine.apply(engine.plan(settings(), where))
        return kernel.running[0].files["contexts/0/schemes/0/target_nid"], [one.pid for one in kernel.running.values()]

    first, pids = turn(slow(1, 50))
    kept, _ = turn(slow(1, 10))
    second, same = turn(slow(1, 1))
    assert (first, kept, second) == ("1", "1", "3")
    assert pids == same


def test_what_went_to_the_former_target_is_not_counted_for_the_new_one(tmp_path: Path) -> None:
    kernel = SimKernel(LINUX_7_2, nids=(0, 1, 3))
    engine = engine_on(kernel, tmp_path)
    engine.apply(engine.plan(settings(), topology((FAST,), (slow(1, 50), slow(3, 90)))))
    kernel.count(0, sz_tried=8192, sz_applied=8192)
    engine.apply(engine.plan(settings(), topology((FAST,), (slow(1, 1), slow(3, 90)))))
    kernel.count(0, sz_tried=4096, sz_applied=4096)
    found = {one.target_nid: one.arrived_bytes for one in engine.verify().kdamonds if one.direction == "demotion"}
    assert found == {1: 8192, 3: 4096}


@pytest.mark.parametrize("store", range(1, 12))
def test_a_switch_that_was_cut_off_twice_is_still_not_counted_for_the_new_target(tmp_path: Path, store: int) -> None:
    kernel = SimKernel(LINUX_7_2, nids=(0, 1, 3))
    engine = engine_on(kernel, tmp_path)
    engine.apply(engine.plan(settings(), topology((FAST,), (slow(1, 50), slow(3, 90)))))
    kernel.count(0, sz_tried=8192, sz_applied=8192)
    engine.verify()
    full = topology((FAST,), (slow(1, 1), slow(3, 90)))
    for kill_after in (1, store, None):
        kernel.kill_after = kill_after
        engine = engine_on(kernel, tmp_path)
        with contextlib.suppress(Killed):
            engine.apply(engine.plan(settings(), full))
    kernel.count(0, sz_tried=4096, sz_applied=4096)
    found = {one.target_nid: one.arrived_bytes for one in engine.verify().kdamonds if one.direction == "demotion"}
    assert found == {1: 8192, 3: 4096}


@pytest.mark.parametrize("profile", [LINUX_7_0, LINUX_7_2], ids=lambda profile: profile.name)
def test_a_target_is_kept_by_a_demotion_that_had_nothing_to_do_for_a_while(profile: Profile, tmp_path: Path) -> None:
    kernel = SimKernel(profile, nids=(0, 1, 2))
    engine = engine_on(kernel, tmp_path)
    full, empty = (dataclasses.replace(FAST, free_bytes=free) for free in (0, FAST.total_bytes))
    for fast, free_gib in ((full, 10), (empty, 10), (full, 90)):
        engine.apply(engine.plan(settings(), topology((fast,), (slow(1, 50), slow(2, free_gib)))))
    assert kernel.running[0].files["contexts/0/schemes/0/target_nid"] == "1"
