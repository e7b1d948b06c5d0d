"""The command `terrace-agent`: `run` in the DaemonSet, and `probe`, `plan`, `run --file`, `stop` by hand."""

import argparse
import os
import sys
from pathlib import Path

from terrace_agent import byhand, run
from terrace_agent.hostfs import MountedHostFs
from terrace_agent.relay.client import RelayedHostFs
from terrace_agent.serve import parse_address
from terrace_api import __version__
from terrace_api.errors import TerraceError


def main(arguments: list[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 refused or failed (the reason is on standard error), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        sys.exit(_dispatch(options))
    except (TerraceError, OSError) as error:
        print(f"terrace-agent: {error}", file=sys.stderr)
        sys.exit(1)


def _dispatch(options: argparse.Namespace) -> int:
    host = RelayedHostFs(options.host_root, options.relay) if options.relay else MountedHostFs(options.host_root)
    match options.command:
        case "probe":
            print(byhand.probe(host, options.state_dir, as_json=options.output == "json"))
        case "plan":
            print(byhand.plan(host, options.state_dir, options.policy))
        case "stop":
            print(byhand.stop(host, options.state_dir))
        case _:
            return _run(host, options)
    return 0


def _run(host: MountedHostFs, options: argparse.Namespace) -> int:
    chosen = run.RunOptions(
        node=options.node, state_dir=options.state_dir, interval_s=options.interval, listen=options.listen
    )
    if options.file is not None:
        return run.run_file(host, chosen, options.file)
    if not options.node:
        print("terrace-agent: which node is this? Set NODE_NAME or --node, or give --file", file=sys.stderr)
        return 2
    return run.run_in_cluster(host, chosen)


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--host-root", type=Path, default=Path("/"), help="where the host's /sys is mounted (default: /)"
    )
    everywhere.add_argument(
        "--state-dir", type=Path, default=Path("/run/terrace"), help="journal and last state (default: /run/terrace)"
    )
    everywhere.add_argument("--relay", type=Path, help="socket of the sidecar that makes privileged stores")
    parser = argparse.ArgumentParser(
        prog="terrace-agent", description="Tiers the memory of one machine: hot pages on fast NUMA nodes, cold on slow."
    )
    parser.add_argument("--version", action="version", version=f"terrace-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    probe = commands.add_parser("probe", parents=[everywhere], help="print topology, engines and reasons")
    probe.add_argument("-o", "--output", choices=["text", "json"], default="text")
    plan = commands.add_parser("plan", parents=[everywhere], help="print the stores that a policy would make")
    plan.add_argument("policy", type=Path, metavar="FILE", help="a TieringPolicy in YAML")
    _add_run(commands.add_parser("run", parents=[everywhere], help="tier this machine until a signal"))
    commands.add_parser("stop", parents=[everywhere], help="stop what Terrace runs in the kernel, restore everything")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, help="a TieringPolicy in YAML to follow, instead of a cluster")
    parser.add_argument("--node", default=os.environ.get("NODE_NAME", ""), help="the node's name (default: $NODE_NAME)")
    parser.add_argument(
        "--listen",
        type=_address,
        help="host:port for /metrics and /healthz, as in 127.0.0.1:9465 or, for everyone, [::]:9465 (default: none)",
    )
    parser.add_argument(
        "--interval", type=_interval, default=10.0, help="most seconds between two looks, 0.1 to 30 (default: 10)"
    )


def _address(text: str) -> tuple[str, int]:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _interval(text: str) -> float:
    """More would make the agent look dead to its own health check."""
    seconds = float(text)
    if not 0.1 <= seconds <= 30:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 30 seconds")
    return seconds


if __name__ == "__main__":
    main()
