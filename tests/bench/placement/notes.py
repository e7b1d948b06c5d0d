"""What the figures of a workload need to be understood, by workload. Written by hand, after a look at why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

NOTES: Mapping[str, str] = {
    "hot-on-slow": (
        "Terrace demotes nothing before it has been cold for `demotion.minAge`, 5 s here, and promotion waits for "
        "that room. `mem_tier.sh` is put off at each step of the tuning of its intervals (kernel fact 17); "
        "DAMON_TIER's quotas start at one byte and grow only by as much as a goal is missed (kernel fact 1), which on "
        "a nearly full fast node is hardly any. How soon NUMA balancing scans less is chance: in all rounds, not only "
        "these, it had means of 26 to 79 %, and once reached 90 % within 8.7 s; limited to 100 MiB/s, as Terrace's "
        "engine `numa_balancing` is, 47 to 85 %; that engine 42 to 80 %. In Terrace's slowest round (29.9 s) nearly "
        "all memory was in small pages, most likely since contestants had run before: an emulated kdamond took four "
        "times as long for each byte that it tried, and this policy has no limit on CPU time (`quota.time: 0s`); "
        "another round after three contestants took 11.0 s. The last round of those with more than one began with "
        "room for huge pages, as all do since. Two rounds beside which tests ran are left out; there Terrace took "
        "15.3 s in one, and in the other had 31 % up for most of the time, with small pages again."
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
        "What moved filled free memory with hot pages, for the most part: 73 of Terrace's 82 MiB were useful. NUMA "
        "balancing fills more of it, and so serves more accesses from fast."
    ),
    "nothing-to-do": (
        "52 of Terrace's 56 MiB moved before the last 20 s; why was not looked into. Another round moved 7 MiB, and "
        "none in the last 20 s."
    ),
}
