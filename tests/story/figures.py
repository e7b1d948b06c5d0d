"""The figures of one run of the story, as the line that scripts read. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from story.placement import ARRIVED, BROKEN_AFTER_S, WITHIN_S, Sample, cold_promoted_ratio, seconds_to

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

    @property
    def good(self) -> bool:
        """Whether the hot set arrived, in time that a working Terrace needs at most, and the cold set stayed down."""
        in_time = self.seconds_to_99_percent is not None and self.seconds_to_99_percent <= BROKEN_AFTER_S
        return in_time and self.hot_fast_ratio >= ARRIVED and self.cold_promoted_ratio <= 0.01


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

    @property
    def good(self) -> bool:
        """Whether the run did what it is to show."""
        moved = self.placement.good and self.at_rest
        told = self.tables_agree and self.restored is not False
        return moved and told and _fits(self.agent_rss_bytes, self.operator_rss_bytes)

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

    @property
    def good(self) -> bool:
        """Whether the run did what it is to show."""
        told = not self.engine_available and bool(self.message)
        return told and self.unchanged and _fits(self.agent_rss_bytes, self.operator_rss_bytes)

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


def _fits(agent_rss_bytes: int, operator_rss_bytes: int) -> bool:
    return 0 < agent_rss_bytes <= RSS_LIMIT_BYTES and operator_rss_bytes > 0


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
