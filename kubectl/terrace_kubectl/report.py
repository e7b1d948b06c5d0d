"""A fleet over some time, for pictures: how full tiers are, what moved when, which nodes it was. Pure.

Before: `commands` takes samples. After: `pictures` draws, `page` puts them together; or JSON.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from terrace_api.node_tiering import Levels
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.fleet_view import FleetView
from terrace_kubectl.fleet_view import view as fleet_view
from terrace_kubectl.rows import NodeRow, TierUse, add_up, node_rows

MOST_NODES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen at one time."""

    at: datetime
    rows: tuple[NodeRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The fleet at one time.

    Attributes:
        at: RFC 3339.
        tiers: fast, then all slower memory, of the nodes that have both; empty if none has.
        promoted_bytes: since the sample before; 0 in the first.
        demoted_bytes: likewise.
    """

    at: str
    tiers: tuple[TierUse, ...]
    promoted_bytes: int
    demoted_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One node over time.

    Attributes:
        tiers: at the last sample, fastest first.
        fast_used: share of the fastest tier that was used, 0 to 1, at each sample; -1 where nothing was known.
        promoted_bytes: in all, as last reported.
        demoted_bytes: likewise.
    """

    name: str
    policy: str
    state: str
    tiers: tuple[TierUse, ...]
    fast_used: tuple[float, ...]
    promoted_bytes: int
    demoted_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What mode Observe sees on one node."""

    name: str
    levels: Levels


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """All that the page shows.

    Attributes:
        cluster: the API server's address.
        start: RFC 3339, of the first sample.
        end: of the last.
        tracks: the nodes with more than one tier on which most moved.
        more_nodes: how many others there are.
        observed: the nodes in mode Observe with the most hot memory on slow tiers.
    """

    cluster: str
    start: str
    end: str
    fleet: FleetView
    points: tuple[Point, ...]
    tracks: tuple[Track, ...]
    more_nodes: int
    observed: tuple[Observed, ...]


def sample(fleet: Fleet, at: datetime) -> Sample:
    """Returns what has to be kept of a look at the fleet."""
    return Sample(at=at, rows=node_rows(fleet))


def report(cluster: str, samples: Sequence[Sample], last: Fleet) -> ReportView:
    """Returns the report on one or more samples in order; `last` is the fleet of the last one."""
    tracks = sorted(_tracks(samples), key=lambda one: (-one.promoted_bytes - one.demoted_bytes, one.name))
    return ReportView(
        cluster=cluster,
        start=_rfc3339(samples[0].at),
        end=_rfc3339(samples[-1].at),
        fleet=fleet_view(last),
        points=tuple(_points(samples)),
        tracks=tuple(tracks[:MOST_NODES]),
        more_nodes=max(0, len(tracks) - MOST_NODES),
        observed=_observed(last),
    )


def _points(samples: Sequence[Sample]) -> Iterable[Point]:
    first = samples[0]
    yield Point(at=_rfc3339(first.at), tiers=add_up(first.rows), promoted_bytes=0, demoted_bytes=0)
    for before, now in pairwise(samples):
        known = {row.name: row for row in before.rows}
        grown = [(known[row.name], row) for row in now.rows if row.name in known]
        yield Point(
            at=_rfc3339(now.at),
            tiers=add_up(now.rows),
            promoted_bytes=sum(_growth(old.promoted_bytes, new.promoted_bytes) for old, new in grown),
            demoted_bytes=sum(_growth(old.demoted_bytes, new.demoted_bytes) for old, new in grown),
        )


def _growth(before: int, now: int) -> int:
    """A counter that is smaller than before began anew: with another policy, or with a boot."""
    return now - before if now >= before else now


def _tracks(samples: Sequence[Sample]) -> Iterable[Track]:
    by_name = [{row.name: row for row in one.rows} for one in samples]
    for row in samples[-1].rows:
        if len(row.tiers) > 1:
            yield Track(
                name=row.name,
                policy=row.policy,
                state=row.state,
                tiers=row.tiers,
                fast_used=tuple(_fast_used(rows.get(row.name)) for rows in by_name),
                promoted_bytes=row.promoted_bytes,
                demoted_bytes=row.demoted_bytes,
            )


def _fast_used(row: NodeRow | None) -> float:
    if row is None or not row.tiers or not row.tiers[0].total_bytes:
        return -1.0
    return round(row.tiers[0].used_bytes / row.tiers[0].total_bytes, 4)


def _observed(fleet: Fleet) -> tuple[Observed, ...]:
    found = (
        Observed(name=name, levels=seen.status.levels)
        for name, seen in fleet.seen.items()
        if seen.status is not None and seen.status.levels is not None
    )
    return tuple(sorted(found, key=lambda one: (-one.levels.hot_on_slow_bytes, one.name))[:MOST_NODES])


def _rfc3339(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
