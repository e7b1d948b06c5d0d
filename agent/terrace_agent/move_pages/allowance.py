"""How many pages the agent may keep in mind, for its own memory is limited, too.

Before: the limit of the agent's own cgroup. After: `watch` leaves out what does not fit.

What is known of a page takes up to `PAGE_COSTS_BYTES`: two bytes of heat, one of the samples of idle bits, and one
more while a look has old and new ones. A range of addresses is a few objects, however few pages it has. All of it may
take `1 / SHARE` of the limit; Python, the mover, and what a look reads need the rest.
"""

from pathlib import Path

SHARE = 4
PAGE_COSTS_BYTES = 4
RANGE_COSTS_PAGES = 192
"""A range is charged as so many pages."""
DEFAULT_LIMIT_BYTES = 1 << 30
"""Taken for the limit where there is none: 256 MiB for 256 GiB of pages of 4 KiB."""

_OWN, _CGROUPS = "/proc/self/cgroup", "/sys/fs/cgroup"


def allowed_pages(limit_bytes: int | None) -> int:
    """Returns how many pages may be known, of an agent whose cgroup has that limit; None has none."""
    return (limit_bytes or DEFAULT_LIMIT_BYTES) // SHARE // PAGE_COSTS_BYTES


def memory_limit_bytes(root: str = "") -> int | None:
    """Returns the least `memory.max` of the cgroups of this process; None without any, and with cgroup v1.

    A container sees its own cgroup as the root of `/sys/fs/cgroup`, unlike the host's that is mounted for it.
    """
    try:
        lines = Path(f"{root}{_OWN}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return None
    top = Path(f"{root}{_CGROUPS}")
    limits = [_limit(folder) for folder in (top / own, *(top / parent for parent in Path(own).parents))]
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(cgroup: Path) -> int | None:
    try:
        text = (cgroup / "memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
