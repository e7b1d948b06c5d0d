"""Settings and topology become one tree per source nid."""

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as no_deadline
from hypothesis import strategies as st

from terrace_agent.damon.cadence import CurrentIntervals
from terrace_agent.damon.control import Grant, Usage
from terrace_agent.damon.desired import Desired, desired
from terrace_agent.damon.features import Feature
from terrace_agent.damon.seen import Seen
from terrace_agent.damon.stores import kdamond_stores
from terrace_agent.damon.tree import (
    Action,
    Filter,
    FilterType,
    GoalMetric,
    GoalTuner,
    Operations,
    Range,
    Region,
    Scheme,
)
from terrace_agent.errors import SettingsRejected
from terrace_agent.flows.limits import BP
from terrace_agent.topology.values import Topology
from terrace_api.node_tiering import QuotaControl
from terrace_api.policy import AddressRange, PageCache, Regions, Settings
from terrace_api.units import Duration, Size
from unit.agent.damon.builders import EVERYTHING, GIB, MIB, guest, nid, rails, settings, three_tiers, topology

NEAR_0, NEAR_1 = {0: 10, 1: 20, 2: 14, 3: 24}, {0: 20, 1: 10, 2: 24, 3: 14}


def on(where: Topology, chosen: Settings | None = None, features: frozenset[Feature] = EVERYTHING) -> Desired:
    return desired(chosen or settings(), where, features)


def schemes(found: Desired) -> dict[tuple[int, Action], Scheme]:
    return {
        (kdamond.source_nid, scheme.action): scheme
        for kdamond in found.kdamonds
        for scheme in kdamond.tree.contexts[0].schemes
        if scheme.action in {Action.MIGRATE_HOT, Action.MIGRATE_COLD}
    }


def two_sockets() -> Topology:
    return topology(
        (nid(0, 64 * GIB, distances=NEAR_0), nid(1, 64 * GIB, start=64 * GIB, distances=NEAR_1)),
        (
            nid(2, 128 * GIB, start=128 * GIB, distances={0: 14, 1: 24, 2: 10, 3: 28}),
            nid(3, 128 * GIB, start=256 * GIB, distances={0: 24, 1: 14, 2: 28, 3: 10}),
        ),
    )


def test_each_source_nid_gets_one_kdamond_of_physical_memory() -> None:
    found = on(guest())
    assert [kdamond.source_nid for kdamond in found.kdamonds] == [0, 1]
    assert {kdamond.tree.contexts[0].operations for kdamond in found.kdamonds} == {Operations.PADDR}


def test_hot_goes_to_the_fast_nid_and_cold_to_the_slow_one() -> None:
    found = schemes(on(guest()))
    assert found[1, Action.MIGRATE_HOT].target_nid == 0
    assert found[0, Action.MIGRATE_COLD].target_nid == 1


def test_on_two_sockets_each_nid_goes_to_its_neighbour() -> None:
    targets = {key: scheme.target_nid for key, scheme in schemes(on(two_sockets())).items()}
    assert targets == {
        (0, Action.MIGRATE_COLD): 2,
        (1, Action.MIGRATE_COLD): 3,
        (2, Action.MIGRATE_HOT): 0,
        (3, Action.MIGRATE_HOT): 1,
    }


def test_a_middle_tier_goes_both_ways_in_one_kdamond() -> None:
    found = on(three_tiers())
    assert len(found.kdamonds) == 3
    assert [scheme.action for scheme in found.kdamonds[1].tree.contexts[0].schemes] == [
        Action.MIGRATE_HOT,
        Action.MIGRATE_COLD,
        Action.STAT,
    ]


@no_deadline(deadline=None)
@given(
    st.lists(st.integers(1, 4_000), min_size=2, max_size=6), st.integers(0, 64), st.sampled_from(["0.01%", "1%", "9%"])
)
def test_a_full_middle_nid_makes_room_for_what_comes_down_and_promotion_leaves_it_that_room(
    sizes: list[int], floor_gib: int, slow_free_min: str
) -> None:
    distances = {0: 10, 1: 10, 2: 10, 3: 10, 4: 15, 5: 20}
    fast = tuple(nid(number, size * GIB, distances=distances) for number, size in enumerate(sizes[2:]))
    middle = nid(4, sizes[0] * GIB, start=2**45, floor_bytes=min(floor_gib, sizes[0] // 2) * GIB, distances=distances)
    slow = nid(5, sizes[1] * GIB, start=2**46, distances=distances)
    where = topology((nid(7, GIB, start=2**47), *fast), (middle,), (slow,))
    found = desired(settings(guardrails=rails(slow_free_min=slow_free_min)), where, EVERYTHING)
    flows = [flow for kdamond in found.kdamonds for flow in kdamond.flows]
    (out,) = (flow for flow in flows if flow.pair.source.nid == 4 and not flow.pair.promotes)
    (up,) = (flow for flow in flows if flow.pair.target.nid == 4 and flow.pair.promotes)
    down = [flow for flow in flows if flow.pair.target.nid == 4 and not flow.pair.promotes]
    (down_stops_bp,) = {BP - flow.slow_used_bp for flow in down}
    assert out.stops.demotion_free_bp > up.stops.promotion_free_bp >= down_stops_bp
    arriving = up.window.bytes + sum(flow.window.bytes for flow in down)
    assert down_stops_bp * middle.total_bytes >= BP * (middle.floor_bytes + arriving)


def test_two_sources_of_one_target_share_its_window() -> None:
    slow = {0: 20, 1: 10, 2: 30}
    where = topology(
        (nid(0, 64 * GIB, distances=NEAR_0),),
        (nid(1, 64 * GIB, start=64 * GIB, distances=slow), nid(2, 64 * GIB, start=128 * GIB, distances=slow)),
    )
    found = schemes(on(where))
    assert found[1, Action.MIGRATE_HOT].quotas.bytes == found[2, Action.MIGRATE_HOT].quotas.bytes == 10 * MIB
    assert found[0, Action.MIGRATE_COLD].quotas.bytes == 20 * MIB


def test_only_young_pages_go_up_and_only_others_go_down() -> None:
    found = schemes(on(guest()))
    assert found[1, Action.MIGRATE_HOT].ops_filters == (Filter(type=FilterType.YOUNG, matching=True, allow=True),)
    assert found[0, Action.MIGRATE_COLD].ops_filters == (
        Filter(type=FilterType.UNMAPPED, matching=True, allow=False),
        Filter(type=FilterType.YOUNG, matching=True, allow=False),
    )


@pytest.mark.parametrize(
    ("wish", "features", "filters"),
    [
        (PageCache.INCLUDE, EVERYTHING, []),
        (PageCache.MAPPED_ONLY, EVERYTHING, [(FilterType.UNMAPPED, True)]),
        (PageCache.MAPPED_ONLY, EVERYTHING - {Feature.UNMAPPED}, [(FilterType.ANON, False)]),
        (PageCache.EXCLUDE, EVERYTHING, [(FilterType.ANON, False)]),
    ],
)
def test_page_cache_stays_as_the_policy_wishes_and_the_kernel_can(
    wish: PageCache, features: frozenset[Feature], filters: list[tuple[FilterType, bool]]
) -> None:
    scheme = schemes(on(guest(), settings(page_cache=wish, young_filter=False), features))[0, Action.MIGRATE_COLD]
    assert [(one.type, one.matching) for one in scheme.ops_filters or ()] == filters
    assert not any(one.allow for one in scheme.ops_filters or ())


def test_page_cache_has_no_say_in_promotion() -> None:
    found = schemes(on(guest(), settings(page_cache=PageCache.EXCLUDE, young_filter=False)))
    assert found[1, Action.MIGRATE_HOT].ops_filters == ()


def test_a_kernel_that_cannot_tell_mapped_pages_is_said() -> None:
    effective = on(guest(), features=EVERYTHING - {Feature.UNMAPPED}).effective
    assert effective
    assert any("MappedOnly" in note and "no page cache is demoted" in note for note in effective.notes)
    can = on(guest()).effective
    assert can
    assert not any("pageCache" in note for note in can.notes)


def test_where_filters_only_reject_promotion_rejects_what_is_not_young() -> None:
    lacking = {Feature.OPS_FILTERS, Feature.ALLOW_FILTERS, Feature.UNMAPPED}
    found = schemes(on(guest(), features=EVERYTHING - lacking))
    assert found[1, Action.MIGRATE_HOT].filters == (Filter(type=FilterType.YOUNG, matching=False, allow=None),)
    assert found[0, Action.MIGRATE_COLD].filters == (
        Filter(type=FilterType.ANON, matching=False, allow=None),
        Filter(type=FilterType.YOUNG, matching=True, allow=None),
    )


@pytest.mark.parametrize("lacking", [{Feature.TEMPORAL}, {Feature.TEMPORAL, Feature.NODE_GOALS}])
def test_where_goals_do_not_stop_the_agent_hands_out_amounts(lacking: set[Feature]) -> None:
    found = on(guest(), features=EVERYTHING - lacking)
    scheme = schemes(found)[1, Action.MIGRATE_HOT]
    quotas = scheme.quotas
    assert (quotas.goals, quotas.goal_tuner, quotas.ms) == ((), None, 0)
    assert 0 < quotas.bytes <= 100 * MIB
    assert (scheme.access_pattern.sz, quotas.reset_interval_ms) == (Range(), 0)
    assert found.effective
    assert found.effective.quota_control is QuotaControl.AGENT_LOOP
    assert any("hands out allowances" in note for note in found.effective.notes)


def test_a_kernel_that_stops_at_goals_is_left_to_steer() -> None:
    found = on(guest()).effective
    assert found
    assert found.quota_control is QuotaControl.TEMPORAL


@pytest.mark.parametrize("found", [Seen(under_pressure=True), Seen(cools_down=True)])
def test_where_goals_do_not_stop_nothing_is_allowed_while_a_guardrail_is_hit(found: Seen) -> None:
    used = Usage(bytes=MIB)
    open_ = {(1, True): Grant(bytes=MIB, is_open=True, is_effective=True, last=used)}
    held = desired(settings(), guest(), EVERYTHING - {Feature.TEMPORAL}, replace(found, grants=open_))
    movers = [scheme for (_, action), scheme in schemes(held).items() if action is not Action.STAT]
    assert [scheme.access_pattern.sz for scheme in movers] == [Range(), Range()]
    assert [kdamond.directions for kdamond in held.kdamonds] == [((False, 1),), ((True, 0),)]


def test_where_the_kernel_steers_pressure_is_left_to_its_goals() -> None:
    assert desired(settings(), guest(), EVERYTHING, Seen(under_pressure=True)) == desired(
        settings(), guest(), EVERYTHING
    )


def test_who_holds_the_pressure_is_said_where_goals_do_not() -> None:
    for features, said in ((EVERYTHING, False), (EVERYTHING - {Feature.TEMPORAL}, True)):
        effective = on(guest(), features=features).effective
        assert effective
        assert any("memoryPressureMax" in note for note in effective.notes) is said


def test_a_filter_that_allows_has_no_place_where_the_rest_would_be_accepted() -> None:
    found = schemes(on(guest(), features=EVERYTHING - {Feature.OPS_FILTERS}))
    assert not any(one.allow for scheme in found.values() for one in scheme.filters or ())


def test_without_ops_filters_the_young_filter_goes_where_this_kernel_has_it() -> None:
    found = schemes(on(guest(), features=EVERYTHING - {Feature.OPS_FILTERS}))
    scheme = found[1, Action.MIGRATE_HOT]
    assert (scheme.ops_filters, scheme.core_filters) == (None, None)
    assert scheme.filters == (Filter(type=FilterType.YOUNG, matching=False, allow=False),)


def test_the_young_filter_can_be_left_out() -> None:
    assert schemes(on(guest(), settings(young_filter=False)))[1, Action.MIGRATE_HOT].ops_filters == ()


def test_demotion_also_stops_where_its_target_needs_its_memory() -> None:
    goals = schemes(on(guest()))[0, Action.MIGRATE_COLD].quotas.goals
    assert [(goal.target_metric, goal.nid) for goal in goals[:2]] == [
        (GoalMetric.NODE_MEM_FREE_BP, 0),
        (GoalMetric.NODE_MEM_USED_BP, 1),
    ]
    assert 9_000 < goals[1].target_value < 9_500


def test_both_directions_stop_in_windows_in_which_tasks_wait_for_memory() -> None:
    found = schemes(on(guest(), settings(guardrails=rails(memory_pressure_max="10%"))))
    stops = [
        (goal.target_value, scheme.quotas.reset_interval_ms)
        for scheme in found.values()
        for goal in scheme.quotas.goals
        if goal.target_metric is GoalMetric.SOME_MEM_PSI_US
    ]
    assert stops == [(20_000, 200), (20_000, 200)]


def test_guardrails_on_free_memory_bound_the_goals() -> None:
    bounded = schemes(on(guest(), settings(guardrails=rails(fast_free_min="20%", slow_free_min="30%"))))
    assert bounded[1, Action.MIGRATE_HOT].quotas.goals[0].target_value == 8_000
    free, used = bounded[0, Action.MIGRATE_COLD].quotas.goals[:2]
    assert free.target_value > 2_000
    assert used.target_value == 7_000


def test_guardrails_that_are_down_leave_what_the_kernel_needs() -> None:
    down = schemes(on(guest(), settings(guardrails=rails(enabled=False, fast_free_min="20%", slow_free_min="30%"))))
    assert down[1, Action.MIGRATE_HOT].quotas.goals[0].target_value == 9_368
    assert [goal.target_value for goal in down[0, Action.MIGRATE_COLD].quotas.goals] == [763, 9_101]


def test_during_a_cooldown_a_page_a_window_moves_and_monitoring_goes_on() -> None:
    before, after = (desired(settings(), guest(), EVERYTHING, Seen(cools_down=cools)) for cools in (False, True))
    quotas = {scheme.quotas.bytes for scheme in schemes(after).values()}
    assert quotas == {4_096}
    for one, other in zip(before.kdamonds, after.kdamonds, strict=True):
        assert one.tree.contexts[0].monitoring_attrs == other.tree.contexts[0].monitoring_attrs
        assert len(one.tree.contexts[0].schemes) == len(other.tree.contexts[0].schemes)


def test_quotas_follow_goals_without_a_ramp() -> None:
    assert {scheme.quotas.goal_tuner for scheme in schemes(on(guest())).values()} == {GoalTuner.TEMPORAL}


def test_pages_that_are_turned_away_are_charged_an_eighth_where_the_kernel_can() -> None:
    can, cannot = (
        schemes(on(guest(), features=features))[0, Action.MIGRATE_COLD].quotas
        for features in (EVERYTHING, EVERYTHING - {Feature.FAIL_CHARGE})
    )
    assert (can.fail_charge_num, can.fail_charge_denom) == (1, 8)
    assert (cannot.fail_charge_num, cannot.fail_charge_denom) == (None, None)


def test_accessed_bits_are_cleared_before_a_region_is_old_enough_to_move() -> None:
    moving, cleaning = on(guest()).kdamonds[0].tree.contexts[0].schemes
    assert (moving.action, moving.access_pattern.age.min) == (Action.MIGRATE_COLD, 100)
    assert (cleaning.action, cleaning.target_nid) == (Action.STAT, None)
    assert (cleaning.access_pattern.age.min, cleaning.access_pattern.age.max) == (1, 99)
    assert cleaning.ops_filters == moving.ops_filters
    assert 0 < cleaning.quotas.bytes <= 2 * moving.quotas.bytes
    assert cleaning.quotas.goals == moving.quotas.goals, "a node at rest would go on clearing bits"


def test_nothing_is_cleared_ahead_of_promotion() -> None:
    chosen = settings()
    aged = dataclasses.replace(chosen, promotion=dataclasses.replace(chosen.promotion, min_age=Duration.parse("5s")))
    (moving,) = on(guest(), aged).kdamonds[1].tree.contexts[0].schemes
    assert moving.access_pattern.age.min == 50


def test_nothing_is_cleared_where_young_pages_may_move() -> None:
    assert len(on(guest(), settings(young_filter=False)).kdamonds[0].tree.contexts[0].schemes) == 1


def test_a_direction_that_is_switched_off_has_no_kdamond() -> None:
    assert [kdamond.source_nid for kdamond in on(guest(), settings(promotion=False)).kdamonds] == [0]
    assert [kdamond.source_nid for kdamond in on(guest(), settings(demotion=False)).kdamonds] == [1]


def test_one_kdamond_refreshes_its_files_itself_and_several_are_asked() -> None:
    assert {kdamond.tree.refresh_ms for kdamond in on(guest(), settings(demotion=False)).kdamonds} == {1_000}
    assert {kdamond.tree.refresh_ms for kdamond in on(guest()).kdamonds} == {0}


def test_a_single_tier_needs_no_kdamond() -> None:
    found = on(topology((nid(0, GIB),)))
    assert (found.kdamonds, found.effective) == ((), None)


def test_monitoring_starts_at_the_first_page_and_covers_the_nids_blocks() -> None:
    (target,) = on(guest()).kdamonds[0].tree.contexts[0].targets
    assert target.regions == (Region(start=4096, end=1536 * MIB),)


def test_ranges_are_monitored_within_the_memory_of_each_nid() -> None:
    ranges = (at("1Gi", "1792Mi"), at("512Mi", "1280Mi"))
    regions = [one.tree.contexts[0].targets[0].regions for one in on(guest(), settings(ranges=ranges)).kdamonds]
    assert regions == [
        (Region(start=512 * MIB, end=1280 * MIB), Region(start=1280 * MIB, end=1536 * MIB)),
        (Region(start=1536 * MIB, end=1792 * MIB),),
    ]


def test_ranges_are_taken_in_whole_pages() -> None:
    ranges = (at("1", "1000000"), at("1600M", "1700M"))
    regions = [one.tree.contexts[0].targets[0].regions for one in on(guest(), settings(ranges=ranges)).kdamonds]
    assert regions[0] == (Region(start=4096, end=999424), Region(start=1_600_000_000, end=1536 * MIB))


@pytest.mark.parametrize(
    ("ranges", "says"),
    [
        ([("0", "1Gi"), ("8Gi", "9Gi")], "8Gi to 9Gi holds no online memory of nids 0, 1"),
        ([("0", "1Gi")], r"nothing of nid 1 \(0x60000000 to 0x80000000\) would be monitored"),
        ([("100", "200"), ("0", "2Gi")], "100 to 200 holds no online memory"),
    ],
)
def test_ranges_that_hold_nothing_are_rejected_by_name(ranges: list[tuple[str, str]], says: str) -> None:
    with pytest.raises(SettingsRejected, match=says) as caught:
        on(guest(), settings(ranges=tuple(at(*one) for one in ranges)))
    assert caught.value.reason == "RangeWithoutMemory"


def test_a_range_of_one_nid_is_enough_where_only_that_one_is_moved_from() -> None:
    found = on(guest(), settings(ranges=(at("1536Mi", "2Gi"),), demotion=False))
    assert [one.source_nid for one in found.kdamonds] == [1]


def at(start: str, end: str) -> AddressRange:
    return AddressRange(start=Size.parse(start), end=Size.parse(end))


def test_easing_halves_regions_and_doubles_the_sampling_interval_in_turns() -> None:
    attrs = [
        desired(settings(), three_tiers(), EVERYTHING, Seen(easing=steps))
        .kdamonds[-1]
        .tree.contexts[0]
        .monitoring_attrs
        for steps in range(5)
    ]
    assert [(one.nr_regions.max, one.intervals.sample_us) for one in attrs] == [
        (2_048, 5_000),
        (1_024, 5_000),
        (1_024, 10_000),
        (512, 10_000),
        (512, 20_000),
    ]
    assert {(one.intervals.aggr_us or 0) // (one.intervals.sample_us or 1) for one in attrs} == {20}
    assert [one.intervals.intervals_goal.min_sample_us for one in attrs if one.intervals.intervals_goal] == [
        5_000,
        5_000,
        10_000,
        10_000,
        20_000,
    ]


def test_easing_never_leaves_the_bounds_that_the_kernel_checks() -> None:
    for steps in range(9):
        for auto_tune in (True, False):
            chosen = settings(auto_tune=auto_tune)
            for one in desired(chosen, guest(), EVERYTHING, Seen(easing=steps)).kdamonds:
                attrs = one.tree.contexts[0].monitoring_attrs
                goal = attrs.intervals.intervals_goal
                assert 3 <= attrs.nr_regions.min <= attrs.nr_regions.max
                assert (attrs.intervals.sample_us or 0) <= (attrs.intervals.aggr_us or 0)
                if goal and goal.aggrs:
                    assert goal.min_sample_us <= (attrs.intervals.sample_us or 0) <= goal.max_sample_us


def test_regions_of_the_policy_are_eased_down_to_its_own_least() -> None:
    chosen = settings()
    monitoring = dataclasses.replace(chosen.monitoring, regions=Regions(min=400, max=1_000))
    chosen = dataclasses.replace(chosen, monitoring=monitoring)
    found = [
        desired(chosen, guest(), EVERYTHING, Seen(easing=steps))
        .kdamonds[0]
        .tree.contexts[0]
        .monitoring_attrs.nr_regions
        for steps in (0, 1, 3)
    ]
    assert [(one.min, one.max) for one in found] == [(400, 1_000), (400, 500), (400, 400)]


def test_regions_follow_the_size_of_the_nid() -> None:
    small, large = (on(where).kdamonds[-1].tree.contexts[0].monitoring_attrs for where in (guest(), three_tiers()))
    assert (small.nr_regions.min, small.nr_regions.max) == (100, 200)
    assert (large.nr_regions.min, large.nr_regions.max) == (1_024, 2_048)


def test_ages_are_counted_in_the_intervals_that_the_kernel_has_tuned() -> None:
    current = {0: CurrentIntervals(sample_us=40_000, aggr_us=800_000)}
    found = schemes(desired(settings(min_age="10s"), guest(), EVERYTHING, Seen(current=current)))
    assert found[0, Action.MIGRATE_COLD].access_pattern.age.min == 13


def test_a_nid_that_does_not_exist_is_named_with_what_exists() -> None:
    where = guest()
    broken = Topology(nids=where.nids, tiers=(where.tiers[0], topology((nid(7, GIB),)).tiers[0]))
    with pytest.raises(SettingsRejected, match=r"nid 7 .*nid 0 \(1\.5Gi\), nid 1 \(512Mi\)") as caught:
        on(broken)
    assert caught.value.reason == "NidNotFound"


def test_a_fast_tier_equal_to_the_slow_one_is_rejected() -> None:
    where = guest()
    with pytest.raises(SettingsRejected, match="nid 0 is in tiers") as caught:
        on(Topology(nids=where.nids, tiers=(where.tiers[0], where.tiers[0])))
    assert caught.value.reason == "TiersOverlap"


def test_a_bounded_goal_is_said_with_the_reason() -> None:
    effective = on(guest()).effective
    assert effective
    assert effective.fast_used_target == "93.68%"
    why = "the kernel and one quota window need 97Mi free"
    assert f"promotion.fastUsedTarget 99.6% is bounded to 93.68% on nid 0: {why}" in effective.notes


def test_a_goal_that_what_comes_down_bounds_says_so() -> None:
    effective = on(three_tiers()).effective
    assert effective
    why = "guardrails, or what comes down from a faster tier, need 655Mi free"
    assert f"promotion.fastUsedTarget 99.6% is bounded to 99% on nid 1: {why}" in effective.notes


def test_a_kernel_that_balances_nids_too_is_pointed_out() -> None:
    effective = desired(settings(), guest(), EVERYTHING, Seen(numa_balancing=2)).effective
    assert effective
    assert any("numa_balancing has bit 2" in note for note in effective.notes)


def test_the_words_say_what_moves_where_how_fast_and_until_when() -> None:
    assert on(guest()).words == (
        "demote cold pages of nid 0 to nid 1, at most 100Mi/s, while less than 7.63% of nid 0 are free and less than "
        "91.01% of nid 1 are used",
        "promote hot pages of nid 1 to nid 0, at most 100Mi/s, until 93.68% of nid 0 are used",
    )


@no_deadline(deadline=None)
@given(
    st.lists(st.integers(1, 64), min_size=2, max_size=6),
    st.integers(1, 5),
    st.dictionaries(st.integers(0, 40), st.integers(10, 254)),
)
def test_no_store_ever_names_a_nid_without_memory(sizes: list[int], fast: int, distances: dict[int, int]) -> None:
    nids = [nid(2 * number, size * GIB, distances=distances) for number, size in enumerate(sizes)]
    cut = min(fast, len(nids) - 1)
    found = on(topology(tuple(nids[:cut]), tuple(nids[cut:])))
    stored = {
        int(store.value)
        for index, kdamond in enumerate(found.kdamonds)
        for store in kdamond_stores(kdamond.tree, index)
        if store.path.endswith(("/target_nid", "/nid"))
    }
    assert stored <= {node.nid for node in nids}


def slow_samples(sample: str, *, most: str = "200ms", auto_tune: bool = True, interval: str = "1s") -> Settings:
    chosen = settings(auto_tune=auto_tune)
    tune = replace(chosen.monitoring.auto_tune, max_sample=Duration.parse(most))
    aggregation = Duration(20 * Duration.parse(sample).us)
    monitoring = replace(
        chosen.monitoring, sample_interval=Duration.parse(sample), aggregation_interval=aggregation, auto_tune=tune
    )
    return replace(chosen, monitoring=monitoring, quota=replace(chosen.quota, interval=Duration.parse(interval)))


def asked_rate(chosen: Settings, window_ms: int) -> int:
    """Returns the bytes a second of a fast nid of 64 GiB: half of 200 MiB an interval, at most 1.5 % of it a window."""
    return min(100 * MIB * 1_000 // chosen.quota.interval.ms, 64 * GIB * 15 // window_ms)


@pytest.mark.parametrize(
    ("chosen", "window_ms"),
    [
        (slow_samples("1s", auto_tune=False), 1_000),
        (slow_samples("10s", auto_tune=False), 10_000),
        (slow_samples("5ms", most="10s"), 1_000),
        (slow_samples("5ms", most="100ms"), 200),
        (slow_samples("5ms", most="10s", interval="100ms"), 200),
    ],
)
def test_no_window_is_shorter_than_a_sample_or_it_would_open_too_rarely(chosen: Settings, window_ms: int) -> None:
    where = topology((nid(0, 64 * GIB),), (nid(1, 64 * GIB, start=1 << 40),))
    for scheme in schemes(on(where, chosen)).values():
        psi = next(goal for goal in scheme.quotas.goals if goal.target_metric is GoalMetric.SOME_MEM_PSI_US)
        rate = scheme.quotas.bytes * 1_000 // scheme.quotas.reset_interval_ms
        assert scheme.quotas.reset_interval_ms == window_ms
        assert psi.target_value == window_ms * 1_000 // 5, "a fifth of the window"
        assert rate == pytest.approx(asked_rate(chosen, window_ms), rel=0.01)
