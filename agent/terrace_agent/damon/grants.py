"""What our running schemes were allowed, from what was read of them. Pure.

Before: `read` and `look`. After: `control`. Only what is in force counts: of a kdamond whose commit was cut off nobody
knows what it was allowed, so it gets new allowances.
"""

from collections.abc import Iterator, Mapping

from terrace_agent.damon.control import Direction, Grant
from terrace_agent.damon.ownership import owner_of
from terrace_agent.damon.read import ObservedKdamond
from terrace_agent.damon.verify import Look
from terrace_agent.journal import OwnedKdamond


def grants(
    kdamonds: tuple[ObservedKdamond, ...], owned: tuple[OwnedKdamond, ...], looks: tuple[Look, ...]
) -> Mapping[Direction, Grant]:
    """Returns the allowance of each running scheme that moves, by source nid and direction."""
    return dict(_grants(kdamonds, owned, looks))


def _grants(
    kdamonds: tuple[ObservedKdamond, ...], owned: tuple[OwnedKdamond, ...], looks: tuple[Look, ...]
) -> Iterator[tuple[Direction, Grant]]:
    for look in looks:
        kdamond = kdamonds[look.index]
        claim = owner_of(kdamond, owned)
        if claim and claim.in_force and kdamond.on and kdamond.tree:
            yield (
                (look.source_nid, look.promotes),
                Grant(
                    bytes=kdamond.tree.contexts[0].schemes[look.scheme].quotas.bytes,
                    tried_bytes=look.stats.sz_tried,
                    applied_bytes=look.stats.sz_applied,
                ),
            )
