"""How much is on the wrong tier: only memory that is there."""

import pytest

from terrace_agent.flows.directions import flows
from terrace_agent.move_pages.choose import Part, Tracked, misplaced_bytes
from terrace_agent.move_pages.heat import LOOKS, TOUCHED, Look, seen, unknown
from terrace_agent.move_pages.vmas import PIECE_PAGES, Vma, pieces
from unit.agent.damon.builders import MIB, guest, settings

PAGES = 16 * MIB // 4096
START = 1 << 32


def looked_at(touched: int) -> Look:
    flags = bytes([TOUCHED]) * touched + bytes(PAGES - touched)
    return Look(sure=flags, maybe=flags)


def misplaced_mib(vma: Vma, touched: int, *, resident: int, nid: int, promotes: bool) -> float:
    """Returns what one direction is told of a range that is in memory on `nid`, the first pages touched always."""
    heat = unknown(PAGES)
    for _ in range(LOOKS):
        heat = seen(heat, looked_at(touched))
    part = Part(vma=vma, heat=heat, pages_by_nid={nid: resident})
    one = Tracked(pid=41, started=1, cgroup="/pod", parts=(part,))
    [flow] = [
        flow
        for flow in flows(settings(), guest(), has_safety_net=True, chooses_target=True)
        if flow.pair.promotes is promotes
    ]
    return misplaced_bytes(settings(), flow, (one,)) / MIB


WHOLE = Vma(start=START, end=START + PAGES * 4096)


@pytest.mark.parametrize(("touched", "cold_mib"), [(PAGES // 8, 0), (PAGES // 16, 1), (0, 2)])
def test_where_an_eighth_of_a_range_is_in_memory_no_more_than_that_is_cold(touched: int, cold_mib: float) -> None:
    assert misplaced_mib(WHOLE, touched, resident=PAGES // 8, nid=0, promotes=False) == cold_mib


@pytest.mark.parametrize(("nid", "promotes", "mib"), [(0, False, 12), (1, True, 4), (0, True, 0), (1, False, 0)])
def test_all_of_a_range_that_is_in_memory_counts(nid: int, promotes: bool, mib: float) -> None:
    assert misplaced_mib(WHOLE, PAGES // 4, resident=PAGES, nid=nid, promotes=promotes) == mib


def test_what_is_hot_in_a_sparse_range_counts_in_full() -> None:
    assert misplaced_mib(WHOLE, PAGES // 8, resident=PAGES // 8, nid=1, promotes=True) == 2


def test_no_more_is_hot_than_is_in_memory() -> None:
    assert misplaced_mib(WHOLE, PAGES, resident=PAGES // 8, nid=1, promotes=True) == 2


def test_pieces_of_a_range_are_judged_together() -> None:
    whole = Vma(start=0, end=2 * PIECE_PAGES * 4096)
    first, second = pieces(whole)
    touched = Look(sure=bytes([TOUCHED]) * PIECE_PAGES, maybe=bytes([TOUCHED]) * PIECE_PAGES)
    heats = [unknown(PIECE_PAGES)] * 2
    for _ in range(LOOKS):
        heats = [seen(heats[0], touched), seen(heats[1], Look(sure=bytes(PIECE_PAGES), maybe=bytes(PIECE_PAGES)))]
    parts = tuple(
        Part(vma=vma, heat=heat, pages_by_nid={0: PIECE_PAGES})
        for vma, heat in zip((first, second), heats, strict=True)
    )
    [down] = [
        flow for flow in flows(settings(), guest(), has_safety_net=True, chooses_target=True) if not flow.pair.promotes
    ]
    assert misplaced_bytes(settings(), down, (Tracked(pid=41, started=1, cgroup="/pod", parts=parts),)) == 0
