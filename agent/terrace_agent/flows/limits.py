"""How much may move per window, and when each direction stops. Pure.

Goals are wishes: they are clamped to what the nid can bear (kernel fact 21). Promotion stops
at free = max(the policy's free share, floor), demotion at that plus a margin, so that demotion makes room first,
promotion never eats what kswapd holds free, and at rest neither moves.

Goals are checked once per window and overshoot by up to one, so short windows of the policy's rate are committed.
With a time quota the kernel lets a page per window past them (kernel fact 45): that is far less than what demotion
brings back, and worth the bound on CPU time, which no number of bytes could replace.

Where a nid has page cache that reclaim drops (`relief`), promotion goes on to the low watermark and demotion waits.

A nid of a middle tier is both: what comes down to it stops where it is full (`fullness`), and both of its own
directions keep more free than that. So it makes the room that the faster tier waits for, and promotion does not take
that room.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from terrace_agent.flows.pairs import Pair
from terrace_agent.topology.values import Nid
from terrace_api.policy import Guard, Settings

BP = 10_000
"""All of it, in basis points."""

_PAGE_BYTES = 4_096
_MIB = 1 << 20
_LEAST_QUOTA_BYTES = 200 * _MIB
_MOST_QUOTA_BYTES = 2048 * _MIB
WINDOW_MS = 200
_LARGEST_WINDOW_BP = 150
_LEAST_MARGIN_BP = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The quota window of one direction at one fast nid.

    Attributes:
        bytes: all sources together.
        asked_bytes: what the policy's rate would be.
        time_ms: CPU time of each source; 0 is no limit.
    """

    ms: int
    bytes: int
    asked_bytes: int
    time_ms: int

    @property
    def bytes_per_second(self) -> int:
        """The rate of one direction."""
        return self.bytes * 1_000 // self.ms

    @property
    def cut(self) -> bool:
        """Whether the nid is too small for the policy's rate."""
        return self.bytes < self.asked_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """Where the two directions at one fast nid stop.

    Attributes:
        floor_bytes: free memory that promotion leaves, one window included.
        promotion_free_bp: promotion stops when no more than this share is free.
        demotion_free_bp: demotion stops when this share is free.
        relieved: reclaim makes the room, by dropping page cache; then no window is part of the floor.
        overdraw_bytes: what promotion may bring beyond its stop, where that wakes who makes the room.
    """

    floor_bytes: int
    promotion_free_bp: int
    demotion_free_bp: int
    relieved: bool = False
    overdraw_bytes: int = 0

    @property
    def promotion_used_bp(self) -> int:
        """The complement, as `node_mem_used_bp` wants it."""
        return BP - self.promotion_free_bp


def window(settings: Settings, fast: Nid, apply_interval_us: int, least_ms: int = 0) -> Window:
    """Returns the window for promotion into `fast`, and for demotion out of it; at least of `least_ms`.

    `quota.size` is for both directions, each gets half. Longer windows than 200 ms overshoot more, shorter ones than a
    sample (`cadence.longest_sample_ms`), or than schemes are applied, are wasted: a window opens at most once per
    sample and is used at most once per application. No window takes more than 1.5% of the nid, or the floor would have
    to make room for it.
    """
    interval_ms = max(1, settings.quota.interval.ms)
    window_ms = max(min(WINDOW_MS, interval_ms), apply_interval_us // 1_000, least_ms)
    asked = _quota_bytes(settings, fast) * window_ms // (2 * interval_ms)
    bound = max(_MIB, share_bytes(fast.total_bytes, _LARGEST_WINDOW_BP))
    return Window(
        ms=window_ms,
        bytes=_pages(min(asked, bound)),
        asked_bytes=_pages(asked),
        time_ms=_scaled_ms(settings.quota.time.us, window_ms, interval_ms),
    )


def stops(
    settings: Settings, fast: Nid, per_direction: Window, *, has_safety_net: bool, least_free_bp: int = 0
) -> Stops:
    """Returns where promotion into `fast` and demotion out of it stop.

    `least_free_bp` is where demotion into it stops, on a nid of a middle tier. Where the kernel's own reclaim does not
    demote from `fast`, there is no safety net, and the floor is doubled.
    """
    floor_bytes = fast.floor_bytes * (1 if has_safety_net else 2) + per_direction.bytes
    guard_bp = max(_least_free_bp(settings.guardrails.fast_free_min), least_free_bp)
    if fast.relieved_floor_bytes is not None and guard_bp <= share_bp(fast.floor_bytes, fast.total_bytes):
        return _relieved(fast, fast.relieved_floor_bytes, least_free_bp)
    wish_bp = max(BP - settings.promotion.fast_used_target.bp, guard_bp)
    promotion_free_bp = _clamp(max(wish_bp, share_bp(floor_bytes, fast.total_bytes)), 1, BP - 2)
    margin_bp = max(_LEAST_MARGIN_BP, share_bp(per_direction.bytes, fast.total_bytes))
    demotion_free_bp = max(promotion_free_bp + margin_bp, settings.demotion.fast_free_target.bp)
    return Stops(
        floor_bytes=floor_bytes,
        promotion_free_bp=promotion_free_bp,
        demotion_free_bp=_clamp(demotion_free_bp, promotion_free_bp, BP - 1),
    )


def sources_into(pairs: Iterable[Pair], target: Nid, *, promotes: bool) -> int:
    """Returns how many sources share the window into `target`."""
    return sum(pair.target.nid == target.nid and pair.promotes == promotes for pair in pairs)


def share_bp(part: int, whole: int) -> int:
    """Returns the share in bp, rounded up: free goals must not lose a page to rounding."""
    return -(-part * BP // whole) if whole else BP


def share_bytes(whole: int, bp: int) -> int:
    """Returns that share of `whole`, rounded down."""
    return whole * bp // BP


def _relieved(fast: Nid, floor_bytes: int, least_free_bp: int) -> Stops:
    """Returns stops within what kswapd sees to, which makes room by dropping page cache: demotion has no part in it.

    The guardrail has none either, for it is no higher than where kswapd brings free memory back to. Did promotion stop
    at it, above the low watermark, then nobody would wake kswapd: 0.2 % is above it on nids of about 90 GiB and more.

    Free memory dips below the low watermark each time before kswapd wakes, so demotion stops far below that, and what
    promotion brings beyond its stop there wakes kswapd, too: twice that is at most the way to where demotion begins.
    """
    may_wake_kswapd = floor_bytes <= fast.low_bytes
    # A basis point of a large nid is more than one window: rounded up, the stop would be above the low watermark.
    rounded = floor_bytes * BP // fast.total_bytes if may_wake_kswapd else share_bp(floor_bytes, fast.total_bytes)
    promotion_free_bp = _clamp(max(rounded, least_free_bp), 1, BP - 2)
    wakes_kswapd = may_wake_kswapd and least_free_bp <= rounded
    return Stops(
        floor_bytes=floor_bytes,
        promotion_free_bp=promotion_free_bp,
        demotion_free_bp=max(1, promotion_free_bp // 2),
        relieved=True,
        overdraw_bytes=min(fast.floor_bytes - fast.low_bytes, fast.low_bytes // 2) // 2 if wakes_kswapd else 0,
    )


def _least_free_bp(guard: Guard) -> int:
    return guard.share.bp if guard.enabled else 0


def _quota_bytes(settings: Settings, fast: Nid) -> int:
    if settings.quota.size is not None:
        return settings.quota.size.bytes
    return _clamp(fast.total_bytes // 1_000, _LEAST_QUOTA_BYTES, _MOST_QUOTA_BYTES)


def _pages(count: int) -> int:
    return max(_PAGE_BYTES, count // _PAGE_BYTES * _PAGE_BYTES)


def _scaled_ms(time_us: int, window_ms: int, interval_ms: int) -> int:
    return max(1, time_us * window_ms // (interval_ms * 1_000)) if time_us else 0


def _clamp(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))
