"""Pods with bounds on their fast memory, each moved by schemes of its own: which, and where each stops. Pure.

Before: `workloads` says which pods, `desired` has the flow. After: `pod_schemes` makes a scheme of each.

The kernel measures what a cgroup and all below it have on a nid, as a share of that nid's memory, rounded down
(`damos_get_node_memcg_used_bp()`, Linux mm/damon/core.c): so a goal names the pod's own folder, while filters name
every cgroup in it. Of several goals the nearest to being met counts, so a scheme's are stops, and any of them stops it.

- A pod with a `max` is promoted apart from the rest, until it has that, less one window: what a window brings too much
  would be demoted at once.
- A pod with a `min` is demoted apart from the rest, until it has that and one window: the last one must not go below.
- What a pod has above its `max` is demoted, whether or not the nid has enough free. Beside that it is demoted like the
  rest, unless it has a `min`, too.

Where a `max` is less than the kernel tells apart (a basis point of a nid of 1 TiB is 105 MiB) a goal of promotion would
be more than it. So nothing of such a pod is promoted there, and a demotion stops at that basis point: below it the next
stop is to have nothing.

All of them share the half of the flow's quota, the general scheme has the other half, so that together they move at the
policy's rate.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from terrace_agent.damon.tree import GoalMetric, QuotaGoal
from terrace_agent.flows.limits import BP, Window, share_bp
from terrace_agent.flows.pairs import Pair
from terrace_agent.topology.values import Nid
from terrace_agent.workloads.values import Limited, Selection

_PAGE_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """What one flow does with one pod by a scheme of its own.

    Attributes:
        bytes: what it may have on the fast nid when the scheme stops, to what the kernel tells apart.
        goal: that stop.
        instead: the general scheme leaves the pod alone, and this one stops where that one stops; False goes beyond,
            whatever the fast nid has free.
    """

    pod: Limited
    selection: Selection
    bytes: int
    goal: QuotaGoal
    instead: bool


def apart(pair: Pair, pods: tuple[Limited, ...], window: Window, *, parts: int) -> tuple[Apart, ...]:
    """Returns what a flow does with each pod that has bounds there.

    Args:
        pair: the flow's.
        pods: those with bounds.
        window: of the fast nid.
        parts: the number of nids of its tier, among which each bound is divided.
    """
    stay = unpromoted(pair, pods, parts=parts)
    kinds = [
        (pod, selection, instead)
        for pod in pods
        if pod not in stay and (selection := pod.towards(pair.target.nid)).allowed
        for instead in (_promoted(pod) if pair.promotes else _demoted(pod))
    ]
    window_bytes = share_bytes(window.bytes, len(kinds))
    return tuple(
        _apart(pair, pod, selection, instead=instead, stop=_stop(pair, pod, window_bytes, parts, instead=instead))
        for pod, selection, instead in kinds
    )


def unpromoted(pair: Pair, pods: tuple[Limited, ...], *, parts: int) -> tuple[Limited, ...]:
    """Returns the pods of which a flow must promote nothing, since the kernel cannot tell their `max` from nothing."""
    return tuple(
        pod
        for pod in pods
        if pair.promotes
        and pod.max_bytes is not None
        and pod.max_bytes // parts < step_bytes(pair.target)
        and pod.towards(pair.target.nid).allowed
    )


def step_bytes(fast: Nid) -> int:
    """Returns the least that the kernel tells apart of what a cgroup has on a nid: a basis point of it, rounded up."""
    return -(-fast.total_bytes // BP)


def left_out(found: Iterable[Apart]) -> tuple[Limited, ...]:
    """Returns the pods that the general scheme leaves alone."""
    return tuple(one.pod for one in found if one.instead)


def share_bytes(quota_bytes: int, number: int) -> int:
    """Returns how much of a flow's quota each of so many schemes gets."""
    return max(_PAGE_BYTES, quota_bytes // 2 // max(1, number))


def _promoted(pod: Limited) -> Iterator[bool]:
    if pod.max_bytes is not None:
        yield True


def _demoted(pod: Limited) -> Iterator[bool]:
    if pod.min_bytes is not None:
        yield True
    if pod.max_bytes is not None:
        yield False


def _stop(pair: Pair, pod: Limited, window_bytes: int, parts: int, *, instead: bool) -> tuple[int, int]:
    """Returns what the pod may have then, and the goal of the kernel's metric for that."""
    fast = pair.target if pair.promotes else pair.source
    most_bytes, least_bytes = (pod.max_bytes or 0) // parts, (pod.min_bytes or 0) // parts
    most_bp = max(1, min(most_bytes * BP // fast.total_bytes, BP - 1))
    kept_bp = share_bp(least_bytes + window_bytes, fast.total_bytes) if least_bytes else 0
    if pair.promotes:
        return most_bytes, min((most_bytes - window_bytes) * BP // fast.total_bytes, most_bp - 1)
    stop_bytes = max(least_bytes if instead else most_bytes, step_bytes(fast))
    return stop_bytes, BP - (kept_bp if instead else max(most_bp, kept_bp))


def _apart(pair: Pair, pod: Limited, selection: Selection, *, instead: bool, stop: tuple[int, int]) -> Apart:
    size, goal_bp = stop
    goal = QuotaGoal(
        target_metric=GoalMetric.NODE_MEMCG_USED_BP if pair.promotes else GoalMetric.NODE_MEMCG_FREE_BP,
        # The kernel takes a goal of 0 for none (`damos_sysfs_add_quota_score()`, mm/damon/sysfs-schemes.c).
        target_value=max(1, min(goal_bp, BP)),
        nid=(pair.target if pair.promotes else pair.source).nid,
        path=pod.path,
    )
    return Apart(pod=pod, selection=selection, bytes=size, goal=goal, instead=instead)
