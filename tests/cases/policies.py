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
        priority=10,
        allNodes=True,
        tiers=[{"name": "fast", "nids": [0]}, {"name": "slow", "nids": [1, 2]}],
        promotion={"enabled": True, "minAccesses": 2, "minAge": "1s", "fastUsedTarget": "95.5%"},
        demotion={"enabled": True, "maxAccesses": 1, "minAge": "1m30s", "fastFreeTarget": "5%"},
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
    ),
    "a size in bytes": policy(allNodes=True, quota={"size": 209715200}),
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
    BadPolicy(about="a tiny size", spec={"quota": {"size": "4Ki"}}, field="spec.quota.size", says="at least 1Mi"),
    BadPolicy(about="text for a number", spec={"priority": "high"}, field="spec.priority", says="integer"),
    BadPolicy(
        about="a nid that cannot be",
        spec={"tiers": [{"name": "fast", "nids": [-1]}, {"name": "slow", "nids": [1]}]},
        field="spec.tiers[0].nids[0]",
        says="0",
    ),
    BadPolicy(about="one tier only", spec={"tiers": [{"name": "fast", "nids": [0]}]}, field="spec.tiers", says=""),
    BadPolicy(
        about="nothing that could move",
        spec={"promotion": {"enabled": False}, "demotion": {"enabled": False}},
        field="spec",
        says="enable one",
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
        about="watermarks that rise",
        spec={"watermarks": {"high": "5%", "mid": "15%", "low": "20%"}},
        field="spec.watermarks",
        says="must descend",
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
)
