"""Who may write: the rules of leader election on one Lease. Pure; clocks come in as arguments.

Any number of operators run, one of them writes. It holds a Lease and renews it; the others take it over only after they
have seen it unchanged for as long as it says. No two clocks are compared: each process measures on its own one, and
they need only run equally fast.

    renewal sent ──── RENEW_WITHIN_S ────► no write is started any more ── ENDED_WITHIN_S ► and none is under way
                 ──────────────────────── LEASE_S ─────────────────────────────────────────────► others may take it

A Lease that is deleted while it is held is waited out in the same way by all who saw it.

The client library's own elector is not used: it compares wall clocks, lets one hanging request keep it leading past its
deadline, ends on a refused connection without ending what it started, and never releases
(`kubernetes.aio.leaderelection`, release 37.0.2).

Before: `cluster.lease` reads the Lease. After: `elector` writes what is claimed here.
"""

from dataclasses import dataclass, replace

LEASE_S = 15
RENEW_WITHIN_S = 10.0
ENDED_WITHIN_S = 14.0
RETRY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A Lease as it is on the API server.

    Attributes:
        holder: empty while nobody holds it.
        acquired: RFC 3339 with microseconds by the holder's clock, for people only; so is `renewed`.
        version: of the resource; empty while the object does not exist.
    """

    holder: str = ""
    duration_s: int = 0
    transitions: int = 0
    acquired: str | None = None
    renewed: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A Lease, and since when this process has seen it as it is.

    One that was deleted is seen as it was last, without a version: whoever held it does not know yet.
    """

    lease: Lease
    since_s: float

    def expired(self, now_s: float) -> bool:
        """Whether whoever holds it has stopped writing by now."""
        return not self.lease.holder or now_s >= self.since_s + self.lease.duration_s


def sighted(before: Sighting | None, lease: Lease, now_s: float) -> Sighting:
    """Returns the sighting after one more look.

    A deleted Lease is waited for no longer than one that is renewed: it says more only when its holder has left. One
    that was made anew counts on from the terms that were seen before.
    """
    if before is None:
        return Sighting(lease=lease, since_s=now_s)
    if not lease.version:
        lease = replace(before.lease, version="", duration_s=min(before.lease.duration_s, LEASE_S))
    lease = replace(lease, transitions=max(lease.transitions, before.lease.transitions))
    return before if before.lease == lease else Sighting(lease=lease, since_s=now_s)


def claim(seen: Sighting, me: str, *, leading: bool, now_s: float, now: str) -> Lease | None:
    """Returns what to write so that `me` holds the Lease from now on; None while somebody else does.

    A Lease that was deleted is made again at once only by who is leading: it knows that nobody else led since. Who has
    seen none yet waits for nobody, or the first operator of all would have to.
    """
    if seen.lease.holder == me and (seen.lease.version or leading):
        return replace(seen.lease, duration_s=LEASE_S, renewed=now)
    return take(seen.lease, me, now=now) if seen.expired(now_s) else None


def take(lease: Lease, me: str, *, now: str) -> Lease:
    """Returns what to write so that `me` holds the Lease, whoever holds it now.

    A former holder notices at its next renewal, and may write until then: `me` may not before the Lease as it was has
    expired.
    """
    return replace(lease, holder=me, duration_s=LEASE_S, transitions=lease.transitions + 1, acquired=now, renewed=now)


def leave(lease: Lease, *, now: str, held_s: int) -> Lease:
    """Returns what its holder writes at its end: others may take the Lease after `held_s`, with 0 at once."""
    if held_s:
        return replace(lease, duration_s=held_s, renewed=now)
    return replace(lease, holder="", duration_s=1, renewed=now)
