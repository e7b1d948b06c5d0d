"""`terrace-agent run --file` on a tree of plain files: `python -m bench.resting_agent HOST STATE POLICY`."""

import sys
from pathlib import Path

from terrace_agent.hostfs import MountedHostFs
from terrace_agent.run import RunOptions, run_file


class Resting(MountedHostFs):
    """`/proc` is in the tree, too, and a command to a kdamond changes nothing: nothing happens on this machine."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, mounted=("/sys", "/proc"))

    def store(self, path: str, value: str) -> None:
        """See `HostFs.store`."""
        if not path.endswith("/state"):
            super().store(path, value)


if __name__ == "__main__":
    host, state, file = map(Path, sys.argv[1:])
    options = RunOptions(node="rest", state_dir=state, interval_s=10.0, listen=None)
    sys.exit(run_file(Resting(host), options, file))
