"""Pods as the API server knows them, cgroups as the kernel has them, and what may move, as frozen values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from terrace_api.workloads import FastMemory, QosClass

MOST_LISTED = 1024
"""Each page that a scheme tries is compared with up to so many cgroups, and each commit looks so many up by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What rules can look at.

    Attributes:
        uid: as in the name of its cgroup.
        qos_class: None while the API server does not say.
    """

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    qos_class: QosClass | None = None
    priority_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """This node's pods as last heard of, by uid.

    Attributes:
        is_current: the API server was heard not long ago, so a pod that is not here is new; else it may be anything.
        gone: those that were deleted or have ended, as long as their cgroups may still be there.
    """

    pods: Mapping[str, Pod]
    is_current: bool
    gone: Mapping[str, Pod] = field(default_factory=dict)

    def pod(self, uid: str) -> Pod | None:
        """Returns the pod of a cgroup, if anybody ever named it."""
        return self.pods.get(uid) or self.gone.get(uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """One cgroup that pages are charged to.

    Attributes:
        path: from the root of the hierarchy, `/` for the root itself, as `memcg_path` wants it.
        mems: nids that its cpuset allows; None where no cpuset says anything.
    """

    path: str
    mems: frozenset[int] | None = None

    def may_go_to(self, nid: int) -> bool:
        """Returns whether its cpuset allows the nid."""
        return self.mems is None or nid in self.mems


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCgroups:
    """One pod's cgroups: its own and everything below.

    Attributes:
        path: its own folder, from the root of the hierarchy.
    """

    uid: str
    path: str
    cgroups: tuple[Cgroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All cgroups of the host.

    Attributes:
        others: those that belong to no pod: the host's, and the parents of pods.
        unified: False on cgroup v1, where nothing was looked for.
    """

    pods: tuple[PodCgroups, ...] = ()
    others: tuple[Cgroup, ...] = ()
    unified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is done with one pod, and why.

    Attributes:
        namespace: empty while nobody has named the pod; `name` likewise.
        rule: the rule that decided; empty for none.
        why: in words; empty where there is nothing to say.
        limits: of its fast memory; None for none.
    """

    uid: str
    tiered: bool
    namespace: str = ""
    name: str = ""
    rule: str = ""
    why: str = ""
    limits: FastMemory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The cgroups of one target.

    Attributes:
        allowed: what may move there, and nothing else.
        barred: every cgroup that may not, as of now, for kernels that can only name what to leave alone.
        unlisted: how many could be allowed, too, if the list could be longer.
    """

    allowed: tuple[str, ...]
    barred: tuple[str, ...]
    unlisted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A pod whose memory on the fastest tier has bounds.

    Attributes:
        path: its own folder: what it has is counted there, for everything below.
        cgroups: those that its pages are charged to, which are among those that may move.
        max_bytes: None for no such bound; `min_bytes` likewise.
    """

    path: str
    cgroups: tuple[Cgroup, ...]
    max_bytes: int | None = None
    min_bytes: int | None = None

    def towards(self, nid: int) -> Selection:
        """Returns what of it may move to `nid`."""
        allowed = [one.path for one in self.cgroups if one.may_go_to(nid)]
        return Selection(
            allowed=tuple(sorted(allowed[:MOST_LISTED])), barred=(), unlisted=max(0, len(allowed) - MOST_LISTED)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """What an engine may move.

    Attributes:
        listed: only `allowed` may move, whatever else there is or will be; False leaves all memory movable, but for
            cpusets.
        allowed: what matters most first.
        limited: the pods with bounds, for engines that can keep them.
    """

    listed: bool = False
    allowed: tuple[Cgroup, ...] = ()
    barred: tuple[Cgroup, ...] = ()
    limited: tuple[Limited, ...] = ()

    def towards(self, nid: int, apart: tuple[Limited, ...] = ()) -> Selection | None:
        """Returns what may move to `nid`, but for the pods that are moved `apart`; None for all memory.

        A cpuset that excludes `nid` makes a list of it, too: DAMON's migration ignores cpusets and mempolicies
        ("Migration ignores all cpuset and mempolicy settings", Linux mm/damon/ops-common.c).
        """
        confined = [cgroup.path for cgroup in self.allowed if not cgroup.may_go_to(nid)]
        if not (self.listed or confined or apart):
            return None
        others = {cgroup.path for pod in apart for cgroup in pod.cgroups}
        free = [cgroup.path for cgroup in self.allowed if cgroup.may_go_to(nid) and cgroup.path not in others]
        return Selection(
            allowed=tuple(sorted(free[:MOST_LISTED])),
            barred=tuple(sorted([*confined, *(cgroup.path for cgroup in self.barred)])),
            unlisted=max(0, len(free) - MOST_LISTED),
        )

    def confined(self, nids: frozenset[int]) -> tuple[str, ...]:
        """Returns the cgroups, movable or not, whose cpusets exclude some of `nids`."""
        cgroups = (*self.allowed, *self.barred)
        return tuple(sorted(cgroup.path for cgroup in cgroups if cgroup.mems is not None and not nids <= cgroup.mems))


EVERYTHING = Movable()
"""All memory, where there is nothing to tell apart."""
