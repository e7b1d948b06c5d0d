"""The command `terrace-operator`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from terrace_api import __version__
from terrace_operator import logs
from terrace_operator.errors import NotConfigured
from terrace_operator.listen import Address
from terrace_operator.operate import operate


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the operator until it is told to stop; returns the exit status."""
    options = _parser().parse_args(arguments)
    logs.configure(level=options.log_level, as_json=options.log_format == "json")
    try:
        asyncio.run(operate(options.listen))
    except NotConfigured as error:
        print(f"terrace-operator: cannot find an API server: {error}", file=sys.stderr)
        return 2
    except Exception:
        logging.getLogger(__name__).exception("a part of the operator failed")
        return 1
    return 0


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
        help="serve /healthz, /readyz and /metrics there, on [::]:PORT for everyone; without it nothing is served",
    )
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--log-format", default="text", choices=["text", "json"])
    return parser


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8080 or [::]:8080")
    return Address(host.strip("[]"), int(port))
