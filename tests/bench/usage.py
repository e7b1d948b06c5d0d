"""What the kubelet's summary says of one pod, and what it comes to over time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One look at a pod.

    Attributes:
        at_s: when the kubelet measured its CPU time, since the epoch.
        rss_bytes: anonymous memory.
        working_set_bytes: what the kubelet judges the pod's memory by: with page cache that was used lately.
        cpu_s: CPU time since the start of its containers.
    """

    at_s: float
    rss_bytes: int
    working_set_bytes: int
    cpu_s: float


def usage(summary: Mapping[str, Any], *, pod_prefix: str) -> Usage:
    """Returns what `/stats/summary` says of the pod whose name begins so.

    Raises:
        ValueError: there is not exactly one.
    """
    [pod] = [one for one in summary["pods"] if one["podRef"]["name"].startswith(pod_prefix)]
    return Usage(
        at_s=datetime.fromisoformat(pod["cpu"]["time"]).timestamp(),
        rss_bytes=pod["memory"]["rssBytes"],
        working_set_bytes=pod["memory"]["workingSetBytes"],
        cpu_s=pod["cpu"]["usageCoreNanoSeconds"] / 1e9,
    )


def figures(looks: Sequence[Usage]) -> dict[str, float]:
    """Returns the most memory that was seen, and the CPU between the first and the last look as a share of a core."""
    seconds = looks[-1].at_s - looks[0].at_s
    return {
        "tiering_seconds": round(seconds),
        "rss_bytes": max(look.rss_bytes for look in looks),
        "working_set_bytes": max(look.working_set_bytes for look in looks),
        "tiering_core_share": round((looks[-1].cpu_s - looks[0].cpu_s) / seconds, 4) if seconds else 0.0,
    }
