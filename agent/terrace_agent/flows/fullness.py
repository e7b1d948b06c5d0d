"""At which used share a nid that others demote to counts as full. Pure.

Before: settings, pairs, windows. After: the directions of an engine: what comes down to a nid stops there, and on a nid
of a middle tier its own two directions keep more free than that (`limits`).
"""

from collections.abc import Iterable, Mapping

from terrace_agent.flows.limits import BP, Window, share_bp, share_bytes
from terrace_agent.flows.pairs import Pair
from terrace_agent.topology.values import Nid
from terrace_api.policy import Settings


def full_at_bp(settings: Settings, pairs: Iterable[Pair], windows: Mapping[int, Window]) -> dict[int, int]:
    """Returns the used share at which each demotion target is full, by nid; `windows` are by fast nid."""
    pairs = tuple(pairs)
    targets = {pair.target.nid: pair.target for pair in pairs if not pair.promotes}
    return {nid: target_used_bp(settings, one, _arriving_bytes(pairs, windows, nid)) for nid, one in targets.items()}


def least_free_bytes(settings: Settings, nids: Iterable[Nid], windows: Mapping[int, Window]) -> dict[int, int]:
    """Returns what demotion would leave free on each nid, by nid: it does not depend on who demotes to it now."""
    arriving = sum(window.bytes for window in windows.values())
    return {nid.nid: share_bytes(nid.total_bytes, BP - target_used_bp(settings, nid, arriving)) for nid in nids}


def target_used_bp(settings: Settings, slow: Nid, arriving_bytes: int) -> int:
    """Returns the used share at which `slow`'s own floor begins, or the policy's guardrail; at least one."""
    guard = settings.guardrails.slow_free_min
    least_free_bp = max(
        share_bp(slow.floor_bytes + arriving_bytes, slow.total_bytes), guard.share.bp if guard.enabled else 0
    )
    return max(1, min(BP - least_free_bp, BP))


def kept_bp(full_at_bp: Mapping[int, int], fast: Nid) -> int:
    """Returns which share `fast`'s own directions leave free for what comes down to it, at least.

    None where its page cache is room (`relief`): then that of the faster tier is, too, and nothing comes down.
    """
    return 0 if fast.relieved_floor_bytes is not None else BP - full_at_bp.get(fast.nid, BP)


def _arriving_bytes(pairs: Iterable[Pair], windows: Mapping[int, Window], target: int) -> int:
    """Returns what one window of every direction may bring to `target`."""
    bringing = {pair.target.nid if pair.promotes else pair.source.nid for pair in pairs if pair.target.nid == target}
    return sum(windows[nid].bytes for nid in bringing)
