"""The command line of `terrace-operator`, and what its arguments may look like.

After: `main` runs what was asked for.
"""

import argparse
import os

from terrace_api import __version__
from terrace_operator.cluster.lease import LeaseName
from terrace_operator.cluster.look import AgentPods
from terrace_operator.listen import Address
from terrace_operator.reconcile import WRITES_PER_SECOND

NODES_SILENT = 3
"""Exit status of a clean-up that some nodes did not answer."""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="terrace-operator",
        description="Compiles TieringPolicies into one NodeTiering per node. Finds the API server by $KUBECONFIG, "
        "as a pod's service account, or by ~/.kube/config.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--listen",
        type=_address,
        metavar="HOST:PORT",
        help="serve /healthz, /readyz and /metrics there, on [::]:PORT for everyone; without it nothing is served",
    )
    parser.add_argument(
        "--lease",
        type=_lease,
        default=os.environ.get("TERRACE_LEASE", "terrace-system/terrace-operator"),
        metavar="NAMESPACE/NAME",
        help="the Lease whose holder writes; the same for all operators of a cluster "
        "(default: $TERRACE_LEASE, else %(default)s)",
    )
    parser.add_argument(
        "--agent-pods",
        type=_agent_pods,
        metavar="NAMESPACE/SELECTOR",
        help="the agents' pods, as in terrace-system/app.kubernetes.io/component=agent: a node without one is not "
        "waited for; without this it is",
    )
    parser.add_argument(
        "--writes-per-second",
        type=_whole_number,
        default=WRITES_PER_SECOND,
        metavar="N",
        help="writes to the API server at most, of all kinds together (default: %(default).0f)",
    )
    parser.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--log-format", default="text", choices=["text", "json"])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_cleanup(commands.add_parser("cleanup", help="bring every node back as it was found, and wait for it"))
    _add_check(commands.add_parser("check", help="say whether operator and agents do their work; changes nothing"))
    return parser


def _add_cleanup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=_whole_number,
        default=300.0,
        metavar="SECONDS",
        help="when to end, with nodes that have not answered or without the Lease (default: %(default).0f)",
    )
    parser.add_argument(
        "--allow-silent",
        action="store_true",
        help=f"end with status 0 although nodes did not answer; else it is {NODES_SILENT}",
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=_whole_number,
        default=120.0,
        metavar="SECONDS",
        help="how long to wait until all is well (default: %(default).0f)",
    )


def _lease(text: str) -> LeaseName:
    namespace, slash, name = text.partition("/")
    if not namespace or not slash or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME, as in terrace-system/terrace-operator")
    return LeaseName(namespace, name)


def _agent_pods(text: str) -> AgentPods:
    namespace, _, selector = text.partition("/")
    if not namespace or not selector:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/SELECTOR, as in terrace-system/app=terrace-agent")
    return AgentPods(namespace, selector)


def _whole_number(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000")
    return float(text)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8080 or [::]:8080")
    return Address(host.strip("[]"), int(port))
