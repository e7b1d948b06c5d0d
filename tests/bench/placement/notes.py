"""What the figures of a workload need to be understood, by workload. Written by hand, after a look at why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NOTES: Mapping[str, str] = {
    "hot-on-slow": (
        "Terrace demotes nothing before it has been cold for `demotion.minAge`, 5 s here, and promotion waits for that "
        "room. The recipes' schemes are put off at each step of the tuning of intervals (kernel fact 17) and moved "
        "nothing in any workload. In another round NUMA balancing took 8.7 s and Terrace 10.5 s. Beside all of this "
        "other tests ran, at the lowest priority."
    ),
    "swap": (
        "NUMA balancing has its room made by reclaim, which knows no minimum age; Terrace waits for `demotion.minAge` "
        "in both phases. Who moved nothing before the swap has nothing to move after it."
    ),
    "drift": (
        "All memory is touched every few seconds, so that hardly a page gets past `youngFilter` to be demoted: 4 of "
        "1715 MiB tried, in a round of which the counters were read. Promotion waits for that room. Two more rounds "
        "came to 62 and 73 %, one with `youngFilter: false` to 85 %, with 495 MiB moved."
    ),
    "larger-than-fast": (
        "What moved filled free memory with hot pages, for the most part: 73 of Terrace's 82 MiB were useful."
    ),
    "nothing-to-do": "52 of Terrace's 56 MiB moved before the last 20 s; why was not looked into.",
}
