"""An engine that behaves like one, in memory: what was applied stays in force until it is stopped."""

from dataclasses import dataclass, field

from terrace_agent.engine import Moved, Plan
from terrace_agent.steps import Command
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.node_tiering import Effective, EngineCapability, EngineName, Kdamond, Levels
from terrace_api.policy import Settings

EFFECTIVE = Effective(
    fast_used_target="99.6%",
    fast_free_target="0.4%",
    fast_floor_bytes=4096,
    quota_bytes_per_second=1 << 20,
    apply_interval="100ms",
    sample_interval="5ms",
    aggregation_interval="100ms",
    notes=("from the fake",),
)
LEVELS = Levels(hot_on_slow_bytes=200 << 20, cold_on_fast_bytes=1 << 30, forecast_bytes=150 << 20)


@dataclass
class FakeEngine:
    """Attributes say what it shall do; `applied` is the history of plans that had steps.

    Attributes:
        failures: by method name, what to raise there.
        hides: `verify` does not see what is in force.
    """

    available: bool = True
    promoted_bytes: int = 0
    notes: tuple[str, ...] = ()
    failures: dict[str, Exception] = field(default_factory=dict)
    running: Settings | None = None
    watching: bool = False
    moving: Movable = EVERYTHING
    applied: list[str] = field(default_factory=list)
    pid: int = 100
    name: EngineName = EngineName.DAMON
    goes_on_alone: bool = True
    hides: bool = False

    def probe(self) -> EngineCapability:
        self._fail("probe")
        if self.available:
            return EngineCapability(name=self.name, available=True, reason="Available", message="it can")
        return EngineCapability(
            name=self.name, available=False, reason="NoDamonSysfs", message="the interface is missing; newer helps"
        )

    def plan(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        self._fail("plan")
        steps = () if (self.running, self.moving) == (settings, movable) else (_step("start"),)
        self._planned = (settings, movable)
        return Plan(
            steps=steps,
            reason=f"start on {len(topology.tiers)} tiers" if steps else "in force",
            words=("promote from nid 1 to nid 0",),
            effective=EFFECTIVE,
        )

    def plan_observe(self, settings: Settings, topology: Topology, movable: Movable = EVERYTHING) -> Plan:
        planned = self.plan(settings, topology, movable)
        return Plan(
            steps=() if self.watching else (_step("watch"),),
            reason="watch",
            words=planned.words,
            effective=EFFECTIVE,
            levels=LEVELS if self.watching else None,
            no_levels="" if self.watching else "levels in a while",
        )

    def plan_stop(self) -> Plan:
        self._fail("plan_stop")
        return Plan(steps=(_step("stop"),) if self.running or self.watching else (), reason="stop")

    def apply(self, plan: Plan) -> None:
        self._fail("apply")
        for step in plan.steps:
            assert isinstance(step, Command)
            self.applied.append(step.word)
            self.running, self.moving = self._planned if step.word == "start" else (None, EVERYTHING)
            self.watching = step.word == "watch"

    def verify(self) -> Moved:
        self._fail("verify")
        kdamond = Kdamond(
            index=0,
            pid=self.pid,
            source_nid=1,
            target_nid=0,
            direction="promotion",
            tried_bytes=2 * self.promoted_bytes,
            applied_bytes=self.promoted_bytes,
            arrived_bytes=self.promoted_bytes,
            quota_exceeds=3,
        )
        return Moved(
            kdamonds=(kdamond,) if self.running and not self.hides else (),
            promoted_bytes=self.promoted_bytes,
            demoted_bytes=0,
            notes=self.notes,
        )

    def _fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]


def _step(word: str) -> Command:
    return Command(index=0, path="/sys/kernel/mm/damon/admin/kdamonds/0/state", word=word, then_on=word == "start")
