"""Keeps the heat of processes over time: who is tracked, and what their last looks saw. Joins pure parts and files.

Before: the pids of cgroups that may be moved. After: `choose`.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from terrace_agent.move_pages.allowance import RANGE_COSTS_PAGES
from terrace_agent.move_pages.choose import Part, Tracked
from terrace_agent.move_pages.heat import Heat, marked, resized, seen, unknown
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.tracker import Tracker
from terrace_agent.move_pages.vmas import Placement, Vma, movable, parse_numa_maps, parse_smaps, pieces

LEAST_BYTES = 16 << 20
"""Smaller processes are not worth a look: there are thousands of them, and they come and go."""
_MUCH_LARGER = 2
"""So many times as large is what replaces one that is looked at: whoever is forgotten has to be learnt anew."""


class Watch:
    """What is known of the processes of this node, the largest first if not all of it fits.

    Args:
        most_pages: how many pages may be known; see `allowance`.

    Attributes:
        too_large: processes that the tracker does not look at for their size, at the last look.
        no_room: processes of which not all pages can be known.
        closed: processes that may not be looked at, or whose files cannot be read for their content.
        looks: how many there were since everything was forgotten.
    """

    def __init__(self, procfs: Procfs, tracker: Tracker, *, most_pages: int = 1 << 30) -> None:
        self._procfs = procfs
        self._tracker = tracker
        self._most_pages = most_pages
        self._known: dict[int, Tracked] = {}
        self._orders = 0
        self.too_large = 0
        self.no_room = 0
        self.closed = 0
        self.looks = 0

    @property
    def tracked(self) -> tuple[Tracked, ...]:
        """The processes as of the last look."""
        return tuple(self._known.values())

    def look(self, cgroup_of: Mapping[int, str], *, every_s: float) -> None:
        """Looks at these processes, by pid, and forgets all others; those that may not be looked at are counted."""
        self.too_large = self.no_room = self.closed = 0
        self._known = {pid: one for pid, one in self._known.items() if pid in cgroup_of}
        known: dict[int, Tracked] = {}
        left = self._most_pages
        for pid in self._largest_first(cgroup_of):
            try:
                found, pages = self._look(pid, cgroup_of[pid], left)
            except (OSError, ValueError):
                self.closed += 1
            else:
                known |= {pid: found} if found else {}
                left -= pages
        self._known = known
        self.looks += 1
        self._tracker.keep({pid: one.started for pid, one in known.items()}, every_s=every_s)

    def forget(self) -> None:
        """Forgets everything; see `Tracker.release` for what it raises."""
        self._known, self.looks = {}, 0
        self._tracker.release()

    def moved(self, pid: int, runs: Iterable[range], *, promoted: bool, stuck: bool = False) -> None:
        """Takes note that pages were moved, so that they are not moved back before they were seen otherwise.

        `stuck`: next to nothing of what was ordered has moved.
        """
        if one := self._known.pop(pid, None):
            runs = sorted(runs, key=lambda run: run.start)
            starts = [run.start for run in runs]
            self._orders += 1
            others = {direction: order for direction, order in one.stuck.items() if direction is not promoted}
            known = others | ({promoted: self._orders} if stuck else {})
            identity, parts = replace(one, parts=(), stuck=known), list(one.parts)
            # What was known goes piece by piece, so that it is there once only.
            del one
            for number, part in enumerate(parts):
                inside = runs[bisect_left(starts, part.vma.start) : bisect_left(starts, part.vma.end)]
                parts[number] = _marked(part, inside, hot=promoted) if inside else part
            self._known[pid] = replace(identity, parts=tuple(parts))

    def _largest_first(self, pids: Iterable[int]) -> list[int]:
        sizes = {pid: self._size(pid) for pid in pids}
        return sorted(
            (pid for pid in sizes if sizes[pid] >= LEAST_BYTES),
            key=lambda pid: -sizes[pid] * (_MUCH_LARGER if pid in self._known else 1),
        )

    def _size(self, pid: int) -> int:
        try:
            return self._procfs.resident_bytes(pid)
        except OSError:
            # Whoever looks at it counts it.
            return LEAST_BYTES

    def _look(self, pid: int, cgroup: str, left: int) -> tuple[Tracked | None, int]:
        """Returns what is known of a process after this look, and how many pages that is; `left` is how many may be."""
        resident = self._procfs.resident_bytes(pid)
        if not self._tracker.may_track(resident):
            self.too_large += 1
            return None, 0
        if resident > left * self._procfs.page_bytes:
            self.no_room += 1
            return None, 0
        started = self._procfs.started(pid)
        free = (one for one in parse_numa_maps(self._procfs.numa_maps(pid)) if one.movable)
        most = left // RANGE_COSTS_PAGES
        placements = tuple(islice(free, most + 1))
        if len(placements) > most:
            self.no_room += 1
            return None, 0
        vmas = movable(parse_smaps(self._procfs.smaps(pid), self._procfs.page_bytes), placements)
        pages = sum(vma.pages + RANGE_COSTS_PAGES for vma in vmas)
        if pages > left:
            self.no_room += 1
            return None, 0
        before = self._known.pop(pid, None)
        parts: tuple[Part, ...] = ()
        stuck: Mapping[bool, int] = {}
        if before and before.started == started:
            stuck, history, before = before.stuck, _History(before.parts), None
            parts = tuple(self._parts(pid, vmas, placements, history))
        self._tracker.begin(pid)
        return Tracked(pid=pid, started=started, cgroup=cgroup, parts=parts, stuck=stuck), pages

    def _parts(
        self, pid: int, vmas: Iterable[Vma], placements: Iterable[Placement], history: "_History"
    ) -> Iterator[Part]:
        by_nid = {one.start: one.pages_by_nid for one in placements}
        of_piece = {piece.start: by_nid[vma.start] for vma in vmas for piece in pieces(vma)}
        for piece, look in self._tracker.look(pid, (piece for vma in vmas for piece in pieces(vma))):
            yield Part(vma=piece, heat=seen(history.of(piece), look), pages_by_nid=of_piece[piece.start])


class _History:
    """What was known of ranges, given away in the order of addresses: it is not there twice for longer than a piece."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = deque(parts)

    def of(self, vma: Vma) -> Heat:
        """Returns the heat so far of a range that may have grown or shrunk; of one that is new nothing is known."""
        while self._parts and self._parts[0].vma.end <= vma.start:
            self._parts.popleft()
        if self._parts and self._parts[0].vma.start < vma.end:
            part = self._parts[0]
            return resized(part.heat, before=(part.vma.start - vma.start) // vma.page_bytes, pages=vma.pages)
        return unknown(vma.pages)


def _marked(part: Part, runs: Iterable[range], *, hot: bool) -> Part:
    vma = part.vma
    pages = (range((run.start - vma.start) // vma.page_bytes, (run.stop - vma.start) // vma.page_bytes) for run in runs)
    return replace(part, heat=marked(part.heat, pages, hot=hot))
