"""What is read below /proc, and what soft-dirty bits and smaps come to."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from terrace_agent.move_pages.heat import TOUCHED
from terrace_agent.move_pages.privilege import Privilege, missing
from terrace_agent.move_pages.procfs import Procfs
from terrace_agent.move_pages.soft_dirty import SoftDirtyTracker, conclude
from terrace_agent.move_pages.vmas import Vma, movable, parse_numa_maps, parse_smaps
from terrace_agent.move_pages.watch import Watch

SMAPS = """55ce722cc000-55ce722ce000 r--p 00000000 fe:00 247278                     /usr/bin/head
Size:                  8 kB
Rss:                   8 kB
Referenced:            4 kB
VmFlags: rd mr mw me sd
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Rss:                2048 kB
Referenced:            0 kB
7f0000400000-7f0000800000 rw-s 00000000 00:01 5 /dev/shm/x
Rss:                4096 kB
7f1000000000-7f2000000000 rw-p 00000000 00:00 0
Rss:                2048 kB
"""
NUMA_MAPS = """55ce722cc000 default file=/usr/bin/head mapped=2 N0=2 kernelpagesize_kB=4
7f0000000000 default anon=512 dirty=512 N0=500 N1=12 kernelpagesize_kB=4
7f0000400000 default file=/dev/shm/x N1=1024
7f1000000000 default anon=512 N0=512
7f3000000000 bind:1 anon=512 N1=512 kernelpagesize_kB=4
7f4000000000 default huge anon=2 N0=2 kernelpagesize_kB=2048
"""
NOTHING = b"\0\0\0\0"
ALL = bytes([TOUCHED]) * 4


def test_private_dense_unplaced_memory_is_movable_and_nothing_else() -> None:
    [vma] = movable(parse_smaps(SMAPS.splitlines(), 4096), parse_numa_maps(NUMA_MAPS.splitlines()))
    assert (vma.start, vma.pages, vma.resident_bytes) == (0x7F0000000000, 1024, 2 << 20)


def test_where_pages_are_and_who_placed_them_is_read() -> None:
    found = {one.start: one for one in parse_numa_maps(NUMA_MAPS.splitlines())}
    assert found[0x7F0000000000].pages_by_nid == {0: 500, 1: 12}
    assert not found[0x7F3000000000].movable
    assert not found[0x7F4000000000].movable


@pytest.mark.parametrize(
    ("referenced", "sure", "maybe"),
    [
        (0, b"\x80\0\0\0", b"\x80\0\0\0"),
        (2, b"\x80\0\0\0", ALL),
        (4, ALL, ALL),
    ],
)
def test_a_quiet_range_is_untouched_but_for_writes_a_busy_one_is_touched_and_between_nobody_knows(
    referenced: int, sure: bytes, maybe: bytes
) -> None:
    vma = Vma(start=0, end=4 * 4096, resident_bytes=4 * 4096, referenced_bytes=referenced * 4096)
    found = conclude(vma, b"\x80\0\0\0", ALL)
    assert (found.sure, found.maybe) == (sure, maybe)


def test_pages_that_are_not_there_are_not_touched() -> None:
    vma = Vma(start=0, end=4 * 4096, resident_bytes=4096, referenced_bytes=4096)
    assert conclude(vma, ALL, b"\0\x80\0\0").sure == b"\0\x80\0\0"


def test_pages_that_are_not_there_are_not_cold() -> None:
    vma = Vma(start=0, end=4 * 4096, resident_bytes=4096)
    assert conclude(vma, NOTHING, b"\0\x80\0\0").maybe == b"\x80\0\x80\x80"


@pytest.mark.parametrize(("referenced", "written"), [(9, 0), (60, 51), (60, 60)])
def test_in_a_range_that_is_used_here_and_there_no_page_is_cold(referenced: int, written: int) -> None:
    vma = Vma(start=0, end=80 * 4096, resident_bytes=80 * 4096, referenced_bytes=referenced * 4096)
    assert conclude(vma, ALL[:1] * written + bytes(80 - written), ALL[:1] * 80).maybe == ALL[:1] * 80


def test_the_few_pages_that_may_have_been_read_are_no_share_of_a_large_range() -> None:
    pages = 1 << 16
    present = ALL[:1] * pages
    vma = Vma(start=0, end=pages * 4096, resident_bytes=pages * 4096)
    assert conclude(replace(vma, referenced_bytes=16 * 4096), bytes(pages), present).maybe == bytes(pages)
    assert conclude(replace(vma, referenced_bytes=17 * 4096), bytes(pages), present).maybe == present


def test_pagemap_tells_soft_dirty_and_present_pages(tmp_path: Path) -> None:
    entries = [1 << 55 | 1 << 63, 1 << 63, 0, 1 << 55]
    (tmp_path / "9").mkdir()
    (tmp_path / "9/pagemap").write_bytes(bytes(16) + b"".join(one.to_bytes(8, "little") for one in entries))
    dirty, present = Procfs(tmp_path).page_flags(9, 2, 6)
    assert (dirty, present) == (b"\x80\0\0\x80\0\0", b"\x80\x80\0\0\0\0")


def test_pages_of_64_kib_are_looked_up_as_such(tmp_path: Path) -> None:
    start, pages = 0x7F0000000000, 256
    files = {
        "statm": f"{pages} {pages} 0 0",
        "stat": f"9 (x) S {'1 ' * 40}",
        "clear_refs": "",
        "smaps": f"{start:x}-{start + (pages << 16):x} rw-p 00000000 00:00 0\nRss: {pages * 64} kB\nReferenced: 0 kB\n",
        "numa_maps": f"{start:x} default anon={pages} N1={pages} kernelpagesize_kB=64",
    }
    (tmp_path / "9").mkdir()
    for name, content in files.items():
        (tmp_path / "9" / name).write_text(content)
    with (tmp_path / "9/pagemap").open("wb") as file:
        file.seek((start >> 16) * 8)
        file.write((1 << 63 | 1 << 55).to_bytes(8, "little") + (1 << 63).to_bytes(8, "little") * (pages - 1))
    procfs = Procfs(tmp_path, page_bytes=1 << 16)
    watching = Watch(procfs, SoftDirtyTracker(procfs))
    for _ in range(2):
        watching.look({9: "/pod"}, every_s=1)
    [part] = watching.tracked[0].parts
    assert (part.heat.pages, part.heat.sure[:2]) == (pages, b"\x80\0")


def test_a_process_that_is_gone_has_nothing(tmp_path: Path) -> None:
    procfs = Procfs(tmp_path)
    assert [*procfs.smaps(9), *procfs.numa_maps(9)] == []
    assert (procfs.resident_bytes(9), procfs.started(9)) == (0, 0)
    assert procfs.page_flags(9, 0, 2) == (b"\0\0", b"\0\0")
    procfs.clear_refs(9, "4")


def test_a_file_name_with_a_carriage_return_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "9").mkdir()
    (tmp_path / "9/numa_maps").write_bytes(b"1000 default file=/tmp/a\rzz mapped=2 N0=2\n2000 default anon=99 N0=99\n")
    found = parse_numa_maps(Procfs(tmp_path).numa_maps(9))
    assert [(one.start, one.movable) for one in found] == [(0x1000, False), (0x2000, True)]


def test_this_very_process_can_be_read() -> None:
    procfs = Procfs()
    vmas = tuple(parse_smaps(procfs.smaps(os.getpid()), procfs.page_bytes))
    assert sum(vma.resident_bytes for vma in vmas) > 1 << 20
    assert procfs.resident_bytes(os.getpid()) > 1 << 20
    assert procfs.started(os.getpid()) > 0
    largest = max(vmas, key=lambda vma: vma.resident_bytes)
    _, present = procfs.page_flags(os.getpid(), largest.start // procfs.page_bytes, largest.pages)
    assert present.count(0x80) > 0


COMPLETE = Privilege(namespace="pid:[4026531836]", query_errno=0, pagemap_errno=0, tells_pages=True)


@pytest.mark.parametrize(
    ("found", "reason", "says"),
    [
        (replace(COMPLETE, query_errno=38), "NoMovePages", "CONFIG_MIGRATION"),
        (replace(COMPLETE, query_errno=1), "Seccomp", "seccomp profile"),
        (replace(COMPLETE, namespace="pid:[4026532000]"), "NoHostPid", "hostPID"),
        (replace(COMPLETE, pagemap_errno=13), "NoPtrace", "CAP_SYS_PTRACE"),
        (replace(COMPLETE, tells_pages=False), "NoTracker", "CONFIG_MEM_SOFT_DIRTY"),
    ],
)
def test_what_is_missing_is_named_with_what_grants_it(found: Privilege, reason: str, says: str) -> None:
    gap = missing(found)
    assert gap
    assert (gap.reason, says in gap.message, "movePages.enabled" in gap.message) == (reason, True, True)


def test_nothing_is_missing_where_all_is_granted() -> None:
    assert missing(COMPLETE) is None
