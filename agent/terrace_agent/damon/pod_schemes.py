"""The schemes of pods that have bounds on their fast memory. Pure.

Before: `apart` (which pods, and where each stops), `schemes` (the general ones). After: `desired` puts them behind.
"""

from dataclasses import replace

from terrace_agent.damon.apart import Apart, share_bytes
from terrace_agent.damon.features import Feature
from terrace_agent.damon.flow import Flow
from terrace_agent.damon.schemes import UNMEASURED_BYTES_PER_MS, charged_in_full, moving
from terrace_agent.damon.tree import GoalMetric, Scheme
from terrace_api.policy import Settings


def pod_schemes(settings: Settings, flows: tuple[Flow, ...], features: frozenset[Feature]) -> tuple[Scheme, ...]:
    """Returns the schemes of single pods; they stand behind the general ones, since they come and go with the pods.

    Those of one direction differ in filters and goals only. Schemes are committed by number: one goes on as that of
    the next pod when another is taken out, and what it has counted stays what was moved in that direction.
    """
    return tuple(_scheme(settings, flow, one, features) for flow in flows for one in flow.apart)


def _scheme(settings: Settings, flow: Flow, one: Apart, features: frozenset[Feature]) -> Scheme:
    """Returns the scheme of one pod.

    - No weights: most of the regions that weigh most are not this pod's (`passing`).
    - No time quota: it would keep the stop ajar by a page per window (docs/kernel-facts.md, 45), which over a night is
      all that a `min` keeps. What it comes to in bytes bounds the scheme in its place.
    - A demotion is charged in full for what it tries in vain: trying resets a region's age, whomever it belongs to
      (`damos_apply_scheme()`, Linux mm/damon/core.c), so it would keep the others from what has got old.
    """
    alone = replace(flow, selection=one.selection, uniform=True, apart=(), quota_bytes=_bytes(flow))
    mover = moving(settings, alone, features)
    free = GoalMetric.NODE_MEM_FREE_BP
    general = (goal for goal in mover.quotas.goals if one.instead or goal.target_metric is not free)
    quotas = replace(mover.quotas, ms=0, goals=(one.goal, *general))
    return replace(mover, quotas=quotas if flow.pair.promotes else charged_in_full(quotas))


def _bytes(flow: Flow) -> int:
    each = share_bytes(flow.quota_bytes, len(flow.apart))
    if not flow.window.time_ms:
        return each
    return min(each, share_bytes(flow.window.time_ms * UNMEASURED_BYTES_PER_MS, len(flow.apart)))
