"""One object by its name; where there is none, the error says which there are. Shell: it reads, and decides nothing.

Before: `commands`. After: `cluster`.
"""

from collections.abc import Callable
from typing import NoReturn

from terrace_kubectl.cluster import Cluster
from terrace_kubectl.errors import BadInput, NotThere, PluginError
from terrace_kubectl.fleet import Pod
from terrace_kubectl.near import there_are
from terrace_operator.fleet import Node


def node(cluster: Cluster, name: str) -> Node:
    """Returns a node.

    Raises:
        BadInput: there is none of that name; says which there are.
    """
    try:
        return cluster.node(name)
    except NotThere as error:
        _fail(error, lambda: there_are(name, (one.name for one in cluster.nodes())))


def pod(cluster: Cluster, namespace: str, name: str) -> Pod:
    """Returns a pod.

    Raises:
        BadInput: there is none of that name; says in which namespaces agents report one.
    """
    try:
        return cluster.pod(namespace, name)
    except NotThere as error:
        _fail(error, lambda: _elsewhere(namespace, cluster.namespaces_of_pod(name)))


def _elsewhere(namespace: str, found: tuple[str, ...]) -> str:
    if not found:
        return f"looked in namespace {namespace}; -n takes another"
    where = f"namespace {found[0]}" if len(found) == 1 else f"namespaces {', '.join(found)}"
    return f"looked in namespace {namespace}; there is one in {where}: add -n {found[0]}"


def _fail(error: NotThere, hint: Callable[[], str]) -> NoReturn:
    """Raises what is wrong, with the hint; without it where looking for one fails."""
    try:
        words = hint()
    except PluginError:
        raise error from None
    raise BadInput(f"{error}; {words}") from None
