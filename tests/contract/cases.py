"""What kernels accept, refuse and remember, each case as a script on a `HostFs` that is as the kernel booted.

Every case holds on the simulated kernel and on a real one (kernel.md sections 3 and 4), and cleans up after itself.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from terrace_agent.damon.patience import Patience
from terrace_agent.damon.read import TreeReader
from terrace_agent.damon.stores import NR_KDAMONDS, kdamond_path, kdamond_stores
from terrace_agent.damon.tree import (
    Context,
    Filter,
    FilterType,
    Kdamond,
    Operations,
    QuotaGoal,
    Quotas,
    Region,
    Scheme,
    Target,
)
from terrace_agent.errors import StoreRefused
from terrace_agent.hostfs import HostFs

ROOT = kdamond_path(0)
CONTEXT = f"{ROOT}/contexts/0"
SCHEME = f"{CONTEXT}/schemes/0"
STATE = f"{ROOT}/state"
INTERVALS = f"{CONTEXT}/monitoring_attrs/intervals"
DAMON_STAT = "/sys/module/damon_stat/parameters/enabled"
MIB = 1 << 20


def refusal(fs: HostFs, path: str, value: str) -> int | None:
    """Returns the errno with which the store is refused, None if it is not."""
    try:
        fs.store(path, value)
    except StoreRefused as error:
        return error.errno
    return None


@contextmanager
def staged(fs: HostFs, scheme: Scheme | None = None) -> Iterator[None]:
    """Stages one kdamond on part of the physical memory, and takes everything away again."""
    target = Target(regions=(Region(start=16 * MIB, end=64 * MIB),))
    context = Context(operations=Operations.PADDR, targets=(target,), schemes=(scheme,) if scheme else ())
    before = fs.read(DAMON_STAT)
    fs.store(DAMON_STAT, "N")
    fs.store(NR_KDAMONDS, "1")
    for store in kdamond_stores(Kdamond(contexts=(context,)), 0):
        fs.store(store.path, store.value)
    try:
        yield
    finally:
        refusal(fs, STATE, "off")
        fs.store(NR_KDAMONDS, "0")
        fs.store(DAMON_STAT, before)


@contextmanager
def running(fs: HostFs, scheme: Scheme | None = None) -> Iterator[None]:
    """Runs one kdamond."""
    with staged(fs, scheme):
        fs.store(STATE, "on")
        yield


def memcg(path: str) -> Filter:
    """Returns a filter that lets the pages of one cgroup through."""
    return Filter(type=FilterType.MEMCG, matching=True, allow=True, memcg_path=path)


def fresh_directories_hold_what_the_tree_has_as_defaults(fs: HostFs) -> None:
    fs.store(NR_KDAMONDS, "1")
    for path in (
        f"{ROOT}/contexts/nr_contexts",
        f"{CONTEXT}/targets/nr_targets",
        f"{CONTEXT}/targets/0/regions/nr_regions",
        f"{CONTEXT}/schemes/nr_schemes",
        f"{SCHEME}/quotas/goals/nr_goals",
        f"{SCHEME}/ops_filters/nr_filters",
    ):
        fs.store(path, "1")
    found = TreeReader(fs, Patience()).kdamond(0)
    fs.store(NR_KDAMONDS, "0")
    scheme = Scheme(quotas=Quotas(goals=(QuotaGoal(),)), ops_filters=(Filter(),))
    context = Context(targets=(Target(regions=(Region(),)),), schemes=(scheme,))
    assert (found.tree, found.on, found.pid) == (Kdamond(contexts=(context,)), False, None)


def keywords_of_other_kernels_are_invalid(fs: HostFs) -> None:
    with staged(fs, Scheme(quotas=Quotas(goals=(QuotaGoal(),)))):
        for file in ("action", "quotas/goal_tuner", "quotas/goals/0/target_metric", "watermarks/metric"):
            assert refusal(fs, f"{SCHEME}/{file}", "no_such_keyword") == errno.EINVAL, file


def a_filter_type_in_the_wrong_directory_is_invalid(fs: HostFs) -> None:
    with staged(fs, Scheme(ops_filters=(Filter(),), core_filters=(Filter(type=FilterType.ADDR),))):
        assert refusal(fs, f"{SCHEME}/ops_filters/0/type", "addr") == errno.EINVAL
        assert refusal(fs, f"{SCHEME}/core_filters/0/type", "young") == errno.EINVAL


def a_kdamond_has_one_context_and_one_physical_target(fs: HostFs) -> None:
    with staged(fs):
        assert refusal(fs, f"{ROOT}/contexts/nr_contexts", "2") == errno.EINVAL
        assert refusal(fs, f"{CONTEXT}/targets/nr_targets", "2") == errno.EINVAL


def read_only_files_refuse_stores(fs: HostFs) -> None:
    with staged(fs):
        assert refusal(fs, f"{ROOT}/pid", "1") in {errno.EACCES, errno.EPERM}


def counting_directories_anew_empties_them(fs: HostFs) -> None:
    with staged(fs, Scheme(target_nid=1)):
        fs.store(f"{CONTEXT}/schemes/nr_schemes", "1")
        assert fs.read(f"{SCHEME}/target_nid") == "-1"


def nothing_can_be_resized_while_a_kdamond_runs(fs: HostFs) -> None:
    with running(fs):
        assert refusal(fs, NR_KDAMONDS, "1") == errno.EBUSY
        assert refusal(fs, NR_KDAMONDS, "0") == errno.EBUSY


def damon_stat_tolerates_no_other_and_is_not_tolerated(fs: HostFs) -> None:
    with staged(fs):
        fs.store(DAMON_STAT, "Y")
        assert refusal(fs, STATE, "on") == errno.EBUSY
        fs.store(DAMON_STAT, "N")
        fs.store(STATE, "on")
        assert refusal(fs, DAMON_STAT, "Y") == errno.EBUSY
        assert fs.read(DAMON_STAT) == "N"


def a_running_kdamond_has_a_pid_until_it_is_off(fs: HostFs) -> None:
    with running(fs):
        assert fs.read(STATE) == "on"
        assert int(fs.read(f"{ROOT}/pid")) > 0
        assert refusal(fs, STATE, "on") == errno.EBUSY
        fs.store(STATE, "off")
        assert (fs.read(STATE), fs.read(f"{ROOT}/pid")) == ("off", "-1")


def commands_to_a_kdamond_that_is_off_are_refused(fs: HostFs) -> None:
    with staged(fs):
        assert refusal(fs, STATE, "off") == errno.EINVAL
        assert refusal(fs, STATE, "update_schemes_stats") == errno.EINVAL
        fs.store(STATE, "on")
        fs.store(STATE, "off")
        assert refusal(fs, STATE, "update_schemes_stats") == errno.ECANCELED
        assert refusal(fs, STATE, "commit") == errno.ECANCELED


def an_unknown_command_is_invalid(fs: HostFs) -> None:
    with running(fs):
        assert refusal(fs, STATE, "dance") == errno.EINVAL


def an_invalid_tree_is_not_switched_on(fs: HostFs) -> None:
    with staged(fs):
        fs.store(f"{INTERVALS}/aggr_us", "1000")
        assert refusal(fs, STATE, "on") == errno.EINVAL
        assert fs.read(STATE) == "off"


def an_invalid_commit_is_refused_and_the_kdamond_goes_on(fs: HostFs) -> None:
    with running(fs):
        pid = fs.read(f"{ROOT}/pid")
        fs.store(f"{CONTEXT}/monitoring_attrs/nr_regions/min", "2")
        assert refusal(fs, STATE, "commit") == errno.EINVAL
        assert (fs.read(STATE), fs.read(f"{ROOT}/pid")) == ("on", pid)


def a_sampling_interval_outside_of_its_bounds_is_refused(fs: HostFs) -> None:
    with running(fs):
        for file, value in (("access_bp", 400), ("aggrs", 3), ("min_sample_us", 10_000), ("max_sample_us", 20_000)):
            fs.store(f"{INTERVALS}/intervals_goal/{file}", str(value))
        assert refusal(fs, STATE, "commit") == errno.EINVAL


def staged_is_not_running_until_it_is_committed(fs: HostFs) -> None:
    with running(fs):
        fs.store(f"{INTERVALS}/sample_us", "7000")
        fs.store(STATE, "update_tuned_intervals")
        assert fs.read(f"{INTERVALS}/sample_us") == "5000"
        fs.store(f"{INTERVALS}/sample_us", "7000")
        pid = fs.read(f"{ROOT}/pid")
        fs.store(STATE, "commit")
        fs.store(f"{INTERVALS}/sample_us", "5000")
        fs.store(STATE, "update_tuned_intervals")
        assert fs.read(f"{INTERVALS}/sample_us") == "7000"
        assert fs.read(f"{ROOT}/pid") == pid


def a_cgroup_that_is_not_there_refuses_everything(fs: HostFs) -> None:
    with staged(fs, Scheme(ops_filters=(memcg("/no/such/cgroup"),))):
        assert refusal(fs, STATE, "on") == errno.ENOMEM
        assert fs.read(STATE) == "off"
    with running(fs, Scheme(ops_filters=(memcg("/"),))):
        pid = fs.read(f"{ROOT}/pid")
        fs.store(f"{SCHEME}/ops_filters/0/memcg_path", "/no/such/cgroup")
        assert refusal(fs, STATE, "commit") == errno.ENOMEM
        assert (fs.read(STATE), fs.read(f"{ROOT}/pid")) == ("on", pid)


def a_filter_keeps_its_path_when_its_type_changes(fs: HostFs) -> None:
    with staged(fs, Scheme(ops_filters=(memcg("/"),))):
        fs.store(f"{SCHEME}/ops_filters/0/type", "anon")
        assert fs.read(f"{SCHEME}/ops_filters/0/memcg_path") == "/"


def the_tree_survives_off_and_on(fs: HostFs) -> None:
    with running(fs, Scheme(target_nid=1)):
        fs.store(STATE, "off")
        assert fs.read(f"{SCHEME}/target_nid") == "1"
        fs.store(STATE, "on")
        assert fs.read(STATE) == "on"


CASES: tuple[Callable[[HostFs], None], ...] = (
    fresh_directories_hold_what_the_tree_has_as_defaults,
    keywords_of_other_kernels_are_invalid,
    a_filter_type_in_the_wrong_directory_is_invalid,
    a_kdamond_has_one_context_and_one_physical_target,
    read_only_files_refuse_stores,
    counting_directories_anew_empties_them,
    nothing_can_be_resized_while_a_kdamond_runs,
    damon_stat_tolerates_no_other_and_is_not_tolerated,
    a_running_kdamond_has_a_pid_until_it_is_off,
    commands_to_a_kdamond_that_is_off_are_refused,
    an_unknown_command_is_invalid,
    an_invalid_tree_is_not_switched_on,
    an_invalid_commit_is_refused_and_the_kdamond_goes_on,
    a_sampling_interval_outside_of_its_bounds_is_refused,
    staged_is_not_running_until_it_is_committed,
    a_cgroup_that_is_not_there_refuses_everything,
    a_filter_keeps_its_path_when_its_type_changes,
    the_tree_survives_off_and_on,
)
