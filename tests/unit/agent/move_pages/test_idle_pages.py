"""Idle bits of frames: what was touched since they were marked, in files like the kernel's."""

from array import array
from pathlib import Path

import pytest

from terrace_agent.hostfs import MountedHostFs
from terrace_agent.move_pages.idle_pages import EVERY, Frames, IdlePageTracker, frames_of
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker
from terrace_agent.move_pages.trackers import best
from terrace_agent.move_pages.vmas import Vma

PID, START, FIRST_FRAME = 9, 0x10000, 4096
PAGES = 4 * EVERY
VMA = Vma(start=START, end=START + PAGES * 4096, resident_bytes=PAGES * 4096)
TOUCHED, NOT = b"\x80" * EVERY, b"\0" * EVERY
HEAD, TAIL = 1 << 15, 1 << 16


class Machine:
    """One process of consecutive frames; a file of words for the bitmap, which does not or, unlike the kernel's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / str(PID)).mkdir()
        self.bitmap, self.flags = root / "bitmap", root / "kpageflags"
        self.bitmap.write_bytes(bytes((FIRST_FRAME + 4 * PAGES) // 8))
        self.flags.write_bytes(bytes(8 * (FIRST_FRAME + 4 * PAGES)))
        self.place(FIRST_FRAME)
        self.tracker = IdlePageTracker(Procfs(root), Frames(self.bitmap, self.flags))

    def place(self, frame: int) -> None:
        """Puts the process' pages on frames from `frame` on."""
        entries = b"".join((1 << 63 | frame + page).to_bytes(8, "little") for page in range(PAGES))
        (self.root / str(PID) / "pagemap").write_bytes(bytes(START // 4096 * 8) + entries)

    def touch(self, frame: int) -> None:
        """Clears a frame's idle bit, as any access does."""
        bits = bytearray(self.bitmap.read_bytes())
        bits[frame // 8] &= ~(1 << frame % 8)
        self.bitmap.write_bytes(bits)

    def make_huge(self, pages: int = PAGES) -> None:
        """Makes large folios of the frames of the process, of so many pages each."""
        words = bytearray(self.flags.read_bytes())
        for page in range(PAGES):
            at = (FIRST_FRAME + page) * 8
            words[at : at + 8] = (TAIL if page % pages else HEAD).to_bytes(8, "little")
        self.flags.write_bytes(words)

    def look(self) -> tuple[bytes, bytes]:
        [(_, found)] = self.tracker.look(PID, (VMA,))
        return found.sure, found.maybe


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_look_knows_nothing(machine: Machine) -> None:
    assert machine.look() == (NOT * 4, TOUCHED * 4)


def test_a_page_that_was_touched_stands_for_its_neighbours_and_the_others_were_not(machine: Machine) -> None:
    machine.look()
    machine.touch(FIRST_FRAME + 2 * EVERY)
    assert machine.look() == (NOT * 2 + TOUCHED + NOT, NOT * 2 + TOUCHED + NOT)
    assert machine.look() == (NOT * 4, NOT * 4)


def test_a_page_that_has_another_frame_by_now_may_have_been_touched(machine: Machine) -> None:
    machine.look()
    machine.place(FIRST_FRAME + PAGES)
    assert machine.look() == (NOT * 4, TOUCHED * 4)


def test_the_pages_of_a_huge_page_have_the_bit_of_its_first_frame(machine: Machine) -> None:
    machine.make_huge()
    machine.look()
    assert machine.look() == (NOT * 4, NOT * 4)
    machine.touch(FIRST_FRAME)
    assert machine.look() == (TOUCHED * 4, TOUCHED * 4)


def test_the_pages_of_a_large_folio_that_is_no_huge_page_have_the_bit_of_its_first_frame(machine: Machine) -> None:
    machine.make_huge(2 * EVERY)
    machine.look()
    assert machine.look() == (NOT * 4, NOT * 4)
    machine.touch(FIRST_FRAME + 2 * EVERY)
    assert machine.look() == (NOT * 2 + TOUCHED * 2, NOT * 2 + TOUCHED * 2)


def test_of_frames_that_the_kernel_does_not_tell_nothing_is_known(machine: Machine) -> None:
    entries = (1 << 63).to_bytes(8, "little") * PAGES
    (machine.root / str(PID) / "pagemap").write_bytes(bytes(START // 4096 * 8) + entries)
    machine.look()
    assert machine.look() == (NOT * 4, TOUCHED * 4)


def test_a_process_that_is_forgotten_is_looked_at_as_a_new_one(machine: Machine) -> None:
    machine.look()
    machine.tracker.keep({}, every_s=1)
    assert machine.look() == (NOT * 4, TOUCHED * 4)


def test_without_idle_bits_or_frames_soft_dirty_bits_are_taken(tmp_path: Path) -> None:
    without = best(Procfs(tmp_path), Frames(tmp_path / "bitmap"))
    machine = Machine(tmp_path)
    untold = best(Procfs(tmp_path), Frames(machine.bitmap, machine.flags))
    assert (type(without), "CONFIG_IDLE_PAGE_TRACKING" in without.blind_spot) == (SoftDirtyTracker, True)
    assert (type(untold), "movePages.idlePages" in untold.blind_spot) == (SoftDirtyTracker, True)


class Told(Procfs):
    """Processes whose frames are told."""

    def frames(self, pid: int, start: int, pages: int, every: int) -> "array[int]":
        return array("Q", [FIRST_FRAME] * -(-pages // every))


def test_a_bitmap_that_takes_no_stores_is_not_taken_and_that_is_said(machine: Machine) -> None:
    assert isinstance(best(Told(machine.root), Frames(machine.bitmap, machine.flags)), IdlePageTracker)
    folder = machine.root / "cannot be opened for writing"
    folder.mkdir()
    tracker = best(Told(machine.root), Frames(folder, machine.flags))
    assert isinstance(tracker, SoftDirtyTracker)
    assert f"idle bits of frames are not used: {folder}: Is a directory" in tracker.blind_spot


def test_the_bitmap_is_the_hosts_where_that_is_mounted(tmp_path: Path) -> None:
    bitmap = tmp_path / "sys/kernel/mm/page_idle/bitmap"
    bitmap.parent.mkdir(parents=True)
    bitmap.write_bytes(bytes(8))
    frames_of(MountedHostFs(tmp_path), Procfs()).mark([3])
    assert bitmap.read_bytes() == bytes([8, 0, 0, 0, 0, 0, 0, 0])


def test_a_huge_page_has_as_many_frames_as_a_page_has_entries(tmp_path: Path) -> None:
    words = [HEAD if frame == 8_192 else TAIL for frame in range(20_000)]
    flags = tmp_path / "kpageflags"
    flags.write_bytes(b"".join(word.to_bytes(8, "little") for word in words))
    heads = [Frames(tmp_path, flags, page_bytes=size).heads([9_000]) for size in (4_096, 65_536)]
    assert heads == [[9_000], [8_192]]


class SlowProcfs(Procfs):
    """Each store to `clear_refs` takes so long for a process of 1 GiB, and so much CPU time."""

    def __init__(self, took_s: float, cpu_s: float) -> None:
        super().__init__(Path("/nowhere"))
        self.now_s, self.used_s = 0.0, 0.0
        self._took_s, self._cpu_s = took_s, cpu_s

    def resident_bytes(self, pid: int) -> int:
        return 1 << 30

    def clear_refs(self, pid: int, what: str) -> None:
        self.now_s += self._took_s
        self.used_s += self._cpu_s


@pytest.mark.parametrize(("took_s", "cpu_s", "tracked"), [(0.05, 0.05, True), (0.2, 0.2, False), (0.2, 0.05, True)])
def test_a_process_that_takes_too_long_is_not_looked_at_again_but_what_waits_says_nothing(
    took_s: float, cpu_s: float, *, tracked: bool
) -> None:
    procfs = SlowProcfs(took_s, cpu_s)
    tracker = SoftDirtyTracker(procfs, clock=lambda: procfs.now_s, cpu_clock=lambda: procfs.used_s)
    tracker.begin(PID)
    assert tracker.longest_stall_s == pytest.approx(took_s)
    assert tracker.may_track(1 << 30) is tracked
    assert tracker.may_track(1 << 28)
