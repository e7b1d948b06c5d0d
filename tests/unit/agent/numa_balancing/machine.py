"""A machine whose kernel tiers by itself, and one turn of the engine on it."""

from dataclasses import dataclass, field

from simkernel import NO_DAMON, Profile, SimKernel, SimNid, SimTiering
from terrace_agent.engine import Moved, Plan
from terrace_agent.journal import Journal
from terrace_agent.numa_balancing.engine import NumaBalancingEngine
from terrace_agent.topology.values import Topology
from terrace_agent.workloads.values import EVERYTHING, Movable
from terrace_api.policy import Settings
from unit.agent.damon.builders import MIB, MemoryJournal, guest, settings, with_free

SWITCHES = (
    "/proc/sys/kernel/numa_balancing",
    "/proc/sys/kernel/numa_balancing_promote_rate_limit_MBps",
    "/sys/kernel/mm/numa/demotion_enabled",
)
FOUND = ("1", "65536", "false")


@dataclass
class Machine:
    """Attributes say what the machine is; the journal outlives every engine."""

    profile: Profile = NO_DAMON
    capable: bool = True
    tiering: bool = True
    one_tier: bool = False
    node_reclaim: bool = False
    hot_on_slow: int = 200 * MIB
    cold_on_fast: int = 1300 * MIB
    journal: Journal = field(default_factory=MemoryJournal)

    def __post_init__(self) -> None:
        self.host = SimTiering(
            kernel=SimKernel(self.profile),
            nids={
                0: SimNid(total=1536 * MIB, cold=self.cold_on_fast, other=100 * MIB, min_free=77 * MIB),
                1: SimNid(total=512 * MIB, hot=self.hot_on_slow, min_free=26 * MIB),
            },
            capable=self.capable,
            tiering=self.tiering,
            one_tier=self.one_tier,
            node_reclaim=self.node_reclaim,
        )
        self.engine = self.started()

    @property
    def topology(self) -> Topology:
        """The nids with what is free on them now."""
        return with_free(guest(), {nid: node.free for nid, node in self.host.nids.items()})

    def started(self) -> NumaBalancingEngine:
        """Returns the engine of an agent that has just started."""
        return NumaBalancingEngine(self.host, self.journal)

    def turn(self, wanted: Settings | None = None, movable: Movable = EVERYTHING) -> Plan:
        """Plans and applies."""
        plan = self.engine.plan(wanted or settings(), self.topology, movable)
        self.engine.apply(plan)
        return plan

    def run(self, seconds: int, wanted: Settings | None = None, movable: Movable = EVERYTHING) -> Moved:
        """Takes a turn each second."""
        moved = self.engine.verify()
        for _ in range(seconds):
            self.turn(wanted, movable)
            self.host.run(1)
            moved = self.engine.verify()
        return moved

    def stop(self) -> None:
        """Ends it, as `Restore` does."""
        self.engine.apply(self.engine.plan_stop())

    def switches(self) -> tuple[str, ...]:
        """What the settings hold; `-` for one that the kernel does not have."""
        return tuple(self.host.read(path) if self.host.exists(path) else "-" for path in SWITCHES)
