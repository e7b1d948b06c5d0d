"""The tree that watches processes and moves nothing, and the steps to it. Pure.

One kdamond has a target for each process. What a pass has tried is told without its target, so each target has a scheme
of its own, with a filter that rejects the others. The scheme is `stat`: it does nothing to what it matches.

Before: pids. After: `process_monitor`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terrace_agent.damon.ownership import changing_stores, owner_of, staged_in
from terrace_agent.damon.stores import NR_KDAMONDS, state_path
from terrace_agent.damon.surroundings import DAMON_STAT, Observed
from terrace_agent.damon.tree import (
    UINT_MAX,
    ULONG_MAX,
    AccessPattern,
    Action,
    Context,
    Filter,
    FilterType,
    Intervals,
    Kdamond,
    MonitoringAttrs,
    Operations,
    Range,
    Scheme,
    Target,
)
from terrace_agent.journal import JournalState
from terrace_agent.steps import Claim, Command, Confirm, Remember, Step, Store

MOST_TARGETS = 16
SAMPLE_US = 100_000
"""A page is seen that is touched within a tenth of a second. With 1,000 regions that is 10,000 page table walks a
second, a hundredth of a CPU at 1 us each (kernel fact 34)."""
APPLY_US = 200_000
"""How long a question takes at most: it waits for a pass of the schemes, and holds DAMON's one lock (kernel fact 8)."""
UPDATE_US = 2_000_000
"""How often the kernel looks what the processes have mapped meanwhile: less than the three looks of a second each that
make memory cold, since what is not monitored yet looks untouched."""
_MOST_REGIONS, _FEWEST_OF_ALL, _FEWEST_OF_ONE = 1_000, 400, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessTarget(Target):
    """A process; it begins with what it has mapped."""

    pid_target: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFilter(Filter):
    """A filter that can name a target by its number."""

    damon_target_idx: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessScheme(Scheme):
    """A scheme for one target."""

    core_filters: tuple[TargetFilter, ...] | None = ()
    filters: tuple[TargetFilter, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessContext(Context):
    """A context of processes."""

    targets: tuple[ProcessTarget, ...] = ()
    schemes: tuple[ProcessScheme, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessKdamond(Kdamond):
    """See `tree.Kdamond`; with the files that only processes need."""

    contexts: tuple[ProcessContext, ...] = ()


def tree(pids: tuple[int, ...], *, window_us: int, core_filters: bool) -> ProcessKdamond:
    """Returns the kdamond that watches these processes; filters by target have their own directory since 6.15.

    Accesses are aggregated over the window, so that a pass tells what was touched within it.
    """
    fewest = max(10, min(_FEWEST_OF_ONE, _FEWEST_OF_ALL // max(1, len(pids))))
    context = ProcessContext(
        operations=Operations.VADDR,
        monitoring_attrs=MonitoringAttrs(
            intervals=Intervals(sample_us=SAMPLE_US, aggr_us=max(SAMPLE_US, window_us), update_us=UPDATE_US),
            nr_regions=Range(min=fewest, max=_MOST_REGIONS),
        ),
        targets=tuple(ProcessTarget(pid_target=pid) for pid in pids),
        schemes=tuple(_scheme(number, core_filters=core_filters) for number in range(len(pids))),
    )
    return ProcessKdamond(contexts=(context,))


def start(observed: Observed, state: JournalState, wanted: ProcessKdamond) -> Iterator[Step]:
    """Yields what turns a tree that nobody else uses into the one that is wanted, and switches it on."""
    for kdamond in observed.kdamonds:
        if kdamond.on and owner_of(kdamond, state.owned):
            yield Command(index=kdamond.index, path=state_path(kdamond.index), word="off", then_on=False)
    if observed.damon_stat not in {None, "N"}:
        yield Remember(path=DAMON_STAT, value=str(observed.damon_stat))
        yield Store(path=DAMON_STAT, value="N")
    files = changing_stores(wanted, 0)
    yield Claim(index=0, source_nid=None, files=files, made_from="processes", staged=staged_in(observed.kdamonds, 0))
    yield Store(path=NR_KDAMONDS, value="1")
    yield from files
    yield Command(index=0, path=state_path(0), word="on", then_on=True)
    yield Confirm(index=0)


def _scheme(number: int, *, core_filters: bool) -> ProcessScheme:
    only = (TargetFilter(type=FilterType.TARGET, damon_target_idx=number),)
    return ProcessScheme(
        action=Action.STAT,
        apply_interval_us=APPLY_US,
        access_pattern=AccessPattern(
            sz=Range(max=ULONG_MAX), nr_accesses=Range(min=1, max=UINT_MAX), age=Range(max=UINT_MAX)
        ),
        core_filters=only if core_filters else (),
        filters=() if core_filters else only,
    )
