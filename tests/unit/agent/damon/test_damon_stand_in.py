"""A cgroup that has gone is named no more, and nothing else may move than before."""

import itertools

import pytest

from simkernel.filters import Page, passes
from terrace_agent.damon.scope import scoped
from terrace_agent.damon.stand_in import listed, stand_ins
from terrace_agent.damon.stores import kdamond_stores
from terrace_agent.damon.tree import Context, Filter, FilterType, Kdamond, Scheme
from terrace_agent.workloads.values import Selection
from unit.agent.damon.builders import EVERYTHING

YOUNG_DOWN = Filter(type=FilterType.YOUNG, matching=True, allow=False)
CGROUPS = ("/a", "/b", "/c")
ROOT = "/sys/kernel/mm/damon/admin/kdamonds/0/"


def files_of(*lists: tuple[Filter, ...]) -> dict[str, str]:
    schemes = tuple(Scheme(ops_filters=filters) for filters in lists)
    return {store.path: store.value for store in kdamond_stores(Kdamond(contexts=(Context(schemes=schemes),)), 0)}


def allowed(*paths: str) -> tuple[Filter, ...]:
    return scoped((YOUNG_DOWN,), Selection(allowed=paths, barred=()), EVERYTHING)


def after(files: dict[str, str], *gone: str) -> dict[str, str]:
    return files | {store.path: store.value for store in stand_ins(files, gone)}


@pytest.mark.parametrize("gone", [("/a",), ("/b",), ("/c",), ("/a", "/b"), ("/b", "/c")])
def test_the_same_pages_of_those_that_are_left_pass(gone: tuple[str, ...]) -> None:
    before = files_of(allowed(*CGROUPS))
    now = after(before, *gone)
    assert not set(gone).intersection(listed(now).values())
    for memcg, young in itertools.product((*CGROUPS, "/other"), (True, False)):
        page = Page(memcg=memcg, young=young)
        expected = passes(_of_kernel(before), 0, page) and memcg not in gone
        assert passes(_of_kernel(now), 0, page) is expected, page


def _of_kernel(files: dict[str, str]) -> dict[str, str]:
    return {path.removeprefix(ROOT): value for path, value in files.items()}


def test_nobody_stands_in_from_another_list_or_with_another_meaning() -> None:
    rejected = Filter(type=FilterType.MEMCG, matching=True, allow=False, memcg_path="/b")
    files = files_of((*allowed("/a"), rejected), allowed("/c"))
    assert stand_ins(files, {"/a"}) == ()


def test_a_filter_of_all_other_cgroups_stays() -> None:
    others = [Filter(type=FilterType.MEMCG, matching=False, allow=False, memcg_path=path) for path in ("/a", "/b")]
    assert stand_ins(files_of(tuple(others)), {"/a"}) == ()


def test_where_all_have_gone_nothing_is_stored() -> None:
    assert stand_ins(files_of(allowed("/a", "/b")), {"/a", "/b"}) == ()
