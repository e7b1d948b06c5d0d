"""Runs the demo: `python -m demo [--kernel 7.2] [--keep | --runs 3]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from demo.options import kernel_argument, runs_argument
from demo.scenes import play
from story.figures import Figures, Unsupported
from story.runs import summary
from story.stage import Stage, stage
from testbed import byhand, command, progress
from testbed.kernels import Kernel


def main() -> int:
    """Runs the demo and returns the exit code."""
    options = _options()
    return command.run(lambda: _run(options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--kernel", type=kernel_argument, default=None, metavar="VERSION", help="newest if left out")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--keep", action="store_true", help="leave the cluster up")
    how.add_argument("--runs", type=runs_argument, default=1, help="how often; the last line is what they came to")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
    if options.keep:
        byhand.stop_all(byhand.directory())
        return _code(_play(byhand.directory(), options.kernel, keep=True).good)
    told = [_play_and_clean_up(options.kernel) for _ in range(options.runs)]
    if options.runs == 1:
        return _code(told[0].good)
    runs = summary(told)
    print(runs.json_line(), flush=True)
    return _code(runs.all_good)


def _code(good: bool) -> int:
    return 0 if good else command.FAILED


def _play_and_clean_up(kernel: Kernel | None) -> Figures | Unsupported:
    with tempfile.TemporaryDirectory(prefix="terrace-demo-", ignore_cleanup_errors=True) as directory:
        return _play(Path(directory), kernel, keep=False)


def _play(directory: Path, kernel: Kernel | None, *, keep: bool) -> Figures | Unsupported:
    with stage(directory, name="demo", kernel=kernel, keep=keep) as ready:
        figures = play(ready, keep=keep)
        if keep:
            _say_how_to_use(ready)
    print(figures.json_line(), flush=True)
    return figures


def _say_how_to_use(ready: Stage) -> None:
    exports = " ".join(f"{name}={value}" for name, value in ready.cluster.environment.items())
    progress.say("the cluster stays up, with the policy in force. To use it:")
    # The plugin is beside this Python.
    path = f"{ready.cluster.layout.programs}:{Path(sys.executable).parent}"
    print(f"  export {exports} PATH={path}:$PATH", file=sys.stderr)
    print("  kubectl get nodetierings -o wide", file=sys.stderr)
    print("  kubectl terrace status", file=sys.stderr)
    print("To end it: make down", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
