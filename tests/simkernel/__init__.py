"""A simulated kernel: DAMON's sysfs tree in memory, refusing and behaving as real ones do.

`SimKernel` is a `HostFs`. It knows stores, errno, what runs as opposed to what is staged, exclusive modules, the one
lock, and how quotas and their windows go on over commits. It moves no pages by itself: tests say what the counters do,
or let `SimMemory` move them, or `SimTiering`, which has what the kernel tiers with by itself. The contract tests
(`tests/contract`) hold it to real kernels.
"""

from simkernel.kernel import KernelPanic, Killed, SimKernel
from simkernel.memory import SimCgroup, SimMemory, SimNid
from simkernel.profiles import (
    LINUX_6_12,
    LINUX_6_16,
    LINUX_6_17,
    LINUX_6_18,
    LINUX_6_19,
    LINUX_7_0,
    LINUX_7_1,
    LINUX_7_2,
    LINUX_7_3,
    NO_DAMON,
    PROFILES,
    Profile,
)
from simkernel.tiering import SimTiering

__all__ = [
    "LINUX_6_12",
    "LINUX_6_16",
    "LINUX_6_17",
    "LINUX_6_18",
    "LINUX_6_19",
    "LINUX_7_0",
    "LINUX_7_1",
    "LINUX_7_2",
    "LINUX_7_3",
    "NO_DAMON",
    "PROFILES",
    "KernelPanic",
    "Killed",
    "Profile",
    "SimCgroup",
    "SimKernel",
    "SimMemory",
    "SimNid",
    "SimTiering",
]
