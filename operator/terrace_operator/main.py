"""The command `terrace-operator`."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

from terrace_api import __version__
from terrace_operator import logs
from terrace_operator.cluster.lease import LeaseName
from terrace_operator.cluster.look import AgentPods
from terrace_operator.errors import NotConfigured
from terrace_operator.listen import Address
from terrace_operator.operate import Options, operate
from terrace_operator.reconcile import WRITES_PER_SECOND


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the operator until it is told to stop; returns the exit status."""
    options = _parser().parse_args(arguments)
    logs.configure(level=options.log_level, as_json=options.log_format == "json")
    try:
        asyncio.run(operate(_options(options)))
    except NotConfigured as error:
        print(f"terrace-operator: cannot find an API server: {error}", file=sys.stderr)
        return 2
    except Exception:
        logging.getLogger(__name__).exception("a part of the operator failed")
        return 1
    return 0


def _options(parsed: argparse.Namespace) -> Options:
    return Options(
        lease=parsed.lease,
        agent_pods=parsed.agent_pods,
        listen=parsed.listen,
        writes_per_second=parsed.writes_per_second,
    )


def _parser() -> argparse.ArgumentParser:
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
        help="serve /healthz, /readyz and /metrics there; without it nothing is served",
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
        type=_rate,
        default=WRITES_PER_SECOND,
        metavar="N",
        help="writes to the API server at most, of all kinds together (default: %(default).0f)",
    )
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--log-format", default="text", choices=["text", "json"])
    return parser


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


def _rate(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 10000")
    return float(text)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as in 0.0.0.0:8080")
    return Address(host.strip("[]"), int(port))
