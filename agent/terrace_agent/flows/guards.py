"""When a guardrail of the policy is hit, and what then. Pure.

Before: `health`, the journal. After: an engine (nothing moves during a cooldown), the condition `GuardrailTripped`.

Free memory, and with DAMON's goals pressure, too, are held in the kernel, window by window and without the agent; here
they are only put into words. Where nothing in the kernel stops at pressure, the engine moves nothing while it lasts.

`churn` tells whether promotion and demotion undo each other. Huge pages are counted here: DAMON's migration
splits one where its target has no free huge page (only NUMA hinting migration keeps them whole, `migrate_pages_batch()`
in Linux mm/migrate.c), and a split page stays split.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from terrace_agent.engine import Tripped
from terrace_agent.flows.churn import Churn, Sample
from terrace_agent.flows.health import Health
from terrace_agent.flows.limits import BP, Stops, Window, share_bp
from terrace_agent.flows.pairs import Pair
from terrace_agent.journal import Cooldown
from terrace_agent.steps import CoolDown
from terrace_agent.topology.values import Nid
from terrace_api.policy import Guard, Guardrails
from terrace_api.units import Percent

_CHURN, _SPLITS = "Churn", "HugePageSplits"
_WINDOW_S = 60.0
_ENOUGH_HUGE_PAGES = 64
_AT_THE_STOP_BP = 20


class Flow(Protocol):
    """One direction between two nids, whatever moves pages there."""

    @property
    def pair(self) -> Pair:
        """From where to where."""

    @property
    def window(self) -> Window:
        """What one window may move."""

    @property
    def stops(self) -> Stops:
        """Where both directions at its fast nid stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What the guardrails say now.

    Attributes:
        tripped: those that are hit.
        cooldown: while nothing shall move.
        under_pressure: whether memory pressure is one of them.
        since: the look that huge pages are counted from.
        note: what cannot be watched on this kernel; empty if all can.
    """

    tripped: tuple[Tripped, ...]
    cooldown: Cooldown | None
    under_pressure: bool
    since: Health
    note: str = ""

    @property
    def halts(self) -> bool:
        """Whether an engine that nothing in the kernel stops has to move nothing now."""
        return self.cooldown is not None or self.under_pressure

    def journaled(self, before: Cooldown | None) -> tuple[CoolDown, ...]:
        """Returns the step that journals the cooldown, if it is not the one `before`."""
        return () if self.cooldown == before else (CoolDown(cooldown=self.cooldown),)


def review(
    guardrails: Guardrails, cooldown: Cooldown | None, since: Health | None, now: Health, churn: Churn | None = None
) -> Review:
    """Returns what holds now, from the cooldown in force, what has happened since the look `since`, and `churn`."""
    cooldown = _held(guardrails, cooldown, now) or _churned(churn) or _split(guardrails, since or now, now)
    # What was moving when it was stopped must not count against the time after.
    since = now if cooldown else _window(since, now)
    return Review(
        tripped=tuple(_tripped(guardrails, cooldown, now)),
        cooldown=cooldown,
        under_pressure=_is_under_pressure(guardrails, now),
        since=since,
        note=_unwatched(guardrails, now),
    )


def sample(flows: Iterable[Flow], moved_bytes: tuple[int, int], at_s: float) -> Sample:
    """Returns what churn is told from: totals, and whether anybody but promotion uses the room that demotion makes.

    While promotion and demotion undo each other, free memory stays between what promotion's last window leaves, which
    may have begun just above its stop, and demotion's stop. Who allocates goes below that.
    """
    fast = {one.nid: (one, flow) for flow in flows for one in (_fast(flow),)}
    return Sample(
        at_s=at_s,
        promoted_bytes=moved_bytes[0],
        demoted_bytes=moved_bytes[1],
        fast_bytes=sum(nid.total_bytes for nid, _ in fast.values()),
        bytes_per_second=sum(flow.window.bytes_per_second for _, flow in fast.values()),
        keeps_floor=all(nid.free_bytes * BP >= _least_free_bp(flow) * nid.total_bytes for nid, flow in fast.values()),
    )


def full_nids(guardrails: Guardrails, flows: Iterable[Flow]) -> Iterator[Tripped]:
    """Yields what the free memory of nids stops, each nid once."""
    flows = tuple(flows)
    slow = {flow.pair.target.nid: flow.pair.target for flow in flows if not flow.pair.promotes}
    # Where reclaim makes room, free memory comes and goes around the stop.
    promoting = (flow for flow in flows if flow.pair.promotes and not flow.stops.relieved)
    fast = {flow.pair.target.nid: flow.pair.target for flow in promoting}
    for nid in slow.values():
        if _is_at(guardrails.slow_free_min, nid, _AT_THE_STOP_BP):
            yield Tripped(
                reason="SlowFreeMin",
                message=f"{_free(nid)} (guardrails.slowFreeMin {guardrails.slow_free_min.share}): Terrace demotes "
                "nothing to it. The fast tier gets no room until memory is freed there, or a larger slow tier is "
                "named.",
            )
    for nid in fast.values():
        if _is_at(guardrails.fast_free_min, nid, 0):
            yield Tripped(
                reason="FastFreeMin",
                message=f"{_free(nid)} (guardrails.fastFreeMin {guardrails.fast_free_min.share}): nothing is promoted "
                "to it until demotion or reclaim have made room.",
            )


def _tripped(guardrails: Guardrails, cooldown: Cooldown | None, now: Health) -> Iterator[Tripped]:
    if cooldown:
        yield Tripped(reason=cooldown.reason, message=f"{cooldown.message} {_pause(guardrails, cooldown, now)}")
    if now.pressure_bp is not None and _is_under_pressure(guardrails, now):
        yield Tripped(
            reason="MemoryPressure",
            message=f"Tasks waited for memory in {Percent(now.pressure_bp)} of the last minute "
            f"(guardrails.memoryPressureMax {guardrails.memory_pressure_max.share}): nothing moves while that lasts. "
            "Look for pods at their memory limit, or for a node that has too little memory.",
        )


def _held(guardrails: Guardrails, cooldown: Cooldown | None, now: Health) -> Cooldown | None:
    """Returns what is left of a cooldown: it ends with its guardrail, and lasts no longer than one that began now."""
    if cooldown is None or now.uptime_s >= cooldown.until_s:
        return None
    guard = {_CHURN: guardrails.churn_max, _SPLITS: guardrails.huge_page_split_max}.get(cooldown.reason)
    if guard and not guard.enabled:
        return None
    return replace(cooldown, until_s=min(cooldown.until_s, _end_s(guardrails, now)))


def _end_s(guardrails: Guardrails, now: Health) -> float:
    return now.uptime_s + guardrails.cooldown.us / 1e6


def _pause(guardrails: Guardrails, cooldown: Cooldown, now: Health) -> str:
    """Returns until when nothing moves, by the clock: the same words at each look."""
    if now.booted_s is None:
        return f"Nothing moves for guardrails.cooldown ({guardrails.cooldown})."
    end = datetime.fromtimestamp(-(-(now.booted_s + cooldown.until_s) // 60) * 60, tz=UTC)
    return f"Nothing moves until {end:%Y-%m-%d %H:%M} UTC (guardrails.cooldown {guardrails.cooldown})."


def _is_under_pressure(guardrails: Guardrails, now: Health) -> bool:
    guard = guardrails.memory_pressure_max
    return guard.enabled and now.pressure_bp is not None and now.pressure_bp > guard.share.bp


def _churned(churn: Churn | None) -> Cooldown | None:
    return Cooldown(reason=_CHURN, message=churn.message, until_s=churn.until_s) if churn else None


def _least_free_bp(flow: Flow) -> int:
    return flow.stops.promotion_free_bp - share_bp(flow.window.bytes, _fast(flow).total_bytes)


def _fast(flow: Flow) -> Nid:
    return flow.pair.target if flow.pair.promotes else flow.pair.source


def _split(guardrails: Guardrails, since: Health, now: Health) -> Cooldown | None:
    guard = guardrails.huge_page_split_max
    split, moved = now.huge_split - since.huge_split, now.huge_moved - since.huge_moved
    if not guard.enabled or split + moved < _ENOUGH_HUGE_PAGES or split * BP <= guard.share.bp * (split + moved):
        return None
    return Cooldown(
        reason=_SPLITS,
        message=f"{split} of {split + moved} huge pages were split to be migrated (guardrails.hugePageSplitMax "
        f"{guard.share}). The target nid is fragmented; a lower promotion.fastUsedTarget leaves it more room, and "
        "/proc/sys/vm/compact_memory defragments it.",
        until_s=_end_s(guardrails, now),
    )


def _window(since: Health | None, now: Health) -> Health:
    return since if since and now.uptime_s - since.uptime_s < _WINDOW_S else now


def _unwatched(guardrails: Guardrails, now: Health) -> str:
    if now.pressure_bp is None and guardrails.memory_pressure_max.enabled:
        return (
            "guardrails.memoryPressureMax holds nothing: this kernel does not measure pressure (no "
            "/proc/pressure/memory; the boot option psi=1 switches it on)"
        )
    return ""


def _is_at(guard: Guard, nid: Nid, margin_bp: int) -> bool:
    return guard.enabled and nid.free_bytes * BP <= (guard.share.bp + margin_bp) * nid.total_bytes


def _free(nid: Nid) -> str:
    return f"nid {nid.nid} has {Percent(min(BP, share_bp(nid.free_bytes, nid.total_bytes)))} free"
