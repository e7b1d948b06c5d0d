"""The testbed by hand: `python -m testbed prepare|cluster|node|down|kernels`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbed import byhand, command, kernels, prepare, progress
from testbed.cluster import Cluster

_KERNELS = ("newest", *(one.version for one in kernels.KERNELS))


def main() -> int:
    """Runs one command and returns the exit code."""
    options = _options()
    return command.run(lambda: _run(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    early = commands.add_parser("prepare", help="build now what tests, demo and guests would build when they need it")
    early.add_argument("--kernel", action="append", default=[], choices=_KERNELS, help="may be given more than once")
    commands.add_parser("cluster", help="start a control plane on loopback, and say how to use it")
    node = commands.add_parser("node", help="boot a node of that cluster in QEMU")
    node.add_argument("--kernel", default="newest", choices=_KERNELS)
    node.add_argument("--name", default="tiered")
    down = commands.add_parser("down", help="end everything that these commands started")
    down.add_argument("--directory", type=Path, default=byhand.directory(), help="of something else to end")
    commands.add_parser("kernels", help="list the kernels that a node can boot")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "prepare":
            prepare.everything(options.kernel or ["newest"])
        case "cluster":
            _say_how_to_use(byhand.start_cluster())
        case "node":
            guest = byhand.start_node(options.name, options.kernel)
            progress.say(f"node {guest.name} is Ready; its console is in {guest.console_log}")
        case "down":
            byhand.stop_all(options.directory)
        case "kernels":
            for one in kernels.KERNELS:
                print(f"{one.version:9} {one.suite:18} {one.note}".rstrip())
    return 0


def _say_how_to_use(cluster: Cluster) -> None:
    progress.say("the cluster is up. To use it:")
    print(byhand.how_to_use(cluster))


if __name__ == "__main__":
    sys.exit(main())
