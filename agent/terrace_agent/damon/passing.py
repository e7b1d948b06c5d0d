"""How much of what a scheme tries gets past its filters, and what that means for its quota. Pure.

Before: `verify` looks at the counters. After: `schemes` weighs regions, or does not.

A quota goes to the regions with the best score first, and the score below which nothing is tried is taken from all
bytes that match the pattern, those that filters of the operations layer will turn away included
(`damos_adjust_quota()`, Linux mm/damon/core.c). So a hot pod that is excluded takes every window, is turned away, and
less hot ones are never tried.

Without weights all regions have the same score, and the kernel goes through them by address, each window from where the
last one ended: what may move does, in no particular order. The quota itself stays: a larger one would overshoot the
goals by as much.

What passes without weights says little of what will with them: where the hottest is excluded, and small, nearly
everything passes, until it is weighed again. So each time that weighing has starved anew, twice as much has to pass
before the next try.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.verify import Look

_ENOUGH_BYTES = 64 << 20
"""Less than that says nothing about the rest."""
_STARVED, _FED = 0.1, 0.9
_MOST_FALLS = 10
"""Then 32 GiB have to pass."""

Flows = Mapping[tuple[int, bool], "Passing"]
"""By source nid and whether it promotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """What is known of one direction.

    Attributes:
        tried_bytes: counted when it was last judged; `passed_bytes` likewise.
        uniform: regions shall not be weighed.
        falls: how often weighing has starved, less the times that it was judged and had not.
    """

    tried_bytes: int
    passed_bytes: int
    uniform: bool = False
    falls: int = 0


def advance(before: Flows, looks: Iterable[Look]) -> Flows:
    """Returns what these looks make of what was known; a kdamond that began anew is judged from its start.

    Of several schemes of a direction the first is judged: the others are those of single pods (`apart`), which never
    weigh.
    """
    firsts = {(look.source_nid, look.promotes): look for look in sorted(looks, key=lambda look: -look.scheme)}
    return {
        direction: _judge(before.get(direction), look.stats.sz_tried, _passed_bytes(look))
        for direction, look in firsts.items()
    }


def is_uniform(known: Flows, source_nid: int, *, promotes: bool) -> bool:
    """Returns whether the direction's regions shall not be weighed."""
    found = known.get((source_nid, promotes))
    return found is not None and found.uniform


def _passed_bytes(look: Look) -> int:
    """Returns what got past the filters; before 6.14 no kernel counts it, and what was moved says nearly the same."""
    passed = look.stats.sz_ops_filter_passed
    return look.stats.sz_applied if passed is None else passed


def _judge(before: Passing | None, tried_bytes: int, passed_bytes: int) -> Passing:
    if before is None:
        return Passing(tried_bytes=tried_bytes, passed_bytes=passed_bytes)
    if tried_bytes < before.tried_bytes:
        return replace(before, tried_bytes=tried_bytes, passed_bytes=passed_bytes)
    tried = tried_bytes - before.tried_bytes
    if tried < (_ENOUGH_BYTES << before.falls - 1 if before.uniform else _ENOUGH_BYTES):
        return before
    uniform = (passed_bytes - before.passed_bytes) / tried < (_FED if before.uniform else _STARVED)
    falls = before.falls if before.uniform else before.falls + (1 if uniform else -1)
    falls = max(0, min(falls, _MOST_FALLS))
    return Passing(tried_bytes=tried_bytes, passed_bytes=passed_bytes, uniform=uniform, falls=falls)
