"""Settings, topologies and engines for the tests of the damon engine."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from simkernel import SimKernel
from terrace_agent.damon.engine import DamonEngine
from terrace_agent.damon.features import Feature
from terrace_agent.damon.patience import Patience
from terrace_agent.journal import Journal, JournalState
from terrace_agent.journal_file import FileJournal
from terrace_agent.topology.values import Nid, PhysicalRange, TierOfNids, Topology
from terrace_api.node_tiering import MemoryKind
from terrace_api.policy import (
    AddressRange,
    AutoTune,
    Demotion,
    EngineChoice,
    Guard,
    Guardrails,
    Mode,
    Monitoring,
    PageCache,
    Promotion,
    Quota,
    Settings,
    Weights,
)
from terrace_api.units import Duration, Percent, Size

MIB = 1 << 20
GIB = 1 << 30
BOOT_ID = "0b5c7a52-0d1d-4a3c-9f1b-a1b2c3d4e5f6"
EVERYTHING = frozenset(Feature)


def settings(
    *,
    promotion: bool = True,
    demotion: bool = True,
    used: str = "99.6%",
    free: str = "0.4%",
    min_age: str = "10s",
    quota: str | None = None,
    time: str = "50ms",
    apply_interval: str | None = None,
    aggregations: int = 3,
    auto_tune: bool = True,
    young_filter: bool = True,
    guardrails: Guardrails | None = None,
    page_cache: PageCache = PageCache.MAPPED_ONLY,
    ranges: tuple[AddressRange, ...] | None = None,
) -> Settings:
    """Returns the schema's defaults with what the test is about."""
    return Settings(
        mode=Mode.ENFORCE,
        engine=EngineChoice.AUTO,
        promotion=Promotion(
            enabled=promotion, min_accesses=1, min_age=Duration.parse("0s"), fast_used_target=Percent.parse(used)
        ),
        demotion=Demotion(
            enabled=demotion,
            max_accesses=0,
            min_age=Duration.parse(min_age),
            fast_free_target=Percent.parse(free),
            page_cache=page_cache,
        ),
        monitoring=Monitoring(
            sample_interval=Duration.parse("5ms"),
            aggregation_interval=Duration.parse("100ms"),
            auto_tune=AutoTune(
                enabled=auto_tune,
                access_ratio=Percent.parse("4%"),
                aggregations=aggregations,
                min_sample=Duration.parse("5ms"),
                max_sample=Duration.parse("200ms"),
            ),
            cpu_percent=3,
            ranges=ranges,
        ),
        quota=Quota(
            time=Duration.parse(time),
            interval=Duration.parse("1s"),
            weights=Weights(size=0, accesses=100, age=100),
            size=Size.parse(quota) if quota else None,
        ),
        young_filter=young_filter,
        guardrails=guardrails or rails(),
        apply_interval=Duration.parse(apply_interval) if apply_interval else None,
    )


def rails(*, enabled: bool = True, cooldown: str = "5m", **shares: str) -> Guardrails:
    """Returns the schema's defaults with other shares by the field's name."""
    defaults = {
        "memory_pressure_max": "20%",
        "fast_free_min": "0.2%",
        "slow_free_min": "1%",
        "churn_max": "100%",
        "huge_page_split_max": "50%",
    }
    guards = {name: Guard(enabled=enabled, share=Percent.parse(share)) for name, share in (defaults | shares).items()}
    return Guardrails(cooldown=Duration.parse(cooldown), **guards)


def nid(
    number: int,
    total_bytes: int,
    *,
    start: int = 0,
    floor_bytes: int = 0,
    distances: dict[int, int] | None = None,
    memory_tier: int | None = None,
    cpus: tuple[int, ...] = (),
) -> Nid:
    """Returns a NUMA node of one range."""
    return Nid(
        nid=number,
        kind=MemoryKind.DRAM,
        kind_why="the test says so",
        total_bytes=total_bytes,
        free_bytes=total_bytes // 10,
        cpus=cpus,
        distances=distances or {},
        ranges=(PhysicalRange(start=start, end=start + total_bytes),),
        floor_bytes=floor_bytes,
        memory_tier=memory_tier,
    )


def topology(*tiers: tuple[Nid, ...]) -> Topology:
    """Returns a topology of these tiers, fastest first."""
    return Topology(
        nids=tuple(sorted((nid for tier in tiers for nid in tier), key=lambda nid: nid.nid)),
        tiers=tuple(
            TierOfNids(name=f"tier{number}", nids=tuple(nid.nid for nid in tier), why="the test says so")
            for number, tier in enumerate(tiers)
        ),
    )


def guest(*, fast_floor_bytes: int = 77 * MIB) -> Topology:
    """Returns a guest: 1.5 GiB fast, 512 MiB slow, high watermarks of 5%."""
    return topology(
        (nid(0, 1536 * MIB, floor_bytes=fast_floor_bytes, distances={0: 10, 1: 20}, memory_tier=4, cpus=(0, 1)),),
        (nid(1, 512 * MIB, start=1536 * MIB, floor_bytes=26 * MIB, distances={0: 20, 1: 10}, memory_tier=120),),
    )


def three_tiers() -> Topology:
    """Returns HBM, DRAM and CXL in a row."""
    distances = {0: 10, 1: 15, 2: 20}
    return topology(
        (nid(0, 16 * GIB, distances=distances),),
        (nid(1, 64 * GIB, start=16 * GIB, distances=distances),),
        (nid(2, 256 * GIB, start=80 * GIB, distances=distances),),
    )


def with_free(where: Topology, free_bytes: dict[int, int]) -> Topology:
    """Returns the topology with so much free on its nids."""
    nids = tuple(replace(one, free_bytes=free_bytes.get(one.nid, one.free_bytes)) for one in where.nids)
    return replace(where, nids=nids)


class MemoryJournal:
    """A journal that outlives the engine and costs no disk."""

    def __init__(self) -> None:
        self._state = JournalState()

    def load(self) -> JournalState:
        return self._state

    def save(self, state: JournalState) -> None:
        self._state = state


def engine_on(kernel: SimKernel, state: Path | Journal, clock: Callable[[], float] = time.monotonic) -> DamonEngine:
    """Returns an engine as a freshly started agent has it."""
    journal = FileJournal(state, boot_id=BOOT_ID) if isinstance(state, Path) else state
    return DamonEngine(kernel, journal, Patience(sleep=lambda _: None), clock)
