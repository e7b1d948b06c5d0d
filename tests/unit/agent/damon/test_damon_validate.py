"""Nothing that a kernel might not survive is ever staged."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.desired import desired
from terrace_agent.damon.stores import kdamond_stores, state_path
from terrace_agent.damon.tree import GoalMetric, Kdamond, QuotaGoal, Range, Region, Target, Watermarks, Weights
from terrace_agent.damon.validate import check
from terrace_agent.errors import SettingsRejected, StoreRefused
from unit.agent.damon.builders import EVERYTHING, guest, settings
from unit.agent.damon.numbers import NUMBERS, changed

NIDS = frozenset({0, 1})
GOOD = desired(settings(), guest(), EVERYTHING).kdamonds[0].tree


BAD = [
    ("contexts.0.schemes.0.target_nid", 7, "nid 7 as a target"),
    ("contexts.0.schemes.0.target_nid", -1, "nid -1 as a target"),
    ("contexts.0.schemes.0.quotas.goals.0.nid", 4096, "goal for nid 4096"),
    ("contexts.0.schemes.0.quotas.goals.0.nid", -1, "goal for nid -1"),
    ("contexts.0.schemes.0.quotas.goals.0.target_value", 0, "goal of 0 bp"),
    ("contexts.0.schemes.0.quotas.goals.0.target_value", 10_001, "goal of 10001 bp"),
    ("contexts.0.schemes.0.quotas.goals", (QuotaGoal(target_value=0),), "goal of 0"),
    (
        "contexts.0.schemes.0.quotas.goals",
        (QuotaGoal(target_metric=GoalMetric.NODE_MEMCG_USED_BP, target_value=1),),
        "goal for no cgroup",
    ),
    ("contexts.0.schemes.0.quotas.weights", Weights(sz_permil=1_001), "0 to 1000"),
    ("contexts.0.schemes.0.quotas.bytes", -1, "-1 bytes"),
    ("contexts.0.schemes.0.quotas.fail_charge_num", -1, "-1/"),
    ("contexts.0.schemes.0.quotas.fail_charge_denom", 2**32, "/4294967296 charged"),
    ("contexts.0.schemes.0.quotas.reset_interval_ms", 2**31, "quota window of 2147483648 ms"),
    ("contexts.0.schemes.0.apply_interval_us", -1, "apply interval of -1 us"),
    ("contexts.0.schemes.0.watermarks.interval_us", 2**64, "looked at every 18446744073709551616 us"),
    ("contexts.0.schemes.0.access_pattern.age", Range(min=2, max=1), "ages from 2 to 1"),
    ("contexts.0.schemes.0.access_pattern.nr_accesses", Range(min=0, max=2**32), "accesses from 0"),
    ("contexts.0.schemes.0.watermarks", Watermarks(high=100, mid=200, low=0), "watermarks"),
    ("contexts.0.monitoring_attrs.intervals.sample_us", 0, "sampling interval of 0 us"),
    ("contexts.0.monitoring_attrs.intervals.aggr_us", 1, "aggregation interval of 1 us"),
    ("contexts.0.monitoring_attrs.intervals.sample_us", 100, "outside of 5000 to 200000 us"),
    ("contexts.0.monitoring_attrs.intervals.update_us", -1, "update interval of -1 us"),
    ("contexts.0.monitoring_attrs.intervals.intervals_goal.access_bp", 2**64, "goal of intervals"),
    ("contexts.0.monitoring_attrs.nr_regions", Range(min=2, max=10), "between 2 and 10 regions"),
    ("contexts.0.monitoring_attrs.nr_regions", Range(min=20, max=10), "between 20 and 10 regions"),
    ("contexts.0.targets", (Target(),), "without a range"),
    ("contexts.0.targets.0.regions", (Region(start=8, end=8),), "range from 8 to 8"),
    ("contexts.0.targets.0.regions", (Region(start=0, end=9), Region(start=8, end=10)), "ends at 9"),
]


@pytest.mark.parametrize(("path", "value", "says"), BAD)
def test_what_no_kernel_takes_is_refused_and_named(path: str, value: object, says: str) -> None:
    with pytest.raises(SettingsRejected, match="Nothing was changed") as caught:
        check([changed(GOOD, path, value)], NIDS)
    assert says in caught.value.message


def test_what_terrace_compiles_may_be_staged() -> None:
    check([kdamond.tree for kdamond in desired(settings(), guest(), EVERYTHING).kdamonds], NIDS)


NUMBER = st.one_of(st.integers(-2, 12), st.integers(-(2**33), 2**65), st.sampled_from([9_999, 10_000, 10_001]))


@given(st.sampled_from(NUMBERS), NUMBER)
def test_what_passes_is_taken_by_the_kernel_without_harm(path: str, number: int) -> None:
    tree: Kdamond = changed(GOOD, path, number)
    try:
        check([tree], NIDS)
    except SettingsRejected:
        return
    kernel = SimKernel(replace(LINUX_7_2, bad_nid_panics=True))
    kernel.store("/sys/module/damon_stat/parameters/enabled", "N")
    kernel.store("/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds", "1")
    for store in kdamond_stores(tree, 0):
        kernel.store(store.path, store.value)
    try:
        kernel.store(state_path(0), "on")
    except StoreRefused as error:
        raise AssertionError(f"{path} = {number} was refused") from error
