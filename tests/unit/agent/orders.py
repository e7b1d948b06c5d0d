"""Orders and received objects for tests of the loop."""

from typing import Any

from terrace_agent.order import Order, read_order

OSRELEASE = {"/proc/sys/kernel/osrelease": "7.2.13\n"}


def manage(revision: str = "r1", generation: int = 1, **settings: Any) -> dict[str, Any]:
    """A NodeTiering that follows a policy, as received."""
    return {
        "metadata": {"name": "n1", "uid": "u1", "generation": generation},
        "spec": {
            "action": "Manage",
            "policy": {"name": "p", "uid": "pu"},
            "revision": revision,
            "settings": {"mode": "Enforce"} | settings,
        },
    }


def restore(generation: int = 2) -> dict[str, Any]:
    """A NodeTiering that leaves the node as it was found, as received."""
    return {"metadata": {"name": "n1", "uid": "u1", "generation": generation}, "spec": {"action": "Restore"}}


def order(manifest: dict[str, Any]) -> Order:
    """What the loop makes of a received object."""
    return read_order(manifest)[0]
