"""TieringPolicies that must be accepted, and ones that must be refused with the field named.

Each is held against the codec (unit test) and a real API server (cluster test), so that both say the same.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any


def policy(name: str = "case", **spec: Any) -> dict[str, Any]:
    """Returns a TieringPolicy manifest; without arguments the smallest that is valid."""
    return {
        "apiVersion": "terrace.dev/v1alpha1",
        "kind": "TieringPolicy",
        "metadata": {"name": name},
        "spec": spec or {"allNodes": True},
    }


@dataclass(frozen=True, kw_only=True)
class BadPolicy:
    """One way to get a policy wrong.

    Attributes:
        field: the path that the refusal must name.
        says: a part of the cure that it must state.
    """

    about: str
    field: str
    says: str
    spec: dict[str, Any] = dataclasses.field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Returns the policy, valid but for this one mistake."""
        return policy(**({"allNodes": True} | self.spec))


GOOD = {
    "the smallest": policy(allNodes=True),
    "a selector": policy(nodeSelector={"matchLabels": {"memory": "cxl"}}),
    "a selector beside allNodes: false": policy(allNodes=False, nodeSelector={"matchLabels": {"memory": "cxl"}}),
    "expressions": policy(
        nodeSelector={
            "matchExpressions": [
                {"key": "zone", "operator": "In", "values": ["a", "b"]},
                {"key": "gpu", "operator": "DoesNotExist"},
            ]
        }
    ),
    "everything set": policy(
        mode="Enforce",
        engine="NUMABalancing",
        priority=10,
        allNodes=True,
        tiers=[{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [1, 2]}],
        promotion={"enabled": True, "minAccesses": 2, "minAge": "1s", "fastUsedTarget": "95.5%"},
        demotion={"enabled": True, "maxAccesses": 1, "minAge": "1m30s", "fastFreeTarget": "5%", "pageCache": "Exclude"},
        monitoring={
            "sampleInterval": "10ms",
            "aggregationInterval": "200ms",
            "autoTune": {
                "enabled": True,
                "accessRatio": "4%",
                "aggregations": 3,
                "minSample": "5ms",
                "maxSample": "100ms",
            },
            "regions": {"min": 10, "max": 1000},
            "cpuPercent": 5,
            "ranges": [{"start": "4Gi", "end": "64Gi"}, {"start": 0x1000000000, "end": 0x2000000000}],
        },
        applyInterval="100ms",
        quota={
            "size": "200Mi",
            "time": "0s",
            "interval": "1s",
            "weights": {"size": 0, "accesses": 100, "age": 100},
        },
        youngFilter=False,
        watermarks={"high": "20%", "mid": "15%", "low": "5%", "interval": "5s"},
        guardrails={
            "memoryPressureMax": {"enabled": True, "share": "10%"},
            "fastFreeMin": {"enabled": True, "share": "2%"},
            "slowFreeMin": {"enabled": False, "share": "1%"},
            "churnMax": {"enabled": True, "share": "30%"},
            "hugePageSplitMax": {"enabled": True, "share": "99.99%"},
            "cooldown": "1m",
        },
        workloads=[
            {
                "name": "databases",
                "match": {
                    "namespaces": ["shop", "bank"],
                    "podSelector": {
                        "matchLabels": {"app": "db"},
                        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["cache"]}],
                    },
                    "qosClasses": ["Guaranteed"],
                    "priorityClasses": ["system-node-critical"],
                },
                "action": "Exclude",
            },
            {
                "name": "batch",
                "match": {"qosClasses": ["BestEffort", "Burstable"]},
                "action": "Tier",
                "fastMemory": {"max": "2Gi", "min": 536870912},
            },
            {"name": "rest", "action": "Exclude"},
        ],
    ),
    "tiers by type, and one by nid": policy(
        allNodes=True,
        tiers=[
            {"name": "near", "types": ["HBM"]},
            {"name": "fast", "types": ["DRAM"]},
            {"name": "slow", "types": ["CXL", "PMEM", "Slow"]},
            {"name": "far", "nids": [7]},
        ],
    ),
    "a size in bytes": policy(allNodes=True, quota={"size": 209715200}),
    "sizes as large as can be": policy(
        allNodes=True,
        quota={"size": 2**56},
        monitoring={"ranges": [{"start": 10**16, "end": "65536Ti"}, {"start": "9999999999999999", "end": 2**56}]},
    ),
    "durations of several units": policy(
        allNodes=True, promotion={"minAge": "1h1m1s1us"}, demotion={"minAge": "10s1us"}, applyInterval="1s1500us"
    ),
    "a rollout": policy(
        allNodes=True,
        paused=True,
        rollout={
            "canary": "0.5%",
            "bake": "0s",
            "maxUpdating": 100,
            "failureThreshold": "100%",
            "onFailure": "Rollback",
        },
    ),
    "a part of a rollout": policy(allNodes=True, rollout={"canary": 5}),
    "a trial": policy(allNodes=True, trial={"nodeNames": ["n1", "n2"], "duration": "24h"}),
}

_MONITORING = "spec.monitoring"
BAD = (
    BadPolicy(about="an unknown field", spec={"speed": "fast"}, field="spec.speed", says="unknown field"),
    BadPolicy(
        about="an unknown nested field", spec={"quota": {"bytes": 1}}, field="spec.quota.bytes", says="unknown field"
    ),
    BadPolicy(about="no node selection", spec={"allNodes": False}, field="spec", says="set exactly one of"),
    BadPolicy(
        about="two node selections",
        spec={"nodeSelector": {"matchLabels": {"a": "b"}}},
        field="spec",
        says="set exactly one of",
    ),
    BadPolicy(
        about="an empty selector",
        spec={"allNodes": False, "nodeSelector": {"matchLabels": {}}},
        field="spec.nodeSelector",
        says="allNodes: true",
    ),
    BadPolicy(
        about="In without values",
        spec={"allNodes": False, "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        field="spec.nodeSelector.matchExpressions[0]",
        says="need values",
    ),
    BadPolicy(about="an engine that is none", spec={"engine": "Kswapd"}, field="spec.engine", says="NUMABalancing"),
    BadPolicy(about="a mode that is none", spec={"mode": "On"}, field="spec.mode", says="Observe"),
    BadPolicy(about="a wrong unit", spec={"applyInterval": "5 parsecs"}, field="spec.applyInterval", says="5 parsecs"),
    BadPolicy(
        about="a share without a percent sign",
        spec={"promotion": {"fastUsedTarget": "0.9"}},
        field="spec.promotion.fastUsedTarget",
        says="0.9",
    ),
    BadPolicy(
        about="a share above all",
        spec={"promotion": {"fastUsedTarget": "101%"}},
        field="spec.promotion.fastUsedTarget",
        says="101%",
    ),
    BadPolicy(
        about="a share of nothing",
        spec={"promotion": {"fastUsedTarget": "0%"}},
        field="spec.promotion.fastUsedTarget",
        says="at least 0.01%",
    ),
    BadPolicy(about="a negative size", spec={"quota": {"size": "-5Mi"}}, field="spec.quota.size", says="-5Mi"),
    BadPolicy(about="a milli size", spec={"quota": {"size": "500m"}}, field="spec.quota.size", says="500m"),
    BadPolicy(
        about="a size beyond all memory",
        spec={"quota": {"size": "65537Ti"}},
        field="spec.quota.size",
        says="at most 65536Ti",
    ),
    BadPolicy(about="a number beyond all memory", spec={"quota": {"size": 10**17}}, field="spec.quota.size", says=""),
    BadPolicy(
        about="a range beyond all memory",
        spec={"monitoring": {"ranges": [{"start": 0, "end": "99999999999999999k"}]}},
        field="spec.monitoring.ranges[0].end",
        says="at most 65536Ti",
    ),
    BadPolicy(
        about="an age of weeks",
        spec={"demotion": {"minAge": "9999999h"}},
        field="spec.demotion.minAge",
        says="between 0s and 24h",
    ),
    BadPolicy(
        about="an age for promotion of more than a day",
        spec={"promotion": {"minAge": "24h1us"}},
        field="spec.promotion.minAge",
        says="between 0s and 24h",
    ),
    BadPolicy(about="a tiny size", spec={"quota": {"size": "4Ki"}}, field="spec.quota.size", says="at least 1Mi"),
    BadPolicy(about="text for a number", spec={"priority": "high"}, field="spec.priority", says="integer"),
    BadPolicy(
        about="a nid that cannot be",
        spec={"tiers": [{"name": "fast", "nids": [-1]}, {"name": "slow", "nids": [1]}]},
        field="spec.tiers[0].nids[0]",
        says="0",
    ),
    BadPolicy(
        about="a tier of nothing",
        spec={"tiers": [{"name": "fast"}, {"name": "slow", "nids": [1]}]},
        field="spec.tiers[0]",
        says="set exactly one of types and nids",
    ),
    BadPolicy(
        about="a tier by type and by nid",
        spec={"tiers": [{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [1], "types": ["CXL"]}]},
        field="spec.tiers[1]",
        says="set exactly one of types and nids",
    ),
    BadPolicy(
        about="a type in two tiers",
        spec={"tiers": [{"name": "fast", "types": ["DRAM", "CXL"]}, {"name": "slow", "types": ["CXL"]}]},
        field="spec.tiers",
        says="a type can be in one tier only",
    ),
    BadPolicy(
        about="a nid in two tiers",
        spec={"tiers": [{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [0, 1]}]},
        field="spec.tiers",
        says="a nid can be in one tier only",
    ),
    BadPolicy(
        about="a nid twice in a tier",
        spec={"tiers": [{"name": "fast", "nids": [0, 0]}, {"name": "slow", "nids": [1]}]},
        field="spec.tiers[0].nids[1]",
        says="Duplicate value",
    ),
    BadPolicy(
        about="two tiers of one name",
        spec={"tiers": [{"name": "fast", "nids": [0]}, {"name": "fast", "nids": [1]}]},
        field="spec.tiers[1]",
        says="Duplicate value",
    ),
    BadPolicy(
        about="a type that is none",
        spec={"tiers": [{"name": "fast", "types": ["DRAM"]}, {"name": "slow", "types": ["GPU"]}]},
        field="spec.tiers[1].types[0]",
        says="HBM",
    ),
    BadPolicy(about="one tier only", spec={"tiers": [{"name": "fast", "nids": [0]}]}, field="spec.tiers", says=""),
    BadPolicy(
        about="nothing that could move",
        spec={"promotion": {"enabled": False}, "demotion": {"enabled": False}},
        field="spec",
        says="enable one",
    ),
    BadPolicy(
        about="a page cache choice that is none",
        spec={"demotion": {"pageCache": "Some"}},
        field="spec.demotion.pageCache",
        says="MappedOnly",
    ),
    BadPolicy(
        about="cold that is hot",
        spec={"demotion": {"maxAccesses": 1}},
        field="spec",
        says="must be below promotion.minAccesses",
    ),
    BadPolicy(
        about="more accesses than samples",
        spec={"promotion": {"minAccesses": 21}},
        field="spec",
        says="cannot be reached",
    ),
    BadPolicy(
        about="sampling slower than aggregation",
        spec={"monitoring": {"sampleInterval": "200ms", "aggregationInterval": "100ms"}},
        field=_MONITORING,
        says="must not exceed aggregationInterval",
    ),
    BadPolicy(
        about="a sampling interval between two milliseconds",
        spec={"monitoring": {"sampleInterval": "5001us"}},
        field="spec.monitoring.sampleInterval",
        says="5001us",
    ),
    BadPolicy(
        about="samples so rare that the kernel answers too late",
        spec={"monitoring": {"autoTune": {"maxSample": "10001ms"}}},
        field="spec.monitoring.autoTune.maxSample",
        says="10s",
    ),
    BadPolicy(
        about="a sampling interval in which the agent would be taken for stuck",
        spec={
            "monitoring": {
                "sampleInterval": "11s",
                "aggregationInterval": "10m",
                "autoTune": {"enabled": False},
            }
        },
        field="spec.monitoring.sampleInterval",
        says="must be between 1ms and 10s",
    ),
    BadPolicy(
        about="tuning bounds the wrong way round",
        spec={"monitoring": {"autoTune": {"minSample": "100ms", "maxSample": "10ms"}}},
        field="spec.monitoring.autoTune",
        says="minSample must not exceed maxSample",
    ),
    BadPolicy(
        about="sampling outside the tuning bounds",
        spec={"monitoring": {"sampleInterval": "1ms"}},
        field=_MONITORING,
        says="must lie between",
    ),
    BadPolicy(
        about="region bounds the wrong way round",
        spec={"monitoring": {"regions": {"min": 100, "max": 10}}},
        field="spec.monitoring.regions",
        says="min must not exceed max",
    ),
    BadPolicy(
        about="a range that ends before it starts",
        spec={"monitoring": {"ranges": [{"start": 0, "end": "4Gi"}, {"start": "8Gi", "end": 0x200000000}]}},
        field="spec.monitoring.ranges[1]",
        says="start must be below end",
    ),
    BadPolicy(
        about="a range without an end",
        spec={"monitoring": {"ranges": [{"start": "4Gi"}]}},
        field="spec.monitoring.ranges[0]",
        says="",
    ),
    BadPolicy(
        about="no CPU time at all",
        spec={"monitoring": {"cpuPercent": 0}},
        field="spec.monitoring.cpuPercent",
        says="1",
    ),
    BadPolicy(
        about="watermarks that rise",
        spec={"watermarks": {"high": "5%", "mid": "15%", "low": "20%"}},
        field="spec.watermarks",
        says="must descend",
    ),
    BadPolicy(
        about="watermarks that are looked at too seldom for the kernel to answer meanwhile",
        spec={"watermarks": {"high": "20%", "mid": "15%", "low": "5%", "interval": "11s"}},
        field="spec.watermarks.interval",
        says="must be between 100ms and 10s",
    ),
    BadPolicy(about="no canary", spec={"rollout": {"canary": 0}}, field="spec.rollout.canary", says="1"),
    BadPolicy(
        about="a canary of nothing",
        spec={"rollout": {"canary": "0%"}},
        field="spec.rollout.canary",
        says="at least 0.01%",
    ),
    BadPolicy(
        about="a number of nodes as text",
        spec={"rollout": {"maxUpdating": "10"}},
        field="spec.rollout.maxUpdating",
        says="10",
    ),
    BadPolicy(
        about="a threshold above all",
        spec={"rollout": {"failureThreshold": "101%"}},
        field="spec.rollout.failureThreshold",
        says="101%",
    ),
    BadPolicy(
        about="a bake of days",
        spec={"rollout": {"bake": "48h"}},
        field="spec.rollout.bake",
        says="between 0s and 24h",
    ),
    BadPolicy(
        about="a way out that is none",
        spec={"rollout": {"onFailure": "Panic"}},
        field="spec.rollout.onFailure",
        says="Rollback",
    ),
    BadPolicy(
        about="a trial without an end",
        spec={"trial": {"nodeNames": ["n1"]}},
        field="spec.trial",
        says="duration",
    ),
    BadPolicy(
        about="a trial nowhere",
        spec={"trial": {"nodeNames": [], "duration": "1h"}},
        field="spec.trial.nodeNames",
        says="",
    ),
    BadPolicy(
        about="a node twice in a trial",
        spec={"trial": {"nodeNames": ["n1", "n1"], "duration": "1h"}},
        field="spec.trial.nodeNames[1]",
        says="Duplicate value",
    ),
    BadPolicy(
        about="a trial for ever",
        spec={"trial": {"nodeNames": ["n1"], "duration": "1000h"}},
        field="spec.trial.duration",
        says="between 1m and 720h",
    ),
    BadPolicy(
        about="an interval too short",
        spec={"quota": {"interval": "1ms"}},
        field="spec.quota.interval",
        says="between 100ms and 1m",
    ),
    BadPolicy(
        about="a guardrail at nothing",
        spec={"guardrails": {"memoryPressureMax": {"share": "0%"}}},
        field="spec.guardrails.memoryPressureMax.share",
        says="at least 0.01%",
    ),
    BadPolicy(
        about="a guardrail that is neither up nor down",
        spec={"guardrails": {"churnMax": {"enabled": "no"}}},
        field="spec.guardrails.churnMax.enabled",
        says="boolean",
    ),
    BadPolicy(
        about="no cooldown",
        spec={"guardrails": {"cooldown": "0s"}},
        field="spec.guardrails.cooldown",
        says="between 10s and 24h",
    ),
    BadPolicy(about="no rules at all", spec={"workloads": []}, field="spec.workloads", says=""),
    BadPolicy(
        about="a rule that does nothing",
        spec={"workloads": [{"name": "a"}]},
        field="spec.workloads[0]",
        says="action",
    ),
    BadPolicy(
        about="an action that is none",
        spec={"workloads": [{"name": "a", "action": "Demote"}]},
        field="spec.workloads[0].action",
        says="Exclude",
    ),
    BadPolicy(
        about="two rules of one name",
        spec={"workloads": [{"name": "a", "action": "Tier"}, {"name": "a", "action": "Exclude"}]},
        field="spec.workloads[1]",
        says="Duplicate value",
    ),
    BadPolicy(
        about="limits of what is not tiered",
        spec={"workloads": [{"name": "a", "action": "Exclude", "fastMemory": {"max": "2Gi"}}]},
        field="spec.workloads[0]",
        says="set action to Tier",
    ),
    BadPolicy(
        about="limits without any",
        spec={"workloads": [{"name": "a", "action": "Tier", "fastMemory": {}}]},
        field="spec.workloads[0].fastMemory",
        says="set at least one of them",
    ),
    BadPolicy(
        about="limits that leave no room between them",
        spec={"workloads": [{"name": "a", "action": "Tier", "fastMemory": {"max": 1073741824, "min": "2Gi"}}]},
        field="spec.workloads[0].fastMemory",
        says="fastMemory.min must not exceed fastMemory.max",
    ),
    BadPolicy(
        about="a limit of next to nothing",
        spec={"workloads": [{"name": "a", "action": "Tier", "fastMemory": {"max": "4Ki"}}]},
        field="spec.workloads[0].fastMemory.max",
        says="at least 1Mi",
    ),
    BadPolicy(
        about="a match of nothing",
        spec={"workloads": [{"name": "a", "match": {}, "action": "Exclude"}]},
        field="spec.workloads[0].match",
        says="leave match out",
    ),
    BadPolicy(
        about="a pod selector of nothing",
        spec={"workloads": [{"name": "a", "match": {"podSelector": {"matchLabels": {}}}, "action": "Exclude"}]},
        field="spec.workloads[0].match.podSelector",
        says="leave podSelector out",
    ),
    BadPolicy(
        about="a pod selector with In and no values",
        spec={
            "workloads": [
                {
                    "name": "a",
                    "match": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
                    "action": "Exclude",
                }
            ]
        },
        field="spec.workloads[0].match.podSelector.matchExpressions[0]",
        says="need values",
    ),
    BadPolicy(
        about="a QoS class that is none",
        spec={"workloads": [{"name": "a", "match": {"qosClasses": ["Gold"]}, "action": "Exclude"}]},
        field="spec.workloads[0].match.qosClasses[0]",
        says="BestEffort",
    ),
)
