"""What can stand at a place of the command line. Shell: asks the cluster for names, and says nothing where it cannot.

Before: the shell asks `main` or `complete`. After: click hands what is found to the shell.
"""

from collections.abc import Callable, Iterable

import click

from terrace_kubectl.cluster import Cluster
from terrace_kubectl.connection import connect, context_names
from terrace_kubectl.errors import PluginError
from terrace_kubectl.target import Kind, kind_of

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


def contexts(context: click.Context, _: click.Parameter, start: str) -> list[str]:
    """Returns the contexts of the kubeconfig."""
    return _beginning(start, context_names(context.params.get("kubeconfig")))


def status_targets(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Returns what `status` can be asked about."""
    return _targets(context, parameter, start, (Kind.POLICY, Kind.NODE))


def explain_targets(context: click.Context, parameter: click.Parameter, start: str) -> list[str]:
    """Returns what `explain` can be asked about."""
    return _targets(context, parameter, start, (Kind.NODE, Kind.POD))


def _targets(context: click.Context, parameter: click.Parameter, start: str, kinds: tuple[Kind, ...]) -> list[str]:
    words: tuple[str, ...] = context.params.get(parameter.name or "") or ()
    if not words:
        return _beginning(start, (kind.value for kind in kinds))
    kind = kind_of(words[0])
    if len(words) > 1 or kind not in kinds:
        return []
    try:
        return _beginning(
            start,
            _names(Cluster(connect(context.params.get("kubeconfig"), context.params.get("context"))), kind, context),
        )
    except PluginError:
        return []


def _names(cluster: Cluster, kind: Kind | None, context: click.Context) -> Iterable[str]:
    if kind is Kind.POD:
        return cluster.pod_names(context.params.get("namespace") or cluster.server.namespace)
    if kind is Kind.NODE:
        return (node.name for node in cluster.nodes())
    return (policy.name for policy in cluster.policies().all)


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]
