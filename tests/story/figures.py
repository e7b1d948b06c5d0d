"""The figures of one run of the story, as the line that scripts read. Pure."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from story.placement import ARRIVED, Sample, cold_promoted_ratio, seconds_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What follows from where the pages were; `None` for what was never reached.

    Attributes:
        seconds_to_90_percent: guest time from `state=on` until 90% of the hot set was on the fast nid.
    """

    hot_fast_ratio: float
    cold_promoted_ratio: float
    seconds_to_90_percent: float | None
    seconds_to_99_percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run came to.

    Attributes:
        tables_agree: whether what kubectl shows is what the workload and the kernel counted.
        restored: whether every setting was back after the policy was deleted; `None` if it was kept.
    """

    kernel: str
    placement: Placement
    promoted_bytes: int
    demoted_bytes: int
    tables_agree: bool
    restored: bool | None
    agent_rss_bytes: int
    operator_rss_bytes: int

    @property
    def good(self) -> bool:
        """Whether the run did what it is to show."""
        arrived = self.placement.hot_fast_ratio >= ARRIVED and self.placement.cold_promoted_ratio <= 0.01
        return arrived and self.tables_agree and self.restored is not False

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
        return not self.engine_available and self.unchanged and bool(self.message)

    def json_line(self) -> str:
        """Returns the figures as one line of JSON."""
        return json.dumps(asdict(self))


def agrees(samples: Sequence[Sample], *, promoted_bytes: int, demoted_bytes: int, migrated_bytes: int) -> bool:
    """Returns whether the report is what the workload saw arrive, and what the kernel counted in both directions.

    Args:
        samples: of the workload, since the policy.
        promoted_bytes: as reported.
        demoted_bytes: as reported.
        migrated_bytes: by the kernel's own count, both directions together.
    """
    arrived = sum(max(0, after.hot_fast_bytes - before.hot_fast_bytes) for before, after in itertools.pairwise(samples))
    return _near(promoted_bytes, arrived) and _near(promoted_bytes + demoted_bytes, migrated_bytes)


def _near(told: int, counted: int) -> bool:
    """Within 10% and 16 MiB: the node's own processes have hot pages on the slow nid, and it compacts memory."""
    return abs(told - counted) <= counted / 10 + (16 << 20)


def placement(samples: Sequence[Sample], *, on_s: float) -> Placement:
    """Returns the figures of where the pages were; `on_s` is when monitoring was switched on."""
    return Placement(
        hot_fast_ratio=round(samples[-1].hot_fast_ratio, 4),
        cold_promoted_ratio=round(cold_promoted_ratio(samples), 4),
        seconds_to_90_percent=_rounded(seconds_to(samples, 0.9, since_s=on_s)),
        seconds_to_99_percent=_rounded(seconds_to(samples, ARRIVED, since_s=on_s)),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
