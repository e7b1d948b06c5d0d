"""Features are found by files and keywords, and a kernel without them says what is missing."""

import pytest

from simkernel import (
    LINUX_6_12,
    LINUX_6_16,
    LINUX_6_17,
    LINUX_6_19,
    LINUX_7_0,
    LINUX_7_1,
    LINUX_7_2,
    LINUX_7_3,
    NO_DAMON,
    Killed,
    Profile,
    SimKernel,
)
from terrace_agent.damon.desired import desired
from terrace_agent.damon.features import TABLE, Feature, missing
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.probe import Prober, missing_interface
from unit.agent.damon.builders import MemoryJournal, engine_on, guest, settings

NR_KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds"
ALL = frozenset(Feature)
STEERING = {Feature.TEMPORAL, Feature.FAIL_CHARGE}
BEFORE_6_19 = STEERING | {Feature.MEMCG_GOALS}
KERNELS = [
    (LINUX_6_12, {Feature.PADDR, Feature.MIGRATE, Feature.THISNODE}),
    (LINUX_6_16, ALL - BEFORE_6_19 - {Feature.REFRESH}),
    (LINUX_6_17, ALL - BEFORE_6_19 - {Feature.THISNODE}),
    (LINUX_6_19, ALL - STEERING - {Feature.THISNODE}),
    (LINUX_7_0, ALL - STEERING - {Feature.THISNODE}),
    (LINUX_7_1, ALL - {Feature.FAIL_CHARGE, Feature.THISNODE}),
    (LINUX_7_2, ALL - {Feature.THISNODE}),
    (LINUX_7_3, ALL),
]


def prober(kernel: SimKernel) -> Prober:
    return Prober(kernel, Patience(sleep=lambda _: None))


@pytest.mark.parametrize(("profile", "features"), KERNELS, ids=lambda value: getattr(value, "name", ""))
def test_each_kernels_features_are_found(profile: Profile, features: set[Feature]) -> None:
    assert prober(SimKernel(profile)).stage() == features


@pytest.mark.parametrize(("profile", "features"), KERNELS, ids=lambda value: getattr(value, "name", ""))
def test_a_tree_of_others_shows_most_of_them_without_a_store(profile: Profile, features: set[Feature]) -> None:
    kernel = SimKernel(profile)
    for path in ("nr_kdamonds", "0/contexts/nr_contexts", "0/contexts/0/schemes/nr_schemes"):
        kernel.store(f"{NR_KDAMONDS.rpartition('/')[0]}/{path}", "1")
    kernel.stored.clear()
    hidden = {Feature.THISNODE, Feature.MEMCG_GOALS} | (
        {Feature.NODE_GOALS} if Feature.TEMPORAL not in features else set()
    )
    assert prober(kernel).look() - hidden == features - hidden
    assert not kernel.stored


def test_a_kernel_without_migration_says_which_has_it() -> None:
    why = missing(ALL - {Feature.MIGRATE})
    assert why
    assert "Linux 6.11" in why.message
    assert "Debian" in why.message


def test_a_kernel_without_physical_monitoring_says_how_it_is_built() -> None:
    why = missing(ALL - {Feature.PADDR})
    assert why
    assert "CONFIG_DAMON_PADDR" in why.message


@pytest.mark.parametrize("feature", sorted(ALL - {Feature.MIGRATE, Feature.PADDR}))
def test_everything_else_can_be_done_without(feature: Feature) -> None:
    assert missing(ALL - {feature}) is None
    found = desired(settings(), guest(), ALL - {feature})
    assert [kdamond.directions for kdamond in found.kdamonds] == [((False, 1),), ((True, 0),)]
    (row,) = [row for row in TABLE if row.feature is feature]
    assert row.instead


def test_nothing_but_migration_of_physical_memory_is_needed() -> None:
    least = frozenset({Feature.MIGRATE, Feature.PADDR})
    assert missing(least) is None
    found = desired(settings(), guest(), least)
    assert [kdamond.directions for kdamond in found.kdamonds] == [((False, 1),), ((True, 0),)]


def test_the_table_has_one_row_for_each_feature() -> None:
    assert sorted(row.feature for row in TABLE) == sorted(Feature)


def test_a_kernel_without_damon_is_not_probed() -> None:
    why = missing_interface(SimKernel(NO_DAMON))
    assert why
    assert why.reason == "NoDamonSysfs"


def test_a_probe_that_was_killed_is_cleaned_up_by_the_next() -> None:
    store = 1
    while True:
        kernel, journal = SimKernel(LINUX_7_3), MemoryJournal()
        kernel.kill_after = store
        try:
            engine_on(kernel, journal).probe()
        except Killed:
            kernel.kill_after = None
        else:
            break
        assert engine_on(kernel, journal).probe().available, store
        assert kernel.read(NR_KDAMONDS) == "0"
        store += 1
    assert store > 5
