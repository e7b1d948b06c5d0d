"""When a guardrail is hit, what then happens, and when it is over."""

import dataclasses

import pytest

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.desired import desired
from terrace_agent.engine import Plan
from terrace_agent.flows.guards import Review, full_nids, review
from terrace_agent.flows.health import Health, read_health
from terrace_agent.journal import Cooldown
from terrace_agent.steps import CoolDown
from terrace_api.policy import Guardrails
from unit.agent.damon.builders import EVERYTHING, MIB, MemoryJournal, engine_on, guest, rails, settings

PRESSURE = "some avg10=40.00 avg60=31.25 avg300=2.00 total=123\nfull avg10=1.00 avg60=0.50 avg300=0.00 total=7\n"
QUIET = PRESSURE.replace("31.25", "0.00")
MOVING = "contexts/0/schemes/0/quotas/bytes"


def at(
    uptime_s: float, *, moved: int = 0, split: int = 0, pressure_bp: int | None = 0, booted_s: int | None = None
) -> Health:
    return Health(uptime_s=uptime_s, huge_moved=moved, huge_split=split, pressure_bp=pressure_bp, booted_s=booted_s)


def take(
    now: Health, since: Health | None, guards: Guardrails | None = None, cooldown: Cooldown | None = None
) -> Review:
    return review(guards or rails(), cooldown, since, now)


def test_more_splits_than_the_guardrail_allows_stop_moving_for_the_cooldown() -> None:
    found = take(at(130, moved=140, split=160), at(100, moved=100, split=100))
    assert found.cooldown
    assert (found.cooldown.reason, found.cooldown.until_s) == ("HugePageSplits", 430)
    assert "60 of 100 huge pages" in found.cooldown.message
    assert [tripped.reason for tripped in found.tripped] == ["HugePageSplits"]


@pytest.mark.parametrize(
    "now",
    [
        at(130, moved=160, split=140),
        at(130, moved=110, split=130),
    ],
    ids=["fewer than the share", "too few to judge"],
)
def test_splits_within_the_guardrail_are_let_be(now: Health) -> None:
    assert take(now, at(100, moved=100, split=100)).cooldown is None


def test_splits_are_let_be_where_the_guardrail_is_down() -> None:
    assert take(at(130, split=500), at(100), rails(enabled=False)).cooldown is None


def test_splits_are_counted_within_a_minute() -> None:
    assert take(at(130, split=50), at(100)).since == at(100)
    assert take(at(161, split=50), at(100)).since == at(161, split=50)


def test_a_cooldown_ends_when_its_time_is_over_and_counts_nothing_from_before() -> None:
    cooldown = Cooldown(reason="HugePageSplits", message="why", until_s=430)
    during = take(at(429, split=9_000), at(131), cooldown=cooldown)
    assert (during.cooldown, during.since) == (cooldown, at(429, split=9_000))
    assert [tripped.reason for tripped in during.tripped] == ["HugePageSplits"]
    after = take(at(430, split=9_001), during.since, cooldown=cooldown)
    assert (after.cooldown, after.tripped) == (None, ())


@pytest.mark.parametrize("reason", ["HugePageSplits", "Churn"])
def test_a_cooldown_ends_with_the_guardrail_that_made_it(reason: str) -> None:
    cooldown = Cooldown(reason=reason, message="why", until_s=430)
    assert take(at(131), None, cooldown=cooldown).halts
    found = take(at(131), None, rails(enabled=False), cooldown)
    assert (found.cooldown, found.tripped, found.halts) == (None, (), False)


def test_a_cooldown_that_the_policy_made_shorter_ends_sooner_and_one_that_it_made_longer_as_it_was() -> None:
    cooldown = Cooldown(reason="Churn", message="why", until_s=430)
    shorter = take(at(200), None, rails(cooldown="30s"), cooldown).cooldown
    assert shorter
    assert shorter.until_s == 230
    assert take(at(210), None, rails(cooldown="30s"), shorter).cooldown == shorter
    assert take(at(200), None, rails(cooldown="1h"), cooldown).cooldown == cooldown


def test_a_cooldown_says_until_when_nothing_moves() -> None:
    cooldown = Cooldown(reason="Churn", message="why", until_s=430)
    with_clock, without = at(131, booted_s=1_700_000_000), at(131)
    said = [take(now, None, cooldown=cooldown).tripped[0].message for now in (with_clock, without)]
    assert said == [
        "why Nothing moves until 2023-11-14 22:21 UTC (guardrails.cooldown 5m).",
        "why Nothing moves for guardrails.cooldown (5m).",
    ]


def test_pressure_above_the_guardrail_is_said_while_the_kernel_holds_still() -> None:
    found = take(at(100, pressure_bp=3_125), None)
    assert [tripped.reason for tripped in found.tripped] == ["MemoryPressure"]
    assert "31.25%" in found.tripped[0].message
    assert found.cooldown is None
    assert take(at(100, pressure_bp=3_125), None, rails(memory_pressure_max="40%")).tripped == ()


def test_a_kernel_that_measures_no_pressure_is_named() -> None:
    assert "psi=1" in take(at(100, pressure_bp=None), None).note
    assert take(at(100, pressure_bp=None), None, rails(enabled=False)).note == ""


@pytest.mark.parametrize(
    ("guards", "reasons"),
    [
        (rails(slow_free_min="10%"), ["SlowFreeMin"]),
        (rails(fast_free_min="10%"), ["FastFreeMin"]),
        (rails(enabled=False, slow_free_min="50%"), []),
        (rails(), []),
    ],
)
def test_nids_at_their_guardrail_are_named(guards: Guardrails, reasons: list[str]) -> None:
    flows = tuple(flow for one in desired(settings(), guest(), EVERYTHING).kdamonds for flow in one.flows)
    assert [tripped.reason for tripped in full_nids(guards, flows)] == reasons


def test_health_is_read_from_what_the_kernel_prints() -> None:
    kernel = SimKernel(LINUX_7_2)
    assert read_health(kernel) == Health(uptime_s=0)
    kernel.put("/proc/uptime", "350735.47 234388.90")
    kernel.put("/proc/pressure/memory", PRESSURE)
    kernel.put("/proc/vmstat", "nr_free_pages 1\nthp_migration_success 7\nthp_migration_fail 1\nthp_migration_split 3")
    kernel.put("/proc/stat", "cpu  1 2 3\nintr 7 0 0\nctxt 5\nbtime 1700000000\nprocesses 9")
    assert read_health(kernel) == Health(
        uptime_s=350735.47, booted_s=1_700_000_000, pressure_bp=3_125, huge_moved=7, huge_split=3
    )


class Node:
    """A node with an agent that is started anew at each turn, unless told otherwise."""

    def __init__(self) -> None:
        self.kernel = SimKernel(LINUX_7_2)
        self.journal = MemoryJournal()
        self.engine = engine_on(self.kernel, self.journal)

    def turn(self, uptime_s: int, *, split: int, restarted: bool = False) -> Plan:
        self.kernel.put("/proc/uptime", f"{uptime_s}.00 1.00")
        self.kernel.put("/proc/vmstat", f"thp_migration_success 0\nthp_migration_split {split}")
        self.kernel.put("/proc/pressure/memory", QUIET)
        if restarted:
            self.engine = engine_on(self.kernel, self.journal)
        plan = self.engine.plan(settings(), guest())
        self.engine.apply(plan)
        return plan

    def quotas(self) -> set[int]:
        return {int(kdamond.files[MOVING]) for kdamond in self.kernel.running.values()}


def test_a_tripped_guardrail_stops_the_kernel_survives_the_agent_and_lets_go() -> None:
    node = Node()
    node.turn(100, split=0)
    free = node.quotas()
    tripped = node.turn(110, split=500)
    assert node.quotas() == {4_096}
    assert [one.reason for one in tripped.tripped] == ["HugePageSplits"]
    held = node.turn(300, split=500, restarted=True)
    assert (held.steps, node.quotas()) == ((), {4_096})
    assert [one.reason for one in held.tripped] == ["HugePageSplits"]
    over = node.turn(410, split=500)
    assert (over.tripped, node.quotas()) == ((), free)
    assert node.turn(415, split=500).steps == ()


def test_stopping_and_resuming_are_commits() -> None:
    node = Node()
    node.turn(100, split=0)
    pids = [kdamond.pid for kdamond in node.kernel.running.values()]
    node.turn(110, split=500)
    node.turn(500, split=500)
    assert [kdamond.pid for kdamond in node.kernel.running.values()] == pids


def test_a_full_slow_nid_reaches_the_plan() -> None:
    node = Node()
    where = guest()
    full = tuple(dataclasses.replace(nid, free_bytes=0) if nid.nid == 1 else nid for nid in where.nids)
    plan = node.engine.plan(settings(), dataclasses.replace(where, nids=full))
    assert [one.reason for one in plan.tripped] == ["SlowFreeMin"]
    assert "nid 1 has 0% free" in plan.tripped[0].message


def test_a_slow_nid_that_is_about_at_its_guardrail_counts_as_full() -> None:
    flows = tuple(flow for one in desired(settings(), guest(), EVERYTHING).kdamonds for flow in one.flows)
    assert [one.reason for one in full_nids(rails(slow_free_min="9.9%"), flows)] == ["SlowFreeMin"]
    assert list(full_nids(rails(slow_free_min="9.7%"), flows)) == []
    assert [one.reason for one in full_nids(rails(fast_free_min="10%"), flows)] == ["FastFreeMin"]
    assert list(full_nids(rails(fast_free_min="9.9%"), flows)) == []


def test_in_mode_observe_no_guardrail_is_hit_and_a_cooldown_says_nothing() -> None:
    node = Node()
    node.turn(100, split=0)
    words = node.engine.plan_observe(settings(), guest()).words
    node.kernel.put("/proc/uptime", "110.00 1.00")
    node.kernel.put("/proc/vmstat", "thp_migration_success 0\nthp_migration_split 500")
    observing = node.engine.plan_observe(settings(), guest())
    assert not any(isinstance(step, CoolDown) for step in observing.steps)
    cooldown = Cooldown(reason="HugePageSplits", message="why", until_s=900)
    node.journal.save(dataclasses.replace(node.journal.load(), cooldown=cooldown))
    observing = node.engine.plan_observe(settings(), guest())
    assert observing.words == words
    node.engine.apply(observing)
    assert node.journal.load().cooldown is None


def test_what_is_stopped_cools_down_no_longer() -> None:
    node = Node()
    node.turn(100, split=0)
    node.turn(110, split=500)
    node.engine.apply(node.engine.plan_stop())
    assert node.journal.load().cooldown is None
    assert node.engine.plan_stop().steps == ()
    assert node.turn(120, split=500).tripped == ()


def churning(
    node: Node, *, turns: int, mib: int = 60, guards: Guardrails | None = None, free_mib: int = 105, start: int = 1_000
) -> list[Plan]:
    """Takes turns of ten seconds in which as much goes up as comes down."""
    fast = dataclasses.replace(guest().nid(0), free_bytes=free_mib * MIB)
    where = dataclasses.replace(guest(), nids=(fast, guest().nid(1)))
    plans = []
    for turn in range(turns):
        node.kernel.put("/proc/uptime", f"{start + 10 * turn}.00 1.00")
        for kdamond in node.kernel.running:
            node.kernel.count(kdamond, sz_applied=mib * MIB)
        node.engine.verify()
        plans.append(node.engine.plan(settings(guardrails=guards), where))
        node.engine.apply(plans[-1])
    return plans


def trips(plans: list[Plan]) -> list[str]:
    return [tripped.reason for plan in plans for tripped in plan.tripped]


def test_promotion_and_demotion_that_undo_each_other_are_stopped() -> None:
    node = Node()
    *before, last = churning(node, turns=32)
    assert (trips(before[:30]), trips([last])) == ([], ["Churn"])
    assert "undo each other" in last.tripped[0].message
    assert node.quotas() == {4_096}


@pytest.mark.parametrize(
    ("mib", "guards", "free_mib"),
    [(40, rails(), 105), (60, rails(enabled=False), 105), (60, rails(), 70)],
    ids=["less than the share", "the guardrail is down", "somebody allocates"],
)
def test_other_moving_goes_on(mib: int, guards: Guardrails, free_mib: int) -> None:
    node = Node()
    assert trips(churning(node, turns=40, mib=mib, guards=guards, free_mib=free_mib)) == []
    assert 4_096 not in node.quotas()


def test_what_was_exchanged_before_a_cooldown_does_not_count_after_it() -> None:
    node, guards = Node(), rails(cooldown="1m")
    assert trips(churning(node, turns=32, guards=guards))
    assert trips(churning(node, turns=25, guards=guards, start=1_400)) == []
    assert trips(churning(node, turns=10, guards=guards, start=1_650))
