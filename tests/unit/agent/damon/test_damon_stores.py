"""A tree becomes stores in the one order that the kernel takes, and comes back as it went."""

import gc
from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import settings as no_deadline
from hypothesis import strategies as st

from simkernel import LINUX_7_2, SimKernel
from terrace_agent.damon.desired import desired
from terrace_agent.damon.patience import Patience
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.stores import NR_KDAMONDS, differing, kdamond_stores
from terrace_agent.damon.tree import Action, Context, Filter, FilterType, Kdamond, QuotaGoal, Quotas, Scheme
from terrace_agent.steps import Store
from terrace_agent.workloads.values import Cgroup, Movable
from unit.agent.damon.builders import EVERYTHING, MemoryJournal, engine_on, guest, settings

ROOT = "/sys/kernel/mm/damon/admin/kdamonds/0"
SCHEME = f"{ROOT}/contexts/0/schemes/0"


def one_scheme(scheme: Scheme) -> Kdamond:
    return Kdamond(contexts=(Context(schemes=(scheme,)),))


def read_back(kernel: SimKernel) -> Kdamond | None:
    return TreeReader(kernel, Patience(sleep=lambda _: None)).kdamond(0).tree


def test_a_directory_is_counted_before_its_children_are_stored() -> None:
    tree = one_scheme(Scheme(quotas=Quotas(goals=(QuotaGoal(), QuotaGoal())), ops_filters=(Filter(),)))
    made: set[str] = {ROOT}
    for store in kdamond_stores(tree, 0):
        numbered = [str(parent) for parent in PurePosixPath(store.path).parents if parent.name.isdecimal()]
        assert all(directory in made for directory in numbered), store
        if store.path.rpartition("/")[2] in {"nr_contexts", "nr_schemes", "nr_goals", "nr_filters", "nr_targets"}:
            made |= {f"{store.path.rpartition('/')[0]}/{number}" for number in range(int(store.value))}


def test_the_command_file_is_no_part_of_a_tree() -> None:
    assert not [store for store in kdamond_stores(Kdamond(), 0) if store.path.endswith("/state")]


def test_a_file_that_the_kernel_does_not_have_is_not_stored() -> None:
    tree = one_scheme(Scheme(quotas=Quotas(goal_tuner=None), ops_filters=None))
    paths = [store.path for store in kdamond_stores(tree, 0)]
    assert not [path for path in paths if "goal_tuner" in path or "ops_filters" in path]


def test_booleans_and_keywords_are_spelled_as_the_kernel_spells_them() -> None:
    tree = one_scheme(
        Scheme(action=Action.MIGRATE_HOT, ops_filters=(Filter(type=FilterType.YOUNG, matching=True, allow=False),))
    )
    values = {store.path: store.value for store in kdamond_stores(tree, 0)}
    assert values[f"{SCHEME}/action"] == "migrate_hot"
    assert values[f"{SCHEME}/ops_filters/0/matching"] == "Y"
    assert values[f"{SCHEME}/ops_filters/0/allow"] == "N"


def test_what_is_stored_is_read_back_unchanged() -> None:
    for wanted in desired(settings(), guest(), EVERYTHING).kdamonds:
        kernel = SimKernel(LINUX_7_2)
        kernel.store(NR_KDAMONDS, "1")
        for store in kdamond_stores(wanted.tree, 0):
            kernel.store(store.path, store.value)
        found = read_back(kernel)
        assert found
        assert set(kdamond_stores(wanted.tree, 0)) <= set(kdamond_stores(found, 0))


def test_nothing_differs_from_itself() -> None:
    stores = kdamond_stores(one_scheme(Scheme()), 0)
    assert differing(stores, {store.path: store.value for store in stores}) == ()


def test_one_changed_value_is_one_store() -> None:
    stores = kdamond_stores(one_scheme(Scheme(target_nid=1)), 0)
    present = {store.path: store.value for store in stores} | {f"{SCHEME}/target_nid": "0"}
    assert differing(stores, present) == (Store(path=f"{SCHEME}/target_nid", value="1"),)


def test_a_directory_that_is_counted_anew_is_stored_whole() -> None:
    stores = kdamond_stores(one_scheme(Scheme(quotas=Quotas(goals=(QuotaGoal(), QuotaGoal())))), 0)
    present = {store.path: store.value for store in stores} | {f"{SCHEME}/quotas/goals/nr_goals": "1"}
    goals = tuple(store for store in stores if store.path.startswith(f"{SCHEME}/quotas/goals/"))
    assert differing(stores, present) == goals


@no_deadline(deadline=None)
@given(st.lists(st.sampled_from([Action.MIGRATE_HOT, Action.MIGRATE_COLD]), max_size=3), st.integers(0, 3))
def test_the_differing_stores_make_any_tree_the_wanted_one(actions: list[Action], schemes_before: int) -> None:
    kernel = SimKernel(LINUX_7_2)
    kernel.store(NR_KDAMONDS, "1")
    before = Kdamond(contexts=(Context(schemes=(Scheme(),) * schemes_before),))
    wanted = kdamond_stores(Kdamond(contexts=(Context(schemes=tuple(Scheme(action=a) for a in actions)),)), 0)
    for store in kdamond_stores(before, 0):
        if kernel.exists(store.path):
            kernel.store(store.path, store.value)
    found = read_back(kernel)
    assert found
    present = {store.path: store.value for store in kdamond_stores(found, 0)}
    for store in differing(wanted, present):
        kernel.store(store.path, store.value)
    assert {store.path: kernel.read(store.path) for store in wanted} == {s.path: s.value for s in wanted}


def kept() -> int:
    """Returns how many stores there are that somebody holds."""
    gc.collect()
    return sum(type(one) is Store for one in gc.get_objects())


def test_looks_at_intervals_that_the_kernel_tunes_leave_nothing_behind() -> None:
    kernel = SimKernel(LINUX_7_2)
    engine = engine_on(kernel, MemoryJournal())
    engine.apply(engine.plan(settings(), guest()))
    held = []
    for look in range(10):
        for running in kernel.running.values():
            running.intervals = (5_000 + look, 100_000 + 20 * look)
        engine.apply(engine.plan(settings(), guest()))
        engine.verify()
        held.append(kept())
    assert held[-1] <= held[0]


def test_lists_of_cgroups_that_change_leave_no_more_behind_than_a_few_trees() -> None:
    names = [f"/{look}" for look in range(30)]
    kernel = SimKernel(LINUX_7_2)
    for path in ("/", *names):
        kernel.make_cgroup(path)
    engine = engine_on(kernel, MemoryJournal())
    for path in names:
        movable = Movable(listed=True, allowed=(Cgroup(path="/"), Cgroup(path=path)))
        engine.apply(engine.plan(settings(), guest(), movable))
    found = read_back(kernel)
    assert found
    assert kept() <= 10 * len(kdamond_stores(found, 0))
