"""A simulated kernel: DAMON's sysfs tree in memory, refusing and behaving as kernel.md sections 3 and 4 say.

`SimKernel` is a `HostFs`. It knows stores, errno, what runs as opposed to what is staged, exclusive modules, the one
lock; it moves no pages: tests say what the counters do. The contract tests (`tests/contract`) hold it to real kernels.
"""

from simkernel.kernel import KernelPanic, Killed, SimKernel
from simkernel.profiles import LINUX_6_12, LINUX_7_0, LINUX_7_2, LINUX_7_3, NO_DAMON, Profile

__all__ = [
    "LINUX_6_12",
    "LINUX_7_0",
    "LINUX_7_2",
    "LINUX_7_3",
    "NO_DAMON",
    "KernelPanic",
    "Killed",
    "Profile",
    "SimKernel",
]
