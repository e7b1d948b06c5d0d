"""Takes the agent's files away once the node is as it was found: nobody knows then whether another agent comes.

An uninstall must leave no file. What an agent that does come has to do without is the totals of before. A journal stays
as long as it has a value that could not come back yet: damon_stat's, while somebody else's kdamond runs.

Before: `loop`, which ends. The directory stays: it is a mount in the container.
"""

from pathlib import Path

from terrace_agent.engines import JOURNALS
from terrace_agent.journal_file import FileJournal

_FILES = ("*.json", "*.new", "agent.lock")
"""Journals, last state, pods, drafts of them that a crash left, and the lock, which its holder may unlink."""


def forget(state_dir: Path, *, boot_id: str) -> None:
    """Removes what agents have written into the directory, but for journals of what is still to be brought back."""
    owing = {name for name in JOURNALS if FileJournal(state_dir, boot_id=boot_id, name=name).load().originals}
    for pattern in _FILES:
        for path in state_dir.glob(pattern):
            if path.name not in owing:
                path.unlink(missing_ok=True)
