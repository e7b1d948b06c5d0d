"""The best tracker that works here. Before: `engine` starts. After: it is named in the capability and in the notes."""

from terrace_agent.move_pages.idle_pages import Frames, IdlePageTracker, sees_frames
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker
from terrace_agent.move_pages.tracker import Tracker


def best(procfs: Procfs, frames: Frames | None = None) -> Tracker:
    """Returns the one that sees reads page by page, where kernel and capabilities allow it, else soft-dirty bits."""
    frames = frames or Frames()
    if frames.exist() and sees_frames(procfs):
        return IdlePageTracker(procfs, frames)
    return SoftDirtyTracker(procfs)
