"""The figures of one run of the story, as the line that scripts read. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from story.placement import ARRIVED, BROKEN_AFTER_S, COLD_AT_MOST, WITHIN_S, Sample, cold_promoted_ratio, seconds_to

RSS_LIMIT_BYTES = 60 << 20
"""What the agent may keep resident; 0 is no answer either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What follows from where the pages were; `None` for what was never reached.

    Attributes:
        seconds_to_90_percent: guest time from `state=on` until 90% of the hot set was on the fast nid.
        within_aim: whether 99% were there within `WITHIN_S`: to be read with the machine's load in mind.
    """

    hot_fast_ratio: float
    cold_promoted_ratio: float
    seconds_to_90_percent: float | None
    seconds_to_99_percent: float | None
    within_aim: bool

    def problems(self) -> Iterator[str]:
        """Yields what was not as it should be: not only late, but later than a working Terrace needs at most."""
        if self.hot_fast_ratio < ARRIVED:
            yield f"{self.hot_fast_ratio:.1%} of the hot set are on the fast nid in the end, not {ARRIVED:.0%}"
        elif self.seconds_to_99_percent is None or self.seconds_to_99_percent > BROKEN_AFTER_S:
            yield f"the hot set needed more than {BROKEN_AFTER_S:.0f} s to arrive"
        if self.cold_promoted_ratio > COLD_AT_MOST:
            yield f"{self.cold_promoted_ratio:.1%} of the cold set moved up, not at most {COLD_AT_MOST:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run came to.

    Attributes:
        at_rest: whether memory stopped moving.
        tables_agree: whether what both tables of kubectl show is what the workload and the kernel counted.
        restored: whether every setting was back after the policy was deleted; `None` if it was kept.
    """

    kernel: str
    placement: Placement
    at_rest: bool
    promoted_bytes: int
    demoted_bytes: int
    tables_agree: bool
    restored: bool | None
    agent_rss_bytes: int
    operator_rss_bytes: int

    def problems(self) -> Iterator[str]:
        """Yields what the run was to show and did not."""
        yield from self.placement.problems()
        if not self.at_rest:
            yield "memory did not come to rest"
        if not self.tables_agree:
            yield "the tables do not tell what the workload and the kernel counted"
        if self.restored is False:
            yield "not every setting of the node came back"
        yield from _oversize(self.agent_rss_bytes, self.operator_rss_bytes)

    def json_line(self) -> str:
        """Returns the figures as one line of flat JSON."""
        figures = asdict(self)
        return json.dumps({"kernel": figures.pop("kernel")} | figures.pop("placement") | figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """What a run on a kernel without an engine came to."""

    kernel: str
    engine_available: bool
    reason: str
    message: str
    unchanged: bool
    agent_rss_bytes: int
    operator_rss_bytes: int

    def problems(self) -> Iterator[str]:
        """Yields what the run was to show and did not."""
        if self.engine_available or not self.message:
            yield "the node does not say why no engine can run there"
        if not self.unchanged:
            yield "settings of the node were changed"
        yield from _oversize(self.agent_rss_bytes, self.operator_rss_bytes)

    def json_line(self) -> str:
        """Returns the figures as one line of JSON."""
        return json.dumps(asdict(self))


def placement(samples: Sequence[Sample], *, on_s: float) -> Placement:
    """Returns the figures of where the pages were; `on_s` is when monitoring was switched on."""
    arrived_s = _rounded(seconds_to(samples, ARRIVED, since_s=on_s))
    return Placement(
        hot_fast_ratio=round(samples[-1].hot_fast_ratio, 4),
        cold_promoted_ratio=round(cold_promoted_ratio(samples), 4),
        seconds_to_90_percent=_rounded(seconds_to(samples, 0.9, since_s=on_s)),
        seconds_to_99_percent=arrived_s,
        within_aim=arrived_s is not None and arrived_s <= WITHIN_S,
    )


def _oversize(agent_rss_bytes: int, operator_rss_bytes: int) -> Iterator[str]:
    if not 0 < agent_rss_bytes <= RSS_LIMIT_BYTES:
        yield f"the agent keeps {agent_rss_bytes >> 20} MiB resident, not 1 to {RSS_LIMIT_BYTES >> 20}"
    if operator_rss_bytes <= 0:
        yield "the operator was not found running"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
