"""Runs the demo: `python -m demo [--kernel 7.2] [--keep | --runs 3]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from demo.options import kernel_argument, runs_argument
from demo.scenes import play
from story.figures import Figures, Unsupported
from story.placement import ARRIVED, WITHIN_S
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
        told = [_play(byhand.directory(), options.kernel, keep=True)]
    else:
        told = [_play_and_clean_up(options.kernel) for _ in range(options.runs)]
    runs = summary(told)
    if options.runs > 1:
        print(runs.json_line(), flush=True)
    return 0 if runs.all_good else command.FAILED


def _play_and_clean_up(kernel: Kernel | None) -> Figures | Unsupported:
    with tempfile.TemporaryDirectory(prefix="terrace-demo-", ignore_cleanup_errors=True) as directory:
        return _play(Path(directory), kernel, keep=False)


def _play(directory: Path, kernel: Kernel | None, *, keep: bool) -> Figures | Unsupported:
    with stage(directory, name="demo", kernel=kernel, keep=keep) as ready:
        figures = play(ready, keep=keep)
        if keep:
            _say_how_to_use(ready)
    _say_how_it_went(figures)
    print(figures.json_line(), flush=True)
    return figures


def _say_how_it_went(figures: Figures | Unsupported) -> None:
    if isinstance(figures, Figures) and (seconds := figures.placement.seconds_to_99_percent) is not None:
        aim = f"aim: {WITHIN_S:.0f} s on a machine that does nothing else"
        progress.say(f"{ARRIVED:.0%} of the hot set was on the fast nid {seconds} s after state=on ({aim})")
    problems = tuple(figures.problems())
    for problem in problems:
        progress.say(f"not as it should be: {problem}")
    if problems:
        command.say_if_busy()


def _say_how_to_use(ready: Stage) -> None:
    progress.say("the cluster stays up, with the policy in force. To use it:")
    print(f"  {byhand.how_to_use(ready.cluster)}", file=sys.stderr)
    print("  kubectl get nodetierings -o wide", file=sys.stderr)
    print("  kubectl terrace status", file=sys.stderr)
    print("Another policy, as in docs/first-policy.md, rules the node once this one is gone:", file=sys.stderr)
    print("  kubectl delete tieringpolicy demo", file=sys.stderr)
    print("To end it: make down", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
