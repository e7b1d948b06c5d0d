"""Values of the node that had to be changed, and how they come back. Pure.

Before: `surroundings`, the journal. After: `plan`. Each is remembered before the first store.
"""

from collections.abc import Iterator

from terrace_agent.damon.desired import Desired
from terrace_agent.damon.surroundings import DAMON_STAT, Observed
from terrace_agent.flows.demotion import DEMOTION_ENABLED
from terrace_agent.journal import Original
from terrace_agent.steps import Remember, Restore, Step, Store


def prelude(observed: Observed, desired: Desired, originals: tuple[Original, ...]) -> Iterator[Step]:
    """Yields what the surroundings need: no other kdamond, and reclaim's own demotion as the safety net.

    What only watches needs no safety net. Where it would move pods against their cpusets it is left as it was found, or
    brought back to that.
    """
    yield from _switched(DAMON_STAT, observed.damon_stat, "N")
    if desired.moves and desired.reclaim_demotes:
        yield from _switched(DEMOTION_ENABLED, observed.demotion_enabled, "true")
    elif desired.moves:
        yield from (Restore(path=one.path, value=one.value) for one in originals if one.path == DEMOTION_ENABLED)


def moving_undone(originals: tuple[Original, ...], desired: Desired) -> Iterator[Step]:
    """Yields what brings back the values that only moving needs; after the last kdamond that moves has gone."""
    if not desired.moves:
        yield from restored(originals, alone=False)


def restored(originals: tuple[Original, ...], *, alone: bool) -> Iterator[Step]:
    """Yields what brings all values back that can come back: damon_stat only while nobody's kdamond runs.

    It cannot be enabled beside one (kernel fact 7), also an exclusive module's, so it stays remembered until then. It
    comes last, since somebody may begin meanwhile, and what is refused ends a plan.
    """
    for original in sorted(originals, key=lambda one: one.path == DAMON_STAT):
        if alone or original.path != DAMON_STAT:
            yield Restore(path=original.path, value=original.value)


def _switched(path: str, value: str | None, wanted: str) -> Iterator[Step]:
    if value is not None and value != wanted:
        yield Remember(path=path, value=value)
        yield Store(path=path, value=wanted)
