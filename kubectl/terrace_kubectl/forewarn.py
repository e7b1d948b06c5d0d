"""What is in the way of a policy file, or would go another way than meant, said before it is applied. Pure.

Nodes themselves judge a policy's tiers once they have it (`terrace_agent.topology`); this foretells the part that their
reports allow to.

Before: `diff`. After: its view.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from terrace_api.node_tiering import NumaNode, QuotaControl
from terrace_api.policy import Tier, TieringPolicy
from terrace_api.selectors import matches
from terrace_api.tier_order import inversions
from terrace_kubectl.fleet import Fleet
from terrace_kubectl.policy_rows import requirements
from terrace_operator.fleet import InvalidPolicy
from terrace_operator.trial import is_over
from terrace_operator.wording import a_few, nodes

Inventory = Mapping[int, NumaNode]
"""The NUMA nodes of one node, by nid."""


def forewarn(
    fleet: Fleet,
    policy: TieringPolicy,
    followers: Iterable[str],
    unreadable: Iterable[InvalidPolicy],
    now: datetime,
    *,
    selects: bool,
) -> Iterator[str]:
    """Yields what to mind, of a policy that the nodes `followers` would follow; `selects`: whether it selects any."""
    if is_over(policy, now):
        yield "its trial is over already: it would select no node"
    for one in unreadable:
        yield f"policy {one.name} cannot be read: its nodes keep what they have"
    status = fleet.policies.statuses.get(policy.uid)
    if status is not None and status.stopped is not None:
        yield f"its last rollout failed: {status.stopped.message}"
    if not selects and not is_over(policy, now):
        yield _nobody(fleet, policy)
    names = tuple(followers)
    yield from _unlimited(fleet, policy, names)
    tiers = tuple(tier for tier in policy.spec.tiers or () if tier.nids)
    known = _inventories(fleet, names)
    yield from _absent(tiers, known)
    yield from _inverted(tiers, known)


def _nobody(fleet: Fleet, policy: TieringPolicy) -> str:
    """Says of a policy that selects no node which requirement is in the way; opting out or an agent never is."""
    spec, every = policy.spec, len(fleet.nodes)
    wants = [
        f"{words}, which {sum(matches(one, node.labels) for node in fleet.nodes)} of {nodes(every)} meet"
        for words, one in requirements(spec.node_selector)
    ]
    if spec.trial is not None:
        there = [name for name in spec.trial.node_names if fleet.node(name)]
        names = ", ".join(spec.trial.node_names)
        wants.append(f"a trial on {names}, of which {len(there)} of {len(spec.trial.node_names)} are there")
    why = f": it wants {'; '.join(wants)}" if wants and every else f": there are {nodes(every)}"
    return f"it selects no node{why}"


def _unlimited(fleet: Fleet, policy: TieringPolicy, names: Iterable[str]) -> Iterator[str]:
    """Says where limits of pods would not be kept, as far as what stops tiering there now tells."""
    if not any(rule.fast_memory for rule in policy.spec.workloads or ()):
        return
    statuses = ((name, fleet.seen[name].status) for name in names if name in fleet.seen)
    effective = {name: status.effective for name, status in statuses if status is not None and status.effective}
    without = [name for name, found in effective.items() if found.quota_control is not QuotaControl.TEMPORAL]
    if without:
        yield (
            f"workloads[].fastMemory would not be kept on {len(without)} of {nodes(len(effective))}, where no goals of "
            f"DAMON stop tiering: {a_few(without)}; pods would be tiered without limits there"
        )


def _inventories(fleet: Fleet, names: Iterable[str]) -> dict[str, Inventory]:
    """Returns what nodes have, of those that said so."""
    statuses = {name: fleet.seen[name].status for name in names if name in fleet.seen}
    return {
        name: {numa.nid: numa for numa in status.numa_nodes}
        for name, status in statuses.items()
        if status is not None and status.numa_nodes
    }


def _absent(tiers: tuple[Tier, ...], known: Mapping[str, Inventory]) -> Iterator[str]:
    for tier in tiers:
        for nid in tier.nids or ():
            without = [name for name, inventory in known.items() if nid not in inventory]
            if without:
                verb, refuse = ("does", "it") if len(without) == 1 else ("do", "they")
                yield (
                    f"tier {tier.name} names nid {nid}, which {len(without)} of {nodes(len(known))} {verb} not have: "
                    f"{a_few(without)}; {refuse} would refuse the policy"
                )


def _inverted(tiers: tuple[Tier, ...], known: Mapping[str, Inventory]) -> Iterator[str]:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name, inventory in known.items():
        if (contradiction := _contradiction(tiers, inventory)) is not None:
            alike[contradiction].append(name)
    for what, names in alike.items():
        yield f"{what}, on {nodes(len(names))}: {a_few(names)}; hot pages would move to what the kernel takes for slow"


def _contradiction(tiers: tuple[Tier, ...], inventory: Inventory) -> str | None:
    """Returns the first two nids that the kernel has the other way; None if there are none, or it is not known."""
    by_nid = {nid: one.memory_tier for nid, one in inventory.items() if one.memory_tier is not None}
    named = tuple((tier.name, tier.nids or ()) for tier in tiers)
    found = next(inversions(named, by_nid), None)
    if found is None:
        return None
    return (
        f"tier {found.tier} is before tier {found.than_tier}, and nid {found.nid} is slower memory than nid "
        f"{found.than} to the kernel (memory_tier{by_nid[found.nid]} against memory_tier{by_nid[found.than]})"
    )
