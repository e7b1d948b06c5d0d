"""The workloads, as values. Pure.

Sizes are for the testbed's guest: 1.5 GiB fast, 0.5 GiB slow; with 1180 MiB of a workload fast is full, to 94 %.
`heat.c` is the program, `figures` knows what counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

REST_S = 20
"""The end of each run over which migration and CPU time at rest are measured."""


class Aim(Enum):
    """What makes a contestant first in a workload."""

    SOON = "seconds to 90 % of the hot bytes on fast"
    SOON_AGAIN = "seconds to 90 % before and after the swap, together"
    SHARE = "mean share of accesses that fast serves"
    STILL = "bytes moved that gained nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a contestant is measured with.

    Attributes:
        mib: all memory; the first `slow_mib` of it start on the slow node, the rest on the fast one.
        hot_mib: how much is hot, from `begin_mib` on; of a zipfian workload, what counts as the hot set.
        shift_mib: how far the heat moves every `shift_s` seconds.
        seconds: how long a run takes.
        rests: whether it comes to an end of what there is to move, so that `REST_S` can be measured.
    """

    title: str
    aim: Aim
    mib: int
    hot_mib: int
    slow_mib: int
    begin_mib: int = 0
    shift_mib: int = 0
    shift_s: float = 0
    zipf: bool = False
    seconds: int = 60
    rests: bool = True

    def arguments(self) -> list[str]:
        """Returns the command line of `heat`."""
        words = [f"--mib={self.mib}", f"--hot-mib={self.hot_mib}", f"--slow-mib={self.slow_mib}"]
        if self.begin_mib:
            words.append(f"--begin-mib={self.begin_mib}")
        if self.shift_s:
            words += [f"--shift-mib={self.shift_mib}", f"--shift-s={self.shift_s:g}"]
        return [*words, *(["--zipf"] if self.zipf else [])]


WORKLOADS: Mapping[str, Workload] = {
    "hot-on-slow": Workload(
        title="a hot set on the slow node, the fast node full of cold memory",
        aim=Aim.SOON,
        mib=1400,
        hot_mib=224,
        slow_mib=224,
    ),
    "swap": Workload(
        title="two phases: a cold set on fast becomes hot, what was hot becomes cold; a third set stays hot",
        aim=Aim.SOON_AGAIN,
        mib=1480,
        hot_mib=1180,
        slow_mib=300,
        shift_mib=300,
        shift_s=45,
        seconds=90,
    ),
    "drift": Workload(
        title="zipfian heat over all memory, which begins 16 MiB further on every 5 s",
        aim=Aim.SHARE,
        mib=1500,
        hot_mib=320,
        slow_mib=320,
        begin_mib=1340,
        shift_mib=16,
        shift_s=5,
        zipf=True,
        seconds=90,
        rests=False,
    ),
    "larger-than-fast": Workload(
        title="a hot set larger than the fast node: to exchange its pages gains nothing",
        aim=Aim.STILL,
        mib=1460,
        hot_mib=1460,
        slow_mib=280,
        seconds=45,
    ),
    "nothing-to-do": Workload(
        title="all that is hot is on fast, all that is cold on slow",
        aim=Aim.STILL,
        mib=800,
        hot_mib=500,
        slow_mib=300,
        begin_mib=300,
        seconds=45,
    ),
}
