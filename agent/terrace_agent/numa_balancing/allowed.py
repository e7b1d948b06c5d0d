"""The few stores that need more than the agent may do, and what may be stored there. Pure.

Before: the agent's `relay` hands them to the sidecar. After: the sidecar makes them, and refuses everything else: it
has CAP_SYS_ADMIN and the host's `/proc/sys/kernel`, which must be of no use to whoever gets hold of the agent.
"""

import re

_SIZE = re.compile(r"[0-9]{1,15}( swappiness=max)?")
_ALLOWED = (
    (re.compile(r"/proc/sys/kernel/numa_balancing"), re.compile(r"[0-3]")),
    (re.compile(r"/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps"), re.compile(r"[0-9]{1,9}")),
    (re.compile(r"/sys/devices/system/node/node[0-9]{1,4}/reclaim"), _SIZE),
    (re.compile(r"/sys/fs/cgroup/([^/\0]+/)*memory\.reclaim"), _SIZE),
)


def is_privileged(path: str) -> bool:
    """Returns whether a store to this file is the sidecar's business."""
    return any(file.fullmatch(path) for file, _ in _ALLOWED) and ".." not in path.split("/")


def may_store(path: str, value: str) -> bool:
    """Returns whether the sidecar may store `value` there."""
    allowed = any(file.fullmatch(path) and values.fullmatch(value) for file, values in _ALLOWED)
    return allowed and is_privileged(path)
