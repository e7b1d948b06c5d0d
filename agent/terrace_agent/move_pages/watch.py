"""Keeps the heat of processes over time: who is tracked, and what their last looks saw. Joins pure parts and files.

Before: the pids of cgroups that may be moved. After: `choose`.
"""

from collections.abc import Iterable, Mapping

from terrace_agent.move_pages.choose import Part, Tracked
from terrace_agent.move_pages.heat import Heat, marked, resized, seen, unknown
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.tracker import Tracker
from terrace_agent.move_pages.vmas import Vma, movable, parse_numa_maps, parse_smaps

LEAST_BYTES = 16 << 20
"""Smaller processes are not worth a look: there are thousands of them, and they come and go."""


class Watch:
    """What is known of the processes of this node.

    Attributes:
        too_large: processes that the tracker does not look at for their size, at the last look.
        closed: processes that may not be looked at.
        looks: how many there were since everything was forgotten.
    """

    def __init__(self, procfs: Procfs, tracker: Tracker) -> None:
        self._procfs = procfs
        self._tracker = tracker
        self._known: dict[int, Tracked] = {}
        self.too_large = 0
        self.closed = 0
        self.looks = 0

    @property
    def tracked(self) -> tuple[Tracked, ...]:
        """The processes as of the last look."""
        return tuple(self._known.values())

    def look(self, cgroup_of: Mapping[int, str], *, every_s: float) -> None:
        """Looks at these processes, by pid, and forgets all others; those that may not be looked at are counted."""
        self.too_large = self.closed = 0
        known: dict[int, Tracked] = {}
        for pid, cgroup in cgroup_of.items():
            try:
                found = self._look(pid, cgroup)
            except OSError:
                self.closed += 1
            else:
                known |= {pid: found} if found else {}
        self._known = known
        self.looks += 1
        self._tracker.keep({pid: one.started for pid, one in known.items()}, every_s=every_s)

    def forget(self) -> None:
        """Forgets everything; see `Tracker.release` for what it raises."""
        self._known, self.looks = {}, 0
        self._tracker.release()

    def moved(self, pid: int, runs: Iterable[range], *, promoted: bool) -> None:
        """Takes note that pages were moved, so that they are not moved back before they were seen otherwise."""
        if one := self._known.get(pid):
            runs = tuple(runs)
            parts = tuple(_marked(part, runs, hot=promoted) for part in one.parts)
            self._known[pid] = Tracked(pid=pid, started=one.started, cgroup=one.cgroup, parts=parts)

    def _look(self, pid: int, cgroup: str) -> Tracked | None:
        resident = self._procfs.resident_bytes(pid)
        if resident < LEAST_BYTES:
            return None
        if not self._tracker.may_track(resident):
            self.too_large += 1
            return None
        started, before = self._procfs.started(pid), self._known.get(pid)
        if before is None or before.started != started:
            self._tracker.begin(pid)
            return Tracked(pid=pid, started=started, cgroup=cgroup, parts=())
        parts = tuple(self._parts(pid, before))
        self._tracker.begin(pid)
        return Tracked(pid=pid, started=started, cgroup=cgroup, parts=parts)

    def _parts(self, pid: int, before: Tracked) -> Iterable[Part]:
        placements = parse_numa_maps(self._procfs.numa_maps(pid))
        by_nid = {one.start: one.pages_by_nid for one in placements}
        vmas = parse_smaps(self._procfs.smaps(pid), self._procfs.page_bytes)
        for vma, look in self._tracker.look(pid, movable(vmas, placements)):
            yield Part(vma=vma, heat=seen(_history(before.parts, vma), look), pages_by_nid=by_nid[vma.start])


def _history(parts: Iterable[Part], vma: Vma) -> Heat:
    """Returns the heat so far of a range that may have grown or shrunk; of one that is new nothing is known."""
    for part in parts:
        if part.vma.start < vma.end and vma.start < part.vma.end:
            return resized(part.heat, before=(part.vma.start - vma.start) // vma.page_bytes, pages=vma.pages)
    return unknown(vma.pages)


def _marked(part: Part, runs: Iterable[range], *, hot: bool) -> Part:
    vma = part.vma
    inside = (run for run in runs if vma.start <= run.start < vma.end)
    pages = (
        range((run.start - vma.start) // vma.page_bytes, (run.stop - vma.start) // vma.page_bytes) for run in inside
    )
    return Part(vma=vma, heat=marked(part.heat, pages, hot=hot), pages_by_nid=part.pages_by_nid)
