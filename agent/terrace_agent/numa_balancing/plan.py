"""From what is there and what should be to steps. Pure.

Before: `observe`, `desired`, `room`, the journal. After: `apply`.

Every value is journaled before it is changed for the first time. The switch comes last, so that nothing moves without
its limit, and goes first when everything is brought back.
"""

from collections.abc import Iterable, Iterator

from terrace_agent.engine import Plan
from terrace_agent.flows.balancing import NUMA_BALANCING
from terrace_agent.journal import JournalState, Original
from terrace_agent.numa_balancing.desired import Desired
from terrace_agent.numa_balancing.observe import RATE_LIMIT, Observed
from terrace_agent.steps import Begin, End, Reclaim, Remember, Restore, Step, Store, ended

_SOON_S = 1.0
_LATER_S = 5.0


def plan(observed: Observed, desired: Desired, journal: JournalState, orders: tuple[Reclaim, ...]) -> Plan:
    """Returns what brings the settings into force, and the orders to reclaim that are due."""
    steps = tuple(_settings(observed, desired, journal))
    return Plan(
        steps=(*steps, *orders),
        reason="the kernel's tiering is set" if steps else "room is made" if orders else "the settings are in force",
        words=desired.words,
        effective=desired.effective,
        recheck_s=_SOON_S if steps or orders else _LATER_S,
    )


def plan_stop(journal: JournalState) -> Plan:
    """Returns what leaves the settings as they were found."""
    steps: tuple[Step, ...] = (
        *_restored(journal.originals),
        *([End()] if journal.counted_pages else []),
        *ended(journal.cooldown),
    )
    return Plan(steps=steps, reason="the kernel's settings are brought back" if steps else "nothing of ours is here")


def _settings(observed: Observed, desired: Desired, journal: JournalState) -> Iterator[Step]:
    if not journal.counted_pages:
        yield Begin()
    for path, value in desired.values:
        found = observed.value(path)
        if found is not None and found != value:
            yield Remember(path=path, value=found)
            yield Store(path=path, value=value)
    # Behind the switch: while that is on, its limit holds.
    yield from _restored(one for one in journal.originals if one.path not in dict(desired.values))


def _restored(originals: Iterable[Original]) -> Iterator[Restore]:
    # The switch first, whenever it was remembered.
    for one in sorted(originals, key=lambda one: one.path != NUMA_BALANCING):
        # Its limit holds as long as it is on.
        behind = NUMA_BALANCING if one.path == RATE_LIMIT else ""
        yield Restore(path=one.path, value=one.value, behind=behind)
