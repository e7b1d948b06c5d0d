"""The commands and their options. Shell: reads the cluster, has a view computed, has it printed.

Before: `main`. After: `cluster` reads, the views are computed, `show` prints.
"""

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

import click
from rich.console import RenderableType

from terrace_api import __version__
from terrace_api.units import Duration
from terrace_kubectl import completion, explain_node, explain_pod, fleet_view, lookup, node_view, policy_view
from terrace_kubectl import diff as differences
from terrace_kubectl import report as reports
from terrace_kubectl.cluster import Cluster
from terrace_kubectl.connection import connect
from terrace_kubectl.doctor.checks import diagnose
from terrace_kubectl.errors import BadInput, NotThere
from terrace_kubectl.fleet import Seen
from terrace_kubectl.inspection import inspect
from terrace_kubectl.page import page
from terrace_kubectl.policy_file import propose
from terrace_kubectl.rows import NodeRow, node_row
from terrace_kubectl.sampling import SPAN, take
from terrace_kubectl.show import diff as show_diff
from terrace_kubectl.show import doctor as show_doctor
from terrace_kubectl.show import explain as show_explain
from terrace_kubectl.show import fleet as show_fleet
from terrace_kubectl.show import node as show_node
from terrace_kubectl.show import policy as show_policy
from terrace_kubectl.show import terminal
from terrace_kubectl.show.terminal import Output
from terrace_kubectl.target import Kind, parse


class Format(StrEnum):
    """What a report is written as."""

    HTML = "html"
    JSON = "json"
    YAML = "yaml"


_MOST_NODES = 20
_DIFFERENT = _UNHEALTHY = 1
Command = Callable[..., Any]


def _on_cluster(command: Command) -> Command:
    """Gives a command the options that say which cluster."""
    for option in (
        click.option(
            "--context", shell_complete=completion.contexts, help="Of the kubeconfig; default: the current one."
        ),
        click.option("--kubeconfig", metavar="FILE", help="Default: $KUBECONFIG, else ~/.kube/config."),
    ):
        command = option(command)
    return command


def _one_of(kind: type[StrEnum], *, default: StrEnum) -> Command:
    """Returns the option -o with the values of `kind`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice([one.value for one in kind]),
        default=default.value,
        show_default=True,
        callback=lambda _, __, value: kind(value),
        help="The format.",
    )


_output = _one_of(Output, default=Output.TABLE)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="kubectl terrace")
def cli() -> None:
    """Shows what Terrace does with a cluster's memory, why, and what is in the way. Changes nothing."""


@cli.command()
@click.argument("target", nargs=-1, metavar="[policy NAME | node NAME]", shell_complete=completion.status_targets)
@click.option("--all", "everything", is_flag=True, help=f"All nodes of a policy, not the first {_MOST_NODES}.")
@_output
@_on_cluster
def status(
    *, target: tuple[str, ...], everything: bool, output: Output, kubeconfig: str | None, context: str | None
) -> None:
    """Where the fleet stands; or one policy with its nodes; or one node."""
    cluster = Cluster(connect(kubeconfig, context))
    if not target:
        fleet = fleet_view.view(cluster.fleet())
        _print(fleet, output, lambda: show_fleet.show(fleet))
        return
    one = parse(target, accepted=(Kind.POLICY, Kind.NODE))
    if one.kind is Kind.POLICY:
        policy = policy_view.view(cluster.fleet(), one.name)
        most = None if everything else _MOST_NODES
        _print(policy, output, lambda: show_policy.show(policy, most=most, now=_now()))
        return
    node = node_view.view(lookup.node(cluster, one.name), cluster.seen(one.name))
    _print(node, output, lambda: show_node.show(node, now=_now()))


@cli.command()
@click.argument("target", nargs=-1, metavar="node NAME | pod NAME", shell_complete=completion.explain_targets)
@click.option("-n", "--namespace", help="Of the pod; default: the context's.")
@_output
@_on_cluster
def explain(
    *, target: tuple[str, ...], namespace: str | None, output: Output, kubeconfig: str | None, context: str | None
) -> None:
    """Why a node follows its policy and runs its engine; why a pod is or is not tiered."""
    one = parse(target, accepted=(Kind.NODE, Kind.POD))
    cluster = Cluster(connect(kubeconfig, context))
    if one.kind is Kind.NODE:
        node = explain_node.explain(lookup.node(cluster, one.name), cluster.seen(one.name), cluster.policies(), _now())
        _print(node, output, lambda: show_explain.show_node(node))
        return
    found = lookup.pod(cluster, namespace or cluster.server.namespace, one.name)
    seen = cluster.seen(found.node) if found.node else None
    pod = explain_pod.explain(found, _row(cluster, found.node, seen), seen)
    _print(pod, output, lambda: show_explain.show_pod(pod))


@cli.command()
@click.option(
    "-f",
    "--filename",
    "file",
    type=click.File(encoding="utf-8"),
    required=True,
    help="A TieringPolicy; - reads standard input.",
)
@_output
@_on_cluster
def diff(*, file: TextIO, output: Output, kubeconfig: str | None, context: str | None) -> int:
    """What a policy file would change on which nodes. Exits 1 if anything would change, as `kubectl diff` does."""
    cluster, now = Cluster(connect(kubeconfig, context)), _now()
    fleet = cluster.fleet()
    proposal = propose(file.read(), cluster, fleet.policies, now)
    view = differences.compare(fleet, proposal.policy, now, unvalidated=proposal.unvalidated)
    _print(view, output, lambda: show_diff.show(view))
    return _DIFFERENT if view.changed_nodes else 0


@cli.command()
@_output
@_on_cluster
def doctor(*, output: Output, kubeconfig: str | None, context: str | None) -> int:
    """What is missing or wrong on this cluster, and what to do. Exits 1 if anything is."""
    diagnosis = diagnose(inspect(Cluster(connect(kubeconfig, context))))
    _print(diagnosis, output, lambda: show_doctor.show(diagnosis))
    return 0 if diagnosis.healthy else _UNHEALTHY


@cli.command()
@_one_of(Format, default=Format.HTML)
@click.option("--to", type=click.Path(dir_okay=False, writable=True), metavar="FILE", help="Default: standard output.")
@click.option("--for", "span", type=SPAN, default="0s", help="Sample for so long, as in 10m, and show what changes.")
@click.option("--every", type=SPAN, default="30s", show_default=True, help="Time between two samples.")
@_on_cluster
def report(
    *, output: Format, to: str | None, span: Duration, every: Duration, kubeconfig: str | None, context: str | None
) -> None:
    """A page with pictures: how full tiers are, what moved, and which nodes need attention."""
    if output is Format.HTML and to is None and sys.stdout.isatty():
        raise BadInput("a page is for a browser: give --to FILE, or redirect standard output")
    cluster = Cluster(connect(kubeconfig, context))
    samples, last = take(cluster, span, every)
    view = reports.report(cluster.server.url, samples, last)
    text = page(view) if output is Format.HTML else terminal.as_text(view, Output(output.value))
    with click.open_file(to or "-", "w", encoding="utf-8") as file:
        file.write(text)


def _row(cluster: Cluster, name: str, seen: Seen | None) -> NodeRow | None:
    """Returns the node in one line; None if there is none."""
    try:
        return node_row(cluster.node(name), seen) if name else None
    except NotThere:
        return None


def _print(view: Any, output: Output, tables: Callable[[], Iterable[RenderableType]]) -> None:
    if output is Output.TABLE:
        terminal.show(tables())
    else:
        terminal.dump(view, output)


def _now() -> datetime:
    return datetime.now(UTC)
