"""What the figures of a workload need to be understood, by workload. Written by hand, after a look at why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NOTES: Mapping[str, str] = {
    "hot-on-slow": (
        "Terrace demotes nothing before it has been cold for `demotion.minAge`, 5 s here, and promotion waits for that "
        "room. The recipes' schemes are put off at each step of the tuning of intervals (kernel fact 17) and moved "
        "nothing in any workload. In other rounds Terrace took 10.5 and 13.0 s. NUMA balancing took 8.7 s in one, and "
        "in another it brought up 30 % within 60 s: how soon it scans less is chance. Limited to 100 MiB/s it had a "
        "mean of 69 % in that round, Terrace's engine `numa_balancing` 56 %. Other tests ran beside, at the lowest "
        "priority."
    ),
    "swap": (
        "NUMA balancing has its room made by reclaim, which knows no minimum age; Terrace waits for `demotion.minAge` "
        "in both phases; in a later round of it, 11.7 s and between 15 and 20 s. Who moved nothing before the swap has "
        "nothing to move after it."
    ),
    "drift": (
        "All memory is touched every few seconds, so that hardly a page gets past `youngFilter` to be demoted: Terrace "
        "leaves it out after a while. Rounds before it did came to 62 to 73 %, rounds since to 84 and 87 %, with 93 % "
        "and more of the hot bytes on fast in the last 10 s. The first 40 s are lost since an age is a count of "
        "samples, and emulated ones take several times as long as asked. NUMA balancing limited to 100 MiB/s, as "
        "Terrace's engine is, came to 74 % in a round in which that engine did, too, and the bare setting to 80 %."
    ),
    "larger-than-fast": (
        "What moved filled free memory with hot pages, for the most part: 73 of Terrace's 82 MiB were useful."
    ),
    "nothing-to-do": (
        "52 of Terrace's 56 MiB moved before the last 20 s; why was not looked into. Another round moved 7 MiB, and "
        "none in the last 20 s."
    ),
}
