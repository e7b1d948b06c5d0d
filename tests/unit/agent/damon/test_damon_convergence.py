"""The engine's turns on simulated memory: what converges, how fast, and what a dead agent leaves, on each kernel."""

import itertools
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from simkernel import (
    LINUX_6_12,
    LINUX_7_0,
    LINUX_7_2,
    PROFILES,
    Killed,
    Profile,
    SimCgroup,
    SimKernel,
    SimMemory,
    SimNid,
)
from simkernel.kernel import Running
from simkernel.memory import TICK_MS
from terrace_agent.engine import Plan
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import Cgroup, Limited, Movable
from terrace_api.policy import Settings
from unit.agent.damon.builders import MIB, MemoryJournal, engine_on, guest, settings, with_free

FLOOR = 77 * MIB
RATE = 100 * MIB
"""What the default policy lets each direction move in a second."""
STEERED = [profile for profile in PROFILES if "temporal" not in profile.has]
every_kernel = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
TUNED = [profile for profile in PROFILES if "temporal" in profile.has]
tuned_kernel = pytest.mark.parametrize("profile", TUNED, ids=lambda profile: profile.name)
steered_kernel = pytest.mark.parametrize("profile", STEERED, ids=lambda profile: profile.name)


class Machine:
    """The guest, 91% of its fast nid used by cold memory, with an agent that takes turns."""

    def __init__(
        self, profile: Profile, *, hot: int = 250 * MIB, passed: int = 100, chosen: Settings | None = None
    ) -> None:
        self.chosen = chosen or settings(time="0s")
        self.kernel = SimKernel(profile)
        self.memory = SimMemory(
            kernel=self.kernel,
            nids={
                0: SimNid(total=1536 * MIB, cold=1000 * MIB, other=400 * MIB, min_free=30 * MIB),
                1: SimNid(total=512 * MIB, hot=hot, min_free=10 * MIB),
            },
            passed=passed,
        )
        self.journal = MemoryJournal()
        self.engine = engine_on(self.kernel, self.journal)
        self.hot = hot

    def topology(self) -> Topology:
        return with_free(guest(), {number: nid.free for number, nid in self.memory.nids.items()})

    def turn(self) -> Plan:
        """One turn, and the time until the next."""
        self.engine.probe()
        plan = self.engine.plan(self.chosen, self.topology())
        self.engine.apply(plan)
        self.engine.verify()
        self.memory.run(int(plan.recheck_s * 1_000))
        return plan

    def turns(self, seconds: float) -> Iterator[Plan]:
        """Turns for so long."""
        began = self.memory.now_ms
        while self.memory.now_ms < began + 1_000 * seconds:
            yield self.turn()

    def share(self) -> float:
        """Share of the hot set that is fast."""
        return self.memory.nids[0].hot / self.hot

    def commits(self) -> int:
        return sum(running.commits for running in self.kernel.running.values())


@every_kernel
def test_the_hot_set_is_fast_within_half_a_minute_and_then_nothing_moves(profile: Profile) -> None:
    machine = Machine(profile)
    for _ in machine.turns(30):
        assert machine.memory.nids[0].free >= FLOOR
    assert machine.share() > 0.99
    moved, commits = dict(machine.memory.moved), machine.commits()
    for _ in machine.turns(60):
        pass
    assert machine.memory.moved == moved
    assert machine.commits() <= commits + 2


@every_kernel
def test_nothing_is_tried_without_headroom_so_that_no_page_lands_elsewhere(profile: Profile) -> None:
    machine = Machine(profile, hot=480 * MIB)
    for _ in machine.turns(60):
        pass
    assert machine.kernel.read("/sys/devices/system/node/node0/numastat") == "numa_foreign 0"


@every_kernel
def test_no_more_is_demoted_than_is_needed_for_what_was_promoted(profile: Profile) -> None:
    machine = Machine(profile)
    for _ in machine.turns(40):
        pass
    assert machine.memory.moved["hot"] == pytest.approx(machine.hot, rel=0.01)
    assert machine.memory.moved["cold"] < 1.5 * machine.memory.moved["hot"]


@every_kernel
def test_what_the_young_filter_turns_away_slows_it_down_by_less_than_what_is_turned_away(profile: Profile) -> None:
    machine = Machine(profile, passed=25)
    for _ in machine.turns(60):
        assert machine.memory.nids[0].free >= FLOOR
    assert machine.share() > 0.9


@steered_kernel
@pytest.mark.parametrize("died_after", [0, 1, 2, 5, 9, 20])
def test_without_the_agent_at_most_one_allowance_of_each_direction_still_moves(
    profile: Profile, died_after: int
) -> None:
    machine = Machine(profile)
    for _ in itertools.islice(machine.turns(60), died_after):
        pass
    before = dict(machine.memory.moved)
    machine.memory.run(600_000)
    for kind, most in (("hot", RATE), ("cold", RATE)):
        assert machine.memory.moved[kind] - before.get(kind, 0) <= most
    assert machine.memory.nids[0].free >= FLOOR


@pytest.mark.parametrize("profile", [LINUX_6_12, LINUX_7_0], ids=lambda profile: profile.name)
def test_killed_at_any_store_the_agent_leaves_at_most_one_amount_of_each_direction(profile: Profile) -> None:
    stores = (*range(1, 110, 9), *range(110, 170))
    for store in stores:
        machine = Machine(profile)
        machine.kernel.kill_after = store
        with pytest.raises(Killed):
            for _ in machine.turns(20):
                pass
        machine.kernel.kill_after = None
        before = dict(machine.memory.moved)
        machine.memory.run(5_000)
        for kind in ("hot", "cold"):
            assert machine.memory.moved[kind] - before.get(kind, 0) <= RATE, store
        assert machine.memory.nids[0].free >= FLOOR
        machine.engine = engine_on(machine.kernel, machine.journal)
        machine.turn()
        assert machine.kernel.running


@steered_kernel
def test_an_agent_that_comes_back_goes_on(profile: Profile) -> None:
    machine = Machine(profile)
    for _ in itertools.islice(machine.turns(60), 5):
        pass
    machine.memory.run(60_000)
    for _ in machine.turns(30):
        pass
    assert machine.share() > 0.99


@steered_kernel
def test_status_goes_on_counting_over_renewed_allowances(profile: Profile) -> None:
    machine = Machine(profile)
    for _ in machine.turns(40):
        pass
    moved = machine.engine.verify()
    assert (moved.promoted_bytes, moved.demoted_bytes) == (machine.memory.moved["hot"], machine.memory.moved["cold"])
    assert {kdamond.direction: kdamond.arrived_bytes for kdamond in moved.kdamonds} == {
        "promotion": machine.memory.moved["hot"],
        "demotion": machine.memory.moved["cold"],
    }


@steered_kernel
def test_somebody_who_takes_the_free_memory_ends_promotion_and_begins_demotion(profile: Profile) -> None:
    machine = Machine(profile, hot=400 * MIB)
    for _ in machine.turns(5):
        pass
    machine.memory.nids[0].other += machine.memory.nids[0].free - 40 * MIB
    promoted = machine.memory.moved["hot"]
    machine.turn()
    assert machine.memory.moved["hot"] <= promoted + 12 * MIB
    for _ in machine.turns(20):
        pass
    assert machine.memory.nids[0].free >= FLOOR


@tuned_kernel
def test_a_time_quota_lets_a_page_per_window_past_every_goal_and_the_floor_stays(profile: Profile) -> None:
    machine = Machine(profile, hot=480 * MIB, chosen=settings(time="50ms"))
    for _ in machine.turns(60):
        assert machine.memory.nids[0].free >= FLOOR
    before = Counter(machine.memory.moved)
    for _ in machine.turns(600):
        assert machine.memory.nids[0].free >= FLOOR
    moved = machine.memory.moved - before
    assert 0 < sum(moved.values()) <= 2 * 601 * 5 * 4_096


@tuned_kernel
def test_nothing_moves_while_tasks_wait_for_memory_longer_than_the_guardrail(profile: Profile) -> None:
    machine = Machine(profile)
    machine.memory.waiting_us = 40_000
    for _ in machine.turns(5):
        assert not machine.memory.moved.total()
    machine.memory.waiting_us = 39_999
    for _ in machine.turns(5):
        pass
    assert machine.memory.moved.total()


def test_goals_without_the_temporal_tuner_would_take_several_times_as_long() -> None:
    """Why the agent steers on 6.16 to 7.0, too: the same quotas and goals with `consist`."""
    machine = Machine(LINUX_7_2)
    machine.turn()
    for running in machine.kernel.running.values():
        for number in range(int(running.files["contexts/0/schemes/nr_schemes"])):
            running.files[f"contexts/0/schemes/{number}/quotas/goal_tuner"] = "consist"
    machine.memory.run(60_000)
    assert machine.share() < 0.9


class Exchanging(SimMemory):
    """Whatever was promoted turns cold, whatever was demoted turns hot."""

    demoted_percent = 100

    def run(self, ms: int) -> None:
        for _ in range(0, ms, TICK_MS):
            super().run(TICK_MS)
            fast, slow = self.nids[0], self.nids[1]
            fast.cold, fast.hot, slow.hot, slow.cold = fast.cold + fast.hot, 0, slow.hot + slow.cold, 0

    def _move(self, running: Running, number: int, files: dict[str, str], source: int) -> None:
        self.passed = self.demoted_percent if files["action"] == "migrate_cold" else 100
        super()._move(running, number, files, source)


@pytest.mark.parametrize("demoted_percent", [100, 75, 50, 25])
def test_an_exchange_without_end_is_stopped_however_slow_the_young_filter_makes_demotion(demoted_percent: int) -> None:
    machine = Machine(LINUX_7_2, hot=400 * MIB)
    machine.memory = Exchanging(kernel=machine.kernel, nids=machine.memory.nids)
    machine.memory.demoted_percent = demoted_percent
    began_ms = machine.memory.now_ms
    # Looks are not in step with windows: each finds free memory at another point between the stops.
    for look_ms in itertools.cycle([4_900, 5_000, 5_100, 5_200, 5_300]):
        elapsed_s = (machine.memory.now_ms - began_ms) / 1_000
        assert elapsed_s < 400
        machine.kernel.put("/proc/uptime", f"{1_000 + elapsed_s:.2f} 1.00")
        machine.engine.verify()
        plan = machine.engine.plan(settings(time="0s"), machine.topology())
        machine.engine.apply(plan)
        if [tripped.reason for tripped in plan.tripped] == ["Churn"]:
            break
        machine.memory.run(look_ms)


@hypothesis_settings(deadline=None, max_examples=25)
@given(
    hot=st.integers(1, 480),
    passed=st.integers(10, 100),
    taken=st.lists(st.integers(-60, 60), max_size=12),
    profile=st.sampled_from([LINUX_6_12, LINUX_7_0, *TUNED]),
)
def test_promotion_never_eats_the_floor(hot: int, passed: int, taken: list[int], profile: Profile) -> None:
    machine = Machine(profile, hot=hot * MIB, passed=passed)
    fast = machine.memory.nids[0]
    for mib in (*taken, *[0] * 5):
        before, promoted = fast.free, machine.memory.moved["hot"]
        machine.turn()
        if machine.memory.moved["hot"] > promoted:
            assert fast.free >= min(before, FLOOR)
        fast.other += min(mib * MIB, max(0, fast.free - 50 * MIB))


POD = "/kubepods.slice/pod1.slice"
APP = f"{POD}/app"


class Shared(Machine):
    """The guest with one pod that has bounds, hot and cold on each nid as given in MiB, and little else."""

    def __init__(
        self, profile: Profile, *, fast: tuple[int, int], slow: tuple[int, int] = (0, 0), other: int = 0, **bounds: int
    ) -> None:
        super().__init__(profile)
        self.kernel.make_cgroup(POD)
        self.kernel.make_cgroup(APP)
        self.fast, self.slow = self.memory.nids[0], self.memory.nids[1]
        self.fast.cold, self.fast.other, self.slow.hot = 0, other * MIB, 0
        for nid, (hot, cold) in ((self.fast, fast), (self.slow, slow)):
            nid.cgroups[APP] = SimCgroup(hot=hot * MIB, cold=cold * MIB)
        cgroups = (Cgroup(path=POD), Cgroup(path=APP))
        limits = {name: size * MIB for name, size in bounds.items()}
        limited = Limited(path=POD, cgroups=cgroups, **limits)
        self.movable = Movable(allowed=(*cgroups, Cgroup(path="/")), limited=(limited,))

    def turn(self) -> Plan:
        plan = self.engine.plan(self.chosen, self.topology(), self.movable)
        self.engine.apply(plan)
        self.engine.verify()
        self.memory.run(int(plan.recheck_s * 1_000))
        return plan

    def settled(self) -> int:
        """MiB that the pod has of the fast nid after a minute; then nothing moves any more."""
        for _ in self.turns(60):
            pass
        moved = dict(self.memory.moved)
        for _ in self.turns(30):
            pass
        assert self.memory.moved == moved
        return self.fast.used_below(POD) // MIB


@tuned_kernel
def test_a_pod_with_a_max_is_promoted_to_just_that_where_there_is_more_room(profile: Profile) -> None:
    machine = Shared(profile, fast=(0, 0), slow=(400, 0), max_bytes=200)
    assert 180 <= machine.settled() <= 200


@tuned_kernel
def test_others_are_promoted_past_a_pod_that_has_its_max(profile: Profile) -> None:
    machine = Shared(profile, fast=(200, 0), slow=(200, 0), max_bytes=200)
    machine.slow.hot = 200 * MIB
    assert machine.settled() == 200
    assert machine.fast.hot == 200 * MIB


@tuned_kernel
def test_what_a_pod_has_above_its_max_is_demoted_although_much_is_free(profile: Profile) -> None:
    machine = Shared(profile, fast=(50, 350), max_bytes=200)
    assert 180 <= machine.settled() <= 200
    assert machine.fast.cgroups[APP].hot == 50 * MIB


@tuned_kernel
def test_what_is_hot_stays_above_a_max(profile: Profile) -> None:
    machine = Shared(profile, fast=(300, 100), max_bytes=200)
    assert machine.settled() == 300


@tuned_kernel
def test_a_pod_keeps_its_min_where_room_has_to_be_made_and_others_make_it(profile: Profile) -> None:
    machine = Shared(profile, fast=(0, 400), other=700, min_bytes=200)
    machine.fast.cold = 400 * MIB
    assert 200 <= machine.settled() < 400
    assert machine.fast.cold < 400 * MIB


@tuned_kernel
def test_a_pod_keeps_its_min_where_nobody_else_can_make_room(profile: Profile) -> None:
    machine = Shared(profile, fast=(0, 400), other=1136, min_bytes=300)
    assert 300 <= machine.settled() <= 330


@tuned_kernel
def test_nothing_of_a_pod_with_a_min_is_demoted_while_there_is_room(profile: Profile) -> None:
    machine = Shared(profile, fast=(0, 400), min_bytes=200)
    assert machine.settled() == 400


@tuned_kernel
def test_a_dead_agent_leaves_bounds_that_go_on_to_hold(profile: Profile) -> None:
    machine = Shared(profile, fast=(0, 0), slow=(400, 0), max_bytes=200)
    machine.turn()
    machine.memory.run(60_000)
    assert 180 <= machine.fast.used_below(POD) // MIB <= 200
