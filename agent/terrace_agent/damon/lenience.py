"""Whether demotion turns young pages away. Pure.

Before: `verify` looks at the counters. After: `schemes` leaves the young filter of a demotion out, or does not.

Where all memory is touched every few seconds, monitoring still finds regions that had no access in any sample for
`demotion.minAge`, but hardly a page of them has not been touched since: the young filter turns nearly all away (seen
on 7.3 with a zipfian drift: 4 of 1715 MiB tried got through), no room is made, and what is hotter waits on the slow
nid for ever. Then what monitoring finds cold goes down all the same, until there is room, and for five minutes at most:
after that the filter is tried again.

More is turned away than pages that were touched: accessed bits that nobody has cleared for hours, and memory that never
moves (the kernel's own, page cache that is to stay, pods that are left alone). The counters do not tell. Of the former
the oldest goes first, which is as cold as can be; with the latter, to leave the filter out gains little.

Only where the kernel stops at goals: an amount that the agent hands out may be eight times what is to be moved, since
most of it is turned away (`control`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from terrace_agent.damon.verify import Look

_ENOUGH_BYTES = 64 << 20
"""Less than that in a window says nothing about the rest."""
_STARVED = 0.1
"""The share that gets through where hardly a page does: seen was 0.2 % (4 of 1715 MiB)."""
_LEAST_WINDOW_S = 10.0
_AGES = 2
"""Who was turned away can get through at the second try, at the age that is asked for."""
_REST_WINDOW_S = 60.0
_REST_BYTES = 16 << 20
"""In such a window. At rest a time quota lets a page per window of it past the stops (kernel fact 45), and eight that
are turned away."""
_LONGEST_S = 300.0
"""Told at the next look, so a look longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What is known of the demotion of one source.

    Attributes:
        pid: of its kdamond.
        tried_bytes: counted when the window began; `applied_bytes` likewise.
        at_s: when that was.
        lenient_since_s: young pages may go down since then; None if they may not.
    """

    pid: int
    tried_bytes: int
    applied_bytes: int
    at_s: float
    lenient_since_s: float | None = None


Tries = Mapping[int, Tried]
"""By source nid."""


def advance(before: Tries, looks: Iterable[Look], *, min_age_s: float, at_s: float) -> Tries:
    """Returns what these looks make of what was known; of several schemes of a demotion the first is judged.

    Args:
        before: what was known.
        looks: at the counters.
        min_age_s: what demotion asks for.
        at_s: when; any clock that does not jump.
    """
    firsts = {look.source_nid: look for look in sorted(looks, key=lambda look: -look.scheme) if not look.promotes}
    window_s = max(_LEAST_WINDOW_S, _AGES * min_age_s)
    return {nid: _judge(before.get(nid), look, window_s, at_s) for nid, look in firsts.items()}


def is_lenient(known: Tries, source_nid: int) -> bool:
    """Returns whether young pages may be demoted from this nid."""
    found = known.get(source_nid)
    return found is not None and found.lenient_since_s is not None


def _judge(before: Tried | None, look: Look, window_s: float, at_s: float) -> Tried:
    now = Tried(pid=look.pid, tried_bytes=look.stats.sz_tried, applied_bytes=look.stats.sz_applied, at_s=at_s)
    if before is None:
        return now
    since_s = before.lenient_since_s
    if since_s is not None and at_s - since_s >= _LONGEST_S:
        return now
    now = replace(now, lenient_since_s=since_s)
    tried, applied = now.tried_bytes - before.tried_bytes, now.applied_bytes - before.applied_bytes
    if look.pid != before.pid or tried < 0:
        return now
    if at_s - before.at_s < (window_s if since_s is None else _REST_WINDOW_S):
        return before
    if since_s is None:
        rest = _REST_BYTES * (at_s - before.at_s) / _REST_WINDOW_S
        starved = tried >= max(_ENOUGH_BYTES, rest) and applied < _STARVED * tried
        return replace(now, lenient_since_s=at_s if starved else None)
    return replace(now, lenient_since_s=since_s if tried >= _REST_BYTES else None)
