"""Filters that hold a scheme to the cgroups that may move. Pure.

Before: `schemes` has the filters that look at pages (young and the like), `Movable.towards` says which cgroups. After:
`tree`.

A page goes through the list until the first filter that matches it, and that one decides; what none matches is rejected
if the last filter allows, else accepted (`damos_pa_filter_out()`, Linux mm/damon/paddr.c, and
`damos_filters_default_reject()`, mm/damon/core.c). So "young, and of these cgroups" is: reject what is not young, then
allow each cgroup. "Allow these cgroups, then allow young" would let every young page of everybody through.

A memcg filter compares with the one cgroup that a page is charged to, never with its parents, and only after a `commit`
that looks the path up. Up to 6.19 the number that it compares with may be that of another cgroup once its own has gone
(`mem_cgroup_id()`; since 7.0 it is the cgroup's own id, which is never given twice), so what has gone is dropped at the
next look.
"""

from collections.abc import Iterable

from terrace_agent.damon.features import Feature
from terrace_agent.damon.tree import Filter, FilterType
from terrace_agent.workloads.problem import Problem
from terrace_agent.workloads.values import MOST_LISTED, Selection

Filters = tuple[Filter, ...]

REJECTS_ONLY = (
    "workloads: this kernel's filters can only name what to leave alone (no ops_filters; Linux 6.15 has them), so a "
    "pod that is to be left alone is open to tiering from its start until the next look, a few seconds later, and for "
    "as long as no agent runs"
)


def scoped(filters: Filters, selection: Selection | None, features: frozenset[Feature]) -> Filters:
    """Returns `filters` held to `selection`; None leaves all memory movable.

    Args:
        filters: any number that reject, then at most one that allows.
        selection: which cgroups may move.
        features: 6.14 has filters that allow and accepts what none matches, so that no list can be made there either.
    """
    if selection is None:
        return filters
    allow = False if Feature.ALLOW_FILTERS in features else None
    if not selection.allowed:
        return _nothing(allow=allow)
    if Feature.OPS_FILTERS not in features:
        return (*_rejecting(filters), *(_memcg(path, allow=allow) for path in selection.barred))
    return (*_rejecting(filters), *(_memcg(path, allow=True) for path in selection.allowed))


def too_many(selections: Iterable[Selection | None], features: frozenset[Feature]) -> Problem | None:
    """Returns what to say where lists of what may move have no room for all; what is left alone is named in full."""
    unlisted = max((selection.unlisted for selection in selections if selection), default=0)
    if not unlisted or Feature.OPS_FILTERS not in features:
        return None
    return Problem(
        reason="TooManyCgroups",
        message=(
            f"Where pods are excluded, at most {MOST_LISTED} cgroups can be listed as movable; {unlisted} more are "
            "left where they are. Fewer containers per node help, or no exclusion."
        ),
    )


def _nothing(*, allow: bool | None) -> Filters:
    """Returns what rejects whatever there is: what is anonymous, then what is not."""
    return tuple(Filter(type=FilterType.ANON, matching=matching, allow=allow) for matching in (True, False))


def _rejecting(filters: Filters) -> Filters:
    """Returns filters that accept the same pages, with none that allows: it would end the way through the list."""
    return tuple(Filter(type=one.type, matching=not one.matching, allow=False) if one.allow else one for one in filters)


def _memcg(path: str, *, allow: bool | None) -> Filter:
    return Filter(type=FilterType.MEMCG, matching=True, allow=allow, memcg_path=path)
