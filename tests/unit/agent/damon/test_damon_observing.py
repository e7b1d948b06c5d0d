"""Mode Observe: kdamonds that watch, what they see, and what is brought back."""

import dataclasses
import os

import pytest

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.desired import desired
from terrace_agent.damon.observing import Seen, Watched, known_after_s, seen, watches, watching
from terrace_agent.damon.seen import Seen as NodeSeen
from terrace_agent.engine import Plan
from terrace_agent.journal import OwnedKdamond
from terrace_agent.topology.values import Topology
from terrace_api.node_tiering import NOWHERE, Levels
from terrace_api.policy import AddressRange, Settings
from terrace_api.units import Duration, Size
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, MemoryJournal, engine_on, guest, nid, settings, topology

DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
DEMOTION_ENABLED = "/sys/kernel/mm/numa/demotion_enabled"
ADMIN = "/sys/kernel/mm/damon/admin/kdamonds"


class Node:
    """A node whose agent goes on."""

    def __init__(self) -> None:
        self.kernel = SimKernel(LINUX_7_2)
        self.journal = MemoryJournal()
        self.now_s = 0.0
        self.restart()

    def restart(self) -> None:
        self.engine = engine_on(self.kernel, self.journal, lambda: self.now_s)

    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    def shows_its_threads(self, *, since_s: float, name: str = "kdamond.0") -> None:
        """The host's `/proc` is there, and so long ago every kdamond was started."""
        self.kernel.put("/proc/uptime", "5000.00 1.00")
        started = int((5000 - since_s) * os.sysconf("SC_CLK_TCK"))
        for kdamond in self.kernel.running.values():
            fields = ["0"] * 18 + [str(started), "0", "0"]
            self.kernel.put(f"/proc/{kdamond.pid}/stat", f"{kdamond.pid} ({name}) S {' '.join(fields)}")

    def observe(self, chosen: Settings | None = None) -> Plan:
        return self._apply(self.engine.plan_observe(chosen or settings(), guest()))

    def enforce(self) -> Plan:
        return self._apply(self.engine.plan(settings(), guest()))

    def stop(self) -> Plan:
        return self._apply(self.engine.plan_stop())

    def _apply(self, plan: Plan) -> Plan:
        self.engine.apply(plan)
        self.engine.verify()
        return plan

    def actions(self) -> list[str]:
        return [
            text
            for kdamond in self.kernel.running.values()
            for path, text in sorted(kdamond.files.items())
            if path.endswith("/action")
        ]

    def around(self) -> tuple[str, str]:
        return self.kernel.read(DAMON_STAT), self.kernel.read(DEMOTION_ENABLED)

    def sees(self, index: int, scheme: int, size: int) -> None:
        self.kernel.running[index].passes[scheme] = size


def test_a_look_waits_for_a_pass_of_a_second_at_most_whatever_the_policys_apply_interval() -> None:
    chosen = settings(apply_interval="10m", auto_tune=False)
    watchers = watching(desired(chosen, guest(), EVERYTHING), chosen, EVERYTHING).kdamonds
    schemes = [scheme for watcher in watchers for scheme in watcher.tree.contexts[0].schemes]
    assert [scheme.apply_interval_us for scheme in schemes] == [1_000_000, 1_000_000]


def test_each_source_is_watched_and_nothing_can_move() -> None:
    node = Node()
    node.observe()
    assert node.actions() == ["stat", "stat"]
    assert node.observe().steps == ()


def test_watching_has_no_quota_and_no_filter_and_looks_where_enforce_would_act() -> None:
    enforced = desired(settings(), guest(), EVERYTHING)
    for one, other in zip(watching(enforced, settings(), EVERYTHING).kdamonds, enforced.kdamonds, strict=True):
        (context,), (acting,) = one.tree.contexts, other.tree.contexts
        (scheme,) = context.schemes
        assert (context.monitoring_attrs, context.targets) == (acting.monitoring_attrs, acting.targets)
        assert scheme.access_pattern == acting.schemes[0].access_pattern
        assert (scheme.quotas.bytes, scheme.quotas.ms, scheme.quotas.goals, scheme.ops_filters) == (0, 0, (), ())


def test_damon_stat_makes_room_and_reclaims_demotion_stays_as_it_was() -> None:
    node = Node()
    node.observe()
    assert node.around() == ("N", "false")
    node.stop()
    assert node.around() == ("Y", "false")
    assert node.kernel.running == {}


def test_from_enforce_to_observe_reclaims_demotion_is_brought_back_after_the_last_mover_is_gone() -> None:
    node = Node()
    node.enforce()
    assert node.around() == ("N", "true")
    node.kernel.stored.clear()
    node.observe()
    assert (node.actions(), node.around()) == (["stat", "stat"], ("N", "false"))
    stored = [path for path, _ in node.kernel.stored]
    last_off = max(number for number, store in enumerate(node.kernel.stored) if store[1] == "off")
    assert stored.index(DEMOTION_ENABLED) > last_off
    node.enforce()
    assert (sorted(set(node.actions())), node.around()) == (["migrate_cold", "migrate_hot", "stat"], ("N", "true"))
    node.stop()
    assert node.around() == ("Y", "false")


def test_what_arrived_before_observe_stays_counted() -> None:
    node = Node()
    node.enforce()
    node.kernel.count(1, sz_applied=64 * MIB)
    node.observe()
    assert node.engine.verify().promoted_bytes == 64 * MIB


def test_a_mover_that_has_no_scheme_for_a_while_is_no_watcher() -> None:
    files = (("contexts/0/schemes/0/action", "stat"),)
    claim = OwnedKdamond(index=0, source_nid=0, files=files, made_from="")
    assert watches(claim)
    assert not watches(dataclasses.replace(claim, directions=((False, 1),)))


def test_watchers_are_reported_as_such() -> None:
    node = Node()
    node.observe()
    found = node.engine.verify()
    assert [(one.source_nid, one.target_nid, one.direction) for one in found.kdamonds] == [
        (0, NOWHERE, "monitoring"),
        (1, NOWHERE, "monitoring"),
    ]
    assert found.notes == ()


def test_levels_come_from_the_last_pass_of_each_kdamond() -> None:
    node = Node()
    assert node.observe().levels is None
    node.sees(0, 0, 1024 * MIB)
    node.sees(1, 0, 250 * MIB)
    node.wait(60)
    node.engine.verify()
    free = guest().nid(0).free_bytes
    found = node.observe().levels
    assert found == Levels(hot_on_slow_bytes=250 * MIB, cold_on_fast_bytes=1024 * MIB - free, forecast_bytes=250 * MIB)


def test_a_pass_that_the_kernel_could_not_make_leaves_no_levels() -> None:
    node = Node()
    node.observe()
    node.wait(60)
    node.engine.verify()
    node.kernel.update_errno = 16
    node.engine.verify()
    assert node.observe().levels is None


def test_nothing_can_be_hot_or_cold_before_it_was_watched_for_the_ages_and_an_aggregation() -> None:
    node = Node()
    plan = node.observe()
    assert (plan.levels, plan.no_levels) == (None, "Levels are known once this node has been watched for about 11s.")
    for _ in range(10):
        node.wait(1)
        assert node.observe().levels is None
    node.wait(0.2)
    assert node.observe().levels is None, "the last pass was before"
    plan = node.observe()
    assert (plan.levels is not None, plan.no_levels) == (True, "")


def test_the_next_look_comes_when_levels_are_due_and_the_one_after_it_soon() -> None:
    node = Node()
    for _ in range(10):
        node.observe()
    assert node.observe().recheck_s == 10.0
    node.wait(5)
    assert node.observe().recheck_s == pytest.approx(5.1)
    node.wait(5.1)
    assert node.observe().recheck_s == 1.0
    assert node.observe().levels is not None
    assert node.observe().recheck_s == 10.0


def test_the_next_agent_knows_at_once_where_it_sees_the_kernels_threads_and_waits_once_more_where_not() -> None:
    node = Node()
    node.observe()
    node.wait(60)
    node.restart()
    node.observe()
    assert node.observe().levels is None
    node.shows_its_threads(since_s=60, name="bash")
    node.restart()
    node.observe()
    assert node.observe().levels is None, "in another pid namespace the number is somebody else's"
    node.shows_its_threads(since_s=60)
    node.restart()
    node.observe()
    assert node.observe().levels is not None


def test_a_kdamond_that_was_started_again_begins_anew() -> None:
    node = Node()
    node.observe()
    node.wait(60)
    node.kernel.kill_kdamond(1)
    node.observe()
    node.observe()
    assert node.observe().levels is None
    node.wait(11)
    node.observe()
    assert node.observe().levels is not None


def test_an_edit_of_the_ages_keeps_what_was_watched() -> None:
    node = Node()
    node.observe()
    node.wait(25)
    node.observe()
    assert node.observe(settings(min_age="20s")).levels is not None
    assert node.observe(settings(min_age="40s")).levels is None
    node.wait(16)
    node.observe(settings(min_age="40s"))
    assert node.observe(settings(min_age="40s")).levels is not None


def after_s(chosen: Settings, current: dict[int, CurrentIntervals]) -> dict[int, float]:
    wanted = desired(chosen, guest(), EVERYTHING, NodeSeen(current=current))
    return dict(known_after_s(wanted, chosen, current))


def test_only_directions_that_are_enabled_make_it_wait_and_each_nid_for_an_aggregation_of_its_own() -> None:
    tuned = {0: CurrentIntervals(sample_us=5_000, aggr_us=400_000)}
    assert after_s(settings(min_age="10s"), tuned) == {0: 10.4, 1: 10.1}
    hot = settings(min_age="10s")
    hot = dataclasses.replace(hot, promotion=dataclasses.replace(hot.promotion, min_age=Duration.parse("30s")))
    assert after_s(hot, {}) == {0: 30.1, 1: 30.1}
    assert after_s(settings(demotion=False), {}) == {1: 0.1}


def test_one_nid_that_was_not_watched_for_long_enough_leaves_no_levels() -> None:
    wanted, mib = desired(settings(), guest(), EVERYTHING), (MIB,)
    old, young = (Watched(since_s=since_s, passed_s=since_s, matched=mib) for since_s in (60.0, 8.0))
    why = "Levels are known once this node has been watched for about 11s."
    assert seen(wanted, {0: old, 1: young}, {0: 10.5, 1: 10.5}) == Seen(levels=None, why=why, left_s=2.5)
    assert seen(wanted, {0: old, 1: old}, {0: 10.5, 1: 10.5}).levels is not None


def observed(where: Topology, *passes: tuple[int, tuple[int, ...]], chosen: Settings | None = None) -> Levels:
    watched = {nid: Watched(since_s=60.0, passed_s=60.0, matched=matched) for nid, matched in passes}
    found = seen(desired(chosen or settings(), where, EVERYTHING), watched, dict.fromkeys(watched, 10.1)).levels
    assert found
    return found


def with_free(where: Topology, **free_mib: int) -> Topology:
    nids = tuple(
        dataclasses.replace(one, free_bytes=free_mib.get(f"nid{one.nid}", one.free_bytes >> 20) * MIB)
        for one in where.nids
    )
    return dataclasses.replace(where, nids=nids)


@pytest.mark.parametrize(
    ("free_mib", "cold_mib", "forecast_mib"),
    [(0, 1000, 300), (0, 100, 100), (0, 0, 0), (1536, 0, 300)],
    ids=["swap", "a part", "nowhere to go", "room enough"],
)
def test_the_forecast_is_what_wants_in_as_far_as_there_is_room(free_mib: int, cold_mib: int, forecast_mib: int) -> None:
    where = with_free(guest(), nid0=free_mib, nid1=0)
    found = observed(where, (0, ((free_mib + cold_mib) * MIB,)), (1, (300 * MIB,)))
    assert (found.cold_on_fast_bytes, found.forecast_bytes) == (cold_mib * MIB, forecast_mib * MIB)


def test_free_memory_is_neither_hot_nor_cold() -> None:
    found = observed(with_free(guest(), nid0=512, nid1=500), (0, (512 * MIB,)), (1, (512 * MIB,)))
    assert (found.hot_on_slow_bytes, found.cold_on_fast_bytes) == (12 * MIB, 0)


def test_what_is_free_outside_of_the_ranges_makes_nothing_in_them_less_cold() -> None:
    quarter = (
        AddressRange(start=Size.parse("0"), end=Size.parse("384Mi")),
        AddressRange(start=Size.parse("1536Mi"), end=Size.parse("2Gi")),
    )
    ranged = settings(ranges=quarter)
    for free_mib, cold_mib in ((1000, 300), (1152, 300), (1300, 300 - (1300 - 1152))):
        found = observed(with_free(guest(), nid0=free_mib, nid1=0), (0, (300 * MIB,)), (1, (0,)), chosen=ranged)
        assert found.cold_on_fast_bytes == cold_mib * MIB, free_mib


def test_without_demotion_only_free_memory_is_room() -> None:
    where = with_free(guest(), nid0=0, nid1=0)
    assert observed(where, (1, (300 * MIB,)), chosen=settings(demotion=False)).forecast_bytes == 0


def test_in_a_chain_a_middle_nid_is_fast_and_slow() -> None:
    distances = {0: 10, 1: 15, 2: 20}
    where = topology(*((nid(n, 16 * GIB, start=n * 16 * GIB, distances=distances),) for n in range(3)))
    where = with_free(where, nid0=0, nid1=0, nid2=0)
    found = observed(where, (0, (2 * GIB,)), (1, (3 * GIB, 1 * GIB)), (2, (4 * GIB,)))
    assert (found.hot_on_slow_bytes, found.cold_on_fast_bytes) == (7 * GIB, 3 * GIB)
    assert found.forecast_bytes == 2 * GIB + 1 * GIB
