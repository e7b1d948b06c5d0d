"""Runs the demo: `python -m demo [--kernel 7.2] [--keep]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from demo.options import kernel_argument
from demo.scenes import supported, unsupported
from story.stage import Stage, stage
from testbed import processes, progress
from testbed.errors import BedError


def main() -> int:
    """Runs the demo and returns the exit code."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = Path(tempfile.mkdtemp(prefix="terrace-demo-"))
    try:
        with stage(directory, kernel=options.kernel, keep=options.keep) as ready:
            code = _play(ready, keep=options.keep)
        if options.keep:
            _say_how_to_use(directory, ready)
    except BedError as error:
        progress.say(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted; everything that was started has ended")
        return 130
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--kernel", type=kernel_argument, default=None, metavar="VERSION", help="newest if left out")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up")
    return parser.parse_args()


def _play(ready: Stage, *, keep: bool) -> int:
    figures = supported(ready, keep=keep) if ready.engine_available() else unsupported(ready)
    sys.stdout.flush()
    print(figures.json_line(), flush=True)
    return 0 if figures.good else 1


def _say_how_to_use(directory: Path, ready: Stage) -> None:
    exports = " ".join(f"{name}={value}" for name, value in ready.cluster.environment.items())
    progress.say("the cluster is still up. To use it:")
    print(f"  export {exports} PATH={ready.cluster.layout.programs}:$PATH", file=sys.stderr)
    print("  kubectl get nodetierings -o wide", file=sys.stderr)
    print(f"To end it: {processes.stop_command(directory)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
