"""A full Node and the agent's pod on it, as far as a silent agent is concerned.

Only read when an agent is silent: the rest of the time a node's metadata is all that is asked for.

Before: `requests`. After: `liveness` judges.
"""

from typing import Any, NamedTuple

from terrace_operator.errors import ApiGarbled
from terrace_operator.liveness import Look

Json = Any


class AgentPods(NamedTuple):
    """Which pods are the agents'."""

    namespace: str
    selector: str

    def path(self) -> str:
        """Returns where they are listed."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def query(self, node: str) -> dict[str, str]:
        """Returns what selects those of a node, from the API server's cache: it has an index of pods by node."""
        return {"labelSelector": self.selector, "fieldSelector": f"spec.nodeName={node}", "resourceVersion": "0"}


def read_look(node: Json, pods: Json | None) -> Look:
    """Returns what there is to see; `pods` is None if pods are not looked for."""
    try:
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))
        return Look(node_ready=ready, pod=_pod(pods["items"]) if pods is not None else "")
    except (KeyError, TypeError, AttributeError) as error:
        raise ApiGarbled(f"Node or Pod without {error}") from error


def _pod(pods: list[Json]) -> str | None:
    living = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not living:
        return None
    pod = living[0]
    status = pod.get("status", {})
    states = [one.get("state", {}).get("waiting", {}).get("reason") for one in status.get("containerStatuses", ())]
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ()))
    state = "ready" if ready else next(filter(None, states), status.get("phase", "of unknown phase"))
    return f"its pod {pod['metadata']['name']} is {state}"
