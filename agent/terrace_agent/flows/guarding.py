"""Looks at the node and says what the guardrails come to; remembers from where it counts.

Before: settings, the cooldown in the journal. After: an engine takes the review. What must outlive the agent is in the
journal; what is remembered here only begins anew with it.
"""

from terrace_agent.flows import churn
from terrace_agent.flows.guards import Review, review
from terrace_agent.flows.health import Health, read_health
from terrace_agent.hostfs import HostFs
from terrace_agent.journal import Cooldown
from terrace_api.policy import Settings


class Guarding:
    """Holds what the last looks saw."""

    def __init__(self, fs: HostFs) -> None:
        self._fs = fs
        self._since: Health | None = None
        self._moved: tuple[churn.Sample, ...] = ()

    def look(self, settings: Settings, cooldown: Cooldown | None, *, moves: bool) -> tuple[float, Review]:
        """Returns when this was, in seconds since boot, and what holds; where nothing `moves` nothing can be hit."""
        now = read_health(self._fs)
        if not moves or cooldown:
            self._since, self._moved = None, ()
        found = review(settings.guardrails, cooldown if moves else None, self._since, now, self._churn(settings))
        self._since = found.since
        if found.cooldown:
            self._moved = ()
        return now.uptime_s, found

    def remember(self, sample: churn.Sample) -> None:
        """Takes what has moved so far, for the next look."""
        self._moved = churn.remember(self._moved, sample)

    def _churn(self, settings: Settings) -> churn.Churn | None:
        guards = settings.guardrails
        if not guards.churn_max.enabled:
            return None
        return churn.judge(self._moved, churn_max_bp=guards.churn_max.share.bp, cooldown_us=guards.cooldown.us)
