"""Takes the agent's files away once the node is as it was found: nobody knows then whether another agent comes.

An uninstall must leave no file. What an agent that does come has to do without is the totals of before.

Before: `loop`, which ends. The directory stays: it is a mount in the container.
"""

from pathlib import Path

_FILES = ("*.json", "*.new", "agent.lock")
"""Journals, last state, pods, drafts of them that a crash left, and the lock, which its holder may unlink."""


def forget(state_dir: Path) -> None:
    """Removes what agents have written into the directory."""
    for pattern in _FILES:
        for path in state_dir.glob(pattern):
            path.unlink(missing_ok=True)
