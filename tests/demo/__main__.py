"""Runs the demo: `python -m demo [--kernel 7.2] [--keep]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from demo.options import kernel_argument
from demo.scenes import play
from story.stage import Stage, stage
from testbed import byhand, command, progress


def main() -> int:
    """Runs the demo and returns the exit code."""
    options = _options()
    return command.run(lambda: _run(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--kernel", type=kernel_argument, default=None, metavar="VERSION", help="newest if left out")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    if options.keep:
        byhand.stop_all(byhand.directory())
        return _play(byhand.directory(), options)
    with tempfile.TemporaryDirectory(prefix="terrace-demo-", ignore_cleanup_errors=True) as directory:
        return _play(Path(directory), options)


def _play(directory: Path, options: argparse.Namespace) -> int:
    with stage(directory, name="demo", kernel=options.kernel, keep=options.keep) as ready:
        figures = play(ready, keep=options.keep)
        if options.keep:
            _say_how_to_use(ready)
    print(figures.json_line(), flush=True)
    return 0 if figures.good else 1


def _say_how_to_use(ready: Stage) -> None:
    exports = " ".join(f"{name}={value}" for name, value in ready.cluster.environment.items())
    progress.say("the cluster stays up, with the policy in force. To use it:")
    print(f"  export {exports} PATH={ready.cluster.layout.programs}:$PATH", file=sys.stderr)
    print("  kubectl get nodetierings -o wide", file=sys.stderr)
    print("To end it: make down", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
