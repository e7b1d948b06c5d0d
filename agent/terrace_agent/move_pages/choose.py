"""Which pages of which process move now. Pure.

Before: `heat`, `vmas`, the flows with their stops. After: the engine carries the orders out.

Demotion is asked for while the fast nid lacks its free target, and then for no more than it lacks; promotion as long
as the nid keeps what it must leave free. Both stay within what the quota allows since the last orders.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice

from terrace_agent.flows.directions import Flow
from terrace_agent.move_pages.heat import LOOKS, Heat, cold, hot, runs
from terrace_agent.move_pages.vmas import Vma
from terrace_agent.steps import Move
from terrace_api.policy import Settings

_TOUCHES, _OF_LOOKS = 2, 3
_NEXT_TO_NOTHING = _PART_OF_STUCK = 8
_LEAST_INTERVAL_S = 1.0
MOST_RUNS = 16_384
"""Of the orders of one direction: a run is an object, and every other page may be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One range of a process, with where its pages were last and how hot they are."""

    vma: Vma
    heat: Heat
    pages_by_nid: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One process.

    Attributes:
        cgroup: its path.
        started: in ticks since boot: a pid may be another process' by now.
        stuck: the directions (whether they promote) in which the last order moved next to nothing of what it was given,
            with the number of that order.
    """

    pid: int
    started: int
    cgroup: str
    parts: tuple[Part, ...]
    stuck: Mapping[bool, int] = field(default_factory=dict)


def interval_s(settings: Settings) -> float:
    """Returns how often pages are looked at, so that eight looks cover the age that demotion asks for."""
    return max(_LEAST_INTERVAL_S, settings.demotion.min_age.us / 1e6 / LOOKS)


def cold_looks(settings: Settings) -> int:
    """Returns how many looks in a row must not have seen a page touched, before it is demoted."""
    wanted = -(-settings.demotion.min_age.us // round(interval_s(settings) * 1e6))
    return max(_OF_LOOKS, min(LOOKS, wanted))


def first_looks(settings: Settings, blind: int) -> int:
    """Returns how many looks it takes to know what is hot or cold for as long as the policy asks.

    The first one only begins, and so many `blind` ones after it know nothing.
    """
    up, down = settings.promotion, settings.demotion
    hot_looks = max(_OF_LOOKS, math.ceil(up.min_age.us / 1e6 / interval_s(settings))) if up.enabled else 0
    return 1 + blind + max(hot_looks, cold_looks(settings) if down.enabled else 0)


def is_stuck(moved_pages: int, limit_pages: int) -> bool:
    """Returns whether an order kept room from others without use: its pages are shared, pinned, or there already."""
    return moved_pages * _NEXT_TO_NOTHING < limit_pages


def orders(settings: Settings, flow: Flow, tracked: Iterable[Tracked], room: int) -> Iterator[Move]:
    """Yields what fits into `room` bytes, the processes with the most pages to move first; see `MOST_RUNS`.

    Those that are stuck come after all others: what is ordered of them is charged, moved or not. One of them, the one
    that has waited longest, is tried before with a part of the room, for nothing is stuck for ever.
    What came to a result has to be hot or cold anew before it is ordered again, so the next plan goes on with the rest.
    """
    if room <= 0:
        return
    left = MOST_RUNS
    for one, part in _ranked(settings, flow, tracked):
        found = tuple(islice(_runs(settings, flow, one), left // part))
        limit = (
            min(room // part // found[0].step, sum(map(len, found)), _pages_on(one, flow.pair.source.nid))
            if found
            else 0
        )
        if limit > 0:
            yield Move(
                pid=one.pid,
                started=one.started,
                promotes=flow.pair.promotes,
                sources=(flow.pair.source.nid,),
                nid=flow.pair.target.nid,
                runs=found,
                limit_pages=limit,
            )
            room -= limit * found[0].step
            left -= len(found)


def misplaced_bytes(settings: Settings, flow: Flow, tracked: Iterable[Tracked]) -> int:
    """Returns an estimate of what this direction would move, were there room: by range, as its pages are spread."""
    return sum(
        _misplaced(settings, flow, tuple(parts))
        for one in tracked
        for _, parts in groupby(one.parts, key=lambda part: part.vma.whole)
    )


def _misplaced(settings: Settings, flow: Flow, parts: tuple[Part, ...]) -> int:
    """Returns it for all pieces of a range."""
    pages_by_nid, page_bytes = parts[0].pages_by_nid, parts[0].vma.page_bytes
    here, all_pages = pages_by_nid.get(flow.pair.source.nid, 0), sum(pages_by_nid.values())
    if not here:
        return 0
    # Trackers that tell regions, or samples, tell them of pages that are not in memory, too.
    hot_pages = min(all_pages, _count(settings, parts, promotes=True))
    pages = hot_pages
    if not flow.pair.promotes:
        pages = min(all_pages - hot_pages, _count(settings, parts, promotes=False))
    return pages * here // all_pages * page_bytes


def _count(settings: Settings, parts: Iterable[Part], *, promotes: bool) -> int:
    return sum(_picked(settings, part.heat, promotes=promotes).count(1) for part in parts)


def _ranked(settings: Settings, flow: Flow, tracked: Iterable[Tracked]) -> Iterator[tuple[Tracked, int]]:
    """Yields processes that have pages to move, each with which part of the room and runs that are left it may have."""
    sized = ((_pages(settings, flow, one), one) for one in tracked)
    ranked = [one for pages, one in sorted(sized, key=lambda pair: -pair[0]) if pages]
    able = [one for one in ranked if flow.pair.promotes not in one.stuck]
    stuck = sorted(
        (one for one in ranked if flow.pair.promotes in one.stuck), key=lambda one: one.stuck[flow.pair.promotes]
    )
    if able and stuck:
        yield stuck.pop(0), _PART_OF_STUCK
    yield from ((one, 1) for one in (*able, *stuck))


def _runs(settings: Settings, flow: Flow, one: Tracked) -> Iterator[range]:
    for part in one.parts:
        if part.pages_by_nid.get(flow.pair.source.nid):
            size = part.vma.page_bytes
            for run in runs(_picked(settings, part.heat, promotes=flow.pair.promotes)):
                yield range(part.vma.start + run.start * size, part.vma.start + run.stop * size, size)


def _picked(settings: Settings, heat: Heat, *, promotes: bool) -> bytes:
    return hot(heat, touches=_TOUCHES, looks=_OF_LOOKS) if promotes else cold(heat, looks=cold_looks(settings))


def _pages_on(one: Tracked, nid: int) -> int:
    """Returns how many pages of the ranges of a process were on a nid at the last look."""
    return sum({part.vma.whole.start: part.pages_by_nid.get(nid, 0) for part in one.parts}.values())


def _pages(settings: Settings, flow: Flow, one: Tracked) -> int:
    here = (part for part in one.parts if part.pages_by_nid.get(flow.pair.source.nid))
    return _count(settings, here, promotes=flow.pair.promotes)
