"""What the agent itself takes for looking at pages: no more than it may have, however large processes are."""

import tracemalloc
from pathlib import Path

import pytest

from terrace_agent.flows.directions import flows
from terrace_agent.move_pages.allowance import (
    DEFAULT_LIMIT_BYTES,
    PAGE_COSTS_BYTES,
    RANGE_COSTS_PAGES,
    allowed_pages,
    memory_limit_bytes,
)
from terrace_agent.move_pages.choose import MOST_RUNS, Part, Tracked, orders
from terrace_agent.move_pages.heat import Heat
from terrace_agent.move_pages.idle_pages import Frames, IdlePageTracker
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker
from terrace_agent.move_pages.tracker import Tracker
from terrace_agent.move_pages.vmas import PIECE_PAGES, Vma, pieces
from terrace_agent.move_pages.watch import Watch
from unit.agent.damon.builders import GIB, MIB, settings
from unit.agent.move_pages.sim_processes import BASE, SimProcess, SimProcfs, SimRange
from unit.agent.move_pages.test_move_pages_engine import PAGES, POD, Machine

START = 0x7F12_3450_0000
FRAME = 4_096


def large_process(root: Path, *, pages: int, resident: int | None = None) -> Procfs:
    """A process of one range, all of whose pages share a frame; smaps says that so many are `resident`."""
    resident = pages if resident is None else resident
    (root / "9").mkdir()
    sizes = f"Rss: {resident * 4} kB\nReferenced: 0 kB\n"
    files = {
        "statm": f"{pages} {resident} 0 0",
        "stat": f"9 (x) S {'1 ' * 40}",
        "clear_refs": "",
        "smaps": f"{START:x}-{START + pages * 4096:x} rw-p 00000000 00:00 0\n{sizes}",
        "numa_maps": f"{START:x} default anon={pages} N1={pages}",
    }
    for name, content in files.items():
        (root / "9" / name).write_text(content)
    with (root / "9/pagemap").open("wb") as file:
        file.seek(START // 4096 * 8)
        for _ in range(pages // 1024):
            file.write((1 << 63 | FRAME).to_bytes(8, "little") * 1024)
    return Procfs(root, page_bytes=4096)


def scattered_process(root: Path, *, ranges: int, pages: int) -> Procfs:
    """A process of so many ranges of so many pages each, and one of 16 MiB before them."""
    procfs = large_process(root, pages=PAGES)
    with (root / "9/smaps").open("a") as smaps, (root / "9/numa_maps").open("a") as numa_maps:
        numa_maps.write("\n")
        for number in range(ranges):
            start = START + (number + 1) * GIB
            smaps.write(f"{start:x}-{start + pages * 4096:x} rw-p 00000000 00:00 0\nRss: {pages * 4} kB\n")
            smaps.write("".join(f"{name}: 0 kB\n" for name in ("Referenced", "Pss", "Swap", "Locked")))
            numa_maps.write(f"{start:x} default anon={pages} dirty={pages} N1={pages} kernelpagesize_kB=4\n")
    return procfs


def tracker_of(procfs: Procfs, root: Path, name: str) -> Tracker:
    if name == "soft-dirty":
        return SoftDirtyTracker(procfs)
    for file in ("bitmap", "kpageflags"):
        (root / file).write_bytes(bytes(8 * (FRAME + 1)))
    return IdlePageTracker(procfs, Frames(root / "bitmap", root / "kpageflags"))


@pytest.mark.parametrize("name", ["soft-dirty", "idle"])
def test_a_look_at_a_large_range_takes_no_more_at_once_than_at_a_small_one(tmp_path: Path, name: str) -> None:
    pages = 2 * GIB // 4096
    procfs = large_process(tmp_path, pages=pages)
    watching = Watch(procfs, tracker_of(procfs, tmp_path, name))
    watching.look({9: POD}, every_s=1)
    tracemalloc.start()
    for _ in range(2):
        watching.look({9: POD}, every_s=1)
    tracemalloc.reset_peak()
    kept, _ = tracemalloc.get_traced_memory()
    watching.look({9: POD}, every_s=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(part.heat.pages for part in watching.tracked[0].parts) == pages
    assert kept <= 3.2 * pages
    assert peak - kept <= 3 * MIB


def test_a_range_is_cut_at_the_same_addresses_however_it_grows() -> None:
    size = PIECE_PAGES * 4096
    grown = [Vma(start=start, end=5 * size + 4096) for start in (size - 4096, size - 8192)]
    cut = [[(one.start, one.end) for one in pieces(vma)] for vma in grown]
    assert (
        cut[0][1:]
        == cut[1][1:]
        == [(at * size, (at + 1) * size) for at in (1, 2, 3, 4)] + [(5 * size, 5 * size + 4096)]
    )
    assert cut[1][0] == (size - 8192, size)
    assert [(one.start, one.end) for one in pieces(Vma(start=4096, end=8192))] == [(4096, 8192)]


def test_what_does_not_fit_is_left_out_and_said_with_what_helps() -> None:
    machine = Machine(fast_free_mib=62, most_pages=3 * (PAGES + RANGE_COSTS_PAGES))
    hot = [SimRange(PAGES, 1), SimRange(2 * PAGES, 1), SimRange(4 * PAGES, 1)]
    for number, one in enumerate(hot):
        machine.add(41 + number, one)
    machine.run(12, touched=tuple(hot))
    plan = machine.turn(touched=tuple(hot))
    assert [one.on(0) for one in hot] == [PAGES, 2 * PAGES, 0]
    assert plan.effective
    [note] = [note for note in plan.effective.notes if "agent.resources" in note]
    assert note.startswith("1 processes are not looked at")


@pytest.mark.parametrize(("most_pages", "no_room"), [(PAGES * 8 + RANGE_COSTS_PAGES, 0), (PAGES * 8, 1)])
def test_a_sparse_process_takes_room_for_all_of_its_pages(tmp_path: Path, most_pages: int, no_room: int) -> None:
    procfs = large_process(tmp_path, pages=PAGES * 8, resident=PAGES)
    watching = Watch(procfs, SoftDirtyTracker(procfs), most_pages=most_pages)
    watching.look({9: POD}, every_s=1)
    assert (watching.no_room, len(watching.tracked)) == (no_room, 1 - no_room)


def test_a_process_of_very_many_ranges_takes_no_more_than_pages_may(tmp_path: Path) -> None:
    most_pages = 1 << 20
    procfs = scattered_process(tmp_path, ranges=2 * most_pages // RANGE_COSTS_PAGES, pages=16)
    watching = Watch(procfs, SoftDirtyTracker(procfs), most_pages=most_pages)
    tracemalloc.start()
    watching.look({9: POD}, every_s=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (watching.no_room, watching.tracked) == (1, ())
    assert peak <= most_pages * PAGE_COSTS_BYTES


def test_ranges_are_charged_for_what_they_cost(tmp_path: Path) -> None:
    ranges = 2_000
    procfs = scattered_process(tmp_path, ranges=ranges, pages=16)
    watching = Watch(procfs, SoftDirtyTracker(procfs))
    watching.look({9: POD}, every_s=1)
    tracemalloc.start()
    for _ in range(3):
        watching.look({9: POD}, every_s=1)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(watching.tracked[0].parts) == 1 + ranges
    assert kept <= PAGE_COSTS_BYTES * (PAGES + ranges * (16 + RANGE_COSTS_PAGES))


def test_ranges_of_a_few_pages_are_left_out_and_the_large_one_among_them_is_not(tmp_path: Path) -> None:
    procfs = scattered_process(tmp_path, ranges=2_000, pages=15)
    watching = Watch(procfs, SoftDirtyTracker(procfs), most_pages=PAGES + RANGE_COSTS_PAGES)
    for _ in range(2):
        watching.look({9: POD}, every_s=1)
    assert [part.heat.pages for part in watching.tracked[0].parts] == [PAGES]


def test_a_newcomer_replaces_one_that_is_looked_at_only_if_it_is_much_larger() -> None:
    procfs = SimProcfs({})
    watching = Watch(procfs, SoftDirtyTracker(procfs), most_pages=5 * PAGES)
    for pid, pages in ((41, 3 * PAGES), (42, 4 * PAGES), (43, 7 * PAGES)):
        procfs.processes[pid] = SimProcess([SimRange(pages, 1)], started=pid)
        watching.look(dict.fromkeys(procfs.processes, POD), every_s=1)
        assert [one.pid for one in watching.tracked] == [41]
    watching = Watch(procfs, SoftDirtyTracker(procfs), most_pages=9 * PAGES)
    for pids in ((41,), (41, 43)):
        watching.look(dict.fromkeys(pids, POD), every_s=1)
    assert [one.pid for one in watching.tracked] == [43]


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "134217728\n"}, 128 * MIB),
        ({"proc/self/cgroup": "0::/pod/box\n", "sys/fs/cgroup/pod/box/memory.max": "max\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/pod/box\n",
                "sys/fs/cgroup/pod/box/memory.max": "max\n",
                "sys/fs/cgroup/pod/memory.max": "67108864\n",
            },
            64 * MIB,
        ),
        ({"proc/self/cgroup": "4:memory:/box\n"}, None),
        ({}, None),
    ],
)
def test_the_limit_is_the_least_of_the_agents_own_cgroups(tmp_path: Path, files: dict[str, str], limit: int) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert memory_limit_bytes(str(tmp_path)) == limit


def test_a_quarter_of_the_limit_may_be_spent_on_pages() -> None:
    assert allowed_pages(128 * MIB) * 4096 == 32 * GIB
    assert allowed_pages(None) == allowed_pages(DEFAULT_LIMIT_BYTES)


def test_an_order_has_only_so_many_runs_and_the_others_come_next() -> None:
    pages = 4 * MOST_RUNS
    every_other = bytes([0xFF, 0]) * (pages // 2)
    vma = Vma(start=BASE, end=BASE + pages * 4096, resident_bytes=pages * 4096)
    part = Part(vma=vma, heat=Heat(sure=every_other, maybe=every_other, looks=8), pages_by_nid={1: pages})
    tracked = [Tracked(pid=pid, started=pid, cgroup=POD, parts=(part,)) for pid in (41, 42)]
    [flow] = [
        one
        for one in flows(settings(), Machine().topology, has_safety_net=True, chooses_target=True)
        if one.pair.promotes
    ]
    found = list(orders(settings(), flow, tracked, 1 << 60))
    assert [(one.pid, len(one.runs), one.limit_pages) for one in found] == [(41, MOST_RUNS, MOST_RUNS)]
