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
        "Terrace waits for `demotion.minAge` in both phases, and has all of the hot set up at the end of each. NUMA "
        "balancing has its room made by reclaim, which knows no minimum age: it reached 90 % before the swap in three "
        "of five rounds, within 8.7 to 33.3 s. Having moved little, it, like those who moved nothing, has little to "
        "move back after it. Terrace's moving goes on into the last 20 s, which begin 25 s after the swap."
    ),
    "drift": (
        "All memory is touched every few seconds, so that hardly a page gets past `youngFilter` to be demoted, or is "
        "found cold at all: Terrace leaves the filter out once it has seen that, which takes 64 MiB of tries. In two "
        "of the five rounds it did soon (86 and 80 %), in the others late or not at all (67 to 73 %). An age is a "
        "count of samples, and emulated ones take several times as long as asked. NUMA balancing came to 72 to 75 % "
        "in these rounds; limited to 100 MiB/s, as Terrace's engine is, to 74 % in a round in which that engine did, "
        "too."
    ),
    "larger-than-fast": (
        "What moved filled free memory with hot pages, for the most part. NUMA balancing fills more of it, and so "
        "serves more accesses from fast."
    ),
    "nothing-to-do": (
        "In guests in which other contestants had run before on the other workloads, Terrace moved 4 to 56 MiB, nearly "
        "all of it within its first two seconds: memory of the system's own that reclaim had sent down, in regions "
        "that are large at first, and with accessed bits that nobody had cleared since."
    ),
}
