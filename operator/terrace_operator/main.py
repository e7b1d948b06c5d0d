"""The command `terrace-operator`: runs the operator.

With `cleanup` it brings all nodes back as they were found, with `check` it says whether an installation does its work.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence

from terrace_operator import logs
from terrace_operator.arguments import NODES_SILENT, parser
from terrace_operator.check import CheckOptions, check
from terrace_operator.cleanup import CleanUpOptions, clean_up
from terrace_operator.errors import ApiGarbled, ApiRefused, ApiUnreachable, NotConfigured
from terrace_operator.operate import Options, operate


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage, 3 nodes that did not answer."""
    options = parser().parse_args(arguments)
    level = options.log_level or ("WARNING" if options.command else "INFO")
    logs.configure(level=level, as_json=options.log_format == "json")
    try:
        return _COMMANDS[options.command](options)
    except NotConfigured as error:
        print(f"terrace-operator: cannot find an API server: {error}", file=sys.stderr)
        return 2


def _operate(options: argparse.Namespace) -> int:
    chosen = Options(
        lease=options.lease,
        agent_pods=options.agent_pods,
        listen=options.listen,
        writes_per_second=options.writes_per_second,
    )
    try:
        asyncio.run(operate(chosen))
    except NotConfigured:
        raise
    except Exception:
        logging.getLogger(__name__).exception("a part of the operator failed")
        return 1
    return 0


def _cleanup(options: argparse.Namespace) -> int:
    chosen = CleanUpOptions(lease=options.lease, limit_s=options.limit, writes_per_second=options.writes_per_second)
    try:
        found = asyncio.run(clean_up(chosen, lambda line: print(line, flush=True)))
    except (ApiRefused, ApiUnreachable, ApiGarbled, TimeoutError) as error:
        print(f"terrace-operator: clean-up failed: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("terrace-operator: interrupted; operators go on", file=sys.stderr)
        return 130
    return NODES_SILENT if found.waiting and not options.allow_silent else 0


def _check(options: argparse.Namespace) -> int:
    chosen = CheckOptions(lease=options.lease, limit_s=options.limit)
    try:
        found = asyncio.run(check(chosen))
    except KeyboardInterrupt:
        return 130
    for point in found:
        print(point.line())
    return 0 if all(point.good for point in found) else 1


_COMMANDS: dict[str | None, Callable[[argparse.Namespace], int]] = {
    None: _operate,
    "cleanup": _cleanup,
    "check": _check,
}
