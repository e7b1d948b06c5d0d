"""A cluster at a bad moment, as JSON objects: specs as the operator writes them, statuses as agents and operator do.

Nine nodes: three that follow `batch` (one of them held by a guardrail), one that watches only, one whose kernel refused
a store, one without DAMON, one with somebody else's kdamond, one with a single tier, one opted out, one never heard of.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cases.fleets import look, statuses
from cases.policies import policy as policy_manifest
from terrace_agent.decide import Intent, Outcome
from terrace_agent.engine import Moved, Tripped
from terrace_agent.errors import EngineUnavailable, StoreRefused
from terrace_agent.ladder import choose, passed_over
from terrace_agent.pods import PodMemory
from terrace_agent.report import Active, Observed, make_status
from terrace_agent.situation import Situation
from terrace_agent.topology.values import Nid, TierOfNids, Topology
from terrace_agent.workloads.values import Decision
from terrace_api import VERSION, __version__
from terrace_api.codec import NODES, POLICIES, decode_policy, encode_status
from terrace_api.node_tiering import (
    Effective,
    EngineCapability,
    EngineName,
    Kdamond,
    Levels,
    MemoryKind,
    NodeTieringSpec,
    QuotaControl,
)
from terrace_api.policy import EngineChoice, Mode, TieringPolicy
from terrace_api.schema import object_schema
from terrace_kubectl import installed
from terrace_kubectl import objects as plugin_objects
from terrace_kubectl.doctor.facts import Facts
from terrace_kubectl.fleet import Fleet
from terrace_operator.cluster.objects import read_node, read_tiering, status_manifest, tiering_manifest
from terrace_operator.fleet import Policies
from terrace_operator.node_writes import node_writes
from terrace_operator.policies import read_policies
from terrace_operator.statuses import StatusWrite

Json = Any
GIB, MIB = 1 << 30, 1 << 20
NOW = datetime.fromisoformat("2026-06-01T12:00:00+00:00")
SINCE = "2026-06-01T09:30:00Z"
CRDS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ADMISSION_PATH = "/apis/admissionregistration.k8s.io/v1/validatingadmission"
OURS = {"app.kubernetes.io/name": "terrace", "app.kubernetes.io/version": __version__}
AT_ONCE = {"canary": "100%", "maxUpdating": "100%", "bake": "0s"}

BATCH = policy_manifest(
    "batch",
    mode="Enforce",
    priority=20,
    nodeSelector={"matchLabels": {"pool": "batch"}},
    quota={"size": "400Mi"},
    workloads=[
        {"name": "databases", "match": {"podSelector": {"matchLabels": {"role": "db"}}}, "action": "Exclude"},
        {"name": "rest", "action": "Tier"},
    ],
    rollout=AT_ONCE,
)
EVERYWHERE = policy_manifest("everywhere", mode="Enforce", priority=10, nodeSelector={"matchExpressions": [
    {"key": "pool", "operator": "NotIn", "values": ["edge"]}]}, rollout=AT_ONCE)  # fmt: skip
WATCH = policy_manifest("watch", allNodes=True, rollout=AT_ONCE)
EMPTY = policy_manifest("gpu-nodes", nodeSelector={"matchLabels": {"gpu": "yes"}}, priority=5)

CAN = EngineCapability(
    name=EngineName.DAMON, available=True, reason="Available", message="DAMON can migrate pages between nids."
)
NO_DAMON = EngineCapability(
    name=EngineName.DAMON,
    available=False,
    reason="NoDamonSysfs",
    message="This kernel has no DAMON sysfs interface: /sys/kernel/mm/damon/admin is missing (CONFIG_DAMON_SYSFS is "
    "off). A kernel of 6.11 or later with it helps.",
)
FOREIGN = EngineUnavailable(
    reason="ForeignKdamonds",
    message="Somebody else uses DAMON on this node: kdamond 0 (pid 812, on). It was left alone. Terrace starts when it "
    "is stopped and nr_kdamonds is 0.",
)
PRESSURE = Tripped(
    reason="MemoryPressure",
    message="Tasks waited for memory in 14% of the last minute (guardrails.memoryPressureMax 10%): nothing moves while "
    "that lasts. Look for pods at their memory limit, or for a node that has too little memory.",
)
EFFECTIVE = Effective(
    fast_used_target="98.9%",
    fast_free_target="1.3%",
    fast_floor_bytes=720 * MIB,
    quota_bytes_per_second=200 * MIB,
    apply_interval="100ms",
    sample_interval="5ms",
    aggregation_interval="100ms",
    quota_control=QuotaControl.TEMPORAL,
    notes=(
        "promotion.fastUsedTarget 99.6% is bounded to 98.9% on nid 0: the kernel and one quota window need 720Mi free",
        "kernel.numa_balancing has bit 2: the kernel promotes too; store 0 there to leave it to Terrace",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One node of the story.

    Attributes:
        others: engines beside `engine`, which is the first that the agent asks.
        failure: what ended its agent's last turn.
        inverted: in words, where the tiers that it follows contradict its kernel.
        heard: whether an agent ever reported.
    """

    name: str
    pool: str
    labels: Mapping[str, str] = field(default_factory=dict)
    kernel: str = "7.2.4"
    free: tuple[int, int] = (2, 96)
    engine: EngineCapability = CAN
    others: tuple[EngineCapability, ...] = ()
    failure: Exception | None = None
    tripped: tuple[Tripped, ...] = ()
    single: bool = False
    inverted: str = ""
    heard: bool = True
    promoted: int = 0
    demoted: int = 0


MACHINES = (
    Machine(name="batch-1", pool="batch", promoted=412 * GIB, demoted=398 * GIB),
    Machine(name="batch-2", pool="batch", free=(1, 60), promoted=120 * GIB, demoted=131 * GIB),
    Machine(name="batch-3", pool="batch", free=(0, 4), tripped=(PRESSURE,), promoted=61 * GIB, demoted=75 * GIB),
    Machine(name="edge-1", pool="edge", free=(9, 100)),
    Machine(
        name="web-1",
        pool="web",
        failure=StoreRefused(path="/sys/kernel/mm/damon/admin/kdamonds/0/state", value="on", errno=16),
    ),
    Machine(name="web-2", pool="web", kernel="6.1.0-37-amd64", engine=NO_DAMON),
    Machine(name="web-3", pool="web", failure=FOREIGN),
    Machine(name="web-4", pool="web", single=True),
    Machine(name="web-5", pool="web", labels={"terrace.dev/tiering": "disabled"}),
    Machine(name="web-6", pool="web", heard=False),
)
PODS = (
    ("shop", "orders-db-0", {"role": "db"}, (9 * GIB, 0)),
    ("shop", "cart-7d9f", {"role": "web"}, (3 * GIB, 1 * GIB)),
    ("batch", "train-x2k", {"role": "batch"}, (6 * GIB, 40 * GIB)),
)


def objects(
    policies: tuple[Json, ...] = (BATCH, EVERYWHERE, WATCH, EMPTY), machines: tuple[Machine, ...] = MACHINES
) -> dict[str, list[Json]]:
    """Returns nodes, policies, NodeTierings and pods by the path of their list."""
    nodes = [_node(machine) for machine in machines]
    created = [_created(manifest, index) for index, manifest in enumerate(policies)]
    known = read_policies(created)
    tierings = [_reported(manifest, machines) for manifest in _told(known, nodes)]
    written = _with_statuses(created, known, nodes, tierings)
    return {
        "/api/v1/nodes": nodes,
        "/apis/terrace.dev/v1alpha1/tieringpolicies": written,
        "/apis/terrace.dev/v1alpha1/nodetierings": tierings,
        "/api/v1/pods": [_pod(*one, node="batch-1") for one in PODS],
    }


def _node(machine: Machine) -> Json:
    labels = {"pool": machine.pool, "kubernetes.io/os": "linux", **machine.labels}
    metadata = {"name": machine.name, "uid": f"uid-{machine.name}", "resourceVersion": "1", "labels": labels}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def _created(manifest: Json, index: int) -> Json:
    metadata = {
        "name": manifest["metadata"]["name"],
        "uid": f"uid-{manifest['metadata']['name']}",
        "generation": 1,
        "resourceVersion": "1",
        "creationTimestamp": f"2026-05-{index + 1:02}T08:00:00Z",
    }
    return {**manifest, "metadata": metadata | manifest["metadata"]}


def _told(known: Policies, nodes: list[Json]) -> list[Json]:
    """Returns the NodeTierings that the operator makes of nothing, until nothing is left to write."""
    tierings: dict[str, Json] = {}
    for _ in range(4):
        found = [read_tiering(one) for one in tierings.values()]
        decided = look(known, map(read_node, nodes), found, now=NOW.isoformat())
        for write in node_writes(decided.decisions, {one.name: one for one in found}, ()):
            manifest = tiering_manifest(replace(write, uid=None))
            metadata = manifest["metadata"] | {"uid": f"uid-nt-{write.name}", "generation": 1, "resourceVersion": "1"}
            tierings[write.name] = manifest | {"metadata": metadata}
    return [tierings[name] for name in sorted(tierings)]


def _reported(manifest: Json, machines: tuple[Machine, ...]) -> Json:
    machine = next(one for one in machines if one.name == manifest["metadata"]["name"])
    return manifest | {"status": status_of(machine, manifest)} if machine.heard else manifest


def status_of(machine: Machine, manifest: Json) -> Json:
    """Returns what the machine's agent reports on its NodeTiering."""
    tiering = read_tiering(manifest)
    assert tiering.spec is not None
    observed = replace(_observed(machine, tiering.spec), generation=tiering.generation)
    return encode_status(make_status(observed, before=None, now=SINCE))


def _observed(machine: Machine, spec: NodeTieringSpec) -> Observed:
    intent = _intent(machine, spec)
    choice = spec.settings.engine if spec.settings else EngineChoice.AUTO
    capabilities = (machine.engine, *machine.others)
    chosen = choose(choice, capabilities)
    runs = intent is Intent.ENFORCE and machine.failure is None
    observes = intent is Intent.OBSERVE
    active = Active(
        revision=spec.revision or "", since=SINCE, mode=Mode.ENFORCE if runs else Mode.OBSERVE
    ) if (runs or observes or machine.single) and spec.revision else Active()  # fmt: skip
    return Observed(
        generation=1,
        unknown_fields=(),
        kernel=machine.kernel,
        situation=Situation(
            intent=intent,
            capabilities=capabilities,
            engine=chosen,
            passed_over=passed_over(choice, capabilities, chosen),
            failure=machine.failure if spec.settings else None,
            outcome=Outcome.IN_FORCE if runs else Outcome.UNCHANGED,
            running=runs,
            active_revision=active.revision,
            tripped=machine.tripped,
            against_kernel=machine.inverted,
        ),
        active=active,
        topology=_topology(machine),
        moved=Moved(
            kdamonds=_kdamonds(machine) if runs else (),
            promoted_bytes=machine.promoted,
            demoted_bytes=machine.demoted,
        ),
        pods=tuple(PodMemory(uid=f"uid-{name}", bytes_by_nid=dict(enumerate(on))) for _, name, _, on in PODS)
        if machine.name == "batch-1"
        else (),
        decisions=_decisions(),
        plan_words=("promote hot pages of nid 1 to nid 0, at most 100Mi/s, until 98.9% of nid 0 are used",),
        effective=EFFECTIVE if runs or observes else None,
        levels=Levels(hot_on_slow_bytes=5 * GIB, cold_on_fast_bytes=11 * GIB, forecast_bytes=5 * GIB),
    )


def _intent(machine: Machine, spec: NodeTieringSpec) -> Intent:
    if spec.settings is None:
        return Intent.RESTORE
    if machine.single:
        return Intent.SINGLE_TIER
    if choose(spec.settings.engine, (machine.engine, *machine.others)) is None:
        return Intent.UNSUPPORTED
    return Intent.ENFORCE if spec.settings.mode is Mode.ENFORCE else Intent.OBSERVE


def _topology(machine: Machine) -> Topology:
    fast, slow = (_nid(0, MemoryKind.DRAM, 64, machine.free[0]), _nid(1, MemoryKind.CXL, 256, machine.free[1]))
    if machine.single:
        return Topology(nids=(fast,), tiers=(TierOfNids(name="memory", nids=(0,), why="all memory is of one kind"),))
    return Topology(
        nids=(fast, slow),
        tiers=(
            TierOfNids(name="fast", nids=(0,), why="memory_tier4"),
            TierOfNids(name="slow", nids=(1,), why="memory_tier22"),
        ),
    )


def _nid(nid: int, kind: MemoryKind, total_gib: int, free_gib: int) -> Nid:
    return Nid(
        nid=nid,
        kind=kind,
        kind_why="has CPUs" if nid == 0 else "/sys/bus/cxl/devices/region0 is on it",
        total_bytes=total_gib * GIB,
        free_bytes=free_gib * GIB,
        cpus=tuple(range(16)) if nid == 0 else (),
        distances={0: 10, 1: 20},
        ranges=(),
        floor_bytes=0,
        memory_tier=4 if nid == 0 else 22,
    )


def _kdamonds(machine: Machine) -> tuple[Kdamond, ...]:
    return tuple(
        Kdamond(
            index=index,
            pid=2001 + index,
            source_nid=source,
            target_nid=target,
            direction=direction,
            tried_bytes=moved + 3 * GIB,
            applied_bytes=moved + GIB,
            arrived_bytes=moved,
            quota_exceeds=412 + index,
        )
        for index, (source, target, direction, moved) in enumerate(
            ((1, 0, "promotion", machine.promoted), (0, 1, "demotion", machine.demoted))
        )
    )


def _decisions() -> tuple[Decision, ...]:
    return tuple(
        Decision(
            uid=f"uid-{name}",
            tiered=labels["role"] != "db",
            namespace=namespace,
            name=name,
            rule="databases" if labels["role"] == "db" else "rest",
            why="Exclude by rule databases" if labels["role"] == "db" else "Tier by rule rest",
        )
        for namespace, name, labels, _ in PODS
    )


def _with_statuses(created: list[Json], known: Policies, nodes: list[Json], tierings: list[Json]) -> list[Json]:
    found = [read_tiering(one) for one in tierings]
    after = statuses(known, map(read_node, nodes), found, now=NOW.isoformat())
    return [
        manifest | {"status": _status(manifest, StatusWrite(name=name, uid="", before=None, after=after[name]))}
        for manifest in created
        for name in (manifest["metadata"]["name"],)
    ]


def _status(_: Json, write: StatusWrite) -> Json:
    return status_manifest(write)["status"]


def _pod(namespace: str, name: str, labels: Mapping[str, str], _: tuple[int, int], *, node: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "uid": f"uid-{name}", "labels": dict(labels)},
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "qosClass": "Burstable"},
    }


def installation(*, ready: int = 8) -> dict[str, list[Json]]:
    """Returns what the chart installs, by the path of its list; so many of nine agents are ready."""
    operator = _workload("terrace-operator", "operator") | {"status": {"readyReplicas": 1}}
    agents = _workload("terrace-agent", "agent") | {"status": {"desiredNumberScheduled": 9, "numberReady": ready}}
    name = {"metadata": {"name": "terrace-agent-own-status", "labels": OURS}}
    binding = {**name, "spec": {"policyName": "terrace-agent-own-status", "validationActions": ["Deny"]}}
    return {
        "/apis/apps/v1/deployments": [operator],
        "/apis/apps/v1/daemonsets": [agents],
        f"{ADMISSION_PATH}policies": [{**name, "spec": {}}],
        f"{ADMISSION_PATH}policybindings": [binding],
        CRDS_PATH: [_crd(plural) for plural in (POLICIES, NODES)],
    }


def a_lease(*, holder: str = "terrace-operator-0", version: int = 1) -> Json:
    """Returns the Lease of the operators."""
    spec = {"leaseDurationSeconds": 15} | ({"holderIdentity": holder} if holder else {})
    return {"metadata": {"name": "terrace-operator", "resourceVersion": str(version)}, "spec": spec}


def agent_pod(node: str, *, waiting: str = "") -> Json:
    """Returns an agent's pod, which waits for what is given."""
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {
            "namespace": "terrace-system",
            "name": f"terrace-agent-{node}",
            "uid": f"uid-agent-{node}",
            "labels": OURS | {"app.kubernetes.io/component": "agent"},
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False" if waiting else "True"}],
            "containerStatuses": [{"name": "agent", "state": state}],
        },
    }


def _workload(name: str, component: str) -> Json:
    labels = OURS | {"app.kubernetes.io/component": component}
    environment = [{"name": "TERRACE_LEASE", "value": "terrace-system/terrace-operator"}, {"name": "NODE_NAME"}]
    containers = [{"name": component, "image": f"terrace-{component}:0.1.0", "env": environment}]
    return {
        "metadata": {"namespace": "terrace-system", "name": name, "labels": OURS},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}},
    }


def _crd(plural: str) -> Json:
    return {
        "metadata": {"name": f"{plural}.terrace.dev"},
        "spec": {
            "versions": [{"name": VERSION, "served": True, "schema": {"openAPIV3Schema": object_schema(plural)}}],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}]},
    }


def a_fleet(found: dict[str, list[Json]] | None = None) -> Fleet:
    """Returns the plugin's view of such objects, by default of the whole story."""
    nodes, policies, tierings, *_ = (found or objects()).values()
    seen = (plugin_objects.read_seen(manifest, whole=True) for manifest in tierings)
    return Fleet(
        nodes=tuple(map(read_node, nodes)),
        seen={one.tiering.name: one for one in seen},
        policies=read_policies(policies),
    )


def policy_of(manifest: Json, *, created: str = "2026-05-01T08:00:00Z") -> TieringPolicy:
    """Returns a policy as the API server would answer it."""
    metadata = {"uid": f"uid-{manifest['metadata']['name']}", "creationTimestamp": created, "generation": 2}
    return decode_policy({**manifest, "metadata": manifest["metadata"] | metadata})


def facts(fleet: Fleet | None, **changes: Any) -> Facts:
    """Returns what `doctor` looks at where all is installed as it should be, but for what is given."""
    there = installation()
    found = Facts(
        server_version=(1, 34),
        crds={one.name: one for one in map(installed.crd, (POLICIES, NODES), there[CRDS_PATH])},
        admission=installed.enforced(there[f"{ADMISSION_PATH}policies"], there[f"{ADMISSION_PATH}policybindings"]),
        operators=installed.deployments(there["/apis/apps/v1/deployments"]),
        leases=(installed.lease("terrace-system", "terrace-operator", a_lease(version=1), a_lease(version=2)),),
        agents=installed.daemon_sets(there["/apis/apps/v1/daemonsets"]),
        agent_pods={"web-6": installed.agent_pod(agent_pod("web-6", waiting="CrashLoopBackOff"))},
        fleet=fleet,
        unseen={},
        version=__version__,
    )
    return replace(found, **changes)
