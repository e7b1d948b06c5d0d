"""What is wanted of this node, from a NodeTiering as received. Pure.

Before: `inbox`. After: `cycle` acts on it. An absent field never means something dangerous: without settings nothing is
managed, and only `action: Restore` restores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from terrace_api.codec import decode_node_tiering
from terrace_api.defaults import Json
from terrace_api.errors import InvalidObject, Problem
from terrace_api.node_tiering import Action, NodeTieringSpec, NodeTieringStatus
from terrace_api.policy import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted of this node.

    Attributes:
        generation: of the object; 0 without any.
        spec: None while none was ever seen, and where `invalid` says that it could not be read.
        unknown_fields: of the spec, not acted on.
    """

    generation: int = 0
    spec: NodeTieringSpec | None = None
    unknown_fields: tuple[str, ...] = ()
    invalid: InvalidObject | None = None

    @property
    def settings(self) -> Settings | None:
        """The settings to follow, if any."""
        return self.spec.settings if self.spec else None


def read_order(manifest: Mapping[str, Json]) -> tuple[Order, NodeTieringStatus | None]:
    """Returns what a received NodeTiering asks, and the status that it carries; what cannot be read is `invalid`."""
    try:
        received, unknown = decode_node_tiering(dict(manifest))
    except InvalidObject as error:
        return Order(generation=manifest["metadata"].get("generation", 0), invalid=error), None
    if received.spec.action is Action.MANAGE and received.spec.settings is None:
        problem = Problem(field="spec.settings", message="is missing; only action Restore goes without settings")
        return Order(generation=received.generation, invalid=_invalid(problem)), received.status
    return Order(generation=received.generation, spec=received.spec, unknown_fields=unknown), received.status


def _invalid(problem: Problem) -> InvalidObject:
    return InvalidObject(kind="NodeTiering", problems=(problem,))
